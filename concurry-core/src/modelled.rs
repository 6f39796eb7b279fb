//! What threads share in a call and in a wait for many, so that loom can stand in for it: the models prove that no order in which
//! threads can meet loses an outcome or a wake-up.
//!
//! The rest of the crate takes the standard library's own (`sync`): it is built with `--cfg loom` as well when other crates run
//! their models, and works there outside of one.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::sync::PoisonError;

/// As [`sync::lock`](crate::sync::lock).
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
