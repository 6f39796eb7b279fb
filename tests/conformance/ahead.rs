//! Calls that a process has at hand before it has done the one that it runs (SPEC §2): nothing that was promised of calls that
//! wait changes by that.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use concurry::prelude::*;
use concurry::{Transport, WorkerOptions};

use super::workers::{Amounts, amounts};
use super::{eventually, gate};

/// Writes down what it runs, where its death does not take it along.
#[worker]
pub struct Diary {
    path: PathBuf,
    seen: Vec<u64>,
}

#[worker]
impl Diary {
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: Vec::new() }
    }

    pub fn note(&mut self, n: u64) -> u64 {
        let mut file = std::fs::File::options().append(true).create(true).open(&self.path).unwrap();
        file.write_all(format!("{n}\n").as_bytes()).unwrap();
        n
    }

    #[limited(gate = 1)]
    pub fn note_with_the_gate(&mut self, n: u64) -> u64 {
        self.note(n)
    }

    pub fn see(&mut self, n: u64) {
        self.seen.push(n);
    }

    pub fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }

    pub fn hold(&self, amounts: Amounts) {
        drop(self.limits.acquire(amounts).unwrap());
    }

    pub fn abort(&self) {
        std::process::abort()
    }

    pub fn panics(&self) {
        panic!("on purpose")
    }

    pub fn size(&self, bytes: Vec<u8>) -> usize {
        bytes.len()
    }

    pub fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// A pool over `transport`, and the file with its notes.
struct Subject {
    pool: DiaryHandle,
    path: PathBuf,
}

impl Subject {
    fn new(transport: Transport, limits: &LimitSet, workers: usize) -> Self {
        Self::with(limits, workers, |options| options.transport(transport))
    }

    fn with(
        limits: &LimitSet,
        workers: usize,
        set: impl FnOnce(WorkerOptions<Diary, (PathBuf,)>) -> WorkerOptions<Diary, (PathBuf,)>,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("concurry-ahead-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        let pool = set(Diary::options(ExecutionMode::Process, limits, workers)).init(path.clone()).unwrap();
        let subject = Self { pool, path };
        subject.warm_up();
        subject
    }

    /// Has it learned that calls are short, so that it sends some ahead.
    fn warm_up(&self) {
        for _ in 0..20 {
            gather((0..20).map(|_| self.pool.process_id()).collect::<Vec<_>>()).result().unwrap();
        }
    }

    /// How often each was noted.
    fn notes(&self) -> BTreeMap<u64, usize> {
        let mut notes = BTreeMap::new();
        for line in std::fs::read_to_string(&self.path).unwrap_or_default().lines() {
            *notes.entry(line.parse().unwrap()).or_default() += 1;
        }
        notes
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

/// Makes two tests of one body, one a transport.
macro_rules! every_transport {
    ($(fn $name:ident($transport:ident: Transport) $body:block)*) => {
        $(mod $name {
            use super::*;

            fn body($transport: Transport) $body

            #[test]
            #[cfg(target_os = "linux")]
            fn process_ring() { body(Transport::Ring); }

            #[test]
            fn process_socket() { body(Transport::Socket); }
        })*
    };
}

fn kill(process: u32) {
    signal(process, "KILL");
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap().success());
}

every_transport! {
    fn a_call_that_is_alone_and_was_cancelled_before_it_began_does_not_run(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 1);
        let child = subject.pool.process_id().result().unwrap();
        signal(child, "STOP");
        let cancelled = subject.pool.note(1);
        assert!(cancelled.cancel());
        signal(child, "CONT");
        subject.pool.note(2).result().unwrap();
        assert_eq!(subject.notes(), BTreeMap::from([(2, 1)]));
        // What was acquired for one is given back.
        let set = gate();
        let subject = Subject::new(transport, &set, 1);
        let child = subject.pool.process_id().result().unwrap();
        signal(child, "STOP");
        let cancelled = subject.pool.note_with_the_gate(1);
        eventually(|| set.stats().limits[0].in_use == 1);
        assert!(cancelled.cancel());
        signal(child, "CONT");
        subject.pool.note(2).result().unwrap();
        assert_eq!(subject.notes(), BTreeMap::from([(2, 1)]));
        eventually(|| set.stats().limits[0].in_use == 0);
    }

    fn what_was_sent_ahead_of_a_death_runs_once_on_the_next_child(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 1);
        for round in 0..5u64 {
            let death = subject.pool.abort();
            let calls: Vec<_> = (0..50).map(|n| subject.pool.note(round * 50 + n)).collect();
            assert!(matches!(death.result(), Err(CallError::WorkerDied(_))));
            gather(calls).result().unwrap();
            subject.warm_up();
        }
        assert!((0..250).map(|n| (n, 1)).eq(subject.notes()), "{:?}", subject.notes());
        assert_eq!(subject.pool.stats().restarts, 5);
    }

    fn each_of_many_calls_has_one_outcome_while_children_are_killed(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 2);
        let mut calls = Vec::new();
        for n in 0..100u64 {
            let victim = subject.pool.process_id();
            calls.extend((0..30).map(|k| (n * 30 + k, subject.pool.note(n * 30 + k))));
            if let Ok(process) = victim.result() {
                // It may have gone by itself, by an earlier kill.
                Command::new("kill").arg("-9").arg(process.to_string()).status().unwrap();
            }
        }
        let outcomes: Vec<_> = calls.into_iter().map(|(n, call)| (n, call.result_timeout(Duration::from_secs(60)))).collect();
        let notes = subject.notes();
        let mut died = 0;
        for (n, outcome) in outcomes {
            let noted = notes.get(&n).copied().unwrap_or(0);
            match outcome {
                Ok(answer) => assert_eq!((answer, noted), (n, 1)),
                Err(CallError::WorkerDied(_)) => {
                    died += 1;
                    assert!(noted <= 1, "{n} ran twice");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        println!("{died} of 3,000 died with their process");
        assert!(died <= 100, "a kill costs one call at most: {died}");
        eventually(|| subject.pool.stats().running == 0);
        assert_eq!(subject.pool.stats().queued, 0);
    }

    fn calls_of_one_caller_run_in_their_order(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 1);
        let calls: Vec<_> = (0..3_000).map(|n| subject.pool.see(n)).collect();
        assert!((0..3_000).eq(subject.pool.seen().result().unwrap()));
        gather(calls).result().unwrap();
    }

    fn a_slow_call_holds_nobody_back(transport: Transport) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let subject = Subject::new(transport, &gate, 2);
        let slow = subject.pool.hold(amounts([("gate", 1)]));
        // Some of these find the second worker busy, and are sent after the slow one.
        let quick: Vec<_> = (0..500).map(|n| subject.pool.note(n)).collect();
        gather(quick).result().unwrap();
        assert!(!slow.is_done());
        drop(closed);
        slow.result().unwrap();
    }

    fn what_is_sent_ahead_waits_and_counts_as_waiting(transport: Transport) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let subject = Subject::with(&gate, 1, |options| {
            options.transport(transport).max_queued_calls(100).when_full(WhenFull::Reject)
        });
        let slow = subject.pool.hold(amounts([("gate", 1)]));
        eventually(|| gate.stats().limits[0].waiting == 1);
        // The queue is told of calls that have ended a moment after their callers.
        eventually(|| (subject.pool.stats().running, subject.pool.stats().queued) == (1, 0));
        let waiting: Vec<_> = (0..100).map(|n| subject.pool.note(n)).collect();
        assert!(matches!(subject.pool.note(100).result(), Err(CallError::Rejected(_))));
        let stats = subject.pool.stats();
        assert_eq!((stats.running, stats.queued), (1, 100));
        drop(closed);
        slow.result().unwrap();
        gather(waiting).result().unwrap();
        eventually(|| subject.pool.stats().running == 0);
        assert_eq!(subject.pool.stats().queued, 0);
    }

    fn a_call_that_waits_for_limits_has_begun(transport: Transport) {
        let gate = gate();
        let subject = Subject::new(transport, &gate, 1);
        let clock = concurry::clock::system();
        for _ in 0..20 {
            let closed = gate.acquire(()).unwrap();
            let first = subject.pool.process_id();
            // It holds up whoever completes it, until what the next call wishes is there as well.
            let held_up = std::sync::Arc::clone(&clock);
            first.on_done(move |_| held_up.park_until(Some(held_up.now() + Duration::from_millis(2))));
            let slow = subject.pool.hold(amounts([("gate", 1)]));
            eventually(|| gate.stats().limits[0].waiting == 1);
            eventually(|| (subject.pool.stats().running, subject.pool.stats().queued) == (1, 0));
            drop(closed);
            slow.result().unwrap();
        }
    }

    fn what_is_cancelled_before_it_has_begun_is_not_run(transport: Transport) {
        let gate = gate();
        let subject = Subject::new(transport, &gate, 1);
        for round in 0..20 {
            let closed = gate.acquire(()).unwrap();
            let slow = subject.pool.hold(amounts([("gate", 1)]));
            eventually(|| gate.stats().limits[0].waiting == 1);
            let waiting: Vec<_> = (0..20).map(|n| subject.pool.note(n)).collect();
            assert!(waiting.iter().all(Call::cancel));
            drop(closed);
            slow.result().unwrap();
            assert_eq!(subject.pool.note(100 + round).result().unwrap(), 100 + round);
        }
        assert!((100..120).map(|n| (n, 1)).eq(subject.notes()), "{:?}", subject.notes());
    }

    fn a_stop_takes_back_what_has_not_begun(transport: Transport) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let subject = Subject::new(transport, &gate, 1);
        let slow = subject.pool.hold(amounts([("gate", 1)]));
        eventually(|| gate.stats().limits[0].waiting == 1);
        let waiting: Vec<_> = (0..50).map(|n| subject.pool.note(n)).collect();
        let pool = subject.pool.clone();
        let stopper = std::thread::spawn(move || pool.stop());
        for call in waiting {
            assert!(matches!(call.result(), Err(CallError::Stopped)));
        }
        drop(closed);
        slow.result().unwrap();
        stopper.join().unwrap();
        assert_eq!(subject.notes(), BTreeMap::new());
    }

    fn a_child_killed_in_a_slow_call_costs_that_call_alone(transport: Transport) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let subject = Subject::new(transport, &gate, 1);
        let process = subject.pool.process_id().result().unwrap();
        let slow = subject.pool.hold(amounts([("gate", 1)]));
        let waiting: Vec<_> = (0..50).map(|n| subject.pool.note(n)).collect();
        eventually(|| gate.stats().limits[0].waiting == 1);
        kill(process);
        assert!(matches!(slow.result(), Err(CallError::WorkerDied(_))));
        gather(waiting).result().unwrap();
        assert!((0..50).map(|n| (n, 1)).eq(subject.notes()));
        drop(closed);
    }

    fn a_panic_costs_one_call_of_those_that_were_sent(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 1);
        let before: Vec<_> = (0..20).map(|n| subject.pool.see(n)).collect();
        let panic = subject.pool.panics();
        let after: Vec<_> = (20..40).map(|n| subject.pool.see(n)).collect();
        assert!(matches!(panic.result(), Err(CallError::Panicked(_))));
        gather(before.into_iter().chain(after).collect::<Vec<_>>()).result().unwrap();
        assert!((20..40).eq(subject.pool.seen().result().unwrap()), "by a worker made anew");
    }

    fn values_that_are_larger_than_what_is_on_its_way_arrive(transport: Transport) {
        let subject = Subject::new(transport, &gate(), 1);
        let calls: Vec<_> = [3_000_000, 10, 1 << 20, 0, 5_000_000]
            .into_iter()
            .map(|size| (size, subject.pool.size(vec![1; size])))
            .collect();
        for (size, call) in calls {
            assert_eq!(call.result().unwrap(), size);
        }
    }
}

/// What is not run again over the socket: bodies in other modes, and what runs over each transport by itself. All else is, since
/// not every test of processes is named after them.
const SKIPPED: [&str; 4] = ["::sync", "::thread", "::in_async", "ahead::"];

#[test]
fn process_mode_keeps_every_promise_over_the_socket_too() {
    if !cfg!(target_os = "linux") {
        return; // it is what all tests of process mode use there
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(SKIPPED.iter().flat_map(|name| ["--skip", name]))
        .env("CONCURRY_TRANSPORT", "socket")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let passed =
        text.split_once("test result: ok. ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    assert!(passed.is_some_and(|passed: usize| passed > 300), "most of them are about processes: {text}");
}

#[test]
fn a_transport_that_is_none_is_an_error_of_init() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::large_values_travel", "--nocapture"])
        .env("CONCURRY_TRANSPORT", "pigeon")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("pigeon") && text.contains("ring and socket"),
        "{text}"
    );
}
