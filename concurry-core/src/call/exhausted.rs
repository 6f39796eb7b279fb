//! [`RetriesExhausted`]: a call that was tried as often as it may be.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use super::{CallError, Panicked, RejectedResult, WorkerDied};

/// Every attempt at a call was in vain: what became of each, the oldest first.
///
/// # Examples
///
/// ```
/// use concurry_core::call::{AttemptEnd, RetriesExhausted};
///
/// fn last_words<E: std::fmt::Display>(exhausted: &RetriesExhausted<E>) -> String {
///     match exhausted.last().map(|attempt| attempt.end()) {
///         Some(AttemptEnd::Failed(error)) => error.to_string(),
///         Some(AttemptEnd::Rejected(value)) => format!("got {value}, which would not do"),
///         _ => exhausted.to_string(),
///     }
/// }
/// # let _ = last_words::<std::io::Error>;
/// ```
#[derive(Debug)]
pub struct RetriesExhausted<E = Infallible>(Box<Tried<E>>);

/// Boxed: an error that hardly ever happens must not make every outcome larger.
#[derive(Debug)]
struct Tried<E> {
    method: &'static str,
    attempts: Vec<FailedAttempt<E>>,
}

/// One attempt that was in vain.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::{AttemptEnd, AttemptVerdict, FailedAttempt};
/// # use std::time::Duration;
/// let end = AttemptEnd::Failed("the server is busy");
/// let attempt = FailedAttempt::new(end, Duration::from_millis(30), AttemptVerdict::Retried(Duration::from_secs(1)));
/// assert_eq!(attempt.end().to_string(), "the server is busy");
/// ```
#[derive(Debug)]
pub struct FailedAttempt<E = Infallible> {
    end: AttemptEnd<E>,
    elapsed: Duration,
    verdict: AttemptVerdict,
}

/// How an attempt ended.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::{AttemptEnd, RejectedResult};
/// let end = AttemptEnd::<String>::Rejected(RejectedResult::new(7, "7".to_owned()));
/// assert_eq!(end.to_string(), "the result 7 was rejected");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AttemptEnd<E = Infallible> {
    /// The method returned this error.
    Failed(E),
    /// The method returned a value that `until` did not accept.
    Rejected(RejectedResult),
    /// The method panicked.
    Panicked(Panicked),
    /// The process of the worker ended.
    WorkerDied(WorkerDied),
}

/// What was decided after an attempt.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::AttemptVerdict;
/// assert_ne!(AttemptVerdict::OutOfTime, AttemptVerdict::OutOfAttempts);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptVerdict {
    /// It was tried again, after this time.
    Retried(Duration),
    /// It was the last attempt allowed.
    OutOfAttempts,
    /// The next would have begun after the budget of time.
    OutOfTime,
}

impl<E> RetriesExhausted<E> {
    /// The failed `attempts` at a call of `method`, the oldest first.
    pub fn new(method: &'static str, attempts: Vec<FailedAttempt<E>>) -> Self {
        Self(Box::new(Tried { method, attempts }))
    }

    /// The method's name.
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// All attempts, the oldest first.
    pub fn attempts(&self) -> &[FailedAttempt<E>] {
        &self.0.attempts
    }

    /// All attempts, by value.
    pub fn into_attempts(self) -> Vec<FailedAttempt<E>> {
        self.0.attempts
    }

    /// The same with every error converted.
    pub(super) fn map<E2>(self, f: &mut impl FnMut(E) -> E2) -> RetriesExhausted<E2> {
        let Tried { method, attempts } = *self.0;
        RetriesExhausted::new(method, attempts.into_iter().map(|attempt| attempt.map(f)).collect())
    }

    /// The last attempt.
    pub fn last(&self) -> Option<&FailedAttempt<E>> {
        self.0.attempts.last()
    }
}

impl<E> FailedAttempt<E> {
    /// An attempt that ended like this, `elapsed` after the submission of its call.
    pub fn new(end: AttemptEnd<E>, elapsed: Duration, verdict: AttemptVerdict) -> Self {
        Self { end, elapsed, verdict }
    }

    /// The same with another verdict.
    #[doc(hidden)]
    #[must_use]
    pub fn with_verdict(self, verdict: AttemptVerdict) -> Self {
        Self { verdict, ..self }
    }

    /// How it ended.
    pub fn end(&self) -> &AttemptEnd<E> {
        &self.end
    }

    /// How it ended, by value.
    pub fn into_end(self) -> AttemptEnd<E> {
        self.end
    }

    /// The time from the submission of the call to the end of this attempt.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What was decided then.
    pub fn verdict(&self) -> AttemptVerdict {
        self.verdict
    }

    fn map<E2>(self, f: &mut impl FnMut(E) -> E2) -> FailedAttempt<E2> {
        let end = match self.end {
            AttemptEnd::Failed(error) => AttemptEnd::Failed(f(error)),
            AttemptEnd::Rejected(value) => AttemptEnd::Rejected(value),
            AttemptEnd::Panicked(panic) => AttemptEnd::Panicked(panic),
            AttemptEnd::WorkerDied(died) => AttemptEnd::WorkerDied(died),
        };
        FailedAttempt { end, elapsed: self.elapsed, verdict: self.verdict }
    }
}

impl<E: fmt::Display> fmt::Display for AttemptEnd<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Rejected(value) => write!(f, "the result {value} was rejected"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::WorkerDied(died) => died.fmt(f),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RetriesExhausted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.last() else { return write!(f, "`{}` was not tried", self.method()) };
        let why = match last.verdict {
            AttemptVerdict::OutOfTime => "its budget of time is used up",
            _ => "there are no more attempts",
        };
        let count = self.0.attempts.len();
        let attempts = if count == 1 { "attempt" } else { "attempts" };
        write!(f, "`{}` failed in {count} {attempts} and {why}; the last one: {}", self.method(), last.end)
    }
}

impl<E: std::error::Error + 'static> std::error::Error for RetriesExhausted<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.last()?.end() {
            AttemptEnd::Failed(error) => Some(error),
            AttemptEnd::Panicked(panic) => Some(panic),
            AttemptEnd::WorkerDied(died) => Some(died),
            AttemptEnd::Rejected(_) => None,
        }
    }
}

impl<E> From<RetriesExhausted<E>> for CallError<E> {
    fn from(exhausted: RetriesExhausted<E>) -> Self {
        Self::RetriesExhausted(exhausted)
    }
}
