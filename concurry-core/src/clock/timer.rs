//! The ordered list of wakers behind both clocks.
//!
//! A request costs O(log n) to add, to take back and to fire. Wakers run outside of the lock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::Timestamp;
use crate::panics::{contain, discard};
use crate::sync::lock;

/// Requests by instant; the second half of the key keeps requests for one instant apart and in order.
#[derive(Debug, Default)]
pub(super) struct TimerList {
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    next_id: u64,
    by_instant: BTreeMap<(Timestamp, u64), Waker>,
}

impl TimerList {
    /// Adds a request; the flag says whether it is now the earliest.
    pub(super) fn insert(self: &Arc<Self>, at: Timestamp, waker: Waker) -> (WakeGuard, bool) {
        let mut requests = lock(&self.requests);
        let key = (at, requests.next_id);
        requests.next_id += 1;
        let earliest = requests.by_instant.first_key_value().is_none_or(|(first, _)| key < *first);
        requests.by_instant.insert(key, waker);
        (WakeGuard { list: Arc::clone(self), key }, earliest)
    }

    /// Wakes everything that is due at `now`, in order.
    pub(super) fn fire(&self, now: Timestamp) {
        let due = {
            let mut requests = lock(&self.requests);
            let later = requests.by_instant.split_off(&(now, u64::MAX));
            std::mem::replace(&mut requests.by_instant, later)
        };
        // A foreign one may panic, which is no reason that nobody else is ever woken.
        for waker in due.into_values() {
            contain("a waker", || waker.wake());
        }
    }

    /// The earliest instant that anything waits for.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        lock(&self.requests).by_instant.first_key_value().map(|((at, _), _)| *at)
    }

    /// How many requests stand.
    pub(super) fn len(&self) -> usize {
        lock(&self.requests).by_instant.len()
    }
}

/// A standing request to [`Clock::wake_at`](super::Clock::wake_at); dropping it takes the request back.
#[must_use = "dropping the guard takes the request back"]
pub struct WakeGuard {
    list: Arc<TimerList>,
    key: (Timestamp, u64),
}

impl Drop for WakeGuard {
    fn drop(&mut self) {
        // Dropping a foreign waker may run anything, so not under the lock.
        let waker = lock(&self.list.requests).by_instant.remove(&self.key);
        waker.into_iter().for_each(discard);
    }
}

impl fmt::Debug for WakeGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WakeGuard").field(&self.key.0).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker, on purpose");
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        let (list, woken) = (Arc::new(TimerList::default()), Arc::new(Woken::default()));
        let _first = list.insert(Timestamp::from_nanos(1), Waker::from(Arc::new(Panics)));
        let _second = list.insert(Timestamp::from_nanos(2), Waker::from(Arc::clone(&woken)));
        list.fire(Timestamp::from_nanos(2));
        assert!(woken.0.load(Ordering::SeqCst));
    }
}
