//! What a request takes, and what it must say.

use std::collections::{BTreeMap, HashMap};

use concurry_core::clock::ManualClock;
use concurry_limits::{
    Admission, CallLimit, LimitError, LimitPool, LimitSet, LimitSetBuilder, RateLimit, ResourceLimit, Window,
};

use crate::common::{Outcome, Task, alone, in_use, on};

fn account() -> LimitSet {
    on(&ManualClock::new())
        .limit(CallLimit::new(10, Window::MINUTE))
        .limit(RateLimit::new("tokens", 1_000, Window::MINUTE))
        .limit(RateLimit::new("images", 5, Window::MINUTE))
        .limit(ResourceLimit::new("connections", 3))
        .build()
        .expect("valid limits")
}

#[test]
fn a_named_rate_comes_with_every_call_and_resource_but_no_other_rate() {
    let acquired = account().acquire([("tokens", 100)]).unwrap();
    assert_eq!(acquired.requested("tokens"), Some(100));
    assert_eq!(acquired.requested("call_count"), Some(1));
    assert_eq!(acquired.requested("connections"), Some(1));
    assert_eq!(acquired.requested("images"), None);
}

#[test]
fn an_empty_request_takes_all_limits_at_their_defaults() {
    let set = LimitSet::builder()
        .limit(CallLimit::new(10, Window::MINUTE))
        .limit(ResourceLimit::new("connections", 3))
        .build()
        .unwrap();
    let acquired = set.acquire(()).unwrap();
    assert_eq!((acquired.requested("call_count"), acquired.requested("connections")), (Some(1), Some(1)));
}

#[test]
fn an_empty_request_to_a_set_with_a_rate_names_that_rate() {
    let error = account().acquire(()).unwrap_err();
    assert_eq!(error, LimitError::AmountRequired { key: "tokens".into() });
    assert_eq!(account().acquire(Vec::<(String, u64)>::new()).unwrap_err(), error);
}

/// A list of one and a map of one mean the same, though a set of one limit looks only the first up without a list of its own.
#[test]
fn a_set_of_one_limit_means_the_same_however_it_is_asked() {
    type With = fn(LimitSetBuilder) -> LimitSetBuilder;
    let limits: [(&str, With); 3] = [
        ("call_count", |set| set.limit(CallLimit::new(5, Window::MINUTE))),
        ("tokens", |set| set.limit(RateLimit::new("tokens", 5, Window::MINUTE))),
        ("connections", |set| set.limit(ResourceLimit::new("connections", 5))),
    ];
    for (key, with) in limits {
        let seen = |ask: &dyn Fn(&LimitSet) -> Outcome| {
            let set = with(on(&ManualClock::new())).build().unwrap();
            let outcome = ask(&set).map(|mut acquired| {
                let held = (acquired.requested(key), acquired.set_index(), in_use(&set, key));
                (held, acquired.release())
            });
            (outcome, set.stats())
        };
        let at_once = |future| Task::new(future).poll().expect("nobody else is there");
        for amount in [0, 1, 5, 6, u64::MAX] {
            for name in [key, "else"] {
                let (list, map) = ([(name, amount)], BTreeMap::from([(name, amount)]));
                let by_map = seen(&|set| set.try_acquire(&map));
                assert_eq!(seen(&|set| set.try_acquire(list)), by_map, "{list:?}");
                assert_eq!(seen(&|set| LimitPool::new([set.clone()]).try_acquire(list)), by_map, "{list:?}");
                let by_map = seen(&|set| at_once(set.acquire_async(&map)));
                assert_eq!(seen(&|set| at_once(set.acquire_async(list))), by_map, "{list:?}");
            }
        }
        let nothing = Vec::<(String, u64)>::new();
        assert_eq!(seen(&|set| set.try_acquire(())), seen(&|set| set.try_acquire(&nothing)));
        assert_eq!(
            seen(&|set| at_once(set.acquire_async(()))),
            seen(&|set| at_once(set.acquire_async(&nothing)))
        );
    }
}

#[test]
fn a_refusal_takes_nothing_anywhere() {
    let set = account();
    let all = set.acquire([("connections", 3), ("tokens", 1)]).unwrap();
    let before: Vec<_> = set.stats().limits.iter().map(|limit| limit.in_use).collect();
    let error = set.try_acquire([("images", 2), ("tokens", 400)]).unwrap_err();
    assert!(
        matches!(error, LimitError::Unavailable { ref key, requested: 1, capacity: 3, available: 0, .. } if key == "connections")
    );
    let after: Vec<_> = set.stats().limits.iter().map(|limit| limit.in_use).collect();
    assert_eq!(before, after);
    drop(all);
}

#[test]
fn an_unknown_key_is_an_error_that_lists_the_known_ones() {
    let error = account().acquire([("tokns", 1)]).unwrap_err();
    let known = ["call_count", "tokens", "images", "connections"].map(String::from).to_vec();
    assert_eq!(error, LimitError::UnknownKey { key: "tokns".into(), known });
    assert!(error.to_string().contains("`images`"));
}

#[test]
fn a_lenient_set_skips_unknown_keys() {
    let set =
        LimitSet::builder().limit(RateLimit::new("tokens", 10, Window::MINUTE)).lenient().build().unwrap();
    let mut acquired = set.acquire([("tokens", 4), ("pages", 3)]).unwrap();
    assert_eq!((acquired.requested("tokens"), acquired.requested("pages")), (Some(4), None));
    acquired.update([("pages", 3), ("tokens", 2)]).unwrap();
    acquired.release().unwrap();
}

#[test]
fn the_empty_set_admits_everything_and_accepts_any_key() {
    for set in [LimitSet::empty(), LimitSet::default(), LimitSet::builder().build().unwrap()] {
        let mut acquired = set.acquire([("anything", u64::MAX)]).unwrap();
        acquired.update([("anything else", 7)]).unwrap();
        acquired.release().unwrap();
        assert_eq!(acquired.update(()), Err(LimitError::Released));
        assert!(set.is_empty() && set.try_acquire(()).is_ok());
        assert_eq!(set.would_admit([("tokens", 1)]), Admission::Now);
    }
}

#[test]
fn an_amount_above_the_capacity_is_refused_for_ever_at_once() {
    let set = account();
    for error in [set.acquire([("images", 6)]).unwrap_err(), set.try_acquire([("images", 6)]).unwrap_err()] {
        assert!(
            matches!(error, LimitError::Never { ref key, requested: 6, capacity: 5, .. } if key == "images")
        );
    }
    assert_eq!(in_use(&set, "call_count"), 0);
}

#[test]
fn a_key_that_is_named_twice_is_an_error() {
    let error = account().acquire([("tokens", 1), ("tokens", 2)]).unwrap_err();
    assert_eq!(error, LimitError::DuplicateKey { key: "tokens".into() });
}

#[test]
fn an_amount_of_zero_takes_not_even_the_default_and_waits_for_nothing() {
    let (_clock, set) = alone(ResourceLimit::new("connections", 1));
    let held = set.acquire(()).unwrap();
    let mut free = set.try_acquire([("connections", 0)]).unwrap();
    assert_eq!(free.requested("connections"), Some(0));
    free.release().unwrap();
    drop(held);
    let mut none = account().acquire([("tokens", 0)]).unwrap();
    none.release().unwrap(); // no usage to tell of nothing
}

#[test]
fn requests_are_arrays_slices_vectors_and_maps() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::MINUTE));
    let owned = String::from("tokens");
    let map = BTreeMap::from([("tokens", 1)]);
    let pairs = vec![("tokens", 1)];
    for acquired in [
        set.acquire([("tokens", 1)]),
        set.acquire([(&owned, 1)]),
        set.acquire(&pairs[..]),
        set.acquire(&pairs),
        set.acquire(pairs.clone()),
        set.acquire(HashMap::from([(owned.clone(), 1)])),
        set.acquire(&map),
        set.acquire(map.clone()),
    ] {
        let mut acquired = acquired.unwrap();
        assert_eq!(acquired.requested("tokens"), Some(1));
        acquired.update([("tokens", 1)]).unwrap();
    }
}

#[test]
fn a_refusal_tells_limit_amount_capacity_and_the_exact_wait() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, Window::MINUTE));
    drop(set.acquire([("tokens", 8)]).unwrap());
    clock.advance(crate::common::seconds(20));
    let error = set.try_acquire([("tokens", 5)]).unwrap_err();
    let wait = crate::common::seconds(40);
    assert_eq!(
        error,
        LimitError::Unavailable {
            key: "tokens".into(),
            requested: 5,
            capacity: 10,
            available: 2,
            available_in: Some(wait)
        }
    );
    let text = error.to_string();
    assert!(["tokens", "5", "2 of 10", "40s"].iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(set.would_admit([("tokens", 5)]), Admission::In(wait, "tokens".into()));
}

#[test]
fn a_timeout_says_in_its_text_what_was_wanted_and_how_long_it_would_take() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::MINUTE));
    drop(set.acquire([("tokens", 8)]).unwrap());
    let error = set.acquire_timeout([("tokens", 5)], crate::common::seconds(7)).unwrap_err();
    assert!(matches!(error, LimitError::Timeout { .. }), "{error:?}");
    let text = error.to_string();
    for part in ["`tokens`", "5", "2 of 10", "60s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// What is in use, available and waiting of each limit.
fn counts(set: &LimitSet) -> Vec<(u64, u64, usize)> {
    set.stats().limits.iter().map(|limit| (limit.in_use, limit.available, limit.waiting)).collect()
}

#[test]
fn no_refusal_of_whatever_kind_takes_anything_anywhere() {
    let clock = ManualClock::new();
    let set = on(&clock)
        .limit(CallLimit::new(10, Window::MINUTE))
        .limit(RateLimit::new("tokens", 1_000, Window::MINUTE))
        .limit(RateLimit::new("images", 5, Window::MINUTE))
        .limit(ResourceLimit::new("connections", 3))
        .limit(ResourceLimit::new("desks", 3))
        .build()
        .expect("valid limits");
    drop(set.try_acquire([("images", 5)]).unwrap());
    let held = set.try_acquire([("connections", 3), ("call_count", 0)]).unwrap();
    set.pause("desks", crate::common::seconds(30)).unwrap();
    let (before, second) = (counts(&set), crate::common::SECOND);
    // Each wants something that is there before what is not.
    let free = [("tokens", 1), ("connections", 0), ("desks", 0)];
    let with = |amounts: &[(&'static str, u64)]| {
        let others = free.iter().filter(|(key, _)| amounts.iter().all(|(named, _)| named != key));
        others.chain(amounts).copied().collect::<Vec<_>>()
    };
    let refused = [
        (set.try_acquire([("tokens", 1), ("pages", 1)]).unwrap_err(), "UnknownKey"),
        (set.try_acquire([("tokens", 1), ("tokens", 1)]).unwrap_err(), "DuplicateKey"),
        (set.acquire(()).unwrap_err(), "AmountRequired"),
        (set.acquire(with(&[("images", 6)])).unwrap_err(), "Never"),
        (set.try_acquire(with(&[("images", 1)])).unwrap_err(), "Unavailable"),
        (set.try_acquire(with(&[("connections", 1)])).unwrap_err(), "Unavailable"),
        (set.try_acquire(with(&[("desks", 1)])).unwrap_err(), "Unavailable"),
        (set.acquire_timeout(with(&[("images", 1)]), second).unwrap_err(), "Timeout"),
        (set.prepare(with(&[("images", 1)])).unwrap().try_acquire().unwrap_err(), "Unavailable"),
        (set.prepare(with(&[("desks", 1)])).unwrap().acquire_timeout(second).unwrap_err(), "Timeout"),
        (set.prepare(with(&[("tokens", 1_001)])).unwrap().acquire().unwrap_err(), "Never"),
    ];
    for (error, kind) in refused {
        assert!(format!("{error:?}").starts_with(kind), "{kind}: {error:?}");
    }
    assert_eq!(counts(&set), before);
    let mut late = Task::waiting(set.acquire_async_timeout(with(&[("connections", 1)]), second));
    let behind = set.try_acquire(with(&[])).unwrap_err();
    assert!(matches!(behind, LimitError::Unavailable { requested: 1, .. }), "behind another: {behind:?}");
    clock.advance(second);
    assert!(matches!(late.woken(), Err(LimitError::Timeout { .. })));
    assert_eq!(counts(&set), before);
    drop(held);
}
