//! Waiting for all calls of a batch.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::gatherable::Gatherable;
use super::latch::Latch;
use super::progress::{Progress, Reporter};
use crate::call::Watch;
use crate::clock::{self, Clock, Timestamp};
use crate::park;

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
    /// when the timeout ends the wait.
    pub fn result(self) -> Result<C::Results, C::Error> {
        let (wait, calls) = self.start(true);
        match wait.block() {
            End::AllDone => calls.into_results(),
            End::Failed(index) => Err(calls.into_error(index)),
            End::TimedOut => Err(calls.into_error(usize::MAX)),
        }
    }

    /// Blocks until all calls are done; how each of them ended. Calls that are not done when the timeout ends the wait
    /// are [`CallError::Timeout`](crate::call::CallError::Timeout), and go on.
    pub fn outcomes(self) -> C::Outcomes {
        let (wait, calls) = self.start(false);
        wait.block();
        calls.into_outcomes()
    }

    fn start(self, stop_at_failure: bool) -> (Wait, C) {
        let total = self.calls.count();
        let reporter = self.progress.map(|progress| Reporter::start(progress, total));
        let latch = Arc::new(Latch::new(total, reporter));
        self.calls.watch(&(Arc::clone(&latch) as Arc<dyn Watch>));
        let clock = clock::system();
        let deadline = self.timeout.map(|timeout| clock.now() + timeout);
        (Wait { latch, clock, deadline, stop_at_failure }, self.calls)
    }
}

impl<C> IntoFuture for Gather<C>
where
    C: Gatherable + Send + 'static,
{
    type Output = Result<C::Results, C::Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let (wait, calls) = self.start(true);
        Box::pin(async move {
            match wait.done().await {
                End::AllDone => calls.into_results(),
                End::Failed(index) => Err(calls.into_error(index)),
                End::TimedOut => Err(calls.into_error(usize::MAX)),
            }
        })
    }
}

/// How a wait ended.
enum End {
    AllDone,
    Failed(usize),
    TimedOut,
}

struct Wait {
    latch: Arc<Latch>,
    clock: Arc<dyn Clock>,
    deadline: Option<Timestamp>,
    stop_at_failure: bool,
}

impl Wait {
    fn block(&self) -> End {
        let calls_done = pin!(self.calls_done());
        match self.deadline {
            None => park::block_on(calls_done),
            Some(deadline) => {
                park::block_on_until(calls_done, &*self.clock, deadline).unwrap_or(End::TimedOut)
            }
        }
    }

    async fn done(&self) -> End {
        let mut calls_done = pin!(self.calls_done());
        let mut alarm = None;
        poll_fn(|context| {
            if let Poll::Ready(end) = calls_done.as_mut().poll(context) {
                return Poll::Ready(end);
            }
            let Some(deadline) = self.deadline else { return Poll::Pending };
            if self.clock.now() >= deadline {
                return Poll::Ready(End::TimedOut);
            }
            alarm = Some(self.clock.wake_at(deadline, context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    async fn calls_done(&self) -> End {
        match poll_fn(|context| self.latch.poll(context, self.stop_at_failure)).await {
            Some(index) => End::Failed(index),
            None => End::AllDone,
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.latch.finish();
    }
}
