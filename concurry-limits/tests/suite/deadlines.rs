//! What is known to come too late is refused at once, whatever else is waited for.

use concurry_core::clock::ManualClock;
use concurry_limits::LimitPoolBalancing::EarliestAvailable;
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{
    Acquire, Admission, CallLimit, Feedback, LimitError, LimitPool, LimitSet, LimitSetAcquisition, RateLimit,
    ResourceLimit, Window,
};

use crate::common::{Outcome, SECOND, Task, alone, just_before, on, seconds, waiters};

/// Ten tokens a minute, all used, and a door that is held.
fn used_up_and_held(
    order: [&str; 2],
    algorithm: RateLimitAlgorithm,
) -> (ManualClock, LimitSet, LimitSetAcquisition) {
    let clock = ManualClock::new();
    let builder = order.into_iter().fold(on(&clock), |builder, key| match key {
        "tokens" => builder.limit(RateLimit::new("tokens", 10, Window::MINUTE).algorithm(algorithm)),
        _ => builder.limit(ResourceLimit::new("doors", 1)),
    });
    let set = builder.build().expect("valid limits");
    let held = set.acquire([("tokens", 10)]).expect("it is the first");
    (clock, set, held)
}

/// The limit, the known wait and the time waited of a timeout.
fn timeout(outcome: Outcome) -> (String, Option<std::time::Duration>, std::time::Duration) {
    match outcome {
        Err(LimitError::Timeout { key, available_in, waited, .. }) => (key, available_in, waited),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_known_instant_after_the_deadline_is_refused_at_once_though_a_release_is_waited_for_too() {
    for algorithm in [SlidingWindow, FixedWindow, LeakyBucket] {
        for order in [["tokens", "doors"], ["doors", "tokens"]] {
            let (_clock, set, held) = used_up_and_held(order, algorithm);
            let refused = Task::new(set.acquire_async_timeout([("tokens", 10)], SECOND)).poll();
            let refused = timeout(refused.expect("the tokens are known to come too late"));
            let told = ("tokens".to_owned(), Some(seconds(60)), seconds(0));
            assert_eq!(refused, told, "{algorithm:?}, {order:?}");
            let in_time = Task::waiting(set.acquire_async_timeout([("tokens", 10)], seconds(60)));
            drop((in_time, held));
        }
    }
}

#[test]
fn an_instant_that_a_refund_may_make_earlier_is_waited_for_with_the_release_that_refunds() {
    for algorithm in [TokenBucket, Gcra] {
        for order in [["tokens", "doors"], ["doors", "tokens"]] {
            let (clock, set, mut held) = used_up_and_held(order, algorithm);
            let mut first = Task::waiting(set.acquire_async_timeout([("tokens", 5)], seconds(10)));
            let mut second = Task::waiting(set.acquire_async_timeout([("tokens", 10)], seconds(10)));
            clock.advance(SECOND);
            held.update([("tokens", 0)]).unwrap();
            held.release().unwrap();
            let mut granted = first.woken().expect("all was there in time");
            assert!(second.poll().is_none(), "{algorithm:?}, {order:?}: the door is held");
            // It stands first now, and will be late if nothing is given back.
            granted.update([("tokens", 0)]).unwrap();
            granted.release().unwrap();
            drop(second.woken().expect("all was there in time again"));
        }
    }
}

#[test]
fn a_pause_is_known_to_last_though_the_tokens_may_be_refunded() {
    let (_clock, set, held) = used_up_and_held(["tokens", "doors"], TokenBucket);
    let mut standing = Task::waiting(set.acquire_async_timeout([("tokens", 5)], seconds(10)));
    set.pause("tokens", seconds(20)).unwrap();
    let late = ("tokens".to_owned(), Some(seconds(20)), seconds(0));
    assert_eq!(timeout(standing.woken()), late);
    assert_eq!(timeout(set.acquire_timeout([("tokens", 5)], seconds(10))), late);
    drop(held);
}

#[test]
fn a_pause_beyond_the_deadline_is_refused_at_once_though_what_is_paused_is_held() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    set.pause("doors", seconds(60)).unwrap();
    let refused = Task::new(set.acquire_async_timeout((), just_before(seconds(60)))).poll();
    let refused = timeout(refused.expect("the pause is known to last longer"));
    assert_eq!(refused, ("doors".to_owned(), Some(seconds(60)), seconds(0)));
    let error = set.prepare(()).unwrap().acquire_timeout(SECOND).unwrap_err();
    assert!(matches!(error, LimitError::Timeout { .. }), "{error:?}");
    // Without a deadline, nothing is known but that somebody has to release.
    let error = set.try_acquire(()).unwrap_err();
    assert!(matches!(error, LimitError::Unavailable { available_in: None, .. }), "{error:?}");
    assert_eq!(set.would_admit(()), Admission::OnRelease("doors".into()));
    let in_time = Task::waiting(set.acquire_async_timeout((), seconds(60)));
    drop((in_time, held));
}

#[test]
fn who_becomes_the_first_is_refused_when_its_instant_lies_after_its_deadline() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)).algorithm(TokenBucket));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let mut first = Task::waiting(set.acquire_async([("tokens", 5)]));
    let mut late = Task::waiting(set.acquire_async_timeout([("tokens", 6)], seconds(7)));
    let mut behind = Task::waiting(set.acquire_async_timeout([("tokens", 2)], seconds(7)));
    clock.advance(seconds(5));
    drop(first.woken().unwrap());
    assert_eq!(timeout(late.woken()), ("tokens".to_owned(), Some(seconds(6)), seconds(5)));
    assert_eq!(waiters(&set, "tokens"), 1);
    clock.advance(seconds(2));
    drop(behind.woken().expect("nobody who is late anyway stands in its way"));
}

#[test]
fn a_refund_that_may_come_is_not_foreseen() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::MINUTE).algorithm(TokenBucket));
    let mut open = set.acquire([("tokens", 10)]).unwrap();
    let late = timeout(set.acquire_timeout([("tokens", 5)], seconds(10)));
    assert_eq!(late, ("tokens".to_owned(), Some(seconds(30)), seconds(0)));
    let mut patient = Task::waiting(set.acquire_async([("tokens", 5)]));
    open.update([("tokens", 1)]).unwrap();
    open.release().unwrap();
    drop(patient.woken().expect("who has no deadline has what comes back"));
}

#[test]
fn a_thread_that_waits_is_told_when_a_pause_ends_after_its_deadline() {
    let (clock, set) = alone(CallLimit::new(1, SECOND));
    drop(set.acquire(()).unwrap());
    let waiter = std::thread::spawn({
        let set = set.clone();
        move || set.acquire_timeout((), seconds(3))
    });
    clock.wait_for_sleepers(1);
    set.feedback(Feedback::retry_after(seconds(4)));
    let told = timeout(waiter.join().unwrap());
    assert_eq!(told, ("call_count".to_owned(), Some(seconds(4)), seconds(0)));
    assert_eq!(waiters(&set, "call_count"), 0);
}

/// A pool of a set with ten tokens in a minute and of one with a door as well; each has its own clock, if `apart`.
fn one_late_and_one_held(apart: bool) -> ([ManualClock; 2], LimitPool) {
    let clock = ManualClock::new();
    let clocks = [clock.clone(), if apart { ManualClock::new() } else { clock }];
    let tokens = || RateLimit::new("tokens", 10, Window::MINUTE).algorithm(TokenBucket);
    let late = on(&clocks[0]).limit(tokens()).build().expect("a valid limit");
    let held =
        on(&clocks[1]).limit(tokens()).limit(ResourceLimit::new("doors", 1)).build().expect("valid limits");
    (clocks, LimitPool::new([late, held]).load_balancing(EarliestAvailable))
}

#[test]
fn a_set_that_would_be_late_is_waited_in_too_where_another_is_waited_for() {
    for apart in [false, true] {
        let (_clocks, pool) = one_late_and_one_held(apart);
        let mut used = pool[0].acquire([("tokens", 10)]).unwrap();
        let held = pool[1].acquire([("tokens", 1)]).unwrap();
        let mut task = Task::waiting(pool.acquire_async_timeout([("tokens", 5)], seconds(10)));
        assert_eq!([0, 1].map(|index| waiters(&pool[index], "tokens")), [1, 1]);
        assert_eq!(pool[0].stats().limits[0].refused, 0, "it is not refused");
        used.update([("tokens", 5)]).unwrap();
        used.release().unwrap();
        assert_eq!(task.woken().expect("what was refunded came in time").set_index(), 0);
        assert_eq!([0, 1].map(|index| waiters(&pool[index], "tokens")), [0, 0]);
        drop(held);
    }
}

#[test]
fn sets_that_would_all_be_late_are_refused_at_once() {
    for apart in [false, true] {
        let (_clocks, pool) = one_late_and_one_held(apart);
        drop(pool[0].acquire([("tokens", 10)]).unwrap());
        drop(pool[1].acquire([("tokens", 6)]).unwrap());
        let mut task = Task::new(pool.acquire_async_timeout([("tokens", 5)], SECOND));
        let refused = timeout(task.poll().expect("both are known to come too late"));
        assert_eq!(refused, ("tokens".to_owned(), Some(seconds(6)), seconds(0)));
        assert_eq!(timeout(pool.acquire_timeout([("tokens", 5)], SECOND)), refused);
        assert_eq!([0, 1].map(|index| waiters(&pool[index], "tokens")), [0, 0]);
        assert_eq!([0, 1].map(|index| pool[index].stats().limits[0].refused), [2, 2]);
        // One that can never admit it is waited for as little.
        pool[0].set_capacity("tokens", 4).unwrap();
        let refused = Task::new(pool.acquire_async_timeout([("tokens", 5)], SECOND)).poll();
        assert!(refused.expect("one is too late, and the other is never").is_err());
    }
}

#[test]
fn who_waits_in_several_sets_is_refused_only_by_its_deadline() {
    for apart in [false, true] {
        let (_clocks, pool) = one_late_and_one_held(apart);
        drop(pool[0].acquire([("tokens", 10)]).unwrap());
        let held = pool[1].acquire([("tokens", 1)]).unwrap();
        let mut task = Task::waiting(pool.acquire_async_timeout([("tokens", 5)], seconds(10)));
        pool[1].pause("doors", seconds(60)).unwrap();
        assert_eq!(task.wakes(), 0);
        pool[1].resume("doors").unwrap();
        drop(held);
        assert_eq!(task.woken().unwrap().set_index(), 1);
    }
}

#[test]
fn with_others_ahead_no_time_is_promised() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, SECOND).algorithm(TokenBucket));
    drop(set.acquire([("tokens", 10)]).unwrap());
    assert_eq!(set.would_admit([("tokens", 1)]), Admission::In(SECOND / 10, "tokens".into()));
    let ahead = Task::waiting(set.acquire_async([("tokens", 8)]));
    assert_eq!(set.would_admit([("tokens", 1)]), Admission::OnRelease("tokens".into()));
    drop(ahead);
    assert_eq!(set.would_admit([("tokens", 1)]), Admission::In(SECOND / 10, "tokens".into()));
}

#[test]
fn a_refusal_names_no_time_while_others_stand_ahead() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)).algorithm(TokenBucket));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let told = |error: Result<_, _>| match error {
        Err(LimitError::Unavailable { available_in, .. }) => available_in,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(set.try_acquire([("tokens", 1)]).map(drop)), Some(SECOND));
    let ahead = Task::waiting(set.acquire_async([("tokens", 8)]));
    assert_eq!(told(set.try_acquire([("tokens", 1)]).map(drop)), None);
    let mut behind = Task::waiting(set.acquire_async_timeout([("tokens", 3)], seconds(4)));
    clock.advance(seconds(4));
    assert_eq!(timeout(behind.woken()), ("tokens".to_owned(), None, seconds(4)));
    // There is enough by now, for one whose turn it were.
    assert_eq!(told(set.try_acquire([("tokens", 1)]).map(drop)), None);
    drop(ahead);
    // What cannot be in time by any means is told as ever.
    set.pause("tokens", seconds(60)).unwrap();
    let _ahead = Task::waiting(set.acquire_async([("tokens", 8)]));
    let late = timeout(set.acquire_timeout([("tokens", 1)], seconds(10)));
    assert_eq!(late, ("tokens".to_owned(), Some(seconds(60)), seconds(0)));
}

#[test]
fn a_refusal_names_the_limit_for_which_the_first_of_all_waits() {
    let set = ["a", "b", "c"]
        .into_iter()
        .fold(on(&ManualClock::new()), |builder, key| builder.limit(ResourceLimit::new(key, 2)));
    let set = set.build().unwrap();
    let only = |key| ["a", "b", "c"].map(|other| (other, if other == key { 2 } else { 0 }));
    let _held = set.acquire(()).unwrap();
    let leaves = Task::waiting(set.acquire_async(only("c")));
    let _waiting = ["a", "b"].map(|key| Task::waiting(set.acquire_async(only(key))));
    drop(leaves);
    let error = set.try_acquire(()).unwrap_err();
    assert!(matches!(&error, LimitError::Unavailable { key, .. } if key == "a"), "{error:?}");
}

#[test]
fn no_time_at_all_is_to_try() {
    let clocks = [ManualClock::new(), ManualClock::new()];
    let door = |clock: &ManualClock| on(clock).limit(ResourceLimit::new("doors", 1)).build().expect("valid");
    let zero = std::time::Duration::ZERO;
    for clocks in [[&clocks[0], &clocks[0]], [&clocks[0], &clocks[1]]] {
        let sets = clocks.map(door);
        let _held = sets.each_ref().map(|set| set.acquire(()).expect("it is free"));
        let pool = LimitPool::new(sets.clone()).load_balancing(EarliestAvailable);
        let prepared = sets[0].prepare(()).expect("it fits");
        let refused = |outcome: Outcome| outcome.expect_err("the doors are held");
        let polled =
            |request: Acquire| refused(Task::new(request).poll().expect("there is nothing to wait for"));
        let tried = refused(sets[0].try_acquire(()));
        assert!(matches!(tried, LimitError::Unavailable { .. }), "{tried:?}");
        assert_eq!(refused(sets[0].acquire_timeout((), zero)), tried);
        assert_eq!(polled(sets[0].acquire_async_timeout((), zero)), tried);
        assert_eq!(prepared.acquire_timeout(zero).map(drop), Err(tried));
        let tried = refused(pool.try_acquire(()));
        assert!(matches!(tried, LimitError::Unavailable { .. }), "{tried:?}");
        assert_eq!(refused(pool.acquire_timeout((), zero)), tried);
        assert_eq!(polled(pool.acquire_async_timeout((), zero)), tried);
        assert_eq!(sets.map(|set| waiters(&set, "doors")), [0, 0]);
    }
}
