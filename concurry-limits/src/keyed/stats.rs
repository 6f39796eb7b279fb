//! What can be seen of keyed limits.

use std::collections::HashMap;
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

/// What is summed up, a limit each, in the order in which they came. Templates of their own may give each key other limits, so
/// there may be very many.
#[derive(Debug, Default)]
pub(super) struct Sums {
    limits: Vec<KeyedLimitStats>,
    places: HashMap<String, usize>,
}

impl Sums {
    /// Adds `counts` to the limit of that key, which is the one at `index` in its set. Where sets are alike it has that place here.
    pub(super) fn add(&mut self, index: usize, key: &str, counts: Counts) {
        let place = match self.limits.get(index) {
            Some(limit) if limit.key == key => index,
            _ => self.place(key),
        };
        let limit = &mut self.limits[place];
        limit.waiting += counts.waiting;
        limit.admitted += counts.admitted;
        limit.refused += counts.refused;
        limit.total_wait = limit.total_wait.saturating_add(counts.total_wait);
    }

    fn place(&mut self, key: &str) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = self.limits.len();
        self.places.insert(key.to_owned(), place);
        self.limits.push(KeyedLimitStats { key: key.to_owned(), ..KeyedLimitStats::default() });
        place
    }

    /// Adds all of `other`.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (place, limit) in other.limits.iter().enumerate() {
            self.add(place, &limit.key, Counts::from(limit));
        }
    }

    pub(super) fn into_limits(self) -> Vec<KeyedLimitStats> {
        self.limits
    }
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
