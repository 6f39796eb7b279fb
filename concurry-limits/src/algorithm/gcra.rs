//! The generic cell rate algorithm (ITU-T I.371), with a burst tolerance of the whole capacity.
//!
//! The state is the theoretical arrival time (TAT): the instant at which everything that was admitted would have come in
//! at an even pace. It is kept as its distance from now in units of 1/capacity ns, in which a cell is exactly `window`
//! units apart from the next; that distance is what [`Level`] counts. A cell of `a` conforms when the TAT that it
//! makes lies at most one window ahead. A refund moves the TAT back, to now at most.

use concurry_core::clock::Timestamp;

use super::level::Level;
use crate::limit::Tally;
use crate::{LimitState, PackedState, Verdict};

/// A TAT that lies in the past at first.
#[derive(Debug, Clone)]
pub(super) struct Gcra {
    tat_ahead: Level,
}

impl Gcra {
    pub(super) fn new(capacity: u64, window: u64, now: Timestamp) -> Self {
        Self { tat_ahead: Level::new(capacity, window, now) }
    }
}

impl LimitState for Gcra {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.tat_ahead.check(amount, now)
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.tat_ahead.add(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.tat_ahead.remove(requested.saturating_sub(used), now);
        self.tat_ahead.add(used.saturating_sub(requested), now);
    }

    fn undo(&mut self, amount: u64, _: Timestamp, now: Timestamp) {
        self.tat_ahead.remove(amount, now);
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.tat_ahead.set_capacity(capacity, now);
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.tat_ahead.in_use(now)
    }

    fn spends_when_taken(&self) -> bool {
        true
    }

    fn tally(&mut self, now: Timestamp) -> Option<Tally> {
        Some(self.tat_ahead.tally(true, now))
    }

    fn set_tally(&mut self, tally: &Tally) {
        self.tat_ahead.set_tally(tally);
    }

    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        self.tat_ahead.pack(now)
    }

    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        self.tat_ahead.unpack(packed, now);
    }
}
