//! The one queue of a pool.
//!
//! Promises: first in, first out, by age; a call that is tried again comes back to its old place (`comeback`); a worker that is idle is woken for each call that comes; a full queue holds the
//! submitter back until there is room; after `close` nothing more comes in, and what is in is either still handed out
//! (drain) or given back to be refused (stop). Nobody polls: workers, submitters and those who wait for the end leave
//! a waker.
//!
//! One lock guards it all. Wakers are called after it is released.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::park;

use concurry_core::sync::lock;

use super::comeback::BackingOff;

/// The queue; `M` is the message of a call.
pub(crate) struct Queue<M> {
    pub(super) state: Mutex<State<M>>,
    /// How many calls may wait; submitters wait beyond that.
    capacity: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(super) struct State<M> {
    /// Calls that may be taken, each with its age, the oldest first.
    pub(super) waiting: VecDeque<(u64, M)>,
    /// Calls that wait for their time to be tried again, by age.
    pub(super) backing_off: BTreeMap<u64, BackingOff<M>>,
    pub(super) next_age: u64,
    /// Calls with a retry that are not answered yet: while there are any, calls may come back.
    pub(super) returning: usize,
    /// How often a call came back.
    pub(super) retried: u64,
    /// Nothing is to be run any more, and nothing comes back.
    pub(super) stopped: bool,
    /// Calls taken by a worker and not yet finished.
    pub(super) running: usize,
    /// Workers that are there: they, and only they, take calls.
    workers: usize,
    pub(super) open: bool,
    /// Each idle worker's waker, by its number; the one that went idle last is woken first: its caches are warm.
    pub(super) idle: Vec<(usize, Waker)>,
    pub(super) submitters: VecDeque<Waker>,
    observers: Vec<Waker>,
}

impl<M> State<M> {
    /// Puts a call to its place. A call of old age stands near the front, so little is moved.
    pub(super) fn place(&mut self, age: u64, message: M) {
        let is_youngest = self.waiting.back().is_none_or(|(last, _)| *last < age);
        let place = if is_youngest {
            self.waiting.len()
        } else {
            self.waiting.partition_point(|(other, _)| *other < age)
        };
        self.waiting.insert(place, (age, message));
    }

    /// The age of a call that comes now.
    pub(super) fn age(&mut self) -> u64 {
        self.next_age += 1;
        self.next_age
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.running == 0 && self.returning == 0
    }
}

/// What a worker finds.
pub(crate) enum Popped<M> {
    /// The oldest call.
    Message(M),
    /// The queue is closed and empty: the worker ends.
    Closed,
    /// The condition that the worker gave has come true before a call came.
    Interrupted,
}

impl<M> Queue<M> {
    /// A queue in which `capacity` calls may wait, without workers as yet.
    pub(crate) fn new(capacity: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            backing_off: BTreeMap::new(),
            next_age: 0,
            returning: 0,
            retried: 0,
            stopped: false,
            running: 0,
            workers: 0,
            open: true,
            idle: Vec::new(),
            submitters: VecDeque::new(),
            observers: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), capacity: capacity.max(1), clock })
    }

    /// Appends `message`, or puts it to the place of its `age` if it has one; blocks while the queue is full. Gives it back
    /// when the queue is closed.
    ///
    /// Calls that back off count as well: they are the pool's backlog. They themselves never wait for room.
    pub(crate) fn push(&self, age: Option<u64>, message: M) -> Result<(), M> {
        let mut message = Some(message);
        let mut registered: Option<Waker> = None;
        loop {
            let idle = {
                let mut state = lock(&self.state);
                // A thread stands here once, however it was woken: the next room is for somebody who still waits.
                if let Some(me) = registered.take() {
                    state.submitters.retain(|other| !other.will_wake(&me));
                }
                if !state.open {
                    break;
                }
                if state.waiting.len() + state.backing_off.len() < self.capacity {
                    if let Some(message) = message.take() {
                        let age = age.unwrap_or_else(|| state.age());
                        state.place(age, message);
                    }
                    Some(state.idle.pop())
                } else {
                    let me = park::thread_waker();
                    state.submitters.push_back(me.clone());
                    registered = Some(me);
                    None
                }
            };
            match idle {
                Some(idle) => {
                    wake(idle.map(|(_, waker)| waker));
                    return Ok(());
                }
                None => std::thread::park(),
            }
        }
        message.map_or(Ok(()), Err)
    }

    /// The oldest call, for worker `number`, which sleeps until there is one, or the queue is closed and empty, or
    /// `interrupted` says true (whoever makes it true wakes the worker).
    pub(crate) fn poll_pop(
        &self,
        number: usize,
        context: &Context<'_>,
        interrupted: &dyn Fn() -> bool,
    ) -> Poll<Popped<M>> {
        let mut state = lock(&self.state);
        state.idle.retain(|(other, _)| *other != number);
        if interrupted() {
            // A wake-up meant for a call may have come to this worker: another idle one takes it.
            let heir = if state.waiting.is_empty() { None } else { state.idle.pop() };
            drop(state);
            wake(heir.map(|(_, waker)| waker));
            return Poll::Ready(Popped::Interrupted);
        }
        if let Some((_, message)) = state.waiting.pop_front() {
            state.running += 1;
            let submitter = state.submitters.pop_front();
            drop(state);
            wake(submitter);
            return Poll::Ready(Popped::Message(message));
        }
        if !state.open && (state.stopped || state.returning == 0) {
            return Poll::Ready(Popped::Closed);
        }
        state.idle.push((number, context.waker().clone()));
        Poll::Pending
    }

    /// As [`poll_pop`](Self::poll_pop), blocking this thread.
    pub(crate) fn pop(&self, number: usize, interrupted: &dyn Fn() -> bool) -> Popped<M> {
        park::block_on(poll_fn(|context| self.poll_pop(number, context, interrupted)))
    }

    /// A call that was taken is finished.
    pub(crate) fn finished(&self) {
        let mut state = lock(&self.state);
        state.running -= 1;
        tell(state);
    }

    /// A worker starts.
    pub(crate) fn worker_started(&self) {
        lock(&self.state).workers += 1;
    }

    /// A worker has ended.
    pub(crate) fn worker_ended(&self) {
        let mut state = lock(&self.state);
        state.workers -= 1;
        tell(state);
    }

    /// Lets nothing more in; what waits is still handed out.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.open = false;
        let idle = std::mem::take(&mut state.idle);
        let submitters = std::mem::take(&mut state.submitters);
        drop(state);
        for (_, waker) in idle {
            waker.wake();
        }
        submitters.into_iter().for_each(Waker::wake);
    }

    /// Lets nothing more in and gives back what waits, also for its time.
    pub(crate) fn stop(&self) -> VecDeque<M> {
        lock(&self.state).stopped = true;
        self.close();
        let mut state = lock(&self.state);
        let waiting = std::mem::take(&mut state.waiting);
        let backing_off = std::mem::take(&mut state.backing_off);
        tell(state);
        let backing_off = backing_off.into_values().map(BackingOff::into_message);
        waiting.into_iter().map(|(_, message)| message).chain(backing_off).collect()
    }

    /// Whether no worker is left to take a call.
    pub(crate) fn is_deserted(&self) -> bool {
        lock(&self.state).workers == 0
    }

    /// Blocks until no call waits or runs, until `deadline` at most; says whether that came true.
    pub(crate) fn wait_until_empty(&self, clock: &dyn Clock, deadline: Timestamp) -> bool {
        let empty = poll_fn(|context| self.observe(context, State::is_empty));
        park::block_on_until(empty, clock, deadline).is_some()
    }

    /// Blocks until every worker has ended.
    pub(crate) fn wait_until_deserted(&self) {
        park::block_on(poll_fn(|context| self.observe(context, |state| state.workers == 0)));
    }

    pub(super) fn observe(&self, context: &Context<'_>, condition: impl Fn(&State<M>) -> bool) -> Poll<()> {
        let mut state = lock(&self.state);
        if condition(&state) {
            return Poll::Ready(());
        }
        state.observers.push(context.waker().clone());
        Poll::Pending
    }

    /// What there is right now.
    pub(crate) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        Counts {
            queued: state.waiting.len() + state.backing_off.len(),
            running: state.running,
            workers: state.workers,
            retried: state.retried,
        }
    }
}

/// What there is in a queue, and around it.
pub(crate) struct Counts {
    /// Calls that wait, for a worker or for their time.
    pub(crate) queued: usize,
    pub(crate) running: usize,
    pub(crate) workers: usize,
    /// How often a call came back.
    pub(crate) retried: u64,
}

/// Wakes those who wait for the end, if this may be it.
pub(super) fn tell<M>(mut state: MutexGuard<'_, State<M>>) {
    if state.observers.is_empty() {
        return;
    }
    let observers = std::mem::take(&mut state.observers);
    drop(state);
    observers.into_iter().for_each(Waker::wake);
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use concurry_core::clock;

    use super::*;

    struct Flag(Arc<AtomicBool>);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn pop_now(queue: &Queue<u32>) -> Option<u32> {
        match queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false) {
            Poll::Ready(Popped::Message(message)) => Some(message),
            _ => None,
        }
    }

    #[test]
    fn calls_come_out_in_the_order_in_which_they_went_in() {
        let queue = Queue::new(10, clock::system());
        (0..5).for_each(|n| queue.push(None, n).unwrap());
        assert_eq!((0..5).filter_map(|_| pop_now(&queue)).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_full_queue_holds_the_submitter_back_until_there_is_room() {
        let queue = Queue::new(1, clock::system());
        queue.push(None, 1).unwrap();
        let submitter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(None, 2)
        });
        while lock(&queue.state).submitters.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(queue.counts().queued, 1);
        assert_eq!(pop_now(&queue), Some(1));
        submitter.join().unwrap().unwrap();
        assert_eq!(pop_now(&queue), Some(2));
    }

    #[test]
    fn a_submitter_that_is_woken_for_nothing_stands_in_line_once() {
        let queue = Queue::new(1, clock::system());
        queue.push(None, 1).unwrap();
        let submitter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(None, 2)
        });
        for _ in 0..50 {
            while lock(&queue.state).submitters.is_empty() {
                std::thread::yield_now();
            }
            submitter.thread().unpark();
            std::thread::yield_now();
        }
        assert!(lock(&queue.state).submitters.len() <= 1);
        assert_eq!(pop_now(&queue), Some(1));
        submitter.join().unwrap().unwrap();
        assert!(lock(&queue.state).submitters.is_empty());
    }

    #[test]
    fn a_closed_queue_gives_new_calls_back_and_hands_out_the_old() {
        let queue = Queue::new(10, clock::system());
        queue.push(None, 1).unwrap();
        queue.close();
        assert_eq!(queue.push(None, 2), Err(2));
        assert_eq!(pop_now(&queue), Some(1));
        assert!(matches!(
            queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false),
            Poll::Ready(Popped::Closed)
        ));
    }

    #[test]
    fn stopping_frees_a_submitter_that_waits_for_room() {
        let queue = Queue::new(1, clock::system());
        queue.push(None, 1).unwrap();
        let submitter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.push(None, 2)
        });
        while lock(&queue.state).submitters.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(queue.stop(), [1]);
        assert_eq!(submitter.join().unwrap(), Err(2));
    }

    #[test]
    fn an_interrupted_worker_hands_its_wake_up_on() {
        let queue = Queue::new(10, clock::system());
        let woken = Arc::new(AtomicBool::new(false));
        let other = Waker::from(Arc::new(Flag(Arc::clone(&woken))));
        assert!(queue.poll_pop(1, &Context::from_waker(&other), &|| false).is_pending());
        assert!(queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false).is_pending());
        queue.push(None, 1).unwrap(); // wakes worker 0, which went idle last
        let interrupted = queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| true);
        assert!(matches!(interrupted, Poll::Ready(Popped::Interrupted)));
        assert!(woken.load(Ordering::SeqCst));
    }
}
