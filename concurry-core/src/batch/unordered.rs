//! Outcomes of calls that are submitted as they are asked for, in the order in which they are done.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::ready::{Ready, next};
use super::submit_all::Input;
use crate::call::{Call, CallError, Outcome};
use crate::park;

/// `(index, outcome)` of calls in the order in which they are done: see [`SubmitAll::unordered`](super::SubmitAll::unordered).
#[must_use = "iterators and streams do nothing unless they are driven"]
pub struct Unordered<I, F, T, E> {
    input: Input<I, F>,
    /// What is in flight, each in a slot by whose number its completion is told.
    slots: Vec<Option<(usize, Call<T, E>)>>,
    free: Vec<usize>,
    ready: Ready,
}

impl<I, F, T, E> Unordered<I, F, T, E> {
    pub(super) fn new(input: Input<I, F>, calls: VecDeque<(usize, Call<T, E>)>) -> Self {
        let mut this = Self { input, slots: Vec::new(), free: Vec::new(), ready: Ready::new() };
        for (index, call) in calls {
            this.put(index, call);
        }
        this
    }

    fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn put(&mut self, index: usize, call: Call<T, E>) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let (_, call) = self.slots[number].insert((index, call));
        self.ready.expect(call, number);
    }
}

impl<I, F, T, E> Unordered<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    /// The next call that is done, awaited; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing is lost.
    pub async fn next_async(&mut self) -> Option<(usize, Outcome<T, E>)> {
        next(self, |this| &this.ready, Self::poll).await
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<(usize, Outcome<T, E>)>> {
        // One at least, and more as long as none is done.
        let mut is_first = true;
        while self.in_flight() < self.input.in_flight
            && (is_first || self.in_flight() == self.ready.expected())
        {
            is_first = false;
            let Some((index, call)) = self.input.submit_next() else { break };
            self.put(index, call);
        }
        if self.in_flight() == 0 {
            return Poll::Ready(None);
        }
        let Poll::Ready(number) = self.ready.poll_next(context) else { return Poll::Pending };
        let Some((index, call)) = self.slots[number].take() else { return Poll::Pending };
        self.free.push(number);
        Poll::Ready(Some((index, call.try_take().unwrap_or(Err(CallError::Taken)))))
    }
}

impl<I, F, T, E> Iterator for Unordered<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    type Item = (usize, Outcome<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        park::block_on(self.next_async())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint(self.in_flight())
    }
}

/// Nothing in it is pinned.
impl<I, F, T, E> Unpin for Unordered<I, F, T, E> {}

/// Polling runs the closure that submits: what blocks there blocks the task.
impl<I, F, T, E> Stream for Unordered<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    type Item = (usize, Outcome<T, E>);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint(self.in_flight())
    }
}

impl<I, F, T, E> fmt::Debug for Unordered<I, F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unordered")
            .field("in_flight", &self.in_flight())
            .field("at_most", &self.input.in_flight)
            .finish_non_exhaustive()
    }
}
