//! What can go wrong with a call.

use std::convert::Infallible;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NotAdmitted, Rejected, RetriesExhausted};

/// Why a call has no result.
///
/// `E` is the method's own error. Everything else says what happened to the call on its way.
///
/// # Examples
///
/// ```
/// use concurry_core::call::CallError;
///
/// fn retry_later(error: &CallError<std::io::Error>) -> bool {
///     match error {
///         CallError::Failed(own) => own.kind() == std::io::ErrorKind::TimedOut,
///         CallError::WorkerDied(_) => true,
///         _ => false,
///     }
/// }
/// assert!(!retry_later(&CallError::Cancelled));
/// ```
///
/// It is an [`Error`](std::error::Error) where the method's own is one. What is none, such as `String` or `anyhow::Error`, is put into
/// one for `?`:
///
/// ```
/// use concurry_core::call::CallError;
///
/// fn lengths(outcome: Result<usize, CallError<String>>) -> Result<usize, Box<dyn std::error::Error>> {
///     Ok(outcome.map_err(|error| error.to_string())?)
/// }
/// # let _ = lengths;
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// The method returned this error. Text and source are those of that.
    #[error(transparent)]
    Failed(E),
    /// The method panicked; its worker was made anew and goes on.
    #[error(transparent)]
    Panicked(Panicked),
    /// The process of the worker ended while it ran this call. The method may have run in part.
    #[error(transparent)]
    WorkerDied(WorkerDied),
    /// The call was tried as often, or for as long, as it may be; every attempt's result and verdict.
    #[error(transparent)]
    RetriesExhausted(RetriesExhausted<E>),
    /// The pool was stopped before the call was run, or run again; it does not run.
    #[error("the worker pool was stopped before it ran this call")]
    Stopped,
    /// The call was cancelled by [`Call::cancel`](super::Call::cancel).
    #[error("the call was cancelled")]
    Cancelled,
    /// The time given to wait was over; the call itself goes on.
    #[error("the call was not done within the time given; it goes on")]
    Timeout,
    /// The call waits for a worker that waits for this call: it was refused, not left hanging. A worker in sync mode called
    /// itself; a method or callback of a pool submitted to that pool, whose queue is full, or so did the only thread of the tokio runtime
    /// that runs it; or a method waited for a call of
    /// its own pool while all workers that could have run it waited as well.
    ///
    /// Whom a method waits for is known by what it has left to be woken by. So an async method that polls a call of its own pool
    /// beside something else (in a `select!`, a `join!` or a `timeout` of tokio's) is taken for one that waits for that call alone,
    /// as long as it holds the call; and a `gather` that the failure of another call would end, for one that waits for each of its
    /// calls. A wait by [`result_timeout`](super::Call::result_timeout), or with
    /// [`Gather::timeout`](crate::batch::Gather::timeout), is not.
    #[error("the call would wait for its own caller, which serves the pool that is to run it")]
    WouldDeadlock,
    /// Arguments or result could not travel between processes.
    #[error(transparent)]
    NotSent(NotSent),
    /// No worker is left to run the call: the last one could not be made anew.
    #[error("no worker is left to run this call: {reason}")]
    WorkerLost {
        /// Why the last worker could not be made anew.
        reason: String,
    },
    /// The limits that the method declared can never admit this call.
    #[error(transparent)]
    NotAdmitted(NotAdmitted),
    /// The queue was full, and the pool's option is to reject calls then; the arguments are in it.
    #[error(transparent)]
    Rejected(Rejected),
    /// The queue was full, and a call that came later has taken the place of this one, as the pool's option is.
    #[error("the pool's queue was full: a call that came later has taken the place of this one")]
    Displaced,
    /// The result was taken from this call before.
    #[error("the result of this call was taken before")]
    Taken,
}

impl<E> CallError<E> {
    /// The method's own error, if that is what happened.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::call::CallError;
    /// assert_eq!(CallError::Failed("no such file").into_failed(), Some("no such file"));
    /// ```
    pub fn into_failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Converts the method's own error, if that is what happened, in each attempt; everything else stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::call::CallError;
    /// let error = CallError::Failed("no such file").map_failed(str::len);
    /// assert_eq!(error.into_failed(), Some(12));
    /// ```
    pub fn map_failed<E2>(self, mut f: impl FnMut(E) -> E2) -> CallError<E2> {
        match self {
            Self::Failed(error) => CallError::Failed(f(error)),
            Self::Panicked(panic) => CallError::Panicked(panic),
            Self::WorkerDied(died) => CallError::WorkerDied(died),
            Self::RetriesExhausted(exhausted) => CallError::RetriesExhausted(exhausted.map(&mut f)),
            Self::Stopped => CallError::Stopped,
            Self::Cancelled => CallError::Cancelled,
            Self::Timeout => CallError::Timeout,
            Self::WouldDeadlock => CallError::WouldDeadlock,
            Self::NotSent(error) => CallError::NotSent(error),
            Self::WorkerLost { reason } => CallError::WorkerLost { reason },
            Self::NotAdmitted(error) => CallError::NotAdmitted(error),
            Self::Rejected(rejected) => CallError::Rejected(rejected),
            Self::Displaced => CallError::Displaced,
            Self::Taken => CallError::Taken,
        }
    }
}

impl CallError<Infallible> {
    /// The same error of a call whose method has an error of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::call::CallError;
    /// let error: CallError<std::io::Error> = CallError::Stopped.widen();
    /// assert!(matches!(error, CallError::Stopped));
    /// ```
    pub fn widen<E>(self) -> CallError<E> {
        self.map_failed(|never| match never {})
    }
}

/// A panic in a method or constructor: its message and place.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::Panicked;
/// let panic = Panicked::new("division by zero".into(), Some("src/main.rs:7:5".into()));
/// assert_eq!(panic.to_string(), "the method panicked at src/main.rs:7:5: division by zero");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Panicked(Box<Panic>);

/// Boxed: an error that hardly ever happens must not make every outcome larger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Panic {
    message: String,
    location: Option<String>,
}

impl Panicked {
    /// A panic with this message, at this `file:line:column` if that is known.
    pub fn new(message: String, location: Option<String>) -> Self {
        Self(Box::new(Panic { message, location }))
    }

    /// The panic's message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it panicked, as `file:line:column`, if that is known.
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location() {
            Some(location) => write!(f, "the method panicked at {location}: {}", self.message()),
            None => write!(f, "the method panicked: {}", self.message()),
        }
    }
}

/// The end of a worker's process in the middle of a call.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::WorkerDied;
/// let died = WorkerDied::new(Some(9), None);
/// assert_eq!(died.to_string(), "the worker's process was killed by signal 9");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct WorkerDied {
    signal: Option<i32>,
    exit_code: Option<i32>,
}

impl WorkerDied {
    /// A death by `signal`, or with `exit_code`; neither when the system did not tell.
    pub fn new(signal: Option<i32>, exit_code: Option<i32>) -> Self {
        Self { signal, exit_code }
    }

    /// The signal that ended the process (9 is a kill, 6 an abort, 11 a bad memory access).
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// The code that the process exited with.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }
}

impl fmt::Display for WorkerDied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.exit_code) {
            (Some(signal), _) => write!(f, "the worker's process was killed by signal {signal}"),
            (None, Some(code)) => {
                write!(f, "the worker's process exited with code {code} in the middle of the call")
            }
            (None, None) => f.write_str("the worker's process ended in the middle of the call"),
        }
    }
}

/// A value that could not travel between processes.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::NotSent;
/// let error = NotSent::new("the result", "alloc::rc::Rc<u8>", "it has no serde implementation");
/// assert!(error.to_string().contains("alloc::rc::Rc<u8>"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{} of type `{}` could not travel between processes: {}", .0.what, .0.type_name, .0.reason)]
pub struct NotSent(Box<Unsent>);

/// Boxed as [`Panic`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unsent {
    what: String,
    type_name: String,
    reason: String,
}

impl NotSent {
    /// `what` ("the arguments of `complete`") of type `type_name` could not be sent because of `reason`.
    pub fn new(what: impl Into<String>, type_name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self(Box::new(Unsent { what: what.into(), type_name: type_name.into(), reason: reason.into() }))
    }
}
