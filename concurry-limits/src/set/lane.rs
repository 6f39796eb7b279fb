//! A lane: how a set of one limit admits without its lock, while nobody waits.
//!
//! The count of the limit is one word. Whoever takes or gives back changes it by one compare-and-swap. Whoever needs more
//! than that (to wait, to pause, to read statistics, to charge a debt) takes the engine's lock and closes the lane: the
//! word is swapped for [`CLOSED`], and what it counted goes into the board. From then on everybody comes to the lock,
//! until its holder finds that nobody waits and nothing holds the limit back, and opens the lane again.
//!
//! So a count is in one place at a time: in the word, or, when that is closed, in the board. An operation on the word
//! that comes too late finds it changed and is not done.
//!
//! * Held: `admissions since the opening (44 bits) | held (20)`.
//! * Paced: `generation (2) | admissions since the opening (10) | theoretical arrival time (52)`. The time is in units of
//!   which `rate` make a nanosecond and `cell` an amount of 1, both whole, after `base`. When it no longer fits, the lane
//!   is opened with a later base and the next generation, so that who read the word before fails: it would have to sleep
//!   through four of those, half an hour each at least, between two instructions, and find the same numbers.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use crate::limit::Tally;
use crate::sync::{AtomicU64, Ordering};

/// The word of a lane that is closed.
const CLOSED: u64 = u64::MAX;

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

#[derive(Debug)]
pub(super) struct Lane {
    word: AtomicU64,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Held { capacity: u64 },
    Paced(Pace),
}

#[derive(Debug)]
struct Pace {
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

/// What a lane had counted.
pub(super) struct Counted {
    pub(super) tally: Tally,
    pub(super) admitted: u64,
}

impl Lane {
    /// A closed lane for a limit with such a tally, if its numbers fit.
    pub(super) fn new(tally: &Tally) -> Option<Self> {
        let shape = match *tally {
            Tally::Held { capacity, .. } => (capacity < HELD).then_some(Shape::Held { capacity })?,
            Tally::Paced { capacity, window, refunds, .. } => {
                Shape::Paced(Pace::new(capacity, window, refunds)?)
            }
        };
        Some(Self { word: AtomicU64::new(CLOSED), shape })
    }

    /// Takes `amount` now, if the lane is open and that is all it takes.
    #[inline]
    pub(super) fn take(&self, amount: u64, now: impl FnOnce() -> Timestamp) -> bool {
        let taken = match &self.shape {
            Shape::Held { capacity } => self.change(|word| {
                let held = (word & HELD).checked_add(amount).filter(|held| held <= capacity)?;
                Some((word & !HELD).checked_add(HELD + 1)? | held)
            }),
            Shape::Paced(pace) => {
                let now = now();
                self.change(|word| pace.take(word, amount, now))
            }
        };
        taken.is_some()
    }

    /// Ends a take of `requested`, of which `used` were used; false when that takes the lock.
    #[inline]
    pub(super) fn give_back(&self, requested: u64, used: u64) -> bool {
        match &self.shape {
            Shape::Held { .. } => {
                let given = |word: u64| (word & HELD >= requested).then(|| word - requested);
                self.change(given).is_some()
            }
            Shape::Paced(_) if used > requested => false,
            Shape::Paced(pace) if !pace.refunds || used == requested => true,
            Shape::Paced(pace) => self
                .change(|word| {
                    let refund = (requested - used).checked_mul(pace.cell)?;
                    Some((word & !TIME) | (word & TIME).saturating_sub(refund))
                })
                .is_some(),
        }
    }

    /// Changes the word, unless the lane is closed or `change` cannot tell how.
    #[inline]
    fn change(&self, change: impl Fn(u64) -> Option<u64>) -> Option<()> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word == CLOSED {
                return None;
            }
            let changed = change(word)?;
            match self.word.compare_exchange_weak(word, changed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(()),
                Err(other) => word = other,
            }
        }
    }

    /// Closes the lane, under the engine's lock; its word, if it was open.
    pub(super) fn close(&self) -> Option<u64> {
        Some(self.word.swap(CLOSED, Ordering::AcqRel)).filter(|word| *word != CLOSED)
    }

    /// What the word of a lane that was just closed has counted by `now`.
    pub(super) fn counted(&self, word: u64, now: Timestamp) -> Counted {
        match &self.shape {
            Shape::Held { capacity } => Counted {
                tally: Tally::Held { capacity: *capacity, held: word & HELD },
                admitted: word >> HELD_BITS,
            },
            Shape::Paced(pace) => {
                Counted { tally: pace.tally(word & TIME, now), admitted: (word & ADMISSIONS) >> TIME_BITS }
            }
        }
    }

    /// Opens the lane, under the engine's lock, where `tally` is the count of the board; unless it does not fit.
    pub(super) fn open(&self, tally: &Tally) {
        let word = match (&self.shape, *tally) {
            (Shape::Held { capacity }, Tally::Held { capacity: now, held }) => {
                (*capacity == now && held <= HELD).then_some(held)
            }
            (Shape::Paced(pace), Tally::Paced { capacity, window, used, as_of, .. }) => {
                if (pace.capacity, pace.window) == (capacity, window) { pace.word(used, as_of) } else { None }
            }
            _ => None,
        };
        if let Some(word) = word {
            self.word.store(word, Ordering::Release);
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
