//! `pipeline`: what goes through it is all there at its end, whatever the modes of its stages.

use super::support::{Folder, ends_well_when_nobody_reads, fails, run};

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.file("one.txt", "The cat, the hat.\n");
    folder.file("below/two.txt", "A cat! THE rat? \u{c9}t\u{e9} \u{e9}t\u{e9}");
    folder.file("empty", "");
    folder.file("binary", b"the\0cat");
    folder.file("latin-1", b"caf\xe9");
    folder.file("target/left_out", "the the the the");
    folder
}

#[test]
fn every_mix_of_modes_has_the_same_words() {
    let folder = folder("pipeline");
    let path = folder.path("");
    for modes in [
        ["thread", "process", "async"],
        ["sync", "sync", "sync"],
        ["async", "thread", "process"],
        ["process", "async", "thread"],
    ] {
        let [readers, counters, index] = modes;
        let ran = run("pipeline", &["--readers", readers, "--counters", counters, "--index", index, &path]);
        let expected = "3 files, 10 words, 6 of them different; 2 files are no text\n       \
                        3  the\n       2  cat\n       2  \u{e9}t\u{e9}\n       1  a\n       1  hat\n       1  rat\n";
        assert_eq!(ran.good(), expected, "{modes:?}");
    }
}

#[test]
fn the_most_frequent_words_of_many_files_are_told() {
    let folder = Folder::new("pipeline-many");
    for number in 0..300 {
        folder.file(&format!("{number}.txt"), format!("all {}", if number % 3 == 0 { "third" } else { "x" }));
    }
    let out = run("pipeline", &["--top", "2", "--in-flight", "4", &folder.path("")]).good();
    let expected =
        "300 files, 600 words, 3 of them different; 0 files are no text\n     300  all\n     200  x\n";
    assert_eq!(out, expected);
}

#[test]
fn bare_it_reads_this_repository() {
    let out = run("pipeline", &[]).good();
    assert_eq!(out.lines().count(), 11, "{out}");
    assert!(out.contains("  the\n"), "{out}");
}

#[test]
fn bad_input_is_one_line() {
    let cases: [(&[&str], &str); 5] = [
        (&["/no/such/folder"], "cannot read /no/such/folder: No such file"),
        (&["--counters", "fiber"], "unknown execution mode `fiber`"),
        (&["--top", "-1"], "-1"),
        (&["--in-flight", "0"], "'--in-flight <N>'"),
        (&["a", "b"], "unexpected argument 'b'"),
    ];
    for (arguments, part) in cases {
        fails("pipeline", arguments, part);
    }
}

#[test]
fn nobody_needs_to_read_it() {
    ends_well_when_nobody_reads("pipeline", &[]);
}
