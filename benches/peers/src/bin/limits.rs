//! Acquire and release of each kind of limit, beside governor and tokio's semaphore.

use std::num::NonZeroU32;

use concurry::prelude::*;
use concurry_peers::{group, repeat};
use governor::{Quota, RateLimiter};

const COUNT: u32 = 200_000;
const PLENTY: u64 = 1_000_000_000;

fn set(limits: Vec<RateLimit>) -> LimitSet {
    let builder = limits.into_iter().fold(LimitSet::builder(), |builder, limit| builder.limit(limit));
    builder.build().expect("the limits are right")
}

fn rate(key: &str, algorithm: RateLimitAlgorithm) -> RateLimit {
    RateLimit::new(key, PLENTY, Window::SECOND).algorithm(algorithm)
}

fn acquire_and_tell(set: &LimitSet, key: &str) {
    let mut acquired = set.acquire([(key, 1)]).expect("there is plenty");
    acquired.update([(key, 1)]).expect("as much as was acquired");
}

fn main() {
    let quota = Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero"));
    let governor = RateLimiter::direct(quota);
    let semaphore = tokio::sync::Semaphore::new(8);
    let resource = LimitSet::builder().limit(ResourceLimit::new("doors", 8)).build().expect("right");
    let calls = LimitSet::builder()
        .limit(CallLimit::new(PLENTY, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra))
        .build()
        .expect("right");
    let (call, door) = (calls.prepare(()).expect("right"), resource.prepare(()).expect("right"));
    let empty = LimitSet::empty();
    let nothing = empty.prepare(()).expect("right");

    group(
        "nothing to wait for, no limit",
        vec![
            repeat("concurry: empty set, prepared", COUNT, || nothing.acquire().is_ok()),
            repeat("concurry: empty set", COUNT, || empty.acquire(()).is_ok()),
        ],
    );

    let algorithms = [
        ("concurry: RateLimit Gcra, with update", RateLimitAlgorithm::Gcra),
        ("concurry: RateLimit TokenBucket, with update", RateLimitAlgorithm::TokenBucket),
        ("concurry: RateLimit LeakyBucket, with update", RateLimitAlgorithm::LeakyBucket),
        ("concurry: RateLimit FixedWindow, with update", RateLimitAlgorithm::FixedWindow),
        ("concurry: RateLimit SlidingWindow, with update", RateLimitAlgorithm::SlidingWindow),
    ];
    let sets: Vec<_> =
        algorithms.map(|(name, algorithm)| (name, set(vec![rate("tokens", algorithm)]))).into();
    let mut rows = vec![
        repeat("governor: check", COUNT, || governor.check().is_ok()),
        repeat("concurry: CallLimit Gcra, prepared", COUNT, || call.acquire().is_ok()),
        repeat("concurry: CallLimit Gcra", COUNT, || calls.acquire(()).is_ok()),
    ];
    rows.extend(sets.iter().map(|(name, set)| repeat(name, COUNT, move || acquire_and_tell(set, "tokens"))));
    group("one rate limit, admitted at once", rows);

    group(
        "one resource, acquire and release",
        vec![
            repeat("tokio: Semaphore try_acquire + drop", COUNT, || semaphore.try_acquire().is_ok()),
            repeat("concurry: ResourceLimit, prepared", COUNT, || door.acquire().is_ok()),
            repeat("concurry: ResourceLimit", COUNT, || resource.acquire(()).is_ok()),
        ],
    );

    let two_more = || semaphore.try_acquire().is_ok() && semaphore.try_acquire().is_ok();
    let three = LimitSet::builder()
        .limit(CallLimit::new(PLENTY, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra))
        .limit(rate("tokens", RateLimitAlgorithm::Gcra))
        .limit(ResourceLimit::new("doors", 8))
        .build()
        .expect("right");
    let request = three.prepare([("tokens", 1)]).expect("right");
    group(
        "three limits",
        vec![
            repeat("governor: check, of one", COUNT, || governor.check().is_ok()),
            repeat("governor check + 2 tokio semaphores (not atomic)", COUNT, || {
                governor.check().is_ok() && two_more()
            }),
            repeat("concurry: CallLimit + RateLimit + ResourceLimit, prepared", COUNT, || {
                let mut acquired = request.acquire().expect("there is plenty");
                acquired.update([("tokens", 1)]).expect("as much as was acquired");
            }),
            repeat("concurry: CallLimit + RateLimit + ResourceLimit", COUNT, || {
                acquire_and_tell(&three, "tokens")
            }),
        ],
    );
}
