//! Where a waiter is told its outcome.
//!
//! A waiter may stand in the queues of several sets with one cell. Who grants locks the cell, sees that it still waits,
//! takes, and writes the grant: so one grant wins, and a set that comes later drops the waiter without having taken
//! anything. A cell is a leaf in the order of locks: board first, then cell, then nothing.

use std::task::Waker;

use concurry_core::clock::Timestamp;

use super::Items;
use crate::LimitError;
use crate::sync::{Mutex, MutexGuard, lock};

/// The amounts that a waiter was granted.
#[derive(Debug)]
pub(super) struct Grant {
    /// By which of the sets that it stood in.
    pub(super) branch: usize,
    pub(super) items: Items,
    pub(super) taken_at: Timestamp,
}

#[derive(Debug)]
pub(super) enum Phase {
    Waiting,
    Granted(Grant),
    Refused(LimitError),
    /// The waiter has left, or has taken its outcome.
    Closed,
}

#[derive(Debug)]
pub(super) struct Cell {
    state: Mutex<State>,
    /// Whether the waiter sleeps to its own instants; otherwise its engines have timers for it.
    self_timed: bool,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    waker: Waker,
    /// The instant of each branch at which it may be admitted there, where it is first in line.
    armed: Vec<Option<Timestamp>>,
    /// In how many queues it stands.
    standing: usize,
}

/// A cell that waits, locked: nobody else can grant it until this is dropped.
pub(super) struct Claim<'a>(MutexGuard<'a, State>);

impl Claim<'_> {
    pub(super) fn grant(mut self, grant: Grant) -> Waker {
        self.0.phase = Phase::Granted(grant);
        self.0.waker.clone()
    }
}

impl Cell {
    pub(super) fn new(branches: usize, waker: Waker, self_timed: bool) -> Self {
        let state = State { phase: Phase::Waiting, waker, armed: vec![None; branches], standing: branches };
        Self { state: Mutex::new(state), self_timed }
    }

    pub(super) fn is_self_timed(&self) -> bool {
        self.self_timed
    }

    /// Locks the cell if it still waits.
    pub(super) fn claim(&self) -> Option<Claim<'_>> {
        let state = lock(&self.state);
        matches!(state.phase, Phase::Waiting).then_some(Claim(state))
    }

    /// One set refuses for ever; the error is final when it was the last one.
    pub(super) fn refuse(&self, branch: usize, error: LimitError) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.armed[branch] = None;
        state.standing -= 1;
        if state.standing > 0 || !matches!(state.phase, Phase::Waiting) {
            return None;
        }
        state.phase = Phase::Refused(error);
        Some(state.waker.clone())
    }

    /// Tells a self-timed waiter its instant in one set; the waker is to be woken when it sleeps for too long.
    pub(super) fn arm(&self, branch: usize, at: Option<Timestamp>) -> Option<Waker> {
        if !self.self_timed {
            return None;
        }
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.armed[branch], at);
        let sooner = at.is_some_and(|at| before.is_none_or(|before| at < before));
        sooner.then(|| state.waker.clone())
    }

    /// The branches and their instants.
    pub(super) fn armed(&self) -> Vec<Option<Timestamp>> {
        lock(&self.state).armed.clone()
    }

    /// Replaces the waker, and takes the outcome if there is one.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Phase> {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Waiting) {
            state.waker.clone_from(waker);
            return None;
        }
        Some(std::mem::replace(&mut state.phase, Phase::Closed))
    }

    /// Ends the waiting from the waiter's side; what it returns was the phase until now.
    pub(super) fn close(&self) -> Phase {
        std::mem::replace(&mut lock(&self.state).phase, Phase::Closed)
    }
}
