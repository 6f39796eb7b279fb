//! Frames through memory that a pool and its child share: two streams to the child, one for its calls and one for what
//! must arrive while it runs one; a stream back for all that it says; and a bell for each who sleeps.
//!
//! Promises: frames arrive whole and in the order of their stream, whatever their size; a reader that is slow holds the writer
//! back and loses nothing; all that a child has written is read, also when it was killed; and its end is seen at once, by the
//! end of its socket, which stays for that and for the first words. What the pool sends never blocks: what finds no room is
//! sent by the owner of the connection, as the child makes room.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use concurry_core::spin::Spin;

use super::aside::Aside;
use super::bell::Bell;
use super::desk::{Desk, RingIncoming, Signs};
use super::outflow::Outflow;
use super::socket::Watched;
use super::stream::{Place, Reader, Writer};
use super::{Nudge, Sink, StandsIn};
use crate::process::frame::{Frame, Kind};
use crate::process::memory::Memory;

/// The bytes of calls that may be on their way, and of what the child says.
const CAPACITY: usize = 2 << 20;
/// Those of what is said beside calls, which is little.
const LITTLE: usize = 64 << 10;
/// Words that are written by different sides lie this far apart: two cache lines, since those are fetched in pairs.
const APART: usize = 128;
/// The words come before the bytes.
const WORDS: usize = 4096;

/// How much memory a ring takes.
pub(in crate::process) const SIZE: usize = WORDS + 2 * CAPACITY + LITTLE;

/// Calls, to the child.
const DOWN: Place =
    Place { tail: APART, head: 2 * APART, waits: 11 * APART, bytes: WORDS, capacity: CAPACITY };
/// All that the child says. It has a bell of its own where it waits for room.
const UP: Place = Place {
    tail: 3 * APART,
    head: 4 * APART,
    waits: 12 * APART,
    bytes: WORDS + CAPACITY,
    capacity: CAPACITY,
};
/// To the child, what does not wait for the call that runs.
const ASIDE: Place = Place {
    tail: 8 * APART,
    head: 9 * APART,
    waits: 13 * APART,
    bytes: WORDS + 2 * CAPACITY,
    capacity: LITTLE,
};
/// The owner of the connection sleeps here: until something comes, there is room for what goes, or somebody nudges it.
const OWNER: usize = 5 * APART;
/// The child's worker: until a call comes.
const CHILD: usize = 6 * APART;
/// Whoever writes in the child: until there is room.
const ROOM: usize = 7 * APART;
/// The child's listener: until something is said beside calls, and nobody looks.
const LISTENER: usize = 10 * APART;

/// The pool's end of a ring.
pub(in crate::process) struct PoolEnd {
    pub(in crate::process) incoming: RingIncoming,
    pub(in crate::process) calls: Arc<Outflow>,
    pub(in crate::process) aside: Arc<Outflow>,
    pub(in crate::process) nudge: Arc<dyn Nudge>,
    pub(in crate::process) stands_in: Arc<dyn StandsIn>,
}

/// The pool's end of a ring, and what waits for the end of the child, on a thread of its own: that of its socket, or what `ends` tells.
pub(in crate::process) fn pool_end(
    memory: &Arc<Memory>,
    life: UnixStream,
    ends: Option<OwnedFd>,
) -> (PoolEnd, impl FnOnce() + Send + use<>) {
    let owner = || Bell::new(memory, OWNER);
    let calls = Outflow::new(memory, DOWN, CHILD, owner());
    let aside = Outflow::new(memory, ASIDE, LISTENER, owner());
    let signs = Signs::new(owner());
    let (reader, room) = (Reader::new(memory, UP), Bell::new(memory, ROOM));
    let desk = Desk::new(reader, room, [Arc::clone(&calls), Arc::clone(&aside)], Arc::clone(&signs));
    let incoming = RingIncoming::new(Arc::clone(&desk));
    let nudge: Arc<dyn Nudge> = Arc::clone(&signs) as _;
    let watch = move || {
        // The child says nothing here, so whatever comes is its end.
        let mut life = Watched::new(life, ends);
        while matches!(life.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::Interrupted) {}
        signs.is_gone();
    };
    (PoolEnd { incoming, calls, aside, nudge, stands_in: desk }, watch)
}

/// The child's sending half.
pub(in crate::process) struct RingSink {
    writer: Writer,
    owner: Bell,
    put_off: Arc<AtomicBool>,
    room: Bell,
    spin: Spin,
}

/// The child's receiving half.
pub(in crate::process) struct RingSource {
    reader: Reader,
    owner: Bell,
    /// The owner was not woken for an answer that somebody is likely to read.
    put_off: Arc<AtomicBool>,
    child: Bell,
    spin: Spin,
}

/// The child's end of a ring. The end of the pool is seen by its socket.
pub(in crate::process) struct ChildEnd {
    pub(in crate::process) sink: RingSink,
    pub(in crate::process) source: RingSource,
    pub(in crate::process) aside: Aside,
}

/// The child's end of a ring.
pub(in crate::process) fn child_end(memory: &Arc<Memory>) -> ChildEnd {
    let owner = || Bell::new(memory, OWNER);
    let put_off = Arc::new(AtomicBool::new(false));
    let sink = RingSink {
        writer: Writer::new(memory, UP),
        owner: owner(),
        put_off: Arc::clone(&put_off),
        room: Bell::new(memory, ROOM),
        spin: Spin::new(),
    };
    let source = RingSource {
        reader: Reader::new(memory, DOWN),
        owner: owner(),
        put_off,
        child: Bell::new(memory, CHILD),
        spin: Spin::new(),
    };
    ChildEnd { sink, source, aside: Aside::new(memory, ASIDE, LISTENER, owner()) }
}

impl Sink for RingSink {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let mut written = 0;
        loop {
            // Who reads for the owner sees each piece by itself, and the last one sees to it that somebody does.
            let more = || _ = self.owner.ring_unless_read();
            let is_whole = self.writer.write(frame, &mut written, more)?;
            if is_whole && frame.kind == Kind::Answer {
                // By the one who sends it, before anything else.
                self.put_off.store(self.owner.ring_unless_read(), Ordering::Relaxed);
                return Ok(());
            }
            self.owner.ring();
            if is_whole {
                return Ok(());
            }
            let Self { writer, room, spin, .. } = self;
            room.wait(spin, || writer.has_room())?;
        }
    }

    fn is_busy(&mut self) {
        if self.put_off.swap(false, Ordering::Relaxed) {
            self.owner.ring();
        }
    }
}

impl RingSource {
    /// Wakes the owner for an answer, unless somebody reads by now, or very soon where there is nothing else to do.
    fn see_it_read(&self, is_busy: bool) {
        // A microsecond or two: it takes as long to wake somebody.
        const LOOKS: usize = 64;
        let is_read = |_| {
            std::hint::spin_loop();
            !self.owner.is_armed() || self.reader.has_more()
        };
        if is_busy || !(0..LOOKS).any(is_read) || self.reader.has_more() {
            self.owner.ring();
        }
    }

    /// Waits for the next frame.
    pub(in crate::process) fn receive(&mut self) -> io::Result<Frame> {
        loop {
            let frame = self.reader.read()?;
            if self.reader.publish() && self.reader.is_waited_for() {
                self.owner.ring();
            }
            if self.put_off.swap(false, Ordering::Relaxed) {
                self.see_it_read(frame.is_some());
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

#[cfg(test)]
#[path = "desk_tests.rs"]
mod desk_tests;
