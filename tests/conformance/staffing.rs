//! How many workers a pool has: `resize` and `on_demand` (SPEC §2). Time stands on a manual clock.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::{eventually, every_mode_in_background, gate};

const IDLE: Duration = Duration::from_secs(60);
const MONTHS: Duration = Duration::from_secs(10_000_000);

/// Tells which worker it is, at once or when the test lets it through.
#[worker]
#[derive(Default)]
pub struct Staff {}

#[worker]
impl Staff {
    pub fn number(&mut self) -> usize {
        self.limits.worker_index()
    }

    pub fn wait(&mut self) -> usize {
        drop(self.limits.acquire([("gate", 1)]).unwrap());
        self.limits.worker_index()
    }

    /// The same, beside others.
    pub async fn wait_beside(&self) -> usize {
        drop(self.limits.acquire_async([("gate", 1)]).await.unwrap());
        self.limits.worker_index()
    }

    #[retry(attempts = 2, wait = MONTHS, max_wait = MONTHS)]
    pub fn fail_once(&mut self) -> Result<u64, String> {
        let left = self.limits[0].stats().limits.iter().map(|limit| limit.available).sum();
        match self.limits.try_acquire([("tries", 1)]) {
            Ok(tried) => {
                std::mem::forget(tried);
                Err(format!("{left} left"))
            }
            Err(_) => Ok(left),
        }
    }
}

fn waiting(set: &LimitSet) -> usize {
    set.stats().limit("gate").unwrap().waiting
}

every_mode_in_background! {
    fn a_pool_grows_and_what_waits_is_run_by_the_new_workers(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Staff::options(mode, &gate, 1).init().unwrap();
        let calls: Vec<_> = (0..3).map(|_| pool.wait()).collect();
        eventually(|| waiting(&gate) == 1);
        pool.resize(3).unwrap();
        eventually(|| waiting(&gate) == 3);
        assert_eq!((pool.workers(), pool.stats().queued), (3, 0));
        drop(held);
        let numbers: HashSet<usize> = gather(calls).result().unwrap().into_iter().collect();
        assert_eq!(numbers.len(), 3);
    }

    fn a_pool_shrinks_and_loses_no_call(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Staff::options(mode, &gate, 3).load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let calls: Vec<_> = (0..30).map(|_| pool.wait()).collect();
        eventually(|| waiting(&gate) == 3);
        pool.resize(1).unwrap();
        drop(held);
        assert_eq!(gather(calls).result().unwrap().len(), 30);
        eventually(|| pool.workers() == 1);
        let left = pool.number().result().unwrap();
        assert!((0..20).all(|_| pool.number().result().unwrap() == left));
    }

    fn idle_workers_leave_when_a_pool_shrinks_and_come_back_when_it_grows(mode: ExecutionMode) {
        let pool = Staff::options(mode, (), 4).init().unwrap();
        for workers in [1, 4, 2, 3] {
            pool.resize(workers).unwrap();
            eventually(|| pool.workers() == workers);
            let calls: Vec<_> = (0..20).map(|_| pool.number()).collect();
            assert_eq!(gather(calls).result().unwrap().len(), 20);
        }
        pool.stop();
        assert_eq!(pool.workers(), 0);
    }

    fn no_workers_is_an_error(mode: ExecutionMode) {
        let pool = Staff::options(mode, (), 1).init().unwrap();
        let error = pool.resize(0).unwrap_err().to_string();
        assert!(error.contains("at least one"), "{error}");
        assert_eq!(pool.number().result().unwrap(), 0);
    }

    fn more_workers_than_can_be_are_an_error(mode: ExecutionMode) {
        let error = Staff::options(mode, (), usize::MAX).init().unwrap_err().to_string();
        assert!(error.contains("max_workers is 18446744073709551615"), "{error}");
        let pool = Staff::options(mode, (), 1).init().unwrap();
        let error = pool.resize(usize::MAX).unwrap_err().to_string();
        assert!(error.contains("workers is 18446744073709551615"), "{error}");
        assert_eq!((pool.number().result().unwrap(), pool.workers()), (0, 1));
        // Where they come with calls, that is no bound.
        let pool = Staff::options(mode, (), usize::MAX).on_demand(IDLE).init().unwrap();
        pool.resize(usize::MAX).unwrap();
        assert_eq!((pool.number().result().unwrap(), pool.workers()), (0, 1));
    }

    fn a_pool_that_has_ended_does_not_grow(mode: ExecutionMode) {
        let pool = Staff::options(mode, (), 1).init().unwrap();
        pool.stop();
        let error = pool.resize(2).unwrap_err().to_string();
        assert!(error.contains("stopped"), "{error}");
        assert_eq!(pool.workers(), 0);
    }

    fn a_call_that_nobody_is_there_for_is_not_put_behind_another_however_calls_are_spread(mode: ExecutionMode) {
        use LoadBalancing::{LeastActive, LeastTotal, Random, RoundRobin, SharedQueue};
        for balancing in [SharedQueue, RoundRobin, LeastActive, LeastTotal, Random] {
            let gate = gate();
            let held = gate.acquire(()).unwrap();
            let pool = Staff::options(mode, &gate, 4).on_demand(IDLE).load_balancing(balancing).init().unwrap();
            let mut slow = vec![pool.wait()];
            eventually(|| waiting(&gate) == 1);
            // These come at once.
            slow.extend([pool.wait(), pool.wait()]);
            eventually(|| waiting(&gate) == 3);
            assert_eq!(pool.number().result().unwrap(), 3, "{balancing:?}");
            drop(held);
            let numbers: HashSet<usize> = gather(slow).result().unwrap().into_iter().collect();
            assert_eq!(numbers.len(), 3);
        }
    }

    fn workers_come_with_calls_and_go_when_none_comes(mode: ExecutionMode) {
        let (gate, clock) = (gate(), ManualClock::new());
        let held = gate.acquire(()).unwrap();
        let pool = Staff::options(mode, &gate, 3).on_demand(IDLE).clock(Arc::new(clock.clone())).init().unwrap();
        assert_eq!(pool.workers(), 1);
        let calls: Vec<_> = (0..5).map(|_| pool.wait()).collect();
        eventually(|| waiting(&gate) == 3);
        assert_eq!((pool.workers(), pool.stats().queued), (3, 2));
        drop(held);
        gather(calls).result().unwrap();
        eventually(|| pool.stats().running == 0 && clock.next_wake().is_some());
        clock.advance(IDLE / 2);
        pool.number().result().unwrap();
        eventually(|| {
            clock.advance(IDLE);
            pool.workers() == 0
        });
        assert_eq!(pool.number().result().unwrap(), 0);
        assert_eq!(pool.workers(), 1);
        pool.stop();
        assert!(matches!(pool.number().result(), Err(CallError::Stopped)));
    }

    fn a_pool_on_demand_that_may_have_more_workers_has_them_for_what_waits(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Staff::options(mode, &gate, 1).on_demand(IDLE).init().unwrap();
        let calls: Vec<_> = (0..3).map(|_| pool.wait()).collect();
        eventually(|| waiting(&gate) == 1 && pool.stats().queued == 2);
        pool.resize(9).unwrap();
        eventually(|| waiting(&gate) == 3);
        assert_eq!(pool.workers(), 3);
        drop(held);
        gather(calls).result().unwrap();
    }

    fn a_call_that_comes_back_to_a_pool_without_workers_has_one_made(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let set = LimitSet::builder().limit(ResourceLimit::new("tries", 1)).build().unwrap();
        let pool = Staff::options(mode, &set, 2).on_demand(IDLE).clock(Arc::new(clock.clone())).init().unwrap();
        let call = pool.fail_once();
        eventually(|| pool.stats().retried == 1);
        // In a process, what the method forgot to release is held as long as the child lives.
        eventually(|| {
            if pool.workers() > 0 {
                clock.advance(Duration::from_secs(1));
            }
            pool.workers() == 0
        });
        assert!(!call.is_done());
        clock.advance(MONTHS);
        let outcome = call.result();
        assert!(outcome.is_ok() || matches!(outcome, Err(CallError::RetriesExhausted(_))), "{outcome:?}");
    }
}

/// Can be made once.
#[worker]
pub struct Once {}

#[worker]
impl Once {
    pub fn new(made: Arc<AtomicUsize>) -> Result<Self, String> {
        let before = made.fetch_add(1, Ordering::SeqCst);
        if before == 0 || before > 3 { Ok(Self {}) } else { Err(format!("number {before} cannot be made")) }
    }

    pub fn here(&self) {}
}

#[test]
fn a_worker_that_cannot_be_made_when_a_call_comes_is_the_error_of_that_call() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let clock = ManualClock::new();
        let pool = Once::options(mode, (), 1)
            .on_demand(IDLE)
            .clock(Arc::new(clock.clone()))
            .init(Arc::default())
            .unwrap();
        eventually(|| {
            clock.advance(IDLE);
            pool.workers() == 0
        });
        for number in 1..=3 {
            let error = pool.here().result().unwrap_err().to_string();
            assert!(error.contains(&format!("number {number} cannot be made")), "{error}");
            eventually(|| pool.workers() == 0);
        }
        pool.here().result().unwrap();
    }
}

#[test]
fn a_worker_that_cannot_be_made_leaves_a_pool_as_it_was() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let pool = Once::options(mode, (), 1).init(Arc::default()).unwrap();
        let error = pool.resize(2).unwrap_err().to_string();
        assert!(error.contains("cannot be made"), "{error}");
        eventually(|| pool.workers() == 1);
        pool.here().result().unwrap();
    }
}

#[test]
fn sync_mode_has_its_one_worker() {
    let pool = Staff::options(ExecutionMode::Sync, (), 1).on_demand(IDLE).init().unwrap();
    assert_eq!(pool.number().result().unwrap(), 0);
    pool.resize(1).unwrap();
    assert!(pool.resize(2).unwrap_err().to_string().contains("exactly 1"));
}

#[test]
fn a_worker_whose_methods_run_is_not_idle() {
    let (gate, clock) = (gate(), ManualClock::new());
    let held = gate.acquire(()).unwrap();
    let options = Staff::options(ExecutionMode::Async, &gate, 1).on_demand(IDLE);
    let pool = options.clock(Arc::new(clock.clone())).init().unwrap();
    let first = pool.wait_beside();
    eventually(|| waiting(&gate) == 1 && clock.next_wake().is_some());
    clock.advance(IDLE * 2);
    // It has looked once more.
    eventually(|| clock.next_wake().is_some() || pool.stats().worker_states.leaving > 0);
    let second = pool.wait_beside();
    eventually(|| waiting(&gate) == 2);
    assert_eq!(pool.workers(), 1);
    drop(held);
    assert_eq!((first.result().unwrap(), second.result().unwrap()), (0, 0));
    eventually(|| pool.stats().running == 0);
    clock.advance(IDLE / 2);
    assert_eq!(pool.stats().worker_states.leaving, 0, "it is idle since then");
    eventually(|| {
        clock.advance(IDLE);
        pool.workers() == 0
    });
}

/// All but the third can be made.
#[worker]
pub struct NotTheThird {}

#[worker]
impl NotTheThird {
    pub fn new(made: Arc<AtomicUsize>) -> Result<Self, String> {
        if made.fetch_add(1, Ordering::SeqCst) == 2 { Err("the third".to_owned()) } else { Ok(Self {}) }
    }

    pub fn wait(&mut self, key: &'static str) {
        let other = if key == "first" { "second" } else { "first" };
        drop(self.limits.acquire([(key, 1), (other, 0)]).unwrap());
    }

    pub fn panic_later(&mut self) {
        self.wait("first");
        panic!("on purpose");
    }
}

#[test]
fn what_waits_when_a_worker_on_demand_is_lost_has_another_made() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let builder = LimitSet::builder().limit(ResourceLimit::new("first", 1));
        let set = builder.limit(ResourceLimit::new("second", 1)).build().unwrap();
        let waiting = |key| set.stats().limit(key).unwrap().waiting;
        let (first, second) =
            (set.acquire([("first", 1), ("second", 0)]), set.acquire([("second", 1), ("first", 0)]));
        let mut config = Config::default();
        config.pool.restart_tries = Some(1);
        let options = || NotTheThird::options(mode, &set, 2).on_demand(IDLE).init(Arc::default());
        let pool = with_config(config, options).unwrap();
        let panics = pool.panic_later();
        eventually(|| waiting("first") == 1);
        let holds = pool.wait("second");
        eventually(|| waiting("second") == 1);
        // In async mode this one finds out that the worker cannot be made anew.
        let (found_out, waits) = (pool.wait("first"), pool.wait("first"));
        drop(first);
        assert!(matches!(panics.result(), Err(CallError::Panicked(_))));
        found_out.result().ok();
        waits.result().unwrap();
        assert!(!holds.is_done());
        drop(second);
        holds.result().unwrap();
    }
}
