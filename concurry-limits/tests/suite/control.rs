//! A set is steered and watched at run time.

use concurry_core::clock::{Clock, ManualClock};
use concurry_limits::{
    Admission, CallLimit, LimitError, LimitSet, Overrun, RateLimit, RateLimitAlgorithm, ResourceLimit, Window,
};

use crate::common::{
    NANO, SECOND, Task, acquiring, alone, in_use, just_before, on, seconds, wait_for_waiters,
};

#[test]
fn a_raised_capacity_wakes_who_fits_now() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 2));
    let held = set.acquire([("doors", 2)]).unwrap();
    let mut task = Task::waiting(set.acquire_async([("doors", 2)]));
    set.set_capacity("doors", 4).unwrap();
    let more = task.woken().unwrap();
    assert!(set.try_acquire(()).is_err());
    drop((held, more));
}

#[test]
fn a_capacity_below_what_is_held_admits_nothing_until_it_falls() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 3));
    let (one, two) = (set.acquire(()).unwrap(), set.acquire([("doors", 2)]).unwrap());
    set.set_capacity("doors", 1).unwrap();
    drop(one);
    assert!(set.try_acquire(()).is_err());
    drop(two);
    assert!(set.try_acquire(()).is_ok());
}

#[test]
fn a_lowered_capacity_tells_those_who_can_never_be_admitted_even_deep_in_the_queue() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 5));
    let held = set.acquire([("doors", 5)]).unwrap();
    let mut fits = Task::waiting(set.acquire_async([("doors", 2)]));
    let mut too_large = Task::waiting(set.acquire_async([("doors", 4)]));
    set.set_capacity("doors", 3).unwrap();
    let error = too_large.woken().unwrap_err();
    assert!(matches!(error, LimitError::Never { requested: 4, capacity: 3, .. }), "{error:?}");
    assert_eq!(fits.wakes(), 0);
    drop(held);
    drop(fits.woken().unwrap());
}

#[test]
fn a_capacity_of_zero_is_refused() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 5));
    assert!(set.set_capacity("doors", 0).is_err());
    assert!(matches!(set.set_capacity("windows", 1), Err(LimitError::UnknownKey { .. })));
}

#[test]
fn a_pause_holds_everybody_to_its_exact_end() {
    let (clock, set) = alone(CallLimit::new(10, Window::SECOND));
    set.pause("call_count", seconds(5)).unwrap();
    set.pause("call_count", seconds(2)).unwrap(); // a shorter one does not shorten it
    assert_eq!(set.would_admit(()), Admission::In(seconds(5), "call_count".into()));
    let mut task = Task::waiting(set.acquire_async(()));
    clock.advance(crate::common::just_before(seconds(5)));
    assert_eq!(task.wakes(), 0);
    clock.advance(crate::common::NANO);
    drop(task.woken().unwrap());
}

#[test]
fn a_pause_of_one_limit_lets_the_others_go_on_and_resume_ends_it() {
    let set = on(&ManualClock::new())
        .limit(RateLimit::new("a", 5, Window::SECOND))
        .limit(RateLimit::new("b", 5, Window::SECOND))
        .build()
        .unwrap();
    set.pause("a", seconds(60)).unwrap();
    let mut task = Task::waiting(set.acquire_async([("a", 1)]));
    drop(set.try_acquire([("b", 1)]).unwrap());
    assert_eq!(set.stats().limit("a").unwrap().paused_for, Some(seconds(60)));
    set.resume("a").unwrap();
    drop(task.woken().unwrap());
}

#[test]
fn a_longer_pause_moves_the_timer_of_those_who_wait() {
    let (clock, set) = alone(CallLimit::new(1, Window::SECOND));
    drop(set.acquire(()).unwrap());
    let mut task = Task::waiting(set.acquire_async(()));
    assert_eq!(clock.next_wake(), Some(clock.now() + SECOND));
    set.pause("call_count", clock.now() + seconds(9)).unwrap();
    assert_eq!(clock.next_wake(), Some(clock.now() + seconds(9)));
    clock.advance(seconds(9));
    drop(task.woken().unwrap());
}

#[test]
fn stats_tell_what_is_used_waited_for_and_counted() {
    let (clock, set) = alone(ResourceLimit::new("doors", 4));
    let held = set.acquire([("doors", 3)]).unwrap();
    set.try_acquire([("doors", 2)]).unwrap_err();
    set.try_acquire([("doors", 5)]).unwrap_err();
    let mut task = Task::waiting(set.acquire_async([("doors", 2)]));
    clock.advance(seconds(3));
    let before = set.stats().limits.remove(0);
    assert_eq!((before.in_use, before.available, before.capacity, before.waiting), (3, 1, 4, 1));
    assert_eq!((before.admitted, before.refused), (1, 2));
    assert!((before.utilisation - 0.75).abs() < f64::EPSILON);
    drop(held);
    drop(task.woken().unwrap());
    let after = set.stats().limits.remove(0);
    assert_eq!((after.admitted, after.waiting, after.total_wait), (2, 0, seconds(3)));
    assert_eq!(after.kind, "ResourceLimit");
    let text = serde_json::to_string(&set.stats()).unwrap();
    assert_eq!(serde_json::from_str::<concurry_limits::LimitSetStats>(&text).unwrap(), set.stats());
}

#[test]
fn a_question_counts_as_nothing() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    assert_eq!(set.would_admit(()), Admission::Now);
    assert!(matches!(set.would_admit([("doors", 2)]), Admission::Never(LimitError::Never { .. })));
    assert!(matches!(set.would_admit([("window", 2)]), Admission::Never(LimitError::UnknownKey { .. })));
    let stats = set.stats().limits.remove(0);
    assert_eq!((stats.admitted, stats.refused, stats.in_use), (0, 0, 0));
}

#[test]
fn the_latest_of_several_limits_decides_whatever_their_order() {
    for (first, second) in [(1, 9), (9, 1)] {
        let clock = ManualClock::new();
        let set = on(&clock)
            .limit(RateLimit::new("first", 1, seconds(first)))
            .limit(RateLimit::new("second", 1, seconds(second)))
            .build()
            .unwrap();
        drop(set.acquire([("first", 1), ("second", 1)]).unwrap());
        let slower = if first > second { "first" } else { "second" };
        assert_eq!(set.would_admit([("first", 1), ("second", 1)]), Admission::In(seconds(9), slower.into()));
        let mut task = Task::waiting(set.acquire_async([("first", 1), ("second", 1)]));
        clock.advance(seconds(8));
        assert_eq!(task.wakes(), 0);
        clock.advance(seconds(1));
        drop(task.woken().unwrap());
    }
}

const ALGORITHMS: [RateLimitAlgorithm; 5] = [
    RateLimitAlgorithm::TokenBucket,
    RateLimitAlgorithm::LeakyBucket,
    RateLimitAlgorithm::SlidingWindow,
    RateLimitAlgorithm::FixedWindow,
    RateLimitAlgorithm::Gcra,
];

#[test]
fn a_rate_of_any_algorithm_carries_its_usage_over_a_changed_capacity() {
    for algorithm in ALGORITHMS {
        let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)).algorithm(algorithm));
        drop(set.acquire([("tokens", 10)]).unwrap());
        set.set_capacity("tokens", 4).unwrap();
        assert_eq!(in_use(&set, "tokens"), 10, "{algorithm}");
        assert!(set.try_acquire([("tokens", 1)]).is_err(), "{algorithm}: more is used than it holds now");
        set.set_capacity("tokens", 15).unwrap();
        assert!(set.try_acquire([("tokens", 6)]).is_err(), "{algorithm}");
        drop(set.try_acquire([("tokens", 5)]).unwrap());
        clock.advance(seconds(60));
        set.set_capacity("tokens", 3).unwrap();
        assert!(matches!(set.try_acquire([("tokens", 4)]), Err(LimitError::Never { .. })), "{algorithm}");
        drop(set.try_acquire([("tokens", 3)]).unwrap());
    }
}

#[test]
fn a_changed_capacity_moves_the_instant_of_those_who_wait_in_any_algorithm() {
    for algorithm in ALGORITHMS {
        for capacity in [4, 20] {
            let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)).algorithm(algorithm));
            drop(set.acquire([("tokens", 10)]).unwrap());
            let mut task = Task::waiting(set.acquire_async([("tokens", 3)]));
            set.set_capacity("tokens", capacity).unwrap();
            let Some(at) = clock.next_wake() else {
                drop(task.woken().unwrap());
                assert_eq!(capacity, 20, "{algorithm}: there is room at once");
                continue;
            };
            clock.advance(just_before(at - clock.now()));
            assert_eq!(task.wakes(), 0, "{algorithm}");
            clock.advance(NANO);
            drop(task.woken().unwrap());
        }
    }
}

#[test]
fn a_thread_that_asks_for_more_than_a_lowered_capacity_is_told_at_once() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 5));
    let held = set.acquire([("doors", 5)]).unwrap();
    let waiter = acquiring(&set, "doors", 4);
    wait_for_waiters(&set, "doors", 1);
    set.set_capacity("doors", 3).unwrap();
    let error = waiter.join().unwrap().unwrap_err();
    assert!(matches!(error, LimitError::Never { requested: 4, capacity: 3, .. }), "{error:?}");
    assert_eq!(set.stats().limit("doors").unwrap().waiting, 0);
    drop(held);
}

#[test]
fn whoever_waited_behind_one_who_can_never_be_admitted_is_next() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 5));
    let held = set.acquire([("doors", 2)]).unwrap();
    let mut too_large = Task::waiting(set.acquire_async([("doors", 4)]));
    let mut behind = Task::waiting(set.acquire_async([("doors", 1)]));
    set.set_capacity("doors", 3).unwrap();
    assert!(matches!(too_large.woken(), Err(LimitError::Never { .. })));
    drop(behind.woken().unwrap());
    drop(held);
}

#[test]
fn a_paused_limit_is_released_to_as_ever_and_wakes_nobody() {
    let (clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let mut task = Task::waiting(set.acquire_async(()));
    set.pause("doors", seconds(5)).unwrap();
    drop(held);
    assert_eq!((in_use(&set, "doors"), task.wakes()), (0, 0));
    assert_eq!(set.stats().limit("doors").unwrap().available, 0);
    clock.advance(seconds(5));
    drop(task.woken().unwrap());
}

#[test]
fn a_refusal_by_a_pause_tells_its_end() {
    let (_clock, set) = alone(CallLimit::new(10, Window::SECOND));
    set.pause("call_count", seconds(5)).unwrap();
    match set.try_acquire(()) {
        Err(LimitError::Unavailable { available: 0, available_in: Some(wait), .. }) => {
            assert_eq!(wait, seconds(5));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        set.acquire_timeout((), just_before(seconds(5))),
        Err(LimitError::Timeout { waited, .. }) if waited.is_zero()
    ));
}

#[test]
fn resume_wakes_exactly_those_who_fit() {
    let (clock, set) = alone(CallLimit::new(2, Window::SECOND));
    set.pause("call_count", seconds(60)).unwrap();
    let mut tasks: Vec<_> = (0..3).map(|_| Task::waiting(set.acquire_async(()))).collect();
    set.resume("call_count").unwrap();
    assert_eq!(tasks.iter().map(Task::wakes).collect::<Vec<_>>(), [1, 1, 0]);
    clock.advance(SECOND);
    for task in &mut tasks {
        drop(task.woken().unwrap());
    }
}

#[test]
fn pauses_one_after_another_each_hold_and_a_resume_ends_them_all() {
    let (clock, set) = alone(CallLimit::new(9, Window::SECOND));
    for _ in 0..3 {
        set.pause("call_count", SECOND).unwrap();
        assert!(set.try_acquire(()).is_err());
        clock.advance(SECOND);
        drop(set.try_acquire(()).unwrap());
    }
    set.pause("call_count", seconds(5)).unwrap();
    set.pause("call_count", seconds(9)).unwrap();
    set.resume("call_count").unwrap();
    drop(set.try_acquire(()).unwrap());
    set.resume("call_count").unwrap(); // once more does nothing
    set.pause("call_count", clock.now()).unwrap(); // and neither does one that is over
    drop(set.try_acquire(()).unwrap());
}

#[test]
fn a_thread_that_waits_out_a_pause_is_woken_by_resume() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    set.pause("doors", std::time::Duration::MAX).unwrap();
    let waiter = acquiring(&set, "doors", 1);
    wait_for_waiters(&set, "doors", 1);
    set.resume("doors").unwrap();
    drop(waiter.join().unwrap().unwrap());
}

#[test]
fn stats_are_of_one_instant() {
    let set = LimitSet::builder()
        .limit(ResourceLimit::new("left", 4))
        .limit(ResourceLimit::new("right", 4))
        .build()
        .unwrap();
    let prepared = set.prepare([("left", 2), ("right", 2)]).unwrap();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                let (set, prepared) = (&set, &prepared);
                scope.spawn(move || {
                    for round in 0..2_000 {
                        match (round + worker) % 3 {
                            0 => drop(set.acquire(()).unwrap()),
                            1 => drop(prepared.try_acquire()),
                            _ => drop(set.try_acquire([("left", 3), ("right", 3)])),
                        }
                    }
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            let stats = set.stats();
            let [left, right] = &stats.limits[..] else { panic!("{stats:?}") };
            // Both are always taken together, so whoever looks sees the same of both.
            assert_eq!(
                (left.in_use, left.available, left.admitted, left.waiting),
                (right.in_use, right.available, right.admitted, right.waiting)
            );
            assert_eq!(left.in_use + left.available, 4);
        }
    });
    assert_eq!(set.stats().limit("left").unwrap().in_use, 0);
}

#[test]
fn a_capacity_that_falls_under_holders_and_waiters_admits_them_in_turn_as_it_comes_back() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 6));
    let mut held: Vec<_> = (0..6).map(|_| set.acquire(()).unwrap()).collect();
    let mut tasks: Vec<_> =
        [2, 5, 1].map(|amount| Task::waiting(set.acquire_async([("doors", amount)]))).into();
    set.set_capacity("doors", 3).unwrap();
    assert!(matches!(tasks.remove(1).woken(), Err(LimitError::Never { requested: 5, capacity: 3, .. })));
    for left in [5, 4, 3, 2] {
        held.pop();
        let stats = set.stats().limits.remove(0);
        assert_eq!((stats.in_use, stats.available, tasks[0].wakes()), (left, 3_u64.saturating_sub(left), 0));
    }
    held.pop();
    assert_eq!((tasks[0].wakes(), tasks[1].wakes(), in_use(&set, "doors")), (1, 0, 3));
    set.set_capacity("doors", 4).unwrap();
    assert_eq!(tasks[1].wakes(), 1);
    for task in &mut tasks {
        drop(task.woken().unwrap());
    }
}

#[test]
fn a_raised_capacity_pays_what_a_fixed_window_is_owed() {
    let rate = RateLimit::new("tokens", 5, seconds(10)).algorithm(RateLimitAlgorithm::FixedWindow);
    let (_clock, set) = alone(rate.overrun(Overrun::Debt));
    let mut acquired = set.acquire([("tokens", 5)]).unwrap();
    acquired.update([("tokens", 8)]).unwrap();
    acquired.release().unwrap();
    let mut task = Task::waiting(set.acquire_async([("tokens", 2)]));
    set.set_capacity("tokens", 10).unwrap();
    drop(task.woken().expect("8 of 10 are used"));
    assert!(set.try_acquire([("tokens", 1)]).is_err());
}

#[test]
fn of_a_pause_and_our_own_count_the_later_instant_is_told() {
    for (pause, later) in [(2, 9), (20, 20)] {
        let (_clock, set) = alone(CallLimit::new(1, seconds(9)));
        drop(set.acquire(()).unwrap());
        set.pause("call_count", seconds(pause)).unwrap();
        assert_eq!(set.would_admit(()), Admission::In(seconds(later), "call_count".into()));
    }
}
