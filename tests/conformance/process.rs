//! What only processes can do: die, and refuse what cannot travel (SPEC §2).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use concurry::clock;
use concurry::prelude::*;
use serde::{Deserialize, Serialize};

use super::eventually;
use super::workers::{Acquirer, Counter, TestError, amounts, none};

const MODE: ExecutionMode = ExecutionMode::Process;

fn kill(process: u32) {
    assert!(Command::new("kill").arg("-9").arg(process.to_string()).status().unwrap().success());
}

fn is_alive(process: u32) -> bool {
    // A zombie counts as dead: it has no command line any more.
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Ends its process in various ways.
#[worker]
#[derive(Default)]
pub struct Mortal {
    calls: u64,
}

#[worker]
impl Mortal {
    pub fn abort(&self) -> u64 {
        std::process::abort()
    }

    pub fn exit(&self, code: i32) -> u64 {
        std::process::exit(code)
    }

    pub fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub fn process_id(&self) -> u32 {
        std::process::id()
    }

    pub fn process_group(&self) -> i32 {
        rustix::process::getpgrp().as_raw_nonzero().get()
    }

    pub fn environment(&self) -> Vec<String> {
        std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CONCURRY")).collect()
    }

    pub fn read_all_input(&self) -> usize {
        std::io::read_to_string(std::io::stdin()).unwrap().len()
    }

    pub fn broken(&self) -> Picky {
        Picky(true)
    }

    pub fn takes_picky(&self, picky: Picky) -> bool {
        picky.0
    }

    pub fn takes_sealed(&self, _: Sealed) -> bool {
        true
    }

    pub async fn takes_sealed_async(&self, _: Sealed) -> bool {
        true
    }

    #[limited(doors = 1)]
    pub fn takes_sealed_admitted(&self, _: Sealed) -> bool {
        true
    }

    pub fn large(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes.into_iter().rev().collect()
    }
}

/// Refuses to be encoded when it is true.
#[derive(Debug, Deserialize)]
pub struct Picky(bool);

impl Serialize for Picky {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 {
            Err(serde::ser::Error::custom("too picky"))
        } else {
            serializer.serialize_newtype_struct("Picky", &false)
        }
    }
}

/// Can be encoded, and not be decoded.
#[derive(Debug, Serialize)]
pub struct Sealed(u64);

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let n = u64::deserialize(from)?;
        Err(serde::de::Error::custom(n))
    }
}

/// Dies while it is made, if it is the last of its pool; the others tell who they are before.
#[worker]
pub struct Stillborn {}

#[worker]
impl Stillborn {
    pub fn new(folder: PathBuf, last: usize, code: Option<i32>) -> Result<Self, LimitError> {
        let mut held = limits.acquire([("doors", 1)])?;
        std::fs::write(folder.join(std::process::id().to_string()), "").unwrap();
        if limits.worker_index() != last {
            held.release()?;
            return Ok(Self {});
        }
        match code {
            Some(code) => std::process::exit(code),
            None => std::process::abort(),
        }
    }

    pub fn here(&self) {}
}

/// Cannot travel.
#[worker]
#[derive(Default)]
pub struct Homely;

#[worker]
impl Homely {
    pub fn takes(&self, _: std::sync::mpsc::Sender<u64>, plain: u64) -> u64 {
        plain
    }

    pub fn gives(&self) -> Result<u64, std::sync::mpsc::RecvError> {
        "1".parse().map_err(|_| std::sync::mpsc::RecvError)
    }
}

/// Holds what is not `Send`.
#[worker]
pub struct Local {
    value: Rc<u64>,
}

#[worker]
impl Local {
    pub fn new(value: u64) -> Self {
        Self { value: Rc::new(value) }
    }

    pub fn value(&self) -> u64 {
        *self.value
    }
}

#[test]
fn workers_run_in_processes_of_their_own() {
    let pool = Mortal::options(MODE, (), 3).init().unwrap();
    let own = std::process::id();
    let ids: BTreeSet<u32> = (0..60).map(|_| pool.process_id().result().unwrap()).collect();
    assert!(!ids.contains(&own));
    assert!(ids.iter().all(|id| is_alive(*id)));
    pool.stop();
    assert!(ids.iter().all(|id| !is_alive(*id)), "no child is left");
}

#[test]
fn a_kill_in_the_middle_of_a_call_reaches_the_caller_and_frees_what_was_held() {
    let set = LimitSet::builder()
        .limit(ResourceLimit::new("doors", 1))
        .limit(ResourceLimit::new("gate", 1))
        .build()
        .unwrap();
    let closed = set.acquire([("gate", 1), ("doors", 0)]).unwrap();
    let pool = Acquirer::options(MODE, &set, 1).init().unwrap();
    let process = pool.process_id().result().unwrap();
    let call = pool.hold(amounts([("doors", 1), ("gate", 0)]), amounts([("gate", 1), ("doors", 0)]));
    eventually(|| set.stats().limit("gate").unwrap().waiting == 1);
    assert_eq!(set.stats().limit("doors").unwrap().in_use, 1);

    let killed = clock::system().now();
    kill(process);
    match call.result_timeout(Duration::from_secs(60)) {
        Err(CallError::WorkerDied(died)) => assert_eq!(died.signal(), Some(9)),
        other => panic!("{other:?}"),
    }
    let doors = set.acquire_timeout([("doors", 1), ("gate", 0)], Duration::from_secs(60)).unwrap();
    println!("answered and freed {:?} after the kill began", clock::system().now() - killed);
    assert_eq!(set.stats().limit("gate").unwrap().waiting, 0, "its wish to acquire is gone too");
    drop((doors, closed));
    // A new process has taken its place.
    pool.acquire(amounts([("doors", 1)]), none()).result().unwrap();
    assert_ne!(pool.process_id().result().unwrap(), process);
}

#[test]
fn a_kill_is_noticed_within_a_tenth_of_a_second() {
    // The promise is about time, so time is measured; the best of a few attempts, since machines stall.
    let best = (0..10)
        .map(|_| {
            let set = LimitSet::builder()
                .limit(ResourceLimit::new("doors", 1))
                .limit(ResourceLimit::new("gate", 1))
                .build()
                .unwrap();
            let closed = set.acquire([("gate", 1), ("doors", 0)]).unwrap();
            let pool = Acquirer::options(MODE, &set, 1).init().unwrap();
            let process =
                rustix::process::Pid::from_raw(i32::try_from(pool.process_id().result().unwrap()).unwrap())
                    .unwrap();
            let call = pool.hold(amounts([("doors", 1), ("gate", 0)]), amounts([("gate", 1), ("doors", 0)]));
            eventually(|| set.stats().limit("gate").unwrap().waiting == 1);
            let killed = clock::system().now();
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
            assert!(matches!(call.result(), Err(CallError::WorkerDied(_))));
            drop(set.acquire([("doors", 1), ("gate", 0)]).unwrap());
            drop(closed);
            clock::system().now() - killed
        })
        .min()
        .unwrap();
    println!("WorkerDied and free again after {best:?}");
    assert!(best < Duration::from_millis(100), "{best:?}");
}

#[test]
fn every_death_tells_its_cause_and_the_queue_goes_on() {
    let pool = Mortal::options(MODE, (), 1).init().unwrap();
    let calls = (pool.abort(), pool.count(), pool.exit(3), pool.count());
    match calls.0.result() {
        Err(CallError::WorkerDied(died)) => assert_eq!((died.signal(), died.exit_code()), (Some(6), None)),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls.1.result().unwrap(), 1, "on a new worker");
    match calls.2.result() {
        Err(CallError::WorkerDied(died)) => assert_eq!((died.signal(), died.exit_code()), (None, Some(3))),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls.3.result().unwrap(), 1);
    assert_eq!(pool.stats().restarts, 2);
}

#[test]
fn a_child_that_dies_while_idle_costs_no_call() {
    let pool = Mortal::options(MODE, (), 1).init().unwrap();
    for restart in 1..=3 {
        let process = pool.process_id().result().unwrap();
        kill(process);
        eventually(|| pool.stats().restarts == restart);
        assert_ne!(pool.process_id().result().unwrap(), process);
    }
}

#[test]
fn types_that_cannot_travel_make_init_fail_and_are_named() {
    let error = Homely::options(MODE, (), 1).init().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, InitError::CannotTravel { .. }));
    assert!(text.contains("Sender<u64>") && text.contains("`takes`"), "{text}");
    assert!(text.contains("std::sync::mpsc::RecvError") && text.contains("`gives`"), "{text}");
    let at_home = Homely::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(at_home.gives().result().unwrap(), 1);
}

#[test]
fn a_worker_that_is_not_send_runs_in_threads_and_processes_and_says_so_elsewhere() {
    for mode in [ExecutionMode::Thread, MODE] {
        assert_eq!(Local::options(mode, (), 2).init(7).unwrap().value().result().unwrap(), 7);
    }
    for mode in [ExecutionMode::Sync, ExecutionMode::Async] {
        let error = Local::options(mode, (), 1).init(7).unwrap_err();
        assert!(matches!(error, InitError::NotShareable { .. }), "{error}");
    }
}

#[test]
fn what_cannot_be_encoded_is_an_error_of_that_call_alone() {
    let pool = Mortal::options(MODE, (), 1).init().unwrap();
    let error = pool.broken().result().unwrap_err();
    assert!(
        matches!(error, CallError::NotSent(_)) && error.to_string().contains("the result of `broken`"),
        "{error}"
    );
    let error = pool.takes_picky(Picky(true)).result().unwrap_err();
    assert!(
        matches!(error, CallError::NotSent(_))
            && error.to_string().contains("the arguments of `takes_picky`"),
        "{error}"
    );
    assert!(!pool.takes_picky(Picky(false)).result().unwrap());
    assert_eq!(pool.count().result().unwrap(), 1, "the worker is the same");
}

#[test]
fn what_cannot_be_decoded_is_an_error_of_that_call_alone() {
    let doors = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let pool = Mortal::options(MODE, &doors, 1).init().unwrap();
    let process = pool.process_id().result().unwrap();
    let calls = vec![
        (pool.takes_sealed(Sealed(1)), "`takes_sealed`"),
        (pool.takes_sealed_async(Sealed(2)), "`takes_sealed_async`"),
        (pool.takes_sealed_admitted(Sealed(3)), "`takes_sealed_admitted`"),
    ];
    let next = pool.count();
    for (call, method) in calls {
        let error = call.result().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CallError::NotSent(_)), "{error:?}");
        assert!(text.contains(&format!("the arguments of {method}")) && text.contains("Sealed"), "{text}");
    }
    assert_eq!(next.result().unwrap(), 1);
    assert_eq!((pool.count().result().unwrap(), pool.process_id().result().unwrap()), (2, process));
    assert_eq!(pool.stats().restarts, 0);
    drop(doors.acquire(()).unwrap());
    assert_eq!(doors.stats().limits[0].in_use, 0, "what was lent for such a call is given back");
}

#[test]
fn a_constructor_that_dies_is_an_error_of_init_and_leaves_nothing() {
    for (workers, code) in [(1, Some(3)), (1, None), (3, Some(0)), (3, None)] {
        let folder = std::env::temp_dir()
            .join(format!("concurry-stillborn-{}-{workers}-{code:?}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let doors = LimitSet::builder().limit(ResourceLimit::new("doors", 3)).build().unwrap();
        let error =
            Stillborn::options(MODE, &doors, workers).init(folder.clone(), workers - 1, code).unwrap_err();
        let InitError::Died(died) = &error else { panic!("{error:?}") };
        let signal = code.is_none().then_some(6);
        assert_eq!((died.exit_code(), died.signal()), (code, signal), "{error}");
        assert_eq!((doors.stats().limits[0].in_use, doors.stats().limits[0].waiting), (0, 0));
        let children: Vec<u32> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap().parse().unwrap())
            .collect();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(!children.is_empty() && children.iter().all(|child| !is_alive(*child)), "{children:?}");
        assert!(
            children_of(std::process::id()).iter().all(|child| !children.contains(child)),
            "{children:?}"
        );
    }
}

#[test]
fn a_child_sees_nothing_of_its_origin() {
    let pool = Mortal::options(MODE, (), 1).init().unwrap();
    assert_eq!(
        pool.environment().result().unwrap(),
        Mortal::default().environment(),
        "what this process has itself"
    );
    assert_eq!(pool.read_all_input().result().unwrap(), 0, "its standard input is empty");
}

#[test]
fn a_signal_that_a_terminal_sends_to_the_program_is_not_for_its_children() {
    let pools: Vec<_> = (0..2).map(|_| Mortal::options(MODE, (), 1).init().unwrap()).collect();
    let groups: Vec<_> = pools.iter().map(|pool| pool.process_group().result().unwrap()).collect();
    assert!(!groups.contains(&rustix::process::getpgrp().as_raw_nonzero().get()));
    assert_ne!(groups[0], groups[1]);
}

#[test]
fn large_values_travel() {
    let pool = Mortal::options(MODE, (), 1).init().unwrap();
    let bytes: Vec<u8> = (0..20_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let reversed = pool.large(bytes.clone()).result().unwrap();
    assert!(reversed.into_iter().rev().eq(bytes));
}

#[test]
fn handles_work_after_workers_of_many_pools() {
    let counters: Vec<_> = (1..=4).map(|step| Counter::options(MODE, (), 1).init(step).unwrap()).collect();
    let sums: Vec<u64> =
        gather(counters.iter().map(super::workers::CounterHandle::add).collect::<Vec<_>>()).result().unwrap();
    assert_eq!(sums, [1, 2, 3, 4]);
    assert!(matches!(counters[0].fail("x".into()).result(), Err(CallError::Failed(TestError::Own(_)))));
}

#[test]
fn children_end_with_their_parent_however_it_ends() {
    // The parent is this test binary, run again for the test below, which starts children and then is killed.
    if std::env::var_os("PARENT_TO_BE_KILLED").is_some() {
        let gate = super::gate();
        let closed = gate.acquire(()).unwrap();
        let pool = Acquirer::options(MODE, &gate, 2).init().unwrap();
        let busy: Vec<_> = (0..2).map(|_| pool.acquire(none(), none())).collect();
        eventually(|| gate.stats().limits[0].waiting == 2);
        let children = children_of(std::process::id());
        println!("children {children:?}");
        kill(std::process::id());
        drop((busy, closed));
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::children_end_with_their_parent_however_it_ends",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("PARENT_TO_BE_KILLED", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line =
        text.lines().find_map(|line| line.split_once("children [")).unwrap_or_else(|| panic!("{text}")).1;
    let children: Vec<u32> = line.trim_end_matches(']').split(", ").map(|id| id.parse().unwrap()).collect();
    assert_eq!(children.len(), 2);
    eventually(|| children.iter().all(|child| !is_alive(*child)));
}

fn children_of(parent: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{parent}/task")).unwrap() {
        let list = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().map(|id| id.parse::<u32>().unwrap()));
    }
    children
}
