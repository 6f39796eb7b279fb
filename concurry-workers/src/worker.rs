//! What `#[worker]` implements: the seam between a user's struct and the runtimes.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use concurry_core::call::{Awaited, CallError, NotSent};
use concurry_core::mode::ExecutionMode;
use concurry_limits::{IntoLimits, LimitPool};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::admission::Admission;
use crate::attempt::Ran;
use crate::error::{BoxError, InitError};
use crate::options::Workers;
use crate::pool::PoolHandle;
use crate::process::{Answer, Answered, Encoded, Finished};
use crate::retry::MethodRetry;
use crate::runtime::Start;

/// A run of an async method on a worker that it borrows through a guard.
pub type Job = Pin<Box<dyn Future<Output = Ran> + Send>>;

/// A worker on loan to all `&self` methods that run on tokio at a time.
pub(crate) struct Lent<W> {
    guard: OwnedRwLockReadGuard<W>,
    crashed: Arc<AtomicBool>,
}

impl<W> Lent<W> {
    pub(crate) fn new(guard: OwnedRwLockReadGuard<W>, crashed: &Arc<AtomicBool>) -> Self {
        Self { guard, crashed: Arc::clone(crashed) }
    }
}

/// A worker on loan to a `&self` method that runs on tokio.
///
/// A panic that unwinds through it marks the worker as crashed before the lock is released, so that no other call finds
/// the worker before it was made anew.
pub struct SharedGuard<W>(Arc<Lent<W>>);

/// A worker on loan to a `&mut self` method that runs on tokio; see [`SharedGuard`].
pub struct ExclusiveGuard<W> {
    guard: OwnedRwLockWriteGuard<W>,
    crashed: Arc<AtomicBool>,
}

impl<W> SharedGuard<W> {
    pub(crate) fn new(lent: Arc<Lent<W>>) -> Self {
        Self(lent)
    }
}

impl<W> ExclusiveGuard<W> {
    pub(crate) fn new(guard: OwnedRwLockWriteGuard<W>, crashed: &Arc<AtomicBool>) -> Self {
        Self { guard, crashed: Arc::clone(crashed) }
    }
}

impl<W> Deref for SharedGuard<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.0.guard
    }
}

impl<W> Deref for ExclusiveGuard<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.guard
    }
}

impl<W> DerefMut for ExclusiveGuard<W> {
    fn deref_mut(&mut self) -> &mut W {
        &mut self.guard
    }
}

impl<W> Drop for SharedGuard<W> {
    fn drop(&mut self) {
        note_panic(&self.0.crashed);
    }
}

impl<W> Drop for ExclusiveGuard<W> {
    fn drop(&mut self) {
        note_panic(&self.crashed);
    }
}

fn note_panic(crashed: &AtomicBool) {
    if std::thread::panicking() {
        crashed.store(true, Ordering::SeqCst);
    }
}

/// A typed handle. Implemented by `#[worker]` on the struct, never by hand.
pub trait Handle {
    /// The struct.
    type Worker;
}

/// How a method uses its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// `&mut self`: alone on its worker.
    pub exclusive: bool,
    /// `async fn`.
    pub is_async: bool,
}

/// A call of one of the methods of a worker: its arguments and the promise to answer.
pub trait Message {
    /// The method's name.
    fn method(&self) -> &'static str;

    /// The number of the call that it answers.
    fn call(&self) -> usize;

    /// The number of the method and the admission of a call whose method declares what it needs.
    fn admission(&mut self) -> Option<(u16, &mut Admission)> {
        None
    }

    /// Whether anybody still needs its result.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Whether whoever `waker` wakes waits for this call.
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        let _ = waker;
        Awaited::No
    }
}

/// A message that can wait in a queue.
pub trait Queued: Message + Send + 'static {}
impl<M: Message + Send + 'static> Queued for M {}

/// A struct whose methods run elsewhere. Implemented by `#[worker]` on an `impl` block; by hand for
/// [`TaskWorker`](crate::tasks::TaskWorker) alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a worker yet",
    label = "has no `#[worker] impl` block",
    note = "put `#[worker]` on the struct and on the `impl` block that holds `new` and the methods"
)]
pub trait Worker: Sized + 'static {
    /// A call of one of the methods: its arguments and the promise to answer.
    type Message: Queued;
    /// The constructor's arguments. Each worker of a pool, and each that is made anew, gets a clone.
    type Args: Clone + Send + 'static;
    /// The typed handle.
    type Handle: From<PoolHandle<Self>>;
    /// What `options` returns: the options, with the constructor's arguments in its `init`.
    type Options;
    /// The worker itself. Of a type with two `#[worker] impl` blocks the compiler does not know it, and says no more of it.
    type Me;

    /// The options of a pool of these workers. The struct has an `options` of its own that calls this one.
    fn options(
        mode: ExecutionMode,
        limits: impl IntoLimits,
        max_workers: impl Into<Workers>,
    ) -> Self::Options;

    /// Whether a method declares what it needs of the limits.
    const IS_LIMITED: bool = false;

    /// Whether a panic of a `&self` method leaves nothing of the worker broken.
    const SURVIVES_PANICS: bool = false;

    /// What workers of this type can never be asked for, whatever their types.
    ///
    /// # Errors
    ///
    /// What `init` fails with.
    fn check_options(_mode: ExecutionMode, _has_retry: bool) -> Result<(), InitError> {
        Ok(())
    }

    /// Runs the constructor.
    ///
    /// # Errors
    ///
    /// The constructor's own.
    fn construct(args: Self::Args) -> Result<Self, BoxError>;

    /// The injected field.
    fn limits_mut(&mut self) -> &mut LimitPool;

    /// How the method of `message` uses the worker.
    fn access(message: &Self::Message) -> Access;

    /// Runs any method to its end on this thread.
    fn run(&mut self, message: Self::Message) -> Ran;

    /// Runs a `&self` method that is not async to its end on this thread.
    fn run_shared(&self, message: Self::Message) -> Ran;

    /// Starts an async `&self` method; `None` when its future cannot be sent to another thread.
    fn start_shared(worker: SharedGuard<Self>, message: Self::Message) -> Option<Job>;

    /// Starts an async `&mut self` method; `None` when its future cannot be sent to another thread.
    fn start_exclusive(worker: ExclusiveGuard<Self>, message: Self::Message) -> Option<Job>;

    /// Answers `message` without running it.
    fn refuse(message: Self::Message, error: CallError);

    /// Answers `message`, which found no room in a queue of this capacity, with its arguments.
    fn reject(message: Self::Message, capacity: usize);

    /// The start of sync mode, when this worker may be used by several threads in turn.
    fn sync_start() -> Option<Start<Self>>;

    /// The start of async mode, when this worker may be used by several threads at once.
    fn async_start() -> Option<Start<Self>>;

    /// The async methods whose futures cannot be sent to another thread.
    fn unsendable_futures() -> Vec<&'static str>;

    /// What of this worker cannot travel to another process, as "argument `T` of `method`"; empty when all can.
    fn unable_to_travel() -> Vec<String>;

    /// The methods that can be tried again.
    fn retries() -> Vec<MethodRetry>;

    /// The constructor's arguments as bytes.
    ///
    /// # Errors
    ///
    /// When they cannot travel.
    fn encode_args(args: &Self::Args) -> Result<Vec<u8>, NotSent>;

    /// The constructor's arguments from bytes.
    ///
    /// # Errors
    ///
    /// When the bytes are not the encoding of such arguments.
    fn decode_args(bytes: &[u8]) -> Result<Self::Args, NotSent>;

    /// A call as bytes; `None` when nobody needs its result any more. The call itself stays here, to be sent once more if it
    /// was not begun.
    fn encode(message: &Self::Message) -> Option<Encoded>;

    /// Answers a call, whose answer has come from elsewhere as bytes.
    fn complete(message: Self::Message, answer: &Answered<'_>) -> Ran;

    /// Runs the call of this method, from its bytes to those of its answer, if it needs nothing but the worker.
    fn serve(&mut self, method: u16, bytes: &[u8]) -> Option<(Finished, Ran)>;

    /// A call from bytes, with the way to encode its answer.
    ///
    /// # Errors
    ///
    /// When the bytes are not the encoding of a call of that method.
    fn decode(method: u16, bytes: &[u8]) -> Result<(Self::Message, Box<dyn Answer>), NotSent>;
}

/// `options` of a worker, for the prelude: of [`Worker`] itself no method may be in scope, since traits of the user's have
/// methods of the same names.
pub trait Optioned: Worker {
    /// [`Worker::options`].
    fn options(
        mode: ExecutionMode,
        limits: impl IntoLimits,
        max_workers: impl Into<Workers>,
    ) -> <Self as Worker>::Options;
}

#[diagnostic::do_not_recommend]
impl<W: Worker> Optioned for W {
    fn options(
        mode: ExecutionMode,
        limits: impl IntoLimits,
        max_workers: impl Into<Workers>,
    ) -> <Self as Worker>::Options {
        <W as Worker>::options(mode, limits, max_workers)
    }
}
