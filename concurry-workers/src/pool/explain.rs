//! How it stands with a call: what is said when somebody asks.
//!
//! The call is looked for among those that wait, in the queue, at hand of a worker that has not begun them, or for a worker that
//! others have on loan; what is nowhere there runs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use concurry_core::call::{Explains, Explanation, HeldBy, Look};
use concurry_core::panics::contain;
use concurry_core::sync::lock;
use concurry_limits::{Admission, LimitPool};

use super::lane::Gate;
use super::lanes::{Lanes, Need};
use super::queue::{Queue, State};
use crate::worker::{Message, Queued};

/// A call that waits.
struct Place {
    age: u64,
    ahead: usize,
    need: Need,
    /// What it needs of the limits, if it declares that.
    limits: Needed,
    /// Those ahead that want limits which this one does not, by what they want: they are passed by when a worker comes free before
    /// the limits admit the first.
    passable: Vec<(usize, Needed)>,
}

/// What a call needs of the limits.
type Needed = Vec<(&'static str, u64)>;

/// How it stands with a call that waits for a worker, as far as the queue knows.
struct Waits {
    place: Place,
    workers: usize,
    /// So many of the workers have a call.
    busy: usize,
    mean_run: Option<Duration>,
}

impl Waits {
    /// What the limits say is foreign code, so this is not done under the lock.
    fn explain(self, limits: &LimitPool) -> Explanation {
        let Self { place: Place { ahead, limits: needed, passable, .. }, workers, busy, mean_run } = self;
        // Each worker has one call before it gets to those ahead; the workers that are idle have none.
        let rounds = |ahead: usize| u32::try_from((ahead + busy) / workers).unwrap_or(u32::MAX);
        let after = |ahead| mean_run.map(|run| run.saturating_mul(rounds(ahead)));
        let least = ahead - passable.iter().map(|(calls, _)| calls).sum::<usize>();
        let turn = after(least).unwrap_or_default();
        // What is held by those that run comes back with a worker. By then it may be admitted, and is older.
        let is_passed =
            |needed: &Needed| holder(limits, needed).and_then(|limit| limit.admits_in) > Some(turn);
        let passed = passable.iter().filter(|(_, needed)| is_passed(needed)).map(|(calls, _)| calls);
        let ahead = ahead - passed.sum::<usize>();
        let held_by = if needed.is_empty() { None } else { holder(limits, &needed) };
        let expected = after(ahead).max(held_by.as_ref().and_then(|limit| limit.admits_in));
        Explanation::Queued { ahead, workers, held_by, expected }
    }
}

impl<M: Message> Lanes<M> {
    /// The call of this number, or of this age.
    fn look_for(&mut self, call: usize, age: Option<u64>) -> Option<Place> {
        let is_it = |(other, message): &&mut (u64, M)| match age {
            Some(age) => *other == age,
            None => message.call() == call,
        };
        let free = self.free.0.iter_mut().find(is_it).map(|(age, _)| (Need::default(), *age, Needed::new()));
        let (need, age, limits) = free.or_else(|| {
            self.others.iter_mut().find_map(|(need, lane)| {
                if let Gate::Asking { age: asked, call: other, .. } = lane.gate
                    && age.map_or(other == call, |age| age == asked)
                {
                    return Some((*need, asked, Needed::new()));
                }
                let (age, message) = lane.first.iter_mut().chain(&mut lane.calls.0).find(is_it)?;
                Some((*need, *age, needed_by(message)))
            })
        })?;
        let (ahead, passable) = self.ahead(need, age, &limits);
        Some(Place { age, ahead, need, limits, passable })
    }

    /// How many older calls wait that a worker takes before one with this need; those of them that want other limits, by what they want.
    fn ahead(&mut self, need: Need, age: u64, limits: &Needed) -> (usize, Vec<(usize, Needed)>) {
        let older = |calls: &VecDeque<(u64, M)>| calls.partition_point(|(other, _)| *other < age);
        let in_its_way = |other: &Need| match (need.worker, other.worker) {
            (Some(mine), Some(other)) => mine == other,
            _ => true,
        };
        let (mut ahead, mut passable) = (older(&self.free.0), BTreeMap::<Needed, usize>::new());
        for (other, lane) in self.others.iter_mut().filter(|(other, _)| in_its_way(other)) {
            let first = match (&lane.first, lane.gate) {
                // None of its lane goes before what stands in the queue of the limits.
                (Some((first, _)), _) => *first < age || (*other == need && *first != age),
                (None, Gate::Asking { age: asked, .. }) => asked < age,
                _ => false,
            };
            let calls = older(&lane.calls.0) + usize::from(first);
            ahead += calls;
            if let Some((_, message)) = lane.first.iter_mut().chain(&mut lane.calls.0).next()
                && *other != need
            {
                *passable.entry(needed_by(message)).or_default() += calls;
            }
        }
        let is_shared =
            |needed: &Needed| needed.iter().any(|(key, _)| limits.iter().any(|(mine, _)| mine == key));
        let is_passable =
            |(needed, calls): &(Needed, usize)| *calls > 0 && !needed.is_empty() && !is_shared(needed);
        let passable = passable.into_iter().filter(is_passable).map(|(needed, calls)| (calls, needed));
        (ahead, passable.collect())
    }
}

fn needed_by<M: Message>(message: &mut M) -> Needed {
    message.admission().map(|(_, admission)| admission.needed()).unwrap_or_default()
}

impl<M: Queued> State<M> {
    /// An explanation that is complete, or what is to be completed by what the limits say.
    fn explain(&mut self, call: usize) -> Result<Explanation, Waits> {
        let age = self.returns.age_of(call);
        if let Some(waiting) = age.and_then(|age| self.backing_off.get(&age)) {
            let left = waiting.at - self.notes.now();
            return Ok(Explanation::BackingOff { attempts: waiting.attempt - 1, left });
        }
        let place = self.lanes.look_for(call, age).map(|place| {
            let at_hand = self.ahead.older(place.age, place.need.worker);
            Place { ahead: place.ahead + at_hand, ..place }
        });
        let place = place.or_else(|| {
            // It waits for the worker that has it, and that has others before it, or is on loan to some.
            let on_loan = self.within.on_loan.has(call, age).then_some(0);
            let ahead = on_loan.or_else(|| self.ahead.place_of(call, age))?;
            let need = Need { worker: Some(0), limited: None };
            Some(Place { age: 0, ahead, need, limits: Needed::new(), passable: Vec::new() })
        });
        let Some(place) = place else { return Ok(Explanation::Running) };
        let workers = if place.need.worker.is_some() { 1 } else { self.staffing.target.max(1) };
        Err(Waits { place, workers, busy: self.running.min(workers), mean_run: self.notes.mean_run() })
    }
}

impl<M: Queued> Explains for Queue<M> {
    fn age_of(&self, call: usize) -> Option<u64> {
        self.state().returns.age_of(call)
    }

    fn end_by_force(&self, call: usize, age: Option<u64>) {
        let enders = self.state().ahead.enders();
        for ender in enders {
            if ender.upgrade().is_some_and(|ender| ender.end_by_force(call, age)) {
                return;
            }
        }
    }

    fn explain(&self, call: usize) -> Explanation {
        let told = self.state().explain(call);
        told.unwrap_or_else(|waits| waits.explain(&self.options.limits))
    }

    fn is_cancelled(&self, call: usize) {
        self.counts_cancelled(call);
    }

    fn help(&self, call: usize, look: Look<'_>) {
        let whose = lock(&self.state).ahead.whose(call);
        if !whose.and_then(|ender| ender.upgrade()).is_some_and(|ender| ender.help(call, look)) {
            look(&mut || false);
        }
    }
}

/// The limit that admits this request last, of the set that would admit it first; none if one admits it now. Of a set that does not
/// answer nothing is known.
fn holder(limits: &LimitPool, needed: &[(&'static str, u64)]) -> Option<HeldBy> {
    contain("a limit", || ask(limits, needed)).flatten()
}

fn ask(limits: &LimitPool, needed: &[(&'static str, u64)]) -> Option<HeldBy> {
    let held = limits.sets().iter().filter_map(|set| match set.would_admit_queued(needed) {
        Admission::In(wait, key) => Some(Some(HeldBy { key, admits_in: Some(wait) })),
        Admission::OnRelease(key) => Some(Some(HeldBy { key, admits_in: None })),
        Admission::Unknown(_) => None,
        _ => Some(None),
    });
    let first = |held: &Option<HeldBy>| held.as_ref().map(|limit| limit.admits_in.unwrap_or(Duration::MAX));
    held.min_by_key(first).flatten()
}
