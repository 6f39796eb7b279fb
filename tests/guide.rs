//! The picture of the guide, and the example that draws it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may panic anywhere"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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
