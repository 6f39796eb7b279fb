//! A lane: how a set of one limit admits without its lock, while nobody waits.
//!
//! The [count](super::count) of the limit is one word. Whoever takes or gives back changes it by one compare-and-swap. Whoever
//! needs more than that (to wait, to pause, to read statistics, to charge a debt) takes the engine's lock and closes the
//! lane: the word is swapped for [`CLOSED`], and what it counted goes into the board. From then on everybody comes to the
//! lock, until its holder finds that nobody waits and nothing holds the limit back, and opens the lane again.
//!
//! So a count is in one place at a time: in the word, or, when that is closed, in the board. An operation on the word
//! that comes too late finds it changed and is not done. The admissions alone are taken out of the word now and then, by who
//! finds no room there for another one: under the lock too, but the lane stays open.

use concurry_core::clock::Timestamp;

use super::count::{Count, Counted, Held};
use crate::limit::Tally;
use crate::sync::{AtomicU64, Ordering};

/// The word of a lane that is closed.
const CLOSED: u64 = u64::MAX;
/// How long somebody waits who met another: of the powers of two, that with which two threads did most together, measured.
const PAUSES: u32 = 64;
/// How long at most, who meets one after the other.
const MOST_PAUSES: u32 = 512;

#[derive(Debug)]
pub(super) struct Lane {
    word: AtomicU64,
    count: Count,
}

impl Lane {
    /// A closed lane for a limit with such a tally, if its numbers fit.
    pub(super) fn new(tally: &Tally) -> Option<Self> {
        Some(Self { word: AtomicU64::new(CLOSED), count: Count::of(tally)? })
    }

    /// What an amount costs in the word, if so much ever fits.
    #[inline]
    pub(super) fn cost(&self, amount: u64) -> Option<u64> {
        self.count.cost(amount)
    }

    /// Takes an amount of that [`cost`](Self::cost) at `now`, if the lane is open and that is all it takes.
    #[inline]
    pub(super) fn take(&self, cost: u64, now: impl FnOnce() -> Timestamp) -> bool {
        // Each kind of count has a loop of its own, which is as short as it can be.
        match &self.count {
            Count::Held(held) => self.change(|word| held.take(word, cost)),
            Count::Paced(pace) => {
                let now = now();
                self.change(|word| pace.take(word, cost, now))
            }
        }
    }

    /// As [`take`](Self::take), where nobody else is about; nothing is told where somebody is, or without the time.
    #[inline]
    pub(super) fn take_at_once(&self, cost: u64, now: impl FnOnce() -> Option<Timestamp>) -> Option<bool> {
        match &self.count {
            Count::Held(held) => self.change_at_once(|word| held.take(word, cost)),
            Count::Paced(pace) => {
                let now = now()?;
                self.change_at_once(|word| pace.take(word, cost, now))
            }
        }
    }

    /// Ends a take of `requested`, of which `used` were used; false when that takes the lock.
    #[inline]
    pub(super) fn give_back(&self, requested: u64, used: u64) -> bool {
        self.count.keeps(requested, used)
            || match &self.count {
                Count::Held(_) => self.change(|word| Held::give_back(word, requested)),
                Count::Paced(pace) => self.change(|word| pace.give_back(word, requested, used)),
            }
    }

    /// Ends a take of that `cost`, all of which was used, where nobody else is about; nothing is told where somebody is.
    #[inline]
    pub(super) fn end_at_once(&self, cost: u64) -> Option<bool> {
        match &self.count {
            Count::Held(_) => self.change_at_once(|word| Held::give_back(word, cost)),
            Count::Paced(_) => Some(true),
        }
    }

    /// Changes the word, unless the lane is closed or `change` cannot tell how; whether it did.
    #[inline]
    fn change(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        let mut further = 0;
        loop {
            if let Some(changed) = self.change_at_once(&change) {
                return changed;
            }
            pause(further);
            further = (further * 2).clamp(PAUSES, MOST_PAUSES);
        }
    }

    /// The same, once: nothing is told when somebody else changed the word at the same time. Then it has waited a little, so
    /// that the other does some more before the word is taken from their cache again.
    #[inline]
    fn change_at_once(&self, change: impl Fn(u64) -> Option<u64>) -> Option<bool> {
        let word = self.word.load(Ordering::Acquire);
        if word == CLOSED {
            return Some(false);
        }
        let Some(changed) = change(word) else { return Some(false) };
        // Not the weak one: who fails waits for another.
        match self.word.compare_exchange(word, changed, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Some(true),
            // It takes the lock, so there is nothing to wait for.
            Err(CLOSED) => Some(false),
            Err(_) => {
                pause(PAUSES);
                None
            }
        }
    }

    /// Whether the word has no room for another admission.
    pub(super) fn is_full(&self) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word != CLOSED && self.count.collect(word).is_some()
    }

    /// Makes room for further admissions, under the engine's lock; those that were in the way.
    pub(super) fn collect(&self) -> u64 {
        let mut word = self.word.load(Ordering::Acquire);
        while word != CLOSED
            && let Some((admitted, rest)) = self.count.collect(word)
        {
            match self.word.compare_exchange_weak(word, rest, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return admitted,
                // Something was given back.
                Err(other) => word = other,
            }
        }
        0
    }

    /// Closes the lane, under the engine's lock; its word, if it was open.
    pub(super) fn close(&self) -> Option<u64> {
        Some(self.word.swap(CLOSED, Ordering::AcqRel)).filter(|word| *word != CLOSED)
    }

    /// What the word of a lane that was just closed has counted by `now`.
    pub(super) fn counted(&self, word: u64, now: Timestamp) -> Counted {
        self.count.counted(word, now)
    }

    /// Opens the lane, under the engine's lock, where `tally` is the count of the board; unless it does not fit.
    pub(super) fn open(&self, tally: &Tally) {
        if let Some(word) = self.count.word(tally) {
            self.word.store(word, Ordering::Release);
        }
    }
}

#[cold]
#[inline(never)]
fn pause(times: u32) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_open_while_admissions_are_taken_out_of_its_word() {
        let used = Tally::Paced {
            capacity: 1_000_000,
            window: 1_000_000,
            refunds: true,
            used: 0,
            as_of: Timestamp::from_nanos(0),
        };
        let lane = Lane::new(&used).unwrap();
        lane.open(&used);
        let take = || lane.take(1, || Timestamp::from_nanos(0));
        let taken = (0..5_000).take_while(|_| take()).count() as u64;
        assert!(taken > 1 && lane.is_full() && !take());
        assert_eq!(lane.collect(), taken);
        assert!(!lane.is_full() && lane.collect() == 0 && take());
        // All that was used is in the word as before.
        let counted = lane.counted(lane.close().unwrap(), Timestamp::from_nanos(0));
        let Tally::Paced { used, .. } = counted.tally else { panic!("another kind") };
        assert_eq!((used, counted.admitted), (u128::from(taken + 1) * 1_000_000, 1));
        assert!(!lane.is_full() && lane.collect() == 0);
    }
}
