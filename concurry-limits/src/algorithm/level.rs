//! What is used of a capacity that time frees continuously: the exact arithmetic of the buckets and of GCRA.
//!
//! The level counts in units of (amount × nanosecond of the window): an amount `a` is `a × window` units, and each
//! nanosecond frees `capacity` units. Both are whole numbers, so nothing is ever rounded; only an instant is rounded, up
//! to the next nanosecond. A unit does not depend on the capacity, so a level survives its change.
//!
//! Sizes: an amount is below 2⁶⁴ and a window below 2⁵⁹ ns, so a full level is below 2¹²³; debts saturate at 2¹²⁶.

use concurry_core::clock::Timestamp;

use crate::limit::Tally;
use crate::{PackedState, Verdict};

/// Where debts saturate.
const MOST: u128 = 1 << 126;

/// How much is used, as of an instant.
#[derive(Debug, Clone)]
pub(super) struct Level {
    capacity: u64,
    window: u64,
    used: u128,
    as_of: Timestamp,
}

impl Level {
    /// Nothing used.
    pub(super) fn new(capacity: u64, window: u64, now: Timestamp) -> Self {
        Self { capacity, window, used: 0, as_of: now }
    }

    fn units(&self, amount: u64) -> u128 {
        u128::from(amount) * u128::from(self.window)
    }

    /// Whole nanoseconds in which at least `units` are freed.
    fn time_to_free(&self, units: u128) -> u128 {
        units.div_ceil(u128::from(self.capacity.max(1)))
    }

    /// Frees what time has freed by `now`.
    fn advance(&mut self, now: Timestamp) {
        let elapsed = now.as_nanos().saturating_sub(self.as_of.as_nanos());
        if elapsed == 0 {
            return;
        }
        self.as_of = self.as_of.max(now);
        // The product of two numbers below 2⁶⁴ fits.
        self.used = self.used.saturating_sub(u128::from(elapsed) * u128::from(self.capacity));
    }

    /// Whether `amount` more fits under the capacity at `now`, or when it does.
    pub(super) fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        if amount > self.capacity {
            return Verdict::above_capacity();
        }
        self.advance(now);
        let excess = (self.used + self.units(amount)).saturating_sub(self.units(self.capacity));
        if excess == 0 {
            Verdict::Granted
        } else {
            Verdict::NotBefore(self.as_of.saturating_add_nanos(self.time_to_free(excess)))
        }
    }

    /// Uses `amount`, whether it fits or not.
    pub(super) fn add(&mut self, amount: u64, now: Timestamp) {
        self.advance(now);
        self.used = (self.used + self.units(amount)).min(MOST);
    }

    /// Frees `amount`, to nothing used at most. Of a take that is undone that is exact, unless less than it was used at some
    /// instant since: then what time had freed of it is freed once more. To tell, a level would have to remember the least that was
    /// used since each take that is open, and to ask for that at each take. Users are told, at `RateLimitAlgorithm`.
    pub(super) fn remove(&mut self, amount: u64, now: Timestamp) {
        self.advance(now);
        self.used = self.used.saturating_sub(self.units(amount));
    }

    pub(super) fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.advance(now);
        self.capacity = capacity;
    }

    /// The used amount, rounded up.
    pub(super) fn in_use(&mut self, now: Timestamp) -> u64 {
        self.advance(now);
        u64::try_from(self.used.div_ceil(u128::from(self.window))).unwrap_or(u64::MAX)
    }

    pub(super) fn tally(&mut self, refunds: bool, now: Timestamp) -> Tally {
        self.advance(now);
        let Self { capacity, window, used, as_of } = *self;
        Tally::Paced { capacity, window, refunds, used, as_of }
    }

    pub(super) fn set_tally(&mut self, tally: &Tally) {
        if let Tally::Paced { used, as_of, .. } = *tally {
            (self.used, self.as_of) = (used, as_of);
        }
    }

    /// The level as the instant at which it is empty, and the units that time will have freed in vain by then: less than
    /// one nanosecond's worth, so they fit.
    pub(super) fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        self.advance(now);
        let time = self.time_to_free(self.used);
        let spare = time * u128::from(self.capacity.max(1)) - self.used;
        PackedState::new(self.as_of.saturating_add_nanos(time), u64::try_from(spare).ok()?)
    }

    /// The level that was packed, which had this capacity too.
    pub(super) fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        let left = packed.full_at().as_nanos().saturating_sub(now.as_nanos());
        // Before the instant at least one nanosecond's worth is used, so that the spare units can be taken off.
        self.used =
            (u128::from(left) * u128::from(self.capacity)).saturating_sub(u128::from(packed.amount()));
        self.as_of = now;
    }
}
