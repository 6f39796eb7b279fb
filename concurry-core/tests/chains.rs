//! Calls made of other calls: `map`, `map_err`, `and_then`, `widen`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};

use concurry_core::call::{Call, CallError, Explains, Explanation, Promise, Registered, channel, channel_of};

fn call() -> (Promise<u32, String>, Call<u32, String>) {
    channel()
}

#[test]
fn a_mapped_call_has_the_mapped_result_whenever_it_was_mapped() {
    let (promise, source) = call();
    let before = source.map(|n| n.to_string());
    assert!(!before.is_done());
    promise.complete(Ok(7));
    assert_eq!(before.result().unwrap(), "7");

    let (promise, source) = call();
    promise.complete(Ok(7));
    assert_eq!(source.map(|n| n + 1).map(|n| n * 2).result().unwrap(), 16);
}

#[test]
fn an_error_passes_by_the_closure() {
    let (promise, source) = call();
    let mapped = source.map(|_| unreachable!("there is no result")).and_then(|(): ()| call().1);
    promise.complete(Err(CallError::Failed("no".into())));
    assert_eq!(mapped.result().unwrap_err().into_failed().unwrap(), "no");

    let (promise, source) = call();
    drop(promise);
    assert!(matches!(source.map(|n| n).map_err(|text| text.len()).result(), Err(CallError::Stopped)));
}

#[test]
fn an_own_error_is_converted() {
    let (promise, source) = call();
    promise.complete(Err(CallError::Failed("no".into())));
    assert_eq!(source.map_err(|text| text.len()).result().unwrap_err().into_failed(), Some(2));
}

#[test]
fn a_panic_in_a_closure_is_that_of_the_mapped_call() {
    let (promise, source) = call();
    let mapped = source.map(|n| if n == 7 { panic!("unlucky {n}") } else { n });
    promise.complete(Ok(7));
    let Err(CallError::Panicked(panic)) = mapped.result() else { panic!("it panicked") };
    assert_eq!(panic.message(), "unlucky 7");
    assert!(panic.location().unwrap().contains("chains.rs"), "{panic}");

    let (promise, source) = call();
    promise.complete(Ok(7));
    let chained: Call<u32, String> = source.and_then(|_| panic!("no second"));
    assert!(matches!(chained.result(), Err(CallError::Panicked(_))));

    let (promise, source) = call();
    promise.complete(Err(CallError::Failed("no".into())));
    let converted: Call<u32, String> = source.map_err(|_| panic!("no error"));
    assert!(matches!(converted.result(), Err(CallError::Panicked(_))));
}

#[test]
fn cancelling_a_mapped_call_cancels_its_source_and_runs_nothing() {
    let (promise, source) = call();
    let mapped = source.map(|_| -> u32 { unreachable!("cancelled") }).map(|n| n + 1);
    assert!(promise.is_open());
    assert!(mapped.cancel());
    assert!(!promise.is_open(), "the worker need not run it");
    promise.complete(Ok(1));
    assert!(matches!(mapped.result(), Err(CallError::Cancelled)));
}

#[test]
fn dropping_a_mapped_call_cancels_nothing() {
    let ran = Arc::new(AtomicUsize::new(0));
    let (promise, source) = call();
    drop(source.map({
        let ran = Arc::clone(&ran);
        move |_| ran.fetch_add(1, Ordering::SeqCst)
    }));
    assert!(promise.is_open());
    promise.complete(Ok(1));
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn the_second_call_answers_for_both() {
    let (first, source) = call();
    let (second, next) = call();
    let chained = source.and_then(move |n| next.map(move |m| n * m));
    first.complete(Ok(6));
    assert!(!chained.is_done());
    second.complete(Ok(7));
    assert_eq!(chained.result().unwrap(), 42);
}

#[test]
fn cancelling_a_chain_cancels_the_part_that_is_not_done() {
    let (first, source) = call();
    let chained = source.and_then(|_| -> Call<u32, String> { unreachable!("cancelled") });
    assert!(chained.cancel());
    assert!(!first.is_open());

    let (first, source) = call();
    let (second, next) = call();
    let chained = source.and_then(move |_| next);
    first.complete(Ok(1));
    assert!(second.is_open());
    assert!(chained.cancel());
    assert!(!second.is_open());
    assert!(matches!(chained.result(), Err(CallError::Cancelled)));
}

#[test]
fn a_call_that_cannot_fail_is_chained_to_one_that_can() {
    let (promise, plain) = channel::<u32, Infallible>();
    let chained = plain.widen().and_then(|n| {
        let (promise, next) = call();
        promise.complete(Err(CallError::Failed(n.to_string())));
        next
    });
    promise.complete(Ok(5));
    assert_eq!(chained.result().unwrap_err().into_failed().unwrap(), "5");
}

#[test]
fn a_result_that_was_taken_cannot_be_mapped() {
    let (promise, source) = call();
    promise.complete(Ok(1));
    source.result_timeout(std::time::Duration::ZERO).unwrap();
    assert!(matches!(source.map(|n| n).result(), Err(CallError::Taken)));
}

#[test]
fn of_completion_and_cancellation_of_a_chain_exactly_one_wins() {
    for _ in 0..500 {
        let (promise, source) = call();
        let (second, next) = call();
        second.complete(Ok(1));
        let chained = source.and_then(move |_| next).map(|n| n);
        let barrier = Barrier::new(2);
        let won = std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                promise.complete(Ok(1));
            });
            barrier.wait();
            chained.cancel()
        });
        match (won, chained.result()) {
            (false, Ok(1)) | (true, Err(CallError::Cancelled)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A pool that notes which of its calls it is to end by force.
#[derive(Default)]
struct Forced(Mutex<Vec<usize>>);

impl Explains for Forced {
    fn explain(&self, _: usize) -> Explanation {
        Explanation::Running
    }

    fn is_cancelled(&self, _: usize) {}

    fn age_of(&self, _: usize) -> Option<u64> {
        Some(0)
    }

    fn end_by_force(&self, call: usize, _: Option<u64>) {
        self.0.lock().unwrap().push(call);
    }
}

#[test]
fn a_cancellation_by_force_between_two_calls_reaches_the_second_by_force() {
    for by_force in [false, true] {
        let pool = Arc::new(Forced::default());
        let registered = Registered::new(Arc::downgrade(&pool) as Weak<dyn Explains>, false);
        let (promise, source) = call();
        let (second, next) = channel_of::<u32, String>(registered.origin());
        let (whole, number) = (Arc::new(OnceLock::<Call<u32, String>>::new()), next.id());
        let own = Arc::clone(&whole);
        let chained = source.and_then(move |_| {
            let whole = own.get().unwrap();
            assert!(if by_force { whole.cancel_hard() } else { whole.cancel() });
            next
        });
        whole.set(chained).unwrap();
        promise.complete(Ok(1));
        assert!(!second.is_open());
        assert_eq!(*pool.0.lock().unwrap(), if by_force { vec![number] } else { vec![] });
    }
}
