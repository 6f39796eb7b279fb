//! `streaming`: results come while the input is still open, in order or as they are done, until nobody reads.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, Stdio};

use super::support::{Folder, Ran, ends_well_when_nobody_reads, example, fails, run};

/// Runs it with `input` as standard input.
fn with_input(arguments: &[&str], input: &str) -> Ran {
    let mut command = example("streaming");
    let command = command.args(arguments).arg("-").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        child.wait_with_output().unwrap().into()
    })
}

#[test]
fn bare_it_factors_a_hundred_numbers() {
    let out = run("streaming", &[]).good();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 100);
    assert_eq!(
        [lines[0], lines[1], lines[96], lines[99]],
        ["1 = 1", "2 = 2", "97 = 97", "100 = 2 * 2 * 5 * 5"]
    );
}

#[test]
fn in_every_mode_results_stand_in_the_order_of_the_lines() {
    let input = "12\n999999999989\n7\n1000000000000000\n";
    for mode in ["sync", "thread", "async", "process"] {
        let out = with_input(&["--mode", mode, "--in-flight", "2"], input).good();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines[..3], ["12 = 2 * 2 * 3", "999999999989 = 999999999989", "7 = 7"], "{mode}");
        assert!(lines[3].starts_with("1000000000000000 = 2 * 2") && lines.len() == 4, "{mode}: {out}");
    }
}

#[test]
fn unordered_they_have_the_numbers_of_their_lines() {
    let numbers: Vec<String> = (2..=200).map(|number| number.to_string()).collect();
    let out = with_input(&["--unordered", "--mode", "process"], &numbers.join("\n")).good();
    let lines: BTreeSet<&str> = out.lines().collect();
    assert_eq!(lines.len(), 199);
    assert!(lines.contains("line 1: 2 = 2") && lines.contains("line 199: 200 = 2 * 2 * 2 * 5 * 5"), "{out}");
}

/// Writes `line`, and reads the result that this lets out.
fn exchange(stdin: &mut ChildStdin, out: &mut impl BufRead, line: &str) -> String {
    stdin.write_all(line.as_bytes()).unwrap();
    let mut result = String::new();
    out.read_line(&mut result).unwrap();
    result
}

#[test]
fn results_come_while_the_input_is_open() {
    for more in [&[][..], &["--mode", "process"]] {
        let mut command = example("streaming");
        let command = command.args(["--in-flight", "2", "-"]).args(more).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // Two may be in flight; each line after them is read only once a result was given out.
        stdin.write_all(b"4\n").unwrap();
        for number in 5..50 {
            let result = exchange(&mut stdin, &mut out, &format!("{number}\n"));
            assert!(result.starts_with(&format!("{} = ", number - 1)), "{number}: {result}");
        }
        drop(stdin);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "49 = 7 * 7\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn one_in_flight_answers_each_line_before_the_next() {
    let mut command = example("streaming");
    let command = command.args(["--in-flight", "1", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for number in 2..20 {
        let result = exchange(&mut stdin, &mut out, &format!("{number}\n"));
        assert!(result.starts_with(&format!("{number} = ")), "{result}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_endless_input_ends_with_its_reader() {
    for order in [&[][..], &["--unordered"]] {
        let mut command = example("streaming");
        let command = command.arg("--endless").args(order).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.by_ref().take(3).map(Result::unwrap).count(), 3);
        drop(lines);
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.good(), "");
    }
    ends_well_when_nobody_reads("streaming", &["--endless", "--mode", "process"]);
}

#[test]
fn a_line_that_is_no_number_harms_no_other() {
    let ran = with_input(&[], "6\n-6\n\n10\nsix\n");
    assert_eq!(ran.out, "6 = 2 * 3\n10 = 2 * 5\n");
    assert_eq!(ran.code, Some(1));
    let expected =
        "streaming: 3 of 5 lines failed; line 2: `-6` is no whole number from 1 to 1000000000000000\n";
    assert_eq!(ran.err, expected);
}

#[test]
fn the_end_of_a_file_that_breaks_off_is_told() {
    let folder = Folder::new("streaming");
    let file = folder.file("numbers", b"6\n10\n\xff\xfe\n12\n");
    let ran = run("streaming", &[&file]);
    assert_eq!((ran.out.as_str(), ran.code), ("6 = 2 * 3\n10 = 2 * 5\n", Some(1)));
    assert!(ran.err.starts_with("streaming: the input broke off after 2 lines: "), "{}", ran.err);
    assert_eq!(run("streaming", &["--take", "2", &file]).good(), ran.out, "no further than it was asked to");
    assert_eq!(run("streaming", &["--take", "0", &file]).good(), "");
}

#[test]
fn bad_input_is_one_line() {
    let cases: [(&[&str], &str); 6] = [
        (&["/no/such/file"], "cannot read /no/such/file: No such file"),
        (&["--in-flight", "0"], "'--in-flight <N>'"),
        (&["--take", "some"], "'--take <N>'"),
        (&["--endless", "--take", "3"], "cannot be used with"),
        (&["--endless", "-"], "cannot be used with"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`"),
    ];
    for (arguments, part) in cases {
        fails("streaming", arguments, part);
    }
}
