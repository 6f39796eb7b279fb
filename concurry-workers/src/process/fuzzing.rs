//! What fuzzers see of processes, in builds with `--cfg fuzzing` alone.

pub(crate) use super::frame::Frame;
pub(crate) use super::limits_server::{LimitsServer, May};
pub(crate) use super::transport::fuzzing::{read_ring, read_socket, write_ring};

use super::frame::{AcquireRequest, Failure, GrantAnswer, Hello, StatsAnswer, Usage};

/// Reads the body of a frame as whatever it could be.
pub(crate) fn open_all(frame: &Frame) {
    drop((frame.open::<Hello>(), frame.open::<Failure>(), frame.open::<Usage>()));
    drop((frame.open::<AcquireRequest>(), frame.open::<GrantAnswer>(), frame.open::<StatsAnswer>()));
}
