//! The leaky bucket, as a meter: water that drains at a constant rate; what does not fit is refused.
//!
//! What was poured in has been poured: the unused is not refunded. No fraction of a drop is lost.

use concurry_core::clock::Timestamp;

use super::level::Level;
use crate::limit::Tally;
use crate::{LimitState, PackedState, Verdict};

/// A bucket that is empty at first.
#[derive(Debug, Clone)]
pub(super) struct LeakyBucket {
    water: Level,
}

impl LeakyBucket {
    pub(super) fn new(capacity: u64, window: u64, now: Timestamp) -> Self {
        Self { water: Level::new(capacity, window, now) }
    }
}

impl LimitState for LeakyBucket {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.water.check(amount, now)
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.water.add(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.water.add(used.saturating_sub(requested), now);
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.water.remove(amount, now);
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.water.set_capacity(capacity, now);
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.water.in_use(now)
    }

    fn spends_when_taken(&self) -> bool {
        true
    }

    fn refunds(&self) -> bool {
        false
    }

    fn tally(&mut self, now: Timestamp) -> Option<Tally> {
        Some(self.water.tally(false, now))
    }

    fn set_tally(&mut self, tally: &Tally) {
        self.water.set_tally(tally);
    }

    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        self.water.pack(now)
    }

    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        self.water.unpack(packed, now);
    }
}
