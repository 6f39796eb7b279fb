//! What can be seen of a pool.

use serde::{Deserialize, Serialize};

use super::LimitPoolBalancing;
use crate::LimitSetStats;

/// A pool; made by [`LimitPool::stats`](crate::LimitPool::stats).
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitPool, LimitSet};
///
/// let pool = LimitPool::new([LimitSet::empty(), LimitSet::empty()]);
/// drop(pool.acquire(())?);
/// assert_eq!(pool.stats().sets[0].picks, 1);
/// # Ok::<(), concurry_limits::LimitError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitPoolStats {
    /// How sets are picked.
    pub balancing: LimitPoolBalancing,
    /// The index of the worker that this pool belongs to.
    pub worker_index: usize,
    /// A set each.
    pub sets: Vec<PooledSetStats>,
}

/// One set of a pool.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitPool, LimitSet};
///
/// let stats = LimitPool::new([LimitSet::empty()]).stats();
/// assert!(stats.sets[0].set.limits.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PooledSetStats {
    /// How often this pool, which is one worker's, picked it. A request was sent to it, whether it was granted there or not; by
    /// [`EarliestAvailable`](crate::LimitPoolBalancing::EarliestAvailable), which asks all sets, it was granted by it.
    pub picks: u64,
    /// The set itself, which others may share.
    pub set: LimitSetStats,
}
