//! How many calls a child may have at hand: one to begin with, and more as long as calls are short.
//!
//! What is sent ahead waits for what runs. So it pays where a call takes less time than it takes to send one, and costs where
//! calls take long; and when one takes long that was thought to be short, what waits behind it is put back after a while
//! (`patience`).

use std::time::Duration;

use concurry_core::clock::Timestamp;

/// The most calls that a child has at hand.
const MOST: usize = 256;
/// The most bytes of arguments that a child has at hand, unless it is those of one call.
const MOST_BYTES: usize = 8 << 20;
/// A call that takes no longer is short.
const SHORT: Duration = Duration::from_micros(100);

/// How many calls a child may have at hand.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    /// Since when the child has had something to do, or has been working on what it has not answered.
    since: Timestamp,
}

impl Window {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { size: 1, since: now }
    }

    /// For how many more there is room beside `calls` of `bytes`.
    pub(super) fn room(&self, calls: usize, bytes: usize) -> usize {
        if bytes >= MOST_BYTES { 0 } else { self.size.saturating_sub(calls) }
    }

    /// The child has something to do from now on.
    pub(super) fn begins(&mut self, now: Timestamp) {
        self.since = now;
    }

    /// It has answered so many calls.
    pub(super) fn answered(&mut self, calls: u32, now: Timestamp) {
        let each = (now - self.since) / calls.max(1);
        self.since = now;
        self.size = if each <= SHORT { (self.size * 2).min(MOST) } else { (self.size / 2).max(1) };
    }

    /// A call takes long.
    pub(super) fn shrinks(&mut self) {
        self.size = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_calls_are_short_and_shrinks_when_they_are_not() {
        let mut now = Timestamp::from_nanos(0);
        let mut window = Window::new(now);
        assert_eq!(window.room(0, 0), 1, "nothing is known at first");
        for _ in 0..20 {
            now = now + SHORT;
            window.answered(1, now);
        }
        assert_eq!((window.room(3, 0), window.room(1, MOST_BYTES)), (MOST - 3, 0));
        now = now + SHORT * 8;
        window.answered(8, now);
        assert_eq!(window.room(0, 0), MOST, "they are short each");
        now = now + SHORT * 17;
        window.answered(8, now);
        assert_eq!(window.room(0, 0), MOST / 2);
        window.shrinks();
        assert_eq!((window.room(0, 0), window.room(1, 0)), (1, 0));
    }

    #[test]
    fn idle_time_is_no_time_of_a_call() {
        let mut window = Window::new(Timestamp::from_nanos(0));
        let later = Timestamp::from_nanos(10_000_000_000);
        window.begins(later);
        window.answered(1, later + SHORT);
        assert_eq!(window.room(0, 0), 2);
    }
}
