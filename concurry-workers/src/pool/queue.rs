//! The one queue of a pool.
//!
//! Promises: first in, first out, by age (`lanes` says who may pass whom); a call that is tried again comes back to its old
//! place (`comeback`); a worker that is idle is woken for each call that it may take; a full queue does what its option
//! says; after `close` nothing more comes in, and what is in is either still handed out (drain) or given back to be refused
//! (stop). Nobody polls: workers, submitters and those who wait for the end leave a waker.
//!
//! One lock guards it all. Wakers are called, limits asked and calls dropped after it is released.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use concurry_core::balancing::LoadBalancing;
use concurry_core::call::{Explains, Origin, Registered};
use concurry_core::clock::Clock;
use concurry_core::mode::ExecutionMode;
use concurry_core::park;
use concurry_core::sync::lock;
use concurry_core::when_full::WhenFull;
use concurry_limits::LimitPool;

use super::ahead::{Ahead, call_back};
use super::apart::Apart;
use super::balancing::Workers;
use super::deadlock::Within;
use super::ending::{tell, wake};
use super::idle::Idle;
use super::inbox::Inbox;
use super::lanes::{Found, Lanes, Need};
use super::notes::{Noted, Notes};
use super::presence::Presence;
use super::returns::Returns;
use super::staffing::{Hire, Staffing};
pub(super) use super::state::State;
use super::taken::Taken;
use super::trace::Names;
#[cfg(feature = "metrics")]
use crate::metered::Metered;
use crate::worker::Queued;

/// What a queue is to be.
pub(crate) struct QueueOptions {
    /// How many calls may wait.
    pub(crate) capacity: usize,
    /// What happens to a call that finds it full.
    pub(crate) when_full: WhenFull,
    pub(crate) balancing: LoadBalancing,
    pub(crate) staffing: Staffing,
    pub(crate) clock: Arc<dyn Clock>,
    /// What calls with `#[limited]` are admitted by.
    pub(crate) limits: LimitPool,
    pub(crate) names: Names,
    /// Who waits for a call may help to end it.
    pub(crate) helps: bool,
}

#[cfg(test)]
impl QueueOptions {
    pub(super) fn of(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        let (when_full, balancing, limits) = Default::default();
        let names = Names { pool: "test".to_owned(), mode: ExecutionMode::Thread };
        Self { capacity, when_full, balancing, staffing: Staffing::of(1), clock, limits, names, helps: false }
    }
}

/// The queue; `M` is the message of a call.
pub(crate) struct Queue<M> {
    pub(super) state: Apart<Mutex<State<M>>>,
    pub(super) inbox: Arc<Inbox<M>>,
    /// Calls that run in their callers.
    pub(super) presence: Arc<Presence>,
    pub(super) options: QueueOptions,
    /// Starts the worker of this number, if workers are made when calls come.
    pub(super) hire: OnceLock<Hire>,
    #[cfg(feature = "metrics")]
    pub(crate) metered: Metered,
    /// What the pool's calls find it by.
    registered: Registered,
}

/// What a worker finds.
pub(crate) enum Popped<T> {
    /// The oldest call that it may take, with what is noted of it.
    Message(T),
    /// The queue is closed and empty: the worker ends.
    Closed,
    /// The condition that the worker gave has come true before a call came.
    Interrupted,
}

impl<M: Queued> Queue<M> {
    /// A queue without workers as yet.
    pub(crate) fn new(options: QueueOptions) -> Arc<Self> {
        let notes = Notes::new(Arc::clone(&options.clock));
        let inbox = Arc::new(Inbox::new(notes.mask()));
        let presence = Arc::default();
        let is_plain = options.balancing == LoadBalancing::SharedQueue && options.staffing.idle.is_none();
        let state = State {
            lanes: Lanes::new(),
            inbox: Arc::clone(&inbox),
            capacity: if is_plain { options.capacity } else { 0 },
            backing_off: BTreeMap::new(),
            returns: Returns::default(),
            notes,
            stopped: false,
            running: 0,
            presence: Arc::clone(&presence),
            ahead: Ahead::default(),
            workers: Workers::new(options.balancing),
            within: Within::default(),
            staffing: options.staffing,
            open: true,
            idle: Idle::default(),
            submitters: VecDeque::new(),
            cancelled: 0,
            observers: Vec::new(),
        };
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            registered: Registered::new(Weak::clone(me) as Weak<dyn Explains>, options.helps),
            state: Apart(Mutex::new(state)),
            inbox,
            presence,
            #[cfg(feature = "metrics")]
            metered: Metered::of(&options.names),
            options,
            hire: OnceLock::new(),
        })
    }

    /// What the pool is known by to those who serve it.
    pub(crate) fn number(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn mode(&self) -> ExecutionMode {
        self.options.names.mode
    }

    /// What the pool's calls find it by.
    pub(crate) fn origin(&self) -> Origin {
        self.registered.origin()
    }

    /// Whether it may be full.
    pub(crate) fn is_bounded(&self) -> bool {
        self.options.capacity < usize::MAX
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.options.clock
    }

    pub(crate) fn limits(&self) -> &LimitPool {
        &self.options.limits
    }

    /// What all share, with every call that was submitted by now.
    pub(super) fn state(&self) -> MutexGuard<'_, State<M>> {
        let mut state = lock(&self.state);
        if self.inbox.has_news() {
            state.take_in();
        }
        state
    }

    /// Whether there may be a call that no worker has looked for.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.inbox.has_news()
    }

    /// The oldest call that worker `number` may take, which sleeps until there is one, or the queue is closed and empty, or
    /// `interrupted` says true (whoever makes it true wakes the worker).
    pub(crate) fn poll_pop(
        self: &Arc<Self>,
        number: usize,
        context: &Context<'_>,
        interrupted: &dyn Fn() -> bool,
    ) -> Poll<Popped<(M, Noted)>> {
        self.poll_take(number, context, interrupted).map(|popped| match popped {
            Popped::Message(taken) => Popped::Message((taken.message, taken.noted)),
            Popped::Closed => Popped::Closed,
            Popped::Interrupted => Popped::Interrupted,
        })
    }

    /// As [`poll_pop`](Self::poll_pop), with what puts the call back.
    pub(crate) fn poll_take(
        self: &Arc<Self>,
        number: usize,
        context: &Context<'_>,
        interrupted: &dyn Fn() -> bool,
    ) -> Poll<Popped<Taken<M>>> {
        loop {
            let mut state = self.state();
            state.idle.remove(number);
            state.workers.arrives(number);
            if interrupted() {
                // Nobody is to be sent there for a call.
                state.ahead.set_has_room(number, false);
                // A wake-up meant for a call may have come to this worker: another idle one takes it.
                let heir = if state.lanes.has_for(number) { state.wake_one() } else { None };
                let places = state.unask(number);
                drop(state);
                drop(places);
                wake(heir);
                return Poll::Ready(Popped::Interrupted);
            }
            if state.is_surplus(number) {
                let handed_over = state.hand_over(number, false);
                let places = state.unask(number);
                drop(state);
                drop(places);
                self.pass_on(handed_over);
                return Poll::Ready(Popped::Closed);
            }
            match state.lanes.find(number) {
                Some(Found::Call(need, age, message)) => {
                    state.workers.is_busy(number);
                    let noted = state.begins(number, need, age, &message);
                    taken(state, number, None);
                    return Poll::Ready(Popped::Message(Taken { need, age, message, noted }));
                }
                Some(Found::Ask(need, age, message)) => {
                    state.workers.is_busy(number);
                    drop(state);
                    if let Some(popped) = self.ask(number, need, age, message) {
                        return Poll::Ready(popped);
                    }
                }
                None if state.is_over() => return Poll::Ready(Popped::Closed),
                None if self.has_waited(&mut state, number) => return Poll::Ready(Popped::Closed),
                // One was put down meanwhile.
                None if !self.inbox.shut_if_empty() => {}
                None => {
                    let turn = state.idle.add(number, context.waker().clone());
                    let busy = call_back(&state);
                    drop(state);
                    wake(busy);
                    self.set_alarm(number, turn, context.waker());
                    return Poll::Pending;
                }
            }
        }
    }

    /// As [`poll_pop`](Self::poll_pop), blocking this thread.
    pub(crate) fn pop(self: &Arc<Self>, number: usize, interrupted: &dyn Fn() -> bool) -> Popped<(M, Noted)> {
        park::idle_on(poll_fn(|context| self.poll_pop(number, context, interrupted)))
    }

    /// The call that worker `number` took is finished, and it takes the next one, if it need not wait for that.
    pub(crate) fn next(&self, number: usize, noted: Noted) -> Option<Taken<M>> {
        let mut next = None;
        let (noted, age) = self.ends_and_begins(number, noted, &mut next, true);
        next.map(|message| Taken { need: Need::default(), age, message, noted })
    }

    /// As [`next`](Self::next), into a place that is empty, of the calls that were known when a worker looked last.
    pub(crate) fn next_known(&self, number: usize, noted: Noted, into: &mut Option<M>) -> Noted {
        self.ends_and_begins(number, noted, into, false).0
    }

    /// With the age of the next call. Calls that nobody knows of yet are looked for if the worker `looks`.
    fn ends_and_begins(
        &self,
        number: usize,
        noted: Noted,
        into: &mut Option<M>,
        looks: bool,
    ) -> (Noted, u64) {
        let mut state = lock(&self.state);
        let ended = state.ran(number, noted);
        if looks && state.lanes.has_no_free() && self.inbox.has_news() {
            state.take_in();
        }
        let next = if state.has_surplus() { None } else { state.lanes.pop_free() };
        let (mut noted, mut age) = (None, 0);
        if let Some((next, message)) = next {
            let message = into.insert(message);
            age = next;
            noted = state.begins(number, Need::default(), age, message);
            taken(state, number, None);
        } else {
            if state.lanes.has_others() {
                // Calls may wait for a worker that is free: it is to be so at once.
                self.inbox.tell();
            }
            tell(state);
        }
        if ended.is_some() {
            self.tell_of(ended);
        }
        (noted, age)
    }
}

/// Worker `number` takes a call: there is room for another one.
pub(super) fn taken<M: Queued>(mut state: MutexGuard<'_, State<M>>, number: usize, heir: Option<Waker>) {
    if state.open && state.submitters.is_empty() && !state.lanes.has_others() {
        drop(state);
        return wake(heir);
    }
    let submitter = state.submitters.pop_front();
    let places = state.unask(number);
    if state.is_over() {
        // Those that were idle because this call was not theirs need not wait for more.
        tell(state);
    } else {
        drop(state);
    }
    drop(places);
    wake(heir);
    wake(submitter);
}
