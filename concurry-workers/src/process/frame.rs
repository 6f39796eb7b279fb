//! What travels between a pool and its children, and between a limit server and its clients.
//!
//! A frame is a header of 17 bytes and a body:
//!
//! ```text
//! length of the body: u32 │ kind: u8 │ id: u64 │ tag: u32 │ body
//! ```
//!
//! Before the first frame a child is given the memory that it shares with its pool (`transport::handover`).
//!
//! All numbers are little-endian. `id` pairs an answer with its question. Bodies are postcard, or a user's value that
//! was encoded by postcard before; those are never sent through serde again byte by byte.

use std::io;

use concurry_core::call::{NotSent, Panicked};
use concurry_core::spin::is_alone;
use concurry_limits::remote::{RemoteGrant, RemoteSetInfo, Wait};
use concurry_limits::{LimitError, LimitPool, LimitSet, LimitSetStats};
use serde::{Deserialize, Serialize};

use super::codec;
use super::conditions::Conditions;
use super::options::ProcessOptions;

/// Counts up when frames change; the two ends must agree before anything else is read. That they are of one build says a
/// fingerprint as well.
pub(crate) const PROTOCOL: u32 = 12;

pub(crate) const HEADER: usize = 17;

/// What a frame says. The tag's meaning stands behind the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To the child, first: [`Hello`]; id: the fingerprint of the pool's build; tag: [`PROTOCOL`].
    Hello = 1,
    /// To the parent: the worker is there, also when it was made anew after a panic; or `Err(`[`Failure`]`)` why not.
    Ready = 2,
    /// To the child: a call; tag: the method; body: its arguments.
    Call = 3,
    /// To the parent: the end of a call; tag: an [`AnswerKind`].
    Answer = 4,
    /// To the child: finish, drop the worker and exit.
    Stop = 5,
    /// To the parent: [`AcquireRequest`].
    Acquire = 6,
    /// To the child: `Result<RemoteGrant, LimitError>`.
    Grant = 7,
    /// To the parent: the request of this id is not wanted any more.
    CancelAcquire = 8,
    /// To the parent: a grant is released; id: the grant's; tag: 1 to log what had to be told and was not; body: the usage
    /// told, as (index, amount).
    Settle = 9,
    /// To the parent: the statistics of set `tag` are asked for.
    StatsRequest = 10,
    /// To the child: `Result<LimitSetStats, LimitError>`.
    Stats = 11,
    /// To a limit server, first: the token; tag: [`PROTOCOL`].
    Login = 12,
    /// From a limit server: `Ok(`[`RemoteSetInfo`]`)`, or why not.
    Welcome = 13,
    /// To the parent: what a server said, to be told to set `tag`; body: `Feedback`.
    Feedback = 14,
    /// To the parent: set `tag` is to be steered, or asked; body: `Steering`.
    Steer = 15,
    /// To the child: `SteeringAnswer`.
    Steered = 16,
    /// To the child: what was acquired for the call of this id, which comes next; body: `RemoteGrant`.
    Lend = 17,
    /// To the child: nobody needs the result of the call of this id any more, which it runs.
    Cancel = 18,
    /// To the parent: what set `tag` has to say in the log; body: `Notice`.
    Notice = 19,
}

impl Kind {
    const ALL: [Self; 19] = [
        Self::Hello,
        Self::Ready,
        Self::Call,
        Self::Answer,
        Self::Stop,
        Self::Acquire,
        Self::Grant,
        Self::CancelAcquire,
        Self::Settle,
        Self::StatsRequest,
        Self::Stats,
        Self::Login,
        Self::Welcome,
        Self::Feedback,
        Self::Steer,
        Self::Steered,
        Self::Lend,
        Self::Cancel,
        Self::Notice,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// How a call ended in the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum AnswerKind {
    /// The method returned; body: its result.
    Returned = 0,
    /// The method panicked; body: [`Panicked`].
    Panicked = 1,
    /// Arguments or result could not travel; body: [`NotSent`].
    NotSent = 2,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) id: u64,
    pub(crate) tag: u32,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: Kind, id: u64, tag: u32, body: Vec<u8>) -> Self {
        Self { kind, id, tag, body }
    }

    /// A frame with a body of our own. Our own types can always be encoded, but what they hold of the user's may be too long.
    pub(crate) fn of<T: Serialize>(kind: Kind, id: u64, tag: u32, body: &T) -> Result<Self, NotSent> {
        Self::new(kind, id, tag, codec::encode("a message of concurry", body)?).sendable()
    }

    /// The same, if it can be sent. Whoever sends one that cannot be sent would take the connection for broken.
    pub(crate) fn sendable(self) -> Result<Self, NotSent> {
        self.header().map(|_| self)
    }

    /// The header; an error when the body is too long for one frame.
    pub(crate) fn header(&self) -> Result<[u8; HEADER], NotSent> {
        let length = u32::try_from(self.body.len()).map_err(|_| {
            NotSent::new("a message", "bytes", format!("{} bytes are more than 4 GiB", self.body.len()))
        })?;
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4] = self.kind as u8;
        header[5..13].copy_from_slice(&self.id.to_le_bytes());
        header[13..].copy_from_slice(&self.tag.to_le_bytes());
        Ok(header)
    }

    /// A frame without its body, and the length of that.
    pub(crate) fn from_header(header: &[u8; HEADER]) -> io::Result<(Self, usize)> {
        let [l0, l1, l2, l3, kind, id @ .., t0, t1, t2, t3] = *header;
        let kind = Kind::from_byte(kind).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("unknown kind of frame: {kind}"))
        })?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let frame = Self::new(kind, u64::from_le_bytes(id), u32::from_le_bytes([t0, t1, t2, t3]), Vec::new());
        Ok((frame, length))
    }

    /// The body as one of our own types.
    pub(crate) fn open<T: serde::de::DeserializeOwned>(&self) -> io::Result<T> {
        codec::decode("a message of concurry", &self.body)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// The first thing that a child is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The worker's type, as the compiler names it.
    pub(crate) worker: String,
    /// Its number in the pool.
    pub(crate) index: u32,
    /// The constructor's arguments, encoded.
    pub(crate) args: Vec<u8>,
    /// The limit sets of the pool, in their order.
    pub(crate) sets: Vec<RemoteSetInfo>,
    /// How the pool chooses between them.
    pub(crate) balancing: concurry_limits::LimitPoolBalancing,
    /// How the child is to run.
    pub(super) conditions: Conditions,
}

impl Hello {
    /// To a child that shall be worker `index` of type `worker`.
    pub(crate) fn to(
        worker: &str,
        index: usize,
        args: Vec<u8>,
        limits: &LimitPool,
        options: &ProcessOptions,
    ) -> Self {
        let cpus = options.cpus(index);
        let narrow = |cpu: usize| u32::try_from(cpu).unwrap_or(u32::MAX);
        let cpus = cpus.map(|cpus| cpus.into_iter().map(narrow).collect());
        Self {
            worker: worker.to_owned(),
            index: narrow(index),
            args,
            sets: limits.sets().iter().map(LimitSet::describe).collect(),
            balancing: limits.balancing(),
            conditions: Conditions { nice: options.nice, cpus, alone: is_alone() },
        }
    }
}

/// Why a child has no worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// The constructor returned an error: its text and the texts of its sources.
    Constructor(Vec<String>),
    /// The constructor panicked.
    Panicked(Panicked),
    /// The system refused how the child is to run.
    Refused(String),
    /// The executable is of another build, has no such worker, or the arguments could not be read.
    Unsuitable(String),
}

/// A child's wish to acquire.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AcquireRequest {
    pub(crate) sets: Vec<u32>,
    pub(crate) amounts: Vec<(String, u64)>,
    pub(crate) wait: Wait,
}

/// The usage that a child told of a grant, as (index of the limit, amount).
pub(crate) type Usage = Vec<(u32, u64)>;

/// The answer to an [`AcquireRequest`].
pub(crate) type GrantAnswer = Result<RemoteGrant, LimitError>;

/// The answer to a request for statistics.
pub(crate) type StatsAnswer = Result<LimitSetStats, LimitError>;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The bytes of a value that is too long for a frame: memory that nobody touches is none.
    #[cfg(target_pointer_width = "64")]
    pub(in crate::process) fn too_long() -> Vec<u8> {
        vec![0; 1 << u32::BITS]
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_body_that_is_too_long_for_a_frame_is_an_error_before_it_is_sent() {
        let frame = |body| Frame::new(Kind::Answer, 1, 0, body).sendable();
        let error = frame(too_long()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("4294967296 bytes"), "{error}");
        let mut body = too_long();
        body.truncate(u32::MAX as usize);
        assert!(frame(body).is_ok());
    }
}
