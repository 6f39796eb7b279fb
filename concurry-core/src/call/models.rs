//! Models of a call between its two ends, which loom runs through every order in which threads can meet.
//!
//! `RUSTFLAGS='--cfg loom' cargo test -p concurry-core --lib --release` runs them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Call, CallError, Promise, Watch, channel};
use crate::batch::gather;

/// Runs a model; three switches by force in each run find what there is to be found here, and end in seconds.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// Counts, across the threads of a model.
#[derive(Clone)]
struct Count(loom::sync::Arc<AtomicUsize>);

impl Count {
    fn new() -> Self {
        Self(loom::sync::Arc::new(AtomicUsize::new(0)))
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Watch for Count {
    fn done(&self, _: usize, _: bool) {
        self.add();
    }
}

/// A result that knows how often it, of all its like, was dropped.
struct Dropped(Count);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add();
    }
}

fn call() -> (Promise<usize, String>, Call<usize, String>) {
    channel()
}

#[test]
fn who_waits_is_woken_by_the_answer_whichever_waker_it_has_left() {
    model(|| {
        let (promise, mut call) = call();
        let worker = thread::spawn(move || promise.complete(Ok(1)));
        match Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => assert_eq!(outcome.unwrap(), 1),
            Poll::Pending => assert_eq!(block_on(call).unwrap(), 1),
        }
        worker.join().unwrap();
    });
}

#[test]
fn who_waits_is_woken_when_the_worker_goes_away() {
    model(|| {
        let (promise, call) = call();
        let worker = thread::spawn(move || drop(promise));
        assert!(matches!(block_on(call), Err(CallError::Stopped)));
        worker.join().unwrap();
    });
}

#[test]
fn of_an_answer_and_a_cancellation_one_wins_and_all_agree() {
    model(|| {
        let ((promise, call), cancelled) = (call(), Count::new());
        call.on_done({
            let cancelled = cancelled.clone();
            move |outcome| {
                if matches!(outcome, Err(CallError::Cancelled)) {
                    cancelled.add();
                }
            }
        });
        let worker = thread::spawn(move || promise.complete(Ok(1)));
        let was_cancelled = call.cancel();
        worker.join().unwrap();
        assert_eq!(cancelled.get(), usize::from(was_cancelled));
        match call.try_take().expect("it is done") {
            Ok(1) => assert!(!was_cancelled),
            Err(CallError::Cancelled) => assert!(was_cancelled),
            other => panic!("{other:?}"),
        }
        assert!(matches!(call.try_take(), Some(Err(CallError::Taken))));
    });
}

#[test]
fn a_worker_that_waits_learns_of_a_cancellation() {
    model(|| {
        let (promise, call) = call();
        let caller = thread::spawn(move || call.cancel());
        block_on(poll_fn(|context| {
            if promise.wake_when_cancelled(context.waker()) { Poll::Pending } else { Poll::Ready(()) }
        }));
        assert!(!promise.is_open());
        assert!(caller.join().unwrap());
    });
}

#[test]
fn a_callback_runs_once_and_before_the_outcome_is_taken() {
    model(|| {
        let ((promise, call), ran) = (call(), Count::new());
        let worker = thread::spawn(move || promise.complete(Ok(1)));
        call.on_done({
            let ran = ran.clone();
            move |outcome| {
                assert!(matches!(outcome, Ok(1)));
                ran.add();
            }
        });
        assert_eq!(block_on(call).unwrap(), 1);
        assert_eq!(ran.get(), 1);
        worker.join().unwrap();
    });
}

#[test]
fn who_watches_is_told_once() {
    model(|| {
        let ((promise, call), told) = (call(), Count::new());
        let worker = thread::spawn(move || promise.complete(Ok(1)));
        let watch: Arc<dyn Watch> = Arc::new(told.clone());
        call.watch(&watch, 0);
        worker.join().unwrap();
        assert_eq!(told.get(), 1);
    });
}

#[test]
fn an_outcome_that_nobody_takes_is_dropped_once_wherever_that_is() {
    model(|| {
        let dropped = Count::new();
        let (promise, call) = channel::<Dropped, String>();
        let value = Dropped(dropped.clone());
        let worker = thread::spawn(move || promise.complete(Ok(value)));
        if dropped.get() == 0 {
            call.cancel();
        }
        drop(call);
        worker.join().unwrap();
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn who_gathers_is_woken_by_the_last_answer() {
    model(|| {
        let ((first, one), (second, two)) = (call(), call());
        let worker = thread::spawn(move || first.complete(Ok(1)));
        let other = thread::spawn(move || second.complete(Ok(2)));
        let outcomes = block_on(gather([one, two]).outcomes_async());
        assert!(matches!(outcomes[..], [Ok(1), Ok(2)]));
        worker.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn who_looks_takes_nothing_from_who_waits_or_is_told() {
    model(|| {
        let ((promise, call), told) = (call(), Count::new());
        let call = Arc::new(call);
        let looks = thread::spawn({
            let call = Arc::clone(&call);
            move || call.peek(|outcome| assert!(matches!(outcome, Ok(1))))
        });
        let count = told.clone();
        promise.complete(Ok(1));
        call.on_done(move |_| count.add());
        let take = |context: &mut Context<'_>| call.cell().take(Some(context.waker()));
        let taken = block_on(poll_fn(|context| take(context).map_or(Poll::Pending, Poll::Ready)));
        assert!(matches!(taken, Ok(1)));
        looks.join().unwrap();
        assert_eq!(told.get(), 1);
    });
}

#[test]
fn a_call_whose_holder_goes_away_while_it_is_answered_drops_its_result_once() {
    model(|| {
        let ((promise, mut call), dropped) = (channel::<Dropped, String>(), Count::new());
        let result = Dropped(dropped.clone());
        let worker = thread::spawn(move || promise.complete(Ok(result)));
        drop(Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())));
        drop(call);
        worker.join().unwrap();
        assert_eq!(dropped.get(), 1);
    });
}
