//! How frames travel: a trait with one half a direction, so that each half has its own thread.
//!
//! * `socket`: a Unix socket pair, or any other stream.

mod socket;

use std::io;

use super::frame::Frame;

pub(super) use socket::pair;
pub(crate) use socket::{SocketSink, SocketSource};

/// The sending half.
pub(crate) trait Sink: Send {
    /// Sends one frame; returns when the transport has taken it.
    fn send(&mut self, frame: &Frame) -> io::Result<()>;
}

/// The receiving half.
pub(crate) trait Source: Send {
    /// The next frame; `None` when the other side is gone.
    fn receive(&mut self) -> io::Result<Option<Frame>>;
}
