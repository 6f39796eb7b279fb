//! Pools: options, stopping, draining, back-pressure (SPEC §2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use concurry::prelude::*;

use super::workers::{Acquirer, Counter, CounterHandle, TestError, amounts};
use super::{eventually, every_mode, every_mode_in_background, gate};

/// Gives back what it gets.
#[worker]
#[derive(Default)]
pub struct Echo;

#[worker]
impl Echo {
    pub fn echo(&self, n: u64) -> u64 {
        n
    }

    pub fn odd(&self, n: u64) -> Result<u64, TestError> {
        if n % 2 == 1 { Ok(n) } else { Err(TestError::Own(n.to_string())) }
    }
}

/// Calls a pool, perhaps its own. A handle cannot travel, so this worker cannot run in processes.
#[worker]
#[derive(Default)]
pub struct Caller;

#[worker]
impl Caller {
    pub fn call(&self, other: CallerHandle) -> String {
        match other.plain(1).result() {
            Ok(n) => n.to_string(),
            Err(error) => error.to_string(),
        }
    }

    pub fn plain(&self, n: u64) -> u64 {
        n
    }
}

/// A call waits until as many run as were told.
#[worker]
pub struct Meeting {
    barrier: tokio::sync::Barrier,
}

#[worker]
impl Meeting {
    pub fn new(people: usize) -> Self {
        Self { barrier: tokio::sync::Barrier::new(people) }
    }

    pub async fn meet(&self) {
        self.barrier.wait().await;
    }
}

/// Notes in which order its calls start.
#[worker]
pub struct Starter {
    started: Arc<std::sync::Mutex<Vec<u64>>>,
}

#[worker]
impl Starter {
    pub fn new(started: Arc<std::sync::Mutex<Vec<u64>>>) -> Self {
        Self { started }
    }

    pub async fn start(&self, number: u64) {
        self.started.lock().unwrap().push(number);
        tokio::task::yield_now().await;
    }
}

#[test]
fn async_calls_that_run_side_by_side_start_in_the_order_of_submission() {
    let started = Arc::default();
    let starter = Starter::options(ExecutionMode::Async, (), 1).init(Arc::clone(&started)).unwrap();
    gather((0..1_000).map(|number| starter.start(number)).collect::<Vec<_>>()).result().unwrap();
    assert_eq!(*started.lock().unwrap(), (0..1_000).collect::<Vec<_>>());
}

/// Counts its like.
#[worker]
pub struct Counted {
    alive: Arc<AtomicUsize>,
}

#[worker]
impl Counted {
    pub fn new(alive: Arc<AtomicUsize>, most: usize) -> Result<Self, String> {
        if alive.fetch_add(1, Ordering::SeqCst) >= most {
            alive.fetch_sub(1, Ordering::SeqCst);
            return Err("one too many".into());
        }
        Ok(Self { alive })
    }

    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

every_mode! {
    fn no_workers_are_an_error(mode: ExecutionMode) {
        let error = Counter::options(mode, (), 0).init(1).unwrap_err();
        assert!(error.to_string().starts_with("max_workers is 0"), "{error}");
        let error = Counter::options(mode, (), 1).max_queued_calls(0).init(1).unwrap_err();
        assert!(error.to_string().starts_with("max_queued_calls is 0"), "{error}");
        let error = Counter::options(mode, (), 1).name("a\0b").init(1).unwrap_err();
        assert!(error.to_string().starts_with("name is"), "{error}");
    }

    fn the_default_number_of_workers_is_that_of_the_processors_where_each_has_one(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), Workers::Default).init(1).unwrap();
        let expected = match mode {
            ExecutionMode::Thread | ExecutionMode::Process => num_cpus::get(),
            _ => 1,
        };
        assert_eq!(counter.workers(), expected);
        assert_eq!(counter.add().result().unwrap(), 1);
    }

    fn an_empty_pool_of_limits_is_an_error(mode: ExecutionMode) {
        let none: Vec<LimitSet> = Vec::new();
        assert!(matches!(
            Counter::options(mode, LimitPool::new(none), 1).init(1),
            Err(InitError::UnusableLimits(LimitError::EmptyPool))
        ));
    }

    fn wrong_limits_are_an_error_of_init(mode: ExecutionMode) {
        let doubled = vec![ResourceLimit::new("doors", 1), ResourceLimit::new("doors", 2)];
        let error = Counter::options(mode, doubled, 1).init(1).unwrap_err();
        assert!(matches!(error, InitError::Limits(_)) && error.to_string().contains("doors"), "{error}");
    }

    fn a_call_after_stop_is_answered_with_stopped(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        counter.add().result().unwrap();
        counter.stop();
        assert!(matches!(counter.add().result(), Err(CallError::Stopped)));
        assert_eq!(counter.stats().workers, 0);
        counter.stop(); // once more does nothing
    }

    fn a_bound_of_restarts_in_no_time_is_an_error_of_init(mode: ExecutionMode) {
        let is_refused = |made: Result<CounterHandle, InitError>| {
            let error = made.unwrap_err();
            assert!(matches!(error, InitError::InvalidOption { option: "max_restarts", .. }), "{error:?}");
        };
        is_refused(Counter::options(mode, (), 1).max_restarts(3, Duration::ZERO).init(1));
        let mut config = Config::default();
        config.pool.max_restarts = Some(concurry::RestartLimit { count: 3, within: Duration::ZERO });
        with_config(config, || is_refused(Counter::options(mode, (), 1).init(1)));
    }

    fn draining_finishes_what_was_submitted(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let calls: Vec<_> = (0..50).map(|_| counter.add()).collect();
        assert!(counter.drain(Duration::MAX));
        assert!(calls.iter().all(Call::is_done));
        assert_eq!(gather(calls).result().unwrap().last(), Some(&50));
        assert!(matches!(counter.add().result(), Err(CallError::Stopped)));
    }

    fn dropping_the_last_handle_lets_the_queue_finish(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let other = counter.clone();
        let calls: Vec<_> = (0..50).map(|_| counter.add()).collect();
        drop(counter);
        let more = other.add();
        drop(other);
        assert_eq!(gather(calls).result().unwrap().last(), Some(&50));
        assert_eq!(more.result().unwrap(), 51);
    }

    fn statistics_count_what_was_done(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).name("counting").init(1).unwrap();
        gather((0..5).map(|_| counter.add()).collect::<Vec<_>>()).result().unwrap();
        counter.stop();
        let stats = counter.stats();
        assert_eq!((stats.name.as_str(), stats.mode, stats.done, stats.queued, stats.running), ("counting", mode, 5, 0, 0));
    }
}

every_mode_in_background! {
    fn stop_answers_what_waits_and_lets_what_runs_finish(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let runs = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        eventually(|| gate.stats().limits[0].waiting == 1);
        let waits: Vec<_> = (0..3).map(|_| acquirer.acquire(amounts([("gate", 1)]), vec![])).collect();
        let stopper = std::thread::spawn({
            let acquirer = acquirer.clone();
            move || acquirer.stop()
        });
        // In async mode the worker has taken the second call already, and holds it until the first has ended.
        let refused = if mode == ExecutionMode::Async { 2 } else { 3 };
        for call in waits.into_iter().rev().take(refused) {
            assert!(matches!(call.result(), Err(CallError::Stopped)));
        }
        assert!(!runs.is_done());
        drop(closed);
        runs.result().unwrap();
        stopper.join().unwrap();
        assert_eq!(acquirer.workers(), 0);
    }

    fn a_drain_that_takes_too_long_stops_the_rest(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let runs = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        eventually(|| gate.stats().limits[0].waiting == 1);
        let waits: Vec<_> = (0..3).map(|_| acquirer.acquire(amounts([("gate", 1)]), vec![])).collect();
        assert!(!acquirer.drain(Duration::ZERO));
        assert!(matches!(waits.into_iter().next_back().unwrap().result(), Err(CallError::Stopped)));
        drop(closed);
        runs.result().unwrap();
    }

    fn a_full_queue_holds_the_submitter_back(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).max_queued_calls(2).init().unwrap();
        let submitted = Arc::new(AtomicUsize::new(0));
        let submitter = std::thread::spawn({
            let (acquirer, submitted) = (acquirer.clone(), Arc::clone(&submitted));
            move || {
                let calls: Vec<_> = (0..10)
                    .map(|_| {
                        let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
                        submitted.fetch_add(1, Ordering::SeqCst);
                        call
                    })
                    .collect();
                gather(calls).result().unwrap().len()
            }
        });
        // One runs (in async mode one more is in the worker's hand) and two wait.
        eventually(|| gate.stats().limits[0].waiting == 1 && acquirer.stats().queued == 2);
        assert!(submitted.load(Ordering::SeqCst) <= 4);
        drop(closed);
        assert_eq!(submitter.join().unwrap(), 10);
    }

    fn workers_of_a_pool_work_side_by_side(mode: ExecutionMode) {
        // Two calls, each of which holds one of two doors while it waits for the gate: both doors are taken at once.
        let set = LimitSet::builder()
            .limit(ResourceLimit::new("doors", 2))
            .limit(ResourceLimit::new("gate", 1))
            .build()
            .unwrap();
        let closed = set.acquire([("gate", 1), ("doors", 0)]).unwrap();
        let acquirer = Acquirer::options(mode, &set, 2).init().unwrap();
        let held = || acquirer.hold(amounts([("doors", 1), ("gate", 0)]), amounts([("gate", 1), ("doors", 0)]));
        let calls = [held(), held()];
        eventually(|| set.stats().limit("doors").unwrap().in_use == 2);
        drop(closed);
        gather(calls).result().unwrap();
    }
}

#[test]
fn ray_is_said_not_to_be_there() {
    let error = Counter::options(ExecutionMode::Ray, (), 1).init(1).unwrap_err();
    assert!(matches!(error, InitError::Unsupported { mode: ExecutionMode::Ray, .. }), "{error}");
}

#[test]
fn sync_mode_has_one_worker() {
    let error = Counter::options(ExecutionMode::Sync, (), 2).init(1).unwrap_err();
    assert!(error.to_string().contains("exactly 1 worker"), "{error}");
}

#[test]
fn a_pool_of_which_one_worker_cannot_be_made_leaves_nothing_running() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let alive = Arc::new(AtomicUsize::new(0));
        let error = Counted::options(mode, (), 4).init(Arc::clone(&alive), 3).unwrap_err();
        assert!(error.to_string().contains("one too many"), "{error}");
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{mode}");
    }
}

#[test]
fn stopping_drops_the_workers() {
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async] {
        let alive = Arc::new(AtomicUsize::new(0));
        let workers = if mode == ExecutionMode::Sync { 1 } else { 3 };
        let counted = Counted::options(mode, (), workers).init(Arc::clone(&alive), 3).unwrap();
        assert_eq!(counted.alive().result().unwrap(), workers);
        counted.stop();
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{mode}");
    }
}

#[test]
fn a_runtime_that_is_shut_down_answers_its_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let meeting = {
        let _context = runtime.enter();
        Meeting::options(ExecutionMode::Async, (), 1).init(2).unwrap()
    };
    let lonely = meeting.meet();
    eventually(|| meeting.stats().running == 1);
    runtime.shutdown_background();
    assert!(matches!(lonely.result(), Err(CallError::Stopped)));
    assert!(matches!(meeting.meet().result(), Err(CallError::Stopped)));
}
