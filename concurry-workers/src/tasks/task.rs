//! One submitted closure or future.
//!
//! It stands in one box with the promise of its call, so a task costs one allocation beside the call's own cell.

use std::convert::Infallible;
use std::future::Future;
use std::task::Waker;

use concurry_core::call::{Awaited, CallError, Promise};
use concurry_limits::LimitPool;

use super::worker::TaskWorker;
use crate::attempt::{self, Ran};
use crate::refusal::refuse;
use crate::worker::{Job, SharedGuard};

/// The message of [`TaskWorker`]: a task, whatever it is.
pub struct TaskCall(pub(super) Box<dyn Task>);

/// What is run, with the duty to answer its call.
pub(super) trait Task: Send {
    /// Runs it to its end on this thread.
    fn run(self: Box<Self>, limits: &LimitPool) -> Ran;

    /// Whether it is a future: in mode async a task side by side with others. What blocks goes to a blocking thread.
    fn is_async(&self) -> bool {
        false
    }

    /// Starts a future.
    fn start(self: Box<Self>, worker: SharedGuard<TaskWorker>) -> Option<Job> {
        drop(worker);
        None
    }

    /// Answers its call without running it.
    fn refuse(self: Box<Self>, error: CallError);

    /// Whether whoever `waker` wakes waits for its call.
    fn awaited_by(&self, waker: &Waker) -> Awaited;

    /// Whether anybody still needs its result.
    fn is_wanted(&self) -> bool;

    /// The number of its call; 0 for a part of one.
    fn call(&self) -> usize;
}

/// A closure that looks at the worker's limits, or does not.
pub(super) struct Closure<T, F> {
    pub(super) promise: Promise<T, Infallible>,
    pub(super) body: F,
}

impl<T, F> Task for Closure<T, F>
where
    T: Send + 'static,
    F: FnOnce(&LimitPool) -> T + Send + 'static,
{
    fn run(self: Box<Self>, limits: &LimitPool) -> Ran {
        let Self { promise, body } = *self;
        attempt::run(promise, || Ok(body(limits)))
    }

    fn refuse(self: Box<Self>, error: CallError) {
        refuse(self.promise, error);
    }

    fn awaited_by(&self, waker: &Waker) -> Awaited {
        self.promise.awaited_by(waker)
    }

    fn is_wanted(&self) -> bool {
        self.promise.is_open()
    }

    fn call(&self) -> usize {
        self.promise.id()
    }
}

/// A future.
pub(super) struct Async<T, F> {
    pub(super) promise: Promise<T, Infallible>,
    pub(super) body: F,
}

impl<T, F> Task for Async<T, F>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    fn run(self: Box<Self>, _: &LimitPool) -> Ran {
        let Self { promise, body } = *self;
        attempt::block(promise, async { Ok(body.await) })
    }

    fn is_async(&self) -> bool {
        true
    }

    fn start(self: Box<Self>, worker: SharedGuard<TaskWorker>) -> Option<Job> {
        let Self { promise, body } = *self;
        Some(Box::pin(async move {
            let ran = attempt::run_async(promise, async { Ok(body.await) }).await;
            drop(worker);
            ran
        }))
    }

    fn refuse(self: Box<Self>, error: CallError) {
        refuse(self.promise, error);
    }

    fn awaited_by(&self, waker: &Waker) -> Awaited {
        self.promise.awaited_by(waker)
    }

    fn is_wanted(&self) -> bool {
        self.promise.is_open()
    }

    fn call(&self) -> usize {
        self.promise.id()
    }
}
