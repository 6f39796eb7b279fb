//! The token bucket: bursts to the capacity, refills continuously.
//!
//! Promise: in any span of `t` nanoseconds at most `capacity + t × capacity / window` are used, and as much more as was refunded after
//! time had freed it already: at most the capacity for each that was open. A bucket with `n` tokens is a [`Level`] with
//! `capacity − n` used; a debt is a level above the capacity.

use concurry_core::clock::Timestamp;

use super::level::Level;
use crate::limit::Tally;
use crate::{LimitState, PackedState, Verdict};

/// A bucket that is full at first.
#[derive(Debug, Clone)]
pub(super) struct TokenBucket {
    missing: Level,
}

impl TokenBucket {
    pub(super) fn new(capacity: u64, window: u64, now: Timestamp) -> Self {
        Self { missing: Level::new(capacity, window, now) }
    }
}

impl LimitState for TokenBucket {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.missing.check(amount, now)
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.missing.add(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.missing.remove(requested.saturating_sub(used), now);
        self.missing.add(used.saturating_sub(requested), now);
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.missing.remove(amount, now);
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.missing.set_capacity(capacity, now);
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.missing.in_use(now)
    }

    fn spends_when_taken(&self) -> bool {
        true
    }

    fn tally(&mut self, now: Timestamp) -> Option<Tally> {
        Some(self.missing.tally(true, now))
    }

    fn set_tally(&mut self, tally: &Tally) {
        self.missing.set_tally(tally);
    }

    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        self.missing.pack(now)
    }

    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        self.missing.unpack(packed, now);
    }
}
