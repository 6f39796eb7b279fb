//! Frames through memory that a pool and its child share: two streams, one a direction, and a bell for each who sleeps.
//!
//! Promises: frames arrive whole and in order, whatever their size; a reader that is slow holds the writer back and loses
//! nothing; all that a child has written is read, also when it was killed; and its end is seen at once, by the end of its
//! socket, which stays for that, for the first words and for what is told about limits. What the pool sends never blocks: what
//! finds no room is sent by the owner of the connection, as the child makes room.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use concurry_core::spin::Spin;
use concurry_core::sync::lock;

use super::bell::Bell;
use super::stream::{Place, Reader, Writer};
use super::{Arrival, Calls, Incoming, Nudge, Sink};
use crate::process::codec;
use crate::process::frame::Frame;
use crate::process::memory::Memory;

/// The bytes that may be on their way in each direction.
const CAPACITY: usize = 2 << 20;
/// Words that are written by different sides lie this far apart: two cache lines, since those are fetched in pairs.
const APART: usize = 128;
/// The words come before the bytes.
const WORDS: usize = 4096;

/// How much memory a ring takes.
pub(in crate::process) const SIZE: usize = WORDS + 2 * CAPACITY;

const DOWN: Place = Place { tail: APART, head: 2 * APART, bytes: WORDS, capacity: CAPACITY };
const UP: Place = Place { tail: 3 * APART, head: 4 * APART, bytes: WORDS + CAPACITY, capacity: CAPACITY };
/// The owner of the connection sleeps here: until something comes, there is room for what goes, or somebody nudges it.
const OWNER: usize = 5 * APART;
/// The child's worker: until a call comes.
const CHILD: usize = 6 * APART;
/// Whoever writes in the child: until there is room.
const ROOM: usize = 7 * APART;

/// The pool's half for calls.
pub(in crate::process) struct RingCalls {
    out: Mutex<Out>,
    /// Something waits for room.
    is_stuck: AtomicBool,
    child: Bell,
}

struct Out {
    writer: Writer,
    /// Frames, and how much of each is written.
    waiting: VecDeque<(Frame, usize)>,
}

impl RingCalls {
    fn is_unstuck(&self) -> bool {
        // Whatever is wrong with the ring, the one who asks finds out when it sends.
        self.is_stuck.load(Ordering::Relaxed) && lock(&self.out).writer.has_room()
    }

    fn push(&self, out: &mut Out) {
        while let Some((first, written)) = out.waiting.front_mut() {
            // A ring that is broken is found out by the owner, who ends the child.
            if !matches!(out.writer.write(first, written), Ok(true)) {
                break;
            }
            out.waiting.pop_front().into_iter().for_each(|(frame, _)| codec::put_aside(frame.body));
        }
        self.is_stuck.store(!out.waiting.is_empty(), Ordering::Relaxed);
        self.child.ring();
    }
}

impl Calls for Arc<RingCalls> {
    fn send(&self, frame: Frame) {
        let mut out = lock(&self.out);
        out.waiting.push_back((frame, 0));
        self.push(&mut out);
    }

    fn is_flowing(&self) -> bool {
        !self.is_stuck.load(Ordering::Relaxed)
    }

    fn flow(&self) {
        if self.is_stuck.load(Ordering::Relaxed) {
            self.push(&mut lock(&self.out));
        }
    }
}

/// The pool's receiving half.
pub(in crate::process) struct RingIncoming {
    reader: Reader,
    calls: Arc<RingCalls>,
    signs: Arc<Signs>,
    room: Bell,
    spin: Spin,
}

/// What others tell the owner of a connection.
struct Signs {
    nudged: AtomicBool,
    gone: AtomicBool,
    owner: Bell,
}

impl Nudge for Signs {
    fn nudge(&self) {
        if !self.nudged.swap(true, Ordering::SeqCst) {
            self.owner.ring();
        }
    }
}

/// The pool's end of a ring; what is returned last waits for the end of the child, on a thread of its own.
pub(in crate::process) fn pool_end(
    memory: &Arc<Memory>,
    mut life: UnixStream,
) -> (RingIncoming, Arc<RingCalls>, Arc<dyn Nudge>, impl FnOnce() + Send + use<>) {
    let out = Out { writer: Writer::new(memory, DOWN), waiting: VecDeque::new() };
    let child = Bell::new(memory, CHILD);
    let calls = Arc::new(RingCalls { out: Mutex::new(out), is_stuck: AtomicBool::new(false), child });
    let owner = Bell::new(memory, OWNER);
    let signs = Arc::new(Signs { nudged: AtomicBool::new(false), gone: AtomicBool::new(false), owner });
    let incoming = RingIncoming {
        reader: Reader::new(memory, UP),
        calls: Arc::clone(&calls),
        signs: Arc::clone(&signs),
        room: Bell::new(memory, ROOM),
        spin: Spin::new(),
    };
    let nudge = Arc::clone(&signs);
    let watch = move || {
        // The child says nothing here, so whatever comes is its end.
        while matches!(life.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::Interrupted) {}
        signs.gone.store(true, Ordering::SeqCst);
        signs.owner.force();
    };
    (incoming, calls, nudge, watch)
}

impl Incoming for RingIncoming {
    fn next(&mut self) -> io::Result<Arrival> {
        loop {
            let is_gone = self.signs.gone.load(Ordering::SeqCst);
            if self.signs.nudged.load(Ordering::SeqCst) && self.signs.nudged.swap(false, Ordering::SeqCst) {
                return Ok(Arrival::Nudge);
            }
            let frame = self.reader.read()?;
            if self.reader.publish() {
                self.room.ring();
            }
            if let Some(frame) = frame {
                return Ok(Arrival::Frame(frame));
            }
            if self.reader.has_more() {
                continue;
            }
            if is_gone {
                // Nothing was there after it was gone.
                return Ok(Arrival::Gone);
            }
            if self.calls.is_unstuck() {
                return Ok(Arrival::Nudge);
            }
            let Self { reader, calls, signs, spin, .. } = self;
            signs.owner.wait(spin, || {
                reader.has_more()
                    || signs.nudged.load(Ordering::SeqCst)
                    || signs.gone.load(Ordering::SeqCst)
                    || calls.is_unstuck()
            })?;
        }
    }

    fn has_more(&self) -> bool {
        self.reader.has_more()
    }
}

/// The child's sending half.
pub(in crate::process) struct RingSink {
    writer: Writer,
    owner: Bell,
    room: Bell,
    spin: Spin,
}

/// The child's receiving half.
pub(in crate::process) struct RingSource {
    reader: Reader,
    owner: Bell,
    child: Bell,
    spin: Spin,
}

/// The child's end of a ring. The end of the pool is seen by its socket.
pub(in crate::process) fn child_end(memory: &Arc<Memory>) -> (RingSink, RingSource) {
    let owner = || Bell::new(memory, OWNER);
    let sink = RingSink {
        writer: Writer::new(memory, UP),
        owner: owner(),
        room: Bell::new(memory, ROOM),
        spin: Spin::new(),
    };
    let source = RingSource {
        reader: Reader::new(memory, DOWN),
        owner: owner(),
        child: Bell::new(memory, CHILD),
        spin: Spin::new(),
    };
    (sink, source)
}

impl Sink for RingSink {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let mut written = 0;
        loop {
            let is_whole = self.writer.write(frame, &mut written)?;
            self.owner.ring();
            if is_whole {
                return Ok(());
            }
            let Self { writer, room, spin, .. } = self;
            room.wait(spin, || writer.has_room())?;
        }
    }
}

impl RingSource {
    /// Waits for the next frame.
    pub(in crate::process) fn receive(&mut self) -> io::Result<Frame> {
        loop {
            let frame = self.reader.read()?;
            if self.reader.publish() {
                self.owner.ring();
            }
            if let Some(frame) = frame {
                return Ok(frame);
            }
            let Self { reader, child, spin, .. } = self;
            child.wait(spin, || reader.has_more())?;
        }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
