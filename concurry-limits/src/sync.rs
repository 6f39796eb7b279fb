//! What threads share, so that loom can stand in for it; and locks that ignore poisoning.
//!
//! A lock of ours is held for bookkeeping only; the one kind of foreign code under it is a user's own
//! [`LimitState`](crate::LimitState), and when that panics the panic reaches the caller while the counts of all other
//! limits stay true. So going on is right.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::sync::PoisonError;

/// Locks, whether or not another thread panicked while it held the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
