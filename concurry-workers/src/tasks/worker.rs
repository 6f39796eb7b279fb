//! The worker that runs whatever it is given.
//!
//! This is the one place where the trait [`Worker`] is implemented by hand: a message is no enum of methods here, but a box.

use std::task::Waker;

use concurry_core::call::{Awaited, CallError, NotSent, Rejected};
use concurry_core::mode::ExecutionMode;
use concurry_limits::{IntoLimits, LimitPool};

use super::{TaskCall, TaskWorkerHandle};
use crate::attempt::Ran;
use crate::construct::constructing;
use crate::error::{BoxError, InitError};
use crate::options::{WorkerOptions, Workers};
use crate::process::{Answer, Answered, Encoded, Finished};
use crate::retry::MethodRetry;
use crate::runtime::{self, Start};
use crate::worker::{Access, ExclusiveGuard, Job, Message, SharedGuard, Worker};

/// A worker for closures and futures.
///
/// It runs in mode sync (in the caller), thread (a closure a worker at a time; a future is run to its end on its worker)
/// and async (futures as tasks side by side, closures on blocking threads). A closure cannot travel: in process mode `init`
/// fails, and a function with `#[task]` does it.
///
/// # Examples
///
/// ```
/// use concurry_core::mode::ExecutionMode;
/// use concurry_workers::tasks::TaskWorker;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tasks = TaskWorker::options(ExecutionMode::Thread, (), 4).init()?;
/// let call = tasks.submit(|| 6 * 7);
/// let squares = tasks.map(0..1_000u64, |x| x * x);
/// assert_eq!(call.result()?, 42);
/// assert_eq!(squares.result()?[999], 998_001);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TaskWorker {
    pub(super) limits: LimitPool,
}

impl TaskWorker {
    /// The options of a pool for tasks: where they run, the limits that [`submit_with_limits`] shows them, and how many
    /// workers there are. End it with `init()`.
    ///
    /// A closure runs once and cannot be tried again: a `.retry(…)` is an error of `init`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::mode::ExecutionMode;
    /// use concurry_workers::tasks::TaskWorker;
    ///
    /// # fn main() -> Result<(), concurry_workers::InitError> {
    /// let tasks = TaskWorker::options(ExecutionMode::Async, (), 1).name("fetchers").max_queued_calls(100).init()?;
    /// assert_eq!(tasks.stats().name, "fetchers");
    /// # Ok(()) }
    /// ```
    ///
    /// [`submit_with_limits`]: TaskWorkerHandle::submit_with_limits
    pub fn options(
        mode: ExecutionMode,
        limits: impl IntoLimits,
        max_workers: impl Into<Workers>,
    ) -> WorkerOptions<Self, ()> {
        WorkerOptions::new(mode, limits, max_workers)
    }
}

impl Message for TaskCall {
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        self.0.awaited_by(waker)
    }

    fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }

    fn method(&self) -> &'static str {
        "task"
    }

    fn call(&self) -> usize {
        self.0.call()
    }
}

// It is no hint for a struct that lacks its `#[worker] impl`.
#[diagnostic::do_not_recommend]
impl Worker for TaskWorker {
    type Message = TaskCall;
    type Args = ();
    type Handle = TaskWorkerHandle;
    type Options = WorkerOptions<Self, ()>;
    type Me = Self;

    fn options(
        mode: ExecutionMode,
        limits: impl IntoLimits,
        max_workers: impl Into<Workers>,
    ) -> WorkerOptions<Self, ()> {
        Self::options(mode, limits, max_workers)
    }

    fn check_options(mode: ExecutionMode, has_retry: bool) -> Result<(), InitError> {
        match mode {
            ExecutionMode::Process | ExecutionMode::Ray => Err(InitError::ClosuresCannotTravel { mode }),
            _ if has_retry => Err(InitError::InvalidOption {
                option: "retry",
                value: "given to a TaskWorker".to_owned(),
                expected: "a closure runs once; put #[task] and #[retry(…)] on a function",
            }),
            _ => Ok(()),
        }
    }

    fn construct((): ()) -> Result<Self, BoxError> {
        Ok(Self { limits: constructing() })
    }

    fn limits_mut(&mut self) -> &mut LimitPool {
        &mut self.limits
    }

    /// It has no state.
    const SURVIVES_PANICS: bool = true;

    /// As a `&self` method.
    fn access(TaskCall(task): &TaskCall) -> Access {
        Access { exclusive: false, is_async: task.is_async() }
    }

    fn run(&mut self, TaskCall(task): TaskCall) -> Ran {
        task.run(&self.limits)
    }

    fn run_shared(&self, TaskCall(task): TaskCall) -> Ran {
        task.run(&self.limits)
    }

    fn start_shared(worker: SharedGuard<Self>, TaskCall(task): TaskCall) -> Option<Job> {
        task.start(worker)
    }

    fn start_exclusive(_: ExclusiveGuard<Self>, _: TaskCall) -> Option<Job> {
        None
    }

    fn refuse(TaskCall(task): TaskCall, error: CallError) {
        task.refuse(error);
    }

    /// A closure has no type that its owner could ask for.
    fn reject(TaskCall(task): TaskCall, capacity: usize) {
        task.refuse(CallError::Rejected(Rejected::new((), capacity)));
    }

    fn sync_start() -> Option<Start<Self>> {
        Some(runtime::start_sync::<Self>)
    }

    fn async_start() -> Option<Start<Self>> {
        Some(runtime::start_async::<Self>)
    }

    fn unsendable_futures() -> Vec<&'static str> {
        Vec::new()
    }

    fn unable_to_travel() -> Vec<String> {
        vec!["a closure".to_owned()]
    }

    fn retries() -> Vec<MethodRetry> {
        Vec::new()
    }

    fn encode_args((): &()) -> Result<Vec<u8>, NotSent> {
        Err(cannot_travel())
    }

    fn decode_args(_: &[u8]) -> Result<(), NotSent> {
        Err(cannot_travel())
    }

    fn encode(_: &TaskCall) -> Option<Encoded> {
        Some(Encoded::failed(cannot_travel()))
    }

    fn complete(TaskCall(task): TaskCall, _: &Answered<'_>) -> Ran {
        task.refuse(CallError::NotSent(cannot_travel()));
        Ran::Failed
    }

    fn serve(&mut self, _: u16, _: &[u8]) -> Option<(Finished, Ran)> {
        None
    }

    fn decode(_: u16, _: &[u8]) -> Result<(TaskCall, Box<dyn Answer>), NotSent> {
        Err(cannot_travel())
    }
}

fn cannot_travel() -> NotSent {
    NotSent::new("a task", "a closure", "closures cannot travel: put #[task] on a function")
}
