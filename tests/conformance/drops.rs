//! A panic in the `Drop` of what a call brings or leaves behind: it is logged, and harms nobody else.

use std::sync::Arc;
use std::time::Duration;

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

use super::workers::{Amounts, amounts};
use super::{eventually, every_mode, every_mode_in_background, gate};

/// Panics when it is dropped. As an error too.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("a bomb")]
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb was dropped");
    }
}

/// Panics when it is read in the process of the test.
#[derive(Debug, Serialize)]
pub struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("it cannot be read")
    }
}

/// Takes bombs and makes them.
#[worker]
#[derive(Default)]
pub struct Bombs {
    runs: u64,
}

#[worker]
impl Bombs {
    pub fn runs(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    pub fn wait(&mut self, amounts: Amounts) {
        drop(self.limits.acquire(amounts));
    }

    pub fn take(&mut self, bomb: Bomb) {
        std::mem::forget(bomb);
    }

    pub async fn take_async(&mut self, bomb: Bomb) {
        std::mem::forget(bomb);
    }

    pub fn make(&mut self, amounts: Amounts) -> Bomb {
        drop(self.limits.acquire(amounts));
        Bomb
    }

    pub async fn make_async(&self, amounts: Amounts) -> Bomb {
        drop(self.limits.acquire_async(amounts).await);
        Bomb
    }

    pub fn fail(&mut self, amounts: Amounts) -> Result<(), Bomb> {
        drop(self.limits.acquire(amounts));
        Err(Bomb)
    }

    /// Never good enough.
    #[retry(attempts = 2, wait = Duration::ZERO, until = |_: &Bomb| false)]
    pub fn reject(&self) -> Bomb {
        Bomb
    }

    /// Fails once.
    #[retry(attempts = 2, wait = Duration::ZERO)]
    pub fn fail_once(&mut self) -> Result<u64, Bomb> {
        self.runs += 1;
        if self.runs == 1 { Err(Bomb) } else { Ok(self.runs) }
    }

    pub fn unreadable(&self) -> Unreadable {
        Unreadable
    }
}

fn bombs(mode: ExecutionMode, limits: &LimitSet) -> BombsHandle {
    Bombs::options(mode, limits, 1).init().unwrap()
}

/// The pool still does what it is there for, and nothing is left behind.
fn goes_on(bombs: &BombsHandle) {
    let (before, after) = (bombs.runs().result().unwrap(), bombs.runs().result().unwrap());
    assert_eq!(after, before + 1);
    eventually(|| bombs.stats().running == 0);
    bombs.stop();
    let stats = bombs.stats();
    assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0), "{stats:?}");
}

every_mode_in_background! {
    fn arguments_of_a_cancelled_call(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let bombs = bombs(mode, &gate);
        let first = bombs.wait(amounts([("gate", 1)]));
        let cancelled = [bombs.take(Bomb), bombs.take_async(Bomb)];
        assert!(cancelled.iter().all(Call::cancel));
        drop(closed);
        first.result().unwrap();
        goes_on(&bombs);
    }

    fn results_and_errors_that_nobody_wants(mode: ExecutionMode) {
        let gate = gate();
        let bombs = bombs(mode, &gate);
        for cancelled in [true, false] {
            let closed = gate.acquire(()).unwrap();
            let amounts = || amounts([("gate", 1)]);
            let made = [bombs.make(amounts()), bombs.make_async(amounts()), bombs.make_async(Vec::new())];
            let failed = bombs.fail(amounts());
            eventually(|| gate.stats().limits[0].waiting >= 1);
            if cancelled {
                assert!(made.iter().all(Call::cancel));
                assert!(failed.cancel());
            }
            drop((made, failed));
            drop(closed);
            bombs.runs().result().unwrap();
        }
        goes_on(&bombs);
    }

    fn arguments_of_calls_that_are_answered_with_stopped(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let bombs = bombs(mode, &gate);
        let first = bombs.wait(amounts([("gate", 1)]));
        eventually(|| gate.stats().limits[0].waiting == 1);
        let queued: Vec<_> = (0..3).map(|_| bombs.take(Bomb)).collect();
        assert!(!bombs.drain(Duration::ZERO));
        assert!(matches!(queued.into_iter().next_back().unwrap().result(), Err(CallError::Stopped)));
        drop(closed);
        first.result().unwrap();
        eventually(|| bombs.workers() == 0);
    }
}

every_mode! {
    fn arguments_and_results_arrive(mode: ExecutionMode) {
        let bombs = bombs(mode, &gate());
        bombs.take(Bomb).result().unwrap();
        bombs.take_async(Bomb).result().unwrap();
        std::mem::forget(bombs.make(Vec::new()).result().unwrap());
        std::mem::forget(bombs.make_async(Vec::new()).result().unwrap());
        let error = bombs.fail(Vec::new()).result().unwrap_err();
        assert!(matches!(error, CallError::Failed(_)), "{error}");
        std::mem::forget(error);
        goes_on(&bombs);
    }

    fn a_result_of_a_call_that_was_dropped(mode: ExecutionMode) {
        let bombs = bombs(mode, &gate());
        drop((bombs.make(Vec::new()), bombs.make_async(Vec::new()), bombs.fail(Vec::new())));
        goes_on(&bombs);
    }

    fn arguments_of_a_call_after_stop(mode: ExecutionMode) {
        let bombs = bombs(mode, &gate());
        bombs.stop();
        assert!(matches!(bombs.take(Bomb).result(), Err(CallError::Stopped)));
    }

    fn what_attempts_leave_behind(mode: ExecutionMode) {
        let bombs = bombs(mode, &gate());
        assert!(matches!(bombs.reject().result(), Err(CallError::RetriesExhausted(_))));
        assert_eq!(bombs.fail_once().result().unwrap(), 2);
        goes_on(&bombs);
    }

    fn what_a_chain_does_not_need(mode: ExecutionMode) {
        let bombs = bombs(mode, &gate());
        let bomb = Arc::new(Bomb);
        let chained = bombs.fail(Vec::new()).map_err(std::mem::forget).map(move |()| drop(bomb));
        assert!(matches!(chained.result(), Err(CallError::Failed(()))));
        goes_on(&bombs);
    }
}

#[test]
fn a_result_whose_reading_panics() {
    let bombs = bombs(ExecutionMode::Process, &gate());
    let outcome = bombs.unreadable().result();
    match outcome {
        Err(CallError::NotSent(error)) => assert!(error.to_string().contains("it cannot be read"), "{error}"),
        other => panic!("{other:?}"),
    }
    goes_on(&bombs);
}
