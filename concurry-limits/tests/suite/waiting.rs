//! Who waits, for how long, and who is next.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use concurry_core::clock::{Clock, ManualClock, Timestamp, WakeGuard};
use concurry_limits::RateLimitAlgorithm::{SlidingWindow, TokenBucket};
use concurry_limits::{CallLimit, LimitError, LimitPool, LimitSet, RateLimit, ResourceLimit, Window};

use crate::common::{
    NANO, SECOND, Task, acquiring, alone, in_use, just_before, on, seconds, wait_for_waiters,
};

fn tokens(capacity: u64) -> RateLimit {
    RateLimit::new("tokens", capacity, Window::SECOND).algorithm(TokenBucket)
}

#[test]
fn a_blocking_waiter_wakes_at_the_exact_instant() {
    let (clock, set) = alone(tokens(10));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let waiter = acquiring(&set, "tokens", 5);
    clock.wait_for_sleepers(1);
    assert_eq!(clock.next_wake(), Some(clock.now() + SECOND / 2));
    clock.advance(just_before(SECOND / 2));
    assert_eq!(crate::common::waiters(&set, "tokens"), 1);
    clock.advance(NANO);
    drop(waiter.join().unwrap().unwrap());
    assert_eq!(in_use(&set, "tokens"), 10);
}

#[test]
fn an_async_waiter_is_woken_at_the_exact_instant_and_only_then() {
    let (clock, set) = alone(tokens(10));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let mut task = Task::waiting(set.acquire_async([("tokens", 5)]));
    assert_eq!(clock.next_wake(), Some(clock.now() + SECOND / 2));
    clock.advance(just_before(SECOND / 2));
    assert_eq!(task.wakes(), 0);
    clock.advance(NANO);
    assert_eq!(task.wakes(), 1);
    drop(task.woken().unwrap());
    assert_eq!(clock.next_wake(), None, "no timer is left behind");
}

#[test]
fn a_release_wakes_the_waiters_that_it_admits() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 4));
    let held = set.acquire([("doors", 4)]).unwrap();
    let mut tasks: Vec<_> = (0..5).map(|_| Task::waiting(set.acquire_async([("doors", 1)]))).collect();
    drop(held);
    assert_eq!(tasks.iter().map(Task::wakes).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
    let granted: Vec<_> = tasks[..4].iter_mut().map(Task::woken).collect();
    drop(granted);
    drop(tasks[4].woken().unwrap());
}

#[test]
fn a_refund_wakes_earlier_than_the_timer() {
    let (clock, set) = alone(tokens(10));
    let mut acquired = set.acquire([("tokens", 10)]).unwrap();
    let waiter = acquiring(&set, "tokens", 5);
    clock.wait_for_sleepers(1);
    let mut task = Task::waiting(set.acquire_async([("tokens", 1)]));
    acquired.update([("tokens", 4)]).unwrap();
    acquired.release().unwrap();
    drop(waiter.join().unwrap().unwrap());
    drop(task.woken().unwrap());
    assert_eq!(clock.now().as_nanos(), 0);
}

#[test]
fn a_partial_refund_moves_the_instant_of_a_sleeping_waiter_forward() {
    let (clock, set) = alone(tokens(10));
    let mut acquired = set.acquire([("tokens", 10)]).unwrap();
    let waiter = acquiring(&set, "tokens", 8);
    clock.wait_for_sleepers(1);
    acquired.update([("tokens", 7)]).unwrap();
    acquired.release().unwrap();
    // 3 are back, so 5 more are needed: half a second instead of 0.8.
    while clock.next_wake() != Some(clock.now() + SECOND / 2) {
        std::thread::yield_now();
    }
    clock.advance(SECOND / 2);
    drop(waiter.join().unwrap().unwrap());
}

#[test]
fn a_later_small_request_does_not_overtake_a_large_one() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 5)]).unwrap());
    let mut large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let error = set.try_acquire([("tokens", 1)]).unwrap_err();
    assert!(matches!(error, LimitError::Unavailable { available: 5, .. }), "{error:?}");
    let mut small = Task::waiting(set.acquire_async([("tokens", 1)]));
    clock.advance(SECOND);
    drop(large.woken().unwrap());
    assert!(small.poll().is_none());
    clock.advance(SECOND);
    drop(small.woken().unwrap());
}

#[test]
fn requests_without_a_common_key_never_wait_for_each_other() {
    let set = on(&ManualClock::new())
        .limit(tokens(10))
        .limit(RateLimit::new("images", 2, Window::SECOND))
        .build()
        .unwrap();
    drop(set.acquire([("tokens", 10)]).unwrap());
    let _stuck = Task::waiting(set.acquire_async([("tokens", 10)]));
    drop(set.try_acquire([("images", 1)]).unwrap());
    let mut both = Task::waiting(set.acquire_async([("images", 1), ("tokens", 1)]));
    assert!(set.try_acquire([("images", 1)]).is_err(), "the one that wants both came first");
    assert!(both.poll().is_none());
}

#[test]
fn a_waiter_behind_several_groups_is_served_when_all_of_them_are() {
    let clock = ManualClock::new();
    let set = on(&clock)
        .limit(RateLimit::new("a", 1, Window::SECOND))
        .limit(RateLimit::new("b", 1, seconds(2)))
        .build()
        .unwrap();
    drop(set.acquire([("a", 1), ("b", 1)]).unwrap());
    let mut a = Task::waiting(set.acquire_async([("a", 1)]));
    let mut b = Task::waiting(set.acquire_async([("b", 1)]));
    let mut both = Task::waiting(set.acquire_async([("a", 1), ("b", 1)]));
    clock.advance(SECOND);
    drop(a.woken().unwrap());
    assert!(b.poll().is_none() && both.poll().is_none());
    clock.advance(SECOND);
    drop(b.woken().unwrap());
    assert!(both.poll().is_none());
    clock.advance(seconds(2));
    drop(both.woken().unwrap());
}

#[test]
fn blocking_and_async_waiters_stand_in_one_queue_in_the_order_of_arrival() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut threads = Vec::new();
    let mut tasks = Vec::new();
    for place in 0..6 {
        if place % 2 == 0 {
            let (set, order) = (set.clone(), Arc::clone(&order));
            threads.push(std::thread::spawn(move || {
                let acquired = set.acquire(()).unwrap();
                order.lock().unwrap().push(place);
                drop(acquired);
            }));
        } else {
            tasks.push((place, Task::waiting(set.acquire_async(()))));
        }
        wait_for_waiters(&set, "doors", place + 1);
    }
    drop(held);
    for (place, mut task) in tasks {
        while task.wakes() == 0 {
            std::thread::yield_now();
        }
        let acquired = task.woken().unwrap();
        order.lock().unwrap().push(place);
        drop(acquired);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_timeout_that_cannot_fit_fails_at_once_and_tells_the_wait() {
    let (clock, set) = alone(tokens(10));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let error = set.acquire_timeout([("tokens", 10)], just_before(SECOND)).unwrap_err();
    let LimitError::Timeout { ref key, requested: 10, capacity: 10, available: 0, available_in, waited } =
        error
    else {
        panic!("{error:?}")
    };
    assert_eq!((key.as_str(), available_in, waited), ("tokens", Some(SECOND), std::time::Duration::ZERO));
    let waiter = {
        let set = set.clone();
        std::thread::spawn(move || set.acquire_timeout([("tokens", 10)], SECOND))
    };
    clock.wait_for_sleepers(1);
    clock.advance(SECOND);
    drop(waiter.join().unwrap().expect("it fits exactly"));
}

#[test]
fn a_timeout_behind_others_is_no_known_wait_and_ends_at_the_deadline() {
    let (clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let waiter = {
        let set = set.clone();
        std::thread::spawn(move || set.acquire_timeout((), seconds(3)))
    };
    clock.wait_for_sleepers(1);
    let mut task = Task::waiting(set.acquire_async_timeout((), seconds(2)));
    clock.advance(seconds(2));
    let first = task.woken();
    clock.advance(SECOND);
    for (outcome, patience) in [(first, seconds(2)), (waiter.join().unwrap(), seconds(3))] {
        let Err(LimitError::Timeout { key, available_in: None, waited, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((key.as_str(), waited), ("doors", patience));
    }
    drop(held);
    assert!(set.try_acquire(()).is_ok());
}

#[test]
fn a_newcomer_behind_a_long_wait_may_still_wait_for_its_cancellation() {
    let (_clock, set) = alone(tokens(10));
    drop(set.acquire([("tokens", 9)]).unwrap());
    let long = Task::waiting(set.acquire_async([("tokens", 10)]));
    // The one ahead takes 0.9 s, but it may leave: nothing is known to lie after this deadline.
    let mut short = Task::waiting(set.acquire_async_timeout([("tokens", 1)], SECOND / 2));
    drop(long);
    drop(short.woken().unwrap());
}

#[test]
fn a_timeout_of_zero_is_a_try() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire_timeout((), std::time::Duration::ZERO).unwrap();
    let error = set.acquire_timeout((), std::time::Duration::ZERO).unwrap_err();
    assert_eq!(error, set.try_acquire(()).unwrap_err());
    drop(held);
}

#[test]
fn a_hundred_thousand_waiters_are_served_in_order_and_leave_nothing() {
    let (clock, set) = alone(CallLimit::new(1_000, Window::SECOND).algorithm(SlidingWindow));
    let mut tasks: Vec<_> = (0..100_000).map(|_| Task::new(set.acquire_async(()))).collect();
    let mut done = 0;
    for (index, task) in tasks.iter_mut().enumerate() {
        done += usize::from(task.poll().is_some());
        assert!(done == (index + 1).min(1_000));
    }
    for round in 1..100 {
        clock.advance(SECOND);
        let woken = tasks.iter().filter(|task| task.wakes() > 0).count();
        assert_eq!(woken, round * 1_000);
        let served = &mut tasks[round * 1_000..(round + 1) * 1_000];
        for task in served {
            drop(task.woken().unwrap());
        }
    }
    assert_eq!(crate::common::waiters(&set, "call_count"), 0);
    assert_eq!(clock.next_wake(), None);
}

#[test]
fn threads_never_hold_more_than_the_capacity_together() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 3)).build().unwrap();
    let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (set, inside, most) = (&set, &inside, &most);
            scope.spawn(move || {
                for round in 0..500u64 {
                    let amount = 1 + (thread + round) % 3;
                    let acquired = set.acquire([("doors", amount)]).unwrap();
                    most.fetch_max(inside.fetch_add(amount, Ordering::SeqCst) + amount, Ordering::SeqCst);
                    inside.fetch_sub(amount, Ordering::SeqCst);
                    drop(acquired);
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 3);
    let stats = set.stats();
    assert_eq!((stats.limits[0].admitted, stats.limits[0].in_use, stats.limits[0].waiting), (4_000, 0, 0));
}

#[test]
fn the_latest_of_several_limits_decides_whether_a_deadline_can_be_met() {
    for order in [["quick", "slow"], ["slow", "quick"]] {
        let clock = ManualClock::new();
        let limit = |key| RateLimit::new(key, 4, seconds(if key == "quick" { 2 } else { 9 }));
        let set = on(&clock).limit(limit(order[0])).limit(limit(order[1])).build().unwrap();
        let both = order.map(|key| (key, 4));
        drop(set.acquire(both).unwrap());
        clock.advance(SECOND);
        let error = set.acquire_timeout(both, just_before(seconds(8))).unwrap_err();
        let LimitError::Timeout { key, requested: 4, capacity: 4, available: 0, available_in, waited } =
            error
        else {
            panic!("{error:?}")
        };
        assert_eq!((key.as_str(), available_in), ("slow", Some(seconds(8))));
        assert!(waited.is_zero());
        let mut task = Task::waiting(set.acquire_async_timeout(both, seconds(8)));
        clock.advance(seconds(8));
        drop(task.woken().expect("it fits exactly"));
        set.pause("quick", seconds(20)).unwrap();
        let error = set.try_acquire(both).unwrap_err();
        assert!(
            matches!(&error, LimitError::Unavailable { key, available_in: Some(wait), .. }
                if key == "quick" && *wait == seconds(20)),
            "{error:?}"
        );
    }
}

#[test]
fn what_comes_back_with_a_release_is_no_known_wait_however_long_the_others_take() {
    let clock = ManualClock::new();
    let set = on(&clock).limit(tokens(10)).limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let held = set.acquire([("tokens", 10)]).unwrap();
    let error = set.try_acquire([("tokens", 10)]).unwrap_err();
    assert!(
        matches!(&error, LimitError::Unavailable { key, available_in: None, .. } if key == "doors"),
        "{error:?}"
    );
    let mut task = Task::waiting(set.acquire_async_timeout([("tokens", 10)], SECOND));
    clock.advance(just_before(SECOND));
    drop(held);
    clock.advance(NANO);
    drop(task.woken().expect("both came in time"));
}

#[test]
fn small_requests_without_end_do_not_starve_a_large_one_whatever_way_they_come() {
    let (clock, set) = alone(tokens(10));
    let pool = LimitPool::new([set.clone()]);
    let small = set.prepare([("tokens", 1)]).unwrap();
    drop(set.acquire([("tokens", 10)]).unwrap());
    let mut large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let mut behind = Vec::new();
    for _ in 0..9 {
        clock.advance(SECOND / 10);
        for outcome in [set.try_acquire([("tokens", 1)]), pool.try_acquire([("tokens", 1)])] {
            assert!(matches!(outcome, Err(LimitError::Unavailable { .. })), "{outcome:?}");
        }
        assert!(small.try_acquire().is_err());
        behind.push(Task::waiting(set.acquire_async_timeout([("tokens", 1)], seconds(60))));
        behind.push(Task::waiting(small.acquire_async()));
    }
    clock.advance(SECOND / 10);
    drop(large.woken().expect("at the instant at which it would be admitted alone"));
    assert!(behind.iter().all(|task| task.wakes() == 0));
    (0..behind.len()).for_each(|_| clock.advance(SECOND / 10));
    for task in &mut behind {
        drop(task.woken().unwrap());
    }
}

/// A manual clock that counts the requests to wake, and notes until when threads park.
#[derive(Debug, Clone, Default)]
struct Counting(ManualClock, Arc<AtomicU64>, Arc<Mutex<Vec<Option<Timestamp>>>>);

impl Clock for Counting {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> WakeGuard {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.wake_at(at, waker)
    }

    fn park_until(&self, at: Option<Timestamp>) {
        self.2.lock().expect("no panic").push(at);
        self.0.park_until(at);
    }
}

#[test]
fn one_timer_serves_all_who_wait_and_nobody_is_woken_in_vain() {
    let clock = Counting::default();
    let limit = |key, window| RateLimit::new(key, 2, seconds(window)).algorithm(TokenBucket);
    let builder = LimitSet::builder().clock(Arc::new(clock.clone()));
    let set = builder.limit(limit("a", 2)).limit(limit("b", 4)).limit(limit("c", 6)).build().unwrap();
    drop(set.acquire([("a", 2), ("b", 2), ("c", 2)]).unwrap());
    let wait = |key| Task::waiting(set.acquire_async([(key, 1)]));
    let mut tasks: Vec<_> = ["a", "b", "c", "c", "b", "a"].map(wait).into_iter().collect();
    assert_eq!(clock.1.load(Ordering::SeqCst), 1, "the first is the soonest");
    for second in 1..=6 {
        clock.0.advance(SECOND);
        // `a` gives one a second, `b` one in two, `c` one in three.
        let served = [(0, 1), (5, 2), (1, 2), (4, 4), (2, 3), (3, 6)].map(|(task, at)| (task, at <= second));
        for (task, served) in served {
            assert_eq!(tasks[task].wakes(), usize::from(served), "task {task} at {second}");
        }
    }
    assert_eq!(clock.1.load(Ordering::SeqCst), 5, "one for each instant at which somebody is next");
    for task in &mut tasks {
        drop(task.woken().unwrap());
    }
    assert_eq!(clock.0.next_wake(), None);
}

#[test]
fn a_thread_that_waits_for_a_release_sleeps_until_it_is_woken_and_no_timer_is_set() {
    let clock = Counting::default();
    let builder = LimitSet::builder().clock(Arc::new(clock.clone()));
    let set = builder.limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let held = set.acquire(()).unwrap();
    let passing = |set: LimitSet| std::thread::spawn(move || set.acquire(()).map(drop));
    let waiters: Vec<_> = (0..3).map(|_| passing(set.clone())).collect();
    wait_for_waiters(&set, "doors", 3);
    while clock.2.lock().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    clock.0.advance(seconds(3_600));
    drop(held);
    for waiter in waiters {
        waiter.join().unwrap().unwrap();
    }
    let parked = clock.2.lock().unwrap();
    assert!(parked.iter().all(Option::is_none), "{parked:?}");
    assert_eq!((clock.1.load(Ordering::SeqCst), clock.0.next_wake()), (0, None));
}
