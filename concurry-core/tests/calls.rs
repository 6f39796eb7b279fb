//! The cell of a call under races: whatever happens, one outcome, and everyone who waits is told.

#![allow(missing_docs, reason = "a test is its own documentation")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use concurry_core::batch::{as_completed, gather};
use concurry_core::call::{Call, CallError, Explanation, channel};
use concurry_core::park::block_on;

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

#[test]
fn a_call_that_was_done_when_it_was_made_is_like_any_other() {
    let ended = |outcome| Call::<u32, String>::ended(outcome);
    assert!(ended(Ok(1)).is_done() && !ended(Ok(1)).cancel() && !ended(Ok(1)).cancel_hard());
    assert!(matches!(ended(Ok(1)).explain(), Explanation::Done));
    assert_eq!([ended(Ok(1)).result().unwrap(), block_on(ended(Ok(2))).unwrap()], [1, 2]);
    let asked = ended(Ok(3));
    assert_eq!(asked.result_timeout(Duration::ZERO).unwrap(), 3);
    assert!(matches!(asked.result_timeout(Duration::ZERO), Err(CallError::Taken)));
    assert!(matches!(asked.result(), Err(CallError::Taken)));
    assert_eq!(ended(Ok(4)).map(|n| n + 1).result().unwrap(), 5);
    assert_eq!(ended(Ok(4)).and_then(move |n| ended(Ok(n + 2))).result().unwrap(), 6);
    let failed = || ended(Err(CallError::Failed("no".to_owned())));
    assert_eq!(failed().map_err(|text| text.len()).result().unwrap_err().into_failed(), Some(2));
    let outcomes = gather([ended(Ok(7)), failed()]).outcomes();
    assert!(matches!(outcomes[..], [Ok(7), Err(CallError::Failed(_))]));
    assert!(gather([ended(Ok(7)), failed()]).result().is_err());
    assert_eq!(as_completed([ended(Ok(8))]).map(|(_, outcome)| outcome.unwrap()).collect::<Vec<_>>(), [8]);
}

#[test]
fn a_callback_of_a_call_that_was_done_when_it_was_made_runs_and_leaves_it_its_outcome() {
    let (called, owned) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    let call = Call::<_, Infallible>::ended(Ok(Arc::clone(&owned)));
    for _ in 0..2 {
        let called = Arc::clone(&called);
        call.on_done(move |outcome| {
            called.fetch_add(usize::from(outcome.is_ok()), Ordering::SeqCst);
        });
    }
    call.canceller().cancel();
    assert_eq!((called.load(Ordering::SeqCst), Arc::strong_count(&owned)), (2, 2));
    let call = call.map(|owned| Arc::strong_count(&owned));
    assert_eq!(call.result().unwrap(), 2);
    drop(Call::<_, Infallible>::ended(Ok(Arc::clone(&owned))));
    assert_eq!(Arc::strong_count(&owned), 1, "what nobody takes is dropped");
}

#[test]
fn of_two_threads_that_wait_for_a_call_each_is_woken() {
    let (promise, call) = channel::<u64, Infallible>();
    let call = Arc::new(call);
    let waits = std::thread::spawn({
        let call = Arc::clone(&call);
        move || call.result_timeout(Duration::MAX)
    });
    // Whoever comes first: both wait, and one no more.
    (0..1_000).for_each(|_| std::thread::yield_now());
    assert!(matches!(call.result_timeout(Duration::from_millis(1)), Err(CallError::Timeout)));
    promise.complete(Ok(7));
    assert_eq!(waits.join().unwrap().unwrap(), 7);
    assert!(matches!(call.result_timeout(Duration::MAX), Err(CallError::Taken)));
}

#[test]
fn the_error_of_a_method_is_told_once_with_all_that_caused_it() {
    #[derive(Debug, thiserror::Error)]
    #[error("no page")]
    struct NoPage(#[source] std::io::Error);

    let error = CallError::Failed(NoPage(std::io::Error::other("no line")));
    let (mut told, mut cause) = (Vec::new(), Some(&error as &dyn std::error::Error));
    while let Some(next) = cause {
        told.push(next.to_string());
        cause = next.source();
    }
    assert_eq!(told, ["no page", "no line"]);
    assert_eq!(
        CallError::Failed("what is no error is told as well").to_string(),
        "what is no error is told as well"
    );
}
