//! Where most calls are put down: beside the queue, under a lock of its own, which is held for as long as that takes.
//!
//! Promise: whoever holds the queue's lock through [`Queue::state`](super::queue::Queue) finds every call that was submitted before.
//! A call that needs nothing but a place at the end stands here until somebody looks: a worker that has run what it found, or
//! whoever asks. So who submits and who runs meet at this lock once for many calls, and not at that of the queue twice for each.
//!
//! It lets calls in only while nothing else is to be done for them: no worker is idle, who would have to be woken; there is room;
//! the queue is open; the call is not measured. All others go into the queue themselves. What is known here is what was true
//! when the queue's lock was held last, and whoever makes it untrue holds that lock and tells.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use concurry_core::sync::lock;

use super::apart::Apart;
use super::lane::Calls;

pub(super) struct Inbox<M> {
    within: Apart<Mutex<Within<M>>>,
    /// Whether there may be a call that nobody has looked at: for who looks without a lock.
    has_news: Apart<AtomicBool>,
    /// The ages with none of these bits are measured.
    mask: Arc<AtomicU64>,
}

struct Within<M> {
    /// In the order of their ages, which are higher than all others.
    calls: VecDeque<(u64, M)>,
    last_age: u64,
    is_shut: bool,
    /// So many more may come.
    room: usize,
}

impl<M> Inbox<M> {
    /// One that is shut.
    pub(super) fn new(mask: Arc<AtomicU64>) -> Self {
        let within = Within { calls: VecDeque::new(), last_age: 0, is_shut: true, room: 0 };
        Self { within: Apart(Mutex::new(within)), has_news: Apart::default(), mask }
    }

    /// Puts a call down, or gives it back if it has to go into the queue itself.
    #[inline]
    pub(super) fn put(&self, message: M) -> Result<(), M> {
        let mut within = lock(&self.within);
        let age = within.last_age + 1;
        if within.is_shut || within.room == 0 || self.measures(age) {
            return Err(message);
        }
        within.room -= 1;
        within.last_age = age;
        within.calls.push_back((age, message));
        // Under the lock, as what clears it.
        if !self.has_news.load(Ordering::Relaxed) {
            self.has_news.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Whether a call of this age is measured.
    #[inline]
    pub(super) fn measures(&self, age: u64) -> bool {
        age & self.mask.load(Ordering::Relaxed) == 0
    }

    /// Whether there may be a call that nobody has looked at.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// There is a call in the queue.
    #[inline]
    pub(super) fn tell(&self) {
        self.has_news.store(true, Ordering::Release);
    }

    /// Moves what is here to the end of `calls`, and lets in what there is `room` for from now on: nothing when that is 0. How many
    /// those were; and gives `ages` to calls that come in another way, of which the last is told.
    pub(super) fn empty_into(&self, calls: &mut Calls<M>, room: usize, ages: u64) -> (usize, u64) {
        let mut within = lock(&self.within);
        self.has_news.store(false, Ordering::Relaxed);
        let count = within.calls.len();
        if calls.0.is_empty() {
            std::mem::swap(&mut calls.0, &mut within.calls);
        } else {
            calls.0.append(&mut within.calls);
        }
        within.room = room.saturating_sub(count);
        within.is_shut = room == 0;
        within.last_age += ages;
        (count, within.last_age)
    }

    /// Lets nothing in from now on; false, and nothing is changed, when something is here.
    pub(super) fn shut_if_empty(&self) -> bool {
        let mut within = lock(&self.within);
        let is_empty = within.calls.is_empty();
        within.is_shut |= is_empty;
        is_empty
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Wake, Waker};

    use concurry_core::clock;
    use concurry_core::when_full::WhenFull;

    use super::super::{Popped, Queue, QueueOptions, Refused, Route};
    use super::*;

    /// A queue with one worker, which is busy; of its calls every 128th is measured.
    fn queue(capacity: usize) -> Arc<Queue<u32>> {
        let options = QueueOptions::of(capacity, clock::system());
        let queue = Queue::new(QueueOptions { when_full: WhenFull::Reject, ..options });
        queue.worker_started(0);
        push(&queue, 0).unwrap();
        assert_eq!(pop(&queue), Some(0));
        lock(&queue.state).notes.mask().store(127, Ordering::Relaxed);
        queue
    }

    fn push(queue: &Queue<u32>, message: u32) -> Result<(), u32> {
        let Err(message) = queue.put(Route::default(), message) else { return Ok(()) };
        match queue.push(Route::default(), message) {
            Ok(_) => Ok(()),
            Err(Refused::Closed(back) | Refused::Full(back, _) | Refused::WouldDeadlock(back)) => Err(back),
        }
    }

    fn pop(queue: &Arc<Queue<u32>>) -> Option<u32> {
        match queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false) {
            Poll::Ready(Popped::Message((message, _))) => Some(message),
            _ => None,
        }
    }

    fn put_down(queue: &Queue<u32>) -> usize {
        lock(&queue.inbox.within).calls.len()
    }

    #[test]
    fn calls_of_both_ways_come_out_in_the_order_in_which_they_went_in() {
        let queue = queue(usize::MAX);
        // The 127th of them is measured, and those that come back go their own way.
        (1..=100).for_each(|n| push(&queue, n).unwrap());
        assert_eq!(put_down(&queue), 100);
        let ticket = queue.ticket(0);
        (101..=300).for_each(|n| push(&queue, n).unwrap());
        assert!(put_down(&queue) < 200);
        assert!(queue.push(Route { age: Some(ticket.age), affinity: None }, 1_000).is_ok());
        let mut taken: Vec<u32> =
            std::iter::from_fn(|| queue.next(0, None).map(|next| next.message)).collect();
        assert_eq!(taken.remove(100), 1_000, "its age is that of its ticket");
        assert_eq!(taken, (1..=300).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_put_down_counts_and_takes_room() {
        let queue = queue(5);
        (1..=3).for_each(|n| push(&queue, n).unwrap());
        assert_eq!((put_down(&queue), queue.counts().queued), (3, 3));
        (4..=5).for_each(|n| push(&queue, n).unwrap());
        assert_eq!([push(&queue, 6), push(&queue, 7)], [Err(6), Err(7)]);
        assert_eq!(pop(&queue), Some(1));
        assert_eq!([push(&queue, 8), push(&queue, 9)], [Ok(()), Err(9)]);
        assert_eq!(queue.stop(), [2, 3, 4, 5, 8]);
        assert_eq!(push(&queue, 10), Err(10));
    }

    #[test]
    fn a_call_that_comes_back_takes_room_from_those_that_are_put_down() {
        let queue = queue(3);
        push(&queue, 1).unwrap();
        let ticket = queue.ticket(0);
        let at = queue.clock().now();
        let caller = tracing::Span::none();
        let back = super::super::Return { age: ticket.age, affinity: None, at, attempt: 2, caller: &caller };
        queue.come_back(back, 2).unwrap();
        assert_eq!([push(&queue, 3), push(&queue, 4)], [Ok(()), Err(4)]);
    }

    #[test]
    fn what_was_put_down_before_it_closed_is_run() {
        let queue = queue(usize::MAX);
        push(&queue, 1).unwrap();
        queue.close();
        assert_eq!([push(&queue, 2), push(&queue, 3)], [Err(2), Err(3)]);
        assert_eq!(queue.next(0, None).map(|next| next.message), Some(1));
        assert_eq!(pop(&queue), None);
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_worker_that_is_idle_is_woken_and_one_that_looks_is_not() {
        let queue = queue(usize::MAX);
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        assert!(queue.poll_pop(0, &Context::from_waker(&waker), &|| false).is_pending());
        (1..=3).for_each(|n| push(&queue, n).unwrap());
        assert_eq!((count.0.load(Ordering::SeqCst), put_down(&queue)), (1, 2));
        assert!(queue.has_news());
        let taken: Vec<_> = std::iter::from_fn(|| pop(&queue)).collect();
        assert_eq!(taken, [1, 2, 3]);
    }

    #[test]
    fn calls_of_many_threads_are_all_found() {
        const EACH: u32 = 20_000;
        let queue = queue(usize::MAX);
        let worker = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let mut last = [0; 4];
                while let Popped::Message((message, mut noted)) = queue.pop(0, &|| false) {
                    let mut next = Some((message, noted.take()));
                    while let Some((message, noted)) = next.take() {
                        let from = &mut last[message as usize / EACH as usize];
                        assert!(*from == 0 || *from < message, "the calls of one thread are in order");
                        *from = message;
                        next = queue.next(0, noted).map(|next| (next.message, next.noted));
                    }
                }
                last
            }
        });
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let queue = &queue;
                scope.spawn(move || (0..EACH).for_each(|n| push(queue, thread * EACH + n).unwrap()));
            }
        });
        queue.close();
        assert_eq!(worker.join().unwrap(), [0, 1, 2, 3].map(|thread| thread * EACH + EACH - 1));
        assert_eq!(queue.counts().queued, 0);
    }
}
