//! A request that is looked up once.

use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{ManualClock, Timestamp};
use concurry_core::park::block_on;
use concurry_limits::{
    CallLimit, Limit, LimitError, LimitSet, LimitState, RateLimit, RateLimitAlgorithm, ResourceLimit,
    UsageRule, Verdict, Window,
};

use crate::common::Task;

fn account() -> (LimitSet, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let set = LimitSet::builder()
        .clock(clock.clone())
        .limit(CallLimit::new(10, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra))
        .limit(RateLimit::new("tokens", 100, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket))
        .limit(ResourceLimit::new("doors", 2))
        .config(serde_json::json!({"region": "us"}))
        .build()
        .expect("the limits are right");
    (set, clock)
}

#[test]
fn it_takes_tells_and_gives_back_as_the_request_itself_does() {
    let (set, _clock) = account();
    let prompt = set.prepare([("tokens", 60)]).unwrap();
    let mut acquired = prompt.acquire().unwrap();
    assert_eq!((acquired.requested("tokens"), acquired.requested("doors")), (Some(60), Some(1)));
    assert_eq!(acquired.config()["region"], "us");
    assert_eq!(set.stats().limit("doors").unwrap().in_use, 1);
    acquired.update([("tokens", 30)]).unwrap();
    acquired.update([("tokens", 20)]).unwrap(); // the later one holds
    acquired.release().unwrap();
    acquired.release().unwrap();
    assert_eq!(acquired.update([("tokens", 1)]), Err(LimitError::Released));
    drop(acquired);
    let stats = set.stats();
    assert_eq!(stats.limit("tokens").unwrap().in_use, 20);
    assert_eq!((stats.limit("doors").unwrap().in_use, stats.limit("call_count").unwrap().in_use), (0, 1));
}

#[test]
fn mistakes_show_when_it_is_prepared() {
    let (set, _clock) = account();
    assert!(matches!(set.prepare([("tokenz", 1)]), Err(LimitError::UnknownKey { .. })));
    assert!(matches!(set.prepare(()), Err(LimitError::AmountRequired { .. })));
    assert!(matches!(set.prepare([("tokens", 1), ("tokens", 2)]), Err(LimitError::DuplicateKey { .. })));
    let too_much = set.prepare([("tokens", 101)]).unwrap();
    assert!(matches!(too_much.acquire(), Err(LimitError::Never { .. })));
}

#[test]
fn an_untold_usage_is_an_error_after_everything_was_given_back() {
    let (set, _clock) = account();
    let prompt = set.prepare([("tokens", 60)]).unwrap();
    let mut acquired = prompt.acquire().unwrap();
    assert!(matches!(acquired.release(), Err(LimitError::MissingUpdate { keys }) if keys == ["tokens"]));
    assert_eq!(set.stats().limit("doors").unwrap().in_use, 0);
    assert_eq!(set.stats().limit("tokens").unwrap().in_use, 60);
}

#[test]
fn an_update_that_is_wrong_changes_nothing() {
    let (set, _clock) = account();
    let prompt = set.prepare([("tokens", 60)]).unwrap();
    let mut acquired = prompt.acquire().unwrap();
    assert!(matches!(acquired.update([("tokens", 61)]), Err(LimitError::UsageExceedsRequested { .. })));
    assert!(matches!(acquired.update([("tokens", 1), ("other", 1)]), Err(LimitError::NotAcquired { .. })));
    assert!(acquired.release().is_err(), "nothing was told");
}

#[test]
fn it_waits_its_turn_and_times_out() {
    let (set, clock) = account();
    let prompt = set.prepare([("tokens", 10)]).unwrap();
    let (first, second) = (prompt.try_acquire().unwrap(), prompt.try_acquire().unwrap());
    assert!(matches!(prompt.try_acquire(), Err(LimitError::Unavailable { key, .. }) if key == "doors"));
    let waiter = std::thread::spawn({
        let prompt = prompt.clone();
        move || {
            prompt
                .acquire()
                .map(|mut acquired| acquired.update([("tokens", 10)]).and_then(|()| acquired.release()))
        }
    });
    while set.stats().limit("doors").unwrap().waiting == 0 {
        std::thread::yield_now();
    }
    drop(first);
    waiter.join().unwrap().unwrap().unwrap();
    drop(second);
    let rate = set.prepare([("tokens", 90)]).unwrap();
    let refused = rate.acquire_timeout(Duration::from_millis(1));
    assert!(matches!(refused, Err(LimitError::Timeout { key, .. }) if key == "tokens"));
    clock.advance(Duration::from_secs(1));
    let mut acquired = block_on(rate.acquire_async()).unwrap();
    acquired.update([("tokens", 0)]).unwrap();
    acquired.release().unwrap();
}

#[test]
fn the_empty_set_admits_it_with_any_key() {
    let anything = LimitSet::empty().prepare([("tokens", 5)]).unwrap();
    let mut acquired = anything.acquire().unwrap();
    acquired.update([("tokens", 7)]).unwrap();
    assert_eq!(acquired.requested("tokens"), None);
    acquired.release().unwrap();
    assert_eq!(acquired.update([("tokens", 7)]), Err(LimitError::Released));
}

#[test]
fn usages_of_several_limits_are_told_at_once_or_one_by_one() {
    for at_once in [true, false] {
        let clock = Arc::new(ManualClock::new());
        let rate = |key| RateLimit::new(key, 100, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket);
        let set =
            LimitSet::builder().clock(clock).limit(rate("in")).limit(rate("out")).build().expect("right");
        let request = set.prepare([("in", 50), ("out", 60)]).expect("it fits");
        let mut acquired = request.acquire().expect("there is plenty");
        if at_once {
            acquired.update([("in", 20), ("out", 30)]).expect("less than was acquired");
        } else {
            acquired.update([("in", 10)]).expect("less than was acquired");
            acquired.update([("out", 30)]).expect("less than was acquired");
            acquired.update([("in", 20)]).expect("less than was acquired");
        }
        assert_eq!(acquired.requested("out"), Some(60));
        acquired.release().expect("all was told");
        let stats = set.stats();
        assert_eq!((stats.limits[0].in_use, stats.limits[1].in_use), (20, 30));
    }
}

/// A user's limit that panics when it is given back.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Broken;

struct BrokenState;

#[typetag::serde]
impl Limit for Broken {
    fn key(&self) -> &'static str {
        "zz_broken"
    }

    fn capacity(&self) -> u64 {
        1_000
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(BrokenState)
    }
}

impl LimitState for BrokenState {
    fn check(&mut self, _: u64, _: Timestamp) -> Verdict {
        Verdict::Granted
    }

    fn take(&mut self, _: u64, _: Timestamp) {}

    fn settle(&mut self, _: u64, _: u64, _: Timestamp) {
        assert!(std::thread::panicking(), "it is broken");
    }

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {}

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        0
    }
}

#[test]
fn what_is_given_back_is_given_back_once_even_when_a_limit_of_a_users_own_panics() {
    let doors = ResourceLimit::new("doors", 3);
    let set = LimitSet::builder().limit(doors).limit(Broken).build().expect("right");
    let door = set.prepare(()).expect("it fits");
    let other = door.acquire().expect("there is room");
    let mut acquired = door.acquire().expect("there is room");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| acquired.release().is_ok()));
    assert!(panicked.is_err());
    drop(acquired);
    assert_eq!(set.stats().limits[0].in_use, 1);
    std::mem::forget(other);
}

#[test]
fn when_a_limit_of_a_users_own_panics_those_after_it_are_given_back_and_who_waits_is_woken() {
    for somebody_waits in [false, true] {
        let (doors, windows) = (ResourceLimit::new("doors", 3), ResourceLimit::new("windows", 1));
        let set = LimitSet::builder().limit(doors).limit(Broken).limit(windows).build().expect("right");
        let acquired = set.acquire(()).expect("there is room");
        let mut waiting =
            somebody_waits.then(|| Task::waiting(set.acquire_async([("doors", 0), ("zz_broken", 0)])));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(acquired)));
        assert!(panicked.is_err(), "the panic reaches who gave back");
        if let Some(waiting) = &mut waiting {
            drop(waiting.woken().expect("the window is free"));
        }
        let in_use: Vec<_> = set.stats().limits.iter().map(|limit| limit.in_use).collect();
        assert_eq!(in_use, [0, 0, 0]);
    }
}
