//! What a request is answered that does not wait: a question, which is no refusal.

use concurry_core::clock::ManualClock;
use concurry_core::park::block_on;
use concurry_limits::LimitPoolBalancing::EarliestAvailable;
use concurry_limits::RateLimitAlgorithm::TokenBucket;
use concurry_limits::{LimitError, LimitPool, LimitSet, RateLimit, ResourceLimit, Window};

use crate::common::{SECOND, alone, on, waiters};

fn refused(set: &LimitSet) -> u64 {
    set.stats().limits[0].refused
}

#[test]
fn what_would_come_too_late_is_no_answer() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::MINUTE).algorithm(TokenBucket));
    let late = || set.acquire_async_timeout([("tokens", 10)], SECOND);
    drop(block_on(late().now()).expect("all are there").unwrap());
    assert!(block_on(late().now()).is_none());
    assert_eq!((refused(&set), waiters(&set, "tokens")), (0, 0));
    assert_eq!(clock.next_wake(), None);
}

/// A pool of two sets with a door of this capacity each, which have their own clocks, if `apart`.
fn doors(capacities: [u64; 2], apart: bool) -> LimitPool {
    let clock = ManualClock::new();
    let sets = capacities.map(|capacity| {
        let own = if apart { ManualClock::new() } else { clock.clone() };
        on(&own).limit(ResourceLimit::new("doors", capacity)).build().expect("a valid limit")
    });
    LimitPool::new(sets).load_balancing(EarliestAvailable)
}

#[test]
fn what_would_have_to_wait_counts_as_refused_by_nobody() {
    for apart in [false, true] {
        let pool = doors([1, 1], apart);
        let first = block_on(pool.acquire_async(()).now()).expect("a door is free").unwrap();
        let second = block_on(pool.acquire_async(()).now()).expect("another is free").unwrap();
        assert_ne!(first.set_index(), second.set_index());
        assert!(block_on(pool.acquire_async(()).now()).is_none());
        assert_eq!([0, 1].map(|index| refused(&pool[index])), [0, 0], "apart: {apart}");
        assert_eq!(pool.stats().sets.iter().map(|set| set.picks).collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn what_can_never_be_is_an_answer_and_is_counted_once() {
    for apart in [false, true] {
        let pool = doors([1, 2], apart);
        let answer = block_on(pool.acquire_async([("doors", 3)]).now()).expect("it is known");
        assert!(matches!(answer, Err(LimitError::Never { .. })), "{answer:?}");
        assert_eq!([0, 1].map(|index| refused(&pool[index])), [1, 1], "apart: {apart}");
    }
    // One set can never serve this, and another may yet.
    let pool = doors([1, 2], false);
    let held = pool[1].acquire([("doors", 2)]).unwrap();
    assert!(block_on(pool.acquire_async([("doors", 2)]).now()).is_none());
    assert_eq!([0, 1].map(|index| refused(&pool[index])), [0, 0]);
    drop(held);
}
