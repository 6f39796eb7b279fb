//! A panic in the `Drop` of an outcome or a closure ends in the log.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use concurry_core::call::{Call, CallError, Promise, channel};
use concurry_core::clock::{Clock, ManualClock, Timestamp};

#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb was dropped");
    }
}

fn call() -> (Promise<Bomb, Bomb>, Call<Bomb, Bomb>) {
    channel()
}

#[test]
fn an_outcome_that_comes_too_late() {
    let (promise, call) = call();
    assert!(call.cancel());
    promise.complete(Ok(Bomb));
    assert!(matches!(call.result(), Err(CallError::Cancelled)));
}

#[test]
fn an_outcome_that_nobody_takes() {
    let (promise, unwanted) = call();
    drop(unwanted);
    promise.complete(Err(CallError::Failed(Bomb)));
    let (promise, unwanted) = call();
    promise.complete(Ok(Bomb));
    drop(unwanted);
}

#[test]
fn what_a_chain_holds_and_does_not_need() {
    let (promise, source) = channel::<u64, u64>();
    let bomb = Bomb;
    let chained = source.map(move |_| drop(bomb));
    promise.complete(Err(CallError::Failed(7)));
    assert_eq!(chained.result().unwrap_err().into_failed(), Some(7), "the error that it had, not the panic");

    let (promise, source) = call();
    let bomb = Bomb;
    let chained = source.map(move |_| drop(bomb));
    assert!(chained.cancel());
    promise.complete(Ok(Bomb));
    assert!(matches!(chained.result(), Err(CallError::Cancelled)));
}

#[test]
fn what_was_panicked_with() {
    let (promise, source) = channel::<u64, u64>();
    let chained: Call<u64, u64> = source.map(|_| std::panic::panic_any(Bomb));
    promise.complete(Ok(1));
    assert!(matches!(chained.result(), Err(CallError::Panicked(_))));
}

/// A waker that is nothing but dropped.
struct Last;

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Last {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the last of its wakers was dropped");
    }
}

#[test]
fn a_waker_that_nobody_wakes() {
    drop(ManualClock::new().wake_at(Timestamp::from_nanos(1), Waker::from(Arc::new(Last))));

    let (promise, call) = channel::<u64, u64>();
    let left = Arc::new(Last);
    assert!(promise.wake_when_cancelled(&Waker::from(Arc::clone(&left))));
    // The call has the last one now.
    assert!(Arc::into_inner(left).is_none());
    promise.complete(Ok(1));
    assert_eq!(call.result().unwrap(), 1);

    let (_promise, mut call) = channel::<u64, u64>();
    let left = Arc::new(Last);
    assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&left)))).is_pending());
    assert!(Arc::into_inner(left).is_none());
    drop(call);
}
