//! The timer of a set: when its queue is to be walked though nobody gives anything back.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use concurry_core::clock::{Timestamp, WakeGuard};

use super::Engine;

/// The one request to the clock that serves all waiters that do not sleep for themselves.
#[derive(Default)]
pub(super) struct Timer {
    at: Option<Timestamp>,
    /// Grows with each change, so that a request that is being made knows whether it is still wanted.
    version: u64,
    guard: Option<WakeGuard>,
}

impl Timer {
    /// Follows what the board wants; the answer is a request to make.
    pub(super) fn follow(&mut self, wanted: Option<Timestamp>) -> Option<(Timestamp, u64)> {
        if wanted == self.at {
            return None;
        }
        self.at = wanted;
        self.version += 1;
        self.guard = None;
        Some((wanted?, self.version))
    }

    /// Keeps the request that was made for this version of what is wanted; the answer is one that nobody wants.
    pub(super) fn keep(&mut self, guard: WakeGuard, version: u64) -> Option<WakeGuard> {
        if self.version == version { self.guard.replace(guard) } else { Some(guard) }
    }
}

/// What the clock wakes for a set.
pub(super) fn waker(engine: &Weak<Engine>) -> Waker {
    Waker::from(Arc::new(Pump(Weak::clone(engine))))
}

/// Walks the queue when its time has come.
struct Pump(Weak<Engine>);

impl Wake for Pump {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.0.upgrade() {
            engine.pump();
        }
    }
}
