//! One attempt at one call: the single place where a method is run and its promise is answered.
//!
//! Skip it if nobody waits any more → run the method, catching panics, an async one as long as anybody waits → answer. What a method acquired is released by
//! its guards before the answer is given, also when it panics. What else panics on the way (the drop of an argument that
//! was not needed) ends in the log.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use concurry_core::call::{CallError, Cancellation, Promise, apart};
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
    match panics::catch(|| apart(method)) {
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

pin_project_lite::pin_project! {
    /// One attempt at an async method. Written out, since it is made for each call, and an `async` block is moved more often.
    pub struct Attempt<T, E, F> {
        // None once it is answered.
        promise: Option<Promise<T, E>>,
        // None once it has ended, or is not wanted.
        #[pin]
        method: Option<F>,
    }
}

/// Runs the future of an async method and answers `promise`; to its end, or until nobody needs its result: then it is
/// dropped.
pub fn run_async<T, E, F>(promise: Promise<T, E>, method: F) -> Attempt<T, E, F>
where
    F: Future<Output = Result<T, E>>,
{
    Attempt { promise: Some(promise), method: Some(method) }
}

impl<T, E, F> Future for Attempt<T, E, F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Ran;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ran> {
        let mut this = self.project();
        if !this.promise.as_ref().is_some_and(Promise::is_open) {
            return Poll::Ready(give_up(this.method));
        }
        let polled = panics::catch(|| {
            let polled = this.method.as_mut().as_pin_mut().map(|method| apart(|| method.poll(context)));
            if matches!(polled, Some(Poll::Ready(_))) {
                this.method.set(None);
            }
            polled
        });
        let (ran, outcome) = match polled {
            Ok(Some(Poll::Ready(result))) => (Ran::of(&result), result.map_err(CallError::Failed)),
            Ok(_) => {
                let waker = context.waker();
                let waits = this.promise.as_ref().is_some_and(|promise| promise.wake_when_cancelled(waker));
                return if waits { Poll::Pending } else { Poll::Ready(give_up(this.method)) };
            }
            Err(panic) => {
                let _ = give_up(this.method);
                (Ran::Panicked, Err(CallError::Panicked(panic)))
            }
        };
        if let Some(promise) = this.promise.take() {
            promise.complete(outcome);
        }
        Poll::Ready(ran)
    }
}

/// Drops a method whose result nobody needs.
fn give_up<F>(mut method: Pin<&mut Option<F>>) -> Ran {
    panics::contain("the drop of an async method", || method.set(None));
    Ran::Returned
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
