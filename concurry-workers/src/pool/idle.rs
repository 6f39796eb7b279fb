//! The workers that are idle, each with its waker.

use std::collections::BTreeMap;
use std::task::Waker;

/// The idle workers. The one that went idle last is woken first: its caches are warm.
#[derive(Default)]
pub(super) struct Idle {
    by_turn: BTreeMap<u64, (usize, Waker)>,
    /// Since which turn a worker is idle, by its number.
    turns: Vec<Option<u64>>,
    next: u64,
}

impl Idle {
    /// A worker goes idle, and is woken by this waker.
    pub(super) fn add(&mut self, number: usize, waker: Waker) {
        self.remove(number);
        if self.turns.len() <= number {
            self.turns.resize(number + 1, None);
        }
        self.turns[number] = Some(self.next);
        self.by_turn.insert(self.next, (number, waker));
        self.next += 1;
    }

    /// A worker is idle no more.
    pub(super) fn remove(&mut self, number: usize) -> Option<Waker> {
        let turn = self.turns.get_mut(number)?.take()?;
        self.by_turn.remove(&turn).map(|(_, waker)| waker)
    }

    /// The one that went idle last.
    pub(super) fn pop(&mut self) -> Option<Waker> {
        let (_, (number, waker)) = self.by_turn.pop_last()?;
        self.turns[number] = None;
        Some(waker)
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.turns.clear();
        std::mem::take(&mut self.by_turn).into_values().map(|(_, waker)| waker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_comes_first_and_one_that_left_is_not_found() {
        let mut idle = Idle::default();
        (0..3).for_each(|number| idle.add(number, Waker::noop().clone()));
        idle.add(0, Waker::noop().clone());
        assert!(idle.remove(2).is_some() && idle.remove(2).is_none());
        assert!(idle.pop().is_some());
        assert!(idle.remove(0).is_none() && idle.remove(1).is_some());
        assert!(idle.pop().is_none() && idle.take().is_empty());
    }
}
