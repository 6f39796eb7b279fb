//! How many workers there shall be: a number that can be changed, and pools whose workers come when a call comes and go when
//! none has come for a time.
//!
//! A worker leaves only when it looks for a call, under the queue's lock: so it never leaves one behind. Where workers come
//! with calls, whoever puts a call down that nobody is there for has a worker started, and does not wait for it.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use super::ending::{tell, wake};
use super::queue::{Queue, State};
use crate::admission::Standing;
use crate::worker::Queued;

/// How many workers a pool has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staffing {
    /// As many as there shall be, or at most.
    pub(crate) target: usize,
    /// Workers come when a call comes, and go when none has come for so long.
    pub(crate) idle: Option<Duration>,
}

impl Staffing {
    /// So many, always.
    #[cfg(test)]
    pub(crate) fn of(target: usize) -> Self {
        Self { target, idle: None }
    }

    /// How many there are to begin with. One is made in any case, so that `init` knows that it can be.
    pub(crate) fn at_first(self) -> usize {
        if self.idle.is_some() { 1 } else { self.target }
    }
}

/// Who is to look for a call that was put down.
pub(super) struct Help {
    /// An idle worker, to be woken.
    pub(super) idle: Option<Waker>,
    /// The number of a worker that is to be started.
    pub(super) hired: Option<usize>,
}

/// What comes of the calls that waited for one worker: not under the lock.
pub(super) struct HandedOver {
    /// Their places in the queue of the limits.
    places: Vec<Standing>,
    /// Idle workers, one for each call.
    heirs: Vec<Waker>,
    /// The numbers of workers that are to be started.
    hired: Vec<usize>,
}

/// How a pool has workers started when calls come.
pub(crate) struct Hire {
    /// Starts the worker of a number, which counts as being there already.
    pub(crate) start: Box<dyn Fn(usize) + Send + Sync>,
    /// What they are started from.
    pub(crate) pool: Weak<dyn Send + Sync>,
}

impl<M> State<M> {
    /// Whether there are more workers than there shall be.
    pub(super) fn has_surplus(&self) -> bool {
        self.workers.there() > self.staffing.target
    }

    /// Whether this worker is one too many; it leaves then.
    pub(super) fn is_surplus(&mut self, number: usize) -> bool {
        let leaves = self.has_surplus() && self.workers.is_there(number);
        if leaves {
            self.workers.leaves(number);
        }
        leaves
    }

    /// The worker that a call is for, if it is for a certain one. None when there is a call already for each who is free, and
    /// another worker may come: it is not put behind one of those then.
    pub(super) fn worker_of(&mut self, affinity: Option<u64>) -> Option<usize> {
        let is_one_too_many = self.lanes.len() >= self.workers.coming() + self.idle.len();
        let is_for_any = affinity.is_none() && self.may_hire() && is_one_too_many;
        if is_for_any { None } else { self.workers.choose(affinity) }
    }

    /// Whether workers come with calls, and there are not as many yet as there may be.
    fn may_hire(&self) -> bool {
        self.staffing.idle.is_some() && !self.stopped && self.workers.there() < self.staffing.target
    }

    /// The number of a worker that is to be started for the calls that wait, if there is to be one.
    pub(super) fn hire(&mut self) -> Option<usize> {
        let is_short = self.may_hire() && self.lanes.len() > self.workers.coming() + self.idle.len();
        is_short.then(|| self.workers.hire())
    }
}

impl<M: Queued> State<M> {
    /// What waits for a worker that takes no more calls may be taken by any. Others are hired for that, or for `all` that waits.
    pub(super) fn hand_over(&mut self, number: usize, all: bool) -> HandedOver {
        let (calls, places) = self.lanes.release(number);
        let most = if all { usize::MAX } else { calls };
        // One at least, since a wake-up for a call may have come to the worker that is no more.
        let heirs = if self.lanes.is_empty() { 0 } else { calls.max(1) };
        HandedOver {
            places,
            heirs: (0..heirs).map_while(|_| self.wake_one()).collect(),
            hired: (0..most).map_while(|_| self.hire()).collect(),
        }
    }
}

impl<M: Queued> Queue<M> {
    /// How many workers there shall be, or may be.
    pub(crate) fn most_workers(&self) -> usize {
        self.state().staffing.target
    }

    /// How workers are started when calls come.
    pub(crate) fn hires_by(&self, hire: Hire) {
        // A queue has one pool.
        drop(self.hire.set(hire));
    }

    /// Whether workers come when calls come.
    pub(crate) fn hires(&self) -> bool {
        self.options.staffing.idle.is_some()
    }

    /// Wakes and starts them, not under the lock.
    pub(super) fn help(&self, help: Help) {
        wake(help.idle);
        if let (Some(number), Some(hire)) = (help.hired, self.hire.get()) {
            (hire.start)(number);
        }
    }

    /// What workers are started from: of a pool that has none just now, whoever may need one holds it.
    pub(super) fn pool(&self) -> Option<Arc<dyn Send + Sync>> {
        let hire = self.hire.get().filter(|_| self.hires())?;
        hire.pool.upgrade()
    }

    /// Gives up the places, and wakes and starts the workers, not under the lock.
    pub(super) fn pass_on(&self, HandedOver { places, heirs, hired }: HandedOver) {
        drop(places);
        heirs.into_iter().for_each(Waker::wake);
        for number in hired {
            self.help(Help { idle: None, hired: Some(number) });
        }
    }

    /// Sets how many workers there shall be; says how many before, and the numbers of those to be started now. Those that
    /// are too many end when they have done what they do.
    pub(crate) fn set_target(&self, target: usize) -> (usize, Vec<usize>) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.staffing.target, target);
        let missing =
            if state.staffing.idle.is_some() { 0 } else { target.saturating_sub(state.workers.there()) };
        let hired = (0..missing).map(|_| state.workers.hire()).collect();
        // Where they come with calls, there are calls that more may come for.
        let coming: Vec<usize> = std::iter::from_fn(|| state.hire()).collect();
        let has_surplus = state.has_surplus();
        let idle = if has_surplus { state.idle.take() } else { Vec::new() };
        let busy = if has_surplus { state.ahead.all() } else { Vec::new() };
        drop(state);
        idle.into_iter().chain(busy).for_each(Waker::wake);
        for number in coming {
            self.help(Help { idle: None, hired: Some(number) });
        }
        (before, hired)
    }

    /// Whether a worker that finds no call has waited for long enough; it leaves then.
    pub(super) fn has_waited(&self, state: &mut State<M>, number: usize) -> bool {
        let Some(idle) = state.staffing.idle.filter(|_| state.open) else { return false };
        if state.workers.is_at_work(number) {
            // It is idle from when the last of its methods has ended; until then another one would be one too many.
            state.workers.is_busy(number);
            return false;
        }
        let now = self.options.clock.now();
        if now < state.workers.idle_since(number, now) + idle {
            return false;
        }
        if state.lanes.is_empty() {
            state.workers.leaves(number);
            return true;
        }
        // Something waits for its limits: somebody must be there when it is admitted.
        state.workers.is_busy(number);
        false
    }

    /// Has a worker that went idle in this turn woken when it has waited for long enough.
    pub(super) fn set_alarm(&self, number: usize, turn: u64, waker: &Waker) {
        let Some(idle) = self.options.staffing.idle else { return };
        let now = self.options.clock.now();
        let since = self.state().workers.idle_since(number, now);
        // The clock may call the waker right here, so not under the lock.
        let alarm = self.options.clock.wake_at(since + idle, waker.clone());
        let unused = self.state().idle.set_alarm(turn, alarm);
        drop(unused);
    }

    /// Takes out what waits, to be refused, if no worker is there for it; the queue goes on.
    pub(crate) fn take_waiting(&self) -> Vec<M> {
        let mut state = self.state();
        if state.workers.alive() > 0 {
            return Vec::new();
        }
        let calls = state.lanes.take();
        let backing_off = state.backing_off.keys().copied().collect();
        state.returns.keep(&backing_off);
        let _notes = state.notes.clear();
        let submitters = std::mem::take(&mut state.submitters);
        tell(state);
        submitters.into_iter().for_each(Waker::wake);
        calls
    }
}
