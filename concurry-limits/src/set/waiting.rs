//! A place in the queues of one or more sets.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::park::thread_waker;
use concurry_core::waits;

use super::Engine;
use super::board::Entered;
use super::cell::{Cell, Grant, Phase};
use super::demand::Demand;
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
    entries: Vec<Entry>,
    /// The place in each entry's queue.
    places: Vec<Option<u64>>,
    since: Timestamp,
}

type Outcome = Result<LimitSetAcquisition, LimitError>;

impl Waiting {
    /// Lines up in all of `entries`, until one of them grants at once.
    pub(super) fn start(entries: Vec<Entry>, since: Timestamp, waker: Waker, self_timed: bool) -> Self {
        let cell = Arc::new(Cell::new(entries.len(), waker, self_timed));
        let mut waiting = Self { cell, places: vec![None; entries.len()], entries, since };
        for (branch, entry) in waiting.entries.iter().enumerate() {
            let demand = entry.demand.clone();
            match entry.engine.enter(Waiter { demand, cell: Arc::clone(&waiting.cell), branch, since }) {
                Ok(Entered::Standing(seq)) => waiting.places[branch] = Some(seq),
                Ok(Entered::Granted | Entered::Closed | Entered::Never(_)) => break,
                // Nobody sleeps yet: the outcome is read before the first sleep.
                Err(error) => drop(waiting.cell.refuse(branch, error)),
            }
        }
        waiting
    }

    /// Since when it waits.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// The outcome, if there is one; otherwise `waker` is woken when there is.
    pub(super) fn poll(&mut self, waker: &Waker) -> Option<Outcome> {
        let outcome = match self.cell.poll(waker)? {
            Phase::Granted(grant) => Ok(self.acquisition(grant)),
            Phase::Refused(error) => Err(error),
            Phase::Waiting | Phase::Closed => return None,
        };
        self.leave();
        Some(outcome)
    }

    /// Ends the waiting in vain, unless it can be granted at this very moment.
    pub(super) fn give_up(&mut self) -> Outcome {
        self.entries.iter().for_each(|entry| entry.engine.pump());
        match self.cell.close() {
            Phase::Granted(grant) => {
                let acquisition = self.acquisition(grant);
                self.leave();
                Ok(acquisition)
            }
            Phase::Refused(error) => Err(error),
            Phase::Waiting | Phase::Closed => {
                self.leave();
                let errors = self.entries.iter().map(|entry| entry.engine.timeout(&entry.demand, self.since));
                Err(errors.min_by_key(soonest).unwrap_or(LimitError::EmptyPool))
            }
        }
    }

    /// Waits on this thread.
    pub(super) fn block(mut self, clock: &dyn Clock, deadline: Option<Timestamp>) -> Outcome {
        let waker = thread_waker();
        let outcome = self.sleep(&waker, clock, deadline);
        waits::add(clock.now() - self.since);
        outcome
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
            let due = self.entries.iter().zip(&armed).filter(|(_, at)| at.is_some_and(|at| at <= now));
            let due = due.map(|(entry, _)| entry.engine.pump()).count();
            if due == 0 {
                clock.park_until(armed.into_iter().flatten().chain(deadline).min());
            }
        }
    }

    fn acquisition(&mut self, grant: Grant) -> LimitSetAcquisition {
        // Who grants has taken it out of that queue.
        self.places[grant.branch] = None;
        let entry = &self.entries[grant.branch];
        LimitSetAcquisition::local(Arc::clone(&entry.engine), grant.items, grant.taken_at, entry.position)
    }

    /// Leaves all queues that it still stands in.
    fn leave(&mut self) {
        for (entry, place) in self.entries.iter().zip(&mut self.places) {
            if let Some(seq) = place.take() {
                entry.engine.leave(entry.demand.mask, seq);
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
            self.entries[grant.branch].engine.undo(&grant.items, grant.taken_at);
        }
        self.leave();
    }
}
