//! What fuzzers reach (`fuzz/` in the repository): the reading of what the other side of a connection may have written.
//!
//! It is there in builds with `--cfg fuzzing` alone, which cargo-fuzz makes, and in tests.

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What looks like frames: of kinds that there are and are not, of few ids, and with a length that may be a lie.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![9 => Just(None), 1 => any::<u32>().prop_map(Some)];
        let body = prop_oneof![
            Just(Vec::new()),
            // A wish for one of "slots", without end; a usage of the second limit; and anything.
            Just(vec![1, 0, 1, 5, b's', b'l', b'o', b't', b's', 1, 0]),
            Just(vec![1, 1, 1]),
            proptest::collection::vec(any::<u8>(), 0..40),
        ];
        let frame = (0..24u8, 0..4u64, 0..6u32, length, body).prop_map(|(kind, id, tag, length, body)| {
            let length = length.unwrap_or(u32::try_from(body.len()).unwrap_or(0));
            let header = [&length.to_le_bytes()[..], &[kind], &id.to_le_bytes(), &tag.to_le_bytes()].concat();
            [header, body].concat()
        });
        proptest::collection::vec(frame, 0..12).prop_map(|frames| frames.concat())
    }

    /// The same, as they are put into a ring piece by piece.
    fn pieces(bytes: &[u8]) -> Vec<u8> {
        let piece = |piece: &[u8]| [&[u8::try_from(piece.len()).unwrap_or(0)], piece].concat();
        bytes.chunks(29).flat_map(piece).collect()
    }

    proptest! {
        /// Whatever a child writes is a frame, an error, or nothing yet: never a panic, never without end, and nothing stays held.
        #[test]
        fn whatever_comes_is_read_or_refused(anything in proptest::collection::vec(any::<u8>(), 0..300), frames in frames()) {
            for bytes in [anything, frames] {
                socket(&bytes);
                ring(&bytes);
                ring(&pieces(&bytes));
                room(&bytes);
                limits(&bytes);
            }
        }
    }

    #[test]
    fn what_looks_like_frames_is_frames() {
        let wish = crate::process::fuzzing::Frame::new(
            crate::process::frame::Kind::Acquire,
            1,
            0,
            vec![1, 0, 1, 5, b's', b'l', b'o', b't', b's', 1, 0],
        );
        let mut bytes = wish.header().unwrap().to_vec();
        bytes.extend(&wish.body);
        assert_eq!(read_socket(&bytes), std::slice::from_ref(&wish));
        assert_eq!(read_ring(&pieces(&bytes)), std::slice::from_ref(&wish));
        assert!(wish.open::<crate::process::frame::AcquireRequest>().is_ok(), "it is what it says");
    }
}
