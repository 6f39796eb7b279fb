//! A stream of bytes through shared memory, one writer and one reader, and frames on it.
//!
//! The writer owns the position of the tail, the reader that of the head; each publishes its own and only reads the other's. What is
//! between the two belongs to the reader, the rest to the writer. A frame that finds no room is written in pieces, so its size
//! does not matter. What was published by a writer that is killed is read as if it lived.
//!
//! The other side's position is not believed: one that makes no sense is an error.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use crate::process::codec;
use crate::process::frame::{Frame, HEADER};
use crate::process::memory::Memory;

/// Where a stream lies in the memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) tail: usize,
    pub(super) head: usize,
    /// Where the writer says that it waits for room.
    pub(super) waits: usize,
    pub(super) bytes: usize,
    /// A power of two.
    pub(super) capacity: usize,
}

impl Place {
    /// The offset of a position, and how many bytes follow it before the end.
    fn at(self, position: u64) -> (usize, usize) {
        debug_assert!(self.capacity.is_power_of_two(), "so that no division is needed");
        let within = usize::try_from(position & (self.capacity as u64 - 1)).unwrap_or(0);
        (self.bytes + within, self.capacity - within)
    }

    /// So many bytes are published, and given back, at once: a power of two as well.
    fn piece(self) -> usize {
        self.capacity / PIECES
    }
}

/// How many bytes are between two positions.
fn between(head: u64, tail: u64, capacity: usize) -> io::Result<usize> {
    match usize::try_from(tail.wrapping_sub(head)) {
        Ok(bytes) if bytes <= capacity => Ok(bytes),
        _ => Err(broken()),
    }
}

/// What the other side says of where it is cannot be.
pub(super) fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the other side broke the shared ring")
}

/// The writing half.
pub(super) struct Writer {
    memory: Arc<Memory>,
    place: Place,
    tail: u64,
    /// The head, as it was seen last.
    head: u64,
}

impl Writer {
    pub(super) fn new(memory: &Arc<Memory>, place: Place) -> Self {
        Self { memory: Arc::clone(memory), place, tail: 0, head: 0 }
    }

    /// Whether writing would get on: also when the reader broke the ring, to say so.
    pub(super) fn has_room(&mut self) -> bool {
        // A frame is begun with all of its header.
        self.room().map_or(true, |room| room >= HEADER)
    }

    /// How many bytes there is room for now.
    fn room(&mut self) -> io::Result<usize> {
        self.head = self.memory.word(self.place.head).load(Ordering::Acquire);
        Ok(self.place.capacity - between(self.head, self.tail, self.place.capacity)?)
    }

    /// Writes as much of a frame as there is room for, beyond what is `written` of it; says whether that was all. What is much
    /// is published in pieces, so that the reader goes on meanwhile; `more` wakes it for all but the last.
    pub(super) fn write(&mut self, frame: &Frame, written: &mut usize, more: impl Fn()) -> io::Result<bool> {
        let whole = HEADER + frame.body.len();
        let mut room = self.place.capacity - between(self.head, self.tail, self.place.capacity)?;
        if room < whole - *written {
            room = self.room()?;
        }
        if *written == 0 {
            if room < HEADER {
                return Ok(false);
            }
            let header =
                frame.header().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            self.copy(&header);
            *written = HEADER;
            room -= HEADER;
        }
        let start = *written - HEADER;
        let there = &frame.body[start..start + room.min(frame.body.len() - start)];
        let piece = self.place.piece();
        let (most, last) = there.split_at(there.len().saturating_sub(1) & !(piece - 1));
        for piece in most.chunks_exact(piece) {
            self.copy(piece);
            self.publish();
            more();
        }
        self.copy(last);
        self.publish();
        *written += there.len();
        Ok(*written == whole)
    }

    fn publish(&self) {
        self.memory.word(self.place.tail).store(self.tail, Ordering::Release);
    }

    /// Says whether it waits for room. It is to look for that once more after this: the reader may have made some just before.
    pub(super) fn set_waits(&self, waits: bool) {
        self.memory.half(self.place.waits).store(waits.into(), Ordering::SeqCst);
    }

    /// Copies bytes for which there is room, without publishing them.
    fn copy(&mut self, bytes: &[u8]) {
        let (offset, before_end) = self.place.at(self.tail);
        let (first, second) = bytes.split_at(bytes.len().min(before_end));
        self.memory.write(offset, first);
        if !second.is_empty() {
            self.memory.write(self.place.bytes, second);
        }
        self.tail = self.tail.wrapping_add(bytes.len() as u64);
    }
}

/// The reading half.
pub(super) struct Reader {
    memory: Arc<Memory>,
    place: Place,
    head: u64,
    /// The head that the writer knows of.
    published: u64,
    /// The tail, as it was seen last.
    tail: u64,
    /// A frame of which not all has come, and how long its body is.
    partial: Option<(Frame, usize)>,
}

/// What is much goes through the ring in pieces, of which so many have room at once: each side goes on while the other does.
const PIECES: usize = 32;
/// No more is reserved for a body before it comes, whatever its header says.
const RESERVED: usize = 4 << 20;

impl Reader {
    pub(super) fn new(memory: &Arc<Memory>, place: Place) -> Self {
        Self { memory: Arc::clone(memory), place, head: 0, published: 0, tail: 0, partial: None }
    }

    /// Whether reading would get on: also when the writer broke the ring, to say so.
    pub(super) fn has_more(&self) -> bool {
        let needed = if self.partial.is_some() { 1 } else { HEADER };
        self.seen().map_or(true, |seen| seen >= needed) || {
            let tail = self.memory.word(self.place.tail).load(Ordering::Acquire);
            between(self.head, tail, self.place.capacity).map_or(true, |bytes| bytes >= needed)
        }
    }

    /// Whether it is in the middle of a frame.
    pub(super) fn has_begun(&self) -> bool {
        self.partial.is_some()
    }

    /// How many bytes are known to be there.
    fn seen(&self) -> io::Result<usize> {
        between(self.head, self.tail, self.place.capacity)
    }

    fn available(&mut self) -> io::Result<usize> {
        self.tail = self.memory.word(self.place.tail).load(Ordering::Acquire);
        self.seen()
    }

    /// The next frame, if all of it has come; the next piece of it is taken otherwise.
    pub(super) fn read(&mut self) -> io::Result<Option<Frame>> {
        let (mut frame, length) = if let Some(partial) = self.partial.take() {
            partial
        } else {
            if self.seen()? < HEADER && self.available()? < HEADER {
                return Ok(None);
            }
            let mut header = [0; HEADER];
            self.copy(&mut header);
            let (mut frame, length) = Frame::from_header(&header)?;
            frame.body = codec::spare();
            frame.body.reserve_exact(length.min(RESERVED));
            (frame, length)
        };
        let missing = length - frame.body.len();
        let mut there = self.seen()?;
        if there < missing {
            there = self.available()?;
        }
        // What is much is taken in pieces, so that the writer goes on meanwhile.
        self.append(there.min(missing).min(self.place.piece()), &mut frame.body);
        if frame.body.len() < length {
            self.partial = Some((frame, length));
            return Ok(None);
        }
        Ok(Some(frame))
    }

    /// Lets the writer have the room of what was read: when it is much, or nothing is left to read. Says whether it did.
    pub(super) fn publish(&mut self) -> bool {
        let read = self.head.wrapping_sub(self.published);
        let is_due = read > 0 && (read >= self.place.piece() as u64 || self.head == self.tail);
        if is_due {
            self.published = self.head;
            self.memory.word(self.place.head).store(self.head, Ordering::Release);
        }
        is_due
    }

    /// Whether the writer waits for room, which was just published. One that has something to say without it is left asleep.
    pub(super) fn is_waited_for(&self) -> bool {
        fence(Ordering::SeqCst);
        self.memory.half(self.place.waits).load(Ordering::Relaxed) != 0
    }

    /// Copies the next bytes, which are there.
    fn copy(&mut self, bytes: &mut [u8]) {
        let (offset, before_end) = self.place.at(self.head);
        let first = bytes.len().min(before_end);
        let (first, second) = bytes.split_at_mut(first);
        self.memory.read(offset, first);
        if !second.is_empty() {
            self.memory.read(self.place.bytes, second);
        }
        self.head = self.head.wrapping_add(bytes.len() as u64);
    }

    /// Appends the next bytes, which are there.
    fn append(&mut self, count: usize, bytes: &mut Vec<u8>) {
        let (offset, before_end) = self.place.at(self.head);
        let first = count.min(before_end);
        self.memory.append(offset, first, bytes);
        if first < count {
            self.memory.append(self.place.bytes, count - first, bytes);
        }
        self.head = self.head.wrapping_add(count as u64);
    }
}
