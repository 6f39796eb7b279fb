//! One attempt at one call: the single place where a method is run and its promise is answered.
//!
//! Skip it if nobody waits any more → run the method, catching panics, an async one as long as anybody waits → answer. What a method acquired is released by
//! its guards before the answer is given, also when it panics. What else panics on the way (the drop of an argument that
//! was not needed) ends in the log.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use concurry_core::call::{CallError, Cancellation, Promise};
use concurry_core::panics;
use concurry_limits::LimitSetAcquisition;

use crate::admission::{Admission, admitted};
use crate::runtime::block_on;
use crate::worker::{Job, Worker};

/// What an attempt did to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "after a panic the worker must be made anew"]
pub enum Ran {
    /// The method returned a value, or was not run because nobody needs its result.
    Returned,
    /// The method returned an error, or could not be run.
    Failed,
    /// The method panicked: the worker's state is not to be trusted.
    Panicked,
}

impl Ran {
    pub(crate) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Returned } else { Self::Failed }
    }

    /// In one word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::Panicked => "crashed",
        }
    }
}

/// Runs `method` here and answers `promise`.
pub fn run<T, E>(promise: Promise<T, E>, method: impl FnOnce() -> Result<T, E>) -> Ran {
    if !promise.is_open() {
        panics::discard(method);
        return Ran::Returned;
    }
    match panics::catch(method) {
        Ok(result) => {
            let ran = Ran::of(&result);
            promise.complete(result.map_err(CallError::Failed));
            ran
        }
        Err(panic) => {
            mark();
            promise.complete(Err(CallError::Panicked(panic)));
            Ran::Panicked
        }
    }
}

thread_local! {
    /// What is marked when the method that runs on this thread has panicked.
    static MARK: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

fn mark() {
    MARK.with_borrow(|mark| {
        if let Some(crashed) = mark {
            crashed.store(true, Ordering::SeqCst);
        }
    });
}

/// Runs a method above the net of [`contained`], and marks `crashed` when it panics: before its caller, who may call again at
/// once, is told. Without a mark, what may run around this one keeps its own.
pub(crate) fn marking(crashed: Option<&Arc<AtomicBool>>, method: impl FnOnce() -> Ran) -> Ran {
    let around = MARK.replace(crashed.cloned());
    let ran = contained(method);
    if ran == Ran::Panicked {
        // It may have been another's panic than the method's.
        mark();
    }
    MARK.set(around);
    ran
}

/// Runs `method` here with what was granted to its call, and answers `promise`. What it acquired is released before that.
pub fn run_admitted<T, E>(
    promise: Promise<T, E>,
    admission: Admission,
    method: impl FnOnce(&mut LimitSetAcquisition) -> Result<T, E>,
) -> Ran {
    let is_wanted = promise.is_open();
    if let Some((promise, mut acquired)) = admitted(promise, admission) {
        return run(promise, move || method(&mut acquired));
    }
    panics::discard(method);
    if is_wanted { Ran::Failed } else { Ran::Returned }
}

/// Runs the future of an async method on this thread, to its end or until its call is cancelled, and answers `promise`.
pub fn block<T, E>(promise: Promise<T, E>, method: impl Future<Output = Result<T, E>>) -> Ran {
    block_on(run_async(promise, method))
}

/// As [`block`], with what was granted to the call.
pub fn block_admitted<T, E, F>(
    promise: Promise<T, E>,
    admission: Admission,
    method: impl FnOnce(LimitSetAcquisition) -> F,
) -> Ran
where
    F: Future<Output = Result<T, E>>,
{
    let is_wanted = promise.is_open();
    if let Some((promise, acquired)) = admitted(promise, admission) {
        return block(promise, method(acquired));
    }
    panics::discard(method);
    if is_wanted { Ran::Failed } else { Ran::Returned }
}

/// What tells a method that the call it runs for was cancelled.
pub fn cancellation<T, E>(promise: &Promise<T, E>) -> Cancellation
where
    T: Send + 'static,
    E: Send + 'static,
{
    promise.cancellation()
}

/// Runs the future of an async method and answers `promise`; to its end, or until nobody needs its result: then it is
/// dropped.
pub async fn run_async<T, E, F>(promise: Promise<T, E>, method: F) -> Ran
where
    F: Future<Output = Result<T, E>>,
{
    if !promise.is_open() {
        panics::discard(method);
        return Ran::Returned;
    }
    let result = {
        let mut method = pin!(method);
        poll_fn(|context| match panics::catch(|| method.as_mut().poll(context)) {
            Ok(Poll::Pending) if promise.wake_when_cancelled(context.waker()) => Poll::Pending,
            Ok(Poll::Pending) => Poll::Ready(Ok(None)),
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(Some(result))),
            Err(panic) => Poll::Ready(Err(panic)),
        })
        .await
    };
    match result {
        Ok(result) => {
            let ran = result.as_ref().map_or(Ran::Returned, Ran::of);
            if let Some(result) = result {
                promise.complete(result.map_err(CallError::Failed));
            }
            ran
        }
        Err(panic) => {
            promise.complete(Err(CallError::Panicked(panic)));
            Ran::Panicked
        }
    }
}

/// The net under an attempt: whatever unwinds out of it, the worker that ran it goes on, as after a panic of the method.
/// The promise, dropped on the way, has answered then.
pub(crate) fn contained(run: impl FnOnce() -> Ran) -> Ran {
    panics::contain("a call", run).unwrap_or(Ran::Panicked)
}

/// Takes one step of an async method, above the same net.
pub(crate) fn poll_job(job: &mut Job, context: &mut Context<'_>) -> Poll<Ran> {
    panics::contain("a call", || job.as_mut().poll(context)).unwrap_or(Poll::Ready(Ran::Panicked))
}

/// Answers `message` without running it.
pub(crate) fn refuse<W: Worker>(message: W::Message, error: CallError) {
    panics::contain("the drop of a call's arguments", || W::refuse(message, error));
}

/// Answers `message`, which found no room in a queue of this capacity, with its arguments.
pub(crate) fn reject<W: Worker>(message: W::Message, capacity: usize) {
    panics::contain("a call that was rejected", || W::reject(message, capacity));
}
