//! Calls that are answered without being run.

use std::any::Any;
use std::cell::Cell;

use concurry_core::call::{CallError, Promise, Rejected};

/// Answers `promise` without running its call.
pub fn refuse<T, E>(promise: Promise<T, E>, error: CallError) {
    promise.complete(Err(error.widen()));
}

/// A call that found no room, about to be answered with its arguments, if those can be sent.
pub struct Rejection<A, T, E>(Cell<Option<Full<A, T, E>>>);

struct Full<A, T, E> {
    promise: Promise<T, E>,
    args: A,
    capacity: usize,
}

impl<A, T, E> Rejection<A, T, E> {
    /// Of a queue of this capacity.
    pub fn new(promise: Promise<T, E>, args: A, capacity: usize) -> Self {
        Self(Cell::new(Some(Full { promise, args, capacity })))
    }
}

/// Where the arguments can be sent. Where not, that is an error already, at the user's type: so nothing more is said of it.
pub trait Rejects {
    /// Answers the call.
    fn __reject(&self);
}

impl<A: Any + Send, T, E> Rejects for Rejection<A, T, E> {
    fn __reject(&self) {
        if let Some(Full { promise, args, capacity }) = self.0.take() {
            promise.complete(Err(CallError::Rejected(Rejected::new(args, capacity))));
        }
    }
}

/// Where they cannot.
pub trait NeverRejects {
    /// Nothing.
    fn __reject(&self);
}

impl<A, T, E> NeverRejects for &Rejection<A, T, E> {
    fn __reject(&self) {}
}
