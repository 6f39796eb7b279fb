//! The example `checksums` as a user meets it: the same sum in every mode, and bad input.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may panic anywhere"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the example, which `cargo test` builds beside the tests; `cargo test --test checksums` alone does not.
fn checksums(arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(format!("checksums{}", std::env::consts::EXE_SUFFIX));
    let built = fs::metadata(&example).and_then(|built| built.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/checksums");
    let changed =
        fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap());
    let is_current = built.is_ok_and(|built| changed.max().is_some_and(|changed| changed <= built));
    assert!(is_current, "{} is not built: run `cargo build --example checksums` first", example.display());
    Command::new(example).args(arguments).env_remove("RUST_BACKTRACE").output().unwrap()
}

/// A folder for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("checksums-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("below/target")).unwrap();
        fs::write(folder.join("a.txt"), "abc").unwrap();
        fs::write(folder.join("empty"), "").unwrap();
        fs::write(folder.join("below/large"), vec![7; 100_000]).unwrap();
        fs::write(folder.join("below/target/left_out"), "no").unwrap();
        fs::write(folder.join(".left_out"), "no").unwrap();
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What it prints up to the time.
fn sum(mode: &str, folder: &str) -> String {
    let output = checksums(&["--mode", mode, folder]);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && err.is_empty(), "{mode}: {err}");
    let (sum, rest) = out.split_once(", in ").unwrap();
    assert!(rest.trim_end().ends_with(&format!("({mode})")), "{out}");
    sum.to_owned()
}

#[test]
fn every_mode_has_the_same_sum() {
    let folder = Folder::new("modes");
    let sums = ["sync", "thread", "async", "process"].map(|mode| sum(mode, folder.path()));
    assert!(sums[0].starts_with("3 files, 100003 bytes, checksum "), "{}", sums[0]);
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
}

#[test]
fn a_change_changes_the_sum() {
    let folder = Folder::new("change");
    let before = sum("thread", folder.path());
    fs::write(folder.0.join("a.txt"), "abd").unwrap();
    let changed = sum("thread", folder.path());
    assert_ne!(before, changed);
    fs::rename(folder.0.join("a.txt"), folder.0.join("b.txt")).unwrap();
    assert_ne!(changed, sum("thread", folder.path()));
}

#[test]
fn bad_input_is_one_line() {
    let folder = Folder::new("bad");
    let cases: [(&[&str], &str); 5] = [
        (&["/no/such/folder"], "/no/such/folder"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`"),
        (&["--mode"], "a value is required for '--mode <MODE>'"),
        (&["--fast"], "unexpected argument '--fast'"),
        (&[folder.path(), folder.path()], "unexpected argument"),
    ];
    for (arguments, part) in cases {
        let output = checksums(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {err}");
        assert!(out.is_empty(), "{out}");
        assert_eq!(err.lines().count(), 1, "one line:\n{err}");
        assert!(err.starts_with("checksums: ") && err.contains(part), "`{part}` is not in: {err}");
    }
}
