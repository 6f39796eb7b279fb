//! Which limit a header is about: names in any case, policies that are odd, and resets that are dates.

use std::time::{Duration, SystemTime};

use concurry_limits::{Feedback, FeedbackHeaders};

use crate::common::seconds;

/// 2026-01-01T00:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// What was understood, and the header that was not.
fn heard(reader: &FeedbackHeaders, headers: &[(&str, &str)]) -> (Feedback, Option<String>) {
    match reader.read(headers.iter().copied(), now()) {
        Ok(feedback) => (feedback, None),
        Err(error) => (error.understood().clone(), Some(error.header().to_owned())),
    }
}

#[test]
fn what_a_server_calls_its_limits_is_mapped_in_any_case() {
    let openai = [
        ("X-RateLimit-Remaining-Images", "4"),
        ("X-RateLimit-Reset-Images", "1s"),
        ("X-RateLimit-Remaining-Tokens", "5"),
        ("X-RateLimit-Reset-Tokens", "2s"),
    ];
    let reader = FeedbackHeaders::openai().key("Images", "pictures").without("Tokens");
    assert_eq!(heard(&reader, &openai), (Feedback::remaining("pictures", 4, seconds(1)), None));
    let reader = FeedbackHeaders::openai().key("TOKENS", "words");
    assert_eq!(heard(&reader, &openai), (Feedback::remaining("words", 5, seconds(2)), None));

    let anthropic = [
        ("Anthropic-RateLimit-Input-Tokens-Remaining", "6"),
        ("Anthropic-RateLimit-Input-Tokens-Reset", "2026-01-01T00:00:03Z"),
    ];
    let reader = FeedbackHeaders::anthropic().key("Input-Tokens", "read");
    assert_eq!(heard(&reader, &anthropic), (Feedback::remaining("read", 6, seconds(3)), None));
    assert!(heard(&FeedbackHeaders::anthropic().without("Input-Tokens"), &anthropic).0.is_empty());

    let github = [
        ("x-ratelimit-resource", "GraphQL"),
        ("x-ratelimit-remaining", "7"),
        ("x-ratelimit-reset", "1767225604"),
    ];
    let reader = FeedbackHeaders::github().key("graphql", "queries");
    assert_eq!(heard(&reader, &github), (Feedback::remaining("queries", 7, seconds(4)), None));
}

#[test]
fn policies_of_the_draft_are_two_where_their_names_differ_in_case() {
    let reader = FeedbackHeaders::ietf().key("Daily", "calls_a_day").without("daily");
    let said = [("ratelimit", r#""Daily";r=1;t=9, "daily";r=2;t=9"#)];
    assert_eq!(heard(&reader, &said), (Feedback::remaining("calls_a_day", 1, seconds(9)), None));
}

#[test]
fn an_odd_policy_leaves_the_others_their_units() {
    let said = r#""volume";r=7;t=5, "calls";r=3;t=5"#;
    let calls = Feedback::remaining("call_count", 3, seconds(5));
    for odd in ["100;w=60", "?1", "1.5;q=3"] {
        let policies = format!(r#"{odd}, "volume";q=65535;qu="content-bytes";w=10"#);
        let headers = [("ratelimit", said), ("ratelimit-policy", &policies)];
        let (feedback, error) = heard(&FeedbackHeaders::ietf(), &headers);
        assert_eq!((feedback, error.as_deref()), (calls.clone(), Some("ratelimit-policy")), "{odd}");
    }
}

#[test]
fn what_is_not_known_to_count_requests_holds_back_none() {
    let said = r#""volume";r=7;t=5, "calls";r=3;t=5"#;
    let reader = FeedbackHeaders::ietf().key("calls", "call_count");
    // Neither a field that cannot be read nor a unit that is no text tells what a volume is counted in.
    for policies in [r#""volume;q=1"#, r#""volume";q=65535;qu=5, "calls";q=3"#] {
        let (feedback, error) = heard(&reader, &[("ratelimit", said), ("ratelimit-policy", policies)]);
        let calls = Feedback::remaining("call_count", 3, seconds(5));
        assert_eq!((feedback, error.as_deref()), (calls, Some("ratelimit-policy")), "{policies}");
    }
}

#[test]
fn a_reset_of_the_draft_that_is_a_date_is_none_of_many_years() {
    let expected = (Feedback::remaining("call_count", 5, seconds(9)), None);
    let reader = FeedbackHeaders::ietf();
    for said in [r#""a";r=5;t=1767225609"#, "limit=100, remaining=5, reset=1767225609"] {
        assert_eq!(heard(&reader, &[("RateLimit", said)]), expected, "{said}");
    }
    let passed = [("RateLimit", r#""a";r=5;t=1700000000"#)];
    assert_eq!(heard(&reader, &passed), (Feedback::remaining("call_count", 5, Duration::ZERO), None));
}
