//! The cell of a call under races: whatever happens, one outcome, and everyone who waits is told.

#![allow(missing_docs, reason = "a test is its own documentation")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use concurry_core::batch::gather;
use concurry_core::call::{CallError, channel};

const ROUNDS: usize = 2_000;

#[test]
fn of_completion_and_cancellation_exactly_one_wins() {
    let (mut completed, mut cancelled) = (0, 0);
    for _ in 0..ROUNDS {
        let (promise, call) = channel::<u32, Infallible>();
        let barrier = Barrier::new(2);
        let won = std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                promise.complete(Ok(1));
            });
            barrier.wait();
            call.cancel()
        });
        match (won, call.result()) {
            (false, Ok(1)) => completed += 1,
            (true, Err(CallError::Cancelled)) => cancelled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(completed + cancelled, ROUNDS);
}

#[test]
fn a_waiter_is_woken_however_the_call_ends() {
    for round in 0..ROUNDS {
        let (promise, call) = channel::<u32, Infallible>();
        let worker =
            std::thread::spawn(move || if round % 2 == 0 { promise.complete(Ok(7)) } else { drop(promise) });
        match call.result() {
            Ok(7) => assert_eq!(round % 2, 0),
            Err(CallError::Stopped) => assert_eq!(round % 2, 1),
            other => panic!("{other:?}"),
        }
        worker.join().unwrap();
    }
}

#[test]
fn each_callback_runs_once_whenever_it_was_added() {
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..ROUNDS {
        let (promise, call) = channel::<u32, Infallible>();
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                promise.complete(Ok(1));
            });
            barrier.wait();
            for _ in 0..3 {
                let ran = Arc::clone(&ran);
                call.on_done(move |_| {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(call.result().unwrap(), 1);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 3 * ROUNDS);
}

#[test]
fn a_batch_that_is_completed_by_many_threads_is_whole() {
    let (promises, calls): (Vec<_>, Vec<_>) = (0..10_000u32)
        .map(|n| {
            let (promise, call) = channel::<u32, Infallible>();
            ((n, promise), call)
        })
        .unzip();
    let mut promises = promises.into_iter();
    let parts: Vec<Vec<_>> = (0..4).map(|_| promises.by_ref().take(2_500).collect()).collect();
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || part.into_iter().rev().for_each(|(n, promise)| promise.complete(Ok(n))));
        }
        assert_eq!(gather(calls).result().unwrap(), (0..10_000).collect::<Vec<_>>());
    });
}

#[test]
fn a_wait_that_timed_out_can_be_repeated() {
    let (promise, call) = channel::<u32, Infallible>();
    for _ in 0..3 {
        assert!(matches!(call.result_timeout(Duration::from_micros(50)), Err(CallError::Timeout)));
    }
    promise.complete(Ok(5));
    assert_eq!(call.result_timeout(Duration::ZERO).unwrap(), 5);
}
