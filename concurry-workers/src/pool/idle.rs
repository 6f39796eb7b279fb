//! The workers that are idle, each with its waker.

use std::collections::BTreeMap;
use std::task::Waker;

use concurry_core::clock::WakeGuard;

/// The idle workers. The one that went idle last is woken first: its caches are warm.
#[derive(Default)]
pub(super) struct Idle {
    by_turn: BTreeMap<u64, Sleeper>,
    /// Since which turn a worker is idle, by its number.
    turns: Vec<Option<u64>>,
    next: u64,
}

struct Sleeper {
    number: usize,
    waker: Waker,
    /// Wakes it when it has waited for long enough.
    alarm: Option<WakeGuard>,
}

impl Idle {
    /// A worker goes idle, and is woken by this waker; its turn.
    pub(super) fn add(&mut self, number: usize, waker: Waker) -> u64 {
        self.remove(number);
        if self.turns.len() <= number {
            self.turns.resize(number + 1, None);
        }
        self.turns[number] = Some(self.next);
        let turn = self.next;
        self.by_turn.insert(turn, Sleeper { number, waker, alarm: None });
        self.next += 1;
        turn
    }

    /// A worker is idle no more.
    pub(super) fn remove(&mut self, number: usize) -> Option<Waker> {
        let turn = self.turns.get_mut(number)?.take()?;
        self.by_turn.remove(&turn).map(|sleeper| sleeper.waker)
    }

    /// The one that went idle last, and its waker.
    pub(super) fn pop(&mut self) -> Option<(usize, Waker)> {
        let (_, sleeper) = self.by_turn.pop_last()?;
        self.turns[sleeper.number] = None;
        Some((sleeper.number, sleeper.waker))
    }

    /// Has the worker of this turn woken by `alarm`; gives it back when that worker is idle no more.
    pub(super) fn set_alarm(&mut self, turn: u64, alarm: WakeGuard) -> Option<WakeGuard> {
        match self.by_turn.get_mut(&turn) {
            Some(sleeper) => sleeper.alarm.replace(alarm),
            None => Some(alarm),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.turns.clear();
        std::mem::take(&mut self.by_turn).into_values().map(|sleeper| sleeper.waker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_comes_first_and_one_that_left_is_not_found() {
        let mut idle = Idle::default();
        for number in 0..3 {
            idle.add(number, Waker::noop().clone());
        }
        idle.add(0, Waker::noop().clone());
        assert!(idle.remove(2).is_some() && idle.remove(2).is_none());
        assert!(idle.pop().is_some());
        assert!(idle.remove(0).is_none() && idle.remove(1).is_some());
        assert!(idle.pop().is_none() && idle.take().is_empty());
    }
}
