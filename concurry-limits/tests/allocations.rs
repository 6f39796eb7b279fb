//! What allocates nothing. In a process of its own, since its allocator is another one.

use allocation_counter::measure;
use concurry_limits::{CallLimit, LimitSet, RateLimit, RateLimitAlgorithm, ResourceLimit, Window};

/// How many allocations `run` makes, once everything that is made once is there.
fn allocations(run: impl Fn()) -> u64 {
    run();
    measure(run).count_total
}

#[test]
fn the_empty_set_allocates_nothing() {
    let empty = LimitSet::empty();
    let prepared = empty.prepare([("whatever", 9)]).expect("any key will do");
    assert_eq!(
        allocations(|| {
            let mut acquired = empty.acquire([("whatever", 9)]).expect("it admits everything");
            acquired.update([("whatever", 3)]).expect("it believes everything");
            acquired.release().expect("nothing is missing");
            drop(empty.try_acquire(()).expect("it admits everything"));
            drop(prepared.acquire().expect("it admits everything"));
        }),
        0
    );
    // A test that could not see an allocation would prove nothing.
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn what_is_admitted_at_once_allocates_nothing() {
    for algorithm in [RateLimitAlgorithm::Gcra, RateLimitAlgorithm::TokenBucket] {
        let plenty = 1_000_000;
        let alone = LimitSet::builder().limit(CallLimit::new(plenty, Window::SECOND).algorithm(algorithm));
        let three = LimitSet::builder()
            .limit(CallLimit::new(plenty, Window::SECOND).algorithm(algorithm))
            .limit(RateLimit::new("tokens", plenty, Window::SECOND).algorithm(algorithm))
            .limit(ResourceLimit::new("connections", 8));
        let (alone, three) = (alone.build().expect("valid"), three.build().expect("valid"));
        let prepared = three.prepare([("tokens", 20)]).expect("it fits");
        assert_eq!(
            allocations(|| {
                drop(alone.acquire(()).expect("there is plenty"));
                let mut acquired = three.acquire([("tokens", 20)]).expect("there is plenty");
                acquired.update([("tokens", 12)]).expect("less than was acquired");
                drop(acquired);
                let mut acquired = prepared.acquire().expect("there is plenty");
                acquired.update([("tokens", 20)]).expect("as much as was acquired");
                acquired.release().expect("all was told");
            }),
            0,
            "{algorithm:?}"
        );
    }
}
