//! What fuzzers reach (`fuzz/` in the repository): the reading of what the other side of a connection may have written.
//!
//! It is there in builds with `--cfg fuzzing` alone, which cargo-fuzz makes.

use std::time::Duration;

use concurry_core::call::{NotSent, Panicked};
use concurry_limits::{LimitSet, RateLimit, ResourceLimit};
use crossbeam_channel::unbounded;

use crate::process::fuzzing::{Frame, LimitsServer, May, open_all, read_ring, read_socket, write_ring};

/// The bytes come by a socket.
pub fn socket(bytes: &[u8]) {
    read_socket(bytes).iter().for_each(look_at);
}

/// The bytes are in a ring: first where its writer says that they end, and where its reader has said that it is.
pub fn ring(bytes: &[u8]) {
    read_ring(bytes).iter().for_each(look_at);
}

/// The bytes are where the reader of a ring says that it is, while something is sent through that.
pub fn room(bytes: &[u8]) {
    write_ring(bytes);
}

/// The bytes come by a socket, as a child's frames about limits.
///
/// # Panics
///
/// When a limit is left in use: that is what is looked for.
pub fn limits(bytes: &[u8]) {
    let rate = RateLimit::new("tokens", 10, Duration::from_secs(3_600));
    let set = LimitSet::builder().limit(rate).limit(ResourceLimit::new("slots", 2)).build();
    let Ok(set) = set else { unreachable!("these limits can be") };
    let (outbox, answers) = unbounded();
    let server = LimitsServer::new(vec![set.clone()], Box::new(outbox), May::Use);
    for frame in read_socket(bytes) {
        if server.receive(&frame).is_err() {
            break;
        }
    }
    server.close();
    drop(answers);
    let held = set.stats().limit("slots").is_some_and(|slots| slots.in_use > 0);
    assert!(!held, "what a child held is given back");
}

fn look_at(frame: &Frame) {
    open_all(frame);
    drop((frame.open::<Panicked>(), frame.open::<NotSent>()));
}
