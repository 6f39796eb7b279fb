//! What servers write into headers, and what nobody should.

use std::time::{Duration, SystemTime};

use concurry_limits::{Feedback, FeedbackError, FeedbackHeaders, Window};
use proptest::prelude::*;

use crate::common::seconds;

/// 2026-01-01T00:00:00Z.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + seconds(1_767_225_600)
}

fn read<const N: usize>(
    reader: &FeedbackHeaders,
    headers: [(&str, &str); N],
) -> Result<Feedback, FeedbackError> {
    reader.read(headers, now())
}

fn all() -> [FeedbackHeaders; 4] {
    [
        FeedbackHeaders::openai(),
        FeedbackHeaders::anthropic(),
        FeedbackHeaders::github(),
        FeedbackHeaders::ietf(),
    ]
}

#[test]
fn retry_after_is_a_number_of_seconds_or_a_date_in_any_form_of_http() {
    let three = Feedback::retry_after(seconds(3));
    let forms = ["3", " 3 ", "003", "Thu, 01 Jan 2026 00:00:03 GMT", "Thu Jan  1 00:00:03 2026"];
    for form in forms {
        assert_eq!(Feedback::retry_after_header(form, now()), Ok(three.clone()), "{form}");
    }
    let old = SystemTime::UNIX_EPOCH + seconds(784_111_774);
    assert_eq!(Feedback::retry_after_header("Sunday, 06-Nov-94 08:49:37 GMT", old), Ok(three));
}

#[test]
fn a_date_that_has_passed_is_no_time_at_all() {
    let none = Ok(Feedback::retry_after(Duration::ZERO));
    assert_eq!(Feedback::retry_after_header("Wed, 31 Dec 2025 23:59:59 GMT", now()), none);
}

#[test]
fn a_number_that_is_too_large_is_cut_to_ten_years() {
    let most = Feedback::retry_after(Window::MAX.duration());
    for large in ["99999999999999999999999999", "18446744073709551615"] {
        assert_eq!(Feedback::retry_after_header(large, now()), Ok(most.clone()));
    }
}

#[test]
fn what_is_no_time_is_an_error_that_names_the_header() {
    for wrong in
        ["", "-1", "+1", "1.5", "1e3", "soon", "NaN", "inf", "0x10", "३", "Thu, 99 Jan 2026 00:00:00 GMT"]
    {
        let error = Feedback::retry_after_header(wrong, now()).unwrap_err();
        assert_eq!((error.header(), error.value()), ("retry-after", wrong));
        assert!(error.to_string().contains("HTTP date"), "{error}");
    }
}

#[test]
fn retry_after_is_read_in_every_dialect_whatever_the_case_of_its_name() {
    for reader in all() {
        let said = read(&reader, [("RETRY-AFTER", "7"), ("content-type", "text/plain")]);
        assert_eq!(said, Ok(Feedback::retry_after(seconds(7))));
        assert!(read(&reader, []).unwrap().is_empty());
    }
}

#[test]
fn openai_tells_of_buckets_and_writes_durations_as_go_does() {
    let said = read(
        &FeedbackHeaders::openai(),
        [
            ("x-ratelimit-limit-requests", "60"),
            ("X-RateLimit-Remaining-Requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
    );
    let calls = Feedback::replenished("call_count", 59, 60, seconds(1));
    assert_eq!(said, Ok(calls.and(Feedback::replenished("tokens", 149_984, 150_000, seconds(360)))));
}

#[test]
fn every_form_of_a_duration_is_read_to_the_nanosecond() {
    let forms = [
        ("20ms", Duration::from_millis(20)),
        ("1.5s", Duration::from_millis(1_500)),
        ("2m59.56s", Duration::from_millis(179_560)),
        ("1h0m0.000000001s", seconds(3_600) + Duration::from_nanos(1)),
        ("1d", Window::DAY.duration()),
        ("12µs", Duration::from_micros(12)),
        ("7ns", Duration::from_nanos(7)),
        ("0", Duration::ZERO),
        ("0.25", Duration::from_millis(250)),
        ("99999999999999999999h", Window::MAX.duration()),
    ];
    let reader = FeedbackHeaders::openai();
    for (form, time) in forms {
        let said = read(&reader, [("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", form)]);
        assert_eq!(said, Ok(Feedback::remaining("tokens", 5, time)), "{form}");
    }
    for wrong in ["", "-1s", "6m0", "m", "1..5s", ".5s", "1.s", "5 s", "1x", "s1"] {
        let said =
            read(&reader, [("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", wrong)]);
        assert_eq!(said.unwrap_err().value(), wrong);
    }
}

#[test]
fn openai_s_finer_retry_after_is_read_instead() {
    let finer = Ok(Feedback::retry_after(Duration::from_micros(1_234_500)));
    for coarse in ["1", "0.5", "soon"] {
        let said = [("retry-after-ms", "1234.5"), ("retry-after", coarse)];
        assert_eq!(read(&FeedbackHeaders::openai(), said), finer, "{coarse}");
    }
}

#[test]
fn openai_s_retry_after_may_be_a_decimal_number() {
    let openai = FeedbackHeaders::openai();
    let forms = [("0.5", 500_000_000), ("2", 2_000_000_000), ("0.0000000001", 1)];
    for (form, nanos) in forms {
        let said = read(&openai, [("retry-after", form)]);
        assert_eq!(said, Ok(Feedback::retry_after(Duration::from_nanos(nanos))), "{form}");
    }
    let date = read(&openai, [("retry-after", "Thu, 01 Jan 2026 00:00:03 GMT")]);
    assert_eq!(date, Ok(Feedback::retry_after(seconds(3))));
    let error = read(&openai, [("retry-after", "soon")]).unwrap_err();
    assert_eq!((error.header(), error.value()), ("retry-after", "soon"));
}

#[test]
fn anthropic_tells_of_buckets_and_writes_dates() {
    let said = read(
        &FeedbackHeaders::anthropic(),
        [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:01:00Z"),
            ("anthropic-ratelimit-input-tokens-limit", "40000"),
            ("anthropic-ratelimit-input-tokens-remaining", "39000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T01:00:01.5+01:00"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "8000"),
            ("anthropic-ratelimit-output-tokens-reset", "2025-12-31T23:59:00Z"),
            ("retry-after", "2"),
        ],
    );
    let expected = Feedback::retry_after(seconds(2))
        .and(Feedback::replenished("input_tokens", 39_000, 40_000, Duration::from_millis(1_500)))
        .and(Feedback::replenished("output_tokens", 8_000, 8_000, Duration::ZERO))
        .and(Feedback::replenished("call_count", 0, 50, seconds(60)));
    assert_eq!(said, Ok(expected));
}

#[test]
fn github_tells_of_one_window_and_of_which_resource() {
    let headers = |resource| {
        [
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-used", "4988"),
            ("x-ratelimit-reset", "1767226000"),
            ("x-ratelimit-resource", resource),
        ]
    };
    let reader = FeedbackHeaders::github().key("search", "searches").without("graphql");
    assert_eq!(read(&reader, headers("core")), Ok(Feedback::remaining("call_count", 12, seconds(400))));
    assert_eq!(read(&reader, headers("search")), Ok(Feedback::remaining("searches", 12, seconds(400))));
    assert_eq!(read(&reader, headers("graphql")), Ok(Feedback::default()));
}

#[test]
fn the_draft_s_list_of_policies_is_read_by_name_or_by_unit() {
    let reader = FeedbackHeaders::ietf().key("daily", "calls_a_day");
    let said = read(
        &reader,
        [
            ("RateLimit-Policy", r#""burst";q=100;w=60,"daily";q=1000;w=86400"#),
            ("RateLimit-Policy", r#""volume";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:"#),
            ("RateLimit", r#""burst";r=50;t=30, "daily";r=9"#),
            ("RateLimit", r#""volume";r=7;t=5"#),
        ],
    );
    let burst = Feedback::remaining("call_count", 50, seconds(30));
    assert_eq!(said, Ok(burst.and(Feedback::remaining("calls_a_day", 9, seconds(86_400)))));
    let bytes = FeedbackHeaders::ietf().key("content-bytes", "bytes");
    let policy = ("ratelimit-policy", r#""volume";q=65535;qu="content-bytes";w=10"#);
    let said = read(&bytes, [policy, ("ratelimit", r#""volume";r=7"#)]);
    assert_eq!(said, Ok(Feedback::remaining("bytes", 7, seconds(10))));
}

#[test]
fn the_draft_s_earlier_forms_are_read_too() {
    let expected = Ok(Feedback::remaining("call_count", 5, seconds(9)));
    let reader = FeedbackHeaders::ietf();
    let separate =
        [("RateLimit-Limit", "100, 100;w=60"), ("RateLimit-Remaining", "5"), ("RateLimit-Reset", "9")];
    assert_eq!(read(&reader, separate), expected);
    assert_eq!(read(&reader, [("RateLimit", "limit=100, remaining=5, reset=9")]), expected);
    let date = [("RateLimit-Remaining", "5"), ("RateLimit-Reset", "1767225609")];
    assert_eq!(read(&reader, date), expected);
}

#[test]
fn what_the_draft_does_not_allow_is_an_error() {
    for wrong in [
        r#""a";r=-1;t=5"#,
        r#""a";r=1;t=-5"#,
        r#""a";t=5"#,
        r#""a";r=1.5;t=5"#,
        r#""a";r=99999999999999999999;t=5"#,
        "5;r=1;t=1",
        "\"a;r=1",
        "limit=100, remaining=-5, reset=9",
        "limit=100",
        "💥",
    ] {
        assert_eq!(
            read(&FeedbackHeaders::ietf(), [("ratelimit", wrong)]).unwrap_err().header(),
            "ratelimit",
            "{wrong}"
        );
    }
}

#[test]
fn negative_and_foreign_numbers_are_errors_and_huge_ones_are_cut() {
    let reader = FeedbackHeaders::github();
    let said = |remaining, reset| {
        read(&reader, [("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", reset)])
    };
    assert!(said("-1", "1767225700").is_err() && said("1", "-1767225700").is_err());
    assert!(said("1", "2026-01-01T00:00:00Z").is_err() && said("1.0", "1767225700").is_err());
    assert_eq!(said("3", "5"), Ok(Feedback::remaining("call_count", 3, Duration::ZERO)));
    let most = Feedback::remaining("call_count", u64::MAX, Window::MAX.duration());
    assert_eq!(said("99999999999999999999", "99999999999999999999"), Ok(most));
}

#[test]
fn what_is_said_beside_a_header_that_is_odd_is_not_lost() {
    let heard = |reader: &FeedbackHeaders, headers: &[(&str, &str)]| {
        let error = reader.read(headers.iter().copied(), now()).unwrap_err();
        (error.header().to_owned(), error.understood().clone())
    };
    let retry = Feedback::retry_after(seconds(3));
    let requests = Feedback::remaining("call_count", 4, seconds(9));
    let both = retry.clone().and(requests);
    let openai = [
        ("retry-after-ms", "soon"),
        ("retry-after", "3"),
        ("x-ratelimit-remaining-requests", "4"),
        ("x-ratelimit-reset-requests", "9s"),
        ("x-ratelimit-remaining-tokens", "many"),
    ];
    assert_eq!(heard(&FeedbackHeaders::openai(), &openai), ("retry-after-ms".to_owned(), both.clone()));
    let anthropic = [
        ("retry-after", "3"),
        ("anthropic-ratelimit-requests-remaining", "4"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:09Z"),
        ("anthropic-ratelimit-tokens-remaining", "-4"),
    ];
    let odd = "anthropic-ratelimit-tokens-remaining".to_owned();
    assert_eq!(heard(&FeedbackHeaders::anthropic(), &anthropic), (odd, both.clone()));
    let github = [("retry-after", "3"), ("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "0")];
    assert_eq!(heard(&FeedbackHeaders::github(), &github), ("x-ratelimit-remaining".to_owned(), retry));
    // A policy of an older draft beside a limit of a newer one, and one limit that is not understood beside another.
    let ietf =
        [("retry-after", "3"), ("ratelimit", r#""a";r=4;t=9, "b";r=-1"#), ("ratelimit-policy", "100;w=60")];
    assert_eq!(heard(&FeedbackHeaders::ietf(), &ietf), ("ratelimit-policy".to_owned(), both));
}

#[test]
fn what_openai_does_not_know_is_not_said() {
    let headers = [
        ("retry-after", "3"),
        ("x-ratelimit-limit-tokens", "-1"),
        ("x-ratelimit-remaining-tokens", "-1"),
        ("x-ratelimit-reset-tokens", "0"),
    ];
    assert_eq!(read(&FeedbackHeaders::openai(), headers), Ok(Feedback::retry_after(seconds(3))));
    let limit = [
        ("x-ratelimit-limit-tokens", "-1"),
        ("x-ratelimit-remaining-tokens", "7"),
        ("x-ratelimit-reset-tokens", "2s"),
    ];
    let expected = Feedback::replenished("tokens", 7, 7, seconds(2));
    assert_eq!(read(&FeedbackHeaders::openai(), limit), Ok(expected));
}

#[test]
fn a_remaining_without_a_reset_says_nothing() {
    assert!(read(&FeedbackHeaders::openai(), [("x-ratelimit-remaining-tokens", "0")]).unwrap().is_empty());
    assert!(read(&FeedbackHeaders::github(), [("x-ratelimit-remaining", "0")]).unwrap().is_empty());
}

#[test]
fn what_is_not_mapped_is_not_read() {
    let reader = FeedbackHeaders::openai().without("tokens").key("images", "images");
    let headers = [
        ("x-ratelimit-remaining-tokens", "no number"),
        ("x-ratelimit-remaining-images", "4"),
        ("x-ratelimit-reset-images", "1s"),
    ];
    assert_eq!(read(&reader, headers), Ok(Feedback::remaining("images", 4, seconds(1))));
}

#[test]
fn an_error_shows_the_beginning_of_a_long_value() {
    let error = Feedback::retry_after_header(&"é".repeat(100_000), now()).unwrap_err();
    assert_eq!(error.value().chars().count(), 80);
}

/// Names that are read, so that what is arbitrary is their value.
const NAMES: [&str; 17] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-tokens-limit",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-tokens-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-resource",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "anything else",
];

/// Anything at all, and things that are nearly right.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9.]{0,25}(ns|us|µs|ms|s|m|h|d)?[0-9.]{0,25}(s|m)?",
        "-?[0-9]{1,30}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?(Z|[+-][0-9]{2}:[0-9]{2})",
        "(Mon|Tue), [0-9]{2} (Jan|Feb) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
        "\"[a-z]{0,3}\"(;(r|t|q|w|qu)=-?[0-9]{1,16}){0,3}(, ?\"[a-z]\";r=[0-9];t=[0-9])?",
        "(limit=[0-9]+, ?)?remaining=-?[0-9]{1,20}, ?reset=[0-9]{1,20}",
    ]
}

proptest! {
    #[test]
    fn no_header_whatever_panics(
        headers in proptest::collection::vec((proptest::sample::select(&NAMES[..]), value()), 0..8),
        since in any::<u32>(),
    ) {
        for reader in all() {
            let now = SystemTime::UNIX_EPOCH + seconds(u64::from(since));
            if let Ok(feedback) = reader.read(headers.iter().map(|(name, value)| (name, value)), now) {
                let (_clock, set) = crate::common::alone(concurry_limits::CallLimit::new(5, Window::SECOND));
                set.feedback(feedback.clone());
                let text = serde_json::to_string(&feedback).unwrap();
                prop_assert_eq!(serde_json::from_str::<Feedback>(&text).unwrap(), feedback);
            }
        }
        for (_, value) in &headers {
            drop(Feedback::retry_after_header(value, SystemTime::UNIX_EPOCH));
        }
    }

    #[test]
    fn a_number_of_seconds_is_read_as_it_is(number in 0..=316_224_000_u64) {
        prop_assert_eq!(
            Feedback::retry_after_header(&number.to_string(), now()).unwrap(),
            Feedback::retry_after(seconds(number))
        );
    }
}
