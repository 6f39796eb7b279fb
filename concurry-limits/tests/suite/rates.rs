//! What each algorithm promises, in examples.

use std::time::Duration;

use concurry_core::clock::Timestamp;
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{Limit, LimitState, RateLimit, Verdict, Window};

const ALL: [RateLimitAlgorithm; 5] = [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra];

fn state(algorithm: RateLimitAlgorithm, capacity: u64, window: impl Into<Window>) -> Box<dyn LimitState> {
    RateLimit::new("rate", capacity, window).algorithm(algorithm).state(Timestamp::default())
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn every_algorithm_admits_its_whole_capacity_at_once_and_then_nothing() {
    for algorithm in ALL {
        let mut rate = state(algorithm, 10, Window::SECOND);
        assert_eq!(rate.check(10, at(5)), Verdict::Granted, "{algorithm}");
        rate.take(10, at(5));
        assert!(matches!(rate.check(1, at(5)), Verdict::NotBefore(_)), "{algorithm}");
        assert_eq!(rate.in_use(at(5)), 10, "{algorithm}");
    }
}

#[test]
fn three_a_day_and_a_million_a_second_are_both_exact() {
    for algorithm in [TokenBucket, LeakyBucket, Gcra] {
        let mut daily = state(algorithm, 3, Window::DAY);
        daily.take(3, at(0));
        assert_eq!(daily.check(1, at(0)), Verdict::NotBefore(at(28_800 * SECOND)), "{algorithm}");
        let mut fast = state(algorithm, 1_000_000, Window::SECOND);
        fast.take(1_000_000, at(0));
        assert_eq!(fast.check(1, at(0)), Verdict::NotBefore(at(1_000)), "{algorithm}");
    }
}

#[test]
fn fractions_of_a_drop_are_never_lost() {
    for algorithm in [TokenBucket, LeakyBucket, Gcra] {
        let mut rate = state(algorithm, 7, Window::SECOND);
        rate.take(7, at(0));
        // One a time, each at its exact instant: after seven of them exactly one second must have passed.
        let mut now = at(0);
        for _ in 0..7 {
            let Verdict::NotBefore(instant) = rate.check(1, now) else { panic!("it is full") };
            now = instant;
            rate.take(1, now);
        }
        assert_eq!(now, at(SECOND), "{algorithm}");
    }
}

#[test]
fn a_look_never_changes_what_is_admitted_when() {
    for algorithm in ALL {
        let (mut watched, mut alone) =
            (state(algorithm, 7, Window::SECOND), state(algorithm, 7, Window::SECOND));
        watched.take(7, at(0));
        alone.take(7, at(0));
        for nanos in (0..SECOND / 7).step_by(7_919) {
            drop(watched.check(1, at(nanos)));
            watched.in_use(at(nanos));
        }
        let late = at(SECOND / 7 - 1);
        assert_eq!(watched.check(2, late), alone.check(2, late), "{algorithm}");
    }
}

#[test]
fn a_sliding_window_admits_again_at_exactly_the_end_of_the_window() {
    let mut rate = state(SlidingWindow, 3, Window::SECOND);
    rate.take(1, at(100));
    rate.take(2, at(200));
    assert_eq!(rate.check(1, at(300)), Verdict::NotBefore(at(100 + SECOND)));
    assert_eq!(rate.check(2, at(300)), Verdict::NotBefore(at(200 + SECOND)));
    assert_eq!(rate.check(1, at(99 + SECOND)), Verdict::NotBefore(at(100 + SECOND)));
    assert_eq!(rate.check(1, at(100 + SECOND)), Verdict::Granted);
}

#[test]
fn a_fixed_window_starts_with_the_first_use_and_keeps_its_grid() {
    let mut rate = state(FixedWindow, 2, Window::SECOND);
    rate.take(2, at(700));
    assert_eq!(rate.check(1, at(800)), Verdict::NotBefore(at(700 + SECOND)));
    let later = 700 + 3 * SECOND + 5;
    rate.take(2, at(later));
    assert_eq!(rate.check(1, at(later)), Verdict::NotBefore(at(700 + 4 * SECOND)));
}

#[test]
fn only_token_buckets_and_gcra_refund_the_unused() {
    for (algorithm, refunded) in
        [(TokenBucket, 6), (Gcra, 6), (LeakyBucket, 0), (SlidingWindow, 0), (FixedWindow, 0)]
    {
        let mut rate = state(algorithm, 10, Window::MINUTE);
        rate.take(10, at(0));
        rate.settle(10, 4, at(0));
        assert_eq!(rate.in_use(at(0)), 10 - refunded, "{algorithm}");
    }
}

#[test]
fn a_refund_never_fills_above_the_capacity() {
    for algorithm in [TokenBucket, Gcra] {
        let mut rate = state(algorithm, 10, Window::SECOND);
        rate.take(10, at(0));
        rate.settle(10, 0, at(SECOND)); // time had freed all of it already
        rate.take(10, at(SECOND));
        assert!(matches!(rate.check(1, at(SECOND)), Verdict::NotBefore(_)), "{algorithm}");
    }
}

#[test]
fn a_debt_is_paid_back_by_time() {
    for (algorithm, seconds) in
        [(TokenBucket, 16), (Gcra, 16), (LeakyBucket, 16), (FixedWindow, 20), (SlidingWindow, 10)]
    {
        let mut rate = state(algorithm, 10, Duration::from_secs(10));
        rate.take(10, at(0));
        rate.settle(10, 25, at(0)); // 15 too many
        assert_eq!(rate.in_use(at(0)), 25, "{algorithm}");
        assert_eq!(rate.check(1, at(0)), Verdict::NotBefore(at(seconds * SECOND)), "{algorithm}");
    }
}

#[test]
fn an_undone_take_has_never_been() {
    for algorithm in ALL {
        let mut rate = state(algorithm, 10, Window::SECOND);
        rate.take(3, at(10));
        rate.take(4, at(20));
        rate.take(3, at(30));
        rate.undo(4, at(20), at(40));
        assert_eq!(rate.check(4, at(40)), Verdict::Granted, "{algorithm}");
        assert!(matches!(rate.check(5, at(40)), Verdict::NotBefore(_)), "{algorithm}");
    }
}

#[test]
fn a_changed_capacity_keeps_what_is_used() {
    for algorithm in ALL {
        let mut rate = state(algorithm, 10, Window::SECOND);
        rate.take(8, at(0));
        rate.set_capacity(5, at(0));
        assert_eq!(rate.in_use(at(0)), 8, "{algorithm}");
        assert!(matches!(rate.check(1, at(0)), Verdict::NotBefore(_)), "{algorithm}");
        assert!(matches!(rate.check(6, at(0)), Verdict::Never(_)), "{algorithm}");
        rate.set_capacity(20, at(0));
        assert_eq!(rate.check(12, at(0)), Verdict::Granted, "{algorithm}");
        assert!(matches!(rate.check(13, at(0)), Verdict::NotBefore(_)), "{algorithm}");
    }
}

#[test]
fn a_fixed_window_admits_twice_its_capacity_around_a_boundary_and_no_more() {
    let mut rate = state(FixedWindow, 4, Window::SECOND);
    rate.take(1, at(0));
    rate.take(3, at(SECOND - 1));
    assert_eq!(rate.check(4, at(SECOND)), Verdict::Granted);
    rate.take(4, at(SECOND));
    assert_eq!(rate.check(1, at(SECOND)), Verdict::NotBefore(at(2 * SECOND)));
}
