//! Where process mode works: a program with arguments of its own, one that calls `run_worker_if_child` itself, one without
//! standard input, and ones whose file is gone or another one by now. This test has a `main` of its own, which starts itself as
//! each of them.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test is its own documentation"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use concurry::ProcessOptions;
use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Echo;

#[worker]
impl Echo {
    pub fn process_id(&self) -> u32 {
        std::process::id()
    }

    pub fn arguments(&self) -> usize {
        std::env::args().count()
    }

    pub fn input(&self) -> usize {
        std::io::read_to_string(std::io::stdin()).unwrap().len()
    }

    pub fn abort(&self) {
        std::process::abort()
    }
}

/// What this process plays, where its children are to play it too: those have none of its arguments.
const ROLE: &str = "CONCURRY_TEST_ROLE";

fn main() {
    match std::env::var(ROLE).unwrap_or_default().as_str() {
        "explicit" => {
            println!("main runs");
            concurry::run_worker_if_child();
            return works(ProcessOptions::new().serve_in_main());
        }
        "forgetful" => {
            let options = ProcessOptions::new().serve_in_main();
            let outcome = Echo::options(ExecutionMode::Process, (), 1).process(options).init();
            eprintln!("{}", outcome.unwrap_err());
            std::process::exit(7);
        }
        _ => {}
    }
    // As a program would that reads all of its arguments and refuses what it does not know.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--as", "plain"] => works(ProcessOptions::new()),
        ["--as", "deleted", path] => {
            std::fs::remove_file(path).unwrap();
            works(ProcessOptions::new());
        }
        ["--as", "replaced", path, other] => {
            let pool = Echo::options(ExecutionMode::Process, (), 1).init().unwrap();
            std::fs::rename(other, path).unwrap();
            // The one that takes the place of a child from before, and the children of a pool that is made after it.
            assert!(matches!(pool.abort().result(), Err(CallError::WorkerDied(_))));
            assert_ne!(pool.process_id().result().unwrap(), std::process::id());
            works(ProcessOptions::new());
        }
        ["--as", ..] => panic!("{arguments:?}"),
        _ => run_tests(),
    }
}

/// What each of them does: a child works, and so does the one that takes its place.
fn works(options: ProcessOptions) {
    let pool = Echo::options(ExecutionMode::Process, (), 1).process(options).init().unwrap();
    for _ in 0..2 {
        let process = pool.process_id().result().unwrap();
        assert_ne!(process, std::process::id());
        assert_eq!(pool.input().result().unwrap(), 0);
        assert!(matches!(pool.abort().result(), Err(CallError::WorkerDied(_))));
        assert_ne!(pool.process_id().result().unwrap(), process);
    }
    // The program's own name, and none of its arguments.
    assert_eq!(pool.arguments().result().unwrap(), 1);
    pool.stop();
    println!("it works");
}

type Test = fn(&Path);

fn run_tests() {
    let own = std::env::current_exe().unwrap();
    let tests: [(&str, Test); 6] = [
        ("a_program_with_arguments_of_its_own", with_arguments),
        ("a_program_that_calls_it_first_thing_in_main", explicit),
        ("a_program_that_forgot_to_call_it_ends_with_an_error", forgetful),
        ("a_program_without_standard_input", without_input),
        ("a_program_whose_file_is_gone", deleted),
        ("a_program_whose_file_is_that_of_another_by_now", replaced),
    ];
    for (name, test) in tests {
        test(&own);
        println!("test {name} ... ok");
    }
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

fn run(own: &Path, arguments: &[&str]) -> String {
    let output = Command::new(own).arg("--as").args(arguments).output().unwrap();
    assert!(output.status.success() && text(&output).contains("it works"), "{}", text(&output));
    text(&output)
}

fn with_arguments(own: &Path) {
    run(own, &["plain"]);
}

fn in_role(own: &Path, role: &str) -> (Option<i32>, String) {
    let output = Command::new(own).env(ROLE, role).output().unwrap();
    (output.status.code(), text(&output))
}

fn explicit(own: &Path) {
    let (code, text) = in_role(own, "explicit");
    assert!(code == Some(0) && text.contains("it works"), "{text}");
    // Once in the program, and once in each of three children.
    assert_eq!(text.matches("main runs").count(), 4, "{text}");
}

fn forgetful(own: &Path) {
    let (code, text) = in_role(own, "forgetful");
    assert_eq!(code, Some(7), "{text}");
    assert!(text.contains("has not called run_worker_if_child"), "the child: {text}");
    assert!(text.contains("exited with code 7"), "and so its parent: {text}");
}

fn without_input(own: &Path) {
    let closed = Command::new("sh").args(["-c", "exec \"$0\" --as plain <&-"]).arg(own).output().unwrap();
    assert!(closed.status.success(), "{}", text(&closed));
    let empty = Command::new(own).args(["--as", "plain"]).stdin(Stdio::null()).output().unwrap();
    assert!(empty.status.success(), "{}", text(&empty));
}

fn deleted(own: &Path) {
    if !cfg!(target_os = "linux") {
        return; // elsewhere there is nothing to start any more
    }
    let copy = copy_of(own, "deleted");
    run(&copy, &["deleted", &copy.display().to_string()]);
}

fn replaced(own: &Path) {
    if !cfg!(target_os = "linux") {
        return; // elsewhere the other one is started, and is no worker
    }
    let copy = copy_of(own, "replaced");
    // A program as well as any: it starts, and has no idea of workers.
    let other = copy_of(Path::new("/bin/false"), "other");
    run(&copy, &["replaced", &copy.display().to_string(), &other.display().to_string()]);
    assert!(!other.exists() && !Command::new(&copy).status().unwrap().success(), "it was replaced");
    std::fs::remove_file(copy).unwrap();
}

fn copy_of(program: &Path, name: &str) -> PathBuf {
    let copy = std::env::temp_dir().join(format!("concurry-contexts-{name}-{}", std::process::id()));
    std::fs::copy(program, &copy).unwrap();
    copy
}
