//! `retries`: the same seed has the same attempts in every mode; errors that cannot pass are not tried again.

use super::support::{ends_well_when_nobody_reads, fails, run};

#[test]
fn bare_it_delivers_all_parcels() {
    let out = run("retries", &[]).good();
    assert_eq!(out.matches("  is delivered\n").count(), 4, "{out}");
    let attempts = out.matches(" of `track`: ").count();
    assert!(out.ends_with(&format!("4 parcels, {} more attempts than parcels\n", attempts - 4)), "{out}");
    assert!(
        out.contains(": in the depot\n") && out.contains(": the carrier is busy, and asks for "),
        "{out}"
    );
}

#[test]
fn the_same_seed_has_the_same_attempts_in_every_mode() {
    let given = |mode, seed| {
        let arguments = ["--mode", mode, "--seed", seed, "--failures", "0.5", "--attempts", "40"];
        run("retries", &[&arguments[..], &["1000", "1001", "9999"]].concat()).good()
    };
    let sync = given("sync", "11");
    for mode in ["thread", "async", "process"] {
        assert_eq!(given(mode, "11"), sync, "{mode}");
    }
    assert_ne!(given("thread", "12"), sync);
}

#[test]
fn without_failures_it_asks_until_the_answer_will_do() {
    let out = run("retries", &["--failures", "0", "1000", "1001"]).good();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "parcel 1000",
            "  attempt 1 of `track`: on a van",
            "  attempt 2 of `track`: delivered",
            "  is delivered",
            "parcel 1001",
            "  attempt 1 of `track`: in the depot",
            "  attempt 2 of `track`: on a van",
            "  attempt 3 of `track`: delivered",
            "  is delivered",
            "2 parcels, 3 more attempts than parcels",
        ]
    );
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let ran = run("retries", &["77"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "retries: 1 of 1 parcels were not delivered\n"));
    assert_eq!(ran.out.matches("attempt").count(), 2, "one attempt, none more: {}", ran.out);
    assert!(ran.out.contains("  is given up: the carrier knows no parcel 77\n"), "{}", ran.out);
}

#[test]
fn what_is_given_up_tells_all_attempts() {
    let ran = run("retries", &["--failures", "1", "--attempts", "3", "1000", "--mode", "process"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("  is given up after 3 attempts:\n"), "{}", ran.out);
    assert_eq!(ran.out.matches(": asked again after ").count(), 2, "{}", ran.out);
    assert_eq!(ran.out.matches(": that was the last attempt\n").count(), 1, "{}", ran.out);
    let ran = run("retries", &["--failures", "1", "--attempts", "9", "1000"]);
    let asked = ran.out.lines().filter_map(|line| line.split_once("asks for ")?.1.split_once("ms: asked"));
    let kept = asked.map(|(asked, rest)| rest == format!(" again after {asked} ms"));
    assert!(kept.clone().count() > 1 && kept.clone().all(|kept| kept), "the wait asked for: {}", ran.out);

    let ran = run("retries", &["--failures", "0", "--attempts", "1", "1000"]);
    assert!(
        ran.out.contains("    the result Status { parcel: 1000, place: Van } was rejected: that"),
        "{}",
        ran.out
    );
}

#[test]
fn bad_input_is_one_line() {
    let cases: [(&[&str], &str); 7] = [
        (&["letter"], "invalid value 'letter'"),
        (&["--failures", "1.5"], "expected a share from 0 to 1"),
        (&["--failures", "NaN"], "expected a share from 0 to 1"),
        (&["--seed=-1"], "'--seed <SEED>'"),
        (&["--attempts", "0"], "a call is tried at least once"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`"),
        (&["1000", "1000"], "parcel 1000 is given twice"),
    ];
    for (arguments, part) in cases {
        fails("retries", arguments, part);
    }
}

#[test]
fn nobody_needs_to_read_it() {
    ends_well_when_nobody_reads("retries", &[]);
}
