//! How calls, workers and the queue itself end, and who is told of it.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::park;
use concurry_core::sync::lock;
use tracing::Span;

use super::cancelled::sweep;
use super::comeback::BackingOff;
use super::notes::Noted;
use super::queue::{Queue, State};
use super::serving::Runner;
use super::stats::{Times, WorkerStates};
use super::trace::Names;
use crate::worker::Queued;

impl<M: Queued> Queue<M> {
    /// A call that does not wait here comes, to run in its caller. False when the queue is closed; then too it has to
    /// [leave](Self::leaves).
    #[inline]
    pub(crate) fn enters(&self) -> bool {
        self.presence.enters()
    }

    /// What is noted of a call that runs in its caller.
    pub(crate) fn begin(&self, age: Option<u64>, method: impl Fn() -> &'static str) -> Noted {
        let span = self.options.names.first(method);
        let mut state = lock(&self.state);
        let age = age.unwrap_or_else(|| state.age());
        state.notes.begin(age, span)
    }

    /// What is noted of the call of this number, of those that run in their callers; none when nobody wants a span of it.
    #[inline]
    pub(crate) fn begin_here(&self, number: u64) -> Option<Noted> {
        if Names::are_wanted() {
            return None;
        }
        let is_measured = self.inbox.measures(number);
        Some(if is_measured { lock(&self.state).notes.begin(0, Span::none()) } else { None })
    }

    /// A call that did not wait here has run in its caller.
    #[inline]
    pub(crate) fn ran_here(&self, noted: Noted) {
        if noted.is_some() {
            let ended = lock(&self.state).notes.ran(noted);
            self.tell_of(ended);
        }
    }

    /// A call that did not wait here leaves its caller; whether nothing runs then, and nothing more will.
    #[inline]
    pub(crate) fn leaves(&self) -> bool {
        self.presence.leaves() && self.is_left()
    }

    fn is_left(&self) -> bool {
        tell(lock(&self.state));
        self.has_ended()
    }

    /// Whether nothing runs, and nothing more will.
    pub(crate) fn has_ended(&self) -> bool {
        self.presence.has_ended()
    }

    /// Whether no call is run in its caller any more after the one that runs there now.
    pub(crate) fn is_last(&self) -> bool {
        self.has_stopped() || (self.presence.is_last() && self.is_over())
    }

    /// Whether the queue was stopped, for calls that run in their callers.
    #[inline]
    pub(crate) fn has_stopped(&self) -> bool {
        self.presence.has_stopped()
    }

    /// A call that worker `number` took is finished.
    pub(crate) fn finished(&self, number: usize, noted: Noted) {
        self.finished_as(Runner::alone(number), noted);
    }

    /// A call is finished that a worker took and ran as this one of its methods.
    pub(crate) fn finished_as(&self, runner: Runner, noted: Noted) {
        let mut state = self.state();
        let is_alone = runner == Runner::alone(runner.worker);
        let ended =
            if is_alone { state.ran(runner.worker, noted) } else { state.ran_beside(runner.worker, noted) };
        tell(state);
        self.tell_of(ended);
    }

    /// Worker `number` starts.
    pub(crate) fn worker_started(&self, number: usize) {
        self.state().workers.started(number);
    }

    /// Worker `number` has ended; what waited for it may be taken by any.
    pub(crate) fn worker_ended(&self, number: usize) {
        let mut state = self.state();
        let has_worked = state.workers.ended(number);
        let hand = (state.ahead.ended(number), state.idle.remove(number));
        state.workers.arrives(number);
        // In the place of one that could not be made no other is: that would go on for ever.
        let handed_over = state.hand_over(number, has_worked);
        let others = state.unask(number);
        tell(state);
        drop((others, hand));
        self.pass_on(handed_over);
    }

    /// Lets nothing more in; what waits is still handed out.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        self.presence.shut();
        // It is shut for good with that, and nothing is left in it.
        state.take_in();
        let idle = state.idle.take();
        let submitters = std::mem::take(&mut state.submitters);
        drop(state);
        idle.into_iter().chain(submitters).for_each(Waker::wake);
    }

    /// Lets nothing more in and gives back what waits, also for its time.
    pub(crate) fn stop(&self) -> Vec<M> {
        let mut state = self.state();
        state.stopped = true;
        state.open = false;
        self.presence.stop();
        state.take_in();
        let mut calls = state.lanes.take();
        let backing_off = std::mem::take(&mut state.backing_off);
        state.returns.keep(&BTreeSet::new());
        let notes = state.notes.clear();
        // Those who have taken calls ahead put them back, and find that they are to be refused.
        let busy = state.ahead.all();
        let idle = state.idle.take();
        let submitters = std::mem::take(&mut state.submitters);
        tell(state);
        idle.into_iter().chain(submitters).chain(busy).for_each(Waker::wake);
        calls.extend(backing_off.into_values().map(BackingOff::into_message));
        drop(notes);
        calls
    }

    /// Whether worker `number` may still get a call; it leaves otherwise.
    pub(crate) fn needs(&self, number: usize) -> bool {
        let mut state = self.state();
        // One that somebody is about to send comes back.
        let is_over = state.is_over() && !state.ahead.has_calls(number);
        if is_over || !state.is_surplus(number) {
            return !is_over;
        }
        let handed_over = state.hand_over(number, false);
        drop(state);
        self.pass_on(handed_over);
        false
    }

    /// Blocks for `wait`, or until the queue is stopped.
    pub(crate) fn pause(&self, wait: Duration) {
        let clock = self.clock();
        let stopped = poll_fn(|context| self.poll_stopped(context));
        park::block_on_until(stopped, &**clock, clock.now() + wait);
    }

    /// Ready when the queue is stopped.
    pub(crate) fn poll_stopped(&self, context: &Context<'_>) -> Poll<()> {
        self.observe(context, |state| state.stopped)
    }

    /// Whether nothing is to be run any more, now or later.
    pub(crate) fn is_over(&self) -> bool {
        self.state().is_over()
    }

    /// Whether no worker is left to take a call.
    pub(crate) fn is_deserted(&self) -> bool {
        self.state().workers.alive() == 0
    }

    /// Blocks until no call waits or runs, until `deadline` at most; says whether that came true.
    pub(crate) fn wait_until_empty(&self, clock: &dyn Clock, deadline: Timestamp) -> bool {
        let empty = poll_fn(|context| self.observe(context, State::is_empty));
        park::block_on_until(empty, clock, deadline).is_some()
    }

    /// Blocks until every worker has ended.
    pub(crate) fn wait_until_deserted(&self) {
        park::block_on(poll_fn(|context| self.observe(context, |state| state.workers.alive() == 0)));
    }

    /// Blocks until this worker, which is ending, does not count any more. That comes by itself, and soon: nothing else is done meanwhile.
    pub(crate) fn wait_until_absent(&self, number: usize) {
        park::still_on(poll_fn(|context| self.observe(context, |state| state.workers.is_absent(number))));
    }

    pub(super) fn observe(&self, context: &Context<'_>, condition: impl Fn(&State<M>) -> bool) -> Poll<()> {
        let mut state = self.state();
        self.presence.is_watched(true);
        if condition(&state) {
            self.presence.is_watched(!state.observers.is_empty());
            return Poll::Ready(());
        }
        state.observers.push(context.waker().clone());
        Poll::Pending
    }

    /// What there is right now.
    pub(crate) fn counts(&self) -> Counts {
        sweep(self.state());
        let state = self.state();
        Counts {
            queued: state.backlog(),
            running: state.running,
            workers: state.workers.alive(),
            retried: state.returns.retried(),
            followed: state.returns.followed(),
            unwanted: state.returns.unwanted(),
        }
    }

    /// The workers by state, and how long calls waited and ran.
    pub(crate) fn measures(&self) -> (WorkerStates, (Option<Times>, Option<Times>)) {
        let state = self.state();
        (state.workers.states(), state.notes.times())
    }
}

/// What there is in a queue, and around it.
pub(crate) struct Counts {
    /// Calls that wait, for a worker, for their limits or for their time.
    pub(crate) queued: usize,
    pub(crate) running: usize,
    pub(crate) workers: usize,
    /// How often a call came back.
    pub(crate) retried: u64,
    /// Attempts that were not the last of their call.
    pub(crate) followed: u64,
    /// Attempts that returned what was not wanted.
    pub(crate) unwanted: u64,
}

/// Wakes those who wait for the end, if this may be it, and the workers, if there is nothing for them any more.
pub(super) fn tell<M>(mut state: MutexGuard<'_, State<M>>) {
    let is_over = state.is_over();
    if !is_over && state.observers.is_empty() {
        return;
    }
    let idle = if is_over { state.idle.take() } else { Vec::new() };
    let observers = std::mem::take(&mut state.observers);
    state.presence.is_watched(false);
    drop(state);
    idle.into_iter().chain(observers).for_each(Waker::wake);
}

#[inline]
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
