//! What is used of a limit, as one word: the arithmetic of a [lane](super::lane) and of a [ledger](super::ledger).
//!
//! * Held: `admissions (44 bits) | held (20)`.
//! * Paced: `admissions (10) | generation (2) | theoretical arrival time (52)`. The time is in units of
//!   which `rate` make a nanosecond and `cell` an amount of 1, both whole, after `base`. When it no longer fits, a word is
//!   made with a later base and the next generation, so that who read the word of a lane before fails: it would have to
//!   sleep through four of those, half an hour each at least, between two instructions, and find the same numbers.
//!
//! The admissions are those since the word was made, or they were last taken out of it.
//!
//! Each function takes a word and says the next one, or nothing when that is not to be told here: then there is room to be made
//! for another admission, or the limit's own state is asked. No word has all bits set.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use crate::limit::Tally;
use crate::sync::{AtomicU64, Ordering};

const HELD_BITS: u32 = 20;
const HELD: u64 = (1 << HELD_BITS) - 1;

/// In a model there is soon no room for another admission.
const TIME_BITS: u32 = if cfg!(loom) { 60 } else { 52 };
const TIME: u64 = (1 << TIME_BITS) - 1;
const GENERATION: u64 = 1 << TIME_BITS;
const GENERATIONS: u64 = 3;
const ADMISSION_SHIFT: u32 = TIME_BITS + 2;
const ADMISSION: u64 = 1 << ADMISSION_SHIFT;
/// Beyond this, the time is counted from a later base.
const LATE: u64 = 1 << (TIME_BITS - 1);
/// With more units in a nanosecond, the bases would follow each other too soon.
const MOST_UNITS: u64 = 1_024;

/// How a limit is counted in a word.
#[derive(Debug)]
pub(super) enum Count {
    Held(Held),
    Paced(Pace),
}

#[derive(Debug)]
pub(super) struct Held {
    capacity: u64,
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
    /// For so many nanoseconds after the base, what may be used fits in the bits of the time.
    span: u64,
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
            Tally::Held { capacity, .. } => (capacity < HELD).then_some(Self::Held(Held { capacity })),
            Tally::Paced { capacity, window, refunds, .. } => {
                Some(Self::Paced(Pace::new(capacity, window, refunds)?))
            }
        }
    }

    /// What an amount costs in a word, if so much ever fits.
    #[inline]
    pub(super) fn cost(&self, amount: u64) -> Option<u64> {
        match self {
            Self::Held(held) => Some(amount).filter(|amount| *amount <= held.capacity),
            Self::Paced(pace) => amount.checked_mul(pace.cell).filter(|units| *units <= pace.full),
        }
    }

    /// The word after an amount of that [`cost`](Self::cost) was taken, if that may be at `now`.
    #[inline]
    pub(super) fn take(&self, word: u64, cost: u64, now: Timestamp) -> Option<u64> {
        match self {
            Self::Held(held) => held.take(word, cost),
            Self::Paced(pace) => pace.take(word, cost, now),
        }
    }

    /// Whether the end of a take of `requested`, of which `used` were used, leaves the word as it is.
    #[inline]
    pub(super) fn keeps(&self, requested: u64, used: u64) -> bool {
        match self {
            Self::Held(_) => requested == 0,
            Self::Paced(pace) => used == requested || used < requested && !pace.refunds,
        }
    }

    /// The word after the end of a take of `requested`, of which `used` were used.
    #[inline]
    pub(super) fn give_back(&self, word: u64, requested: u64, used: u64) -> Option<u64> {
        match self {
            Self::Held(_) => Held::give_back(word, requested),
            Self::Paced(pace) => pace.give_back(word, requested, used),
        }
    }

    /// Whether what is taken is held until it is given back.
    pub(super) fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// The word after so much of what is held was given back; `None` where nothing is held.
    #[inline]
    pub(super) fn less(&self, word: u64, given_back: impl FnOnce() -> u64) -> Option<u64> {
        match self {
            Self::Held(_) => Held::give_back(word, given_back()),
            Self::Paced(_) => None,
        }
    }

    /// The admissions of a word that has no room for another one, and the word without them.
    #[inline]
    pub(super) fn collect(&self, word: u64) -> Option<(u64, u64)> {
        let admitted = word >> ADMISSION_SHIFT;
        let is_full = !self.is_held() && admitted == u64::MAX >> ADMISSION_SHIFT;
        is_full.then_some((admitted, word - admitted * ADMISSION))
    }

    /// What the word has counted by `now`.
    pub(super) fn counted(&self, word: u64, now: Timestamp) -> Counted {
        match self {
            Self::Held(Held { capacity }) => Counted {
                tally: Tally::Held { capacity: *capacity, held: word & HELD },
                admitted: word >> HELD_BITS,
            },
            Self::Paced(pace) => {
                Counted { tally: pace.tally(word & TIME, now), admitted: word >> ADMISSION_SHIFT }
            }
        }
    }

    /// A new word for `tally`; `None` when it does not fit.
    pub(super) fn word(&self, tally: &Tally) -> Option<u64> {
        match (self, *tally) {
            (Self::Held(Held { capacity }), Tally::Held { capacity: now, held }) => {
                (*capacity == now && held <= HELD).then_some(held)
            }
            (Self::Paced(pace), Tally::Paced { capacity, window, used, as_of, .. }) => {
                if (pace.capacity, pace.window) == (capacity, window) { pace.word(used, as_of) } else { None }
            }
            _ => None,
        }
    }
}

impl Held {
    /// Takes `cost`, which is the amount.
    #[inline]
    pub(super) fn take(&self, word: u64, cost: u64) -> Option<u64> {
        if (word & HELD) + cost > self.capacity {
            return None;
        }
        word.checked_add(HELD + 1 + cost)
    }

    #[inline]
    pub(super) fn give_back(word: u64, requested: u64) -> Option<u64> {
        (word & HELD >= requested).then(|| word - requested)
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
        (rate <= MOST_UNITS).then(|| Self {
            capacity,
            window,
            refunds,
            rate,
            cell,
            full,
            span: (TIME - 1 - full) / rate,
            scale,
            base,
            generation,
        })
    }

    /// How many units after the base `now` is; `None` when they are too many for a word, or it is before the base.
    #[inline]
    fn units(&self, now: Timestamp) -> Option<u64> {
        // Changed only while the word was closed: who reads a later base than was meant fails to change the word.
        let base = self.base.load(Ordering::Relaxed);
        let elapsed = now.as_nanos().wrapping_sub(base);
        (elapsed <= self.span).then(|| elapsed * self.rate)
    }

    /// Takes `cost` units. The span sees to it that the sum fits its bits, and too many admissions carry out of the word.
    #[inline]
    pub(super) fn take(&self, word: u64, cost: u64, now: Timestamp) -> Option<u64> {
        // What does not need the time comes first: to read that takes longest.
        let used = word & TIME;
        let admitted = (word - used).checked_add(ADMISSION)?;
        let now = self.units(now)?;
        if used <= now {
            // All is free, and no cost is above that.
            return Some(admitted + (now + cost));
        }
        let time = used + cost;
        (time - now <= self.full).then_some(admitted + time)
    }

    #[inline]
    pub(super) fn give_back(&self, word: u64, requested: u64, used: u64) -> Option<u64> {
        if used > requested {
            return None;
        }
        if !self.refunds {
            return Some(word);
        }
        // Of a capacity that was larger for a while it may be more than there are units: then nothing is used.
        let refund = (requested - used).saturating_mul(self.cell);
        Some((word & !TIME) | (word & TIME).saturating_sub(refund))
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
        let generation = (self.generation.load(Ordering::Relaxed) & GENERATIONS) * GENERATION;
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
