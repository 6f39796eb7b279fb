//! What a method returns: a `Result`, or a value that cannot fail. Its type tells, by whatever name.
//!
//! An alias has no `Result` in its name, and `QueryResult` may be none. So it is asked where the type is concrete, in the code that
//! `#[worker]` emits: a constant of [`Probe`] itself is preferred to one of a trait, and the first is there for results alone.
//! [`Kind`] makes types of the answer.

use std::convert::Infallible;
use std::marker::PhantomData;

use concurry_core::call::{Call, Panicked, Promise};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempt::Ran;
use crate::probe::Probe;
use crate::process::{Answer, Answered, Finished, PlainAnswers};

impl<T, E> Probe<Result<T, E>> {
    #[doc(hidden)]
    pub const __IS_RESULT: bool = true;
}

/// What is found for every other type.
pub trait NoResult {
    #[doc(hidden)]
    const __IS_RESULT: bool = false;
}

impl<T> NoResult for Probe<T> {}

/// Results, or all else.
#[derive(Debug)]
pub struct Kind<const IS_RESULT: bool>;

/// The value of a method, of a type of this kind.
pub trait Returned<R> {
    /// Whether it can be a failure.
    const IS_RESULT: bool;
    /// The type of success.
    type Ok;
    /// The type of failure.
    type Err;
    /// What is asked for both ends of an answer.
    type Whole;
    /// The value as a result.
    ///
    /// # Errors
    ///
    /// Its own.
    fn into_result(value: R) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Returned<Result<T, E>> for Kind<true> {
    const IS_RESULT: bool = true;
    type Ok = T;
    type Err = E;
    type Whole = Result<T, E>;

    fn into_result(value: Result<T, E>) -> Result<T, E> {
        value
    }
}

impl<T> Returned<T> for Kind<false> {
    const IS_RESULT: bool = false;
    type Ok = T;
    type Err = Infallible;
    type Whole = Value<T>;

    fn into_result(value: T) -> Result<T, Infallible> {
        Ok(value)
    }
}

/// The kind of methods that can fail; its text is for a predicate of errors on one that cannot.
#[diagnostic::on_unimplemented(
    message = "this judges errors, and the method returns no `Result`",
    label = "there are no errors to judge",
    note = "`until` judges results; `panics` and `worker_death` are tried again without a predicate"
)]
pub trait Fails {}
impl Fails for Kind<true> {}

/// Stands for a value that is no result where it is asked whether it can travel.
#[derive(Debug)]
pub struct Value<T>(PhantomData<fn() -> T>);

/// As [`PlainAnswers`], for a [`Value`].
pub trait ValueAnswers<T> {
    /// Here: completes the promise from bytes.
    fn __complete(&self, method: &'static str, promise: Promise<T, Infallible>, answer: &Answered<'_>)
    -> Ran;
    /// In the child: turns the finished call into bytes.
    fn __answer(&self, method: &'static str, call: Call<T, Infallible>) -> Option<Box<dyn Answer>>;
    /// In the child: turns what a method returned, or its panic, into bytes.
    fn __finish(
        &self,
        method: &'static str,
        ended: Result<Result<T, Infallible>, Panicked>,
    ) -> (Finished, Ran);
}

impl<T: Serialize + DeserializeOwned + Send + 'static> ValueAnswers<T> for Probe<Value<T>> {
    fn __complete(
        &self,
        method: &'static str,
        promise: Promise<T, Infallible>,
        answer: &Answered<'_>,
    ) -> Ran {
        PlainAnswers::__complete(&Probe::<T>::NEW, method, promise, answer)
    }

    fn __answer(&self, method: &'static str, call: Call<T, Infallible>) -> Option<Box<dyn Answer>> {
        PlainAnswers::__answer(&Probe::<T>::NEW, method, call)
    }

    fn __finish(
        &self,
        method: &'static str,
        ended: Result<Result<T, Infallible>, Panicked>,
    ) -> (Finished, Ran) {
        PlainAnswers::__finish(&Probe::<T>::NEW, method, ended)
    }
}
