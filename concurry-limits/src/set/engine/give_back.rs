//! How what was acquired is given back: not at all where it was spent, past the lock where nobody waits, and in the board otherwise.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use super::super::{Item, Wish};
use super::{Engine, Locked};
use crate::sync::lock;

impl Engine {
    /// Whether settling an item changes nothing.
    #[inline]
    pub(in crate::set) fn is_spent(&self, item: &Item) -> bool {
        item.used() == item.requested && (self.nature.spent >> item.index() & 1 != 0 || item.requested == 0)
    }

    /// Settles what an acquisition held.
    #[inline]
    pub(crate) fn settle(&self, items: &[Item]) {
        let mut unspent = items.iter().filter(|item| !self.is_spent(item));
        match (unspent.next(), unspent.next()) {
            (None, _) => {}
            (Some(item), None) if self.settle_simply(item) => {}
            // Several are given back at one instant, which takes the lock.
            _ => self.settle_in_board(items),
        }
    }

    /// Settles without the lock, if that is possible now.
    #[inline]
    pub(in crate::set) fn settle_simply(&self, item: &Item) -> bool {
        match &self.lane {
            Some(lane) => lane.give_back(item.requested, item.used()),
            None => self.returns.give_back(item.index(), item.requested),
        }
    }

    fn settle_in_board(&self, items: &[Item]) {
        if let Some(next) = &self.next {
            next.wake();
        }
        if !self.settle_in_ledger(items) {
            self.act(|board, now, effects| board.settle(items, now, effects));
        }
    }

    /// Settles in the ledger, if that is possible.
    fn settle_in_ledger(&self, items: &[Item]) -> bool {
        if self.lane.is_some() {
            return false;
        }
        let mut locked = lock(&self.locked);
        let Locked { board, ledger, now, .. } = &mut *locked;
        let now = |matters: bool| {
            if matters {
                *now = (*now).max(self.now());
            }
            *now
        };
        ledger.as_mut().is_some_and(|ledger| ledger.give_back(&mut board.slots, items, now))
    }

    /// Takes back what was taken at `taken_at`, after a wait, and never reached the one who asked.
    pub(crate) fn undo(&self, taken: impl Iterator<Item = Wish>, taken_at: Timestamp, waited: Duration) {
        self.act(|board, now, effects| board.undo(taken, (taken_at, waited), now, effects));
    }
}
