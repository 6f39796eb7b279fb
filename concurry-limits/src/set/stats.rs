//! What can be seen of a set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::LimitError;

/// The limits of a set at one instant; made by [`LimitSet::stats`](crate::LimitSet::stats).
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("doors", 4)).build()?;
/// let acquired = set.acquire([("doors", 3)])?;
/// let stats = set.stats();
/// let doors = stats.limit("doors").unwrap();
/// assert_eq!((doors.in_use, doors.available, doors.admitted), (3, 1, 1));
/// assert_eq!(doors.utilisation, 0.75);
/// # drop(acquired);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSetStats {
    /// A limit each, in the order of the set.
    pub limits: Vec<LimitStats>,
    /// Why nothing is known, when the set lives in a process that cannot be asked.
    pub unreachable: Option<LimitError>,
}

impl LimitSetStats {
    /// The limit of that key.
    pub fn limit(&self, key: &str) -> Option<&LimitStats> {
        self.limits.iter().find(|limit| limit.key == key)
    }
}

/// One limit at one instant.
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, LimitSet, Window};
///
/// let set = LimitSet::builder().limit(CallLimit::new(100, Window::SECOND)).build()?;
/// assert_eq!(set.stats().limits[0].kind, "CallLimit");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitStats {
    /// Its key.
    pub key: String,
    /// Its kind, as in configuration.
    pub kind: String,
    /// Its capacity now.
    pub capacity: u64,
    /// What counts against the capacity, rounded up; above it when in debt.
    pub in_use: u64,
    /// What could be admitted at most.
    pub available: u64,
    /// `in_use / capacity`.
    pub utilisation: f64,
    /// How many requests wait that want it.
    pub waiting: usize,
    /// How many requests were admitted.
    pub admitted: u64,
    /// How many requests it refused: not now, not in time, or never.
    pub refused: u64,
    /// How long the admitted requests waited, summed up.
    pub total_wait: Duration,
    /// How much longer it is paused.
    pub paused_for: Option<Duration>,
}
