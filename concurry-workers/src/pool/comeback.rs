//! Calls that come back: the part of the queue that knows of retries.
//!
//! A call with a retry has a [`Ticket`] from before it is submitted until it is answered: its age, which is its place in
//! the queue each time it comes back, and the reason for workers of a closed pool to stay. While a call backs off it waits
//! here, with one request to the clock, and holds nobody up: when its time has come, the clock's timer puts it to its
//! place and wakes a worker. Coming back never blocks, however full the queue is.

use std::future::poll_fn;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::{Context, Poll, Wake, Waker};

use concurry_core::clock::{Timestamp, WakeGuard};
use concurry_core::panics::discard;
use concurry_core::park;
use concurry_core::sync::lock;
use tracing::Span;

use super::ending::{tell, wake};
use super::notes::Noted;
use super::queue::{Queue, State};
use super::serving;
use crate::worker::Queued;

/// A call that waits for its time.
pub(super) struct BackingOff<M> {
    message: M,
    affinity: Option<u64>,
    /// When its time has come, and the number of the attempt that it waits for.
    pub(super) at: Timestamp,
    pub(super) attempt: u32,
    span: Span,
    /// Which coming back this is, of all in this queue.
    turn: u64,
    /// The request to be woken then; none for the moment in which it is made.
    timer: Option<WakeGuard>,
}

impl<M> BackingOff<M> {
    pub(super) fn message(&self) -> &M {
        &self.message
    }

    pub(super) fn into_message(self) -> M {
        self.message
    }
}

/// A call that may come back, until it is answered.
pub(crate) struct Ticket<M: Queued> {
    pub(crate) queue: Arc<Queue<M>>,
    pub(crate) age: u64,
    /// The number of the call that its caller holds.
    call: usize,
    /// Of a pool whose workers come with calls: when the call comes back there may be neither a worker nor a handle.
    pool: Option<Arc<dyn Send + Sync>>,
}

/// How a call comes back.
pub(crate) struct Return<'a> {
    pub(crate) age: u64,
    pub(crate) affinity: Option<u64>,
    /// Not before this instant.
    pub(crate) at: Timestamp,
    /// The number of the attempt.
    pub(crate) attempt: u32,
    /// The span of the caller.
    pub(crate) caller: &'a Span,
}

impl<M: Queued> Drop for Ticket<M> {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.returns.is_answered(self.call, self.age);
        // Workers of a closed pool stayed for what might come back.
        tell(state);
        // With the pool go the arguments of its workers, which are the user's.
        discard(self.pool.take());
    }
}

/// Puts one call to its place when its time has come.
struct Due<M> {
    queue: Weak<Queue<M>>,
    age: u64,
}

impl<M: Queued> Wake for Due<M> {
    fn wake(self: Arc<Self>) {
        if let Some(queue) = self.queue.upgrade() {
            // Where no worker can be made for it, its callbacks run here.
            let _serving = serving::enter(queue.number(), None);
            queue.is_due(self.age);
        }
    }
}

impl<M: Queued> Queue<M> {
    /// A ticket for a call that is about to be submitted.
    pub(crate) fn ticket(self: &Arc<Self>, call: usize) -> Ticket<M> {
        let mut state = self.state();
        let age = state.age();
        state.returns.may_come(call, age);
        drop(state);
        Ticket { age, queue: Arc::clone(self), call, pool: self.pool() }
    }

    /// An attempt returned what was not wanted.
    pub(crate) fn is_unwanted(&self) {
        self.state().returns.is_unwanted();
    }

    /// Whether nothing is to be run any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    fn is_due(&self, age: u64) {
        let mut state = self.state();
        let Some(BackingOff { message, affinity, span, timer, .. }) = state.backing_off.remove(&age) else {
            return;
        };
        let help = state.place(affinity, age, message, span);
        // Whoever waits for this very call is told as well.
        tell(state);
        self.help(help);
        drop(timer);
    }

    /// Takes a call out that waits, because nobody needs its result any more.
    pub(crate) fn withdraw(&self, age: u64) {
        // Its promise is dropped with it, outside of the lock: that runs foreign code.
        discard(take_out(self.state(), age));
    }

    /// Takes a call out that waits: for its time, for a worker or for limits. One that is just being asked for, or that a process was
    /// sent ahead, stays.
    pub(crate) fn recall(&self, age: u64) -> Option<M> {
        let state = self.state();
        let waits = state.lanes.get(age).is_some() || state.backing_off.contains_key(&age);
        if waits { take_out(state, age) } else { None }
    }

    /// The age of a call that may be withdrawn.
    pub(crate) fn new_age(&self) -> u64 {
        self.state().age()
    }

    /// The call of this age, as soon as its time has come; `None` when it waits no more, or never did. For sync mode, where
    /// the caller runs its own calls.
    pub(crate) fn take(&self, age: u64) -> Option<(M, Noted)> {
        park::block_on(poll_fn(|context| self.poll_due(age, context)))
    }

    fn poll_due(&self, age: u64, context: &Context<'_>) -> Poll<Option<(M, Noted)>> {
        let pending = self.observe(context, |state| !state.backing_off.contains_key(&age)).is_pending();
        if pending {
            return Poll::Pending;
        }
        let mut state = self.state();
        let message = state.lanes.withdraw(age).map(|(_, message)| message);
        Poll::Ready(message.map(|message| {
            state.returns.runs_again(age);
            (message, state.notes.taken(age))
        }))
    }
}

impl<M: Queued> Queue<M> {
    /// Takes a call back, to be run not before `at`. Gives it back when nothing is run any more.
    pub(crate) fn come_back(self: &Arc<Self>, back: Return<'_>, message: M) -> Result<(), M> {
        let Return { age, affinity, at, attempt, caller } = back;
        let span = self.options.names.again(|| message.method(), attempt, caller);
        let is_due = at <= self.clock().now();
        let mut state = self.state();
        if state.stopped {
            return Err(message);
        }
        let turn = state.returns.comes_back(age);
        if is_due {
            let help = state.place(affinity, age, message, span);
            state.take_in();
            tell(state);
            self.help(help);
            return Ok(());
        }
        let waiting = BackingOff { message, affinity, at, attempt, span, turn, timer: None };
        state.backing_off.insert(age, waiting);
        state.take_in();
        drop(state);
        let due = Waker::from(Arc::new(Due { queue: Arc::downgrade(self), age }));
        // The clock may call the waker right here, so not under the lock.
        let timer = self.clock().wake_at(at, due);
        let mut state = self.state();
        // When it is gone again by now, or has come back another time, the request is dropped, after the lock.
        let unused = match state.backing_off.get_mut(&age) {
            Some(waiting) if waiting.turn == turn => waiting.timer.replace(timer),
            _ => Some(timer),
        };
        drop(state);
        drop(unused);
        Ok(())
    }
}

fn take_out<M: Queued>(mut state: MutexGuard<'_, State<M>>, age: u64) -> Option<M> {
    let found = state.backing_off.remove(&age);
    let (waiting, heir) = state.withdraw(age);
    let is_there = found.is_some() || waiting.is_some();
    let noted = if is_there { state.leaves(age) } else { None };
    let submitter = if is_there { state.submitters.pop_front() } else { None };
    tell(state);
    wake(heir);
    wake(submitter);
    drop(noted);
    waiting.or(found.map(BackingOff::into_message))
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Mutex;
    use std::time::Duration;

    use concurry_core::clock::{Clock, ManualClock};

    use super::super::{Popped, QueueOptions, Route};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(capacity: usize) -> (ManualClock, Arc<Queue<u32>>) {
        let clock = ManualClock::new();
        (clock.clone(), Queue::new(QueueOptions::of(capacity, Arc::new(clock))))
    }

    fn back(age: u64, at: Timestamp) -> Return<'static> {
        static CALLER: Span = Span::none();
        Return { age, affinity: None, at, attempt: 2, caller: &CALLER }
    }

    fn pop_now(queue: &Arc<Queue<u32>>) -> Option<u32> {
        match queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false) {
            Poll::Ready(Popped::Message((message, _))) => Some(message),
            _ => None,
        }
    }

    #[test]
    fn a_call_comes_back_to_its_old_place_when_its_time_has_come() {
        let (clock, queue) = queue(10);
        let ticket = queue.ticket(0);
        assert!(queue.push(Route { age: Some(ticket.age), affinity: None }, 1).is_ok());
        assert!(queue.push(Route::default(), 2).is_ok());
        assert!(queue.push(Route::default(), 3).is_ok());
        assert_eq!(pop_now(&queue), Some(1));
        queue.come_back(back(ticket.age, clock.now() + SECOND), 1).unwrap();
        assert_eq!(pop_now(&queue), Some(2), "it holds nobody up");
        clock.advance(SECOND);
        assert_eq!([pop_now(&queue), pop_now(&queue)], [Some(1), Some(3)]);
        assert_eq!(clock.next_wake(), None);
    }

    #[test]
    fn coming_back_never_waits_for_room_but_takes_some() {
        let (clock, queue) = queue(1);
        let ticket = queue.ticket(0);
        assert!(queue.push(Route { age: Some(ticket.age), affinity: None }, 1).is_ok());
        assert_eq!(pop_now(&queue), Some(1));
        assert!(queue.push(Route::default(), 2).is_ok());
        queue.come_back(back(ticket.age, clock.now()), 1).unwrap();
        queue.come_back(back(ticket.age + 10, clock.now() + SECOND), 3).unwrap();
        assert_eq!(queue.counts().queued, 3);
        assert_eq!([pop_now(&queue), pop_now(&queue)], [Some(1), Some(2)]);
        assert_eq!(queue.counts().queued, 1);
    }

    #[test]
    fn a_closed_queue_waits_for_what_may_come_back_and_a_stopped_one_does_not() {
        let (clock, queue) = queue(10);
        let ticket = queue.ticket(0);
        queue.close();
        let mut context = Context::from_waker(Waker::noop());
        assert!(queue.poll_pop(0, &context, &|| false).is_pending());
        queue.come_back(back(ticket.age, clock.now() + SECOND), 1).unwrap();
        assert!(queue.poll_pop(0, &context, &|| false).is_pending());
        assert_eq!(queue.stop(), [1]);
        assert_eq!(clock.next_wake(), None, "its request to the clock is taken back");
        assert!(matches!(queue.poll_pop(0, &context, &|| false), Poll::Ready(Popped::Closed)));
        assert_eq!(queue.come_back(back(ticket.age, clock.now()), 1), Err(1));
        drop(ticket);
        context = Context::from_waker(Waker::noop());
        assert!(matches!(queue.poll_pop(0, &context, &|| false), Poll::Ready(Popped::Closed)));
    }

    #[test]
    fn what_is_withdrawn_is_gone() {
        let (clock, queue) = queue(10);
        let ticket = queue.ticket(0);
        queue.come_back(back(ticket.age, clock.now() + SECOND), 1).unwrap();
        queue.withdraw(ticket.age);
        assert_eq!((queue.counts().queued, clock.next_wake()), (0, None));
        queue.come_back(back(ticket.age, clock.now()), 1).unwrap();
        queue.withdraw(ticket.age);
        assert_eq!(pop_now(&queue), None);
        assert!(queue.take(ticket.age).is_none());
    }

    /// A clock on which something happens between the making of a request and its delivery, once.
    struct Meanwhile {
        clock: ManualClock,
        event: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }

    impl fmt::Debug for Meanwhile {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Meanwhile")
        }
    }

    impl Clock for Meanwhile {
        fn now(&self) -> Timestamp {
            self.clock.now()
        }

        fn wake_at(&self, at: Timestamp, waker: Waker) -> WakeGuard {
            let guard = self.clock.wake_at(at, waker);
            let event = lock(&self.event).take();
            if let Some(event) = event {
                event();
            }
            guard
        }

        fn park_until(&self, at: Option<Timestamp>) {
            self.clock.park_until(at);
        }
    }

    #[test]
    fn a_request_that_arrives_late_does_not_take_the_place_of_the_next_one() {
        let clock = ManualClock::new();
        let meanwhile = Arc::new(Meanwhile { clock: clock.clone(), event: Mutex::default() });
        let queue: Arc<Queue<&str>> = Queue::new(QueueOptions::of(10, meanwhile.clone()));
        let ticket = queue.ticket(0);
        let (again, age, at) = (Arc::clone(&queue), ticket.age, clock.now() + SECOND);
        // Before the first request is noted, its time has come, and the call has come back once more.
        *lock(&meanwhile.event) = Some(Box::new({
            let clock = clock.clone();
            move || {
                clock.advance(SECOND);
                let (call, _) = again.take(age).expect("its time has come");
                again.come_back(back(age, clock.now() + SECOND), call).expect("it is open");
            }
        }));
        queue.come_back(back(age, at), "call").expect("it is open");
        clock.advance(SECOND);
        assert!(!lock(&queue.state).backing_off.contains_key(&age), "it waits for ever");
        assert_eq!(queue.take(age).map(|(call, _)| call), Some("call"));
    }
}
