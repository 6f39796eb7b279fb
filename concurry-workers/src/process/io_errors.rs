//! `io::Error` on its way between processes: serde does not know it, and every function that reads a file returns one.
//!
//! An error of the system arrives as the same error, any other with its kind, its text and those of what caused it.

use std::io::{self, ErrorKind};

use concurry_core::call::{Call, CallError, Canceller, Promise};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answers::{
    Answer, Answered, Ended, Finished, ResultOf, encode, failed, finish, returned, settled,
};
use super::codec;
use super::far_error::{FarError, texts};
use crate::attempt::Ran;
use crate::probe::Probe;

/// Both ends are the same executable, so a kind travels as its place here; one that is missing arrives as `Other`.
const KINDS: [ErrorKind; 38] = [
    ErrorKind::NotFound,
    ErrorKind::PermissionDenied,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::ConnectionAborted,
    ErrorKind::NotConnected,
    ErrorKind::AddrInUse,
    ErrorKind::AddrNotAvailable,
    ErrorKind::NetworkDown,
    ErrorKind::BrokenPipe,
    ErrorKind::AlreadyExists,
    ErrorKind::WouldBlock,
    ErrorKind::NotADirectory,
    ErrorKind::IsADirectory,
    ErrorKind::DirectoryNotEmpty,
    ErrorKind::ReadOnlyFilesystem,
    ErrorKind::StaleNetworkFileHandle,
    ErrorKind::InvalidInput,
    ErrorKind::InvalidData,
    ErrorKind::TimedOut,
    ErrorKind::WriteZero,
    ErrorKind::StorageFull,
    ErrorKind::NotSeekable,
    ErrorKind::QuotaExceeded,
    ErrorKind::FileTooLarge,
    ErrorKind::ResourceBusy,
    ErrorKind::ExecutableFileBusy,
    ErrorKind::Deadlock,
    ErrorKind::CrossesDevices,
    ErrorKind::TooManyLinks,
    ErrorKind::InvalidFilename,
    ErrorKind::ArgumentListTooLong,
    ErrorKind::Interrupted,
    ErrorKind::Unsupported,
    ErrorKind::UnexpectedEof,
    ErrorKind::OutOfMemory,
];

/// What travels in the place of an `io::Error`.
#[derive(Serialize, Deserialize)]
enum Sent {
    /// An error of the system, by its number.
    System(i32),
    /// A kind alone, by its place in [`KINDS`].
    Kind(Option<usize>),
    /// A kind with a text, and those of what caused it.
    Text(Option<usize>, Vec<String>),
}

impl From<io::Error> for Sent {
    fn from(error: io::Error) -> Self {
        let kind = KINDS.iter().position(|kind| *kind == error.kind());
        match (error.raw_os_error(), error.get_ref()) {
            (Some(code), _) => Self::System(code),
            (None, Some(inner)) => Self::Text(kind, texts(inner)),
            (None, None) if error.to_string() == error.kind().to_string() => Self::Kind(kind),
            (None, None) => Self::Text(kind, vec![error.to_string()]),
        }
    }
}

impl From<Sent> for io::Error {
    fn from(sent: Sent) -> Self {
        let known = |place: Option<usize>| {
            place.and_then(|place| KINDS.get(place)).copied().unwrap_or(ErrorKind::Other)
        };
        match sent {
            Sent::System(code) => Self::from_raw_os_error(code),
            Sent::Kind(kind) => known(kind).into(),
            Sent::Text(kind, texts) => Self::new(known(kind), FarError::chain(texts)),
        }
    }
}

/// The answer of a method that returns an `io::Result`.
struct AnswerIo<T> {
    method: &'static str,
    call: Call<T, io::Error>,
}

impl<T: Serialize + Send + 'static> Answer for AnswerIo<T> {
    fn canceller(&self) -> Canceller {
        self.call.canceller()
    }

    fn finish(self: Box<Self>) -> Finished {
        let what = ResultOf(self.method);
        match settled(&self.call, |own| codec::encode::<Result<T, Sent>>(what, &Err(own.into()))) {
            Ok(value) => returned(codec::encode::<Result<T, Sent>>(what, &Ok(value))),
            Err(error) => failed(error),
        }
    }
}

/// Where `T` is an `io::Error`, or a result with one, which travels although serde does not know it.
pub trait TravelsAsIo {
    /// Whether it can: yes.
    fn __travels(&self) -> bool;
}

impl TravelsAsIo for Probe<io::Error> {
    fn __travels(&self) -> bool {
        true
    }
}

impl<T: Serialize + DeserializeOwned> TravelsAsIo for Probe<io::Result<T>> {
    fn __travels(&self) -> bool {
        true
    }
}

/// As [`ResultAnswers`](super::ResultAnswers), for methods that return an `io::Result`.
pub trait IoAnswers<T> {
    /// Here: completes the promise from bytes.
    fn __complete(&self, method: &'static str, promise: Promise<T, io::Error>, answer: &Answered<'_>) -> Ran;
    /// In the child: turns the finished call into bytes.
    fn __answer(&self, method: &'static str, call: Call<T, io::Error>) -> Option<Box<dyn Answer>>;
    /// In the child: turns what a method returned, or its panic, into bytes.
    fn __finish(&self, method: &'static str, ended: Ended<T, io::Error>) -> (Finished, Ran);
}

impl<T: Serialize + DeserializeOwned + Send + 'static> IoAnswers<T> for Probe<io::Result<T>> {
    fn __complete(&self, method: &'static str, promise: Promise<T, io::Error>, answer: &Answered<'_>) -> Ran {
        answer.complete(promise, |bytes| match codec::decode::<Result<T, Sent>>(ResultOf(method), bytes) {
            Ok(result) => result.map_err(|sent| CallError::Failed(sent.into())),
            Err(error) => Err(CallError::NotSent(error)),
        })
    }

    fn __answer(&self, method: &'static str, call: Call<T, io::Error>) -> Option<Box<dyn Answer>> {
        Some(Box::new(AnswerIo { method, call }))
    }

    fn __finish(&self, method: &'static str, ended: Ended<T, io::Error>) -> (Finished, Ran) {
        finish(ended, |result| encode::<Result<T, Sent>>(ResultOf(method), result.map_err(Sent::from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(error: io::Error) -> io::Error {
        let bytes = codec::encode("an error", &Sent::from(error)).unwrap();
        codec::decode::<Sent>("an error", &bytes).unwrap().into()
    }

    #[test]
    fn an_error_of_the_system_arrives_as_the_same_error() {
        let error = there(std::fs::read("/none/such").unwrap_err());
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotFound, Some(2)));
    }

    #[test]
    fn a_kind_and_a_text_arrive() {
        for kind in KINDS {
            assert_eq!(there(kind.into()).kind(), kind);
            let error = there(io::Error::new(kind, "with a text"));
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, "with a text"));
        }
        let inner = io::Error::other(io::Error::new(
            ErrorKind::NotFound,
            FarError::chain(vec!["a".into(), "b".into()]),
        ));
        let error = there(io::Error::new(ErrorKind::InvalidData, inner));
        assert_eq!(
            (error.kind(), texts(&error)),
            (ErrorKind::InvalidData, vec!["a".to_owned(), "b".to_owned()])
        );
        let error = there(io::Error::other("another"));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "another"));
    }
}
