//! Waiting for all calls of a batch.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::gatherable::{GatherResults, Gatherable};
use super::latch::{Latch, Until};
use super::progress::{Progress, ProgressUpdate, Reporter};
use super::waiting::{End, Waiting};
use crate::call::Watch;

/// Waits for all of `calls`.
///
/// End it with [`result`](Gather::result) (the first error ends the wait), [`outcomes`](Gather::outcomes) (never fails
/// as a whole) or `.await` (as `result`). Results stand in the order of the input. Any number of calls is fine: the wait
/// costs no thread and no poll a call. Calls that are still running when the wait ends go on.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::gather, call::channel};
/// use std::convert::Infallible;
///
/// let (promises, calls): (Vec<_>, Vec<_>) = (0..3).map(|_| channel::<u64, Infallible>()).unzip();
/// for (n, promise) in promises.into_iter().enumerate().rev() {
///     promise.complete(Ok(n as u64));
/// }
/// assert_eq!(gather(calls).result().unwrap(), [0, 1, 2]);
/// ```
pub fn gather<C: Gatherable>(calls: C) -> Gather<C> {
    Gather { calls, timeout: None, progress: None }
}

/// A wait for many calls: see [`gather`].
#[must_use = "nothing waits until `result`, `outcomes` or `.await`"]
pub struct Gather<C> {
    calls: C,
    timeout: Option<Duration>,
    progress: Option<Progress>,
}

impl<C> fmt::Debug for Gather<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("timeout", &self.timeout)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl<C: Gatherable> Gather<C> {
    /// Shows the progress: a title for a bar in a terminal, or a [`Progress::callback`].
    pub fn progress(mut self, progress: impl Into<Progress>) -> Self {
        self.progress = Some(progress.into());
        self
    }

    /// Calls `callback` after each completion, on the thread that completed the call: short for
    /// [`Progress::callback`]. Keep it short. A panic in it is logged and goes no further. What it is told after the
    /// wait has ended is said there.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::{batch::gather, call::channel};
    /// use std::convert::Infallible;
    /// use std::sync::mpsc;
    ///
    /// let (promises, calls): (Vec<_>, Vec<_>) = (0..3).map(|_| channel::<u64, Infallible>()).unzip();
    /// promises.into_iter().for_each(|promise| promise.complete(Ok(1)));
    /// let (tell, told) = mpsc::channel();
    /// gather(calls).progress_with(move |update| tell.send(update.done).unwrap()).result().unwrap();
    /// assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    pub fn progress_with(self, callback: impl Fn(&ProgressUpdate) + Send + Sync + 'static) -> Self {
        self.progress(Progress::callback(callback))
    }

    /// Waits for `timeout` at most, counted from the start of the wait.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Blocks until all calls are done; their results in the order of the input.
    ///
    /// # Errors
    ///
    /// The error of the first call to fail, as soon as it fails; [`CallError::Timeout`](crate::call::CallError::Timeout)
    /// when the timeout ends the wait. Of a tuple, a [`GatherError`](super::GatherError) around it.
    pub fn result(self) -> Result<C::Results, C::Error>
    where
        C: GatherResults,
    {
        let (waiting, calls) = self.start(Until::Failure);
        let end = waiting.block();
        // The wait is over: nobody is told of what ends while the results are gathered.
        drop(waiting);
        conclude(calls, end)
    }

    /// Blocks until all calls are done; how each of them ended. Calls that are not done when the timeout ends the wait
    /// are [`CallError::Timeout`](crate::call::CallError::Timeout), and go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::batch::gather;
    /// use concurry_core::call::{CallError, channel};
    ///
    /// let (good, first) = channel::<u64, &str>();
    /// let (bad, second) = channel::<u64, &str>();
    /// good.complete(Ok(1));
    /// bad.complete(Err(CallError::Failed("no")));
    /// let outcomes = gather([first, second]).outcomes();
    /// assert!(outcomes[0].is_ok() && outcomes[1].is_err());
    /// ```
    pub fn outcomes(self) -> C::Outcomes {
        let (waiting, calls) = self.start(Until::All);
        waiting.block();
        drop(waiting);
        calls.into_outcomes()
    }

    /// As [`outcomes`](Self::outcomes), awaited.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the calls go on and their outcomes are lost.
    pub async fn outcomes_async(self) -> C::Outcomes {
        let (waiting, calls) = self.start(Until::All);
        waiting.wait().await;
        drop(waiting);
        calls.into_outcomes()
    }

    fn start(self, until: Until) -> (Waiting, C) {
        let total = self.calls.count();
        let reporter = self.progress.map(|progress| Reporter::start(progress, total));
        let latch = Arc::new(Latch::new(total, (until, self.timeout.is_some()), reporter));
        self.calls.watch(&(Arc::clone(&latch) as Arc<dyn Watch>), 0);
        (Waiting::new(latch, self.timeout), self.calls)
    }
}

fn conclude<C: GatherResults>(calls: C, end: End) -> Result<C::Results, C::Error> {
    match end {
        End::Done => calls.into_results(),
        End::Failed(index) => Err(calls.into_error(index)),
        End::TimedOut => Err(C::timed_out()),
    }
}

impl<C> IntoFuture for Gather<C>
where
    C: GatherResults + Send + 'static,
{
    type Output = Result<C::Results, C::Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let (waiting, calls) = self.start(Until::Failure);
        Box::pin(async move {
            let end = waiting.wait().await;
            drop(waiting);
            conclude(calls, end)
        })
    }
}
