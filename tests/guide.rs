//! The picture of the guide, and the example that draws it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may panic anywhere"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[allow(dead_code, reason = "only what is admitted is asked for here, and nothing is drawn")]
#[path = "../examples/admission_plot.rs"]
mod plot;

use concurry::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};

/// The example, which `cargo test` builds beside the tests.
fn admission_plot(arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(format!("admission_plot{}", std::env::consts::EXE_SUFFIX));
    Command::new(example).args(arguments).output().expect("run `cargo build --example admission_plot` first")
}

#[test]
fn the_picture_shows_what_the_algorithms_admit_now() {
    let file = std::env::temp_dir().join(format!("admission_plot-{}.svg", std::process::id()));
    let output = admission_plot(&[file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/admissions.svg");
    assert!(
        fs::read_to_string(committed).unwrap() == drawn,
        "run `cargo run --example admission_plot`, look at the picture, and correct the guide"
    );
    assert!(!drawn.contains("\n\n"), "a blank line would end the picture in the documentation");
}

#[test]
fn the_page_says_what_the_algorithms_admit_now() {
    let page: Vec<&str> = include_str!("../src/guide/choosing_an_algorithm.md").split_whitespace().collect();
    let page = page.join(" ");
    let says = |text: String| assert!(page.contains(&text), "the page does not say: {text}");
    let admitted = |algorithm: RateLimitAlgorithm, used| plot::admissions(algorithm, used).unwrap();
    let all = plot::arrivals().len();

    let sliding = admitted(SlidingWindow, 2);
    let by_8 = sliding.iter().filter(|at| **at <= 8.0).count();
    let (one_more, then) = (sliding[by_8], sliding[by_8 + 1]);
    says(format!(
        "admits {by_8} requests by 8 s, one more when the first leaves the window at {one_more} s, and then none until the burst leaves it at {then} s"
    ));
    says(format!("the slowest ({} of {all})", sliding.len()));
    assert!([FixedWindow, TokenBucket].iter().all(|other| admitted(*other, 2).len() > sliding.len()));

    let bucket = admitted(TokenBucket, 2);
    assert!([Gcra, LeakyBucket].iter().all(|same| admitted(*same, 2) == bucket));
    says(format!("as the capacity comes back: {}.", bucket.len()));

    let fixed = admitted(FixedWindow, 2);
    let of_the_burst = fixed.iter().filter(|at| (8.0..8.5).contains(*at)).count();
    says(format!("{of_the_burst} of the burst at 8 s, and a whole new capacity from 10 s on"));
    let at_once: Vec<f64> = fixed.iter().copied().filter(|at| (8.0..20.0).contains(at)).collect();
    let (first, last, count) = (at_once[0], at_once[at_once.len() - 1], at_once.len());
    says(format!("From {first} s to {last} s it admits {count} requests, or {} units", 2 * count));
    let next = fixed.iter().find(|at| **at > last).unwrap();
    says(format!("Then it admits none until {next} s"));

    assert!([TokenBucket, Gcra].iter().all(|refunds| admitted(*refunds, 1).len() == all));
    says(format!("so that all {all} are admitted"));
    assert!(
        [FixedWindow, SlidingWindow, LeakyBucket].iter().all(|kept| admitted(*kept, 1) == admitted(*kept, 2))
    );
}

#[test]
fn bad_input_is_one_clear_line() {
    for (arguments, part) in [
        (&["--colour"][..], "unexpected argument '--colour'"),
        (&["a", "b"], "unexpected argument 'b'"),
        (&["/no/such/folder/picture.svg"], "cannot write /no/such/folder/picture.svg"),
    ] {
        let output = admission_plot(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {text}");
        assert!(text.contains(part) && text.lines().count() == 1, "{arguments:?}: {text}");
    }
}
