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
    use std::pin::Pin;
    use std::task::Context;

    use super::Awaited;
    use crate::call::{Call, channel};
    use crate::park::thread_waker;

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
