//! Workers that wait for calls which only they could run.
//!
//! A worker's thread tells when a method sends it to sleep. Once all who could run a waiting call sleep, and one of them
//! sleeps until that very call is done, nobody ever would run it: it is taken out, to be answered with
//! [`CallError::WouldDeadlock`](concurry_core::call::CallError::WouldDeadlock), which wakes the worker. That it waits is
//! known through whatever is made of the call: `map`, `gather`, a retry.
//!
//! Looked for when a worker falls asleep, among the calls that it has submitted itself in the method that sleeps, then among those
//! of others who sleep; and when a worker ends. So who waits for other pools, with however many calls behind it, pays nothing.

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
use super::queue::{Queue, State};
use crate::attempt::refuse;
use crate::worker::{Queued, Worker};

/// One worker of a pool, as a sleeper.
pub(crate) struct Sleeper<W: Worker> {
    queue: Weak<Queue<W::Message>>,
    number: usize,
}

impl<W: Worker> Sleeper<W> {
    pub(crate) fn new(queue: &Arc<Queue<W::Message>>, number: usize) -> Arc<Self> {
        Arc::new(Self { queue: Arc::downgrade(queue), number })
    }
}

/// What goes on in a pool from within.
#[derive(Default)]
pub(super) struct Within {
    /// Workers that a method has sent to sleep, by number, and what wakes them.
    asleep: BTreeMap<usize, Waker>,
    /// The ages of the calls that the method which a worker runs has submitted to its own pool.
    submitted: BTreeMap<usize, Vec<u64>>,
}

impl Within {
    /// A method that worker `number` runs submits a call.
    #[inline]
    pub(super) fn submits(&mut self, number: usize, age: u64) {
        self.submitted.entry(number).or_default().push(age);
    }

    /// Worker `number` has run a method to its end.
    #[inline]
    pub(super) fn ends(&mut self, number: usize) {
        if !self.submitted.is_empty() {
            self.submitted.remove(&number);
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
        let in_vain = self.queue.upgrade().map(|queue| queue.falls_asleep(self.number, waker));
        for message in in_vain.into_iter().flatten() {
            refuse::<W>(message, CallError::WouldDeadlock);
        }
    }

    fn wakes_up(&self) {
        if let Some(queue) = self.queue.upgrade() {
            let waker = lock(&queue.state).within.asleep.remove(&self.number);
            // It may be a foreign one: not under the lock.
            drop(waker);
        }
    }
}

impl<M: Queued> Queue<M> {
    /// Worker `number` sleeps until `waker` is woken. The calls that it would wait for in vain, taken out.
    fn falls_asleep(&self, number: usize, waker: &Waker) -> Vec<M> {
        let left = waker.clone();
        let mut state = self.state();
        let before = state.within.asleep.insert(number, left);
        let mut ages = state.in_vain(number, waker);
        if ages.is_empty() {
            // It may have been the last that could have run what another one waits for.
            let others = state.within.asleep.iter();
            let found =
                others.map(|(other, waker)| state.in_vain(*other, waker)).find(|ages| !ages.is_empty());
            ages = found.unwrap_or_default();
        }
        let calls = take_out(state, &ages);
        drop(before);
        calls
    }

    /// A worker has ended. The calls that others wait for in vain since then, taken out.
    pub(crate) fn waited_for_in_vain(&self) -> Vec<M> {
        let state = self.state();
        let asleep = state.within.asleep.iter();
        let ages: Vec<u64> = asleep.flat_map(|(number, waker)| state.in_vain(*number, waker)).collect();
        take_out(state, &ages)
    }
}

/// Takes the calls of these ages out of where they wait.
fn take_out<M: Queued>(mut state: MutexGuard<'_, State<M>>, ages: &[u64]) -> Vec<M> {
    let (mut calls, mut others, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for age in ages {
        let backing_off = state.backing_off.remove(age).map(BackingOff::into_message);
        let (waiting, heir) = state.withdraw(*age);
        let taken_out = waiting.or(backing_off);
        let room = taken_out.as_ref().and_then(|_| state.submitters.pop_front());
        notes.extend(taken_out.as_ref().and_then(|_| state.leaves(*age)));
        others.extend(room.into_iter().chain(heir));
        calls.extend(taken_out);
    }
    if !calls.is_empty() {
        tell(state);
        others.into_iter().for_each(Waker::wake);
        drop(notes);
    }
    calls
}

impl<M: Queued> State<M> {
    /// The ages of the calls that worker `number` waits for, which `waker` wakes, and that nobody can run.
    fn in_vain(&self, number: usize, waker: &Waker) -> Vec<u64> {
        let Some(submitted) = self.within.submitted.get(&number) else { return Vec::new() };
        let sleeps = |number| self.within.asleep.contains_key(&number);
        // A call in a lane has whoever could be made for it on the way already; one that backs off has not.
        let more_may_come = self.staffing.idle.is_some() && self.workers.there() < self.staffing.target;
        let all_sleep = self.workers.numbers().all(sleeps);
        let (mut needed, mut any, mut of) = (Vec::new(), Vec::new(), 0);
        for age in submitted {
            let backs_off = || Some((None, self.backing_off.get(age)?.message()));
            let stands = self.lanes.get(*age);
            let more_may_come = more_may_come && stands.is_none();
            let Some((worker, message)) = stands.or_else(backs_off) else { continue };
            if !worker.map_or(all_sleep && !more_may_come, sleeps) {
                continue;
            }
            match message.awaited_by(waker) {
                Awaited::No => {}
                Awaited::Needed => needed.push(*age),
                Awaited::OneOf(count) => {
                    any.push(*age);
                    of = count;
                }
            }
        }
        if any.len() == of {
            needed.append(&mut any);
        }
        needed
    }
}
