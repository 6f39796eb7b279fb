//! What is told about usage, and what a release does with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use concurry_limits::RateLimitAlgorithm::{FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{
    CallLimit, LimitError, LimitSet, LimitSetAcquisition, Overrun, RateLimit, ResourceLimit, Window,
};

use crate::common::{alone, in_use};

fn tokens() -> RateLimit {
    RateLimit::new("tokens", 1_000, Window::MINUTE).algorithm(TokenBucket)
}

#[test]
fn the_unused_is_refunded_at_the_release_and_not_before() {
    let (_clock, set) = alone(tokens());
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    acquired.update([("tokens", 200)]).unwrap();
    assert_eq!(in_use(&set, "tokens"), 500);
    acquired.release().unwrap();
    assert_eq!(in_use(&set, "tokens"), 200);
}

#[test]
fn the_last_update_counts() {
    let (_clock, set) = alone(tokens());
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    acquired.update([("tokens", 400)]).unwrap();
    acquired.update([("tokens", 100)]).unwrap();
    acquired.release().unwrap();
    assert_eq!(in_use(&set, "tokens"), 100);
}

#[test]
fn a_missing_update_is_told_after_everything_was_given_back() {
    let set =
        LimitSet::builder().limit(tokens()).limit(ResourceLimit::new("connections", 1)).build().unwrap();
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    assert_eq!(acquired.release(), Err(LimitError::MissingUpdate { keys: vec!["tokens".into()] }));
    assert_eq!(in_use(&set, "connections"), 0);
    assert_eq!(in_use(&set, "tokens"), 500, "what was not told counts as used");
}

#[test]
fn a_second_release_does_nothing_and_an_update_after_it_is_an_error() {
    let (_clock, set) = alone(tokens());
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    acquired.update([("tokens", 0)]).unwrap();
    acquired.release().unwrap();
    acquired.release().unwrap();
    assert_eq!(acquired.update([("tokens", 1)]), Err(LimitError::Released));
    let other = set.acquire([("tokens", 1_000)]).unwrap();
    drop(acquired);
    assert_eq!(in_use(&set, "tokens"), 1_000, "a drop after the release refunds nothing again");
    drop(other);
}

#[test]
fn usage_above_the_request_is_an_error_that_keeps_the_permit() {
    let (_clock, set) = alone(tokens());
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    let error = acquired.update([("tokens", 501)]).unwrap_err();
    assert_eq!(error, LimitError::UsageExceedsRequested { key: "tokens".into(), requested: 500, used: 501 });
    assert_eq!(in_use(&set, "tokens"), 500);
    acquired.update([("tokens", 100)]).unwrap();
    acquired.release().unwrap();
    assert_eq!(in_use(&set, "tokens"), 100);
}

#[test]
fn usage_above_the_request_is_charged_where_debts_are_allowed() {
    let (clock, set) = alone(tokens().overrun(Overrun::Debt));
    let mut acquired = set.acquire([("tokens", 500)]).unwrap();
    acquired.update([("tokens", 1_500)]).unwrap();
    acquired.release().unwrap();
    assert_eq!(in_use(&set, "tokens"), 1_500);
    clock.advance(crate::common::seconds(60));
    assert_eq!(in_use(&set, "tokens"), 500);
}

#[test]
fn an_update_holds_as_a_whole_or_not_at_all() {
    let set = LimitSet::builder()
        .limit(tokens())
        .limit(RateLimit::new("images", 9, Window::MINUTE))
        .build()
        .unwrap();
    let mut acquired = set.acquire([("tokens", 500), ("images", 2)]).unwrap();
    acquired.update([("tokens", 1), ("images", 3)]).unwrap_err();
    let missing = acquired.release().unwrap_err();
    assert_eq!(missing, LimitError::MissingUpdate { keys: vec!["tokens".into(), "images".into()] });
}

#[test]
fn a_key_that_was_not_acquired_cannot_be_updated() {
    let set = LimitSet::builder()
        .limit(tokens())
        .limit(RateLimit::new("images", 9, Window::MINUTE))
        .build()
        .unwrap();
    let mut acquired = set.acquire([("tokens", 5)]).unwrap();
    for key in ["images", "nonsense"] {
        let error = acquired.update([(key, 1)]).unwrap_err();
        assert_eq!(error, LimitError::NotAcquired { key: key.into(), acquired: vec!["tokens".into()] });
    }
    let twice = acquired.update([("tokens", 1), ("tokens", 2)]).unwrap_err();
    assert_eq!(twice, LimitError::DuplicateKey { key: "tokens".into() });
}

#[test]
fn a_call_that_was_counted_implicitly_needs_no_update_and_allows_only_one() {
    let (_clock, set) = alone(CallLimit::new(10, Window::MINUTE));
    set.acquire(()).unwrap().release().unwrap();
    let mut acquired = set.acquire(()).unwrap();
    for used in [0, 2] {
        let error = acquired.update([("call_count", used)]).unwrap_err();
        assert_eq!(error, LimitError::UnexpectedUsage { key: "call_count".into(), used });
    }
    acquired.update([("call_count", 1)]).unwrap();
    acquired.release().unwrap();
}

#[test]
fn calls_that_were_named_need_an_update_when_they_are_several() {
    let (_clock, set) = alone(CallLimit::new(10, Window::MINUTE).algorithm(TokenBucket));
    set.acquire([("call_count", 1)]).unwrap().release().unwrap();
    let mut several = set.acquire([("call_count", 5)]).unwrap();
    several.update([("call_count", 2)]).unwrap();
    several.release().unwrap();
    assert_eq!(in_use(&set, "call_count"), 3);
    let mut untold = set.acquire([("call_count", 5)]).unwrap();
    let more = LimitError::UsageExceedsRequested { key: "call_count".into(), requested: 5, used: 6 };
    assert_eq!(untold.update([("call_count", 6)]), Err(more));
    assert_eq!(untold.release(), Err(LimitError::MissingUpdate { keys: vec!["call_count".into()] }));
}

#[test]
fn a_resource_needs_no_update_and_is_given_back_wholly() {
    let (_clock, set) = alone(ResourceLimit::new("connections", 4));
    let mut acquired = set.acquire([("connections", 3)]).unwrap();
    acquired.update([("connections", 1)]).unwrap();
    assert!(matches!(acquired.update([("connections", 4)]), Err(LimitError::UsageExceedsRequested { .. })));
    assert_eq!(in_use(&set, "connections"), 3);
    acquired.release().unwrap();
    assert_eq!(in_use(&set, "connections"), 0);
}

#[test]
fn a_panic_of_the_holder_releases() {
    let (_clock, set) = alone(ResourceLimit::new("connections", 1));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _held = set.acquire(()).unwrap();
        panic!("the caller's own");
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the caller's own"));
    assert!(set.try_acquire(()).is_ok());
}

#[test]
fn an_early_return_releases_and_keeps_its_own_error() {
    let (_clock, set) = alone(tokens());
    let work = || -> Result<(), String> {
        let _acquired: LimitSetAcquisition =
            set.acquire([("tokens", 10)]).map_err(|error| error.to_string())?;
        Err("the caller's own".to_owned())
    };
    assert_eq!(work(), Err("the caller's own".to_owned()));
    assert_eq!(in_use(&set, "tokens"), 10);
}

#[test]
fn the_configuration_is_readable_from_each_acquisition() {
    let config = serde_json::json!({"region": "eu", "retries": 3});
    let set = LimitSet::builder().limit(tokens()).config(config.clone()).build().unwrap();
    let mut acquired = set.acquire([("tokens", 1)]).unwrap();
    assert_eq!(acquired.config()["region"], "eu");
    acquired.update([("tokens", 1)]).unwrap();
    let bare = LimitSet::builder().config(config.clone()).build().unwrap();
    assert_eq!((bare.config(), bare.acquire(()).unwrap().config()), (&config, &config));
    assert!(LimitSet::empty().config().is_null());
}

#[test]
fn a_debt_of_a_request_of_nothing_is_charged_too() {
    for algorithm in [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra] {
        let (clock, set) = alone(tokens().algorithm(algorithm).overrun(Overrun::Debt));
        let mut nothing = set.acquire([("tokens", 0)]).unwrap();
        nothing.update([("tokens", 1_000)]).unwrap();
        nothing.release().unwrap();
        assert_eq!(in_use(&set, "tokens"), 1_000, "{algorithm}");
        assert!(set.try_acquire([("tokens", 1)]).is_err(), "{algorithm}");
        clock.advance(crate::common::seconds(60));
        drop(set.try_acquire([("tokens", 1_000)]).unwrap());
    }
}
