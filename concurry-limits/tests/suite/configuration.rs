//! Sets from text, and what cannot be built.

use std::time::Duration;

use concurry_limits::{
    CallLimit, LimitError, LimitSet, LimitSetError, RateLimit, RateLimitAlgorithm, ResourceLimit, Window,
};

#[test]
fn a_set_survives_its_way_through_text() {
    let set = LimitSet::builder()
        .limit(CallLimit::new(500, Window::MINUTE))
        .limit(
            RateLimit::new("tokens", 10_000, Duration::from_millis(1_500))
                .algorithm(RateLimitAlgorithm::Gcra),
        )
        .limit(ResourceLimit::new("connections", 8))
        .config(serde_json::json!({"region": "us"}))
        .build()
        .unwrap();
    let text = serde_json::to_string(&set).unwrap();
    let again: LimitSet = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.config()["region"], "us");
    assert_eq!(again.keys().collect::<Vec<_>>(), ["call_count", "tokens", "connections"]);
    assert_eq!(again.limit("tokens").unwrap().capacity(), 10_000);
    assert!(again.limit("token").is_none());
}

#[test]
fn a_set_is_read_from_a_configuration_with_defaults() {
    let set: LimitSet = serde_json::from_str(
        r#"{"limits": [
            {"kind": "RateLimit", "key": "tokens", "capacity": 100, "window": "per_minute", "algorithm": "TokenBucket"},
            {"kind": "CallLimit", "capacity": 10, "window": 60},
            {"kind": "ResourceLimit", "key": "connections", "capacity": 2}
        ]}"#,
    )
    .unwrap();
    let mut acquired = set.acquire([("tokens", 100)]).unwrap();
    acquired.update([("tokens", 99)]).unwrap();
    acquired.release().unwrap();
}

#[test]
fn mistakes_in_a_configuration_are_errors_that_say_so() {
    let cases = [
        (r#"{"limits": [], "colour": 1}"#, "colour"),
        (r#"{"limits": [{"kind": "ResourceLimit", "key": "a", "capacity": 1, "colour": 1}]}"#, "colour"),
        (
            r#"{"limits": [{"kind": "RateLimit", "key": "a", "capacity": 1, "window": "fortnight"}]}"#,
            "fortnight",
        ),
        (r#"{"limits": [{"kind": "RateLimit", "key": "a", "capacity": 1, "window": 0}]}"#, "window"),
        (r#"{"limits": [{"kind": "ResourceLimit", "key": "a", "capacity": 0}]}"#, "capacity of 0"),
        (r#"{"limits": [{"kind": "ResourceLimit", "key": "a", "capacity": -1}]}"#, "-1"),
        (r#"{"limits": [{"kind": "Nonsense", "key": "a"}]}"#, "Nonsense"),
        (r#"{"limits": [{"kind": "CallLimit", "capacity": 1, "window": 1, "algorithm": "magic"}]}"#, "magic"),
    ];
    for (text, part) in cases {
        let error = serde_json::from_str::<LimitSet>(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn what_cannot_work_is_not_built() {
    let build = |limit: RateLimit| LimitSet::builder().limit(limit).build().unwrap_err();
    assert_eq!(build(RateLimit::new("", 1, Window::DAY)), LimitSetError::EmptyKey);
    assert_eq!(build(RateLimit::new("a", 0, Window::DAY)), LimitSetError::ZeroCapacity { key: "a".into() });
    for window in [Duration::ZERO, Window::MAX.duration() + Duration::from_nanos(1)] {
        let error = build(RateLimit::new("a", 1, window));
        assert_eq!(error, LimitSetError::BadWindow { key: "a".into(), window: window.into() });
    }
    let twice =
        LimitSet::builder().limit(CallLimit::new(1, Window::DAY)).limit(CallLimit::new(2, Window::DAY));
    assert_eq!(twice.build().unwrap_err(), LimitSetError::DuplicateKey { key: "call_count".into() });
}

#[test]
fn a_set_holds_128_limits_and_not_one_more() {
    let set = |count: usize| {
        let keys = (0..count).map(|index| ResourceLimit::new(format!("key {index}"), 1));
        keys.fold(LimitSet::builder(), concurry_limits::LimitSetBuilder::limit).build()
    };
    let full = set(128).unwrap();
    let acquired = full.acquire(()).unwrap();
    assert_eq!(acquired.requested("key 127"), Some(1));
    assert!(matches!(full.try_acquire([("key 127", 1)]), Err(LimitError::Unavailable { .. })));
    assert_eq!(set(129).unwrap_err(), LimitSetError::TooManyLimits { count: 129 });
}

#[test]
fn windows_are_read_from_names_counts_and_numbers() {
    for (text, seconds) in [
        ("second", 1),
        ("per_minute", 60),
        ("mins", 60),
        ("per hour", 3_600),
        ("/day", 86_400),
        ("WEEK", 604_800),
        ("90s", 90),
        ("5 minutes", 300),
        ("1h", 3_600),
    ] {
        assert_eq!(text.parse::<Window>().unwrap().duration(), Duration::from_secs(seconds), "{text}");
    }
    for text in ["", "5", "fortnight", "-1s", "1.5h", "99999999999999999999s", "99999999999h"] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
    for window in [Window::HOUR, Duration::from_nanos(1).into(), Duration::from_secs(90).into(), Window::MAX]
    {
        assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        let text = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), window);
    }
}

#[test]
fn algorithms_are_read_from_their_names_in_any_case() {
    for (text, algorithm) in [
        ("SlidingWindow", RateLimitAlgorithm::SlidingWindow),
        ("sliding_window", RateLimitAlgorithm::SlidingWindow),
        ("LEAKY-BUCKET", RateLimitAlgorithm::LeakyBucket),
        ("fixed window", RateLimitAlgorithm::FixedWindow),
        ("GCRA", RateLimitAlgorithm::Gcra),
    ] {
        assert_eq!(text.parse::<RateLimitAlgorithm>().unwrap(), algorithm);
        assert_eq!(algorithm.to_string().parse::<RateLimitAlgorithm>().unwrap(), algorithm);
    }
}

#[test]
fn errors_travel_as_data() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let held = set.acquire(()).unwrap();
    let error = set.try_acquire(()).unwrap_err();
    let text = serde_json::to_string(&error).unwrap();
    assert_eq!(serde_json::from_str::<LimitError>(&text).unwrap(), error);
    drop(held);
}

#[test]
fn every_name_of_a_window_is_read_in_every_form() {
    let names: [(u64, &[&str]); 5] = [
        (1, &["second", "seconds", "sec", "secs", "s"]),
        (60, &["minute", "minutes", "min", "mins", "m"]),
        (3_600, &["hour", "hours", "hr", "hrs", "h"]),
        (86_400, &["day", "days", "d"]),
        (604_800, &["week", "weeks", "w"]),
    ];
    for (seconds, names) in names {
        for name in names {
            for text in
                [(*name).to_owned(), format!("per_{name}"), format!("per-{name}"), format!("per {name}")]
            {
                for text in [text.to_uppercase(), format!(" {text} "), text] {
                    let window: Window = text.parse().expect(&text);
                    assert_eq!(window.duration(), Duration::from_secs(seconds), "{text}");
                }
            }
            let window: Window = serde_json::from_str(&format!("\"7 {name}\"")).expect(name);
            assert_eq!(window.duration(), Duration::from_secs(7 * seconds), "7 {name}");
        }
    }
    let constants = [Window::SECOND, Window::MINUTE, Window::HOUR, Window::DAY, Window::WEEK];
    assert_eq!(constants.map(|window| window.duration().as_secs()), [1, 60, 3_600, 86_400, 604_800]);
    assert_eq!(constants.map(|window| window.to_string()), ["second", "minute", "hour", "day", "week"]);
    for (text, nanos) in [("3ms", 3_000_000), ("4 micros", 4_000), ("5ns", 5)] {
        assert_eq!(text.parse::<Window>().unwrap().duration(), Duration::from_nanos(nanos), "{text}");
    }
    for text in ["month", "per_", "per_per_day", "minutely", "0x5s", "5 5s", "s5", "per 5", "٣s", "∞s"] {
        let error = text.parse::<Window>().expect_err(text).to_string();
        assert!(error.contains(text) && error.contains("per_minute"), "{error}");
    }
}

#[test]
fn an_amount_is_a_whole_number_from_the_beginning() {
    for capacity in ["0", "-3", "1.5", "1e30", "\"NaN\"", "null", "18446744073709551616"] {
        for kind in [r#""ResourceLimit", "key": "a""#, r#""RateLimit", "key": "a", "window": "day""#] {
            let text = format!(r#"{{"limits": [{{"kind": {kind}, "capacity": {capacity}}}]}}"#);
            assert!(serde_json::from_str::<LimitSet>(&text).is_err(), "{text}");
        }
    }
    for capacity in ["nan", "inf", "-1", "0", "0.5"] {
        let text = format!("limits = [{{ kind = \"ResourceLimit\", key = \"a\", capacity = {capacity} }}]");
        assert!(toml::from_str::<LimitSet>(&text).is_err(), "{text}");
    }
}

#[test]
fn a_changed_copy_of_a_config_changes_nothing_else() {
    let mut shared = serde_json::json!({"region": "eu", "keys": ["a"]});
    let doors = || LimitSet::builder().limit(ResourceLimit::new("doors", 2));
    let [one, two] = [shared.clone(), shared.clone()].map(|config| doors().config(config).build().unwrap());
    shared["region"] = "us".into();
    let acquired = one.acquire(()).unwrap();
    let mut copy = acquired.config().clone();
    copy["keys"] = serde_json::Value::Null;
    let expected = serde_json::json!({"region": "eu", "keys": ["a"]});
    let later = [one.acquire(()).unwrap(), two.acquire(()).unwrap()];
    for config in
        [acquired.config(), one.config(), one.clone().config(), later[0].config(), later[1].config()]
    {
        assert_eq!(*config, expected);
    }
}
