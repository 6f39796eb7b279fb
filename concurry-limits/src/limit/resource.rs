//! [`ResourceLimit`].

use concurry_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Limit, LimitState, PackedState, Tally, UsageRule, Verdict};

/// At most `capacity` at a time: a counting semaphore.
///
/// Every acquire takes one unless it names another amount; the release gives it back.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("connections", 2)).build()?;
/// let (first, second) = (set.acquire(())?, set.acquire(())?);
/// assert!(set.try_acquire(()).is_err());
/// drop(first);
/// assert!(set.try_acquire(()).is_ok());
/// # drop(second);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimit {
    key: String,
    #[serde(deserialize_with = "super::capacity::deserialize")]
    capacity: u64,
}

impl ResourceLimit {
    /// At most `capacity` at a time.
    pub fn new(key: impl Into<String>, capacity: u64) -> Self {
        Self { key: key.into(), capacity }
    }
}

#[typetag::serde]
impl Limit for ResourceLimit {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(Semaphore { capacity: self.capacity, held: 0 })
    }
}

/// What is held of how much. `held` is above `capacity` only after the capacity was lowered.
struct Semaphore {
    capacity: u64,
    held: u64,
}

impl LimitState for Semaphore {
    fn check(&mut self, amount: u64, _: Timestamp) -> Verdict {
        if amount > self.capacity {
            Verdict::above_capacity()
        } else if self.held.checked_add(amount).is_some_and(|held| held <= self.capacity) {
            Verdict::Granted
        } else {
            Verdict::OnRelease
        }
    }

    fn take(&mut self, amount: u64, _: Timestamp) {
        self.held = self.held.saturating_add(amount);
    }

    fn settle(&mut self, requested: u64, _: u64, _: Timestamp) {
        self.held = self.held.saturating_sub(requested);
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.settle(amount, amount, now);
    }

    fn set_capacity(&mut self, capacity: u64, _: Timestamp) {
        self.capacity = capacity;
    }

    fn in_use(&mut self, _: Timestamp) -> u64 {
        self.held
    }

    fn goes_by_time(&self) -> bool {
        false
    }

    fn tally(&mut self, _: Timestamp) -> Option<Tally> {
        Some(Tally::Held { capacity: self.capacity, held: self.held })
    }

    fn set_tally(&mut self, tally: &Tally) {
        if let Tally::Held { held, .. } = *tally {
            self.held = held;
        }
    }

    fn pack(&mut self, _: Timestamp) -> Option<PackedState> {
        (self.held == 0).then(PackedState::full)
    }
}
