//! What a pool does right now, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use concurry_core::mode::ExecutionMode;
use serde::Serialize;

use crate::attempt::Ran;

/// What a pool does right now, and what it has done.
///
/// # Examples
///
/// ```
/// use concurry_workers::pool::PoolStats;
///
/// fn summary(stats: &PoolStats) -> String {
///     let waits = stats.queue_wait.map(|times| format!(", 99 of 100 waited less than {:?}", times.p99));
///     format!("{} done, {} of them failed{}", stats.done, stats.failed, waits.unwrap_or_default())
/// }
/// # let _ = summary;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// The pool's name.
    pub name: String,
    /// Where its workers run.
    pub mode: ExecutionMode,
    /// Workers that are there, in whatever state.
    pub workers: usize,
    /// The same by what they do.
    pub worker_states: WorkerStates,
    /// Calls that wait for a worker, or to be tried again.
    pub queued: usize,
    /// Calls that run.
    pub running: usize,
    /// Calls that were taken from the queue and ended, in whatever way.
    pub done: u64,
    /// Those of them whose method returned an error or panicked, whose worker died, or whose last result was not wanted.
    pub failed: u64,
    /// Attempts at calls that panicked, or whose process died.
    pub crashed: u64,
    /// How often a call was, or is to be, tried again.
    pub retried: u64,
    /// Workers that were made anew after a panic, a death or a `cancel_hard`.
    pub restarts: u64,
    /// Workers that have given way to a new one in their time: after so many calls, at an age, or because of their size.
    pub recycled: u64,
    /// How long attempts waited in the queue, for a worker and for the limits that their method declares; none as long as
    /// nothing was measured.
    pub queue_wait: Option<Times>,
    /// How long attempts ran; in mode process, until their answer was there.
    pub run_time: Option<Times>,
}

/// The workers of a pool by what they do.
///
/// # Examples
///
/// ```
/// use concurry_workers::pool::WorkerStates;
///
/// fn is_saturated(workers: &WorkerStates) -> bool {
///     workers.idle + workers.starting == 0
/// }
/// # let _ = is_saturated;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WorkerStates {
    /// They are being made, or have not looked for a call yet.
    pub starting: usize,
    /// They run nothing.
    pub idle: usize,
    /// They run a call, or in mode async several.
    pub busy: usize,
    /// They end after what they run.
    pub leaving: usize,
}

/// How long something took, over the life of a pool.
///
/// While calls take 20 µs or more each of them is measured, as long as not more than about a hundred measured ones wait at once:
/// of a longer queue it is an evenly spread part. Of shorter calls it is every 128th. A time that is told here is at most 7 %
/// more than the one that was measured.
///
/// # Examples
///
/// ```
/// use concurry_workers::pool::Times;
///
/// fn has_outliers(times: &Times) -> bool {
///     times.measured >= 100 && times.p99 > 10 * times.p50
/// }
/// # let _ = has_outliers;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// Half of them took this long at most.
    pub p50: Duration,
    /// Ninety-nine of a hundred took this long at most.
    pub p99: Duration,
    /// The average.
    pub mean: Duration,
    /// How many were measured.
    pub measured: u64,
}

/// What is counted where it happens. It has its cache lines to itself: those who submit calls read what lies beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    /// Attempts that ended.
    pub(crate) ended: AtomicU64,
    /// Those that failed or crashed.
    pub(crate) failed: AtomicU64,
    pub(crate) crashed: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) recycled: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, how: Ran) {
        Self::add(&self.ended);
        if how != Ran::Returned {
            Self::add(&self.failed);
        }
        if how == Ran::Panicked {
            Self::add(&self.crashed);
        }
    }
}
