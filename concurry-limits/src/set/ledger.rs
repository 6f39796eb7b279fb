//! A ledger: how a set of several limits admits and gives back while nobody waits, without asking each of its limits.
//!
//! It stands under the engine's lock beside the board. While it is open, what is used of a limit whose [count](super::count)
//! fits into a word is in that word; the others are asked as ever. Whoever needs the board as a whole closes the ledger,
//! which writes the words back; it is opened again when nobody waits and nothing holds a limit back.
//!
//! What is held is given back past the lock, in [`Returns`], and subtracted here.

use concurry_core::clock::Timestamp;
use concurry_core::panics::InTurn;

use super::count::Count;
use super::returns::Returns;
use super::slot::{Slot, take_states};
use super::{Item, Wish};

#[derive(Debug)]
pub(super) struct Ledger {
    /// One a slot, in their order.
    rows: Box<[Row]>,
    returns: Returns,
    open: bool,
}

#[derive(Debug)]
struct Row {
    count: Option<Count>,
    /// What is counted; [`ASKED`] when the slot has the count.
    word: u64,
    /// What it will be, when all else is there too.
    next: u64,
    /// The admissions that had no room in the word any more.
    admitted: u64,
}

/// No word of a [`Count`].
const ASKED: u64 = u64::MAX;

/// An amount that is taken of a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    index: usize,
    cost: u64,
}

impl Row {
    /// The word, and how it counts, where it is in use.
    #[inline]
    fn counting(&mut self) -> Option<(&Count, &mut u64)> {
        match &self.count {
            Some(count) if self.word != ASKED => Some((count, &mut self.word)),
            _ => None,
        }
    }
}

impl Ledger {
    /// An open ledger for `slots`, which nothing holds back.
    pub(super) fn new(slots: &mut [Slot], returns: &Returns, now: Timestamp) -> Self {
        let rows = slots.iter_mut().map(|slot| Row {
            count: slot.count(now),
            word: ASKED,
            next: ASKED,
            admitted: 0,
        });
        let mut ledger = Self { rows: rows.collect(), returns: returns.clone(), open: false };
        ledger.open(slots, now);
        ledger
    }

    /// The steps of a request whose limits all count in words, and have so much at times.
    pub(super) fn steps(&self, wishes: &[Wish]) -> Option<Box<[Step]>> {
        let wanted = wishes.iter().filter(|wish| wish.requested > 0);
        let step = |wish: &Wish| {
            let cost = self.rows[wish.index()].count.as_ref()?.cost(wish.requested)?;
            Some(Step { index: wish.index(), cost })
        };
        wanted.map(step).collect()
    }

    /// Takes all of `steps`, or nothing when not all are there, or that is not to be told here.
    #[inline]
    pub(super) fn take_steps(&mut self, steps: &[Step], now: Timestamp) -> bool {
        let all_there = self.open && steps.iter().all(|step| self.plan(*step, now));
        if all_there {
            for step in steps {
                let row = &mut self.rows[step.index];
                row.word = row.next;
            }
        }
        all_there
    }

    /// Whether that much is there; it is in the next word then.
    #[inline]
    fn plan(&mut self, step: Step, now: Timestamp) -> bool {
        self.plan_as_it_is(step, now) || self.makes_room(step.index) && self.plan_as_it_is(step, now)
    }

    #[inline]
    fn plan_as_it_is(&mut self, Step { index, cost }: Step, now: Timestamp) -> bool {
        let row = &mut self.rows[index];
        let next = row.counting().and_then(|(count, word)| count.take(*word, cost, now));
        row.next = next.unwrap_or(ASKED);
        next.is_some()
    }

    /// Takes out of a word what was given back meanwhile, or the admissions that have no room any more; whether there may have
    /// been any.
    fn makes_room(&mut self, index: usize) -> bool {
        let row = &mut self.rows[index];
        let Some((count, word)) = row.counting() else { return false };
        let (admitted, rest) = match count.collect(*word) {
            Some(collected) => collected,
            None => match count.less(*word, || self.returns.fold(index)) {
                Some(rest) => (0, rest),
                None => return false,
            },
        };
        *word = rest;
        row.admitted += admitted;
        true
    }

    /// As [`take_steps`](Self::take_steps), for whatever is wanted.
    pub(super) fn take(&mut self, slots: &mut [Slot], wishes: &[Wish], now: Timestamp) -> bool {
        let wanted = || wishes.iter().filter(|wish| wish.requested > 0);
        let all_there = self.open
            && wanted().all(|wish| match self.rows[wish.index()].counting() {
                Some((count, _)) => {
                    let cost = count.cost(wish.requested);
                    cost.is_some_and(|cost| self.plan(Step { index: wish.index(), cost }, now))
                }
                None => slots[wish.index()].admits(wish.requested, now),
            });
        if all_there {
            // Those that are asked first: a user's own may panic.
            take_states(slots, wanted().filter(|wish| self.rows[wish.index()].word == ASKED), now);
            for wish in wanted() {
                let row = &mut self.rows[wish.index()];
                match row.word {
                    ASKED => slots[wish.index()].admitted += 1,
                    _ => row.word = row.next,
                }
            }
        }
        all_there
    }

    /// Ends the take of `items`; false when that is not to be done here.
    #[inline]
    pub(super) fn give_back(
        &mut self,
        slots: &mut [Slot],
        items: &[Item],
        mut now: impl FnMut(bool) -> Timestamp,
    ) -> bool {
        if !self.open || items.iter().any(|item| item.used() > item.requested) {
            return false;
        }
        let mut each = InTurn::default();
        for item in items {
            let (requested, used) = (item.requested, item.used());
            let state = &mut slots[item.index()].state;
            if let Some((count, word)) = self.rows[item.index()].counting() {
                // There is always a next word: no debt is among them, and no more is given back than was taken.
                *word = count.give_back(*word, requested, used).unwrap_or(*word);
            } else if requested > 0 && !(used == requested && state.spends_when_taken()) {
                let now = now(state.goes_by_time());
                each.run(|| state.settle(requested, used, now));
            }
        }
        each.end();
        true
    }

    /// Writes the words back.
    pub(super) fn close(&mut self, slots: &mut [Slot], now: Timestamp) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        for (index, (row, slot)) in self.rows.iter_mut().zip(slots).enumerate() {
            if let Some((count, word)) = row.counting() {
                let last = std::mem::replace(word, ASKED);
                let last = count.less(last, || self.returns.close(index)).unwrap_or(last);
                slot.leave(&count.counted(last, now));
                slot.admitted += std::mem::take(&mut row.admitted);
            }
        }
    }

    /// Counts in words from now on, unless something holds a limit back.
    pub(super) fn open(&mut self, slots: &mut [Slot], now: Timestamp) {
        if slots.iter_mut().any(|slot| slot.is_held_back(now)) {
            return;
        }
        for (index, (row, slot)) in self.rows.iter_mut().zip(slots).enumerate() {
            let word = row.count.as_ref().and_then(|count| count.word(&slot.state.tally(now)?));
            row.word = word.unwrap_or(ASKED);
            if row.counting().is_some_and(|(count, _)| count.is_held()) {
                self.returns.open(index);
            }
        }
        self.open = true;
    }
}
