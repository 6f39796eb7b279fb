//! Calls in the order in which they are done.

use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::ready::{Ready, next};
use crate::call::{Call, CallError, Outcome};
use crate::park;

/// Yields `(index, outcome)` of each call, in the order in which they are done; the index is the place in the input.
///
/// An iterator that blocks, and a [`Stream`] as well; [`next_async`](AsCompleted::next_async) awaits without either trait.
/// Each completion costs the same however many calls there are. Cancelled and failed calls come like others. Calls that
/// are not done when this is dropped go on.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::as_completed, call::channel};
/// use std::convert::Infallible;
///
/// let (slow, first) = channel::<&str, Infallible>();
/// let (fast, second) = channel::<&str, Infallible>();
/// let mut completed = as_completed([first, second]);
/// fast.complete(Ok("fast"));
/// assert_eq!(completed.next().map(|(index, outcome)| (index, outcome.unwrap())), Some((1, "fast")));
/// slow.complete(Ok("slow"));
/// assert_eq!(completed.next().map(|(index, outcome)| (index, outcome.unwrap())), Some((0, "slow")));
/// assert!(completed.next().is_none());
/// ```
pub fn as_completed<T, E>(calls: impl IntoIterator<Item = Call<T, E>>) -> AsCompleted<T, E> {
    let ready = Ready::new();
    let calls: Vec<_> = calls.into_iter().map(Some).collect();
    for (index, call) in calls.iter().flatten().enumerate() {
        ready.expect(call, index);
    }
    AsCompleted { remaining: calls.len(), calls, ready }
}

/// Calls in the order in which they are done: see [`as_completed`].
#[must_use = "iterators and streams do nothing unless they are driven"]
pub struct AsCompleted<T, E> {
    calls: Vec<Option<Call<T, E>>>,
    remaining: usize,
    ready: Ready,
}

impl<T, E> AsCompleted<T, E> {
    /// The next call that is done, awaited; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::{batch::as_completed, call::channel, park::block_on};
    /// use std::convert::Infallible;
    ///
    /// let (promise, call) = channel::<u64, Infallible>();
    /// promise.complete(Ok(7));
    /// block_on(async {
    ///     let mut completed = as_completed([call]);
    ///     while let Some((index, outcome)) = completed.next_async().await {
    ///         assert_eq!((index, outcome.unwrap()), (0, 7));
    ///     }
    /// });
    /// ```
    pub async fn next_async(&mut self) -> Option<(usize, Outcome<T, E>)> {
        next(self, |this| &this.ready, Self::poll).await
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<(usize, Outcome<T, E>)>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let Poll::Ready(index) = self.ready.poll_next(context) else { return Poll::Pending };
        self.remaining -= 1;
        let outcome = self.calls[index].take().and_then(|call| call.try_take());
        Poll::Ready(Some((index, outcome.unwrap_or(Err(CallError::Taken)))))
    }
}

impl<T, E> Iterator for AsCompleted<T, E> {
    type Item = (usize, Outcome<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        park::block_on(self.next_async())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<T, E> ExactSizeIterator for AsCompleted<T, E> {}
impl<T, E> FusedIterator for AsCompleted<T, E> {}

impl<T, E> Stream for AsCompleted<T, E> {
    type Item = (usize, Outcome<T, E>);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<T, E> fmt::Debug for AsCompleted<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}
