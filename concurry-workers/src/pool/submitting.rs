//! How calls get into the queue, and what happens to one that finds it full.

use std::task::Waker;

use concurry_core::park;
use concurry_core::when_full::WhenFull;

use super::blocking::is_run_by_this_thread;
use super::cancelled::sweep;
use super::comeback::BackingOff;
use super::ending::wake;
use super::notes::Noted;
use super::queue::{Queue, State};
use super::serving::{runner_of, serves, submitter_of};
use super::trace::Names;
use crate::runtime::here;
use crate::worker::Queued;

/// Where a call belongs.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Route {
    /// Its place, if it has had one before.
    pub(crate) age: Option<u64>,
    /// What calls have in common that are to go to one worker.
    pub(crate) affinity: Option<u64>,
}

impl Route {
    /// Whether it is to any worker, after all others.
    #[inline]
    fn is_plain(self) -> bool {
        self.age.is_none() && self.affinity.is_none()
    }
}

/// Why a call did not get into the queue.
pub(crate) enum Refused<M> {
    /// It is closed.
    Closed(M),
    /// It is full, and the call is not to wait; this many may.
    Full(M, usize),
    /// It is full, and this thread serves the pool, or alone runs its tasks.
    WouldDeadlock(M),
}

/// The oldest call, which makes room for a new one: to be let go of outside of the lock.
enum Displaced<M> {
    Waited(M),
    BackedOff(BackingOff<M>),
}

impl<M> Displaced<M> {
    fn into_message(self) -> M {
        match self {
            Self::Waited(message) => message,
            Self::BackedOff(call) => call.into_message(),
        }
    }
}

impl<M: Queued> State<M> {
    /// Takes out the oldest call that waits, be it for a worker or for its time; and the worker that is to look at the next one of
    /// its lane.
    fn displace(&mut self) -> Option<(Displaced<M>, Noted, Option<Waker>)> {
        let first = self.backing_off.first_key_value().map(|(age, _)| *age);
        if first.is_some() && self.lanes.oldest_age().is_none_or(|age| first < Some(age)) {
            let (age, call) = self.backing_off.pop_first()?;
            return Some((Displaced::BackedOff(call), self.leaves(age), None));
        }
        let (need, age, message) = self.lanes.pop_oldest()?;
        self.relieve(need);
        let heir = self.heir(need);
        Some((Displaced::Waited(message), self.leaves(age), heir))
    }
}

impl<M: Queued> Queue<M> {
    /// Puts `message` down beside the queue, if it needs nothing but a place at the end; or gives it back, to be
    /// [pushed](Self::push).
    #[inline]
    pub(crate) fn put(&self, route: Route, mut message: M) -> Result<(), M> {
        let is_plain = route.is_plain()
            && !Names::are_wanted()
            && message.admission().is_none()
            && runner_of(self.number()).is_none();
        if is_plain { self.inbox.put(message) } else { Err(message) }
    }

    /// Appends `message`, or puts it to the place of its `age` if it has one. When the queue is full it waits, or gives back
    /// what has to leave.
    ///
    /// Calls that back off count as well: they are the pool's backlog. They themselves never wait for room.
    pub(crate) fn push(&self, route: Route, message: M) -> Result<Option<M>, Refused<M>> {
        let span = self.options.names.first(|| message.method());
        let runner = submitter_of(self.number());
        let mut registered: Option<Waker> = None;
        let mut is_alone = None;
        loop {
            let mut state = self.state();
            // A thread stands here once, however it was woken: the next room is for somebody who still waits.
            if let Some(me) = registered.take() {
                state.submitters.retain(|other| !other.will_wake(&me));
            }
            if !state.open {
                return Err(Refused::Closed(message));
            }
            let capacity = self.options.capacity;
            let mut displaced = None;
            if state.backlog() >= capacity {
                if state.cancelled > 0 {
                    sweep(state);
                    continue;
                }
                match self.options.when_full {
                    // Nobody else might make room.
                    WhenFull::Wait if serves(self.number()) || is_alone == Some(true) => {
                        return Err(Refused::WouldDeadlock(message));
                    }
                    // Tokio is asked without the lock.
                    WhenFull::Wait if is_alone.is_none() => {
                        drop(state);
                        is_alone = Some(is_run_by_this_thread(self.number()));
                        continue;
                    }
                    WhenFull::Wait => {
                        let me = park::thread_waker();
                        state.submitters.push_back(me.clone());
                        registered = Some(me);
                        drop(state);
                        here::blocking(std::thread::park);
                        continue;
                    }
                    WhenFull::Reject => return Err(Refused::Full(message, capacity)),
                    WhenFull::DropOldest => match state.displace() {
                        Some(oldest) => displaced = Some(oldest),
                        // Their limits are being asked for all that wait.
                        None => return Err(Refused::Full(message, capacity)),
                    },
                }
            }
            let age = route.age.unwrap_or_else(|| state.age());
            let help = state.place(route.affinity, age, message, span);
            if let Some(runner) = runner {
                state.submits(runner, age);
            }
            state.take_in();
            drop(state);
            self.help(help);
            return Ok(displaced.map(|(call, _, heir)| {
                wake(heir);
                call.into_message()
            }));
        }
    }
}
