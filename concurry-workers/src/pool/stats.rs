//! What a pool does right now.

use std::sync::atomic::{AtomicU64, Ordering};

use concurry_core::mode::ExecutionMode;
use serde::Serialize;

/// What a pool does right now, and what it has done.
///
/// # Examples
///
/// ```
/// fn backlog(stats: &concurry_workers::pool::PoolStats) -> usize {
///     stats.queued + stats.running
/// }
/// # let _ = backlog;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// The pool's name.
    pub name: String,
    /// Where its workers run.
    pub mode: ExecutionMode,
    /// Workers that are there.
    pub workers: usize,
    /// Calls that wait for a worker, or to be tried again.
    pub queued: usize,
    /// Calls that run.
    pub running: usize,
    /// Calls that were taken from the queue and ended, in whatever way.
    pub done: u64,
    /// Attempts at calls that panicked, or whose process died.
    pub crashed: u64,
    /// How often a call was, or is to be, tried again.
    pub retried: u64,
    /// Workers that were made anew after a panic or a death.
    pub restarts: u64,
}

/// What is counted where it happens.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) done: AtomicU64,
    pub(crate) crashed: AtomicU64,
    pub(crate) restarts: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
