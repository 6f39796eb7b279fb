//! The workers that are idle, each with its waker.

use std::task::Waker;

use concurry_core::clock::WakeGuard;

/// The idle workers. The one that went idle last is woken first: its caches are warm.
#[derive(Default)]
pub(super) struct Idle {
    /// By turn.
    sleepers: Vec<Sleeper>,
    /// Since which turn a worker is idle, by its number.
    turns: Vec<Option<u64>>,
    next: u64,
}

struct Sleeper {
    turn: u64,
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
        let turn = self.next;
        self.next += 1;
        self.turns[number] = Some(turn);
        self.sleepers.push(Sleeper { turn, number, waker, alarm: None });
        turn
    }

    /// A worker is idle no more.
    #[inline]
    pub(super) fn remove(&mut self, number: usize) -> Option<Waker> {
        let turn = self.turns.get_mut(number)?.take()?;
        let place = self.place_of(turn)?;
        Some(self.sleepers.remove(place).waker)
    }

    /// The one that went idle last, and its waker.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(usize, Waker)> {
        let sleeper = self.sleepers.pop()?;
        self.turns[sleeper.number] = None;
        Some((sleeper.number, sleeper.waker))
    }

    /// Has the worker of this turn woken by `alarm`; gives it back when that worker is idle no more.
    pub(super) fn set_alarm(&mut self, turn: u64, alarm: WakeGuard) -> Option<WakeGuard> {
        match self.place_of(turn) {
            Some(place) => self.sleepers[place].alarm.replace(alarm),
            None => Some(alarm),
        }
    }

    fn place_of(&self, turn: u64) -> Option<usize> {
        self.sleepers.binary_search_by_key(&turn, |sleeper| sleeper.turn).ok()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.sleepers.len()
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        self.turns.clear();
        std::mem::take(&mut self.sleepers).into_iter().map(|sleeper| sleeper.waker).collect()
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
