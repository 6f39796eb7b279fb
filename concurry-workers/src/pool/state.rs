//! What all share of a queue, under its one lock: what waits where, who works, and who is to be told.
//!
//! Nothing in here wakes, asks or drops anything foreign: it is handed out, for after the lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use tracing::Span;

use super::ahead::Ahead;
use super::balancing::Workers;
use super::comeback::BackingOff;
use super::deadlock::Within;
use super::idle::Idle;
use super::inbox::Inbox;
use super::lanes::{Lanes, Need};
use super::notes::{Noted, Notes};
use super::presence::Presence;
use super::returns::Returns;
use super::serving::Runner;
use super::staffing::{Help, Staffing};
use crate::admission::Standing;
use crate::worker::Queued;

pub(super) struct State<M> {
    /// Calls that wait for a worker, and perhaps for their limits.
    pub(super) lanes: Lanes<M>,
    /// Calls that were put down beside the lanes.
    pub(super) inbox: Arc<Inbox<M>>,
    /// What the inbox may let in: nothing when calls need more than a place at the end; or as many as may wait.
    pub(super) capacity: usize,
    /// Calls that wait for their time to be tried again, by age.
    pub(super) backing_off: BTreeMap<u64, BackingOff<M>>,
    pub(super) returns: Returns,
    /// What is noted of some calls.
    pub(super) notes: Notes,
    /// Nothing is to be run any more, and nothing comes back.
    pub(super) stopped: bool,
    /// Calls taken by a worker and not yet finished.
    pub(super) running: usize,
    pub(super) presence: Arc<Presence>,
    /// Calls taken by a worker that runs another one as yet.
    pub(super) ahead: Ahead,
    /// Workers that are there: they, and only they, take calls.
    pub(super) workers: Workers,
    pub(super) within: Within<M>,
    pub(super) staffing: Staffing,
    pub(super) open: bool,
    pub(super) idle: Idle,
    pub(super) submitters: VecDeque<Waker>,
    /// How many calls were cancelled since those that wait were looked through, wherever they are.
    pub(super) cancelled: usize,
    pub(super) observers: Vec<Waker>,
}

impl<M: Queued> State<M> {
    /// Worker `number` is not free any more. Gives up the places in the queue of the limits whose calls no other is free to run.
    pub(super) fn unask(&mut self, number: usize) -> Vec<Standing> {
        let nobody_is = self.idle.len() + self.workers.coming() == 0;
        self.lanes.unask(|need| nobody_is || need.worker == Some(number))
    }

    /// Puts a call to its place, and says who is to look for it.
    pub(super) fn place(&mut self, affinity: Option<u64>, age: u64, mut message: M, span: Span) -> Help {
        self.notes.waits(age, span);
        let limited = message.admission().map(|(method, _)| method);
        let need = Need { worker: self.worker_of(affinity), limited };
        self.place_for(need, age, message)
    }

    /// Puts a call to its place in a lane, and says who is to look for it.
    pub(super) fn place_for(&mut self, need: Need, age: u64, message: M) -> Help {
        self.returns.waits(age);
        let is_found = self.lanes.place(need, age, message);
        self.inbox.tell();
        let idle = if is_found { self.worker_for(need) } else { None };
        Help { idle, hired: self.hire() }
    }
}

impl<M> State<M> {
    /// The worker that is to be woken for a call: an idle one, or one that can take it ahead.
    fn worker_for(&mut self, need: Need) -> Option<Waker> {
        let idle = match need.worker {
            Some(number) => {
                let waker = self.idle.remove(number);
                if waker.is_some() {
                    self.workers.sets_out(number);
                }
                waker
            }
            None => self.wake_one(),
        };
        idle.or_else(|| self.ahead.with_room(need))
    }

    /// An idle worker that is to look for a call.
    pub(super) fn wake_one(&mut self) -> Option<Waker> {
        let (number, waker) = self.idle.pop()?;
        self.workers.sets_out(number);
        Some(waker)
    }

    /// The age of a call that comes now: after all that were put down.
    pub(super) fn age(&mut self) -> u64 {
        let room = self.room();
        self.lanes.take_in(&self.inbox, room, 1)
    }

    /// Takes in what was put down beside the lanes, and has the inbox know what may come.
    pub(super) fn take_in(&mut self) {
        let room = self.room();
        self.lanes.take_in(&self.inbox, room, 0);
    }

    /// How many calls may be put down without anything else to be done for them.
    fn room(&self) -> usize {
        if !self.open || self.idle.len() > 0 || self.ahead.is_short() || !self.submitters.is_empty() {
            return 0;
        }
        self.capacity.saturating_sub(self.backlog())
    }

    /// Whether every call that was submitted has been answered.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.running == 0 && self.presence.is_empty() && self.returns.is_empty()
    }

    /// Whether there is, and will be, nothing for a worker to do.
    pub(super) fn is_over(&self) -> bool {
        !self.open && self.lanes.is_empty() && (self.stopped || self.returns.is_empty())
    }

    /// When the first call of a lane was taken out, the worker that is to look at the next one.
    pub(super) fn heir(&mut self, need: Need) -> Option<Waker> {
        if need.limited.is_some() && self.lanes.open(need) { self.worker_for(need) } else { None }
    }

    /// A worker takes a call; one that was given to it counted as its own before.
    pub(super) fn takes(&mut self, number: usize, need: Need, age: u64) -> Noted {
        self.workers.takes(number, need.worker.is_none());
        self.returns.runs_again(age);
        self.within.takes(number, age);
        self.notes.taken(age)
    }

    /// A call that a worker took has run. What is given back is to be dropped outside of the lock.
    pub(super) fn ran(&mut self, number: usize, noted: Noted) -> Noted {
        self.within.ends(Runner::alone(number));
        self.ran_beside(number, noted)
    }

    /// As [`ran`](Self::ran), of one that ran beside others: the worker may run another one by now that has it for itself.
    pub(super) fn ran_beside(&mut self, number: usize, noted: Noted) -> Noted {
        self.running -= 1;
        self.workers.ran(number);
        self.notes.ran(noted)
    }

    /// A call leaves the queue without being run. What is given back is to be dropped outside of the lock.
    pub(super) fn leaves(&mut self, age: u64) -> Noted {
        self.returns.leaves(age);
        self.notes.remove(age)
    }

    /// Takes a call out of the lanes, and says which worker is to look at the next one.
    pub(super) fn withdraw(&mut self, age: u64) -> (Option<M>, Option<Waker>) {
        let Some((need, message)) = self.lanes.withdraw(age) else { return (None, None) };
        self.relieve(need);
        (Some(message), self.heir(need))
    }

    /// A call leaves the lanes without being run.
    pub(super) fn relieve(&mut self, need: Need) {
        if let Some(number) = need.worker {
            self.workers.relieved(number);
        }
    }
}
