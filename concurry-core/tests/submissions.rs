//! `submit_all`: lazily, with so many in flight, in order and as they come.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry_core::batch::submit_all;
use concurry_core::call::{Call, CallError, Promise, channel};
use concurry_core::clock;
use concurry_core::park::block_on;
use futures_core::Stream;

fn done(n: u64) -> Call<u64, String> {
    let (promise, call) = channel();
    promise.complete(if n % 10 == 3 { Err(CallError::Failed(n.to_string())) } else { Ok(n) });
    call
}

/// A worker that answers when it is told to.
#[derive(Default)]
struct Hand {
    open: RefCell<VecDeque<(u64, Promise<u64, String>)>>,
    submitted: Cell<u64>,
}

impl Hand {
    fn submit(&self, n: u64) -> Call<u64, String> {
        let (promise, call) = channel();
        self.open.borrow_mut().push_back((n, promise));
        self.submitted.set(self.submitted.get() + 1);
        call
    }

    fn answer_oldest(&self) {
        let (n, promise) = self.open.borrow_mut().pop_front().unwrap();
        promise.complete(Ok(n));
    }

    fn answer_newest(&self) {
        let (n, promise) = self.open.borrow_mut().pop_back().unwrap();
        promise.complete(Ok(n));
    }

    fn open(&self) -> usize {
        self.open.borrow().len()
    }
}

fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn outcomes_come_in_the_order_of_the_input_and_failures_end_nothing() {
    for (n, outcome) in (0..25).zip(submit_all(0..25, 4, done)) {
        match outcome {
            Ok(value) => assert_eq!(value, n),
            Err(error) => assert_eq!(error.into_failed().unwrap(), n.to_string()),
        }
    }
    assert_eq!(submit_all(0..25, 4, done).count(), 25);
    let mut indices: Vec<_> = submit_all(0..25, 4, done).unordered().map(|(index, _)| index).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..25));
}

#[test]
fn nothing_is_submitted_before_it_is_asked_for_and_never_more_than_may_be_in_flight() {
    let hand = Hand::default();
    let mut ordered = submit_all(0.., 3, |n| hand.submit(n));
    assert_eq!(hand.submitted.get(), 0);
    assert!(poll(&mut ordered).is_pending());
    assert_eq!(hand.open(), 3);
    hand.answer_newest();
    assert!(poll(&mut ordered).is_pending(), "the first is the slowest");
    assert_eq!(hand.submitted.get(), 3, "what was not yielded is in flight");
    for n in 0..100 {
        if n != 2 {
            hand.answer_oldest();
        }
        let Poll::Ready(Some(Ok(value))) = poll(&mut ordered) else { panic!("the oldest is done") };
        assert_eq!(value, n);
        assert!(hand.open() <= 3);
    }
}

#[test]
fn an_outcome_that_is_there_waits_for_one_item_of_a_slow_input_at_most() {
    // Whatever is taken from this input comes late: what is asked for is all that may be waited for.
    let taken = Cell::new(0);
    let input = || (0..20).inspect(|_| taken.set(taken.get() + 1));
    for (n, outcome) in (0..).zip(submit_all(input(), 8, done)) {
        assert_eq!(taken.get(), n + 1, "{outcome:?}");
    }
    taken.set(0);
    for (n, (_, outcome)) in (0..).zip(submit_all(input(), 8, done).unordered()) {
        assert_eq!(taken.get(), n + 1, "{outcome:?}");
    }
    taken.set(0);
    let hand = Hand::default();
    let mut ordered = submit_all(input(), 8, |n| hand.submit(n));
    assert!(poll(&mut ordered).is_pending());
    assert_eq!(taken.get(), 8, "as long as none is done, as many as may be");
    (0..4).for_each(|_| hand.answer_oldest());
    (0..4).for_each(|_| assert!(poll(&mut ordered).is_ready()));
    assert_eq!((taken.get(), hand.open()), (11, 7), "who takes four has three submitted in their place");
}

/// How many items, of those that count, each outcome takes to come out: when all are done that are in flight.
fn taken_by_each(
    in_flight: usize,
    items: impl Iterator<Item = u64>,
    counts: impl Fn(u64) -> bool,
) -> Vec<usize> {
    let (taken, hand) = (Cell::new(0), Hand::default());
    let count = |n: &u64| taken.set(taken.get() + usize::from(counts(*n)));
    let mut ordered = submit_all(items.inspect(count), in_flight, |n| hand.submit(n));
    assert!(poll(&mut ordered).is_pending());
    assert_eq!((taken.take(), hand.open()), (if counts(0) { in_flight } else { 0 }, in_flight));
    let ask = || {
        (0..hand.open()).for_each(|_| hand.answer_oldest());
        let Poll::Ready(outcome) = poll(&mut ordered) else { panic!("all are done") };
        outcome.map(|_| taken.take())
    };
    std::iter::from_fn(ask).collect()
}

#[test]
fn of_items_that_are_at_hand_some_are_submitted_at_once_and_of_others_one() {
    let mut numbers = 0..1_000;
    let unknown = taken_by_each(320, std::iter::from_fn(|| numbers.next()), |_| true);
    assert_eq!(unknown, [vec![0], vec![1; 680], vec![0; 319]].concat());
    let known = taken_by_each(320, 0..1_000, |_| true);
    assert_eq!((known.len(), known.iter().sum::<usize>()), (1_000, 680));
    assert!(known.iter().all(|taken| *taken <= 20), "a sixteenth at most: {known:?}");
}

#[test]
fn items_that_turn_out_to_be_slow_hold_back_an_outcome_once() {
    let clock = clock::system();
    // As where a queue has room for one call and then for none: one is quick in between.
    let is_slow = |n| n >= 400 && n % 9 != 400 % 9;
    let slow = |n| {
        let end = clock.now() + if is_slow(n) { Duration::from_millis(1) } else { Duration::ZERO };
        while clock.now() < end {}
        n
    };
    for in_flight in [64, 320] {
        let taken = taken_by_each(in_flight, (0..490).map(slow), is_slow);
        assert_eq!(taken.iter().sum::<usize>(), 80);
        assert!(taken.iter().all(|taken| *taken <= 8), "the time is looked at in between: {taken:?}");
        assert!(taken.iter().filter(|taken| **taken > 1).count() <= 1, "{taken:?}");
    }
}

#[test]
fn calls_that_are_done_at_once_are_submitted_one_by_one() {
    let submitted = Cell::new(0);
    let submit = |n| {
        submitted.set(submitted.get() + 1);
        done(n)
    };
    let mut ordered = submit_all(0..1_000, 320, submit);
    assert!((1..=1_000).all(|n| ordered.next().is_some() && submitted.get() == n));
}

#[test]
fn an_endless_input_gives_its_first_outcome_however_many_may_be_in_flight() {
    assert_eq!(submit_all(1.., usize::MAX, done).next().unwrap().unwrap(), 1);
}

#[test]
fn unordered_outcomes_do_not_wait_for_the_slowest() {
    let hand = Hand::default();
    let mut unordered = submit_all(0.., 3, |n| hand.submit(n)).unordered();
    assert!(poll(&mut unordered).is_pending());
    for n in 2..100 {
        hand.answer_newest();
        let Poll::Ready(Some((index, Ok(value)))) = poll(&mut unordered) else { panic!("one is done") };
        assert_eq!((index as u64, value), (n, n));
        assert!(poll(&mut unordered).is_pending());
        assert_eq!(hand.open(), 3);
    }
}

#[test]
fn what_was_in_flight_stays_so_when_the_order_is_given_up() {
    let hand = Hand::default();
    let mut ordered = submit_all(0..5, 3, |n| hand.submit(n));
    assert!(poll(&mut ordered).is_pending());
    let mut unordered = ordered.unordered();
    hand.answer_newest();
    assert!(matches!(poll(&mut unordered), Poll::Ready(Some((2, Ok(2))))));
    assert!(poll(&mut unordered).is_pending());
    (0..3).for_each(|_| hand.answer_newest());
    let rest: Vec<_> = std::iter::from_fn(|| match poll(&mut unordered) {
        Poll::Ready(item) => item.map(|(index, _)| index),
        Poll::Pending => {
            hand.answer_oldest();
            Some(usize::MAX)
        }
    })
    .filter(|index| *index != usize::MAX)
    .collect();
    assert_eq!(rest, [3, 1, 0, 4]);
}

#[test]
fn when_dropped_in_the_middle_nothing_more_is_submitted_and_the_rest_goes_on() {
    let hand = Hand::default();
    let mut ordered = submit_all(0.., 4, |n| hand.submit(n));
    assert!(poll(&mut ordered).is_pending());
    hand.answer_oldest();
    assert!(poll(&mut ordered).is_ready());
    drop(ordered);
    let mut unordered = submit_all(0.., 4, |n| hand.submit(n)).unordered();
    assert!(poll(&mut unordered).is_pending());
    drop(unordered);
    assert_eq!(hand.submitted.get(), 8);
    assert!(hand.open.borrow().iter().all(|(_, promise)| promise.is_open()));
    (0..7).for_each(|_| hand.answer_oldest());
}

#[test]
fn nothing_in_flight_counts_as_one() {
    let hand = Hand::default();
    let mut ordered = submit_all(0..2, 0, |n| hand.submit(n));
    assert!(poll(&mut ordered).is_pending());
    assert_eq!(hand.open(), 1);
    assert_eq!(submit_all(0..25, 0, done).count(), 25);
}

#[test]
fn an_empty_input_is_no_work() {
    assert!(submit_all(0..0, 8, done).next().is_none());
    assert!(submit_all(0..0, 8, done).unordered().next().is_none());
    assert!(block_on(submit_all(Vec::new(), usize::MAX, done).next_async()).is_none());
}

#[test]
fn the_number_of_outcomes_is_foretold() {
    let mut ordered = submit_all(0..25, 4, done);
    assert_eq!(Iterator::size_hint(&ordered), (25, Some(25)));
    assert!(ordered.next().is_some());
    assert_eq!(Iterator::size_hint(&ordered), (24, Some(24)));
    let mut unordered = ordered.unordered();
    assert!(unordered.next().is_some());
    assert_eq!(Iterator::size_hint(&unordered), (23, Some(23)));
    assert_eq!(unordered.count(), 23);
}

#[test]
fn a_panic_of_the_closure_comes_out_and_loses_its_item_alone() {
    let submit = |n| if n == 5 { panic!("cannot submit {n}") } else { done(n) };
    let mut ordered = submit_all(0..10, 3, submit);
    let mut seen = Vec::new();
    let mut panics = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| ordered.next())) {
            Ok(Some(outcome)) => seen.push(outcome.map_or(3, |n| n)),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    assert_eq!(panics, 1);
    assert_eq!(seen, [0, 1, 2, 3, 4, 6, 7, 8, 9]);

    let mut unordered = submit_all(0..10, 3, submit).unordered();
    let mut seen = Vec::new();
    loop {
        match catch_unwind(AssertUnwindSafe(|| unordered.next())) {
            Ok(Some((index, _))) => seen.push(index),
            Ok(None) => break,
            Err(_) => seen.push(5),
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..10), "each index once, 5 for its panic");
}

#[test]
fn a_panic_of_the_input_comes_out_and_leaves_the_calls() {
    let hand = Hand::default();
    let items = (0..10).inspect(|n| assert!(*n != 1, "no such item"));
    let mut ordered = submit_all(items, 2, |n| hand.submit(n));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut ordered).is_ready())).is_err());
    assert_eq!(hand.open(), 1);
    hand.answer_oldest();
    let Poll::Ready(Some(Ok(first))) = poll(&mut ordered) else { panic!("it was in flight") };
    assert_eq!(first, 0);
    hand.answer_oldest();
    let Poll::Ready(Some(Ok(next))) = poll(&mut ordered) else { panic!("the input goes on") };
    assert_eq!(next, 2);
}

#[test]
fn a_long_input_is_awaited_to_its_end() {
    block_on(async {
        let mut sum = 0;
        let mut ordered = submit_all(0..100_000, 64, done);
        while let Some(outcome) = ordered.next_async().await {
            sum += u64::from(outcome.is_ok());
        }
        let mut unordered = submit_all(0..100_000, 64, done).unordered();
        while let Some((_, outcome)) = unordered.next_async().await {
            sum += u64::from(outcome.is_ok());
        }
        assert_eq!(sum, 180_000);
    });
}
