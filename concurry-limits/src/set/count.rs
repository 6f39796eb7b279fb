//! What is used of a limit, as one word: the arithmetic of a [lane](super::lane) and of a [ledger](super::ledger).
//!
//! * Held: `admissions since the opening (44 bits) | held (20)`.
//! * Paced: `generation (2) | admissions since the opening (10) | theoretical arrival time (52)`. The time is in units of
//!   which `rate` make a nanosecond and `cell` an amount of 1, both whole, after `base`. When it no longer fits, a word is
//!   made with a later base and the next generation, so that who read the word of a lane before fails: it would have to
//!   sleep through four of those, half an hour each at least, between two instructions, and find the same numbers.
//!
//! Each function takes a word and says the next one, or nothing when that is not to be told here: then the limit's own
//! state is asked. No word has all bits set.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use crate::limit::Tally;
use crate::sync::{AtomicU64, Ordering};

const HELD_BITS: u32 = 20;
const HELD: u64 = (1 << HELD_BITS) - 1;

const TIME_BITS: u32 = 52;
const TIME: u64 = (1 << TIME_BITS) - 1;
const ADMISSION: u64 = 1 << TIME_BITS;
const ADMISSIONS: u64 = 0x3ff << TIME_BITS;
const GENERATION: u64 = 1 << 62;
/// Beyond this, the time is counted from a later base.
const LATE: u64 = 1 << (TIME_BITS - 1);
/// With more units in a nanosecond, the bases would follow each other too soon.
const MOST_UNITS: u64 = 1_024;

/// How a limit is counted in a word.
#[derive(Debug)]
pub(super) enum Count {
    Held { capacity: u64 },
    Paced(Pace),
}

#[derive(Debug)]
pub(super) struct Pace {
    capacity: u64,
    window: u64,
    refunds: bool,
    /// The units that a nanosecond frees.
    rate: u64,
    /// The units of an amount of 1.
    cell: u64,
    /// The units of the capacity.
    full: u64,
    /// How many units of a tally make one of these.
    scale: u64,
    /// Changed under the engine's lock and while the lane is closed, as is the generation.
    base: AtomicU64,
    generation: AtomicU64,
}

/// What a word has counted.
pub(super) struct Counted {
    pub(super) tally: Tally,
    pub(super) admitted: u64,
}

impl Count {
    /// For a limit with such a tally, if its numbers fit.
    pub(super) fn of(tally: &Tally) -> Option<Self> {
        match *tally {
            Tally::Held { capacity, .. } => (capacity < HELD).then_some(Self::Held { capacity }),
            Tally::Paced { capacity, window, refunds, .. } => {
                Some(Self::Paced(Pace::new(capacity, window, refunds)?))
            }
        }
    }

    /// Whether `now` matters to [`take`](Self::take).
    #[inline]
    pub(super) fn goes_by_time(&self) -> bool {
        matches!(self, Self::Paced(_))
    }

    /// The word after `amount` was taken, if that may be at `now`.
    #[inline]
    pub(super) fn take(&self, word: u64, amount: u64, now: Timestamp) -> Option<u64> {
        match self {
            Self::Held { capacity } => {
                let held = (word & HELD).checked_add(amount).filter(|held| held <= capacity)?;
                Some((word & !HELD).checked_add(HELD + 1)? | held)
            }
            Self::Paced(pace) => pace.take(word, amount, now),
        }
    }

    /// Whether the end of a take of `requested`, of which `used` were used, leaves the word as it is.
    #[inline]
    pub(super) fn keeps(&self, requested: u64, used: u64) -> bool {
        match self {
            Self::Held { .. } => requested == 0,
            Self::Paced(pace) => used == requested || used < requested && !pace.refunds,
        }
    }

    /// The word after the end of a take of `requested`, of which `used` were used.
    #[inline]
    pub(super) fn give_back(&self, word: u64, requested: u64, used: u64) -> Option<u64> {
        match self {
            Self::Held { .. } => (word & HELD >= requested).then(|| word - requested),
            Self::Paced(_) if used > requested => None,
            Self::Paced(pace) if !pace.refunds => Some(word),
            Self::Paced(pace) => {
                // Of a capacity that was larger for a while it may be more than there are units: then nothing is used.
                let refund = (requested - used).saturating_mul(pace.cell);
                Some((word & !TIME) | (word & TIME).saturating_sub(refund))
            }
        }
    }

    /// What the word has counted by `now`.
    pub(super) fn counted(&self, word: u64, now: Timestamp) -> Counted {
        match self {
            Self::Held { capacity } => Counted {
                tally: Tally::Held { capacity: *capacity, held: word & HELD },
                admitted: word >> HELD_BITS,
            },
            Self::Paced(pace) => {
                Counted { tally: pace.tally(word & TIME, now), admitted: (word & ADMISSIONS) >> TIME_BITS }
            }
        }
    }

    /// A new word for `tally`; `None` when it does not fit.
    pub(super) fn word(&self, tally: &Tally) -> Option<u64> {
        match (self, *tally) {
            (Self::Held { capacity }, Tally::Held { capacity: now, held }) => {
                (*capacity == now && held <= HELD).then_some(held)
            }
            (Self::Paced(pace), Tally::Paced { capacity, window, used, as_of, .. }) => {
                if (pace.capacity, pace.window) == (capacity, window) { pace.word(used, as_of) } else { None }
            }
            _ => None,
        }
    }
}

impl Pace {
    fn new(capacity: u64, window: u64, refunds: bool) -> Option<Self> {
        let scale = gcd(capacity, window);
        if scale == 0 {
            return None;
        }
        let (rate, cell) = (capacity / scale, window / scale);
        let full = capacity.checked_mul(cell).filter(|full| *full < LATE)?;
        let (base, generation) = (AtomicU64::new(0), AtomicU64::new(0));
        (rate <= MOST_UNITS).then_some(Self {
            capacity,
            window,
            refunds,
            rate,
            cell,
            full,
            scale,
            base,
            generation,
        })
    }

    /// How many units after the base `now` is.
    #[inline]
    fn units(&self, now: Timestamp) -> Option<u64> {
        // Changed only while the word was closed: who reads a later base than was meant fails to change the word.
        let base = self.base.load(Ordering::Relaxed);
        now.as_nanos().saturating_sub(base).checked_mul(self.rate)
    }

    #[inline]
    fn take(&self, word: u64, amount: u64, now: Timestamp) -> Option<u64> {
        let now = self.units(now)?;
        let time = (word & TIME).max(now).checked_add(amount.checked_mul(self.cell)?)?;
        let fits = time - now <= self.full && time < TIME && word & ADMISSIONS != ADMISSIONS;
        fits.then(|| ((word & !TIME) + ADMISSION) | time)
    }

    fn tally(&self, time: u64, now: Timestamp) -> Tally {
        let base = Timestamp::from_nanos(self.base.load(Ordering::Relaxed));
        let elapsed = u128::from(nanos(now - base)) * u128::from(self.rate);
        let used = u128::from(time).saturating_sub(elapsed) * u128::from(self.scale);
        let Self { capacity, window, refunds, .. } = *self;
        Tally::Paced { capacity, window, refunds, used, as_of: now }
    }

    /// The word for what is used as of an instant; `None` when it does not fit, or is no whole number of units because
    /// the capacity was another one when it was used.
    fn word(&self, used: u128, as_of: Timestamp) -> Option<u64> {
        let scale = u128::from(self.scale);
        if !used.is_multiple_of(scale) {
            return None;
        }
        if self.units(as_of).is_none_or(|units| units > LATE) {
            self.base.store(as_of.as_nanos(), Ordering::Relaxed);
            self.generation.store(self.generation.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        let time = u64::try_from(used / scale).ok()?.checked_add(self.units(as_of)?)?;
        let generation = self.generation.load(Ordering::Relaxed).wrapping_mul(GENERATION);
        (time < TIME).then_some(generation | time)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
