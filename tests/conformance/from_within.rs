//! A pool that is used from within: by its own methods, and by callbacks that run on its own threads.

use std::sync::mpsc;
use std::time::Duration;

use concurry::prelude::*;

use super::workers::{Acquirer, AcquirerHandle, amounts};
use super::{eventually, every_mode_in_background, gate};

/// Uses its own pool. A handle cannot travel: this worker cannot run in processes.
#[worker]
#[derive(Default)]
pub struct Insider;

#[worker]
impl Insider {
    /// Stops its pool, or drains it.
    pub fn end(&self, own: InsiderHandle, drain: bool) -> bool {
        if drain {
            own.drain(Duration::MAX)
        } else {
            own.stop();
            true
        }
    }

    pub async fn end_async(&mut self, own: InsiderHandle, drain: bool) -> bool {
        tokio::task::yield_now().await;
        self.end(own, drain)
    }

    /// Submits more than there is room for.
    pub fn fill(&mut self, own: InsiderHandle) -> Vec<Call<()>> {
        (0..3).map(|_| own.nothing()).collect()
    }

    pub async fn fill_async(&mut self, own: InsiderHandle) -> Vec<Call<()>> {
        tokio::task::yield_now().await;
        self.fill(own)
    }

    /// `&mut self`, so that it does not run meanwhile.
    pub fn nothing(&mut self) {}
}

#[test]
fn a_method_that_ends_its_own_pool_does_not_wait_for_itself() {
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async] {
        for (drain, is_async) in [(false, false), (false, true), (true, false), (true, true)] {
            let own = Insider::options(mode, (), 1).init().unwrap();
            let call = if is_async { own.end_async(own.clone(), drain) } else { own.end(own.clone(), drain) };
            assert_eq!(call.result().unwrap(), !drain, "{mode}");
            eventually(|| own.workers() == 0);
            assert!(matches!(own.nothing().result(), Err(CallError::Stopped)));
        }
    }
}

#[test]
fn a_method_that_fills_its_own_pool_is_told_so() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        for is_async in [false, true] {
            let own = Insider::options(mode, (), 1).max_queued_calls(1).init().unwrap();
            let call = if is_async { own.fill_async(own.clone()) } else { own.fill(own.clone()) };
            is_filled(call.result().unwrap());
            own.nothing().result().unwrap();
        }
    }
}

/// One had room.
fn is_filled<T: std::fmt::Debug, E: std::fmt::Debug>(calls: Vec<Call<T, E>>) {
    let outcomes: Vec<_> = calls.into_iter().map(Call::result).collect();
    assert!(
        matches!(&outcomes[..], [Ok(_), Err(CallError::WouldDeadlock), Err(CallError::WouldDeadlock)]),
        "{outcomes:?}"
    );
}

/// Runs `callback` on the thread of the pool that ends a call, and returns what it makes.
fn in_callback<R: Send + 'static>(
    mode: ExecutionMode,
    callback: impl FnOnce(&AcquirerHandle) -> R + Send + 'static,
) -> (AcquirerHandle, R) {
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let acquirer = Acquirer::options(mode, &gate, 1).max_queued_calls(1).init().unwrap();
    let (tell, told) = mpsc::channel();
    let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
    let own = acquirer.clone();
    call.on_done(move |_| tell.send(callback(&own)).unwrap());
    drop(closed);
    let made = told.recv().unwrap();
    call.result().unwrap();
    (acquirer, made)
}

every_mode_in_background! {
    fn a_callback_that_stops_the_pool_does_not_wait_for_itself(mode: ExecutionMode) {
        let (acquirer, ()) = in_callback(mode, |own| own.stop());
        eventually(|| acquirer.workers() == 0);
    }

    fn a_callback_that_drains_the_pool_leaves_what_was_submitted(mode: ExecutionMode) {
        let (acquirer, (drained, call)) = in_callback(mode, |own| {
            let call = own.process_id();
            (own.drain(Duration::MAX), call)
        });
        assert!(!drained);
        call.result().unwrap();
        eventually(|| acquirer.workers() == 0);
    }

    fn a_callback_that_fills_the_pool_is_told_so(mode: ExecutionMode) {
        let (acquirer, calls) = in_callback(mode, |own| (0..3).map(|_| own.try_acquire(vec![])).collect::<Vec<_>>());
        is_filled(calls);
        acquirer.process_id().result().unwrap();
    }
}

#[test]
fn a_drain_of_sync_mode_does_not_wait_longer_than_it_is_told() {
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let acquirer = Acquirer::options(ExecutionMode::Sync, &gate, 1).init().unwrap();
    let other = std::thread::spawn({
        let acquirer = acquirer.clone();
        move || acquirer.acquire(amounts([("gate", 1)]), vec![]).result()
    });
    eventually(|| gate.stats().limits[0].waiting == 1);
    assert!(!acquirer.drain(Duration::ZERO));
    assert_eq!((acquirer.stats().running, acquirer.workers()), (1, 1));
    drop(closed);
    other.join().unwrap().unwrap();
    assert_eq!(acquirer.workers(), 0, "the last to leave has ended the worker");
}
