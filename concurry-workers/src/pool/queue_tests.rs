//! Tests of the queue alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Wake;
use std::thread::JoinHandle;
use std::time::Duration;

use concurry_core::call::{Explains, Explanation, Look};
use concurry_core::clock;

use concurry_core::sync::lock;
use std::task::{Context, Poll, Waker};

use super::{
    Hire, LoadBalancing, Outlook, Popped, Queue, QueueOptions, Refused, Return, Route, Staffing, TakesAhead,
};
use crate::worker::Message;

impl Message for u32 {
    fn method(&self) -> &'static str {
        "number"
    }

    fn call(&self) -> usize {
        *self as usize
    }
}

impl Message for &'static str {
    fn method(&self) -> &'static str {
        self
    }

    fn call(&self) -> usize {
        self.len()
    }
}

fn queue_of(capacity: usize) -> Arc<Queue<u32>> {
    let queue = Queue::new(QueueOptions::of(capacity, clock::system()));
    queue.worker_started(0);
    queue
}

fn push(queue: &Queue<u32>, message: u32) -> Result<(), u32> {
    match queue.push(Route::default(), message) {
        Ok(None) => Ok(()),
        Ok(Some(other))
        | Err(Refused::Closed(other) | Refused::Full(other, _) | Refused::WouldDeadlock(other)) => Err(other),
    }
}

#[test]
fn what_a_method_has_submitted_and_what_is_done_takes_no_room() {
    let queue = queue_of(usize::MAX);
    push(&queue, 0).unwrap();
    assert_eq!(pop_now(&queue), Some(0));
    let _serving = super::serving::enter(queue.number(), Some(super::serving::Runner::alone(1)));
    for n in 1..10_000 {
        push(&queue, n).unwrap();
        assert_eq!(pop_now(&queue), Some(n));
        queue.finished(0, None);
    }
    assert!(queue.state().within.remembered() < 100);
}

#[test]
fn who_has_looked_for_a_call_that_does_not_come_back_watches_no_more() {
    let queue = queue_of(1);
    assert!(queue.take(7).is_none());
    assert!(queue.enters() && !queue.presence.leaves());
}

#[test]
fn who_waits_for_room_is_woken_by_a_call_that_is_taken_ahead_and_runs_at_once() {
    let queue = Queue::new(QueueOptions {
        when_full: concurry_core::when_full::WhenFull::Wait,
        ..QueueOptions::of(1, clock::system())
    });
    queue.worker_started(0);
    queue.takes_ahead(0, Waker::noop().clone(), Arc::downgrade(&Arc::new(Nobody)) as Weak<dyn TakesAhead>);
    push(&queue, 1).unwrap();
    let context = Context::from_waker(Waker::noop());
    let Poll::Ready(Popped::Message(first)) = queue.poll_take(0, &context, &|| false) else {
        panic!("it waits")
    };
    push(&queue, 2).unwrap();
    let submitter = std::thread::spawn({
        let queue = Arc::clone(&queue);
        move || push(&queue, 3).is_ok()
    });
    while lock(&queue.state).submitters.is_empty() {
        std::thread::yield_now();
    }
    queue.settled(0, &[first.age()], 1, Vec::new());
    let mut taken = Vec::new();
    assert_eq!(queue.take_ahead(0, 1, true, &mut taken), Outlook::Fine);
    assert_eq!(taken[0].message, 2);
    assert!(submitter.join().unwrap());
}

#[test]
fn of_two_calls_of_one_number_both_workers_are_told() {
    struct Told(AtomicBool);

    impl TakesAhead for Told {
        fn is_cancelled(&self) {
            self.0.store(true, Ordering::SeqCst);
        }

        fn end_by_force(&self, _: usize, _: Option<u64>) -> bool {
            false
        }

        fn help(self: Arc<Self>, _: usize, _: Look<'_>) -> bool {
            false
        }
    }

    let staffing = Staffing::of(2);
    let queue = Queue::new(QueueOptions { staffing, ..QueueOptions::of(usize::MAX, clock::system()) });
    queue.worker_started(0);
    queue.worker_started(1);
    let told: Vec<_> = (0..2).map(|_| Arc::new(Told(AtomicBool::new(false)))).collect();
    for (number, told) in told.iter().enumerate() {
        let ender = Arc::downgrade(told) as Weak<dyn TakesAhead>;
        queue.takes_ahead(number, Waker::noop().clone(), ender);
        push(&queue, 7).unwrap();
        let context = Context::from_waker(Waker::noop());
        assert!(matches!(queue.poll_take(number, &context, &|| false), Poll::Ready(Popped::Message(_))));
    }
    queue.counts_cancelled(7);
    assert!(told.iter().all(|told| told.0.load(Ordering::SeqCst)));
}

struct Flag(Arc<AtomicBool>);
impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn pop_now(queue: &Arc<Queue<u32>>) -> Option<u32> {
    match queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false) {
        Poll::Ready(Popped::Message((message, _))) => Some(message),
        _ => None,
    }
}

/// Submits on a thread of its own.
fn submitter(queue: &Arc<Queue<u32>>, message: u32) -> JoinHandle<Result<(), u32>> {
    let queue = Arc::clone(queue);
    std::thread::spawn(move || push(&queue, message))
}

fn until_one_waits(queue: &Queue<u32>) {
    while lock(&queue.state).submitters.is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn calls_come_out_in_the_order_in_which_they_went_in() {
    let queue = queue_of(10);
    (0..5).for_each(|n| push(&queue, n).unwrap());
    assert_eq!((0..5).filter_map(|_| pop_now(&queue)).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_full_queue_holds_the_submitter_back_until_there_is_room() {
    let queue = queue_of(1);
    push(&queue, 1).unwrap();
    let submitter = submitter(&queue, 2);
    until_one_waits(&queue);
    assert_eq!(queue.counts().queued, 1);
    assert_eq!(pop_now(&queue), Some(1));
    submitter.join().unwrap().unwrap();
    assert_eq!(pop_now(&queue), Some(2));
}

#[test]
fn a_submitter_that_is_woken_for_nothing_stands_in_line_once() {
    let queue = queue_of(1);
    push(&queue, 1).unwrap();
    let submitter = submitter(&queue, 2);
    for _ in 0..50 {
        until_one_waits(&queue);
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
    let queue = queue_of(10);
    push(&queue, 1).unwrap();
    queue.close();
    assert_eq!(push(&queue, 2), Err(2));
    assert_eq!(pop_now(&queue), Some(1));
    assert!(matches!(
        queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false),
        Poll::Ready(Popped::Closed)
    ));
}

#[test]
fn stopping_frees_a_submitter_that_waits_for_room() {
    let queue = queue_of(1);
    push(&queue, 1).unwrap();
    let submitter = submitter(&queue, 2);
    until_one_waits(&queue);
    assert_eq!(queue.stop(), [1]);
    assert_eq!(submitter.join().unwrap(), Err(2));
}

#[test]
fn an_interrupted_worker_hands_its_wake_up_on() {
    let queue = queue_of(10);
    let woken = Arc::new(AtomicBool::new(false));
    let other = Waker::from(Arc::new(Flag(Arc::clone(&woken))));
    assert!(queue.poll_pop(1, &Context::from_waker(&other), &|| false).is_pending());
    assert!(queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| false).is_pending());
    push(&queue, 1).unwrap(); // wakes worker 0, which went idle last
    let interrupted = queue.poll_pop(0, &Context::from_waker(Waker::noop()), &|| true);
    assert!(matches!(interrupted, Poll::Ready(Popped::Interrupted)));
    assert!(woken.load(Ordering::SeqCst));
}

struct Nobody;

impl TakesAhead for Nobody {
    fn is_cancelled(&self) {}

    fn end_by_force(&self, _: usize, _: Option<u64>) -> bool {
        false
    }

    fn help(self: Arc<Self>, _: usize, _: Look<'_>) -> bool {
        false
    }
}

#[test]
fn a_call_at_hand_that_was_not_begun_waits_and_knows_its_place() {
    let queue = queue_of(10);
    let nobody: Weak<dyn TakesAhead> = Weak::<Nobody>::new();
    queue.takes_ahead(0, Waker::noop().clone(), nobody);
    (1..=4).for_each(|n| push(&queue, n).unwrap());
    let first = queue.poll_take(0, &Context::from_waker(Waker::noop()), &|| false);
    let Poll::Ready(Popped::Message(first)) = first else { panic!("there is one") };
    let mut at_hand = Vec::new();
    assert_eq!(queue.take_ahead(0, 2, true, &mut at_hand), Outlook::Fine);
    let place = |call| match queue.explain(call) {
        Explanation::Queued { ahead, workers: 1, .. } => Some(ahead),
        other => (other != Explanation::Running).then_some(usize::MAX),
    };
    assert_eq!([1, 2, 3, 4].map(place), [None, Some(0), Some(1), Some(2)]);
    queue.settled(0, &[first.age()], 1, Vec::new());
    assert_eq!([2, 3, 4].map(place), [None, Some(0), Some(1)]);
    let third = at_hand.pop().into_iter().collect();
    assert!(queue.put_back(0, third).is_empty());
    assert_eq!([2, 3, 4].map(place), [None, Some(0), Some(1)]);
    assert_eq!((queue.counts().queued, queue.counts().running), (2, 1));
}

#[test]
fn a_call_of_a_worker_that_ended_counts_for_the_one_that_takes_it() {
    let (balancing, staffing) = (LoadBalancing::LeastActive, Staffing::of(2));
    let queue = Queue::new(QueueOptions { balancing, staffing, ..QueueOptions::of(10, clock::system()) });
    queue.worker_started(0);
    queue.worker_started(1);
    push(&queue, 0).unwrap();
    assert_eq!(pop_now(&queue), Some(0), "it was given to worker 0");
    push(&queue, 1).unwrap();
    queue.worker_ended(1);
    queue.finished(0, None);
    assert_eq!(pop_now(&queue), Some(1), "that of worker 1 may be taken by any");
    queue.worker_started(1);
    push(&queue, 2).unwrap();
    assert_eq!(pop_now(&queue), None, "it was given to worker 1");
}

#[test]
fn what_waits_when_a_worker_on_demand_is_lost_has_another_made() {
    let staffing = Staffing { target: 2, idle: Some(Duration::from_secs(60)) };
    let queue: Arc<Queue<u32>> =
        Queue::new(QueueOptions { staffing, ..QueueOptions::of(10, clock::system()) });
    let hired = Arc::new(Mutex::new(Vec::new()));
    let starts = Arc::clone(&hired);
    let start = Box::new(move |number| lock(&starts).push(number));
    queue.hires_by(Hire { start, pool: Weak::<()>::new() });
    queue.worker_started(0);
    push(&queue, 1).unwrap();
    assert_eq!(pop_now(&queue), Some(1));
    push(&queue, 2).unwrap();
    let taken = queue.poll_pop(1, &Context::from_waker(Waker::noop()), &|| false);
    assert!(matches!(taken, Poll::Ready(Popped::Message((2, None | Some(_))))));
    push(&queue, 3).unwrap();
    assert_eq!(*lock(&hired), [1], "there are as many as there may be");
    queue.worker_ended(1);
    assert_eq!(*lock(&hired), [1, 1]);
    queue.worker_ended(1);
    assert_eq!(*lock(&hired), [1, 1], "that one could not be made, nor could the next");
}

#[test]
fn what_waits_is_taken_out_only_when_nobody_is_there() {
    let queue = queue_of(10);
    push(&queue, 1).unwrap();
    assert!(queue.take_waiting().is_empty());
    queue.worker_ended(0);
    assert_eq!(queue.take_waiting(), [1]);
}

#[test]
fn an_attempt_that_is_taken_and_put_back_follows_nothing_when_it_leaves() {
    let queue = queue_of(10);
    let ticket = queue.ticket(7);
    let followed = || queue.counts().followed;
    let caller = tracing::Span::none();
    let back =
        || Return { age: ticket.age, affinity: None, at: clock::system().now(), attempt: 2, caller: &caller };
    let take = || match queue.poll_take(0, &Context::from_waker(Waker::noop()), &|| false) {
        Poll::Ready(Popped::Message(taken)) => taken,
        _ => panic!("there is one"),
    };
    queue.come_back(back(), 7).unwrap();
    for _ in 0..2 {
        let taken = take();
        assert_eq!(followed(), 1);
        assert!(queue.put_back(0, vec![taken]).is_empty());
        assert_eq!(followed(), 1, "it may yet run");
    }
    queue.withdraw(ticket.age);
    assert_eq!(followed(), 0);
    // One that has run, and comes back once more, counts for both.
    queue.come_back(back(), 7).unwrap();
    drop(take());
    queue.finished(0, None);
    queue.come_back(back(), 7).unwrap();
    let taken = take();
    assert!(queue.put_back(0, vec![taken]).is_empty());
    assert_eq!(followed(), 2);
    queue.withdraw(ticket.age);
    assert_eq!(followed(), 1);
}
