//! From the end of an attempt to what is next. Time and chance are arguments.

use std::any::Any;
use std::time::Duration;

use concurry_core::call::{AttemptEnd, AttemptVerdict, CallError, FailedAttempt, Outcome, RejectedResult};
use concurry_core::retry::{Attempt, Retry};

use super::predicates::{Broken, Predicates};

/// What is next.
pub(super) enum Next<T, E> {
    /// The caller is answered with this.
    Answer(Outcome<T, E>),
    /// Another attempt, after this time.
    Again(FailedAttempt<E>, Duration),
    /// It is given up.
    GiveUp(FailedAttempt<E>),
}

/// Judges the end of an attempt.
pub(super) fn next<T: Any + Send, E>(
    outcome: Outcome<T, E>,
    attempt: &Attempt,
    retry: &Retry,
    predicates: &Predicates<T, E>,
    random: u64,
) -> Next<T, E> {
    let mut asked = None;
    let end = match outcome {
        Ok(value) => match predicates.is_wanted(&value, attempt) {
            Ok(false) => {
                let shown = predicates.shown(&value, attempt);
                AttemptEnd::Rejected(RejectedResult::new(value, shown))
            }
            Ok(true) | Err(Broken) => return Next::Answer(Ok(value)),
        },
        // Neither is retried when there is only one attempt: its error is the call's own then.
        Err(error) if retry.attempts() == 1 => return Next::Answer(Err(error)),
        Err(CallError::Failed(error)) => match judge(&error, attempt, predicates) {
            Ok((true, wait)) => {
                asked = wait;
                AttemptEnd::Failed(error)
            }
            Ok((false, _)) | Err(Broken) => return Next::Answer(Err(CallError::Failed(error))),
        },
        Err(CallError::Panicked(panic)) if retry.retries_panics() => AttemptEnd::Panicked(panic),
        Err(CallError::WorkerDied(died)) if retry.retries_worker_death() => AttemptEnd::WorkerDied(died),
        Err(error) => return Next::Answer(Err(error)),
    };
    let wait = asked.unwrap_or_else(|| retry.backoff(attempt.number(), random));
    let ended = |verdict| FailedAttempt::new(end, attempt.elapsed(), verdict);
    if attempt.number() >= retry.attempts() {
        Next::GiveUp(ended(AttemptVerdict::OutOfAttempts))
    } else if !retry.has_time(attempt.elapsed().saturating_add(wait)) {
        Next::GiveUp(ended(AttemptVerdict::OutOfTime))
    } else {
        Next::Again(ended(AttemptVerdict::Retried(wait)), wait)
    }
}

/// Whether an error is retried, and the wait that it asks for then.
fn judge<T, E>(
    error: &E,
    attempt: &Attempt,
    predicates: &Predicates<T, E>,
) -> Result<(bool, Option<Duration>), Broken> {
    if predicates.is_retried(error, attempt)? {
        Ok((true, predicates.asked_wait(error, attempt)?))
    } else {
        Ok((false, None))
    }
}
