//! A call: one cell between the caller, who holds a [`Call`], and the worker, who holds a [`Promise`].
//!
//! A promise is answered exactly once, whatever happens to the worker: dropping it unanswered answers
//! [`CallError::Stopped`]. So a caller never waits for an answer that cannot come.
//!
//! * `cell`: the state that both ends share, and who may change it.
//! * [`promise`](Promise): the worker's end.
//! * [`handle`](Call): the caller's end: waiting, awaiting, cancelling.
//! * `pending`: what is left at a call that is not done.
//! * `here`: a call that was done when it was made.
//! * [`awaited`](Awaited): who waits for a call.
//! * [`cancellation`](Cancellation): how a method learns that nobody needs its result.
//! * `watch`: what is told of the end of a call.
//! * `chain`: calls made of other calls: `map`, `and_then`.
//! * `trampoline`: chains of any length on a stack of any size.
//! * [`explain`](Explanation): how it stands with a call, and who can say so.
//! * [`error`](CallError): what can go wrong with a call.
//! * [`refused`](NotAdmitted): a call that is not run: not admitted, or without room.
//! * `kept`: a value that an error hands back.
//! * `spare`: cells of calls that have ended, for new ones.
//! * [`rejected_result`](RejectedResult): what a method returned that a retry did not accept.
//! * [`exhausted`](RetriesExhausted): a call that was tried as often as it may be.

mod awaited;
mod cancellation;
mod cell;
mod chain;
mod error;
mod exhausted;
mod explain;
mod handle;
mod here;
mod kept;
#[cfg(all(test, loom))]
mod models;
mod pending;
mod promise;
mod refused;
mod rejected_result;
mod spare;
mod trampoline;
mod watch;

pub use awaited::{Awaited, Onward};
pub use cancellation::{Cancellation, Canceller};
pub use error::{CallError, NotSent, Panicked, WorkerDied};
pub use exhausted::{AttemptEnd, AttemptVerdict, FailedAttempt, RetriesExhausted};
pub use explain::{Explains, Explanation, HeldBy, Look, Origin, Registered};
pub use handle::Call;
pub use promise::Promise;
pub use refused::{NotAdmitted, Rejected};
pub use rejected_result::RejectedResult;
#[doc(hidden)]
pub use trampoline::apart;
pub(crate) use trampoline::catch_up;
pub use watch::Watch;

/// Makes the two ends of a new call.
///
/// # Examples
///
/// ```
/// use concurry_core::call::channel;
/// use std::convert::Infallible;
///
/// let (promise, call) = channel::<u64, Infallible>();
/// promise.complete(Ok(42));
/// assert_eq!(call.result().unwrap(), 42);
/// ```
pub fn channel<T, E>() -> (Promise<T, E>, Call<T, E>) {
    let cell = cell::Cell::new(Origin::default());
    (Promise::new(std::sync::Arc::clone(&cell)), Call::new(cell, None))
}

/// Makes the two ends of a new call, of which `origin` can say how it stands.
#[doc(hidden)]
pub fn channel_of<T: 'static, E: 'static>(origin: Origin) -> (Promise<T, E>, Call<T, E>) {
    let (cell, keep) = spare::cell(origin);
    (Promise::new(std::sync::Arc::clone(&cell)), Call::new(cell, keep))
}

/// Has the cell of the call with this number fetched, since it is soon to be answered.
#[doc(hidden)]
#[inline]
pub fn is_soon_answered(id: usize) {
    crate::prefetch::for_writing(id);
    // What a small cell has beyond its first line of the cache.
    crate::prefetch::for_writing(id.wrapping_add(48));
}

/// How a call ended.
pub type Outcome<T, E> = Result<T, CallError<E>>;
