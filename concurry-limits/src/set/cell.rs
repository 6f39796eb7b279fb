//! Where a waiter is told its outcome.
//!
//! A waiter may stand in the queues of several sets with one cell. Who grants locks the cell, sees that it still waits,
//! takes, and writes the grant: so one grant wins, and a set that comes later drops the waiter without having taken
//! anything. A cell is a leaf in the order of locks: board first, then cell, then nothing.
//!
//! A waker is foreign code, also when it is cloned or dropped: none of that happens under these locks, but to those of threads that
//! time themselves, which are ours. Who has an outcome needs no waker any more, so the one that is there is handed out.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::Timestamp;
use concurry_core::panics::discard;
use smallvec::SmallVec;

use super::demand::Wishes;
use super::{Engine, Wish};
use crate::LimitError;
use crate::sync::{Mutex, MutexGuard, lock};

/// One of the sets that a waiter stands in, and what it wants there.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) engine: Arc<Engine>,
    /// The set's position in the pool that the request was made to.
    pub(super) position: u32,
    pub(super) wishes: Wishes,
}

/// That a waiter was granted what it wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    /// By which of the sets that it stood in.
    pub(super) branch: u32,
    pub(super) taken_at: Timestamp,
}

#[derive(Debug)]
pub(super) enum Phase {
    Waiting,
    Granted(Grant),
    Refused(Box<LimitError>),
    /// The waiter has left, or has taken its outcome.
    Closed,
}

/// A crowd may wait, so a cell is one allocation, and a small one, where it stands in one set.
#[derive(Debug)]
pub(super) struct Cell {
    state: Mutex<State>,
    branches: SmallVec<[Branch; 1]>,
    /// Since when it waits.
    pub(super) since: Timestamp,
    /// Until when.
    deadline: Option<Timestamp>,
    /// Whether the waiter sleeps to its own instants; otherwise its engines have timers for it.
    self_timed: bool,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    waker: Waker,
    /// The instant of each branch at which it may be admitted there, where it is first in line.
    armed: Instants,
    /// In how many queues it stands.
    standing: u32,
}

/// One a branch.
pub(super) type Instants = SmallVec<[Option<Timestamp>; 1]>;

/// A cell that waits, locked: nobody else can grant it until this is dropped.
pub(super) struct Claim<'a>(MutexGuard<'a, State>);

impl Claim<'_> {
    pub(super) fn grant(mut self, grant: Grant) -> Waker {
        self.0.end(Phase::Granted(grant))
    }
}

impl State {
    /// Ends the waiting; who is to be woken for that.
    fn end(&mut self, phase: Phase) -> Waker {
        self.phase = phase;
        std::mem::replace(&mut self.waker, Waker::noop().clone())
    }

    /// Takes the outcome, if there is one.
    fn outcome(&mut self) -> Option<Phase> {
        let has_ended = !matches!(self.phase, Phase::Waiting);
        has_ended.then(|| std::mem::replace(&mut self.phase, Phase::Closed))
    }
}

impl Cell {
    pub(super) fn new(
        branches: SmallVec<[Branch; 1]>,
        waker: Waker,
        (since, deadline): (Timestamp, Option<Timestamp>),
        self_timed: bool,
    ) -> Self {
        let armed = branches.iter().map(|_| None).collect();
        let standing = u32::try_from(branches.len()).unwrap_or(u32::MAX);
        let state = State { phase: Phase::Waiting, waker, armed, standing };
        Self { state: Mutex::new(state), branches, since, deadline, self_timed }
    }

    pub(super) fn branches(&self) -> &[Branch] {
        &self.branches
    }

    pub(super) fn branch(&self, branch: u32) -> &Branch {
        &self.branches[branch as usize]
    }

    /// What it wants of the set of this branch.
    pub(super) fn wishes(&self, branch: u32) -> &[Wish] {
        &self.branch(branch).wishes
    }

    /// The deadline by which a set can tell that it would be too late. Of several sets, none knows what the others do.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.deadline.filter(|_| self.branches.len() == 1)
    }

    pub(super) fn is_self_timed(&self) -> bool {
        self.self_timed
    }

    /// Locks the cell if it still waits.
    pub(super) fn claim(&self) -> Option<Claim<'_>> {
        let state = lock(&self.state);
        matches!(state.phase, Phase::Waiting).then_some(Claim(state))
    }

    /// Whether it stands in several sets and waits no more.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.branches.len() > 1 && self.claim().is_none()
    }

    /// One set refuses for ever; the error is final when it was the last one.
    pub(super) fn refuse(&self, branch: u32, error: LimitError) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.armed[branch as usize] = None;
        state.standing -= 1;
        if state.standing > 0 || !matches!(state.phase, Phase::Waiting) {
            return None;
        }
        Some(state.end(Phase::Refused(Box::new(error))))
    }

    /// Tells a self-timed waiter its instant in one set; the waker is to be woken when it sleeps for too long.
    pub(super) fn arm(&self, branch: u32, at: Option<Timestamp>) -> Option<Waker> {
        if !self.self_timed {
            return None;
        }
        let mut state = lock(&self.state);
        let before = std::mem::replace(&mut state.armed[branch as usize], at);
        let sooner = at.is_some_and(|at| before.is_none_or(|before| at < before));
        // It is that of a thread, and ours: who times itself is no task.
        sooner.then(|| state.waker.clone())
    }

    /// That of a thread that waits.
    pub(super) fn waker(&self) -> Waker {
        lock(&self.state).waker.clone()
    }

    /// The branches and their instants.
    pub(super) fn armed(&self) -> Instants {
        lock(&self.state).armed.clone()
    }

    /// Takes the outcome, if there is one.
    pub(super) fn outcome(&self) -> Option<Phase> {
        lock(&self.state).outcome()
    }

    /// Replaces the waker, and takes the outcome if there is one.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Phase> {
        let mut state = lock(&self.state);
        let outcome = state.outcome();
        if outcome.is_some() || state.waker.will_wake(waker) {
            return outcome;
        }
        drop(state);
        let mut new = waker.clone();
        let mut state = lock(&self.state);
        let outcome = state.outcome();
        if outcome.is_none() {
            std::mem::swap(&mut state.waker, &mut new);
        }
        // The old one may be the last that holds a task, which may hold a waiter of its own: that leaves under these locks.
        drop(state);
        // Whatever that panics with, the outcome is not lost.
        discard(new);
        outcome
    }

    /// Ends the waiting from the waiter's side; what it returns was the phase until now.
    pub(super) fn close(&self) -> Phase {
        std::mem::replace(&mut lock(&self.state).phase, Phase::Closed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::task::Wake;

    use smallvec::smallvec;

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    /// A cell that waits in one set, as far as it knows, and its waker.
    fn waiting() -> (Cell, Arc<Nobody>) {
        let waker = Arc::new(Nobody);
        let mut cell = Cell::new(smallvec![], Arc::clone(&waker).into(), (Timestamp::default(), None), false);
        let state = cell.state.get_mut().expect("nobody has panicked");
        (state.standing, state.armed) = (1, smallvec![None]);
        (cell, waker)
    }

    #[test]
    fn a_waker_is_handed_out_and_not_cloned_under_the_locks() {
        let (cell, waker) = waiting();
        let grant = Grant { branch: 0, taken_at: Timestamp::default() };
        let handed_out = cell.claim().map(|claim| claim.grant(grant));
        assert_eq!(Arc::strong_count(&waker), 2, "this one and the one that is to be woken");
        drop(handed_out);
        assert!(matches!(cell.poll(Waker::noop()), Some(Phase::Granted(_))));

        let (cell, waker) = waiting();
        let handed_out = cell.refuse(0, LimitError::EmptyPool);
        assert_eq!((Arc::strong_count(&waker), handed_out.is_some()), (2, true));
        drop(handed_out);
        assert!(matches!(cell.poll(Waker::noop()), Some(Phase::Refused(_))));
    }

    #[test]
    fn a_waker_that_panics_when_it_is_dropped_costs_no_outcome() {
        struct Touchy;

        impl Wake for Touchy {
            fn wake(self: Arc<Self>) {}
        }

        impl Drop for Touchy {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }

        let (cell, _) = waiting();
        assert!(cell.poll(&Arc::new(Touchy).into()).is_none());
        assert!(cell.poll(Waker::noop()).is_none(), "the other one is gone");
    }
}
