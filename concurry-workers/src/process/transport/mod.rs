//! How frames travel: a trait with one half a direction, so that each half has its own thread.
//!
//! * `socket`: a Unix socket pair.

mod socket;

use std::io;

use super::frame::Frame;

pub(super) use socket::{SocketSink, SocketSource, pair};

/// The sending half.
pub(super) trait Sink: Send {
    /// Sends one frame; returns when the transport has taken it.
    fn send(&mut self, frame: &Frame) -> io::Result<()>;
}

/// The receiving half.
pub(super) trait Source: Send {
    /// The next frame; `None` when the other side is gone.
    fn receive(&mut self) -> io::Result<Option<Frame>>;
}
