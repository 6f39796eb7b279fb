//! What a type can do, found out where the type is concrete: in the code that `#[worker]` emits.
//!
//! Method resolution prefers an implementation for `Probe<T>` to one for `&Probe<T>`. So `(&Probe::<T>::NEW).__travels()`
//! picks the first trait where its bounds hold, and the second, the fallback, elsewhere. This works on stable Rust
//! because `T` is concrete there; a generic function could not ask.
//!
//! The names of the methods begin with `__`: where they are called, a trait of the user's for all types may be in scope, and a
//! method of the same name would be as good as ours.

use std::any::type_name;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;

use concurry_core::call::{NotSent, Promise};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempt::{Ran, run_async};
use crate::process::codec;
use crate::runtime::{self, Start};
use crate::worker::{Job, Worker};

/// Asks about `T` without having one.
#[derive(Debug)]
pub struct Probe<T>(PhantomData<fn() -> T>);

impl<T> Probe<T> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

/// Asks about the future that a function returns.
pub fn future_of<W, A, F>(_: fn(W, A) -> F) -> Probe<F> {
    Probe::NEW
}

/// Can be sent to another process and made anew there: serde's two traits, and no borrow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes",
    label = "this type needs serde::Serialize and serde::Deserialize",
    note = "`#[worker(process)]` asks that all arguments and results can; plain `#[worker]` does not"
)]
pub trait Travel: Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Travel for T {}

const NO_SERDE: &str = "it does not implement serde::Serialize and serde::Deserialize";

fn cannot_travel<T>(what: &str) -> NotSent {
    NotSent::new(what, type_name::<T>(), NO_SERDE)
}

/// Where `T` can travel.
pub trait Travels<T> {
    /// Whether it can.
    fn __travels(&self) -> bool;
    /// `value` as bytes.
    ///
    /// # Errors
    ///
    /// What serde says.
    fn __encode(&self, what: &str, value: &T) -> Result<Vec<u8>, NotSent>;
    /// A value from bytes.
    ///
    /// # Errors
    ///
    /// What serde says.
    fn __decode(&self, what: &str, bytes: &[u8]) -> Result<T, NotSent>;
}

impl<T: Serialize + DeserializeOwned> Travels<T> for Probe<T> {
    fn __travels(&self) -> bool {
        true
    }

    fn __encode(&self, what: &str, value: &T) -> Result<Vec<u8>, NotSent> {
        codec::encode(what, value)
    }

    fn __decode(&self, what: &str, bytes: &[u8]) -> Result<T, NotSent> {
        codec::decode(what, bytes)
    }
}

/// Where `T` cannot travel, or it is not known.
pub trait Stays<T> {
    /// Whether it can travel: no.
    fn __travels(&self) -> bool;
    /// Fails.
    ///
    /// # Errors
    ///
    /// Always.
    fn __encode(&self, what: &str, value: &T) -> Result<Vec<u8>, NotSent>;
    /// Fails.
    ///
    /// # Errors
    ///
    /// Always.
    fn __decode(&self, what: &str, bytes: &[u8]) -> Result<T, NotSent>;
}

impl<T> Stays<T> for &Probe<T> {
    fn __travels(&self) -> bool {
        false
    }

    fn __encode(&self, what: &str, _: &T) -> Result<Vec<u8>, NotSent> {
        Err(cannot_travel::<T>(what))
    }

    fn __decode(&self, what: &str, _: &[u8]) -> Result<T, NotSent> {
        Err(cannot_travel::<T>(what))
    }
}

/// Where a worker may be used by several threads in turn.
pub trait StartsSync<W: Worker> {
    /// The start of sync mode.
    fn __sync_start(&self) -> Option<Start<W>>;
}

impl<W: Worker + Send> StartsSync<W> for Probe<W> {
    fn __sync_start(&self) -> Option<Start<W>> {
        Some(runtime::start_sync::<W>)
    }
}

/// Where it may not.
pub trait NeverSync<W: Worker> {
    /// None.
    fn __sync_start(&self) -> Option<Start<W>>;
}

impl<W: Worker> NeverSync<W> for &Probe<W> {
    fn __sync_start(&self) -> Option<Start<W>> {
        None
    }
}

/// Where a worker may be used by several threads at once.
pub trait StartsAsync<W: Worker> {
    /// The start of async mode.
    fn __async_start(&self) -> Option<Start<W>>;
}

impl<W: Worker + Send + Sync> StartsAsync<W> for Probe<W> {
    fn __async_start(&self) -> Option<Start<W>> {
        Some(runtime::start_async::<W>)
    }
}

/// Where it may not.
pub trait NeverAsync<W: Worker> {
    /// None.
    fn __async_start(&self) -> Option<Start<W>>;
}

impl<W: Worker> NeverAsync<W> for &Probe<W> {
    fn __async_start(&self) -> Option<Start<W>> {
        None
    }
}

/// Where a future can be sent to another thread.
pub trait SendableFuture {
    /// Whether it can.
    fn __is_sendable(&self) -> bool;
}

impl<F: Future + Send> SendableFuture for Probe<F> {
    fn __is_sendable(&self) -> bool {
        true
    }
}

/// Where it cannot.
pub trait UnsendableFuture {
    /// Whether it can be sent: no.
    fn __is_sendable(&self) -> bool;
}

impl<F: Future> UnsendableFuture for &Probe<F> {
    fn __is_sendable(&self) -> bool {
        false
    }
}

/// Where `T` can be cloned.
pub trait Clones<T> {
    /// Whether it can.
    fn __is_clone(&self) -> bool;
    /// A clone.
    fn __cloned(&self, value: &T) -> Option<T>;
}

impl<T: Clone> Clones<T> for Probe<T> {
    fn __is_clone(&self) -> bool {
        true
    }

    fn __cloned(&self, value: &T) -> Option<T> {
        Some(value.clone())
    }
}

/// Where it cannot.
pub trait NeverCloned<T> {
    /// Whether it can be cloned: no.
    fn __is_clone(&self) -> bool;
    /// None.
    fn __cloned(&self, value: &T) -> Option<T>;
}

impl<T> NeverCloned<T> for &Probe<T> {
    fn __is_clone(&self) -> bool {
        false
    }

    fn __cloned(&self, _: &T) -> Option<T> {
        None
    }
}

/// Where `T` has a text.
pub trait Shows<T> {
    /// Its `Debug` text.
    fn __shown(&self, value: &T) -> String;
}

impl<T: std::fmt::Debug> Shows<T> for Probe<T> {
    fn __shown(&self, value: &T) -> String {
        format!("{value:?}")
    }
}

/// Where it has none.
pub trait Dull<T> {
    /// The name of its type.
    fn __shown(&self, value: &T) -> String;
}

impl<T> Dull<T> for &Probe<T> {
    fn __shown(&self, _: &T) -> String {
        format!("of type `{}`", type_name::<T>())
    }
}

/// A future with the promise that it will answer, to be made a job if it can be sent.
pub struct Started<F, T, E>(Cell<Option<(F, Promise<T, E>)>>);

impl<F, T, E> Started<F, T, E> {
    /// Pairs them.
    pub fn new(future: F, promise: Promise<T, E>) -> Self {
        Self(Cell::new(Some((future, promise))))
    }
}

/// Where the future can be sent to another thread.
pub trait IntoJob {
    /// The job.
    fn __take_job(&self) -> Option<Job>;
}

impl<F, T, E> IntoJob for Started<F, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn __take_job(&self) -> Option<Job> {
        let (future, promise) = self.0.take()?;
        Some(Box::pin(run_async(promise, future)) as Job)
    }
}

/// Where it cannot.
pub trait NoJob {
    /// None.
    fn __take_job(&self) -> Option<Job>;
}

impl<F, T, E> NoJob for &Started<F, T, E> {
    fn __take_job(&self) -> Option<Job> {
        None
    }
}

/// What an attempt is when its message belongs to another kind of method; the runtimes never let that happen.
pub fn wrong_kind() -> Ran {
    tracing::error!("a call was given to a runner of another kind of method; it is answered as stopped");
    Ran::Returned
}

/// The error of a result that has no way to travel.
pub fn no_answer(method: &str) -> NotSent {
    NotSent::new(format!("the result of `{method}`"), "unknown", NO_SERDE)
}

/// The error of a call of a method that this build does not have.
pub fn no_method(method: u16) -> NotSent {
    NotSent::new("a call", "unknown", format!("this executable's worker has no method number {method}"))
}
