//! Chains of any length, on a stack of any size.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use concurry_core::call::{Call, CallError, Promise, channel};

const LINKS: u64 = 100_000;

fn chain() -> (Promise<u64, Infallible>, Call<u64>) {
    let (promise, call) = channel();
    (promise, (0..LINKS).fold(call, |call, _| call.map(|n| n + 1)))
}

#[test]
fn a_long_chain_is_answered() {
    let (promise, last) = chain();
    promise.complete(Ok(0));
    assert_eq!(last.result().unwrap(), LINKS);
}

#[test]
fn the_first_of_a_long_chain_is_told_that_the_last_was_cancelled() {
    let (promise, last) = chain();
    assert!(last.cancel());
    assert!(!promise.is_open());
    drop(promise);
    assert!(matches!(last.result(), Err(CallError::Cancelled)));
}

#[test]
fn a_long_chain_that_nobody_answers_or_wants_is_dropped() {
    let (promise, last) = chain();
    drop(promise);
    assert!(matches!(last.result(), Err(CallError::Stopped)));
    let (promise, last) = chain();
    drop(last);
    drop(promise);
}

#[test]
fn a_call_that_goes_on_and_on() {
    fn steps(n: u64) -> Call<u64> {
        let (promise, call) = channel();
        promise.complete(Ok(n));
        if n == LINKS { call } else { call.and_then(|n| steps(n + 1)) }
    }
    assert_eq!(steps(0).result().unwrap(), LINKS);
}

#[test]
fn a_panic_in_the_middle_harms_neither_this_chain_nor_the_next() {
    for _ in 0..2 {
        let (promise, call) = channel::<u64, Infallible>();
        let last = call.map(|n| n).map(|_| -> u64 { panic!("in the middle") }).map(|n| n);
        last.on_done(|_| panic!("at the end"));
        promise.complete(Ok(1));
        assert!(matches!(last.result(), Err(CallError::Panicked(_))));
    }
    let (promise, last) = chain();
    promise.complete(Ok(0));
    assert_eq!(last.result().unwrap(), LINKS);
}

#[test]
fn a_closure_of_a_chain_may_wait_for_another_chain() {
    let (promise, call) = channel::<u64, Infallible>();
    let last = call.map(|n| {
        let (promise, other) = channel::<u64, Infallible>();
        let other = other.map(|n| n + 1).map(|n| n + 1);
        promise.complete(Ok(n));
        other.result().unwrap()
    });
    promise.complete(Ok(1));
    assert_eq!(last.result().unwrap(), 3);
}

#[test]
fn all_that_a_chain_held_is_dropped() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (promise, mut call) = channel::<u64, Infallible>();
    for _ in 0..1_000 {
        let counted = Counted(Arc::clone(&dropped));
        call = call.map(move |n| {
            drop(counted);
            n
        });
    }
    assert!(call.cancel());
    drop(promise);
    assert_eq!(dropped.load(Ordering::SeqCst), 1_000);
}
