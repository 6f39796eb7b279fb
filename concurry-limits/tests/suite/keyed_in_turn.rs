//! Very many keys in turn: a set that one of them has left serves the next, and nothing of the one is seen in the other.

use concurry_core::clock::ManualClock;
use concurry_limits::RateLimitAlgorithm::{Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{Admission, Feedback, KeyedLimits, LimitSetBuilder, RateLimit, ResourceLimit};

use crate::common::{SECOND, in_use, on, seconds};

const KEYS: u64 = 4_000;
/// How many are awake at most, however the keys are spread: a thousand that were used lately, and twice that before the next walk.
const MOST_AWAKE: usize = 2 * 1_024;

/// How much of ten a key takes.
fn part(key: u64) -> u64 {
    1 + key % 10
}

fn tenants(template: LimitSetBuilder) -> KeyedLimits<u64> {
    let tenants = KeyedLimits::builder(template).build().expect("a valid limit");
    for key in 0..KEYS {
        let mut held =
            tenants.try_acquire(&key, [("tokens", part(key))]).expect("it is the first of this key");
        held.update([("tokens", part(key))]).expect("it is held");
    }
    let awake = tenants.stats().awake;
    assert!(awake <= MOST_AWAKE, "the others rest: {awake}");
    tenants
}

#[test]
fn each_finds_what_it_has_used_and_nothing_of_who_was_there_before() {
    for algorithm in [Gcra, TokenBucket, LeakyBucket, SlidingWindow] {
        let clock = ManualClock::new();
        let tenants =
            tenants(on(&clock).limit(RateLimit::new("tokens", 10, seconds(10)).algorithm(algorithm)));
        for key in 0..KEYS {
            let set = tenants.get(&key).unwrap();
            assert_eq!(in_use(&set, "tokens"), part(key), "{algorithm}: {key}");
            assert!(set.stats().limits[0].admitted <= 1);
        }
        clock.advance(seconds(1));
        for key in (KEYS..2 * KEYS).chain(0..KEYS) {
            let set = tenants.get(&key).unwrap();
            let used = match (key < KEYS, algorithm) {
                (true, SlidingWindow) => part(key),
                (true, _) => part(key) - 1,
                (false, _) => 0,
            };
            assert_eq!(in_use(&set, "tokens"), used, "{algorithm}: {key}");
        }
        let sums = tenants.stats().limits;
        assert_eq!((sums.len(), sums[0].admitted, sums[0].refused), (1, KEYS, 0), "{algorithm}");
    }
}

#[test]
fn what_a_server_said_to_one_holds_back_no_other() {
    let clock = ManualClock::new();
    let tenants = tenants(on(&clock).limit(RateLimit::new("tokens", 10, seconds(10)).algorithm(Gcra)));
    for key in (0..KEYS).step_by(7) {
        tenants.get(&key).unwrap().feedback(Feedback::retry_after(SECOND));
    }
    clock.advance(SECOND);
    for key in KEYS..2 * KEYS {
        assert_eq!(tenants.get(&key).unwrap().would_admit([("tokens", 10)]), Admission::Now, "{key}");
    }
}

#[test]
fn what_is_held_is_kept_by_its_own_key() {
    let tenants = tenants_of_doors();
    let held: Vec<_> =
        (0..KEYS).step_by(9).map(|key| tenants.acquire(&key, [("doors", 2)]).unwrap()).collect();
    for key in (0..KEYS).chain(0..KEYS) {
        assert_eq!(tenants.try_acquire(&key, [("doors", 2)]).is_ok(), !key.is_multiple_of(9), "{key}");
    }
    drop(held);
    assert!((0..KEYS).all(|key| tenants.try_acquire(&key, [("doors", 3)]).is_ok()));
}

fn tenants_of_doors() -> KeyedLimits<u64> {
    KeyedLimits::builder(on(&ManualClock::new()).limit(ResourceLimit::new("doors", 3)))
        .build()
        .expect("a valid limit")
}
