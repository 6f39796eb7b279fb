//! The largest amounts, the shortest and longest windows, and clocks that stand still or leap.

use std::time::Duration;

use concurry_core::clock::{Clock, ManualClock};
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{Admission, LimitError, LimitSet, RateLimit, ResourceLimit, Window};

use crate::common::{NANO, SECOND, Task, acquiring, alone, in_use, just_before, on, wait_for_waiters};

const ALL: [RateLimitAlgorithm; 5] = [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra];

/// A rate alone, and beside another limit, on a clock that has run for a while.
fn sets(rate: &RateLimit, age: Duration) -> [(ManualClock, LimitSet); 2] {
    [false, true].map(|beside| {
        let clock = ManualClock::new();
        clock.advance(age);
        let builder = on(&clock).limit(rate.clone());
        let builder = if beside { builder.limit(ResourceLimit::new("beside", 9)) } else { builder };
        let set = builder.build().expect("valid limits");
        (clock, set)
    })
}

/// How long 1 takes to come back when all is used.
fn wait_for_one(algorithm: RateLimitAlgorithm, capacity: u64, window: Duration) -> Duration {
    match algorithm {
        SlidingWindow | FixedWindow => window,
        _ => {
            let nanos = window.as_nanos().div_ceil(u128::from(capacity));
            Duration::from_nanos(u64::try_from(nanos).expect("no longer than the window"))
        }
    }
}

fn assert_exact(algorithm: RateLimitAlgorithm, capacity: u64, window: Duration, age: Duration) {
    let rate = RateLimit::new("tokens", capacity, window).algorithm(algorithm);
    for (clock, set) in sets(&rate, age) {
        let what = format!("{algorithm}, {capacity} in {window:?} at {age:?}");
        drop(set.try_acquire([("tokens", capacity)]).expect(&what));
        assert_eq!(in_use(&set, "tokens"), capacity, "{what}");
        let wait = wait_for_one(algorithm, capacity, window);
        for (amount, wait) in [(1, wait), (capacity, window)] {
            let error = set.try_acquire([("tokens", amount)]).expect_err(&what);
            let LimitError::Unavailable { requested, available: 0, available_in, .. } = error else {
                panic!("{what}: {error:?}")
            };
            assert_eq!((requested, available_in), (amount, Some(wait)), "{what}");
        }
        if let Some(more) = capacity.checked_add(1) {
            let error = set.try_acquire([("tokens", more)]).expect_err(&what);
            assert!(matches!(error, LimitError::Never { .. }), "{what}: {error:?}");
        }
        clock.advance(just_before(wait));
        assert!(set.try_acquire([("tokens", 1)]).is_err(), "{what}: too early");
        clock.advance(NANO);
        drop(set.try_acquire([("tokens", 1)]).expect(&what));
        clock.advance(window);
        drop(set.try_acquire([("tokens", capacity - 1)]).expect(&what));
    }
}

#[test]
fn the_largest_amounts_and_windows_from_a_nanosecond_to_ten_years_are_exact() {
    let ages = [Duration::ZERO, Duration::from_secs(500 * 365 * 86_400)];
    let windows = [NANO, Duration::from_nanos(7), SECOND, Window::MAX.duration()];
    for algorithm in ALL {
        for window in windows {
            for capacity in [1, 3, 1_000_000_007, u64::MAX - 1, u64::MAX] {
                for age in ages {
                    assert_exact(algorithm, capacity, window, age);
                }
            }
        }
    }
}

#[test]
fn a_resource_of_the_largest_capacity_counts_to_its_end() {
    let (_clock, set) = alone(ResourceLimit::new("units", u64::MAX));
    let most = set.try_acquire([("units", u64::MAX - 1)]).unwrap();
    let last = set.try_acquire([("units", 1)]).unwrap();
    assert!(matches!(set.try_acquire([("units", 1)]), Err(LimitError::Unavailable { available: 0, .. })));
    assert!(matches!(set.try_acquire([("units", u64::MAX)]), Err(LimitError::Unavailable { .. })));
    drop(most);
    assert_eq!(in_use(&set, "units"), 1);
    drop(last);
    drop(set.try_acquire([("units", u64::MAX)]).unwrap());
}

#[test]
fn a_clock_that_stands_still_frees_nothing_and_loses_nothing() {
    for algorithm in ALL {
        let rate = RateLimit::new("tokens", 5, SECOND).algorithm(algorithm);
        for (_clock, set) in sets(&rate, Duration::ZERO) {
            let admitted = (0..50).filter(|_| set.try_acquire([("tokens", 1)]).is_ok()).count();
            assert_eq!((admitted, in_use(&set, "tokens")), (5, 5), "{algorithm}");
            let _waits = Task::waiting(set.acquire_async([("tokens", 1)]));
            assert!((0..50).all(|_| set.try_acquire([("tokens", 1)]).is_err()), "{algorithm}");
            assert_eq!(in_use(&set, "tokens"), 5, "{algorithm}");
        }
    }
}

#[test]
fn a_clock_that_leaps_frees_one_capacity_and_no_more() {
    for algorithm in ALL {
        let rate = RateLimit::new("tokens", 5, SECOND).algorithm(algorithm);
        for (clock, set) in sets(&rate, Duration::ZERO) {
            drop(set.try_acquire([("tokens", 5)]).unwrap());
            let mut tasks: Vec<_> =
                (0..12).map(|_| Task::waiting(set.acquire_async([("tokens", 1)]))).collect();
            clock.advance(Duration::from_secs(100 * 365 * 86_400) + SECOND / 3);
            let woken = tasks.iter().filter(|task| task.wakes() > 0).count();
            assert_eq!(woken, 5, "{algorithm}");
            let now = clock.now();
            tasks.drain(..5).for_each(|mut task| drop(task.woken().unwrap()));
            let behind = set.would_admit([("tokens", 5)]);
            assert_eq!(behind, Admission::OnRelease("tokens".into()), "{algorithm}");
            let next = clock.next_wake().expect("others wait") - now;
            assert!(next <= SECOND && next >= SECOND / 5, "{algorithm}: {next:?}");
        }
    }
}

#[test]
fn a_patience_without_end_is_no_instant() {
    let (clock, set) = alone(ResourceLimit::new("doors", 1));
    clock.advance(Duration::from_secs(1));
    let held = set.try_acquire(()).unwrap();
    let mut task = Task::waiting(set.acquire_async_timeout((), Duration::MAX));
    let waiter = {
        let set = set.clone();
        std::thread::spawn(move || set.acquire_timeout((), Duration::MAX))
    };
    wait_for_waiters(&set, "doors", 2);
    let last = acquiring(&set, "doors", 1);
    wait_for_waiters(&set, "doors", 3);
    drop(held);
    drop(task.woken().unwrap());
    drop(waiter.join().unwrap().unwrap());
    drop(last.join().unwrap().unwrap());
}
