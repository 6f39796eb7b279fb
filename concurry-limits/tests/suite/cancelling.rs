//! A waiter that leaves leaves nothing.

use concurry_core::clock::ManualClock;
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{LimitError, RateLimit, ResourceLimit, Window};

use crate::common::{SECOND, Task, acquiring, alone, in_use, on, seconds, wait_for_waiters, waiters};

#[test]
fn a_dropped_waiter_leaves_the_queue_and_the_next_is_woken() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 5)]).unwrap());
    let large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let mut small = Task::waiting(set.acquire_async([("tokens", 2)]));
    drop(large);
    drop(small.woken().unwrap());
    assert_eq!((waiters(&set, "tokens"), in_use(&set, "tokens")), (0, 7));
    assert_eq!(clock.next_wake(), None, "no timer is left behind");
}

#[test]
fn a_dropped_waiter_hands_its_turn_to_a_sleeping_thread() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 5)]).unwrap());
    let large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let small = acquiring(&set, "tokens", 2);
    wait_for_waiters(&set, "tokens", 2);
    drop(large);
    drop(small.join().unwrap().unwrap());
}

#[test]
fn a_waiter_in_the_middle_leaves_without_a_trace() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let mut first = Task::waiting(set.acquire_async(()));
    let middle = Task::waiting(set.acquire_async(()));
    let mut last = Task::waiting(set.acquire_async(()));
    drop(middle);
    drop(held);
    drop(first.woken().unwrap());
    drop(last.woken().unwrap());
    assert_eq!((waiters(&set, "doors"), in_use(&set, "doors")), (0, 0));
}

fn a_grant_to_a_dropped_future_is_undone(algorithm: RateLimitAlgorithm) {
    let clock = ManualClock::new();
    let tokens = RateLimit::new("tokens", 10, Window::SECOND).algorithm(algorithm);
    let set = on(&clock).limit(tokens).limit(ResourceLimit::new("doors", 1)).build().expect("valid limits");
    let held = set.acquire([("tokens", 0)]).expect("free doors");
    let granted = Task::waiting(set.acquire_async([("tokens", 6)]));
    let mut next = Task::waiting(set.acquire_async([("tokens", 7)]));
    drop(held);
    assert_eq!((granted.wakes(), next.wakes(), in_use(&set, "tokens")), (1, 0, 6));
    drop(granted);
    drop(next.woken().expect("a grant"));
    assert_eq!((in_use(&set, "doors"), in_use(&set, "tokens")), (0, 7), "{algorithm}");
}

#[test]
fn a_grant_that_its_future_never_saw_is_undone_in_every_algorithm() {
    for algorithm in [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra] {
        a_grant_to_a_dropped_future_is_undone(algorithm);
    }
}

#[test]
fn a_waiter_that_times_out_wakes_the_next() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)));
    drop(set.acquire([("tokens", 5)]).unwrap());
    clock.advance(seconds(1));
    let held = set.acquire([("tokens", 1)]).unwrap();
    // It can be admitted after 10 s at the earliest, so it says so at once and stands in nobody's way.
    let error =
        Task::new(set.acquire_async_timeout([("tokens", 10)], seconds(5))).poll().unwrap().unwrap_err();
    assert!(matches!(error, LimitError::Timeout { .. }));
    drop(set.try_acquire([("tokens", 1)]).unwrap());
    drop(held);

    let (clock, set) = alone(ResourceLimit::new("doors", 2));
    let held = set.acquire(()).unwrap();
    let mut both = Task::waiting(set.acquire_async_timeout([("doors", 2)], SECOND));
    let mut one = Task::waiting(set.acquire_async(()));
    clock.advance(SECOND);
    assert!(matches!(both.woken(), Err(LimitError::Timeout { .. })));
    drop(one.woken().unwrap());
    drop(held);
}

#[test]
fn a_grant_that_comes_with_the_deadline_wins() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let mut task = Task::waiting(set.acquire_async_timeout([("tokens", 10)], SECOND));
    clock.advance(SECOND);
    drop(task.woken().unwrap());
}

#[test]
fn a_future_that_was_never_polled_took_nothing() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    drop(set.acquire_async(()));
    let future = set.acquire_async(());
    assert!(set.try_acquire(()).is_ok());
    drop(future);
    assert_eq!(in_use(&set, "doors"), 0);
}
