//! Who waits for a batch.
//!
//! Completions far outnumber waits, so the one who completes a call reads one flag and locks nothing while nobody waits.
//! The order that makes this safe: a waiter registers and *then* looks for what it waits for; who completes a call leaves
//! what the waiter looks for and *then* calls [`wake`](Waiter::wake). The two fences say that one of them sees the other.

use std::task::{Context, Waker};

use crate::modelled::{AtomicBool, Mutex, Ordering, fence, lock};

#[derive(Debug, Default)]
pub(super) struct Waiter {
    waits: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Waiter {
    /// Leaves a waker. Look again afterwards.
    pub(super) fn register(&self, context: &Context<'_>) {
        let mut mine = None;
        loop {
            let mut left = lock(&self.waker);
            let is_left = left.as_ref().is_some_and(|left| left.will_wake(context.waker()));
            if is_left || mine.is_some() {
                let old = if is_left { mine } else { std::mem::replace(&mut *left, mine) };
                self.waits.store(true, Ordering::Relaxed);
                drop(left);
                drop(old);
                break;
            }
            // A foreign waker is neither cloned nor dropped under the lock.
            drop(left);
            mine = Some(context.waker().clone());
        }
        fence(Ordering::SeqCst);
    }

    /// Whether it is `waker` that is left here.
    pub(super) fn is(&self, waker: &Waker) -> bool {
        lock(&self.waker).as_ref().is_some_and(|left| left.will_wake(waker))
    }

    /// Nobody waits any more.
    pub(super) fn leave(&self) {
        if self.waits.load(Ordering::Relaxed) {
            drop(self.take());
        }
    }

    /// Wakes whoever registered, once.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if !self.waits.load(Ordering::Relaxed) {
            return;
        }
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }

    /// The waker that is left, which is foreign: not to be dropped or woken under the lock.
    fn take(&self) -> Option<Waker> {
        let mut waker = lock(&self.waker);
        self.waits.store(false, Ordering::Relaxed);
        waker.take()
    }
}
