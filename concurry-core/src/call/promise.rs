//! The worker's end of a call.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::Waker;

use super::awaited::{Asked, Onward};
use super::cell::Cell;
use super::{Awaited, CallError, Cancellation, Outcome};

/// The duty to answer a call. Dropping it unanswered answers [`CallError::Stopped`].
///
/// # Examples
///
/// ```
/// use concurry_core::call::{CallError, channel};
/// use std::convert::Infallible;
///
/// let (promise, call) = channel::<u64, Infallible>();
/// drop(promise); // the worker is gone
/// assert!(matches!(call.result(), Err(CallError::Stopped)));
/// ```
pub struct Promise<T, E> {
    cell: Option<Arc<Cell<T, E>>>,
}

impl<T, E> Promise<T, E> {
    pub(super) fn new(cell: Arc<Cell<T, E>>) -> Self {
        Self { cell: Some(cell) }
    }

    /// Answers the call. An outcome that comes after a cancellation is dropped.
    pub fn complete(mut self, outcome: Outcome<T, E>) {
        if let Some(cell) = self.cell.take() {
            cell.close(outcome);
        }
    }

    /// Whether anyone still needs the answer: false once the call was cancelled.
    pub fn is_open(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.is_open())
    }

    /// Leaves `waker` to be woken when the call is cancelled; false, and nothing is left, when nobody needs the answer by now.
    pub fn wake_when_cancelled(&self, waker: &Waker) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.wake_when_cancelled(waker))
    }

    /// What tells a method that its call was cancelled.
    pub fn cancellation(&self) -> Cancellation
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        Cancellation::of(self.asker())
    }

    /// Whether whoever `waker` wakes waits for the answer, be it through calls that are made of this one.
    pub fn awaited_by(&self, waker: &Waker) -> Awaited {
        let Some(cell) = &self.cell else { return Awaited::No };
        let mut asked = cell.awaited_by(waker);
        loop {
            match asked {
                Ok(awaited) => return awaited,
                Err(Onward(next)) => asked = next.awaited_by(waker),
            }
        }
    }

    /// What asks that of this call once the promise itself is out of reach.
    pub(super) fn asker(&self) -> Option<Arc<dyn Asked>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.cell.as_ref().map(|cell| Arc::clone(cell) as Arc<dyn Asked>)
    }

    /// The cell, for who looks whether it was cancelled by force.
    pub(super) fn cell(&self) -> Weak<Cell<T, E>> {
        self.cell.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    /// Whether the call was cancelled by force.
    pub(super) fn is_by_force(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.is_by_force())
    }

    /// What the call is known by to its [`Origin`](super::Origin).
    #[doc(hidden)]
    pub fn id(&self) -> usize {
        self.cell.as_ref().map_or(0, |cell| cell.id())
    }

    /// Runs `callback` with the outcome once there is one; false, and nothing is run, when there is one by now.
    pub(super) fn on_done(&self, callback: impl FnOnce(&Outcome<T, E>) + Send + 'static) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.add_callback(Box::new(callback)).is_ok())
    }
}

impl<T, E> Drop for Promise<T, E> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            cell.close(Err(CallError::Stopped));
        }
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("open", &self.is_open()).finish()
    }
}
