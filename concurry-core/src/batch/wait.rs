//! Waiting for some of many calls.

use std::sync::Arc;
use std::time::Duration;

use super::latch::{Latch, Until};
use super::waiting::Waiting;
use crate::call::{Call, Watch};

/// What ends a [`wait`]; all calls being done always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ReturnWhen {
    /// One call is done, however it ended.
    FirstCompleted,
    /// One call has failed, was cancelled, or has no result for any other reason.
    FirstException,
    /// All calls are done.
    #[default]
    AllCompleted,
}

impl From<ReturnWhen> for Until {
    fn from(when: ReturnWhen) -> Self {
        match when {
            ReturnWhen::FirstCompleted => Self::First,
            ReturnWhen::FirstException => Self::Failure,
            ReturnWhen::AllCompleted => Self::All,
        }
    }
}

/// The calls of a wait: those that are done, and those that are pending.
type DoneAndPending<T, E> = (Vec<Call<T, E>>, Vec<Call<T, E>>);

/// Blocks until `when` holds or `timeout` is over, and gives back the calls that are done and those that are pending, each
/// in the order of the input.
///
/// Takes no result and stops no call: a timeout leaves all of them running, and what is pending can be waited for again.
/// A wait looks at every call once; to handle many calls one by one use [`as_completed`](super::as_completed). A timeout
/// of zero asks without waiting. No calls: returns at once.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::{ReturnWhen, wait}, call::channel};
/// use std::{convert::Infallible, time::Duration};
///
/// let (promise, slow) = channel::<u64, Infallible>();
/// let (fast, call) = channel::<u64, Infallible>();
/// fast.complete(Ok(2));
/// let (done, pending) = wait([slow, call], ReturnWhen::FirstCompleted, None);
/// assert_eq!((done.len(), pending.len()), (1, 1));
///
/// let (none, pending) = wait(pending, ReturnWhen::AllCompleted, Some(Duration::from_millis(1)));
/// assert_eq!((none.len(), pending.len()), (0, 1)); // it goes on
/// # drop(promise);
/// ```
pub fn wait<T, E>(
    calls: impl IntoIterator<Item = Call<T, E>>,
    when: ReturnWhen,
    timeout: Option<Duration>,
) -> DoneAndPending<T, E> {
    let (calls, waiting) = start(calls.into_iter().collect(), when, timeout);
    waiting.block();
    calls.into_iter().partition(Call::is_done)
}

/// As [`wait`], awaited. The time counts from this call.
///
/// # Cancel safety
///
/// When the future is dropped, the calls go on and their results are lost.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::{ReturnWhen, wait_async}, call::channel, park::block_on};
/// use std::convert::Infallible;
///
/// let (promise, call) = channel::<u64, Infallible>();
/// promise.complete(Ok(7));
/// let (done, pending) = block_on(wait_async([call], ReturnWhen::AllCompleted, None));
/// assert_eq!((done.len(), pending.len()), (1, 0));
/// ```
pub fn wait_async<T, E, I>(
    calls: I,
    when: ReturnWhen,
    timeout: Option<Duration>,
) -> impl Future<Output = DoneAndPending<T, E>>
where
    I: IntoIterator<Item = Call<T, E>>,
{
    async_wait(start(calls.into_iter().collect(), when, timeout))
}

async fn async_wait<T, E>((calls, waiting): (Vec<Call<T, E>>, Waiting)) -> DoneAndPending<T, E> {
    waiting.wait().await;
    calls.into_iter().partition(Call::is_done)
}

fn start<T, E>(
    calls: Vec<Call<T, E>>,
    when: ReturnWhen,
    timeout: Option<Duration>,
) -> (Vec<Call<T, E>>, Waiting) {
    let latch = Arc::new(Latch::new(calls.len(), (when.into(), timeout.is_some()), None));
    let watch = Arc::clone(&latch) as Arc<dyn Watch>;
    for (index, call) in calls.iter().enumerate() {
        call.watch(&watch, index);
    }
    (calls, Waiting::new(latch, timeout))
}
