//! A place in the queues of one or more sets.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::park::thread_waker;
use concurry_core::waits;
use smallvec::SmallVec;

use super::Engine;
use super::board::Entered;
use super::cell::{Branch, Cell, Grant, Phase};
use super::demand::{Demand, items_of, mask_of};
use super::queue::Waiter;
use crate::{LimitError, LimitSetAcquisition};

/// One set of a plan, and what the request means there.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its position in the pool that the request was made to.
    pub(super) position: usize,
    pub(super) engine: Arc<Engine>,
    pub(super) demand: Demand,
}

/// A place in the queues of one or more sets, with one cell. Dropping it leaves all of them, gives back a grant that
/// nobody has seen yet, and lets the next in line have it.
#[derive(Debug)]
pub(super) struct Waiting {
    cell: Arc<Cell>,
    /// The place in the queue of each branch.
    places: SmallVec<[Option<u64>; 1]>,
}

type Outcome = Result<LimitSetAcquisition, LimitError>;

impl Waiting {
    /// Lines up in all of `entries`, until one of them grants at once.
    pub(super) fn start(
        entries: Vec<Entry>,
        (since, deadline): (Timestamp, Option<Timestamp>),
        waker: Waker,
        self_timed: bool,
    ) -> Self {
        let branches = entries.into_iter().map(|entry| Branch {
            engine: entry.engine,
            position: u32::try_from(entry.position).unwrap_or(u32::MAX),
            wishes: entry.demand.wishes,
        });
        let cell = Arc::new(Cell::new(branches.collect(), waker, (since, deadline), self_timed));
        let places = cell.branches().iter().map(|_| None).collect();
        // From here on its drop leaves what it stands in, also when a user's own limit panics.
        let mut waiting = Self { cell, places };
        let Self { cell, places } = &mut waiting;
        for ((branch, stand), place) in (0..).zip(cell.branches()).zip(places) {
            match stand.engine.enter(Waiter { cell: Arc::clone(cell), branch }) {
                Ok(Entered::Standing(seq)) => *place = Some(seq),
                Ok(Entered::Granted | Entered::Closed | Entered::Never(_)) => break,
                // Nobody sleeps yet: the outcome is read before the first sleep.
                Err(error) => drop(cell.refuse(branch, error)),
            }
        }
        waiting
    }

    /// The outcome, if there is one; otherwise `waker` is woken when there is.
    pub(super) fn poll(&mut self, waker: &Waker) -> Option<Outcome> {
        let outcome = match self.cell.poll(waker)? {
            Phase::Granted(grant) => Ok(self.acquisition(grant)),
            Phase::Refused(error) => Err(self.in_vain(*error)),
            Phase::Waiting | Phase::Closed => return None,
        };
        self.leave();
        Some(outcome)
    }

    /// Whether all of its sets would be too late, by what they know at this moment.
    pub(super) fn is_late(&self, deadline: Timestamp) -> bool {
        self.cell.branches().iter().all(|stand| stand.engine.is_late(&stand.wishes, deadline))
    }

    /// Ends the waiting in vain, unless it can be granted at this very moment.
    pub(super) fn give_up(&mut self) -> Outcome {
        self.cell.branches().iter().for_each(|stand| stand.engine.pump());
        match self.cell.close() {
            Phase::Granted(grant) => {
                let acquisition = self.acquisition(grant);
                self.leave();
                Ok(acquisition)
            }
            Phase::Refused(error) => Err(self.in_vain(*error)),
            Phase::Waiting | Phase::Closed => {
                self.leave();
                let branches = self.cell.branches().iter();
                let errors = branches.map(|stand| stand.engine.timeout(&stand.wishes, self.cell.since));
                Err(self.in_vain(errors.min_by_key(soonest).unwrap_or(LimitError::EmptyPool)))
            }
        }
    }

    /// Counts a wait that ends with an error.
    fn in_vain(&self, error: LimitError) -> LimitError {
        let now = self.cell.branches().first().map_or(self.cell.since, |stand| stand.engine.clock.now());
        waits::add(now - self.cell.since);
        error
    }

    /// Waits on this thread.
    pub(super) fn block(mut self, clock: &dyn Clock, deadline: Option<Timestamp>) -> Outcome {
        let waker = thread_waker();
        self.sleep(&waker, clock, deadline)
    }

    fn sleep(&mut self, waker: &Waker, clock: &dyn Clock, deadline: Option<Timestamp>) -> Outcome {
        loop {
            if let Some(outcome) = self.poll(waker) {
                return outcome;
            }
            let now = clock.now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return self.give_up();
            }
            let armed = self.cell.armed();
            let due =
                self.cell.branches().iter().zip(&armed).filter(|(_, at)| at.is_some_and(|at| at <= now));
            let due = due.map(|(stand, _)| stand.engine.pump()).count();
            if due == 0 {
                clock.park_until(armed.into_iter().flatten().chain(deadline).min());
            }
        }
    }

    fn acquisition(&mut self, grant: Grant) -> LimitSetAcquisition {
        let waited = grant.taken_at - self.cell.since;
        waits::add(waited);
        // Who grants has taken it out of that queue.
        self.places[grant.branch as usize] = None;
        let Branch { engine, position, wishes } = self.cell.branch(grant.branch);
        let items = items_of(wishes);
        LimitSetAcquisition::local(Arc::clone(engine), items, grant.taken_at, *position as usize)
            .after(waited)
    }

    /// Leaves all queues that it still stands in.
    fn leave(&mut self) {
        for (stand, place) in self.cell.branches().iter().zip(&mut self.places) {
            if let Some(seq) = place.take() {
                stand.engine.leave(mask_of(&stand.wishes), seq);
            }
        }
    }
}

/// Orders the refusals of several sets: the one that could admit first comes first.
pub(super) fn soonest(error: &LimitError) -> (u8, std::time::Duration) {
    match error {
        LimitError::Unavailable { available_in: Some(wait), .. }
        | LimitError::Timeout { available_in: Some(wait), .. } => (0, *wait),
        LimitError::Unavailable { .. } | LimitError::Timeout { .. } => (1, std::time::Duration::ZERO),
        _ => (2, std::time::Duration::ZERO),
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Phase::Granted(grant) = self.cell.close() {
            let Branch { engine, wishes, .. } = self.cell.branch(grant.branch);
            let waited = grant.taken_at - self.cell.since;
            engine.undo(wishes.iter().copied(), grant.taken_at, waited);
        }
        self.leave();
    }
}
