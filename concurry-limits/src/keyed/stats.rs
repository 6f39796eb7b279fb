//! What can be seen of keyed limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::set::Counts;

/// All keys together; made by [`KeyedLimits::stats`](crate::KeyedLimits::stats).
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, KeyedLimits, LimitSet, Window};
///
/// let tenants = KeyedLimits::builder(LimitSet::builder().limit(CallLimit::new(1, Window::SECOND))).build()?;
/// tenants.acquire("a", ())?.release()?;
/// tenants.acquire("b", ())?.release()?;
/// assert!(tenants.try_acquire("a", ()).is_err());
/// let stats = tenants.stats();
/// assert_eq!((stats.keys, stats.limits[0].admitted, stats.limits[0].refused), (2, 2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedLimitsStats {
    /// How many keys are remembered.
    pub keys: usize,
    /// How many of them have a set that is ready for use; the others are at rest.
    pub awake: usize,
    /// From how many keys on full ones are forgotten.
    pub max_keys: usize,
    /// How often a key was forgotten, since it was full again.
    pub forgotten: u64,
    /// A limit each, over all keys that are or were known, in the order of the set.
    pub limits: Vec<KeyedLimitStats>,
}

/// One limit over all keys.
///
/// # Examples
///
/// ```
/// use concurry_limits::{KeyedLimits, LimitSet, ResourceLimit};
///
/// let tenants = KeyedLimits::builder(LimitSet::builder().limit(ResourceLimit::new("slots", 2))).build()?;
/// let held = (tenants.acquire(&1, ())?, tenants.acquire(&2, ())?);
/// assert_eq!(tenants.stats().limits[0].key, "slots");
/// assert_eq!(tenants.stats().limits[0].admitted, 2);
/// # drop(held);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedLimitStats {
    /// The key of the limit in its set.
    pub key: String,
    /// How many requests wait that want it.
    pub waiting: usize,
    /// How many requests were admitted.
    pub admitted: u64,
    /// How many requests it refused: not now, not in time, or never.
    pub refused: u64,
    /// How long the admitted requests waited, summed up.
    pub total_wait: Duration,
}

/// Adds `counts` to the limit of that key.
pub(super) fn add(limits: &mut Vec<KeyedLimitStats>, key: &str, counts: Counts) {
    let index = limits.iter().position(|limit| limit.key == key).unwrap_or_else(|| {
        limits.push(KeyedLimitStats { key: key.to_owned(), ..KeyedLimitStats::default() });
        limits.len() - 1
    });
    let limit = &mut limits[index];
    limit.waiting += counts.waiting;
    limit.admitted += counts.admitted;
    limit.refused += counts.refused;
    limit.total_wait = limit.total_wait.saturating_add(counts.total_wait);
}

impl From<&KeyedLimitStats> for Counts {
    fn from(limit: &KeyedLimitStats) -> Self {
        Self {
            admitted: limit.admitted,
            refused: limit.refused,
            waiting: limit.waiting,
            total_wait: limit.total_wait,
        }
    }
}
