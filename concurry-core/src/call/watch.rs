//! What hangs on a call and is told of its end, and what may be asked of a call by who does not know its types.

use std::task::Waker;

use super::Awaited;
use super::awaited::{Asked, Onward};
use super::cell::Cell;

/// Told once, after the outcome of a call can be taken. What `gather` hangs on each call.
pub trait Watch: Send + Sync {
    /// The call that was registered as `index` is done.
    fn done(&self, index: usize, failed: bool);

    /// Whether whoever `waker` wakes waits for a call that this hangs on.
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        let _ = waker;
        Awaited::No
    }

    /// The call that comes after the one that this hangs on: it is to be asked instead.
    fn onward(&self) -> Option<Onward> {
        None
    }
}

impl<T: Send, E: Send> Asked for Cell<T, E> {
    fn is_open(&self) -> bool {
        Self::is_open(self)
    }

    fn awaited_by(&self, waker: &Waker) -> Result<Awaited, Onward> {
        Self::awaited_by(self, waker)
    }

    fn cancel(&self) {
        Self::cancel(self);
    }
}
