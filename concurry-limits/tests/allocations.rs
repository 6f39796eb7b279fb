//! What allocates nothing. In a process of its own, since its allocator is another one.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use concurry_limits::{
    Acquire, Admission, CallLimit, LimitPool, LimitSet, LimitSetAcquisition, RateLimit, RateLimitAlgorithm,
    ResourceLimit, Window,
};

/// How many allocations `run` makes, once everything that is made once is there.
fn allocations(run: impl Fn()) -> u64 {
    run();
    measure(run).count_total
}

/// What a future that needs not wait gives when it is polled.
fn polled(future: Acquire) -> LimitSetAcquisition {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.expect("it is admitted"),
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn the_empty_set_allocates_nothing() {
    let config = serde_json::json!({ "region": "eu" });
    let with_config = LimitSet::builder().config(config).build().expect("nothing can be wrong");
    for empty in [LimitSet::empty(), with_config] {
        nothing_is_allocated_by(&empty);
    }
    // A test that could not see an allocation would prove nothing.
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

fn nothing_is_allocated_by(empty: &LimitSet) {
    let prepared = empty.prepare([("whatever", 9)]).expect("any key will do");
    assert_eq!(
        allocations(|| {
            let mut acquired = empty.acquire([("whatever", 9)]).expect("it admits everything");
            acquired.update([("whatever", 3)]).expect("it believes everything");
            acquired.release().expect("nothing is missing");
            drop(empty.try_acquire(()).expect("it admits everything"));
            drop(empty.acquire_timeout((), Duration::from_secs(1)).expect("it admits everything"));
            drop(polled(empty.acquire_async([("whatever", 9)])));
            assert_eq!(empty.would_admit([("whatever", 9)]), Admission::Now);
            drop(prepared.acquire().expect("it admits everything"));
        }),
        0
    );
}

#[test]
fn the_default_pool_allocates_nothing() {
    let pool = LimitPool::default();
    assert_eq!(
        allocations(|| {
            drop(pool.acquire([("whatever", 9)]).expect("it admits everything"));
            drop(pool.acquire_timeout((), Duration::from_secs(1)).expect("it admits everything"));
            drop(polled(pool.acquire_async(())));
        }),
        0
    );
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
        let call = alone.prepare(()).expect("it fits");
        let prepared = three.prepare([("tokens", 20)]).expect("it fits");
        assert_eq!(
            allocations(|| {
                drop(alone.acquire(()).expect("there is plenty"));
                drop(alone.acquire_timeout((), Duration::from_secs(1)).expect("there is plenty"));
                drop(polled(alone.acquire_async(())));
                let mut acquired = polled(alone.acquire_async([("call_count", 2)]));
                acquired.update([("call_count", 2)]).expect("as much as was acquired");
                drop(acquired);
                drop(polled(call.acquire_async()));
                assert_eq!(alone.would_admit(()), Admission::Now);
                assert_eq!(three.would_admit([("tokens", 20)]), Admission::Now);
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
