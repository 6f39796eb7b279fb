//! How many workers there shall be: a number that can be changed, and pools whose workers come when a call comes and go when
//! none has come for a time.
//!
//! A worker leaves only when it looks for a call, under the queue's lock: so it never leaves one behind. Where workers come
//! with calls, whoever puts a call down that nobody is there for has a worker started, and does not wait for it.

use std::task::Waker;
use std::time::Duration;

use super::ending::{tell, wake};
use super::queue::{Queue, State};
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

/// Starts the worker of a number, which counts as being there already.
pub(crate) type Hire = Box<dyn Fn(usize) + Send + Sync>;

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

    /// The number of a worker that is to be started for the calls that wait, if there is to be one.
    pub(super) fn hire(&mut self) -> Option<usize> {
        let comes_with_calls = self.staffing.idle.is_some() && !self.stopped;
        let is_short = comes_with_calls
            && self.workers.there() < self.staffing.target
            && self.lanes.len() > self.workers.coming() + self.idle.len();
        is_short.then(|| self.workers.hire())
    }
}

impl<M: Queued> Queue<M> {
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
            hire(number);
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
        let has_surplus = state.has_surplus();
        let idle = if has_surplus { state.idle.take() } else { Vec::new() };
        let busy = if has_surplus { state.ahead.all() } else { Vec::new() };
        drop(state);
        idle.into_iter().chain(busy).for_each(Waker::wake);
        (before, hired)
    }

    /// Whether a worker that finds no call has waited for long enough; it leaves then.
    pub(super) fn has_waited(&self, state: &mut State<M>, number: usize) -> bool {
        let Some(idle) = state.staffing.idle.filter(|_| state.open) else { return false };
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

    /// Takes out what waits, to be refused; the queue goes on.
    pub(crate) fn take_waiting(&self) -> Vec<M> {
        let mut state = self.state();
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
