//! How the processes of a pool are to be: what was asked for is what runs, or `init` says why not.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use concurry::ProcessOptions;
use concurry::prelude::*;

use super::{eventually, gate};

const MODE: ExecutionMode = ExecutionMode::Process;

/// Tells how its process is.
#[worker]
pub struct Placed;

#[worker]
impl Placed {
    pub fn new(waits: bool) -> Result<Self, LimitError> {
        if waits {
            drop(limits.acquire(())?);
        }
        Ok(Self)
    }

    pub fn variable(&self, key: String) -> Option<String> {
        std::env::var(key).ok()
    }

    pub fn folder(&self) -> PathBuf {
        std::env::current_dir().unwrap()
    }

    /// Of this thread, and of one that comes later.
    pub fn niceness(&self) -> (i32, i32) {
        let of_this = || rustix::process::getpriority_process(None).unwrap();
        (of_this(), std::thread::spawn(of_this).join().unwrap())
    }

    pub fn is_alone(&self) -> bool {
        concurry_core::spin::is_alone()
    }

    #[cfg(target_os = "linux")]
    pub fn processors(&self) -> Vec<usize> {
        processors()
    }

    /// A line in two pieces.
    pub fn says(&self, n: u64) {
        let mut out = std::io::stdout().lock();
        out.write_all(b"half a ").unwrap();
        out.flush().unwrap();
        out.write_all(format!("line {n}\n").as_bytes()).unwrap();
    }

    pub fn says_its_last(&self) {
        std::io::stdout().write_all(b"one\ntwo").unwrap();
        std::io::stdout().flush().unwrap();
        std::io::stderr().write_all(b"last words").unwrap();
        std::process::abort()
    }
}

#[cfg(target_os = "linux")]
fn processors() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

fn start(options: ProcessOptions) -> Result<PlacedHandle, InitError> {
    Placed::options(MODE, (), 1).process(options).init(false)
}

fn refusal(options: ProcessOptions) -> String {
    let error = start(options).unwrap_err();
    assert!(matches!(error, InitError::Start { .. } | InitError::InvalidOption { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn the_environment_is_what_was_asked_for() {
    let pool = start(ProcessOptions::new().env("CONCURRY_TEST_A", "b").env_remove("PATH")).unwrap();
    let variable = |key: &str| pool.variable(key.to_owned()).result().unwrap();
    assert_eq!(variable("CONCURRY_TEST_A").as_deref(), Some("b"));
    assert_eq!((variable("PATH"), variable("HOME")), (None, std::env::var("HOME").ok()));
    let pool = start(ProcessOptions::new().env("CONCURRY_TEST_A", "c").env_clear()).unwrap();
    let variable = |key: &str| pool.variable(key.to_owned()).result().unwrap();
    assert_eq!((variable("CONCURRY_TEST_A").as_deref(), variable("HOME")), (Some("c"), None));
}

#[test]
fn the_folder_is_what_was_asked_for() {
    let folder = std::env::temp_dir().canonicalize().unwrap();
    let pool = start(ProcessOptions::new().current_dir(&folder)).unwrap();
    assert_eq!(pool.folder().result().unwrap(), folder);
    let text = refusal(ProcessOptions::new().current_dir("/no/such/folder"));
    assert!(text.contains("/no/such/folder"), "{text}");
}

#[test]
fn the_niceness_is_what_was_asked_for() {
    let pool = start(ProcessOptions::new().nice(11)).unwrap();
    assert_eq!(pool.niceness().result().unwrap(), (11, 11));
    assert!(refusal(ProcessOptions::new().nice(20)).contains("nice is 20"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_processors_are_what_was_asked_for() {
    let all = processors();
    let of_worker = all.clone();
    let options = ProcessOptions::new().cpu_affinity(move |worker| vec![of_worker[worker % of_worker.len()]]);
    let pool = Placed::options(MODE, (), 2).process(options).init(false).unwrap();
    let seen = (0..50).map(|_| pool.processors().result().unwrap());
    assert!(seen.into_iter().all(|seen| seen.len() == 1 && all.contains(&seen[0])));
    // Its pool runs beside it, so it looks for what that says before it sleeps, as everybody does who is not alone.
    assert_eq!(pool.is_alone().result().unwrap(), concurry_core::spin::is_alone());
    let text = refusal(ProcessOptions::new().cpu_affinity(|_| vec![1_000]));
    assert!(text.contains("the processors [1000]"), "{text}");
    let first = all[0];
    let text = refusal(ProcessOptions::new().cpu_affinity(move |_| vec![first, 1_000]));
    assert!(text.contains("not all of them"), "{text}");
    assert!(refusal(ProcessOptions::new().cpu_affinity(|_| vec![70_000])).contains("70000"));
    refusal(ProcessOptions::new().cpu_affinity(|_| Vec::new()));
    let error = start(ProcessOptions::new().cpu_affinity(|_| panic!("no idea"))).unwrap_err();
    assert!(matches!(error, InitError::ConstructorPanicked { .. }), "{error:?}");
}

#[test]
fn a_start_that_takes_too_long_is_ended() {
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let options = ProcessOptions::new().start_timeout(Duration::from_millis(30));
    let error = Placed::options(MODE, &gate, 2).process(options).init(true).unwrap_err();
    assert!(matches!(error, InitError::StartTimedOut { .. }), "{error:?}");
    let mut config = Config::default();
    config.process.start_timeout = Some(Duration::from_millis(30));
    let error = with_config(config, || Placed::options(MODE, &gate, 2).init(true).unwrap_err());
    assert!(matches!(error, InitError::StartTimedOut { .. }), "{error:?}");
    assert_eq!(gate.stats().limits[0].waiting, 0, "nothing is left of it");
    drop(closed);
    let options = ProcessOptions::new().start_timeout(Duration::from_secs(600));
    Placed::options(MODE, &gate, 1).process(options).init(true).unwrap().folder().result().unwrap();
}

#[test]
fn processes_are_started_side_by_side() {
    const WORKERS: usize = 3;
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let limits = gate.clone();
    let starting = std::thread::spawn(move || Placed::options(MODE, &limits, WORKERS).init(true));
    // No constructor returns before all of them have begun.
    eventually(|| gate.stats().limits[0].waiting == WORKERS);
    drop(closed);
    assert_eq!(starting.join().unwrap().unwrap().stats().workers, WORKERS);
}

#[test]
fn in_other_modes_it_says_nothing() {
    let options = ProcessOptions::new().current_dir("/no/such/folder");
    let pool = Placed::options(ExecutionMode::Thread, (), 1).process(options).init(false).unwrap();
    assert_eq!(pool.folder().result().unwrap(), std::env::current_dir().unwrap());
}

#[test]
fn lines_of_output_are_whole_and_tell_their_worker_also_the_last_ones() {
    const CALLS: u64 = 200;
    if std::env::var_os("PARENT_WITH_OUTPUT").is_some() {
        // The test's own line is not ended as yet.
        println!();
        let options = ProcessOptions::new().prefix_output();
        let pool = Placed::options(MODE, (), 2).name("placed").process(options).init(false).unwrap();
        gather((0..CALLS).map(|n| pool.says(n)).collect::<Vec<_>>()).result().unwrap();
        assert!(matches!(pool.says_its_last().result(), Err(CallError::WorkerDied(_))));
        pool.stop();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process_options::lines_of_output_are_whole_and_tell_their_worker_also_the_last_ones",
        ])
        .args(["--nocapture", "--test-threads=1"])
        .env("PARENT_WITH_OUTPUT", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = |line: &str| {
        let line = line.strip_prefix("[placed-0] ").or_else(|| line.strip_prefix("[placed-1] "));
        line.map(ToOwned::to_owned)
    };
    let lines: Vec<String> = text.lines().filter_map(said).collect();
    let mut numbers: Vec<u64> =
        lines.iter().filter_map(|line| line.strip_prefix("half a line ")?.parse().ok()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..CALLS), "{text}");
    assert!(["one", "two"].iter().all(|last| lines.iter().any(|line| line == last)), "{text}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().filter_map(said).any(|line| line == "last words"), "{errors}");
    assert!(output.status.success(), "{text}\n{errors}");
}

#[test]
fn output_is_passed_on_while_somebody_holds_the_lock_of_standard_output() {
    /// For what never comes where it hangs.
    const A_MINUTE: Duration = Duration::from_secs(60);
    if std::env::var_os("PARENT_WITH_LOCKED_OUTPUT").is_some() {
        println!();
        let options = ProcessOptions::new().prefix_output();
        let pool = Placed::options(MODE, (), 1).name("placed").process(options).init(false).unwrap();
        let locked = (std::io::stdout().lock(), std::io::stderr().lock());
        let mut calls = vec![pool.says(1)];
        let last = pool.says_its_last();
        calls.push(pool.says(2));
        let outcome = last.result_timeout(A_MINUTE);
        let outcomes: Vec<_> = calls.into_iter().map(|call| call.result_timeout(A_MINUTE)).collect();
        let (stopped, is_stopped) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            pool.stop();
            stopped.send(()).unwrap();
        });
        let is_stopped = is_stopped.recv_timeout(A_MINUTE);
        drop(locked);
        assert!(matches!(outcome, Err(CallError::WorkerDied(_))), "{outcome:?}");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        is_stopped.unwrap();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process_options::output_is_passed_on_while_somebody_holds_the_lock_of_standard_output",
        ])
        .args(["--nocapture", "--test-threads=1"])
        .env("PARENT_WITH_LOCKED_OUTPUT", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{errors}");
    for line in ["half a line 1", "one", "two", "half a line 2"] {
        assert!(text.lines().any(|said| said.strip_prefix("[placed-0] ") == Some(line)), "{text}");
    }
    assert!(errors.lines().any(|said| said == "[placed-0] last words"), "{errors}");
}

#[test]
fn without_a_prefix_output_passes_through_as_it_is() {
    if std::env::var_os("PARENT_WITH_PLAIN_OUTPUT").is_some() {
        // The test's own line is not ended as yet.
        println!();
        let pool = Placed::options(MODE, (), 1).name("placed").init(false).unwrap();
        pool.says(7).result().unwrap();
        assert!(matches!(pool.says_its_last().result(), Err(CallError::WorkerDied(_))));
        pool.stop();
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process_options::without_a_prefix_output_passes_through_as_it_is"])
        .args(["--nocapture", "--test-threads=1"])
        .env("PARENT_WITH_PLAIN_OUTPUT", "1")
        .output()
        .unwrap();
    let (text, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("\nhalf a line 7\none\ntwo"), "{text}");
    assert!(errors.contains("last words"), "{errors}");
    assert!(!text.contains("[placed") && !errors.contains("[placed"), "{text}\n{errors}");
    assert!(output.status.success(), "{text}\n{errors}");
}
