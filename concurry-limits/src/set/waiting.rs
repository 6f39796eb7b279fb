//! A place in the queues of one or more sets.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::Timestamp;
use concurry_core::panics::InTurn;
use concurry_core::waits;
use smallvec::SmallVec;

use super::Engine;
use super::board::Entered;
use super::cell::{Branch, Cell, Grant, Phase};
use super::demand::{Demand, Items, items_of, mask_of};
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

/// A place in the queues of one or more sets, with one cell; none once it has its outcome. Dropping it leaves all of them, gives back a
/// grant that nobody has seen yet, and lets the next in line have it.
#[derive(Debug)]
pub(super) struct Waiting(Option<Standing>);

#[derive(Debug)]
struct Standing {
    cell: Arc<Cell>,
    /// The place in the queue of each branch.
    places: SmallVec<[Option<u64>; 1]>,
}

/// What somebody will hold whom one set grants what it wants there.
struct Ready {
    engine: Arc<Engine>,
    items: Items,
    position: usize,
}

impl Ready {
    fn for_grant_by(Branch { engine, position, wishes }: &Branch) -> Self {
        Self { engine: Arc::clone(engine), items: items_of(wishes), position: *position as usize }
    }
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
        let mut waiting = Self(Some(Standing { cell, places }));
        waiting.0.iter_mut().for_each(Standing::line_up);
        waiting
    }

    /// The outcome, if there is one; otherwise `waker` is woken when there is.
    pub(super) fn poll(&mut self, waker: &Waker) -> Option<Outcome> {
        let phase = self.0.as_ref()?.cell.poll(waker);
        self.outcome(phase?, None)
    }

    /// What it has come to by a phase that was taken out of the cell.
    fn outcome(&mut self, phase: Phase, ready: Option<Ready>) -> Option<Outcome> {
        match phase {
            Phase::Granted(grant) => Some(Ok(self.0.take()?.granted(grant, ready))),
            Phase::Refused(error) => {
                let mut standing = self.0.take()?;
                let error = standing.in_vain(*error);
                standing.leave();
                Some(Err(error))
            }
            Phase::Waiting | Phase::Closed => None,
        }
    }

    /// Whether all of its sets would be too late, by what they know at this moment.
    pub(super) fn is_late(&self, deadline: Timestamp) -> bool {
        let is_late = |stand: &Branch| stand.engine.is_late(&stand.wishes, deadline);
        self.0.as_ref().is_some_and(|standing| standing.cell.branches().iter().all(is_late))
    }

    /// Ends the waiting in vain, unless it can be granted at this very moment.
    pub(super) fn give_up(&mut self) -> Outcome {
        if let Some(standing) = &self.0 {
            standing.cell.branches().iter().for_each(|stand| stand.engine.pump());
            let phase = standing.cell.close();
            if let Some(outcome) = self.outcome(phase, None) {
                return outcome;
            }
        }
        // Who has its outcome gives nothing up.
        let Some(standing) = &mut self.0 else { return Err(LimitError::EmptyPool) };
        standing.leave();
        let branches = standing.cell.branches().iter();
        let errors = branches.map(|stand| stand.engine.timeout(&stand.wishes, standing.cell.since));
        Err(standing.in_vain(errors.min_by_key(soonest).unwrap_or(LimitError::EmptyPool)))
    }

    /// Waits on this thread, which the waker wakes that it was started with.
    pub(super) fn block(mut self, deadline: Option<Timestamp>) -> Outcome {
        // Written down before it sleeps: who wakes after a long time finds little that was not just used, or that another processor
        // has just written.
        let ready = match self.0.as_ref().map(|standing| standing.cell.branches()) {
            Some([branch]) => Some(Ready::for_grant_by(branch)),
            _ => None,
        };
        let mut has_slept = false;
        loop {
            let Some(standing) = &self.0 else { return self.give_up() };
            // Without a waker of its own, for the same reason.
            if let Some(phase) = standing.cell.outcome() {
                return self.outcome(phase, ready).unwrap_or_else(|| self.give_up());
            }
            let Some(Branch { engine, .. }) = standing.cell.branches().first() else { return self.give_up() };
            let clock = &engine.clock;
            let now = clock.now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return self.give_up();
            }
            if has_slept {
                standing.sleeps_on();
            }
            let armed = standing.cell.armed();
            let due =
                standing.cell.branches().iter().zip(&armed).filter(|(_, at)| at.is_some_and(|at| at <= now));
            let due = due.map(|(stand, _)| stand.engine.pump()).count();
            has_slept = due == 0;
            if has_slept {
                clock.park_until(armed.into_iter().flatten().chain(deadline).min());
            }
        }
    }
}

impl Standing {
    /// Stands in each of the queues, until one grants at once.
    fn line_up(&mut self) {
        let Self { cell, places } = self;
        for ((branch, stand), place) in (0..).zip(cell.branches()).zip(places) {
            match stand.engine.enter(Waiter { cell: Arc::clone(cell), branch }) {
                Ok(Entered::Standing(seq)) => *place = Some(seq),
                Ok(Entered::Granted | Entered::Closed | Entered::Never(_)) => break,
                // Nobody sleeps yet: the outcome is read before the first sleep.
                Err(error) => drop(cell.refuse(branch, error)),
            }
        }
    }

    /// Counts a wait that ends with an error.
    fn in_vain(&self, error: LimitError) -> LimitError {
        let now = self.cell.branches().first().map_or(self.cell.since, |stand| stand.engine.clock.now());
        waits::add(now - self.cell.since);
        error
    }

    /// What was granted, of which `ready` may have been written down before.
    fn granted(mut self, grant: Grant, ready: Option<Ready>) -> LimitSetAcquisition {
        let waited = grant.taken_at - self.cell.since;
        waits::add(waited);
        let ready = ready.unwrap_or_else(|| Ready::for_grant_by(self.cell.branch(grant.branch)));
        let Ready { engine, items, position } = ready;
        let acquisition = LimitSetAcquisition::local(engine, items, grant.taken_at, position).after(waited);
        // Who grants has taken it out of that queue. When a limit of another set panics, what this one gave is given back.
        self.places[grant.branch as usize] = None;
        self.leave();
        acquisition
    }

    /// It was woken, and has no outcome.
    fn sleeps_on(&self) {
        for (stand, place) in self.cell.branches().iter().zip(&self.places) {
            if let (Some(next), Some(place)) = (&stand.engine.next, place) {
                next.sleeps_on(*place);
            }
        }
    }

    /// Leaves all queues that it still stands in, also when a user's own limit of one of them panics.
    fn leave(&mut self) {
        let mut each = InTurn::default();
        for (stand, place) in self.cell.branches().iter().zip(&mut self.places) {
            if let Some(seq) = place.take() {
                each.run(|| stand.engine.leave(mask_of(&stand.wishes), seq));
            }
        }
        each.end();
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
        let Some(mut standing) = self.0.take() else { return };
        let mut each = InTurn::default();
        if let Phase::Granted(grant) = standing.cell.close() {
            let Branch { engine, wishes, .. } = standing.cell.branch(grant.branch);
            let waited = grant.taken_at - standing.cell.since;
            each.run(|| engine.undo(wishes.iter().copied(), grant.taken_at, waited));
        }
        each.run(|| standing.leave());
        each.end();
    }
}
