//! `graceful_shutdown`: whatever Ctrl-C comes when, each call is answered.
//!
//! The first file of each test is a pipe that the test holds open: the call that reads it surely runs while signals come.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::support::{Folder, Ran, ends_well_when_nobody_reads, example, fails, run};

const MODES: [&str; 3] = ["thread", "async", "process"];

/// So that a test that has failed does not hang.
const LONG: Duration = Duration::from_secs(120);

/// The example with one worker, which reads a pipe; two files wait behind it.
struct Held {
    child: Child,
    out: BufReader<ChildStdout>,
    pipe: File,
    _folder: Folder,
}

impl Held {
    /// Returns once the worker reads the pipe and everything was submitted.
    fn start(name: &str, mode: &str, deadline: &str) -> Self {
        let folder = Folder::new(&format!("shutdown-{name}-{mode}"));
        let pipe = folder.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let files = [folder.file("one", "a\n"), folder.file("two", "a\nb\n")];
        let mut command = example("graceful_shutdown");
        command.args(["--workers", "1", "--per-second", "1000", "--mode", mode, "--deadline", deadline]);
        command.arg(&pipe).args(files).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, as a terminal gives to a program.
        let mut child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (opened, open) = mpsc::channel();
        // Opening it for writing waits until somebody reads it.
        std::thread::spawn(move || opened.send(File::options().write(true).open(pipe)));
        let pipe = open.recv_timeout(LONG).expect("the worker opens the pipe").unwrap();
        let mut held = Self { child, out, pipe, _folder: folder };
        assert_eq!(held.line(), "3 files submitted\n");
        held
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// To the program alone, as `kill -INT` does; returns what it says.
    fn interrupt(&mut self) -> String {
        kill_process(self.pid(), Signal::INT).unwrap();
        self.line()
    }

    /// Ends the input of the call that runs, and with it that call.
    fn let_go(&mut self) {
        self.pipe.write_all(b"1\n2\n3\n").unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        drop(std::mem::replace(&mut self.pipe, null));
    }

    /// Waits for the end.
    fn end(mut self) -> Ran {
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let ran: Ran = self.child.wait_with_output().unwrap().into();
        Ran { out, ..ran }
    }
}

fn check(ran: Ran, code: i32, last: &str) {
    assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (Some(code), "", last));
}

#[test]
fn bare_it_counts_all_files() {
    let out = run("graceful_shutdown", &["--per-second", "1000"]).good();
    let files: usize = out.split_once(' ').unwrap().0.parse().unwrap();
    assert!(files > 10 && out.contains(&format!("{files} submitted: {files} done (")), "{out}");
    assert!(out.ends_with(" lines), 0 stopped, 0 cut off, 0 failed\n"), "{out}");
}

#[test]
fn after_one_interrupt_all_that_was_submitted_is_done_in_time() {
    for mode in MODES {
        let mut held = Held::start("in-time", mode, "600");
        assert_eq!(held.interrupt(), "Ctrl-C: what was submitted has 600s; once more ends it at once\n");
        held.let_go();
        check(held.end(), 0, "3 submitted: 3 done (6 lines), 0 stopped, 0 cut off, 0 failed\n");
    }
}

#[test]
fn after_the_deadline_what_waits_is_stopped_and_what_runs_goes_on() {
    for mode in MODES {
        let mut held = Held::start("deadline", mode, "0");
        assert!(held.interrupt().starts_with("Ctrl-C: "));
        assert_eq!(held.line(), "the deadline is over: what waits is stopped, what runs goes on\n");
        held.let_go();
        check(held.end(), 130, "3 submitted: 1 done (3 lines), 2 stopped, 0 cut off, 0 failed\n");
    }
}

#[test]
fn the_second_interrupt_ends_it_at_once() {
    for mode in MODES {
        let mut held = Held::start("twice", mode, "600");
        assert!(held.interrupt().starts_with("Ctrl-C: "));
        assert_eq!(held.interrupt(), "Ctrl-C again: 1 that run are cut off\n");
        // The pipe is still open: the call cannot have come to its end.
        let mut end = held.line();
        while end.starts_with("the deadline") {
            end = held.line();
        }
        assert_eq!(end, "3 submitted: 0 done (0 lines), 2 stopped, 1 cut off, 0 failed\n");
        assert_eq!(held.child.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn an_interrupt_from_a_terminal_ends_no_worker_process() {
    let mut held = Held::start("group", "process", "600");
    kill_process_group(held.pid(), Signal::INT).unwrap();
    assert!(held.line().starts_with("Ctrl-C: "));
    held.let_go();
    check(held.end(), 0, "3 submitted: 3 done (6 lines), 0 stopped, 0 cut off, 0 failed\n");
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_are_done() {
    let folder = Folder::new("shutdown-bad");
    let file = folder.file("file", "a\n");
    for mode in MODES {
        // A socket has a name, and cannot be opened.
        let socket = folder.path(mode);
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let ran = run("graceful_shutdown", &["--mode", mode, &file, &socket]);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.out.ends_with("2 submitted: 1 done (1 lines), 0 stopped, 0 cut off, 1 failed\n"),
            "{ran:?}"
        );
        let start = format!("graceful_shutdown: 1 of the files cannot be counted; {socket}: ");
        assert!(ran.err.starts_with(&start) && ran.err.lines().count() == 1, "{ran:?}");
    }
}

#[test]
fn bad_input_is_one_line() {
    let cases: [(&[&str], &str); 7] = [
        (&["/no/such/file"], "cannot read /no/such/file: No such file"),
        (&["--deadline=-1"], "expected seconds, such as 1.5"),
        (&["--deadline", "soon"], "expected seconds, such as 1.5"),
        (&["--per-second", "0"], "call_count"),
        (&["--workers", "0"], "at least one worker"),
        (&["--mode", "sync"], "exactly 1 worker"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`"),
    ];
    for (arguments, part) in cases {
        fails("graceful_shutdown", arguments, part);
    }
}

#[test]
fn nobody_needs_to_read_it() {
    ends_well_when_nobody_reads("graceful_shutdown", &[]);
}
