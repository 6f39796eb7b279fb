//! Sleeping until another process, or another thread, has something to say.
//!
//! Who sleeps says so first and then looks once more; who has something to say makes it visible first and then looks whether
//! somebody sleeps. So no word is lost, and while nobody sleeps saying something costs no system call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use concurry_core::clock;
use concurry_core::spin::Spin;
use rustix::io::Errno;
use rustix::thread::futex::{self, Timespec};

use crate::process::memory::Memory;

/// Nobody is to be woken.
const AWAKE: u32 = 0;
/// Somebody is.
const ASLEEP: u32 = 1;
/// Somebody is, for whom others have read of late.
const READ_FOR: u32 = 2;

/// One sleeper's bell, in memory that both sides share.
#[derive(Clone)]
pub(super) struct Bell {
    memory: Arc<Memory>,
    at: usize,
}

impl Bell {
    /// The bell at this offset, which takes eight bytes.
    pub(super) fn new(memory: &Arc<Memory>, at: usize) -> Self {
        Self { memory: Arc::clone(memory), at }
    }

    /// Counts the times that it was rung.
    pub(super) fn count(&self) -> &AtomicU32 {
        self.memory.half(self.at)
    }

    fn sleeps(&self) -> &AtomicU32 {
        self.memory.half(self.at + 4)
    }

    /// Wakes the sleeper, if there is one. What it is to see was written before.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.is_armed() && self.sleeps().swap(AWAKE, Ordering::SeqCst) != AWAKE {
            self.force();
        }
    }

    /// The same, unless somebody is likely to read it for the sleeper: whether that is so, and whoever rings is to look for it.
    pub(super) fn ring_unless_read(&self) -> bool {
        fence(Ordering::SeqCst);
        let is_likely = self.sleeps().load(Ordering::Relaxed) == READ_FOR;
        if !is_likely {
            self.ring();
        }
        is_likely
    }

    /// Whether the sleeper is to be woken by what is said.
    pub(super) fn is_armed(&self) -> bool {
        self.sleeps().load(Ordering::Relaxed) != AWAKE
    }

    /// Has the sleeper woken by what is said from now on; what was said before must be looked for after this.
    pub(super) fn arm(&self) {
        self.arm_as(ASLEEP);
    }

    /// The same, where somebody is likely to read for the sleeper again.
    pub(super) fn arm_as_read_for(&self) {
        self.arm_as(READ_FOR);
    }

    fn arm_as(&self, how: u32) {
        self.sleeps().store(how, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Somebody looks, so that nobody needs to be woken.
    pub(super) fn disarm(&self) {
        self.sleeps().store(AWAKE, Ordering::SeqCst);
    }

    /// Sleeps, unless it was rung since `count` was read.
    pub(super) fn sleep_since(&self, count: u32) -> io::Result<()> {
        self.sleep_for(count, None)
    }

    /// The same, for so long at most.
    pub(super) fn sleep_for(&self, count: u32, time: Option<Duration>) -> io::Result<()> {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        match futex::wait(self.count(), futex::Flags::empty(), count, time.as_ref()) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes the sleeper, whatever it has said: the one who was to wake it may have died just before.
    pub(super) fn force(&self) {
        self.count().fetch_add(1, Ordering::SeqCst);
        let woken = futex::wake(self.count(), futex::Flags::empty(), 1);
        debug_assert!(woken.is_ok(), "the word is mapped");
    }

    /// Returns when `is_ready` says true: at once, after a little spinning, or after having slept.
    pub(super) fn wait(&self, spin: &mut Spin, mut is_ready: impl FnMut() -> bool) -> io::Result<()> {
        if is_ready() {
            return Ok(());
        }
        let clock = clock::system();
        let start = clock.now();
        if spin.until(&*clock, start, &mut is_ready) {
            return Ok(());
        }
        loop {
            let count = self.count().load(Ordering::SeqCst);
            self.arm();
            if is_ready() {
                self.disarm();
                break;
            }
            self.sleep_since(count)?;
            if is_ready() {
                break;
            }
        }
        spin.waited(clock.now() - start);
        Ok(())
    }
}
