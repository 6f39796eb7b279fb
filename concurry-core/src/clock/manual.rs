//! A clock that is moved by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::timer::{TimerList, WakeGuard};
use super::{Clock, Timestamp};
use crate::park::{nap, thread_waker};
use crate::sync::lock;

/// A clock that stands still until [`advance`](Self::advance) moves it: time-dependent code is tested without sleeping.
///
/// Clones are the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_core::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let sleeper = std::thread::spawn({
///     let clock = clock.clone();
///     move || {
///         let noon = clock.now() + Duration::from_secs(3600);
///         while clock.now() < noon { clock.park_until(Some(noon)); }
///     }
/// });
/// clock.wait_for_sleepers(1);              // no race: the sleeper sleeps now
/// clock.advance(Duration::from_secs(3600));
/// sleeper.join().unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    now: AtomicU64,
    timer: Arc<TimerList>,
    arrivals: Mutex<()>,
    arrived: Condvar,
}

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves time forward and wakes what is due, in order of time. Returns when every waker was woken; what they wake
    /// may still be on its way.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // In one step: what two threads add at once is added twice. The closure always has a value.
        let later = |now: u64| Some(now.saturating_add(by));
        self.shared.now.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap_or_default();
        self.shared.timer.fire(self.now());
    }

    /// Moves time forward to `to`; does nothing when `to` has passed.
    pub fn advance_to(&self, to: Timestamp) {
        self.shared.now.fetch_max(to.as_nanos(), Ordering::SeqCst);
        self.shared.timer.fire(self.now());
    }

    /// Blocks until at least `count` requests wait for an instant of this clock.
    pub fn wait_for_sleepers(&self, count: usize) {
        let mut guard = lock(&self.shared.arrivals);
        while self.shared.timer.len() < count {
            guard = self.shared.arrived.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The earliest instant that anything waits for.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.shared.timer.earliest()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.shared.now.load(Ordering::SeqCst))
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> WakeGuard {
        let (guard, _) = self.shared.timer.insert(at, waker);
        drop(lock(&self.shared.arrivals));
        self.shared.arrived.notify_all();
        if at <= self.now() {
            self.shared.timer.fire(self.now());
        }
        guard
    }

    fn park_until(&self, at: Option<Timestamp>) {
        match at {
            None => nap(&std::thread::park),
            Some(at) if at <= self.now() => {}
            Some(at) => {
                let guard = self.wake_at(at, thread_waker());
                nap(&std::thread::park);
                drop(guard);
            }
        }
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }
}
