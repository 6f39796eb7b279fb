//! A process that has run enough gives way to a new one (SPEC §2): none of its calls notices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;
use concurry::{Config, Transport, WorkerOptions, with_config};

use super::eventually;
use super::workers::Counter;

const MODE: ExecutionMode = ExecutionMode::Process;

/// Comes into being through one gate, may wait at another, and grows.
#[worker]
pub struct Elder {
    calls: u64,
    kept: Vec<Vec<u8>>,
}

#[worker]
impl Elder {
    pub fn new(patience: Option<Duration>) -> Result<Self, LimitError> {
        let birth = [("birth", 1), ("gate", 0)];
        match patience {
            Some(patience) => drop(limits.acquire_timeout(birth, patience)?),
            None => drop(limits.acquire(birth)?),
        }
        Ok(Self { calls: 0, kept: Vec::new() })
    }

    /// This process, and how many calls it has counted.
    pub fn count(&mut self) -> (u32, u64) {
        self.calls += 1;
        (std::process::id(), self.calls)
    }

    /// Waits at the gate.
    pub fn waits(&self) -> Result<u32, LimitError> {
        drop(self.limits.acquire([("gate", 1), ("birth", 0)])?);
        Ok(std::process::id())
    }

    pub fn grow(&mut self, bytes: usize) -> u32 {
        self.kept.push(vec![1; bytes]);
        std::process::id()
    }

    pub fn abort(&self) {
        std::process::abort()
    }
}

type Options = WorkerOptions<Elder, (Option<Duration>,)>;

struct Subject {
    set: LimitSet,
    pool: ElderHandle,
}

impl Subject {
    fn new(set: impl FnOnce(Options) -> Options) -> Self {
        Self::patient(None, set)
    }

    fn patient(patience: Option<Duration>, change: impl FnOnce(Options) -> Options) -> Self {
        let set = LimitSet::builder()
            .limit(ResourceLimit::new("birth", 1))
            .limit(ResourceLimit::new("gate", 1))
            .build()
            .unwrap();
        // Who gives way is no restart, so a budget of one is for the one that dies.
        let options = Elder::options(MODE, &set, 1).max_restarts(1, Duration::from_secs(1_000));
        let pool = change(options).init(patience).unwrap();
        Self { set, pool }
    }

    fn close(&self, key: &str) -> LimitSetAcquisition {
        self.set.acquire(["birth", "gate"].map(|other| (other, u64::from(other == key)))).unwrap()
    }

    fn waiting(&self, key: &str) -> usize {
        self.set.stats().limit(key).unwrap().waiting
    }

    fn process(&self) -> u32 {
        self.pool.count().result().unwrap().0
    }

    fn recycled(&self) -> (u64, u64) {
        let stats = self.pool.stats();
        (stats.recycled, stats.restarts)
    }
}

fn both(body: impl Fn(Transport)) {
    body(Transport::Socket);
    if cfg!(target_os = "linux") {
        body(Transport::Ring);
    }
}

#[test]
fn one_that_makes_its_worker_anew_after_a_panic_gives_way_as_others_do() {
    both(|transport| {
        let options = Counter::options(MODE, (), 1).transport(transport).max_calls_per_worker(5);
        let pool = options.init(1).unwrap();
        let call = |n: u64| if n % 7 == 3 { pool.panic("ouch".into()) } else { pool.count() };
        while pool.stats().recycled < 5 {
            let outcomes = gather((0..50).map(call).collect::<Vec<_>>()).outcomes();
            for (n, outcome) in (0..).zip(outcomes) {
                assert_eq!(matches!(outcome, Err(CallError::Panicked(_))), n % 7 == 3, "{n}: {outcome:?}");
                assert_eq!(outcome.is_ok(), n % 7 != 3, "{n}: {outcome:?}");
            }
        }
        pool.stop();
    });
}

#[test]
fn no_call_of_many_is_lost_or_run_twice_while_processes_give_way() {
    both(|transport| {
        let subject = Subject::new(|options| options.transport(transport).max_calls_per_worker(10));
        let mut counts = BTreeMap::<u32, Vec<u64>>::new();
        while subject.recycled().0 < 3 {
            let calls: Vec<_> = (0..500).map(|_| subject.pool.count()).collect();
            for (process, count) in gather(calls).result().unwrap() {
                counts.entry(process).or_default().push(count);
            }
        }
        assert!(counts.len() >= 3, "{:?}", counts.keys());
        for (process, counts) in counts {
            assert!(counts.iter().copied().eq(1..=counts.len() as u64), "{process}: {counts:?}");
        }
        assert_eq!(subject.recycled().1, 0);
    });
}

#[test]
fn the_old_process_goes_on_until_the_new_worker_is_there() {
    let subject = Subject::new(|options| options.max_calls_per_worker(3));
    let closed = subject.close("birth");
    let old = subject.process();
    while subject.waiting("birth") == 0 {
        assert_eq!(subject.process(), old);
    }
    assert!((0..100).all(|_| subject.process() == old));
    drop(closed);
    eventually(|| subject.process() != old);
    assert!(subject.recycled().0 >= 1);
}

#[test]
fn a_call_that_runs_is_waited_for_and_those_behind_it_run_later() {
    let subject = Subject::new(|options| options.max_calls_per_worker(3));
    let (birth, gate) = (subject.close("birth"), subject.close("gate"));
    let old = subject.process();
    while subject.waiting("birth") == 0 {
        subject.process();
    }
    let running = subject.pool.waits();
    eventually(|| subject.waiting("gate") == 1);
    let behind: Vec<_> = (0..10).map(|_| subject.pool.count()).collect();
    drop(birth);
    // The new one is there, and waits for the call.
    eventually(|| subject.set.stats().limit("birth").unwrap().in_use == 0);
    assert!(!running.is_done());
    drop(gate);
    assert_eq!(running.result().unwrap(), old);
    gather(behind).result().unwrap();
    eventually(|| subject.process() != old);
}

#[test]
fn a_death_meanwhile_has_the_new_process_take_its_place() {
    let subject = Subject::new(|options| options.max_calls_per_worker(3));
    let birth = subject.close("birth");
    while subject.waiting("birth") == 0 {
        subject.process();
    }
    assert!(matches!(subject.pool.abort().result(), Err(CallError::WorkerDied(_))));
    let next = subject.pool.count();
    assert_eq!(subject.waiting("birth"), 1, "no other one is made");
    drop(birth);
    assert_eq!(next.result().unwrap().1, 1);
    assert_eq!(subject.recycled().1, 1);
}

#[test]
fn a_pool_that_is_stopped_does_not_wait_for_a_new_worker() {
    let subject = Subject::new(|options| options.max_calls_per_worker(1));
    let _birth = subject.close("birth");
    while subject.waiting("birth") == 0 {
        subject.process();
    }
    subject.pool.stop();
    assert_eq!(subject.waiting("birth"), 0);
}

#[test]
fn one_that_cannot_be_made_is_tried_again_after_a_while() {
    let clock = ManualClock::new();
    let subject = Subject::patient(Some(Duration::ZERO), |options| {
        options.max_calls_per_worker(3).clock(Arc::new(clock.clone()))
    });
    let closed = subject.close("birth");
    let old = subject.process();
    while clock.next_wake().is_none() {
        assert_eq!(subject.process(), old);
    }
    assert_eq!(subject.recycled(), (0, 0));
    drop(closed);
    clock.advance(Duration::from_secs(1));
    eventually(|| subject.recycled().0 == 1);
    assert_ne!(subject.process(), old);
}

#[test]
fn a_process_of_an_age_gives_way_also_when_it_is_idle() {
    let clock = ManualClock::new();
    let hour = Duration::from_secs(3_600);
    let subject = Subject::new(|options| options.max_worker_age(hour).clock(Arc::new(clock.clone())));
    let old = subject.process();
    clock.advance(Duration::from_secs(3_599));
    assert_eq!((subject.process(), subject.recycled()), (old, (0, 0)));
    for times in 1..=2 {
        eventually(|| clock.next_wake().is_some());
        clock.advance(hour);
        eventually(|| subject.recycled() == (times, 0));
    }
    assert_ne!(subject.process(), old);
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_of_a_size_gives_way() {
    let subject = Subject::new(|options| options.max_worker_memory(300 << 20));
    let old = subject.process();
    assert!((0..100).all(|_| subject.process() == old));
    assert_eq!(subject.pool.grow(400 << 20).result().unwrap(), old);
    eventually(|| subject.recycled() == (1, 0));
    assert_ne!(subject.process(), old);
}

#[test]
fn what_cannot_be_is_an_error_of_init_that_names_it() {
    let options = |mode| Elder::options(mode, gates(), 1);
    let errors = [
        ("max_calls_per_worker", options(MODE).max_calls_per_worker(0).init(None)),
        ("max_worker_age", options(MODE).max_worker_age(Duration::ZERO).init(None)),
        ("max_worker_memory", options(MODE).max_worker_memory(0).init(None)),
        ("max_calls_per_worker", options(ExecutionMode::Thread).max_calls_per_worker(7).init(None)),
        ("max_worker_age", options(ExecutionMode::Async).max_worker_age(Duration::MAX).init(None)),
        ("max_worker_memory", options(ExecutionMode::Sync).max_worker_memory(7).init(None)),
    ];
    for (option, outcome) in errors {
        match outcome {
            Err(InitError::InvalidOption { option: named, .. }) => assert_eq!(named, option),
            other => panic!("{option}: {other:?}"),
        }
    }
}

fn gates() -> LimitSet {
    let limits = ["birth", "gate"].map(|key| ResourceLimit::new(key, 1));
    LimitSet::builder().limit(limits[0].clone()).limit(limits[1].clone()).build().unwrap()
}

#[test]
fn the_configuration_has_it_for_pools_of_processes() {
    let mut config = Config::default();
    config.pool.max_calls_per_worker = Some(1);
    with_config(config, || {
        let elsewhere = Elder::options(ExecutionMode::Thread, gates(), 1).init(None).unwrap();
        assert_eq!((1..=3).map(|_| elsewhere.count().result().unwrap().1).collect::<Vec<_>>(), [1, 2, 3]);
        let subject = Subject::new(|options| options);
        subject.process();
        eventually(|| subject.recycled().0 >= 1);
    });
}

/// Takes its time to go: until the gate is open.
#[worker]
pub struct Lingering {}

#[worker]
impl Lingering {
    pub fn new() -> Result<Self, LimitError> {
        drop(limits.acquire([("birth", 1), ("gate", 0)])?);
        Ok(Self {})
    }

    pub fn nothing(&self) {}
}

impl Drop for Lingering {
    fn drop(&mut self) {
        drop(self.limits.acquire([("gate", 1), ("birth", 0)]));
    }
}

#[test]
fn a_process_that_was_told_to_stop_gives_way_to_none() {
    both(|transport| {
        let births = RateLimit::new("birth", 1, Window::DAY).algorithm(RateLimitAlgorithm::FixedWindow);
        let set = LimitSet::builder()
            .limit(births)
            .limit(ResourceLimit::new("gate", 1))
            .clock(Arc::new(ManualClock::new()))
            .build()
            .unwrap();
        let waiting = |key| set.stats().limit(key).unwrap().waiting;
        let gate = set.acquire([("gate", 1)]).unwrap();
        let options = Lingering::options(MODE, &set, 1).transport(transport).max_calls_per_worker(1);
        let pool = options.init().unwrap();
        pool.nothing().result().unwrap();
        eventually(|| waiting("birth") == 1);
        std::thread::scope(|scope| {
            let stops = scope.spawn(|| pool.stop());
            eventually(|| waiting("gate") == 1);
            set.set_capacity("birth", 2).unwrap();
            eventually(|| set.stats().limit("birth").unwrap().admitted == 2);
            // Long enough for the new one to be there; what is promised does not depend on it.
            (0..50_000).for_each(|_| std::thread::yield_now());
            drop(gate);
            stops.join().unwrap();
        });
        assert_eq!(pool.stats().recycled, 0);
    });
}
