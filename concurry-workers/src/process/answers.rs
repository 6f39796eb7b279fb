//! A result on its way from the child's method to the caller's promise.
//!
//! In the child a call is run like any other, on a message whose promise belongs to an [`Answer`]; that turns the outcome
//! into bytes. In the parent a [`Reply`] holds the caller's promise and completes it from those bytes.

use std::convert::Infallible;
use std::fmt;

use concurry_core::call::{Call, CallError, Canceller, NotSent, Outcome, Promise};
use concurry_core::panics::discard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::frame::AnswerKind;
use crate::attempt::Ran;

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

/// The parent's end of an answer.
pub trait Reply: Send {
    /// Completes the promise with the method's result, from bytes; says what became of the call.
    fn complete(self: Box<Self>, bytes: &[u8]) -> Ran;
    /// Completes the promise with what went wrong.
    fn fail(self: Box<Self>, error: CallError);
}

/// The reply to a method that cannot fail.
pub struct ReplyPlain<T> {
    pub(crate) method: &'static str,
    pub(crate) promise: Promise<T, Infallible>,
}

impl<T: DeserializeOwned + Send> Reply for ReplyPlain<T> {
    fn complete(self: Box<Self>, bytes: &[u8]) -> Ran {
        let outcome: Outcome<T, Infallible> =
            codec::decode(ResultOf(self.method), bytes).map_err(CallError::NotSent);
        let ran = Ran::of(&outcome);
        self.promise.complete(outcome);
        ran
    }

    fn fail(self: Box<Self>, error: CallError) {
        self.promise.complete(Err(error));
    }
}

/// The reply to a method that returns a `Result`.
pub struct ReplyResult<T, E> {
    pub(crate) method: &'static str,
    pub(crate) promise: Promise<T, E>,
}

impl<T: DeserializeOwned + Send, E: DeserializeOwned + Send> Reply for ReplyResult<T, E> {
    fn complete(self: Box<Self>, bytes: &[u8]) -> Ran {
        let outcome = match codec::decode::<Result<T, E>>(ResultOf(self.method), bytes) {
            Ok(result) => result.map_err(CallError::Failed),
            Err(error) => Err(CallError::NotSent(error)),
        };
        let ran = Ran::of(&outcome);
        self.promise.complete(outcome);
        ran
    }

    fn fail(self: Box<Self>, error: CallError) {
        self.promise.complete(Err(error.widen()));
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
pub struct AnswerPlain<T> {
    pub(crate) method: &'static str,
    pub(crate) call: Call<T, Infallible>,
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
pub struct AnswerResult<T, E> {
    pub(crate) method: &'static str,
    pub(crate) call: Call<T, E>,
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
fn encode<T: Serialize>(what: ResultOf, value: T) -> Result<Vec<u8>, NotSent> {
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

/// Names the result of a method in an error, if there is one.
#[derive(Clone, Copy)]
pub(super) struct ResultOf(pub(super) &'static str);

impl fmt::Display for ResultOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the result of `{}`", self.0)
    }
}
