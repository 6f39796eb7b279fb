//! [`Cancellation`]: how a method that cannot be dropped learns that nobody needs its result.

use std::fmt;
use std::sync::Arc;

use super::awaited::Asked;

/// Whether the call that a method runs for was cancelled.
///
/// An async method is dropped when its call is cancelled. One that is not async goes on, unless it looks: a parameter
/// `&Cancellation` of a worker's method is given to it, and is no argument of the handle's. Look at it every few milliseconds,
/// and return whatever is at hand: the caller has been told [`CallError::Cancelled`](super::CallError::Cancelled) already.
///
/// Looking costs about as much as reading a variable of another thread. [`Default`] gives one that is never requested, for
/// calling the method directly.
///
/// # Examples
///
/// ```
/// use concurry_core::call::Cancellation;
///
/// fn sum(numbers: &[u64], cancellation: &Cancellation) -> u64 {
///     numbers.chunks(1_000).take_while(|_| !cancellation.is_requested()).flatten().sum()
/// }
/// assert_eq!(sum(&[1, 2, 3], &Cancellation::default()), 6);
/// ```
#[derive(Clone, Default)]
pub struct Cancellation {
    call: Option<Arc<dyn Asked>>,
}

impl Cancellation {
    pub(super) fn of(call: Option<Arc<dyn Asked>>) -> Self {
        Self { call }
    }

    /// Cancels the call.
    pub(super) fn request(&self) {
        if let Some(call) = &self.call {
            call.cancel();
        }
    }

    /// Whether nobody needs the result any more.
    pub fn is_requested(&self) -> bool {
        self.call.as_ref().is_some_and(|call| !call.is_open())
    }
}

/// Cancels a call of whatever type, for who does not hold it.
///
/// # Examples
///
/// ```
/// use concurry_core::call::{CallError, channel};
///
/// let (promise, call) = channel::<u64, String>();
/// let canceller = call.canceller();
/// canceller.cancel();
/// assert!(!promise.is_open());
/// assert!(matches!(call.result(), Err(CallError::Cancelled)));
/// ```
#[derive(Debug, Clone)]
pub struct Canceller(pub(super) Cancellation);

impl Canceller {
    /// As [`Call::cancel`](super::Call::cancel).
    pub fn cancel(&self) {
        self.0.request();
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("requested", &self.is_requested()).finish()
    }
}
