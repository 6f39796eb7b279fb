//! Submitting as the input comes, with a bound on what is in flight.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::iter::{Enumerate, Fuse};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::portion::{Portion, Wary};
use super::unordered::Unordered;
use crate::call::{Call, Outcome};
use crate::clock;

/// Submits a call for each of `items`, with at most `in_flight` of them in flight, and yields the outcomes in the order of
/// the input; [`unordered`](SubmitAll::unordered) yields them as they come.
///
/// Nothing is submitted before the first outcome is asked for. Then, and each time after, items are taken from the input
/// and submitted: one, and then more until the next outcome is there or `in_flight` calls are in flight. So an input that
/// comes slowly, such as lines that somebody types, holds back an outcome that is there for one item at most; an outcome that
/// comes while the input is waited for comes out after that item, since one thread cannot wait for both. In the order of
/// the input, items that are known to be there, and that take next to no time to submit, are submitted a sixteenth of `in_flight` at a
/// time, and 64 at most; eight that turn out to be slow hold an outcome back once, and then it is one by one for a while. A call is in flight
/// until its outcome was yielded, so memory is bounded by `in_flight` even for an endless input whose first call is the
/// slowest. An `in_flight` of 0 counts as 1.
///
/// An iterator that blocks, and a [`Stream`] as well; [`next_async`](SubmitAll::next_async) awaits without either trait.
/// Failed and cancelled calls are outcomes like others, and end nothing.
///
/// When this is dropped in the middle, nothing more is submitted; what was submitted goes on.
///
/// # Panics
///
/// A panic of `items` or of `submit` comes out where the next outcome was asked for. Nothing else is lost by it: whoever
/// catches it can go on, with the item after the one that `submit` panicked on.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::submit_all, call::channel};
/// use std::convert::Infallible;
///
/// let double = |n: u64| {
///     let (promise, call) = channel::<u64, Infallible>(); // `handle.double(n)`
///     promise.complete(Ok(2 * n));
///     call
/// };
/// let doubled: Vec<_> = submit_all(1.., 64, double).take(3).map(Result::unwrap).collect();
/// assert_eq!(doubled, [2, 4, 6]);
/// ```
pub fn submit_all<I, F, T, E>(items: I, in_flight: usize, submit: F) -> SubmitAll<I::IntoIter, F, T, E>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    let input = Input { items: items.into_iter().fuse().enumerate(), submit, in_flight: in_flight.max(1) };
    SubmitAll { input, calls: VecDeque::new(), wary: Wary::default() }
}

/// The items that are not submitted yet, and how to submit them.
pub(super) struct Input<I, F> {
    items: Enumerate<Fuse<I>>,
    submit: F,
    pub(super) in_flight: usize,
}

impl<I: Iterator, F> Input<I, F> {
    /// Submits the next item; the index is its place in the input.
    pub(super) fn submit_next<C>(&mut self) -> Option<(usize, C)>
    where
        F: FnMut(I::Item) -> C,
    {
        let (index, item) = self.items.next()?;
        Some((index, (self.submit)(item)))
    }

    /// How many items are known to be left: of a channel, or of lines that somebody types, none.
    fn left(&self) -> usize {
        self.items.size_hint().0
    }

    /// How many outcomes are to come, with `in_flight` calls submitted and not yielded.
    pub(super) fn size_hint(&self, in_flight: usize) -> (usize, Option<usize>) {
        let (least, most) = self.items.size_hint();
        (least.saturating_add(in_flight), most.and_then(|most| most.checked_add(in_flight)))
    }
}

/// Outcomes of calls that are submitted as they are asked for: see [`submit_all`].
#[must_use = "iterators and streams do nothing unless they are driven"]
pub struct SubmitAll<I, F, T, E> {
    input: Input<I, F>,
    /// What is in flight, oldest first.
    calls: VecDeque<(usize, Call<T, E>)>,
    wary: Wary,
}

impl<I, F, T, E> SubmitAll<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    /// Yields `(index, outcome)` as the calls are done; the index is the place in the input. No call waits for a slower
    /// one before it.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::{batch::submit_all, call::channel};
    /// use std::convert::Infallible;
    ///
    /// let mut promises = Vec::new();
    /// let calls = submit_all(["slow", "fast"], 2, |text| {
    ///     let (promise, call) = channel::<&str, Infallible>();
    ///     promises.push((text, promise));
    ///     if promises.len() == 2 {
    ///         let (text, fast) = promises.pop().unwrap();
    ///         fast.complete(Ok(text));
    ///     }
    ///     call
    /// });
    /// let (index, outcome) = calls.unordered().next().unwrap();
    /// assert_eq!((index, outcome.unwrap()), (1, "fast"));
    /// ```
    pub fn unordered(self) -> Unordered<I, F, T, E> {
        Unordered::new(self.input, self.calls)
    }

    /// The next outcome, awaited; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::{batch::submit_all, call::channel, park::block_on};
    /// # use std::convert::Infallible;
    /// # let double = |n: u64| {
    /// #     let (promise, call) = channel::<u64, Infallible>();
    /// #     promise.complete(Ok(2 * n));
    /// #     call
    /// # };
    /// # block_on(async {
    /// let mut doubled = submit_all([1, 2], 64, double);
    /// while let Some(outcome) = doubled.next_async().await {
    ///     println!("{}", outcome.unwrap());
    /// }
    /// # });
    /// ```
    pub async fn next_async(&mut self) -> Option<Outcome<T, E>> {
        /// When this is dropped in the middle, nobody waits any more.
        struct Leaves<'a, I, F, T, E>(&'a mut SubmitAll<I, F, T, E>);

        impl<I, F, T, E> Drop for Leaves<'_, I, F, T, E> {
            fn drop(&mut self) {
                self.0.calls.front_mut().into_iter().for_each(|(_, oldest)| oldest.leave());
            }
        }

        let leaves = Leaves(self);
        poll_fn(|context| leaves.0.poll(context)).await
    }

    /// Submits what may be in flight before the next outcome. While outcomes are there, in portions: many are taken, and then
    /// many submitted, so the memory that workers share with this thread goes to and fro once for them.
    fn submit_more(&mut self) {
        let most = self.input.in_flight;
        let size = self.wary.portion(most, self.input.left());
        if most - self.calls.len() < size && self.is_there() {
            return;
        }
        let mut portion = Portion::new(size, || clock::system().now());
        while self.calls.len() < most {
            if portion.may_end() && self.is_there() {
                break;
            }
            let Some((index, call)) = self.input.submit_next() else { break };
            portion.submitted(call.is_done(), &mut self.wary, || clock::system().now());
            self.calls.push_back((index, call));
        }
    }

    /// Whether the next outcome is there.
    fn is_there(&self) -> bool {
        self.calls.front().is_some_and(|(_, oldest)| oldest.is_done())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome<T, E>>> {
        self.submit_more();
        let Some((_, oldest)) = self.calls.front_mut() else { return Poll::Ready(None) };
        let Poll::Ready(outcome) = Pin::new(oldest).poll(context) else { return Poll::Pending };
        drop(self.calls.pop_front());
        Poll::Ready(Some(outcome))
    }
}

impl<I, F, T, E> Iterator for SubmitAll<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    type Item = Outcome<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        self.submit_more();
        let (_, oldest) = self.calls.pop_front()?;
        Some(oldest.result())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint(self.calls.len())
    }
}

/// Nothing in it is pinned.
impl<I, F, T, E> Unpin for SubmitAll<I, F, T, E> {}

/// Polling runs `submit`: what blocks there blocks the task.
impl<I, F, T, E> Stream for SubmitAll<I, F, T, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Call<T, E>,
{
    type Item = Outcome<T, E>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint(self.calls.len())
    }
}

impl<I, F, T, E> fmt::Debug for SubmitAll<I, F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitAll")
            .field("in_flight", &self.calls.len())
            .field("at_most", &self.input.in_flight)
            .finish_non_exhaustive()
    }
}
