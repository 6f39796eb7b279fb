//! The results, in order, and the promise.
//!
//! Chunks come in any order. Those that were written to their places in the [room](super::places) are joined as their turn comes, which
//! moves nothing. Those for which there was no room are appended after all of them: whoever brings one does so, unless another thread
//! is just appending: that one will see it. So nobody waits while results are moved.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::task::Waker;

use concurry_core::call::{Awaited, CallError, Promise};
use concurry_core::panics::discard;
use concurry_core::sync::lock;

use super::places::Filled;

/// Results of items that follow each other.
pub(super) enum Results<U> {
    /// In their places.
    Placed(Filled<U>),
    /// Beyond the room.
    Apart(Vec<U>),
}

impl<U> Results<U> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Placed(filled) => filled.len(),
            Self::Apart(results) => results.len(),
        }
    }

    fn into_vec(self) -> Vec<U> {
        match self {
            Self::Placed(filled) => filled.into_vec(),
            Self::Apart(results) => results,
        }
    }

    /// These, and those that follow them.
    fn and(mut self, next: Self) -> Self {
        let next = match (&mut self, next) {
            (Self::Apart(none), next) if none.is_empty() => return next,
            (Self::Placed(filled), Self::Placed(next)) => match filled.join(next) {
                Ok(()) => return self,
                Err(next) => next.into_vec(),
            },
            (_, next) => next.into_vec(),
        };
        let mut whole = self.into_vec();
        whole.extend(next);
        Self::Apart(whole)
    }
}

pub(super) struct Output<U>(Mutex<State<U>>);

struct State<U> {
    /// None once it was answered.
    promise: Option<Promise<Vec<U>, Infallible>>,
    /// All results before `next`; None while a thread appends to them.
    whole: Option<Results<U>>,
    next: usize,
    /// Results that came early, by the number of the first.
    early: BTreeMap<usize, Results<U>>,
    /// How many there will be, once that is known.
    end: Option<usize>,
}

impl<U> Output<U> {
    pub(super) fn new(promise: Promise<Vec<U>, Infallible>) -> Self {
        let (promise, whole) = (Some(promise), Some(Results::Apart(Vec::new())));
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
    pub(super) fn deliver(&self, first: usize, results: Results<U>) {
        let mut state = lock(&self.0);
        state.early.insert(first, results);
        let Some(mut whole) = state.whole.take() else { return };
        let mut next = state.next;
        while let Some(results) = state.early.remove(&next) {
            drop(state);
            next += results.len();
            whole = whole.and(results);
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
        match promise {
            Some(promise) => promise.complete(Ok(whole.into_vec())),
            // It has failed, and nobody wants them.
            None => discard(whole),
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

    use super::super::places::Place;
    use super::*;

    #[test]
    fn results_that_come_early_wait_for_their_turn() {
        let (promise, call) = channel();
        let output = Output::new(promise);
        output.deliver(2, Results::Apart(vec!['c', 'd']));
        output.end_at(4);
        assert!(!call.is_done());
        output.deliver(0, Results::Apart(vec!['a', 'b']));
        assert_eq!(call.result().unwrap(), ['a', 'b', 'c', 'd']);
    }

    #[test]
    fn results_in_their_places_are_the_vector() {
        let (promise, call) = channel();
        let output = Output::new(promise);
        // More room than is needed in the end: that tells it from what is copied.
        let mut rest = Place::for_all(100).unwrap();
        let (first, second) = (rest.split(2).unwrap(), rest.split(2).unwrap());
        drop(rest);
        output.deliver(2, Results::Placed(second.fill("cd".chars())));
        output.end_at(4);
        assert!(!call.is_done());
        output.deliver(0, Results::Placed(first.fill("ab".chars())));
        let whole = call.result().unwrap();
        assert!(whole == ['a', 'b', 'c', 'd'] && whole.capacity() >= 100);
    }

    #[test]
    fn results_without_a_place_follow_those_that_have_one() {
        let (promise, call) = channel();
        let output = Output::new(promise);
        let first = Place::for_all(2).unwrap().fill("ab".chars());
        output.deliver(2, Results::Apart(vec!['c']));
        output.deliver(0, Results::Placed(first));
        output.deliver(3, Results::Apart(vec!['d']));
        output.end_at(4);
        assert_eq!(call.result().unwrap(), ['a', 'b', 'c', 'd']);
    }

    #[test]
    fn the_first_end_of_a_map_is_its_end() {
        let (promise, call) = channel::<Vec<u8>, _>();
        let output = Output::new(promise);
        output.fail(CallError::Stopped);
        output.end_at(0);
        assert!(!output.is_wanted());
        assert!(matches!(call.result(), Err(CallError::Stopped)));
    }
}
