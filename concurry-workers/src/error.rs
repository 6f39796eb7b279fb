//! Why a pool could not be started.

use std::io;
use std::time::Duration;

use concurry_core::call::{Panicked, WorkerDied};
use concurry_core::mode::ExecutionMode;
use concurry_limits::{LimitError, LimitSetError};

/// Any error that can cross threads; what a constructor's error becomes.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why `init` failed. Nothing was left running.
///
/// # Examples
///
/// ```
/// use concurry_workers::InitError;
///
/// fn advise(error: &InitError) -> &'static str {
///     match error {
///         InitError::CannotTravel { .. } => "derive serde's traits, or choose another mode",
///         InitError::Constructor { .. } => "look at the constructor's own error",
///         _ => "see the message",
///     }
/// }
/// # let _ = advise;
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// An option has a value that cannot be.
    #[error("{option} is {value}, but {expected}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The limits given are wrong.
    #[error("the limits given to the pool are wrong: {0}")]
    Limits(#[from] LimitSetError),
    /// The limits given cannot be used.
    #[error("the limits given to the pool cannot be used: {0}")]
    UnusableLimits(#[from] LimitError),
    /// A constructor returned an error.
    #[error("the constructor of `{worker}` failed: {source}")]
    Constructor {
        /// The worker's type.
        worker: &'static str,
        /// The constructor's error; one from another process is its text and the texts of its sources.
        source: BoxError,
    },
    /// A constructor panicked.
    #[error("the constructor of `{worker}` panicked: {panic}")]
    ConstructorPanicked {
        /// The worker's type.
        worker: &'static str,
        /// The panic.
        panic: Panicked,
    },
    /// Types of the worker cannot travel to another process.
    #[error(
        "`{worker}` cannot run in mode {mode}: {what} cannot travel between processes; \
         implement serde::Serialize and serde::Deserialize for it, or use another mode"
    )]
    CannotTravel {
        /// The worker's type.
        worker: &'static str,
        /// The mode asked for.
        mode: ExecutionMode,
        /// The methods and types, as a text.
        what: String,
    },
    /// A `TaskWorker` was asked for in a mode whose workers are in other processes.
    #[error(
        "a TaskWorker cannot run in mode {mode}: a closure cannot travel to another process; \
         put #[task] on a function and use its `options`, or use mode sync, thread or async"
    )]
    ClosuresCannotTravel {
        /// The mode asked for.
        mode: ExecutionMode,
    },
    /// The worker, or a future of one of its methods, cannot be used by several threads, as this mode needs.
    #[error("`{worker}` cannot run in mode {mode}: {what}; use mode thread or process, or make it so")]
    NotShareable {
        /// The worker's type.
        worker: &'static str,
        /// The mode asked for.
        mode: ExecutionMode,
        /// What is not `Send` or `Sync`.
        what: String,
    },
    /// Methods are to be tried again, but their arguments cannot be cloned for that.
    #[error(
        "`{worker}` cannot have this retry: {what} is not Clone; derive Clone for it, or drop `.retry(…)` and the configuration's"
    )]
    NotClonable {
        /// The worker's type.
        worker: &'static str,
        /// The methods and types, as a text.
        what: String,
    },
    /// Workers had to be made anew more often than they may.
    #[error(
        "the pool gave up: its workers were made anew {count} times within {within:?}, which is as often as they may"
    )]
    TooManyRestarts {
        /// How often they may.
        count: usize,
        /// In which time.
        within: Duration,
    },
    /// This build has no such mode.
    #[error("execution mode {mode} is not there: {reason}")]
    Unsupported {
        /// The mode asked for.
        mode: ExecutionMode,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A thread or process could not be started.
    #[error("could not start {what}: {source}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A worker's process took longer than it may until its worker was there; it was ended.
    #[error("a worker's process was not ready within {after:?}; see start_timeout")]
    StartTimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// A worker's process ended before it was ready.
    #[error("a worker's process ended before it was ready: {0}")]
    Died(WorkerDied),
}
