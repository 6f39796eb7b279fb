//! One attempt at one call: the single place where a method is run and its promise is answered.
//!
//! Skip it if nobody waits any more → run the method, catching panics → answer. What a method acquired is released by
//! its guards before the answer is given, also when it panics.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use concurry_core::call::{CallError, Promise};
use concurry_limits::LimitSetAcquisition;

use crate::admission::{Admission, admitted};
use concurry_core::panics;

/// What an attempt did to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "after a panic the worker must be made anew"]
pub enum Ran {
    /// The method returned, or was not run because nobody needs its result.
    Returned,
    /// The method panicked: the worker's state is not to be trusted.
    Panicked,
}

/// Runs `method` here and answers `promise`.
pub fn run<T, E>(promise: Promise<T, E>, method: impl FnOnce() -> Result<T, E>) -> Ran {
    if !promise.is_open() {
        return Ran::Returned;
    }
    match panics::catch(method) {
        Ok(result) => {
            promise.complete(result.map_err(CallError::Failed));
            Ran::Returned
        }
        Err(panic) => {
            promise.complete(Err(CallError::Panicked(panic)));
            Ran::Panicked
        }
    }
}

/// Runs `method` here with what was granted to its call, and answers `promise`. What it acquired is released before that.
pub fn run_admitted<T, E>(
    promise: Promise<T, E>,
    admission: Admission,
    method: impl FnOnce(&mut LimitSetAcquisition) -> Result<T, E>,
) -> Ran {
    match admitted(promise, admission) {
        None => Ran::Returned,
        Some((promise, mut acquired)) => run(promise, move || method(&mut acquired)),
    }
}

/// Runs the future of an async method to its end and answers `promise`.
pub async fn run_async<T, E, F>(promise: Promise<T, E>, method: F) -> Ran
where
    F: Future<Output = Result<T, E>>,
{
    if !promise.is_open() {
        return Ran::Returned;
    }
    let result = {
        let mut method = pin!(method);
        poll_fn(|context| match panics::catch(|| method.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(panic) => Poll::Ready(Err(panic)),
        })
        .await
    };
    match result {
        Ok(result) => {
            promise.complete(result.map_err(CallError::Failed));
            Ran::Returned
        }
        Err(panic) => {
            promise.complete(Err(CallError::Panicked(panic)));
            Ran::Panicked
        }
    }
}
