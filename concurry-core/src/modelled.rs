//! What threads share, so that loom can stand in for it: the models prove that no order in which threads can meet loses an outcome,
//! a grant or a wake-up. Shared by the crates of concurry; no part of its interface.
//!
//! What has no model takes the standard library's own and [`sync`](crate::sync): it is built with `--cfg loom` as well when the
//! models run, and works there outside of one.

#[cfg(not(loom))]
pub use crate::sync::lock;
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub use std::sync::{Mutex, MutexGuard};

/// As [`sync::lock`](crate::sync::lock).
#[cfg(loom)]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
