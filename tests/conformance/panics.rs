//! A panic in a method (SPEC §2): only that call gets it, and the worker goes on, made anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use concurry::clock::{Clock, ManualClock};
use concurry::prelude::*;

use super::workers::{Acquirer, Counter, amounts};
use super::{eventually, every_mode, gate, tests_in};

every_mode! {
    fn a_panic_reaches_its_caller_with_message_and_place(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        match counter.panic("ouch".into()).result() {
            Err(CallError::Panicked(panic)) => {
                assert_eq!(panic.message(), "ouch");
                assert!(panic.location().is_some_and(|place| place.contains("workers.rs:")), "{panic}");
            }
            other => panic!("{other:?}"),
        }
    }

    fn after_a_panic_the_worker_is_made_anew_and_goes_on(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(5).unwrap();
        assert_eq!(counter.add().result().unwrap(), 5);
        let queued: Vec<_> = std::iter::once(counter.panic("ouch".into())).chain((0..3).map(|_| counter.add())).collect();
        let outcomes = gather(queued).outcomes();
        assert!(matches!(outcomes[0], Err(CallError::Panicked(_))));
        let after: Vec<u64> = outcomes.into_iter().skip(1).map(Result::unwrap).collect();
        assert_eq!(after, [5, 10, 15], "the queue went on, on a new worker");
        assert_eq!(counter.stats().restarts, 1);
    }

    fn a_panic_in_an_async_method_is_the_same(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(5).unwrap();
        assert!(matches!(counter.panic_async("ouch".into()).result(), Err(CallError::Panicked(_))));
        assert_eq!(counter.count().result().unwrap(), 0);
    }

    fn a_panic_gives_back_what_was_acquired(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 2)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let call = acquirer.panic_while_holding(amounts([("doors", 2)]));
        assert!(matches!(call.result(), Err(CallError::Panicked(_))));
        drop(set.acquire([("doors", 2)]).unwrap());
        assert_eq!(set.stats().limit("doors").unwrap().in_use, 0);
    }
}

every_mode! {
    fn whoever_knows_of_a_panic_finds_a_new_worker(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        for _ in 0..100 {
            assert_eq!(counter.add().result().unwrap(), 1);
            assert!(matches!(counter.panic("ouch".into()).result(), Err(CallError::Panicked(_))));
            assert_eq!(counter.count().result().unwrap(), 0);
        }
    }

    fn when_the_budget_of_restarts_is_spent_every_call_is_told(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1)
            .max_restarts(2, Duration::from_secs(3600))
            .init(1)
            .unwrap();
        for _ in 0..2 {
            assert!(matches!(counter.panic("ouch".into()).result(), Err(CallError::Panicked(_))));
            assert_eq!(counter.count().result().unwrap(), 0);
        }
        // It is the third that is one too many.
        assert!(matches!(counter.panic("ouch".into()).result(), Err(CallError::Panicked(_))));
        for _ in 0..3 {
            let error = counter.count().result().unwrap_err();
            assert!(matches!(error, CallError::WorkerLost { .. }), "{error:?}");
            assert!(error.to_string().contains("made anew 2 times within"), "{error}");
        }
        assert_eq!(counter.stats().restarts, 2);
    }

    fn a_budget_of_restarts_is_one_of_its_time(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let hour = Duration::from_secs(3600);
        let counter = Counter::options(mode, (), 1)
            .max_restarts(1, hour)
            .clock(Arc::new(clock.clone()))
            .init(1)
            .unwrap();
        for _ in 0..3 {
            assert!(matches!(counter.panic("ouch".into()).result(), Err(CallError::Panicked(_))));
            assert_eq!(counter.count().result().unwrap(), 0);
            clock.advance(hour);
        }
    }
}

#[test]
fn the_budget_of_restarts_is_that_of_all_workers() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process] {
        let options = Counter::options(mode, (), 3).max_restarts(0, Duration::from_secs(3600));
        let counter = options.init(1).unwrap();
        assert!(matches!(counter.panic("ouch".into()).result(), Err(CallError::Panicked(_))));
        super::eventually(|| counter.count().result().is_err());
        for _ in 0..10 {
            let error = counter.count().result().unwrap_err();
            assert!(matches!(error, CallError::WorkerLost { .. }), "{mode}: {error:?}");
        }
    }
}

/// Cannot be made a few times after the first.
#[worker]
pub struct Stubborn {}

#[worker]
impl Stubborn {
    pub fn new(made: Arc<AtomicUsize>, failures: usize) -> Result<Self, String> {
        let before = made.fetch_add(1, Ordering::SeqCst);
        if (1..=failures).contains(&before) { Err(format!("number {before} failed")) } else { Ok(Self {}) }
    }

    pub fn here(&mut self, panics: bool) -> u64 {
        assert!(!panics, "on purpose");
        1
    }
}

#[test]
fn a_worker_that_is_made_anew_is_tried_three_times() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        three_tries(mode, 2);
        three_tries(mode, 3);
    }
}

fn three_tries(mode: ExecutionMode, failures: usize) {
    let (clock, made) = (ManualClock::new(), Arc::new(AtomicUsize::new(0)));
    let pool = Stubborn::options(mode, (), 1)
        .clock(Arc::new(clock.clone()))
        .init(Arc::clone(&made), failures)
        .unwrap();
    assert!(matches!(pool.here(true).result(), Err(CallError::Panicked(_))));
    let call = pool.here(false);
    // It is left alone for a while after each failure, and twice as long after the next.
    for wait in [50, 100].map(Duration::from_millis).into_iter().take(failures) {
        clock.wait_for_sleepers(1);
        assert_eq!(clock.next_wake(), Some(clock.now() + wait));
        clock.advance(wait);
    }
    let outcome = call.result();
    if failures < 3 {
        assert_eq!((outcome.unwrap(), made.load(Ordering::SeqCst)), (1, failures + 2));
    } else {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("number 3 failed") && made.load(Ordering::SeqCst) == 4, "{error}");
    }
}

/// Comes into being through a gate, and with the second of its pool in that folder its process ends.
#[worker]
pub struct Gated {}

#[worker]
impl Gated {
    pub async fn new(folder: Option<PathBuf>) -> Result<Self, LimitError> {
        drop(limits.acquire_async(()).await?);
        if let Some(folder) = folder {
            let before = std::fs::read_dir(&folder).unwrap().count();
            std::fs::write(folder.join(before.to_string()), "").unwrap();
            if before == 1 {
                std::process::abort();
            }
        }
        Ok(Self {})
    }

    pub fn one(&self, panics: bool) -> u64 {
        assert!(!panics, "on purpose");
        1
    }
}

/// For what never comes where it hangs.
const A_MINUTE: Duration = Duration::from_secs(60);

// In sync mode the caller makes it, and in async mode others may run on the one that panicked.
tests_in! {
    [thread: Thread, process: Process]
    fn a_panic_is_answered_before_the_worker_is_made_anew(mode: ExecutionMode) {
        let gate = gate();
        let pool = Gated::options(mode, &gate, 1).init(None).unwrap();
        for restarts in 1..=3 {
            gather((0..50).map(|_| pool.one(false)).collect::<Vec<_>>()).result().unwrap();
            let closed = gate.acquire(()).unwrap();
            let call = pool.one(true);
            let after: Vec<_> = (0..20).map(|_| pool.one(false)).collect();
            let outcome = call.result_timeout(A_MINUTE);
            assert!(matches!(outcome, Err(CallError::Panicked(_))), "{outcome:?}");
            eventually(|| gate.stats().limits[0].waiting == 1);
            assert!(after.iter().all(|call| !call.is_done()));
            drop(closed);
            assert_eq!(gather(after).result().unwrap(), [1; 20]);
            assert_eq!(pool.stats().restarts, restarts);
        }
    }

    fn what_waits_behind_a_panic_runs_on_another_worker(mode: ExecutionMode) {
        let gate = gate();
        let pool = Gated::options(mode, &gate, 2).init(None).unwrap();
        gather((0..200).map(|_| pool.one(false)).collect::<Vec<_>>()).result().unwrap();
        let closed = gate.acquire(()).unwrap();
        let call = pool.one(true);
        let after: Vec<_> = (0..20).map(|_| pool.one(false)).collect();
        assert!(matches!(call.result_timeout(A_MINUTE), Err(CallError::Panicked(_))));
        for call in after {
            assert_eq!(call.result_timeout(A_MINUTE).unwrap(), 1);
        }
        drop(closed);
    }
}

#[test]
fn a_process_that_ends_as_its_worker_is_made_anew_takes_no_call_along() {
    let folder = std::env::temp_dir().join(format!("concurry-gated-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pool = Gated::options(ExecutionMode::Process, (), 1).init(Some(folder.clone())).unwrap();
    let calls = [pool.one(true), pool.one(false), pool.one(false)];
    let outcomes = gather(calls).outcomes();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(outcomes[0], Err(CallError::Panicked(_))), "{outcomes:?}");
    assert!(outcomes[1..].iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(pool.stats().restarts, 2, "in its process, and in another one");
}
