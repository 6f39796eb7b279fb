//! What a request has to do: ask each of its sets, and wait in those that may admit it.

use std::sync::Arc;
use std::task::Waker;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::park::thread_waker;

use super::acquire::{Acquire, RemoteWaiting};
use super::demand::Demand;
use super::limit_set::{LimitSet, Repr};
use super::waiting::{Entry, Waiting, soonest};
use super::{Engine, Wish};
use crate::remote::{RemoteSet, Wait};
use crate::{LimitError, LimitSetAcquisition, Request};

type Outcome = Result<LimitSetAcquisition, LimitError>;

/// A request to sets of this process, all of one clock, that has not begun.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) entries: Vec<Entry>,
    pub(super) patience: Patience,
    /// Whether it is one of several parts of a request.
    pub(super) raced: bool,
}

/// A request for one amount of one set that has not begun: most need no more than the lane of that set.
#[derive(Debug)]
pub(super) struct Simple {
    engine: Arc<Engine>,
    wish: Wish,
    position: usize,
    patience: Patience,
}

impl Simple {
    pub(super) fn new(engine: Arc<Engine>, wish: Wish, position: usize, patience: Patience) -> Self {
        Self { engine, wish, position, patience }
    }

    /// The outcome, if the lane has it; otherwise what has to be done.
    pub(super) fn begin(self) -> Result<LimitSetAcquisition, Plan> {
        if self.engine.take_one(self.wish) {
            return Ok(LimitSetAcquisition::in_lane(self.engine, self.wish, self.position));
        }
        Err(Plan::of_one(self.engine, Demand::of_wish(self.wish), self.position, self.patience))
    }
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    /// Not at all, and to have to wait is no refusal, which would be counted.
    Question,
    Until(Timestamp),
    Forever,
}

impl Patience {
    pub(super) fn new(wait: Wait, clock: &dyn Clock) -> Self {
        match wait {
            Wait::Forever => Self::Forever,
            Wait::For(time) if !time.is_zero() => Self::Until(clock.now() + time),
            Wait::For(_) | Wait::Never => Self::None,
        }
    }

    pub(super) fn deadline(self) -> Option<Timestamp> {
        match self {
            Self::Until(deadline) => Some(deadline),
            Self::None | Self::Question | Self::Forever => None,
        }
    }
}

impl Plan {
    /// For one set alone.
    pub(super) fn of_one(engine: Arc<Engine>, demand: Demand, position: usize, patience: Patience) -> Self {
        Self { entries: vec![Entry { position, engine, demand }], patience, raced: false }
    }

    /// Asks each set. `Err` are the sets in which it may wait.
    fn ask(mut self) -> Result<Outcome, Vec<Entry>> {
        let mut errors = Vec::new();
        // Who waits in one of several waits in those too that are late by now: what comes back may be there first.
        if let Some(deadline) = self.patience.deadline()
            && (self.raced || self.entries.len() > 1)
        {
            let is_late = |entry: &Entry| entry.engine.is_late(&entry.demand.wishes, deadline);
            self.entries = match ask_each(self.entries, Patience::Forever, &mut errors) {
                Err(waitable) if !self.raced && waitable.iter().all(is_late) => waitable,
                answer => return answer,
            };
        }
        ask_each(self.entries, self.patience, &mut errors)
    }

    /// The outcome, if that needs no wait; what would have to wait is refused by nobody.
    pub(super) fn ask_now(mut self) -> Option<Outcome> {
        let mut is_never = true;
        for index in 0..self.entries.len() {
            let Entry { engine, demand, .. } = &self.entries[index];
            match engine.admit(demand, Patience::Question) {
                Ok(Some(taken_at)) => {
                    let Entry { engine, demand, position } = self.entries.swap_remove(index);
                    return Some(Ok(LimitSetAcquisition::local(engine, demand.items(), taken_at, position)));
                }
                Ok(None) => is_never = false,
                Err(_) => {}
            }
        }
        if !is_never {
            return None;
        }
        // It is final, so each tells why, and counts it.
        match ask_each(self.entries, Patience::None, &mut Vec::new()) {
            Ok(outcome @ (Ok(_) | Err(LimitError::Never { .. }))) => Some(outcome),
            // A capacity was raised meanwhile.
            _ => None,
        }
    }

    /// That of its sets.
    pub(super) fn clock(&self) -> Option<&Arc<dyn Clock>> {
        self.entries.first().map(|entry| &entry.engine.clock)
    }

    /// Since when it waits, and the deadline by which its sets can tell that it would be too late. Of several parts, none
    /// knows what the others do.
    fn times(&self) -> (Timestamp, Option<Timestamp>) {
        let now = self.clock().map_or_else(Timestamp::default, |clock| clock.now());
        (now, self.patience.deadline().filter(|_| !self.raced))
    }

    /// Asks, and lines up if that is what it takes.
    pub(super) fn begin(self, waker: &Waker) -> Result<Outcome, Waiting> {
        let times = self.times();
        self.ask().map_err(|entries| Waiting::start(entries, times, waker.clone(), false))
    }

    /// Carries it out on this thread.
    pub(super) fn block(self) -> Outcome {
        let (times, deadline) = (self.times(), self.patience.deadline());
        match self.ask() {
            Ok(outcome) => outcome,
            Err(entries) => Waiting::start(entries, times, thread_waker(), true).block(deadline),
        }
    }
}

/// Asks each set once, and adds up why they refuse. `Err` are those in which one may wait.
fn ask_each(
    entries: Vec<Entry>,
    patience: Patience,
    errors: &mut Vec<LimitError>,
) -> Result<Outcome, Vec<Entry>> {
    let mut waitable = Vec::new();
    for entry in entries {
        match entry.engine.admit(&entry.demand, patience) {
            Ok(Some(taken_at)) => {
                let Entry { engine, demand, position } = entry;
                return Ok(Ok(LimitSetAcquisition::local(engine, demand.items(), taken_at, position)));
            }
            Ok(None) => waitable.push(entry),
            Err(error) => errors.push(error),
        }
    }
    if waitable.is_empty() { Ok(Err(first_error(std::mem::take(errors)))) } else { Err(waitable) }
}

/// Of several refusals, the one that could admit first.
pub(super) fn first_error(errors: Vec<LimitError>) -> LimitError {
    errors.into_iter().min_by_key(soonest).unwrap_or(LimitError::EmptyPool)
}

/// A plan for the sets of each clock: instants of different clocks cannot be compared.
fn plans(mut entries: Vec<Entry>, wait: Wait) -> impl Iterator<Item = Plan> {
    std::iter::from_fn(move || {
        let clock = Arc::clone(&entries.first()?.engine.clock);
        let is_of_another = |entry: &mut Entry| entry.engine.clock.identity() != clock.identity();
        let others = entries.extract_if(.., is_of_another).collect();
        let patience = Patience::new(wait, &*clock);
        Some(Plan { entries: std::mem::replace(&mut entries, others), patience, raced: false })
    })
}

/// A request to one set.
pub(crate) fn acquire_of(set: &LimitSet, position: usize, request: &impl Request, wait: Wait) -> Acquire {
    let Repr::Local(engine) = &set.repr else {
        return acquire_earliest(std::iter::once((position, set)), request, wait);
    };
    let patience = Patience::new(wait, &*engine.clock);
    if let Some(wish) = Demand::of_one(request, &engine.definition) {
        return Acquire::simple(Simple::new(Arc::clone(engine), wish, position, patience));
    }
    match Demand::of(request, &engine.definition) {
        Ok(demand) => Acquire::planned(Plan::of_one(Arc::clone(engine), demand, position, patience)),
        Err(error) => Acquire::failed(error),
    }
}

/// A request to whichever of `sets` admits it first. Only one of them is ever taken from, with one exception: when some
/// live in another process or have another clock, two may grant at one moment, and then one is given back unused.
///
/// Who has a deadline waits in a set that would be late too, as long as another may be in time. Here too those in another
/// process are the exception: their owner knows of no others, and refuses at once when all that it was asked for are late.
pub(crate) fn acquire_earliest<'a>(
    sets: impl Iterator<Item = (usize, &'a LimitSet)>,
    request: &impl Request,
    wait: Wait,
) -> Acquire {
    let mut entries = Vec::new();
    let mut remotes: Vec<Vec<(usize, &Arc<RemoteSet>)>> = Vec::new();
    let mut errors = Vec::new();
    for (position, set) in sets {
        match &set.repr {
            Repr::Empty(config) => {
                return Acquire::ready(Ok(LimitSetAcquisition::nothing(config.clone(), position)));
            }
            Repr::Local(engine) => match Demand::of(request, &engine.definition) {
                Ok(demand) => entries.push(Entry { position, engine: Arc::clone(engine), demand }),
                Err(error) => errors.push(error),
            },
            Repr::Remote(remote) => match remotes.iter_mut().find(|group| group[0].1.is_beside(remote)) {
                Some(group) => group.push((position, remote)),
                None => remotes.push(vec![(position, remote)]),
            },
        }
    }
    let mut plans: Vec<Plan> = plans(entries, wait).collect();
    let raced = plans.len() + remotes.len() > 1;
    for plan in &mut plans {
        plan.raced = raced;
    }
    let remotes = remotes.into_iter().map(|group| Acquire::remote(RemoteWaiting::new(&group, request, wait)));
    let mut parts: Vec<Acquire> = plans.into_iter().map(Acquire::planned).chain(remotes).collect();
    match parts.len() {
        0 => Acquire::ready(Err(first_error(errors))),
        1 => parts.remove(0),
        _ => Acquire::race(parts),
    }
}
