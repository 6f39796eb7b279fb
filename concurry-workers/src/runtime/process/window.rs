//! How many calls a child may have at hand: one to begin with, and more as long as calls are short.
//!
//! What is sent ahead waits for what runs. So it pays where a call takes less time than it takes to send one, which goes by what it
//! and its answer carry, and costs where calls take long; and when one takes long that was thought to be short, what waits behind it
//! is put back after a while (`patience`).

use std::time::Duration;

use concurry_core::clock::Timestamp;

/// The most calls that a child has at hand.
const MOST: usize = 256;
/// The most bytes of arguments that a child has at hand, unless it is those of one call.
const MOST_BYTES: usize = 8 << 20;
/// A call that takes no longer is short, beside the way of what it carries.
const SHORT: Duration = Duration::from_micros(100);
/// So many bytes a microsecond are on their way at least, from where they are to where they are used: less than any machine does.
const BYTES: u64 = 2_000;
/// The most calls that a child has at hand which take long by what they carry.
const MOST_CARRYING: usize = 8;
/// No way counts for more: what stands behind a call for a millisecond is put back, and was sent in vain.
const MOST_WAY: Duration = Duration::from_micros(400);

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

    /// It has answered so many calls, which with their answers carried so many bytes. One behind the other, the next is on its way
    /// while one runs.
    pub(super) fn answered(&mut self, calls: u32, bytes: usize, now: Timestamp) {
        let calls = calls.max(1);
        let each = (now - self.since) / calls;
        self.since = now;
        let way = Duration::from_micros(bytes as u64 / u64::from(calls) / BYTES).min(MOST_WAY);
        self.size = match each {
            _ if each <= SHORT => (self.size * 2).min(MOST),
            _ if each <= SHORT + way => (self.size * 2).min(MOST_CARRYING).max(self.size / 2),
            _ => (self.size / 2).max(1),
        };
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
            window.answered(1, 0, now);
        }
        assert_eq!((window.room(3, 0), window.room(1, MOST_BYTES)), (MOST - 3, 0));
        now = now + SHORT * 8;
        window.answered(8, 0, now);
        assert_eq!(window.room(0, 0), MOST, "they are short each");
        now = now + SHORT * 17;
        window.answered(8, 0, now);
        assert_eq!(window.room(0, 0), MOST / 2);
        window.shrinks();
        assert_eq!((window.room(0, 0), window.room(1, 0)), (1, 0));
    }

    #[test]
    fn idle_time_is_no_time_of_a_call() {
        let mut window = Window::new(Timestamp::from_nanos(0));
        let later = Timestamp::from_nanos(10_000_000_000);
        window.begins(later);
        window.answered(1, 0, later + SHORT);
        assert_eq!(window.room(0, 0), 2);
    }

    #[test]
    fn the_way_of_what_a_call_carries_is_no_time_of_the_call() {
        let start = Timestamp::from_nanos(0);
        let after = |calls, bytes, time| {
            let mut window = Window::new(start);
            window.answered(calls, bytes, start + time);
            window.room(0, 0)
        };
        let micros = Duration::from_micros;
        assert_eq!((after(1, 600_000, micros(400)), after(1, 600_000, micros(401))), (2, 1));
        assert_eq!((after(4, 2_400_000, micros(1_600)), after(4, 600_000, micros(1_600))), (2, 1), "of each");
        assert_eq!((after(1, 100 << 20, SHORT + MOST_WAY), after(1, 100 << 20, micros(501))), (2, 1));

        let mut window = Window::new(start);
        (1..20).for_each(|calls| window.answered(1, 1 << 20, start + micros(400) * calls));
        assert_eq!(
            window.room(0, 0),
            MOST_CARRYING,
            "all of them are at hand for no longer than many short ones"
        );
        let mut window = Window { size: MOST, since: start };
        window.answered(1, 20_000, start + micros(105));
        assert_eq!(window.room(0, 0), MOST / 2, "as many as if it had taken longer still");
    }
}
