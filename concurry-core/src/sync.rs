//! Locks that ignore poisoning. Shared by the crates of concurry; no part of its interface.
//!
//! A panic of user code never happens while one of our locks is held: predicates, callbacks and wakers run outside
//! of them. So a poisoned lock holds consistent data, and going on is right.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not another thread panicked while it held the lock.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
