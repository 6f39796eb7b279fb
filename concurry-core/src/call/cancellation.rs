//! [`Cancellation`]: how a method that cannot be dropped learns that nobody needs its result.

use std::fmt;
use std::sync::Arc;

use super::cell::Asked;

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

    /// Whether nobody needs the result any more.
    pub fn is_requested(&self) -> bool {
        self.call.as_ref().is_some_and(|call| !call.is_open())
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("requested", &self.is_requested()).finish()
    }
}
