//! A waiter that leaves leaves nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use concurry_core::clock::{ManualClock, Timestamp};
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{
    Acquire, CallLimit, Feedback, Limit, LimitError, LimitPool, LimitPoolBalancing, LimitSet, LimitState,
    RateLimit, ResourceLimit, UsageRule, Verdict, Window,
};

use crate::common::{SECOND, Task, acquiring, alone, in_use, on, seconds, wait_for_waiters, waiters};

#[test]
fn a_dropped_waiter_leaves_the_queue_and_the_next_is_woken() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 5)]).unwrap());
    let large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let mut small = Task::waiting(set.acquire_async([("tokens", 2)]));
    drop(large);
    drop(small.woken().unwrap());
    assert_eq!((waiters(&set, "tokens"), in_use(&set, "tokens")), (0, 7));
    assert_eq!(clock.next_wake(), None, "no timer is left behind");
}

#[test]
fn what_is_undone_loosens_no_word_that_a_server_said_after_it_was_taken() {
    let (clock, set) = alone(CallLimit::new(10, Window::DAY).algorithm(Gcra));
    for _ in ["at the clock's beginning", "and later"] {
        let early = set.acquire(()).unwrap();
        set.feedback(Feedback::remaining("call_count", 1, seconds(10)));
        let allowed = set.acquire(()).unwrap();
        early.undo();
        let refused = set.try_acquire(()).unwrap_err();
        assert!(matches!(refused, LimitError::Unavailable { available: 0, .. }), "{refused}");
        drop(allowed);
        clock.advance(seconds(10));
    }
}

#[test]
fn a_dropped_waiter_hands_its_turn_to_a_sleeping_thread() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 5)]).unwrap());
    let large = Task::waiting(set.acquire_async([("tokens", 10)]));
    let small = acquiring(&set, "tokens", 2);
    wait_for_waiters(&set, "tokens", 2);
    drop(large);
    drop(small.join().unwrap().unwrap());
}

#[test]
fn a_waiter_in_the_middle_leaves_without_a_trace() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let mut first = Task::waiting(set.acquire_async(()));
    let middle = Task::waiting(set.acquire_async(()));
    let mut last = Task::waiting(set.acquire_async(()));
    drop(middle);
    drop(held);
    drop(first.woken().unwrap());
    drop(last.woken().unwrap());
    assert_eq!((waiters(&set, "doors"), in_use(&set, "doors")), (0, 0));
}

fn a_grant_to_a_dropped_future_is_undone(algorithm: RateLimitAlgorithm) {
    let clock = ManualClock::new();
    let tokens = RateLimit::new("tokens", 10, Window::SECOND).algorithm(algorithm);
    let set = on(&clock).limit(tokens).limit(ResourceLimit::new("doors", 1)).build().expect("valid limits");
    let held = set.acquire([("tokens", 0)]).expect("free doors");
    let granted = Task::waiting(set.acquire_async([("tokens", 6)]));
    let mut next = Task::waiting(set.acquire_async([("tokens", 7)]));
    drop(held);
    assert_eq!((granted.wakes(), next.wakes(), in_use(&set, "tokens")), (1, 0, 6));
    drop(granted);
    drop(next.woken().expect("a grant"));
    assert_eq!((in_use(&set, "doors"), in_use(&set, "tokens")), (0, 7), "{algorithm}");
}

#[test]
fn a_grant_that_its_future_never_saw_is_undone_in_every_algorithm() {
    for algorithm in [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra] {
        a_grant_to_a_dropped_future_is_undone(algorithm);
    }
}

#[test]
fn a_waiter_that_times_out_wakes_the_next() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)));
    drop(set.acquire([("tokens", 5)]).unwrap());
    clock.advance(seconds(1));
    let held = set.acquire([("tokens", 1)]).unwrap();
    // It can be admitted after 10 s at the earliest, so it says so at once and stands in nobody's way.
    let error =
        Task::new(set.acquire_async_timeout([("tokens", 10)], seconds(5))).poll().unwrap().unwrap_err();
    assert!(matches!(error, LimitError::Timeout { .. }));
    drop(set.try_acquire([("tokens", 1)]).unwrap());
    drop(held);

    let (clock, set) = alone(ResourceLimit::new("doors", 2));
    let held = set.acquire(()).unwrap();
    let mut both = Task::waiting(set.acquire_async_timeout([("doors", 2)], SECOND));
    let mut one = Task::waiting(set.acquire_async(()));
    clock.advance(SECOND);
    assert!(matches!(both.woken(), Err(LimitError::Timeout { .. })));
    drop(one.woken().unwrap());
    drop(held);
}

#[test]
fn a_grant_that_comes_with_the_deadline_wins() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    drop(set.acquire([("tokens", 10)]).unwrap());
    let mut task = Task::waiting(set.acquire_async_timeout([("tokens", 10)], SECOND));
    clock.advance(SECOND);
    drop(task.woken().unwrap());
}

#[test]
fn a_future_that_was_never_polled_took_nothing() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 1));
    drop(set.acquire_async(()));
    let future = set.acquire_async(());
    assert!(set.try_acquire(()).is_ok());
    drop(future);
    assert_eq!(in_use(&set, "doors"), 0);
}

#[test]
fn whoever_is_dropped_in_whatever_state_leaves_all_as_it_was() {
    let clock = ManualClock::new();
    let build = || {
        let rate = RateLimit::new("tokens", 10, Window::SECOND).algorithm(TokenBucket);
        on(&clock).limit(rate).limit(ResourceLimit::new("doors", 1)).build().unwrap()
    };
    let pool = LimitPool::new([build(), build()]).load_balancing(LimitPoolBalancing::EarliestAvailable);
    let request = [("tokens", 4)];
    let prepared = pool[0].prepare(request).unwrap();
    let ways: [&dyn Fn() -> Acquire; 5] = [
        &|| pool[0].acquire_async(request),
        &|| pool[0].acquire_async_timeout(request, seconds(60)),
        &|| pool.acquire_async(request),
        &|| pool.acquire_async_timeout(request, seconds(60)),
        &|| prepared.acquire_async(),
    ];
    for way in ways {
        clock.advance(SECOND);
        let held = pool.sets().iter().map(|set| set.acquire([("tokens", 0)]).unwrap()).collect::<Vec<_>>();
        let before: Vec<_> = pool.sets().iter().map(LimitSet::stats).collect();
        let after = || pool.sets().iter().map(LimitSet::stats).collect::<Vec<_>>();
        drop(way()); // never polled
        assert_eq!(after(), before);
        drop(Task::waiting(way())); // it waits
        assert_eq!((after(), clock.next_wake()), (before, None));
        let unseen = Task::waiting(way());
        let mut behind = Task::waiting(pool[0].acquire_async([("tokens", 7)]));
        clock.advance(SECOND / 2);
        drop(held);
        assert_eq!((unseen.wakes(), behind.wakes()), (1, 0));
        drop(unseen); // granted, and it never knew
        let behind = behind.woken().unwrap();
        let stats = pool[0].stats();
        let tokens = stats.limit("tokens").unwrap();
        assert_eq!((tokens.in_use, tokens.waiting), (7, 0));
        drop(behind);
        clock.advance(SECOND);
        let mut seen = Task::new(way());
        let acquired = seen.poll().expect("it is free").expect("it is free");
        drop(seen); // done: what it gave lives on
        assert!(pool.sets().iter().any(|set| in_use(set, "doors") == 1));
        drop(acquired);
        assert!(pool.sets().iter().all(|set| in_use(set, "doors") == 0));
        assert_eq!(clock.next_wake(), None, "no timer is left behind");
        clock.advance(seconds(10));
    }
}

#[test]
fn who_was_never_admitted_does_not_count_among_the_waits() {
    let (clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let unseen = Task::waiting(set.acquire_async(()));
    clock.advance(seconds(3));
    drop(held);
    drop(unseen);
    let doors = set.stats().limits.remove(0);
    assert_eq!((doors.admitted, doors.total_wait), (1, seconds(0)));
}

/// A waker that owns a future, as a task that nobody else holds is owned by its wakers.
struct Owner {
    _task: Mutex<Acquire>,
}

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_may_own_another_waiter_of_the_same_set() {
    let (_clock, set) = alone(ResourceLimit::new("doors", 2));
    let held = set.acquire(()).unwrap();
    let mut owned = set.acquire_async([("doors", 2)]);
    let mut other = set.acquire_async(());
    let pending = |future: &mut Acquire, waker: &Waker| {
        assert!(Pin::new(future).poll(&mut Context::from_waker(waker)).is_pending());
    };
    // The one that is owned stands before the other and in its way.
    pending(&mut owned, Waker::noop());
    let waker = Waker::from(Arc::new(Owner { _task: Mutex::new(owned) }));
    pending(&mut other, &waker);
    drop(waker);
    // This replaces the last waker; with it goes the one it owns, and the other is next, in the middle of its own poll.
    let mut other = Task::waiting(other);
    drop(other.woken().unwrap());
    drop(held);
    assert_eq!((waiters(&set, "doors"), in_use(&set, "doors")), (0, 0));
}

/// A user's own limit that panics when it is asked while somebody stands in the queue of [`DOOR`].
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Panics;

static DOOR: std::sync::OnceLock<LimitSet> = std::sync::OnceLock::new();

#[typetag::serde]
impl Limit for Panics {
    fn key(&self) -> &'static str {
        "door"
    }

    fn capacity(&self) -> u64 {
        1
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(PanicsState)
    }
}

struct PanicsState;

impl LimitState for PanicsState {
    fn check(&mut self, _: u64, _: Timestamp) -> Verdict {
        assert_eq!(waiters(DOOR.get().expect("it is set"), "door"), 0, "on purpose");
        Verdict::OnRelease
    }

    fn take(&mut self, _: u64, _: Timestamp) {}

    fn settle(&mut self, _: u64, _: u64, _: Timestamp) {}

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {}

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        0
    }
}

#[test]
fn who_lines_up_in_several_sets_leaves_the_first_when_a_limit_of_the_second_panics() {
    let (_clock, door) = alone(ResourceLimit::new("door", 1));
    let held = door.acquire(()).unwrap();
    let door = DOOR.get_or_init(|| door);
    let (_clock, broken) = alone(Panics);
    let pool = LimitPool::new([door.clone(), broken]).load_balancing(LimitPoolBalancing::EarliestAvailable);
    let acquire = std::panic::AssertUnwindSafe(|| drop(Task::waiting(pool.acquire_async(()))));
    std::panic::catch_unwind(acquire).unwrap_err();
    assert_eq!(waiters(door, "door"), 0);
    drop(held);
    drop(door.try_acquire(()).expect("nobody was granted it in the place of who is gone"));
}

#[test]
fn a_grant_that_is_taken_back_leaves_no_wait_in_the_sum() {
    let (clock, set) = alone(ResourceLimit::new("doors", 1));
    let held = set.acquire(()).unwrap();
    let mut waiting = Task::waiting(set.acquire_async(()));
    clock.advance(Duration::from_secs(3));
    drop(held);
    let granted = waiting.woken().unwrap();
    assert_eq!(set.stats().limits[0].total_wait, Duration::from_secs(3));
    granted.undo();
    let stats = set.stats();
    assert_eq!((stats.limits[0].total_wait, stats.limits[0].admitted), (Duration::ZERO, 1));
}
