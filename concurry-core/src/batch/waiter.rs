//! Who waits for a batch.
//!
//! Completions far outnumber waits, so the one who completes a call reads one flag and locks nothing while nobody waits.
//! The order that makes this safe: a waiter registers and *then* looks for what it waits for; who completes a call leaves
//! what the waiter looks for and *then* calls [`wake`](Waiter::wake). The two fences say that one of them sees the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::{Context, Waker};

use crate::sync::lock;

#[derive(Debug, Default)]
pub(super) struct Waiter {
    waits: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Waiter {
    /// Leaves a waker. Look again afterwards.
    pub(super) fn register(&self, context: &Context<'_>) {
        let mut waker = lock(&self.waker);
        match &mut *waker {
            Some(old) => old.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        self.waits.store(true, Ordering::Relaxed);
        drop(waker);
        fence(Ordering::SeqCst);
    }

    /// Wakes whoever registered, once.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if !self.waits.load(Ordering::Relaxed) {
            return;
        }
        let waker = {
            let mut waker = lock(&self.waker);
            self.waits.store(false, Ordering::Relaxed);
            waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
