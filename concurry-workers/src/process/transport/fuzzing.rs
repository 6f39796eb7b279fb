//! Reading what anybody may have written, in builds with `--cfg fuzzing` alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bell::Bell;
use super::outflow::Outflow;
use super::stream::{Place, Reader};
use super::{SocketSource, Source};
use crate::process::frame::{Frame, Kind};
use crate::process::memory::Memory;

/// The frames in these bytes, up to the first error.
pub(crate) fn read_socket(bytes: &[u8]) -> Vec<Frame> {
    let mut source = SocketSource::new(bytes);
    std::iter::from_fn(|| source.receive().ok().flatten()).collect()
}

/// A small ring, so that what is read goes round.
const RING: Place = Place { tail: 0, head: 8, waits: 32, bytes: 64, capacity: 256 };

/// The frames in a ring whose writer has written these bytes in pieces: of each the first byte says how long it is. The last
/// piece, which is cut off, is where the writer says that it is.
pub(crate) fn read_ring(bytes: &[u8]) -> Vec<Frame> {
    let Ok(memory) = Memory::create(4096).map(Arc::new) else { return Vec::new() };
    let (mut reader, mut frames) = (Reader::new(&memory, RING), Vec::new());
    let (mut rest, mut tail) = (bytes, 0u64);
    while let Some((length, behind)) = rest.split_first() {
        let piece = &behind[..usize::from(*length).min(behind.len())];
        rest = &behind[piece.len()..];
        for byte in piece {
            let place = usize::try_from(tail % RING.capacity as u64).unwrap_or(0);
            memory.write(RING.bytes + place, &[*byte]);
            tail = tail.wrapping_add(1);
        }
        let mut claim = tail;
        if usize::from(*length) > piece.len() {
            claim = claim.wrapping_add(u64::from(*length) << 3);
        }
        memory.word(RING.tail).store(claim, Ordering::SeqCst);
        loop {
            match reader.read() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) if reader.has_more() => {}
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
        reader.publish();
    }
    frames
}

/// Sends through a ring whose reader says now and then where it is: eight bytes each, and one that says how much is sent before.
pub(crate) fn write_ring(bytes: &[u8]) {
    let Ok(memory) = Memory::create(4096).map(Arc::new) else { return };
    let bell = |at| Bell::new(&memory, at);
    let outflow = Outflow::new(&memory, RING, 16, bell(24));
    for (claim, id) in bytes.chunks(9).zip(0..) {
        let Some((length, place)) = claim.split_last_chunk::<8>() else { return };
        let body = vec![0; length.first().copied().unwrap_or_default().into()];
        outflow.put(Frame::new(Kind::Grant, id, 0, body));
        memory.word(RING.head).store(u64::from_le_bytes(*place), Ordering::SeqCst);
        outflow.push();
    }
}
