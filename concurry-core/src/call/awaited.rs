//! Who waits for a call, be it directly or through calls that are made of it: for pools that look whether a worker waits for
//! what only that worker could run.
//!
//! The way leads from the call to what hangs on it, link by link, and never back; at its end stands a waker.

use std::sync::Arc;
use std::task::Waker;

/// Whether whoever is woken by a certain waker waits for a call.
///
/// # Examples
///
/// ```
/// use concurry_core::call::{Awaited, channel};
/// use std::convert::Infallible;
/// use std::pin::Pin;
/// use std::task::{Context, Waker};
///
/// let (promise, call) = channel::<u64, Infallible>();
/// let mut doubled = call.map(|value| 2 * value);
/// assert_eq!(promise.awaited_by(Waker::noop()), Awaited::No);
/// let _ = Pin::new(&mut doubled).poll(&mut Context::from_waker(Waker::noop()));
/// assert_eq!(promise.awaited_by(Waker::noop()), Awaited::Needed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// No, or that is not known.
    No,
    /// Yes, and it goes on only once this call is done.
    Needed,
    /// Yes, and it goes on once any one of some calls is done.
    OneOf {
        /// How many those are.
        calls: usize,
        /// Which wait it is, of those whom the same waker wakes.
        wait: usize,
    },
}

/// The next call of a chain.
pub struct Onward(pub(super) Arc<dyn Asked>);

/// A call of whatever type, to be asked who waits for it.
pub(super) trait Asked: Send + Sync {
    /// Who waits for it; or whom to ask, since a chain may be longer than a stack is deep.
    fn awaited_by(&self, waker: &Waker) -> Result<Awaited, Onward>;

    fn is_open(&self) -> bool;

    fn cancel(&self);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::convert::Infallible;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use futures_core::Stream;

    use super::Awaited;
    use crate::batch::{as_completed, submit_all};
    use crate::call::{Call, Promise, channel};
    use crate::park::thread_waker;

    fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(waker))
    }

    /// Has this thread begun to wait for a call as `begin` does; who waits for it then, and after that was dropped.
    fn before_and_after<W>(begin: impl FnOnce(Call<u64>, &Waker) -> W) -> [Awaited; 2] {
        let (promise, call): (Promise<u64, Infallible>, _) = channel();
        let me = thread_waker();
        let wait = begin(call, &me);
        let before = promise.awaited_by(&me);
        drop(wait);
        [before, promise.awaited_by(&me)]
    }

    #[test]
    fn who_has_dropped_what_it_waited_for_waits_no_more() {
        let polled = |mut call: Call<u64>, me: &Waker| {
            assert!(poll(Pin::new(&mut call), me).is_pending());
            call
        };
        assert_eq!(before_and_after(polled), [Awaited::Needed, Awaited::No]);
        let mapped = before_and_after(|call, me| polled(call.map(|value| value + 1), me));
        assert_eq!(mapped, [Awaited::Needed, Awaited::No]);
        let polled_and_mapped = before_and_after(|call, me| polled(call, me).map(|value| value + 1));
        assert_eq!(polled_and_mapped, [Awaited::No; 2]);
        let [before, after] = before_and_after(|call, me| {
            let mut completed = as_completed([call]);
            assert!(Pin::new(&mut completed).poll_next(&mut Context::from_waker(me)).is_pending());
            completed
        });
        assert!(
            matches!((before, after), (Awaited::OneOf { calls: 1, .. }, Awaited::No)),
            "{before:?}, {after:?}"
        );
        let [before, after] = before_and_after(|call, me| {
            let mut calls = submit_all([call], 1, |call| call).unordered();
            assert!(Pin::new(&mut calls).poll_next(&mut Context::from_waker(me)).is_pending());
            calls
        });
        assert!(
            matches!((before, after), (Awaited::OneOf { calls: 1, .. }, Awaited::No)),
            "{before:?}, {after:?}"
        );
    }

    #[test]
    fn a_look_at_what_is_submitted_that_was_dropped_waits_no_more() {
        let ended = before_and_after(|call, me| {
            let mut calls = submit_all([call], 1, |call| call);
            assert!(poll(pin!(calls.next_async()), me).is_pending());
            calls
        });
        assert_eq!(ended, [Awaited::No; 2]);
        let (promise, call) = channel::<u64, Infallible>();
        let mut calls = submit_all([call], 1, |call| call);
        let me = thread_waker();
        let mut next = Box::pin(calls.next_async());
        assert!(poll(next.as_mut(), &me).is_pending());
        assert_eq!(promise.awaited_by(&me), Awaited::Needed);
        drop(next);
        promise.complete(Ok(7));
        assert_eq!(calls.next().map(Result::unwrap), Some(7), "and nothing is lost");
    }

    #[test]
    fn a_chain_may_be_longer_than_a_stack_is_deep() {
        let (promise, call) = channel::<u64, Infallible>();
        let mut last = (0..200_000).fold(call, |call: Call<u64>, _| call.map(|value| value + 1));
        let me = thread_waker();
        assert!(Pin::new(&mut last).poll(&mut Context::from_waker(&me)).is_pending());
        assert_eq!(promise.awaited_by(&me), Awaited::Needed);
        promise.complete(Ok(0));
        assert_eq!(last.result().unwrap(), 200_000);
    }
}
