//! A limit of a user's own, whatever it is like: it is asked about all, and nobody counts for it.

use concurry_core::clock::Timestamp;
use concurry_limits::{Limit, LimitState, UsageRule, Verdict};

/// A limit that nobody can count for it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Alone(pub(crate) Box<dyn Limit>);

struct Asked(Box<dyn LimitState>);

#[typetag::serde]
impl Limit for Alone {
    fn key(&self) -> &str {
        self.0.key()
    }

    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn default_amount(&self) -> Option<u64> {
        self.0.default_amount()
    }

    fn usage_rule(&self) -> UsageRule {
        self.0.usage_rule()
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        Box::new(Asked(self.0.state(now)))
    }
}

impl LimitState for Asked {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.0.check(amount, now)
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.0.take(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.0.settle(requested, used, now);
    }

    fn undo(&mut self, amount: u64, taken_at: Timestamp, now: Timestamp) {
        self.0.undo(amount, taken_at, now);
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.0.set_capacity(capacity, now);
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.0.in_use(now)
    }

    fn refunds(&self) -> bool {
        self.0.refunds()
    }
}
