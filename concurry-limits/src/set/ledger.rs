//! A ledger: how a set of several limits admits and gives back while nobody waits, without asking each of its limits.
//!
//! It stands under the engine's lock beside the board. While it is open, what is used of a limit whose [count](super::count)
//! fits into a word is in that word; the others are asked as ever. Whoever needs the board as a whole closes the ledger,
//! which writes the words back; it is opened again when nobody waits and nothing holds a limit back.

use concurry_core::clock::Timestamp;

use super::count::Count;
use super::slot::Slot;
use super::{Item, Wish};

#[derive(Debug)]
pub(super) struct Ledger {
    /// One a slot, in their order.
    rows: Box<[Row]>,
    open: bool,
}

#[derive(Debug)]
struct Row {
    count: Option<Count>,
    /// Without one, the slot is asked.
    word: Option<u64>,
}

impl Ledger {
    /// An open ledger for `slots`, which nothing holds back.
    pub(super) fn new(slots: &mut [Slot], now: Timestamp) -> Self {
        let rows = slots.iter_mut().map(|slot| Row { count: slot.count(now), word: None });
        let mut ledger = Self { rows: rows.collect(), open: false };
        ledger.open(slots, now);
        ledger
    }

    /// Takes all of `wishes`, or nothing when not all are there, or that is not to be told here.
    #[inline]
    pub(super) fn take(&mut self, slots: &mut [Slot], wishes: &[Wish], now: Timestamp) -> bool {
        let wanted = || wishes.iter().filter(|wish| wish.requested > 0);
        let all_there = self.open
            && wanted().all(|wish| match &self.rows[wish.index()] {
                Row { count: Some(count), word: Some(word) } => {
                    count.take(*word, wish.requested, now).is_some()
                }
                _ => slots[wish.index()].admits(wish.requested, now),
            });
        if all_there {
            for wish in wanted() {
                match &mut self.rows[wish.index()] {
                    Row { count: Some(count), word: Some(word) } => {
                        *word = count.take(*word, wish.requested, now).unwrap_or(*word);
                    }
                    _ => slots[wish.index()].take(wish.requested, now),
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
        for item in items {
            let (requested, used) = (item.requested, item.used());
            let state = &mut slots[item.index()].state;
            if let Row { count: Some(count), word: Some(word) } = &mut self.rows[item.index()] {
                // There is always a next word: no debt is among them, and no more is given back than was taken.
                *word = count.give_back(*word, requested, used).unwrap_or(*word);
            } else if requested > 0 && !(used == requested && state.spends_when_taken()) {
                let now = now(state.goes_by_time());
                state.settle(requested, used, now);
            }
        }
        true
    }

    /// Writes the words back.
    pub(super) fn close(&mut self, slots: &mut [Slot], now: Timestamp) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        for (Row { count, word }, slot) in self.rows.iter_mut().zip(slots) {
            if let (Some(count), Some(word)) = (count, word.take()) {
                slot.leave(&count.counted(word, now));
            }
        }
    }

    /// Counts in words from now on, unless something holds a limit back.
    pub(super) fn open(&mut self, slots: &mut [Slot], now: Timestamp) {
        if slots.iter_mut().any(|slot| slot.is_held_back(now)) {
            return;
        }
        for (Row { count, word }, slot) in self.rows.iter_mut().zip(slots) {
            *word = count.as_ref().and_then(|count| count.word(&slot.state.tally(now)?));
        }
        self.open = true;
    }
}
