//! How frames travel: a trait with one half a direction, so that each half has its own thread.
//!
//! * `socket`: a Unix socket pair, or any other stream.
//! * `ring`: shared memory, on Linux.
//! * `desk`: who reads what a child says in it.
//! * `outflow`: the pool's writing end of a stream to its child.
//! * `aside`: the child's reading end of what is said beside calls.
//! * `stream`: bytes and frames in shared memory, one direction.
//! * `bell`: sleeping, and being woken by another process.
//! * `chosen`: which of them a pool uses.
//! * `handover`: what a child is given besides its socket.

#[cfg(target_os = "linux")]
pub(super) mod aside;
#[cfg(target_os = "linux")]
mod bell;
mod chosen;
#[cfg(target_os = "linux")]
mod desk;
#[cfg(all(any(fuzzing, test), target_os = "linux"))]
pub(super) mod fuzzing;
mod handover;
#[cfg(target_os = "linux")]
mod outflow;
#[cfg(target_os = "linux")]
pub(super) mod ring;
mod socket;
#[cfg(target_os = "linux")]
mod stream;

use std::io;

use concurry_core::call::Look;
use concurry_core::clock::Timestamp;
use crossbeam_channel::Sender;

use super::frame::Frame;

pub use chosen::{Transport, UnknownTransport};
pub(super) use handover::{give, take};
pub(super) use socket::{SocketCalls, SocketIncoming, pair, write_as_they_come};
pub(crate) use socket::{SocketSink, SocketSource, WriteBoth, send_both};

/// The sending half.
pub(crate) trait Sink: Send {
    /// Sends one frame; returns when the transport has taken it.
    fn send(&mut self, frame: &Frame) -> io::Result<()>;
    /// An answer was sent, and the next call is not asked for soon: it is to be seen without that.
    fn is_busy(&mut self) {}
}

/// The receiving half.
pub(crate) trait Source: Send {
    /// The next frame; `None` when the other side is gone.
    fn receive(&mut self) -> io::Result<Option<Frame>>;
}

/// What comes to the one who waits for a child.
pub(super) enum Arrival {
    Frame(Frame),
    /// Somebody here wants its attention.
    Nudge,
    /// Nothing has come for as long as was to be waited.
    Late,
    /// The child is gone.
    Gone,
}

/// Until when one sleeps who is about to; for ever, if there is no instant.
pub(super) type Until<'a> = &'a dyn Fn() -> Option<Timestamp>;

/// Sleeps until something comes.
pub(super) fn for_ever() -> Option<Timestamp> {
    None
}

/// The pool's receiving half.
pub(super) trait Incoming: Send {
    /// Waits for what comes next, and sleeps `until` an instant at most. All that a child has sent comes before its end.
    fn next(&mut self, until: Until<'_>) -> io::Result<Arrival>;
    /// Whether there is more at hand, for which nobody need wait.
    fn has_more(&self) -> bool;
}

/// Reads for the one who waits for a child, while that sleeps.
pub(super) trait StandsIn: Send + Sync {
    /// Has `look` look; each frame that is read meanwhile is given to `take`. Nothing is read unless it `is_due` once nobody else reads.
    fn stand_in(&self, is_due: &dyn Fn() -> bool, take: &mut dyn FnMut(Frame) -> Took, look: Look<'_>);
}

/// What was done with a frame.
pub(super) enum Took {
    /// It was waited for.
    Awaited,
    /// It was dealt with.
    Other,
    /// Nothing: it is the owner's, or it was found to make no sense.
    Left(io::Result<Frame>),
}

/// Gets the attention of the one who waits for a child.
pub(super) trait Nudge: Send + Sync {
    fn nudge(&self);
}

/// The pool's half for calls, which never blocks.
pub(super) trait Calls: Send + Sync {
    /// Takes frames, to be sent in the order in which they come.
    fn send_all(&self, frames: &mut dyn Iterator<Item = Frame>);
    /// Takes one.
    fn send(&self, frame: Frame) {
        self.send_all(&mut std::iter::once(frame));
    }
    /// Whether all that was taken is on its way.
    fn is_flowing(&self) -> bool;
    /// Sends more of what was taken, if there is room for it.
    fn flow(&self);
}

/// The pool's half for what it says beside calls, which never blocks.
pub(crate) trait Outlet: Send + Sync {
    /// Takes a frame, to be sent in the order in which they come. When the other side is gone, it is for nobody.
    fn say(&self, frame: Frame);
}

impl Outlet for Sender<Frame> {
    fn say(&self, frame: Frame) {
        // When the writer has ended, the other side is gone, and the reader says so.
        drop(self.send(frame));
    }
}
