//! A child's end of what its pool says beside calls: grants, other answers about limits, and cancellations.
//!
//! Who waits for an answer reads it: one thread at a time has the *turn*, and looks for a while. When nobody looks, a thread
//! of the child's own that sleeps is woken by what comes, and reads it for whoever waits. It sleeps on while others
//! look: the bell says whether it is to be woken, and whoever has the turn sets that.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use concurry_core::clock;
use concurry_core::spin::Spin;
use concurry_core::sync::lock;

use super::bell::Bell;
use super::stream::{Place, Reader};
use crate::process::frame::Frame;
use crate::process::memory::Memory;

/// The child's end.
pub(in crate::process) struct Aside {
    turn: Mutex<Turn>,
    /// Where the thread sleeps that reads when nobody looks.
    listener: Bell,
}

/// What the one who reads has.
struct Turn {
    reader: Reader,
    /// The pool, when it waits for room.
    owner: Bell,
    spin: Spin,
}

impl Turn {
    /// Reads what is there; whether there was a frame.
    fn read(&mut self, take: &mut dyn FnMut(Frame)) -> io::Result<bool> {
        let mut has_read = false;
        while self.reader.has_more() {
            let frame = self.reader.read()?;
            if self.reader.publish() && self.reader.is_waited_for() {
                self.owner.ring();
            }
            if let Some(frame) = frame {
                has_read = true;
                take(frame);
            }
        }
        Ok(has_read)
    }

    /// Reads what is there, and has the listener woken by what comes from now on.
    fn end(&mut self, listener: &Bell, take: &mut dyn FnMut(Frame)) -> io::Result<()> {
        listener.arm();
        // What came just before has woken nobody.
        self.read(take).map(|_| ())
    }
}

impl Aside {
    pub(super) fn new(memory: &Arc<Memory>, place: Place, listener: usize, owner: Bell) -> Self {
        let turn = Turn { reader: Reader::new(memory, place), owner, spin: Spin::new() };
        Self { turn: Mutex::new(turn), listener: Bell::new(memory, listener) }
    }

    /// Gives `take` what comes next, if it comes soon; does nothing when somebody else reads.
    pub(in crate::process) fn look(&self, take: &mut dyn FnMut(Frame)) -> io::Result<()> {
        let mut turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        self.listener.disarm();
        let clock = clock::system();
        let start = clock.now();
        while !turn.read(take)? {
            let Turn { reader, spin, .. } = &mut *turn;
            if !spin.until(&*clock, start, || reader.has_more()) {
                // Unless the wait turns out to be a short one, the next look is shorter.
                spin.waited(Duration::MAX);
                break;
            }
        }
        turn.end(&self.listener, take)
    }

    /// After a look in vain it took so long until what was looked for came.
    pub(in crate::process) fn waited(&self, time: Duration) {
        // Who has the turn learns by itself.
        if let Ok(mut turn) = self.turn.try_lock() {
            turn.spin.waited(time);
        }
    }

    /// Gives `take` what is there. The number that is returned is for [`Aside::sleep`].
    pub(in crate::process) fn listen(&self, take: &mut dyn FnMut(Frame)) -> io::Result<u32> {
        let count = self.listener.count().load(Ordering::SeqCst);
        lock(&self.turn).end(&self.listener, take)?;
        Ok(count)
    }

    /// Sleeps until something comes while nobody looks; for one thread alone.
    pub(in crate::process) fn sleep(&self, count: u32) -> io::Result<()> {
        self.listener.sleep_since(count)
    }
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
