//! How soon a worker looks for calls again, where they come in a stream.
//!
//! Each time that a worker looks, the memory in which callers put their calls goes to its processor and back: that takes longer
//! than to put a call down. A worker that has caught up with its callers would do that for each call. So it lets a few calls come
//! together first: the more it found the last time, the longer, and never for long. After a call that came alone it does not wait.

use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::spin;

/// For each call that was found: a part of what a short one takes.
const EACH: Duration = Duration::from_nanos(50);
/// The longest wait: a fraction of what it takes to be woken.
const MOST: Duration = Duration::from_micros(3);

#[derive(Default)]
pub(super) struct Pace {
    /// How many calls the worker has run since it looked.
    ran: u32,
}

impl Pace {
    #[inline]
    pub(super) fn ran(&mut self) {
        self.ran = self.ran.saturating_add(1);
    }

    /// The worker looks next, or sleeps where there is nothing.
    fn looks(&mut self, is_something: bool) -> Duration {
        let ran = std::mem::take(&mut self.ran);
        if ran < 2 || !is_something { Duration::ZERO } else { (EACH * ran).min(MOST) }
    }

    /// Waits until it is time to look, from `now` on; not if there is nothing, and the worker is about to sleep.
    pub(super) fn wait(&mut self, is_something: bool, clock: &dyn Clock, now: Timestamp) {
        let wait = self.looks(is_something);
        // On one processor alone nothing comes meanwhile.
        if wait.is_zero() || spin::is_alone() {
            return;
        }
        let end = now + wait;
        while clock.now() < end {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_after(ran: u32) -> Duration {
        let mut pace = Pace::default();
        (0..ran).for_each(|_| pace.ran());
        let wait = pace.looks(true);
        assert_eq!(pace.looks(true), Duration::ZERO, "what was waited for is not waited for again");
        (0..ran).for_each(|_| pace.ran());
        assert_eq!([pace.looks(false), pace.looks(true)], [Duration::ZERO; 2], "who sleeps begins anew");
        wait
    }

    #[test]
    fn calls_that_come_alone_are_not_waited_for_and_many_not_for_long() {
        assert_eq!([wait_after(0), wait_after(1)], [Duration::ZERO; 2]);
        assert_eq!([wait_after(2), wait_after(20)], [EACH * 2, EACH * 20]);
        assert_eq!([wait_after(1_000), Pace { ran: u32::MAX }.looks(true)], [MOST; 2]);
    }
}
