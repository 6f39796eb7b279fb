//! Many calls, on bare promises: `gather`, `as_completed`, `wait`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry_core::batch::{Gather, GatherError, ReturnWhen, as_completed, gather, wait, wait_async};
use concurry_core::call::{Call, CallError, Outcome, Promise, channel};
use concurry_core::park::block_on;
use futures_core::Stream;

type Promises<T> = Vec<Promise<T, String>>;
type Calls<T> = Vec<Call<T, String>>;

fn calls<T>(count: usize) -> (Promises<T>, Calls<T>) {
    (0..count).map(|_| channel()).unzip()
}

fn done<T>(value: T) -> Call<T> {
    let (promise, call) = channel();
    promise.complete(Ok(value));
    call
}

fn failed<T>(text: &str) -> Call<T, String> {
    let (promise, call) = channel();
    promise.complete(Err(CallError::Failed(text.to_owned())));
    call
}

/// An error of its own, so that a tuple has parts that differ.
#[derive(Debug, thiserror::Error)]
#[error("number {0}")]
struct Number(u32);

#[test]
fn a_tuple_has_the_types_of_its_parts() {
    let (promise, number) = channel::<u32, Number>();
    promise.complete(Ok(2));
    let (a, b, c) = gather((done("one"), number, done(vec![3]))).result().unwrap();
    assert_eq!((a, b, c), ("one", 2, vec![3]));
    let all = (done(0), done(1), done(2), done(3), done(4), done(5), done(6), done(7), done(8), done(9));
    let (.., ten, eleven, twelve) = gather((all, done(10), done(11), done(12))).result().unwrap();
    assert_eq!((ten, eleven, twelve), (10, 11, 12));
    let a = (|n| done(n), 0).0;
    let twelve = gather((a(0), a(1), a(2), a(3), a(4), a(5), a(6), a(7), a(8), a(9), a(10), a(11)));
    assert_eq!(twelve.result().unwrap().11, 11);
}

#[test]
fn the_error_of_a_tuple_tells_its_part() {
    let (promise, number) = channel::<u32, Number>();
    promise.complete(Err(CallError::Failed(Number(7))));
    let error = gather((done(1), [done(2), done(3)], number)).result().unwrap_err();
    assert_eq!(error.place(), Some(2));
    assert!(!error.is_timeout());
    assert_eq!(error.to_string(), "part 2 of the tuple: number 7");
    assert!(matches!(error.failed::<Number>(), Some(Number(7))));
    assert!(error.source().is_some_and(<dyn Error>::is::<Number>), "its source is the method's own");
    let error = error.into_part::<CallError>().unwrap_err();
    assert!(error.into_part::<CallError<Number>>().is_ok());

    let (kept, never) = channel::<u32, Number>();
    let error = gather((done(1), never)).timeout(Duration::ZERO).result().unwrap_err();
    assert!(error.is_timeout() && error.place().is_none());
    assert!(kept.is_open(), "it goes on");
}

#[test]
fn a_part_of_a_tuple_may_fail_with_a_text() {
    fn both(text: Call<u32, String>, number: Call<u32, Number>) -> Result<(u32, u32), Box<dyn Error>> {
        Ok(gather((text, number)).result()?)
    }
    let text = |end| {
        let (promise, call) = channel::<u32, String>();
        promise.complete(end);
        call
    };
    let number = |end| {
        let (promise, call) = channel::<u32, Number>();
        promise.complete(end);
        call
    };
    assert_eq!(both(text(Ok(1)), number(Ok(2))).unwrap(), (1, 2));
    let error = both(text(Err(CallError::Failed("no such file".to_owned()))), number(Ok(2))).unwrap_err();
    assert_eq!(error.to_string(), "part 0 of the tuple: no such file");
    let boxed: Call<u32, Box<dyn Error + Send + Sync>> =
        number(Err(CallError::Failed(Number(3)))).map_err(Into::into);
    let literal = text(Err(CallError::Cancelled)).map_err(|_| "a literal");
    let error = gather((boxed, literal)).result().unwrap_err();
    assert!(matches!(error.failed::<Number>(), Some(Number(3))));
    let inner = (text(Ok(1)), number(Err(CallError::Failed(Number(4)))));
    let error = gather((done(0), inner)).result().unwrap_err();
    assert_eq!(error.to_string(), "part 1 of the tuple: part 1 of the tuple: number 4");
    assert!(matches!(error.failed::<Number>(), Some(Number(4))));
    let error = error.into_part::<GatherError>().unwrap();
    assert!(matches!(error.into_part::<CallError<Number>>(), Ok(CallError::Failed(Number(4)))));
}

#[test]
fn the_outcomes_of_a_tuple_take_any_error() {
    struct Odd;
    let (promise, odd) = channel::<u32, Odd>();
    promise.complete(Err(CallError::Failed(Odd)));
    let (odd, one) = gather((odd, done(1))).outcomes();
    assert!(matches!(odd, Err(CallError::Failed(Odd))));
    assert_eq!(one.unwrap(), 1);
}

#[test]
fn the_outcomes_of_a_tuple_never_fail_as_a_whole() {
    let (promise, number) = channel::<u32, Number>();
    let (cancelled, b) = channel::<u32, Number>();
    promise.complete(Err(CallError::Failed(Number(1))));
    b.cancel();
    let (a, b, c) = gather((number, b, done(3))).outcomes();
    assert!(matches!(a, Err(CallError::Failed(Number(1)))));
    assert!(matches!(b, Err(CallError::Cancelled)));
    assert_eq!(c.unwrap(), 3);
    assert!(!cancelled.is_open());
}

#[test]
fn nested_collections_keep_their_shape_and_find_the_error() {
    let shape = BTreeMap::from([
        ("a", vec![vec![done(1)], vec![]]),
        ("b", vec![]),
        ("c", vec![vec![done(2), done(3)]]),
    ]);
    let results = gather(shape).result().unwrap();
    assert_eq!(
        results,
        BTreeMap::from([("a", vec![vec![1], vec![]]), ("b", vec![]), ("c", vec![vec![2, 3]])])
    );

    let (promises, mut open) = calls::<u32>(3);
    let nested = vec![vec![], open.drain(..2).collect(), vec![open.remove(0), failed("here")]];
    assert_eq!(gather(nested).result().unwrap_err().into_failed().unwrap(), "here");
    assert_eq!(promises.len(), 3);
}

#[test]
fn an_awaited_batch_gives_all_outcomes() {
    let outcomes = block_on(gather([failed::<u32>("a"), failed("b")]).outcomes_async());
    assert!(outcomes.iter().all(Result::is_err));
    let (promises, open) = calls::<u32>(1);
    let outcomes = block_on(gather(open).timeout(Duration::from_millis(1)).outcomes_async());
    assert!(matches!(outcomes[..], [Err(CallError::Timeout)]));
    assert!(promises[0].is_open());
}

#[test]
fn a_progress_callback_that_panics_harms_nobody() {
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..5).map(done).collect();
    let results = gather(calls).progress_with({
        let seen = std::sync::Arc::clone(&seen);
        move |update| {
            seen.fetch_add(1, Ordering::SeqCst);
            assert!(update.done != 3, "in a progress callback");
        }
    });
    assert_eq!(results.result().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(seen.load(Ordering::SeqCst), 5);
}

#[test]
fn a_million_calls_that_are_done_are_gathered_completed_and_waited_for() {
    const MANY: usize = 1_000_000;
    let all = || (0..MANY).map(done).collect::<Vec<_>>();
    assert_eq!(gather(all()).result().unwrap().len(), MANY);
    let (done, pending) = wait(all(), ReturnWhen::AllCompleted, None);
    assert_eq!((done.len(), pending.len()), (MANY, 0));
    let mut next = 0;
    for (index, outcome) in as_completed(done) {
        assert_eq!((index, outcome.unwrap()), (next, next));
        next += 1;
    }
    assert_eq!(next, MANY);
}

#[test]
fn calls_come_in_the_order_in_which_they_are_done() {
    let (promises, open) = calls::<usize>(4);
    let mut completed = as_completed(open);
    assert_eq!(completed.len(), 4);
    let mut promises: Vec<_> = promises.into_iter().map(Some).collect();
    for (n, turn) in [2, 0, 3, 1].into_iter().enumerate() {
        promises[turn].take().unwrap().complete(Ok(turn));
        let (index, outcome) = completed.next().unwrap();
        assert_eq!((index, outcome.unwrap()), (turn, turn));
        assert_eq!(completed.len(), 3 - n);
    }
    assert!(completed.next().is_none());
    assert!(completed.next().is_none());
}

#[test]
fn failed_cancelled_and_abandoned_calls_are_completions_too() {
    let (mut promises, open) = calls::<u32>(3);
    open[1].cancel();
    drop(promises.remove(2));
    promises.remove(0).complete(Err(CallError::Failed("no".into())));
    let mut outcomes: Vec<(usize, Outcome<u32, String>)> = as_completed(open).collect();
    outcomes.sort_by_key(|(index, _)| *index);
    assert!(matches!(outcomes[0], (0, Err(CallError::Failed(_)))));
    assert!(matches!(outcomes[1], (1, Err(CallError::Cancelled))));
    assert!(matches!(outcomes[2], (2, Err(CallError::Stopped))));
}

#[test]
fn completions_of_many_threads_all_come_out_once() {
    const MANY: usize = 10_000;
    let (promises, open) = calls::<usize>(MANY);
    let promises = Mutex::new(promises.into_iter().enumerate());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((n, promise)) = { promises.lock().unwrap().next() } {
                    promise.complete(Ok(n));
                }
            });
        }
        let mut seen: Vec<_> = as_completed(open).map(|(index, outcome)| (index, outcome.unwrap())).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..MANY).map(|n| (n, n))));
    });
}

#[test]
fn completions_are_a_stream() {
    let (mut promises, open) = calls::<u32>(2);
    let mut stream = as_completed(open);
    let context = &mut Context::from_waker(Waker::noop());
    let mut poll = || Pin::new(&mut stream).poll_next(context);
    assert!(poll().is_pending());
    promises.pop().unwrap().complete(Ok(1));
    assert!(matches!(poll(), Poll::Ready(Some((1, Ok(1))))));
    assert!(poll().is_pending());
    promises.pop().unwrap().complete(Ok(0));
    assert!(matches!(poll(), Poll::Ready(Some((0, Ok(0))))));
    assert!(matches!(poll(), Poll::Ready(None)));
}

#[test]
fn dropping_completions_in_the_middle_leaves_the_calls_running() {
    let (mut promises, open) = calls::<u32>(2);
    let mut completed = as_completed(open);
    promises.pop().unwrap().complete(Ok(1));
    assert!(completed.next().is_some());
    drop(completed);
    assert!(promises[0].is_open());
    promises.pop().unwrap().complete(Ok(0));
}

#[test]
fn nothing_of_nothing() {
    let none = || Vec::<Call<u32>>::new();
    assert!(as_completed(none()).next().is_none());
    assert!(block_on(as_completed(none()).next_async()).is_none());
    for when in [ReturnWhen::FirstCompleted, ReturnWhen::FirstException, ReturnWhen::AllCompleted] {
        let (done, pending) = wait(none(), when, None);
        assert!(done.is_empty() && pending.is_empty());
    }
    assert!(gather(none()).outcomes().is_empty());
    assert_eq!(gather((none(), Vec::<Vec<Call<u32>>>::new())).result().unwrap(), (vec![], vec![]));
}

#[test]
fn a_wait_ends_with_the_first_call_that_is_done() {
    let (mut promises, open) = calls::<u32>(3);
    std::thread::scope(|scope| {
        let promise = promises.remove(1);
        scope.spawn(move || promise.complete(Ok(7)));
        let (done, pending) = wait(open, ReturnWhen::FirstCompleted, None);
        assert_eq!((done.len(), pending.len()), (1, 2));
        assert_eq!(done.into_iter().next().unwrap().result().unwrap(), 7);
    });
    assert!(promises.iter().all(Promise::is_open));
}

#[test]
fn a_wait_for_an_exception_passes_by_results() {
    let (mut promises, open) = calls::<u32>(3);
    promises.remove(0).complete(Ok(7));
    let (done, pending) = wait(open, ReturnWhen::FirstException, Some(Duration::from_millis(1)));
    assert_eq!((done.len(), pending.len()), (1, 2), "no failure yet: the time was over");
    pending[1].cancel();
    let (cancelled, pending) = wait(pending, ReturnWhen::FirstException, None);
    assert_eq!((cancelled.len(), pending.len()), (1, 1));
    promises.remove(0).complete(Ok(8));
    let all = wait(done.into_iter().chain(pending), ReturnWhen::FirstException, None);
    assert_eq!((all.0.len(), all.1.len()), (2, 0), "all are done, and none failed");
    let values = gather(all.0).result().unwrap();
    assert_eq!(values, [7, 8], "in the order of the input");
}

#[test]
fn a_wait_that_times_out_stops_nothing_and_can_be_repeated() {
    let (promises, mut open) = calls::<usize>(2);
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        let (done, pending) = wait(open, ReturnWhen::AllCompleted, Some(timeout));
        assert_eq!((done.len(), pending.len()), (0, 2));
        open = pending;
    }
    assert!(promises.iter().all(Promise::is_open));
    let (_, open) = block_on(wait_async(open, ReturnWhen::AllCompleted, Some(Duration::from_millis(1))));
    assert_eq!(open.len(), 2);
    for (n, promise) in promises.into_iter().enumerate() {
        promise.complete(Ok(n));
    }
    let (done, pending) = block_on(wait_async(open, ReturnWhen::AllCompleted, None));
    assert!(pending.is_empty());
    assert_eq!(gather(done).result().unwrap(), [0, 1]);
}

#[test]
fn futures_of_batches_can_be_sent() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let calls = || vec![done(1u32)];
    block_on(send(wait_async(calls(), ReturnWhen::AllCompleted, None)));
    block_on(send(gather(calls()).outcomes_async()));
    assert!(block_on(send(send(as_completed(calls())).next_async())).is_some());
    let error: Result<u32, CallError<Infallible>> = block_on(done(1));
    assert!(error.is_ok());
}

#[test]
fn a_batch_is_done_when_its_last_report_was_made() {
    let ((tell, told), (go, gone)) = (mpsc::channel(), mpsc::channel());
    let gone = Mutex::new(gone);
    let (promise, call) = channel::<u32, Infallible>();
    let gathered = gather([call]).progress_with(move |_| {
        tell.send(()).unwrap();
        gone.lock().unwrap().recv().unwrap();
    });
    let mut gathered = gathered.into_future();
    let completer = std::thread::spawn(move || promise.complete(Ok(1)));
    told.recv().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert!(gathered.as_mut().poll(&mut context).is_pending(), "its report is not made yet");
    go.send(()).unwrap();
    completer.join().unwrap();
    assert!(gathered.as_mut().poll(&mut context).is_ready());
}

#[test]
fn nothing_is_told_of_calls_that_are_done_after_the_wait() {
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let (promises, calls): (Vec<_>, Vec<_>) = (0..2).map(|_| channel::<u32, Infallible>()).unzip();
    let told = std::sync::Arc::clone(&seen);
    let gathered = gather(calls).progress_with(move |_| {
        told.fetch_add(1, Ordering::SeqCst);
    });
    let outcomes = gathered.timeout(std::time::Duration::ZERO).outcomes();
    assert!(outcomes.iter().all(Result::is_err));
    for promise in promises {
        promise.complete(Ok(1));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

/// A result that ends another call when it is dropped.
struct Ends(Option<Promise<Ends, String>>);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(promise) = self.0.take() {
            promise.complete(Ok(Ends(None)));
        }
    }
}

#[test]
fn nothing_is_told_of_calls_that_are_done_while_the_results_are_gathered() {
    let awaited = |calls: Gather<Vec<_>>| block_on(calls.into_future()).map(drop);
    let blocking = |calls: Gather<Vec<_>>| calls.result().map(drop);
    for way in [blocking, awaited] {
        let (promises, calls) = calls::<Ends>(3);
        let [first, second, third] = <[_; 3]>::try_from(promises).ok().unwrap();
        first.complete(Ok(Ends(Some(third))));
        second.complete(Err(CallError::Failed("no".into())));
        let (tell, told) = mpsc::channel();
        let error =
            way(gather(calls).progress_with(move |update| tell.send(update.done).unwrap())).unwrap_err();
        assert_eq!(error.into_failed().as_deref(), Some("no"));
        assert_eq!(told.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
