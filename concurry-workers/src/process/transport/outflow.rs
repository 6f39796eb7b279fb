//! What a pool sends through the ring: it never blocks, whoever sends, and whatever the child does.
//!
//! What finds no room waits here, in its order, and goes as the child makes room: the owner of the connection sees to that.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use concurry_core::sync::lock;

use super::bell::Bell;
use super::stream::{Place, Writer};
use super::{Calls, Outlet};
use crate::process::codec;
use crate::process::frame::Frame;
use crate::process::memory::Memory;

/// The pool's end of a stream to its child.
pub(in crate::process) struct Outflow {
    out: Mutex<Out>,
    /// Something waits for room.
    is_stuck: AtomicBool,
    /// The child says that it has read what cannot be.
    is_broken: AtomicBool,
    /// Who reads.
    reader: Bell,
    /// The owner of the connection.
    owner: Bell,
}

struct Out {
    writer: Writer,
    /// Frames, and how much of each is written.
    waiting: VecDeque<(Frame, usize)>,
}

impl Outflow {
    /// Writes where `place` is, for one who sleeps at the bell `reader`; `owner` is told when it must see to it.
    pub(super) fn new(memory: &Arc<Memory>, place: Place, reader: usize, owner: Bell) -> Arc<Self> {
        let out = Out { writer: Writer::new(memory, place), waiting: VecDeque::new() };
        Arc::new(Self {
            out: Mutex::new(out),
            is_stuck: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            reader: Bell::new(memory, reader),
            owner,
        })
    }

    /// Whether something waits for which there is room now.
    pub(super) fn is_unstuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed) && lock(&self.out).writer.has_room()
    }

    /// Whether the owner has something to do here.
    pub(super) fn needs_owner(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst) || self.is_unstuck()
    }

    /// An error when the child says that it has read what cannot be: nothing will arrive there any more.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::SeqCst) { Err(super::stream::broken()) } else { Ok(()) }
    }

    /// Takes frames, to be sent in the order in which they come.
    pub(super) fn put_all(&self, frames: &mut dyn Iterator<Item = Frame>) {
        let (mut is_broken, mut waits) = (false, false);
        let mut out = lock(&self.out);
        for frame in frames {
            let mut written = 0;
            let mut whole = Ok(false);
            if out.waiting.is_empty() {
                whole = out.writer.write(&frame, &mut written, || self.reader.ring());
            }
            if matches!(whole, Ok(true)) {
                codec::put_aside(frame.body);
            } else {
                out.waiting.push_back((frame, written));
                self.set_stuck(&out, true);
                waits = true;
            }
            is_broken |= whole.is_err();
        }
        drop(out);
        if waits {
            // The child may have made room before it was said that somebody waits for that.
            self.owner.ring();
        }
        self.written(is_broken);
    }

    /// Takes one.
    pub(super) fn put(&self, frame: Frame) {
        self.put_all(&mut std::iter::once(frame));
    }

    /// Sends more of what waits, if there is room for it.
    pub(super) fn push(&self) {
        if !self.is_stuck.load(Ordering::Relaxed) {
            return;
        }
        let mut out = lock(&self.out);
        let mut is_broken = false;
        while let Some((first, mut written)) = out.waiting.pop_front() {
            let whole = out.writer.write(&first, &mut written, || self.reader.ring());
            if matches!(whole, Ok(true)) {
                codec::put_aside(first.body);
            } else {
                is_broken = whole.is_err();
                out.waiting.push_front((first, written));
                break;
            }
        }
        self.set_stuck(&out, !out.waiting.is_empty());
        drop(out);
        self.written(is_broken);
    }

    /// The child is told as well: it wakes nobody for room that nobody waits for.
    fn set_stuck(&self, out: &Out, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
        out.writer.set_waits(is_stuck);
    }

    fn written(&self, is_broken: bool) {
        if is_broken {
            self.is_broken.store(true, Ordering::SeqCst);
            self.owner.ring();
        }
        self.reader.ring();
    }
}

impl Calls for Arc<Outflow> {
    fn send_all(&self, frames: &mut dyn Iterator<Item = Frame>) {
        self.put_all(frames);
    }

    fn is_flowing(&self) -> bool {
        !self.is_stuck.load(Ordering::Relaxed)
    }

    fn flow(&self) {
        self.push();
    }
}

impl Outlet for Arc<Outflow> {
    fn say(&self, frame: Frame) {
        self.put(frame);
    }
}
