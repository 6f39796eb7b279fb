//! The arithmetic of retries.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::time::Duration;

use concurry_core::retry::{Retry, RetryAlgorithm, RetryOverrides};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn waits(retry: Retry) -> Vec<u128> {
    (1..7).map(|number| retry.jitter(0.0).backoff(number, 7).as_millis()).collect()
}

#[test]
fn each_algorithm_grows_as_it_says() {
    assert_eq!(waits(Retry::fixed(9).wait(10 * MS)), [10, 10, 10, 10, 10, 10]);
    assert_eq!(waits(Retry::linear(9).wait(10 * MS)), [10, 20, 30, 40, 50, 60]);
    assert_eq!(waits(Retry::exponential(9).wait(10 * MS)), [10, 20, 40, 80, 160, 320]);
    assert_eq!(waits(Retry::fibonacci(9).wait(10 * MS)), [10, 10, 20, 30, 50, 80]);
    assert_eq!(waits(Retry::exponential(9).wait(10 * MS).max_wait(50 * MS)), [10, 20, 40, 50, 50, 50]);
}

#[test]
fn full_jitter_reaches_from_nothing_to_the_whole_wait() {
    let retry = Retry::fixed(2).wait(10 * MS).jitter(1.0);
    assert_eq!(retry.backoff(1, 0), 10 * MS);
    assert_eq!(retry.backoff(1, u64::MAX), Duration::ZERO);
    let half = Retry::fixed(2).wait(10 * MS).jitter(0.5);
    assert_eq!(half.backoff(1, u64::MAX), 5 * MS);
    assert_eq!(half.backoff(1, 1 << 63), Duration::from_micros(7_500));
}

#[test]
fn what_cannot_be_is_an_error() {
    for jitter in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(
            Retry::fixed(1).jitter(jitter).check().unwrap_err().to_string().starts_with("retry jitter is")
        );
    }
    assert!(Retry::fixed(0).check().is_err());
    assert!(Retry::fixed(1).jitter(0.0).check().is_ok());
    assert!(Retry::default().jitter(1.0).check().is_ok());
}

#[test]
fn the_budget_is_inclusive() {
    let retry = Retry::fixed(2).budget(MS);
    assert!(retry.has_time(MS));
    assert!(!retry.has_time(MS + Duration::from_nanos(1)));
    assert!(Retry::fixed(2).has_time(Duration::MAX));
}

#[test]
fn a_method_overrides_field_by_field() {
    let base = Retry::linear(7).wait(10 * MS).jitter(0.0).budget(MS).panics(true);
    assert_eq!(RetryOverrides::NOTHING.applied_to(base), base);
    let mut overrides = RetryOverrides::NOTHING;
    overrides.attempts = Some(2);
    let wanted = Retry::linear(2).wait(10 * MS).jitter(0.0).budget(MS).panics(true);
    assert_eq!(overrides.applied_to(base), wanted);
    let mut algorithm = RetryOverrides::NOTHING;
    algorithm.algorithm = Some(RetryAlgorithm::Fixed);
    assert_eq!(waits(algorithm.applied_to(base)), [10; 6]);
}

fn retry() -> impl Strategy<Value = Retry> {
    let made: [fn(u32) -> Retry; 4] = [Retry::fixed, Retry::linear, Retry::exponential, Retry::fibonacci];
    let duration = || (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n));
    (0usize..4, any::<u32>(), duration(), duration(), 0.0f64..=1.0).prop_map(
        move |(algorithm, attempts, wait, max_wait, jitter)| {
            made[algorithm](attempts).wait(wait).max_wait(max_wait).jitter(jitter)
        },
    )
}

proptest! {
    #[test]
    fn no_value_is_absurd_and_no_wait_is_over_the_longest(retry in retry(), max: u32, number: u32, random: u64) {
        let max_wait = Duration::from_millis(u64::from(max));
        let wait = retry.backoff(number, random);
        prop_assert!(retry.max_wait(max_wait).backoff(number, random) <= max_wait);
        prop_assert_eq!(wait, retry.backoff(number, random), "the same chance gives the same wait");
    }

    #[test]
    fn jitter_takes_at_most_its_share(wait in 0u64..1 << 52, jitter in 0.0f64..=1.0, random: u64) {
        let retry = Retry::fixed(2).wait(Duration::from_nanos(wait)).max_wait(Duration::MAX).jitter(jitter);
        let drawn = retry.backoff(1, random).as_nanos();
        prop_assert!(drawn <= u128::from(wait));
        #[expect(clippy::cast_precision_loss, reason = "below 2⁵²")]
        let least = wait as f64 * (1.0 - jitter) - 2.0 - wait as f64 / 4e9;
        #[expect(clippy::cast_precision_loss, reason = "below 2⁵²")]
        let drawn = drawn as f64;
        prop_assert!(drawn >= least, "{drawn} {least}");
    }

    #[test]
    fn waits_do_not_shrink(retry in retry(), number in 1u32..200, random: u64) {
        prop_assert!(retry.jitter(0.0).backoff(number, random) <= retry.jitter(0.0).backoff(number + 1, random));
    }
}
