//! A result on its way from the child's method to the caller's promise.
//!
//! In the child a call is run like any other, on a message whose promise belongs to an [`Answer`]; that turns the outcome
//! into bytes. A method that needs nothing but its worker is called as such, without either. In the parent [`Answered`] completes the
//! caller's promise from those bytes.

use std::convert::Infallible;
use std::fmt;

use concurry_core::call::{Call, CallError, Canceller, NotSent, Outcome, Panicked, Promise};
use concurry_core::panics::discard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::frame::AnswerKind;
use crate::attempt::Ran;
use crate::probe::{Probe, no_answer};

/// A call as bytes, or why it cannot travel.
pub struct Encoded {
    pub(crate) method: u16,
    pub(crate) args: Result<Vec<u8>, NotSent>,
}

impl Encoded {
    /// The encoded arguments of a method; `None` when nobody needs the result any more.
    pub fn of<T, E>(
        method: u16,
        promise: &Promise<T, E>,
        args: impl FnOnce() -> Result<Vec<u8>, NotSent>,
    ) -> Option<Self> {
        promise.is_open().then(|| Self { method, args: args() })
    }

    /// Of a call that cannot travel.
    pub(crate) fn failed(error: NotSent) -> Self {
        Self { method: 0, args: Err(error) }
    }
}

/// An answer that has come, with the bytes of whatever it is.
pub struct Answered<'a> {
    pub(super) tag: u32,
    pub(super) bytes: &'a [u8],
}

impl Answered<'_> {
    /// Answers the caller: with what `decode` makes of the bytes of a result, or with what happened instead.
    pub(super) fn complete<T, E>(
        &self,
        promise: Promise<T, E>,
        decode: impl FnOnce(&[u8]) -> Outcome<T, E>,
    ) -> Ran {
        if self.tag == AnswerKind::Returned as u32 {
            let outcome = decode(self.bytes);
            let ran = Ran::of(&outcome);
            promise.complete(outcome);
            return ran;
        }
        let (happened, ran) = if self.tag == AnswerKind::Panicked as u32 {
            (codec::decode("a panic", self.bytes).map(CallError::Panicked), Ran::Panicked)
        } else {
            (codec::decode("an error", self.bytes).map(CallError::NotSent), Ran::Failed)
        };
        promise.complete(Err(happened.unwrap_or_else(CallError::NotSent)));
        ran
    }
}

/// The two ends of an answer on its way from the child, where the result can travel.
pub trait PlainAnswers<T> {
    /// Here: completes the promise from bytes.
    fn __complete(&self, method: &'static str, promise: Promise<T, Infallible>, answer: &Answered<'_>)
    -> Ran;
    /// In the child: turns the finished call into bytes.
    fn __answer(&self, method: &'static str, call: Call<T, Infallible>) -> Option<Box<dyn Answer>>;
    /// In the child: turns what a method returned, or its panic, into bytes.
    fn __finish(&self, method: &'static str, ended: Ended<T, Infallible>) -> (Finished, Ran);
}

/// How a method has ended: with its result, or with a panic.
pub(super) type Ended<T, E> = Result<Result<T, E>, Panicked>;

impl<T: Serialize + DeserializeOwned + Send + 'static> PlainAnswers<T> for Probe<T> {
    fn __complete(
        &self,
        method: &'static str,
        promise: Promise<T, Infallible>,
        answer: &Answered<'_>,
    ) -> Ran {
        answer.complete(promise, |bytes| codec::decode(ResultOf(method), bytes).map_err(CallError::NotSent))
    }

    fn __answer(&self, method: &'static str, call: Call<T, Infallible>) -> Option<Box<dyn Answer>> {
        Some(Box::new(AnswerPlain { method, call }))
    }

    fn __finish(&self, method: &'static str, ended: Ended<T, Infallible>) -> (Finished, Ran) {
        finish(ended, |Ok(value)| encode(ResultOf(method), value))
    }
}

/// As [`PlainAnswers`], for methods that return a `Result`.
pub trait ResultAnswers<T, E> {
    /// Here: completes the promise from bytes.
    fn __complete(&self, method: &'static str, promise: Promise<T, E>, answer: &Answered<'_>) -> Ran;
    /// In the child: turns the finished call into bytes.
    fn __answer(&self, method: &'static str, call: Call<T, E>) -> Option<Box<dyn Answer>>;
    /// In the child: turns what a method returned, or its panic, into bytes.
    fn __finish(&self, method: &'static str, ended: Ended<T, E>) -> (Finished, Ran);
}

impl<T, E> ResultAnswers<T, E> for Probe<Result<T, E>>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Serialize + DeserializeOwned + Send + 'static,
{
    fn __complete(&self, method: &'static str, promise: Promise<T, E>, answer: &Answered<'_>) -> Ran {
        answer.complete(promise, |bytes| match codec::decode::<Result<T, E>>(ResultOf(method), bytes) {
            Ok(result) => result.map_err(CallError::Failed),
            Err(error) => Err(CallError::NotSent(error)),
        })
    }

    fn __answer(&self, method: &'static str, call: Call<T, E>) -> Option<Box<dyn Answer>> {
        Some(Box::new(AnswerResult { method, call }))
    }

    fn __finish(&self, method: &'static str, ended: Ended<T, E>) -> (Finished, Ran) {
        finish(ended, |result| encode(ResultOf(method), result))
    }
}

/// Where the result cannot travel: there is no way. The promise is dropped, which answers it.
pub trait NoAnswers<T, E> {
    /// Nothing comes.
    fn __complete(&self, method: &'static str, promise: Promise<T, E>, answer: &Answered<'_>) -> Ran;
    /// None.
    fn __answer(&self, method: &'static str, call: Call<T, E>) -> Option<Box<dyn Answer>>;
    /// Says so.
    fn __finish(&self, method: &'static str, ended: Ended<T, E>) -> (Finished, Ran);
}

impl<R, T, E> NoAnswers<T, E> for &Probe<R> {
    fn __complete(&self, _: &'static str, promise: Promise<T, E>, _: &Answered<'_>) -> Ran {
        drop(promise);
        Ran::Failed
    }

    fn __answer(&self, _: &'static str, _: Call<T, E>) -> Option<Box<dyn Answer>> {
        None
    }

    fn __finish(&self, method: &'static str, ended: Ended<T, E>) -> (Finished, Ran) {
        discard(ended);
        (not_sent(&no_answer(method)), Ran::Failed)
    }
}

/// What a method returned, as `encode` has it, or its panic.
pub(super) fn finish<T, E>(
    ended: Ended<T, E>,
    encode: impl FnOnce(Result<T, E>) -> Result<Vec<u8>, NotSent>,
) -> (Finished, Ran) {
    match ended {
        Ok(result) => {
            let ran = Ran::of(&result);
            (returned(encode(result)), ran)
        }
        Err(panic) => (failed(Unsettled::Other(CallError::Panicked(panic))), Ran::Panicked),
    }
}

/// An answer as bytes.
pub struct Finished {
    pub(super) tag: u32,
    pub(super) body: Vec<u8>,
}

/// The child's end of an answer.
pub trait Answer {
    /// The outcome of the call, which has been run, as bytes.
    fn finish(self: Box<Self>) -> Finished;
    /// What cancels the call while it runs.
    fn canceller(&self) -> Canceller;
}

/// The answer of a method that cannot fail.
struct AnswerPlain<T> {
    method: &'static str,
    call: Call<T, Infallible>,
}

impl<T: Serialize + Send + 'static> Answer for AnswerPlain<T> {
    fn canceller(&self) -> Canceller {
        self.call.canceller()
    }

    fn finish(self: Box<Self>) -> Finished {
        match settled(&self.call, |never| match never {}) {
            Ok(value) => returned(encode(ResultOf(self.method), value)),
            Err(error) => failed(error),
        }
    }
}

/// The answer of a method that returns a `Result`.
struct AnswerResult<T, E> {
    method: &'static str,
    call: Call<T, E>,
}

impl<T: Serialize + Send + 'static, E: Serialize + Send + 'static> Answer for AnswerResult<T, E> {
    fn canceller(&self) -> Canceller {
        self.call.canceller()
    }

    fn finish(self: Box<Self>) -> Finished {
        let what = ResultOf(self.method);
        match settled(&self.call, |own| encode::<Result<T, E>>(what, Err(own))) {
            Ok(value) => returned(encode::<Result<T, E>>(what, Ok(value))),
            Err(error) => failed(error),
        }
    }
}

/// What there is to send besides a value: bytes of the method's own error, or what happened instead.
pub(super) enum Unsettled {
    Own(Result<Vec<u8>, NotSent>),
    Other(CallError),
}

pub(super) fn settled<T, E>(
    call: &Call<T, E>,
    own: impl FnOnce(E) -> Result<Vec<u8>, NotSent>,
) -> Result<T, Unsettled> {
    let outcome: Outcome<T, E> = call.try_take().unwrap_or(Err(CallError::Stopped));
    outcome.map_err(|error| match error {
        CallError::Failed(error) => Unsettled::Own(own(error)),
        CallError::Panicked(panic) => Unsettled::Other(CallError::Panicked(panic)),
        other => Unsettled::Other(CallError::NotSent(NotSent::new(
            "an outcome",
            std::any::type_name::<CallError<E>>(),
            match other {
                CallError::Stopped => "the child did not run the call",
                _ => "the child ended the call in an unknown way",
            },
        ))),
    })
}

/// A user's value as bytes, all that is left of it.
pub(super) fn encode<T: Serialize>(what: ResultOf, value: T) -> Result<Vec<u8>, NotSent> {
    let encoded = codec::encode(what, &value);
    discard(value);
    encoded
}

pub(super) fn returned(encoded: Result<Vec<u8>, NotSent>) -> Finished {
    match encoded {
        Ok(body) => Finished { tag: AnswerKind::Returned as u32, body },
        Err(error) => not_sent(&error),
    }
}

pub(super) fn failed(error: Unsettled) -> Finished {
    match error {
        Unsettled::Own(encoded) => returned(encoded),
        Unsettled::Other(CallError::Panicked(panic)) => match codec::encode("a panic", &panic) {
            Ok(body) => Finished { tag: AnswerKind::Panicked as u32, body },
            Err(error) => not_sent(&error),
        },
        Unsettled::Other(CallError::NotSent(error)) => not_sent(&error),
        Unsettled::Other(other) => not_sent(&NotSent::new("an outcome", "CallError", other.to_string())),
    }
}

/// An answer that says that there is none; an empty body if even that cannot be encoded.
pub(super) fn not_sent(error: &NotSent) -> Finished {
    Finished { tag: AnswerKind::NotSent as u32, body: codec::encode("an error", error).unwrap_or_default() }
}

/// The answer to a call whose arguments cannot be read.
pub fn not_decoded(error: &NotSent) -> (Finished, Ran) {
    (not_sent(error), Ran::Returned)
}

/// Names the result of a method in an error, if there is one.
#[derive(Clone, Copy)]
pub(super) struct ResultOf(pub(super) &'static str);

impl fmt::Display for ResultOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the result of `{}`", self.0)
    }
}
