//! Calls that run in their callers: how many there are, in one word, so that they need no lock of the queue.
//!
//! Promise: who counts as present is waited for, and nobody comes in after [`shut`](Presence::shut). Whoever leaves when it is
//! shut, or when somebody waits for the end of all, is told that there is something to be done.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Nobody comes in any more.
const SHUT: usize = 1;
/// Somebody waits until nobody is present.
const WATCHED: usize = 2;
/// What waits for its turn has none any more.
const STOPPED: usize = 4;
/// One that is present.
const ONE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Presence(AtomicUsize);

impl Presence {
    /// One comes in, if that may be.
    #[inline]
    pub(super) fn enters(&self) -> bool {
        self.0.fetch_add(ONE, Ordering::SeqCst) & SHUT == 0
    }

    /// One leaves, also one that was not let in; whether somebody is to be told.
    #[inline]
    pub(super) fn leaves(&self) -> bool {
        self.0.fetch_sub(ONE, Ordering::SeqCst) & (SHUT | WATCHED) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::SeqCst) < ONE
    }

    /// Nobody comes in any more.
    pub(super) fn shut(&self) {
        self.0.fetch_or(SHUT, Ordering::SeqCst);
    }

    /// Nobody comes in any more, and who is present and has not begun does not.
    pub(super) fn stop(&self) {
        self.0.fetch_or(SHUT | STOPPED, Ordering::SeqCst);
    }

    #[inline]
    pub(super) fn has_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STOPPED != 0
    }

    /// Whether nobody is present, nor will be.
    pub(super) fn has_ended(&self) -> bool {
        let word = self.0.load(Ordering::SeqCst);
        word & SHUT != 0 && word < ONE
    }

    /// Whether only one is present, and nobody will come.
    pub(super) fn is_last(&self) -> bool {
        let word = self.0.load(Ordering::SeqCst);
        word & SHUT != 0 && word < 2 * ONE
    }

    /// Somebody waits, or nobody does any more. To be called before it is looked whether all have left.
    pub(super) fn is_watched(&self, is_watched: bool) {
        if is_watched {
            self.0.fetch_or(WATCHED, Ordering::SeqCst);
        } else {
            self.0.fetch_and(!WATCHED, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_is_told_when_somebody_waits_or_it_is_shut() {
        let presence = Presence::default();
        assert!(presence.enters() && !presence.leaves());
        assert!(presence.enters() && !presence.is_empty());
        presence.is_watched(true);
        assert!(presence.leaves() && presence.is_empty());
        presence.is_watched(false);
        assert!(presence.enters() && !presence.leaves());
        assert!(presence.enters());
        assert!(!presence.is_last(), "others may come");
        presence.shut();
        assert!(!presence.has_ended() && presence.is_last() && !presence.enters());
        assert!(!presence.is_last());
        assert!(presence.leaves() && presence.leaves() && presence.has_ended());
    }
}
