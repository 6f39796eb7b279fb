//! The caller's end of a call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::cell::Cell;
use super::here::Here;
use super::spare::{self, Keep};
use super::watch::Watch;
use super::{CallError, Cancellation, Canceller, Explanation, Look, Outcome};
use crate::{clock, park};

/// A call that was submitted: wait for it with [`result`](Self::result), or `.await` it on any executor.
///
/// The call runs whether or not anyone waits; dropping this does not cancel it. `E` is the method's own error,
/// [`Infallible`](std::convert::Infallible) when it has none.
///
/// # Cancel safety
///
/// `.await` may be dropped at any point; the call goes on. `&mut call` can be awaited in turns and still holds the
/// result afterwards.
///
/// # Examples
///
/// ```
/// use concurry_core::call::channel;
/// use std::convert::Infallible;
///
/// let (promise, call) = channel::<&str, Infallible>();
/// std::thread::spawn(move || promise.complete(Ok("done")));
/// assert_eq!(call.result().unwrap(), "done");
/// ```
pub struct Call<T, E = std::convert::Infallible> {
    end: End<T, E>,
}

enum End<T, E> {
    /// It is shared with the worker's end; what keeps it when the call has ended; and whether a waker was left there, which is
    /// taken away when nobody holds the call. There is room for those, as the other kind is larger.
    Shared(Arc<Cell<T, E>>, Option<Keep<T, E>>, bool),
    /// It was done when it was made.
    Here(Here<T, E>),
}

impl<T, E> Call<T, E> {
    pub(super) fn new(cell: Arc<Cell<T, E>>, keep: Option<Keep<T, E>>) -> Self {
        Self { end: End::Shared(cell, keep, false) }
    }

    /// A call that has ended like this.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::Call;
    ///
    /// let call: Call<u64> = Call::ended(Ok(42));
    /// assert!(call.is_done());
    /// assert_eq!(call.result().unwrap(), 42);
    /// ```
    pub fn ended(outcome: Outcome<T, E>) -> Self {
        Self { end: End::Here(Here::new(outcome)) }
    }

    pub(super) fn cell(&self) -> Arc<Cell<T, E>> {
        match &self.end {
            End::Shared(cell, ..) => Arc::clone(cell),
            End::Here(here) => here.share(),
        }
    }

    /// Takes the outcome if there is one; otherwise leaves `waker` to be woken when there is.
    fn take_or_leave(&mut self, waker: &Waker) -> Option<Outcome<T, E>> {
        let outcome = self.take_done();
        match &mut self.end {
            End::Shared(cell, _, is_left) if outcome.is_none() => {
                let outcome = cell.take(Some(waker));
                *is_left = outcome.is_none();
                outcome
            }
            _ => outcome,
        }
    }

    /// Takes the outcome of a call that is done; its callbacks may still run, and then there is none. Most often the worker has let go of
    /// the cell by then, and it needs no lock.
    fn take_done(&mut self) -> Option<Outcome<T, E>> {
        match &mut self.end {
            End::Here(here) => here.take_mut().map_or_else(|cell| cell.take(None), Some),
            End::Shared(cell, ..) if !cell.is_done() => None,
            // Who waited for it holds it as well: to look costs less than to try. And a model does not see that others have let go before.
            End::Shared(cell, ..) if cfg!(loom) || Arc::strong_count(cell) > 1 => cell.take(None),
            End::Shared(cell, keep, _) => {
                let Some(alone) = Arc::get_mut(cell) else { return cell.take(None) };
                let outcome = alone.take_mut();
                if let Some(keep) = keep.filter(|_| spare::has_room()) {
                    alone.renew();
                    if let End::Shared(cell, ..) = std::mem::replace(&mut self.end, End::Here(Here::taken()))
                    {
                        keep(cell);
                    }
                }
                Some(outcome)
            }
        }
    }

    /// Nobody waits for it at the moment: a waker that was left is taken away.
    pub(crate) fn leave(&mut self) {
        if let End::Shared(cell, _, is_left) = &mut self.end
            && std::mem::take(is_left)
        {
            cell.forget_waker();
        }
    }

    /// Takes the outcome if there is one, or gives the call back.
    pub(crate) fn take_whole(mut self) -> Result<Outcome<T, E>, Self> {
        self.take_done().ok_or(self)
    }

    /// Blocks until the call is done and takes its result. Before the thread sleeps it looks for some microseconds, if waits on
    /// it have been short: to be woken takes longer than a short call. In process mode it may read the answer itself meanwhile, and then
    /// completes the call on this thread.
    ///
    /// # Errors
    ///
    /// [`CallError`]: the method's own error, or what happened to the call.
    pub fn result(self) -> Outcome<T, E> {
        self.take_whole().unwrap_or_else(|call| {
            let cell = call.cell();
            let help = |look: Look<'_>| cell.origin().help(cell.id(), look);
            park::look_and_block_on(|| cell.is_done(), help, call)
        })
    }

    /// Blocks until the call is done, for `timeout` at most, and takes its result. A timeout of zero asks without waiting.
    ///
    /// # Errors
    ///
    /// [`CallError::Timeout`] when the call was not done in time: it goes on, and may be asked again. Otherwise as
    /// [`result`](Self::result); [`CallError::Taken`] when the result was taken by an earlier call of this method.
    pub fn result_timeout(&self, timeout: Duration) -> Outcome<T, E> {
        let cell = match &self.end {
            End::Shared(cell, ..) => Arc::clone(cell),
            End::Here(here) => match here.take() {
                Ok(outcome) => return outcome,
                Err(cell) => cell,
            },
        };
        let clock = clock::system();
        let deadline = clock.now() + timeout;
        let done = std::future::poll_fn(|context| {
            cell.take_or_block(context.waker()).map_or(Poll::Pending, Poll::Ready)
        });
        park::block_on_until(done, &*clock, deadline).unwrap_or_else(|| {
            // It may wait for something else next.
            cell.unblock(&park::thread_waker());
            Err(CallError::Timeout)
        })
    }

    /// Whether the outcome is decided; does not take it.
    pub fn is_done(&self) -> bool {
        match &self.end {
            End::Shared(cell, ..) => cell.is_done(),
            End::Here(_) => true,
        }
    }

    /// How it stands with the call right now: its place in the queue, what holds it, and how long that may take. For people
    /// and for logs; it costs a walk over the calls that wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::{Explanation, channel};
    /// use std::convert::Infallible;
    ///
    /// let (promise, call) = channel::<u64, Infallible>();
    /// promise.complete(Ok(1));
    /// assert!(matches!(call.explain(), Explanation::Done));
    /// assert_eq!(call.explain().to_string(), "done");
    /// ```
    pub fn explain(&self) -> Explanation {
        let End::Shared(cell, ..) = &self.end else { return Explanation::Done };
        let explanation = cell.origin().explain(cell.id());
        // It may have ended meanwhile; what is done does not change any more.
        if self.is_done() { Explanation::Done } else { explanation }
    }

    /// What the call is known by to its [`Origin`](super::Origin).
    #[doc(hidden)]
    pub fn id(&self) -> usize {
        self.cell().id()
    }

    /// Ends the call with [`CallError::Cancelled`] and says whether it did: false when the call was done before.
    ///
    /// A call that waits in the queue is not run any more, and gives its room there back at once. An async method that runs is
    /// dropped at the point where it awaits, and its worker goes on. One that is not async goes on to its end, unless it looks
    /// at its [`Cancellation`](super::Cancellation); its result is dropped.
    pub fn cancel(&self) -> bool {
        match &self.end {
            End::Shared(cell, ..) => cell.cancel(),
            End::Here(_) => false,
        }
    }

    /// As [`cancel`](Self::cancel), and the process of a method that runs in one is ended: for a method that neither awaits nor
    /// looks at its [`Cancellation`](super::Cancellation).
    ///
    /// The caller has [`CallError::Cancelled`] at once. The process, and whatever it has started in its process group, is sent
    /// `SIGTERM`, and `SIGKILL` if it is still there after a grace (the options' `kill_grace`, a second by default); what it
    /// held of limits is given back when it is gone. Another process takes its place, which does not count against the pool's
    /// `max_restarts`. Calls that were waiting for the process run in another one. A call that has not begun costs no process.
    ///
    /// In the other modes nothing can be ended by force, and this is [`cancel`](Self::cancel). A call that is made of others
    /// (`map`, `and_then`) hands it on to the one that it waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::{CallError, channel};
    /// use std::convert::Infallible;
    ///
    /// let (promise, call) = channel::<u64, Infallible>();
    /// assert!(call.cancel_hard());
    /// assert!(!promise.is_open() && !call.cancel_hard());
    /// assert!(matches!(call.result(), Err(CallError::Cancelled)));
    /// ```
    pub fn cancel_hard(&self) -> bool {
        match &self.end {
            End::Shared(cell, ..) => cell.cancel_by_force(),
            End::Here(_) => false,
        }
    }

    /// What cancels this call, for whoever does not hold it.
    pub fn canceller(&self) -> Canceller
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        Canceller(Cancellation::of(Some(self.cell())))
    }

    /// Has `look` look at the outcome without taking it, and gives what that says; `None` when the call is not done, its
    /// outcome was taken, or somebody else looks right now. Whoever asks for the outcome meanwhile waits until `look` has returned, so keep it
    /// short. A panic of `look` is the caller's, and changes nothing of the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::channel;
    /// use std::convert::Infallible;
    ///
    /// let (promise, call) = channel::<Vec<u64>, Infallible>();
    /// assert_eq!(call.peek(|outcome| outcome.is_ok()), None);
    /// promise.complete(Ok(vec![1, 2, 3]));
    /// assert_eq!(call.peek(|outcome| outcome.as_ref().map_or(0, Vec::len)), Some(3));
    /// assert_eq!(call.result().unwrap(), [1, 2, 3]);
    /// ```
    pub fn peek<R>(&self, look: impl FnOnce(&Outcome<T, E>) -> R) -> Option<R> {
        match &self.end {
            End::Shared(cell, ..) => cell.peek(look),
            End::Here(here) => here.share().peek(look),
        }
    }

    /// Runs `callback` with the outcome once there is one: on the thread that completes the call, or here and now when
    /// it is done already. Keep it short, and have it wait for nothing: in process mode that thread also reads what the worker's process
    /// says, its limits included. A panic in it is logged and goes no further. When the result was taken
    /// before, nothing is run.
    pub fn on_done(&self, callback: impl FnOnce(&Outcome<T, E>) + Send + 'static)
    where
        T: 'static,
        E: 'static,
    {
        self.cell().on_done(Box::new(callback));
    }

    /// Has `watch` told when the call is done. One watcher a call: a later one takes the place of an earlier.
    #[doc(hidden)]
    pub fn watch(&self, watch: &Arc<dyn Watch>, index: usize) {
        match &self.end {
            End::Shared(cell, ..) => cell.watch(watch, index),
            End::Here(here) => match here.has_failed() {
                Ok(failed) => watch.done(index, failed),
                Err(cell) => cell.watch(watch, index),
            },
        }
    }

    /// Takes the outcome if there is one.
    #[doc(hidden)]
    pub fn try_take(&self) -> Option<Outcome<T, E>> {
        match &self.end {
            End::Shared(cell, ..) => cell.take(None),
            End::Here(here) => here.take().map_or_else(|cell| cell.take(None), Some),
        }
    }
}

impl<T, E> Drop for Call<T, E> {
    /// Who has waited for it waits no more, and is not to be taken for one who does.
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

/// Nothing in it is pinned: a result is moved out.
impl<T, E> Unpin for Call<T, E> {}

impl<T, E> Future for Call<T, E> {
    type Output = Outcome<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.take_or_leave(context.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("done", &self.is_done()).finish()
    }
}
