//! The results, in order, and the promise.
//!
//! Chunks come in any order. Whoever brings one puts it to those that wait, and appends all whose turn it is, unless
//! another thread is just appending: that one will see it. So nobody waits while results are moved.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::task::Waker;

use concurry_core::call::{Awaited, CallError, Promise};
use concurry_core::sync::lock;

pub(super) struct Output<U>(Mutex<State<U>>);

struct State<U> {
    /// None once it was answered.
    promise: Option<Promise<Vec<U>, Infallible>>,
    /// All results before `next`; None while a thread appends to them.
    whole: Option<Vec<U>>,
    next: usize,
    /// Results that came early, by the number of the first.
    early: BTreeMap<usize, Vec<U>>,
    /// How many there will be, once that is known.
    end: Option<usize>,
}

impl<U> Output<U> {
    pub(super) fn new(promise: Promise<Vec<U>, Infallible>, expected: usize) -> Self {
        let mut whole = Vec::new();
        // An iterator may promise more than there is memory; then the results find place as they come, or do not.
        drop(whole.try_reserve_exact(expected));
        let (promise, whole) = (Some(promise), Some(whole));
        Self(Mutex::new(State { promise, whole, next: 0, early: BTreeMap::new(), end: None }))
    }

    /// Whether anyone still needs the results.
    pub(super) fn is_wanted(&self) -> bool {
        lock(&self.0).promise.as_ref().is_some_and(Promise::is_open)
    }

    /// Whether whoever `waker` wakes waits for the results.
    pub(super) fn awaited_by(&self, waker: &Waker) -> Awaited {
        lock(&self.0).promise.as_ref().map_or(Awaited::No, |promise| promise.awaited_by(waker))
    }

    /// Takes the results of the items from number `first` on.
    pub(super) fn deliver(&self, first: usize, results: Vec<U>) {
        let mut state = lock(&self.0);
        state.early.insert(first, results);
        let Some(mut whole) = state.whole.take() else { return };
        let mut next = state.next;
        while let Some(mut results) = state.early.remove(&next) {
            drop(state);
            next += results.len();
            whole.append(&mut results);
            drop(results);
            state = lock(&self.0);
        }
        state.next = next;
        state.whole = Some(whole);
        drop(state);
        self.settle();
    }

    /// There are so many items.
    pub(super) fn end_at(&self, count: usize) {
        lock(&self.0).end = Some(count);
        self.settle();
    }

    /// Answers when all results are there.
    fn settle(&self) {
        let mut state = lock(&self.0);
        if state.end != Some(state.next) {
            return;
        }
        let Some(whole) = state.whole.take() else { return };
        let promise = state.promise.take();
        drop(state);
        if let Some(promise) = promise {
            promise.complete(Ok(whole));
        }
    }

    /// Ends the map with `error`, unless it has ended.
    pub(super) fn fail(&self, error: CallError) {
        let promise = lock(&self.0).promise.take();
        if let Some(promise) = promise {
            promise.complete(Err(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use concurry_core::call::channel;

    use super::*;

    #[test]
    fn results_that_come_early_wait_for_their_turn() {
        let (promise, call) = channel();
        let output = Output::new(promise, 4);
        output.deliver(2, vec!['c', 'd']);
        output.end_at(4);
        assert!(!call.is_done());
        output.deliver(0, vec!['a', 'b']);
        assert_eq!(call.result().unwrap(), ['a', 'b', 'c', 'd']);
    }

    #[test]
    fn an_iterator_may_promise_more_than_there_is_memory() {
        let (promise, call) = channel();
        let output = Output::new(promise, usize::MAX);
        output.deliver(0, vec![1u64]);
        output.end_at(1);
        assert_eq!(call.result().unwrap(), [1]);
    }

    #[test]
    fn the_first_end_of_a_map_is_its_end() {
        let (promise, call) = channel::<Vec<u8>, _>();
        let output = Output::new(promise, 0);
        output.fail(CallError::Stopped);
        output.end_at(0);
        assert!(!output.is_wanted());
        assert!(matches!(call.result(), Err(CallError::Stopped)));
    }
}
