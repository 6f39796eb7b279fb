//! Workers that wait for calls which only they could run.
//!
//! Whoever runs a method is told when that sends it to sleep. A call is waited for in vain when all who could run it sleep
//! themselves until calls are done that are waited for in vain: nobody ever would run it. One who waits for anything else, a
//! limit, a timer, another pool, will go on, and with it whoever waits for it. Of those that remain one has its calls taken out,
//! to be answered with [`CallError::WouldDeadlock`](concurry_core::call::CallError::WouldDeadlock), which wakes it. That it waits
//! is known through whatever is made of the call: `map`, `gather`, a retry. Of a call that runs nobody knows who waits for it: one
//! who sleeps and waits for none that is known is taken to wait for what it has submitted and what runs.
//!
//! Looked for when a method falls asleep that has submitted calls to its own pool, when a worker waits for the methods that run
//! beside each other on it, and when a worker ends. Only calls that the sleeper has submitted itself are looked at: so who waits
//! for other pools, with however many calls behind it, pays nothing.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::Waker;

use concurry_core::call::{Awaited, CallError};
use concurry_core::park::Sleepers;
use concurry_core::sync::lock;

use super::comeback::BackingOff;
use super::ending::tell;
use super::on_loan::OnLoan;
use super::queue::{Queue, State};
use super::serving::Runner;
use crate::attempt::refuse;
use crate::worker::{Queued, Worker};

/// One who runs a method of a pool, as a sleeper.
pub(crate) struct Sleeper<W: Worker> {
    queue: Weak<Queue<W::Message>>,
    runner: Runner,
    /// The age of the call that it runs; none of one that runs what its worker has taken last.
    age: Option<u64>,
    holds: Holds,
}

/// Who cannot go on while a method sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Nobody,
    Worker,
    /// All workers of its pool.
    Pool,
}

impl Holds {
    /// Whether a `runner` who holds these holds that worker.
    fn holds(self, runner: Runner, worker: usize) -> bool {
        match self {
            Self::Nobody => false,
            Self::Worker => runner.worker == worker,
            Self::Pool => true,
        }
    }
}

impl<W: Worker> Sleeper<W> {
    pub(crate) fn new(queue: &Arc<Queue<W::Message>>, runner: Runner, age: Option<u64>) -> Self {
        let holds = if runner == Runner::alone(runner.worker) { Holds::Worker } else { Holds::Nobody };
        Self { queue: Arc::downgrade(queue), runner, age, holds }
    }

    /// These cannot go on while it sleeps.
    pub(super) fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }
}

/// What goes on in a pool from within.
pub(super) struct Within<M> {
    /// Those whom a method has sent to sleep, and what wakes them.
    asleep: BTreeMap<Runner, Sleeps>,
    /// The age of the call that each worker has taken last.
    taken: Vec<u64>,
    /// What a method that still runs has submitted to its own pool.
    submitted: BTreeMap<Runner, Submitted>,
    /// Calls in the hands of workers that wait until others have ended.
    pub(super) on_loan: OnLoan<M>,
}

struct Sleeps {
    waker: Waker,
    /// The age of the call that it runs.
    age: u64,
    holds: Holds,
}

/// The ages of calls, of which those that were answered are forgotten from time to time.
#[derive(Default)]
struct Submitted {
    ages: Vec<u64>,
    /// How many were left when they were last looked through.
    left: usize,
}

impl<M> Default for Within<M> {
    fn default() -> Self {
        let (asleep, submitted) = (BTreeMap::new(), BTreeMap::new());
        Self { asleep, taken: Vec::new(), submitted, on_loan: OnLoan::default() }
    }
}

impl<M> Within<M> {
    /// Worker `number` takes the call of this age.
    #[inline]
    pub(super) fn takes(&mut self, number: usize, age: u64) {
        if self.taken.len() <= number {
            self.taken.resize(number + 1, 0);
        }
        self.taken[number] = age;
    }

    /// How many calls it knows of that methods have submitted.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.submitted.values().map(|submitted| submitted.ages.len()).sum()
    }

    /// Whether the call of this age is known to run.
    fn runs(&self, age: u64) -> bool {
        self.taken.contains(&age) || self.asleep.values().any(|sleeps| sleeps.age == age)
    }

    /// A method has run to its end.
    #[inline]
    pub(super) fn ends(&mut self, runner: Runner) {
        if !self.submitted.is_empty() {
            self.submitted.remove(&runner);
        }
    }
}

impl<W: Worker> Sleeper<W> {
    /// Runs an async method that has its worker for itself: while it is pending, the worker sleeps.
    pub(crate) async fn watch<F: Future>(&self, method: F) -> F::Output {
        let (mut method, mut asleep) = (pin!(method), None);
        poll_fn(|context| {
            drop(asleep.take());
            let polled = method.as_mut().poll(context);
            if polled.is_pending() {
                self.falls_asleep(context.waker());
                asleep = Some(Asleep(self));
            }
            polled
        })
        .await
    }
}

/// Tells that a worker is awake, also when its runtime drops what it runs.
struct Asleep<'a, W: Worker>(&'a Sleeper<W>);

impl<W: Worker> Drop for Asleep<'_, W> {
    fn drop(&mut self) {
        self.0.wakes_up();
    }
}

impl<W: Worker> Sleepers for Sleeper<W> {
    fn falls_asleep(&self, waker: &Waker) {
        let in_vain = self.queue.upgrade().map(|queue| queue.falls_asleep(self, waker));
        let in_vain = in_vain.unwrap_or_default();
        let is_told = !in_vain.is_empty();
        tell_all::<W>(in_vain);
        if is_told {
            // What was run with that may have slept here itself, and so have eaten what wakes this thread.
            waker.wake_by_ref();
        }
    }

    fn wakes_up(&self) {
        if let Some(queue) = self.queue.upgrade() {
            let waker = lock(&queue.state).within.asleep.remove(&self.runner);
            // It may be a foreign one: not under the lock.
            drop(waker);
        }
    }
}

/// Tells those who wait for these calls that it is in vain.
pub(crate) fn tell_all<W: Worker>(in_vain: impl IntoIterator<Item = W::Message>) {
    for message in in_vain {
        refuse::<W>(message, CallError::WouldDeadlock);
    }
}

impl<M: Queued> Queue<M> {
    /// What runs a method sleeps until `waker` is woken. The calls that are waited for in vain now, taken out.
    fn falls_asleep<W: Worker>(&self, sleeper: &Sleeper<W>, waker: &Waker) -> Vec<M> {
        let (runner, waker) = (sleeper.runner, waker.clone());
        let holds = sleeper.holds;
        let mut state = self.state();
        let age = sleeper.age.or_else(|| state.within.taken.get(runner.worker).copied()).unwrap_or_default();
        let before = state.within.asleep.insert(runner, Sleeps { waker, age, holds });
        let ages = state.in_vain(Some(runner));
        let calls = take_out(state, &ages);
        drop(before);
        calls
    }

    /// A worker has ended, or waits for others. The calls that are waited for in vain since then, taken out.
    pub(crate) fn waited_for_in_vain(&self) -> Vec<M> {
        let state = self.state();
        let ages = state.in_vain(None);
        take_out(state, &ages)
    }

    /// A method that runs beside others has ended, which had submitted calls to its own pool.
    pub(crate) fn beside_ends(&self, runner: Runner) {
        self.state().within.ends(runner);
    }
}

/// Takes the calls of these ages out of where they wait.
fn take_out<M: Queued>(mut state: MutexGuard<'_, State<M>>, ages: &[u64]) -> Vec<M> {
    let (mut calls, mut others, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut backing_off = Vec::new();
    for age in ages {
        if let Some((message, worker)) = state.within.on_loan.take_of(*age) {
            calls.push(message);
            others.push(worker);
            continue;
        }
        let back = state.backing_off.remove(age);
        let (waiting, heir) = state.withdraw(*age);
        let is_there = waiting.is_some() || back.is_some();
        let room = if is_there { state.submitters.pop_front() } else { None };
        notes.extend(if is_there { state.leaves(*age) } else { None });
        others.extend(room.into_iter().chain(heir));
        calls.extend(waiting);
        backing_off.extend(back);
    }
    if !calls.is_empty() || !backing_off.is_empty() {
        tell(state);
        others.into_iter().for_each(Waker::wake);
        drop(notes);
    }
    // Their spans and timers are foreign: not under the lock.
    calls.extend(backing_off.into_iter().map(BackingOff::into_message));
    calls
}

/// Who could run a call.
#[derive(Clone, Copy)]
enum By {
    /// This worker.
    One(usize),
    /// Any worker that is there.
    Any,
    /// Any worker that is there, or is made for it.
    AnyMade,
}

/// A call that a sleeper waits for.
struct Waited {
    age: u64,
    by: By,
    /// It is one of so many calls, of which the sleeper waits for any; 0 if it waits for this one.
    of: usize,
    /// Which of its waits that is.
    wait: usize,
}

/// One who may wait in vain.
struct Suspect {
    /// The age of the call that it runs.
    age: u64,
    /// What it waits for.
    waited: Vec<Waited>,
    /// The ages of calls that it may wait for as well: they run, or have run.
    others: Vec<u64>,
    holds: Holds,
}

type Suspects = BTreeMap<Runner, Suspect>;

impl<M: Queued> State<M> {
    /// A method submits a call to its own pool.
    pub(super) fn submits(&mut self, runner: Runner, age: u64) {
        let submitted = self.within.submitted.entry(runner).or_default();
        submitted.ages.push(age);
        if submitted.ages.len() < 2 * submitted.left.max(32) {
            return;
        }
        let mut submitted = std::mem::take(submitted);
        let is_known = |age: &u64| {
            self.whereabouts(*age).is_some() || self.returns.may_come_again(*age) || self.within.runs(*age)
        };
        submitted.ages.retain(is_known);
        submitted.left = submitted.ages.len();
        self.within.submitted.insert(runner, submitted);
    }

    /// The ages of the calls that one sleeper waits for in vain, if any does: the `first` of all, if that is one.
    fn in_vain(&self, first: Option<Runner>) -> Vec<u64> {
        if self.within.submitted.is_empty() {
            return Vec::new();
        }
        // Where some worker is neither asleep nor waits for others, what waits for any worker is not waited for in vain; nor is what
        // waits for a certain one, where none does.
        let is_held_up = |worker| {
            let mut asleep = self.within.asleep.iter();
            asleep.any(|(runner, sleeps)| sleeps.holds.holds(*runner, worker))
                || self.within.on_loan.is_of(worker)
        };
        let is_all_for_any = !self.lanes.has_routed() && self.within.on_loan.is_empty();
        let is_any_free = self.workers.numbers().any(|worker| !is_held_up(worker));
        let is_any_held_up = self.workers.there() == 0 || self.workers.numbers().any(is_held_up);
        if !is_any_held_up || (is_any_free && is_all_for_any) {
            return Vec::new();
        }
        let suspect = |(runner, sleeps): (&Runner, &Sleeps)| Some((*runner, self.suspect(*runner, sleeps)?));
        let mut suspects: Suspects = self.within.asleep.iter().filter_map(suspect).collect();
        loop {
            let goes_on = |(runner, suspect): (&Runner, &Suspect)| {
                let waits_for_suspect = suspect.waited.is_empty()
                    && suspects.values().any(|other| suspect.others.contains(&other.age));
                let is_cleared =
                    !waits_for_suspect && self.those_in_vain(&suspect.waited, &suspects).is_empty();
                is_cleared.then_some(*runner)
            };
            let cleared: Vec<Runner> = suspects.iter().filter_map(goes_on).collect();
            if cleared.is_empty() {
                break;
            }
            suspects.retain(|runner, _| !cleared.contains(runner));
        }
        let first = first.and_then(|first| suspects.get(&first));
        let in_vain = |suspect: &Suspect| self.those_in_vain(&suspect.waited, &suspects);
        let found = first.into_iter().chain(suspects.values()).map(in_vain);
        found.into_iter().find(|ages| !ages.is_empty()).unwrap_or_default()
    }

    /// What `runner` may wait for, of what it has submitted.
    fn suspect(&self, runner: Runner, sleeps: &Sleeps) -> Option<Suspect> {
        let (mut waited, mut others) = (Vec::new(), Vec::new());
        for age in &self.within.submitted.get(&runner)?.ages {
            let Some((by, message)) = self.whereabouts(*age) else {
                others.push(*age);
                continue;
            };
            match message.awaited_by(&sleeps.waker) {
                Awaited::No => {}
                Awaited::Needed => waited.push(Waited { age: *age, by, of: 0, wait: 0 }),
                Awaited::OneOf { calls, wait } => {
                    waited.push(Waited { age: *age, by, of: calls, wait });
                }
            }
        }
        Some(Suspect { age: sleeps.age, waited, others, holds: sleeps.holds })
    }

    /// A call that nobody runs as yet, and who could.
    fn whereabouts(&self, age: u64) -> Option<(By, &M)> {
        if let Some((worker, message)) = self.lanes.get(age) {
            return Some((worker.map_or(By::Any, By::One), message));
        }
        if let Some(call) = self.backing_off.get(&age) {
            return Some((By::AnyMade, call.message()));
        }
        self.within.on_loan.get(age).map(|(worker, message)| (By::One(worker), message))
    }

    /// Those of the calls that a sleeper waits for which nobody would run, if none but the suspects sleep for ever.
    fn those_in_vain(&self, waited: &[Waited], suspects: &Suspects) -> Vec<u64> {
        let is_stuck = |worker| {
            suspects.iter().any(|(runner, suspect)| suspect.holds.holds(*runner, worker))
                || self.within.on_loan.waits_for_any(worker, suspects.keys())
        };
        // A call in a lane has whoever could be made for it on the way already; one that backs off has not.
        let more_may_come = self.staffing.idle.is_some() && self.workers.there() < self.staffing.target;
        let is_in_vain = |call: &&Waited| match call.by {
            By::One(worker) => is_stuck(worker),
            By::Any => self.workers.numbers().all(is_stuck),
            By::AnyMade => !more_may_come && self.workers.numbers().all(is_stuck),
        };
        let in_vain: Vec<&Waited> = waited.iter().filter(is_in_vain).collect();
        let mut of_waits = BTreeMap::<usize, usize>::new();
        for call in &in_vain {
            *of_waits.entry(call.wait).or_default() += 1;
        }
        let is_needed = |call: &&Waited| call.of == 0 || of_waits.get(&call.wait) == Some(&call.of);
        in_vain.into_iter().filter(is_needed).map(|call| call.age).collect()
    }
}
