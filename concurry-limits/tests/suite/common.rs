//! A clock that is moved by hand, futures that are polled by hand, and threads that are waited for without sleeping.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use concurry_core::clock::ManualClock;
use concurry_limits::{Acquire, Limit, LimitError, LimitSet, LimitSetAcquisition, LimitSetBuilder};

pub(crate) type Outcome = Result<LimitSetAcquisition, LimitError>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const NANO: Duration = Duration::from_nanos(1);

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A nanosecond less.
pub(crate) fn just_before(time: Duration) -> Duration {
    time.saturating_sub(NANO)
}

/// A builder on `clock`.
pub(crate) fn on(clock: &ManualClock) -> LimitSetBuilder {
    LimitSet::builder().clock(Arc::new(clock.clone()))
}

/// A set of one limit on a clock of its own.
pub(crate) fn alone(limit: impl Limit + 'static) -> (ManualClock, LimitSet) {
    let clock = ManualClock::new();
    let set = on(&clock).limit(limit).build().expect("a valid limit");
    (clock, set)
}

/// Returns once `count` requests wait for the limit.
pub(crate) fn wait_for_waiters(set: &LimitSet, key: &str, count: usize) {
    while waiters(set, key) != count {
        std::thread::yield_now();
    }
}

pub(crate) fn waiters(set: &LimitSet, key: &str) -> usize {
    set.stats().limit(key).expect("a known key").waiting
}

pub(crate) fn in_use(set: &LimitSet, key: &str) -> u64 {
    set.stats().limit(key).expect("a known key").in_use
}

/// A thread that acquires, and returns what it got.
pub(crate) fn acquiring(set: &LimitSet, key: &'static str, amount: u64) -> JoinHandle<Outcome> {
    let set = set.clone();
    std::thread::spawn(move || set.acquire([(key, amount)]))
}

/// A future that is polled by hand and counts its wakes.
pub(crate) struct Task {
    future: Acquire,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    pub(crate) fn new(future: Acquire) -> Self {
        Self { future, wakes: Arc::default() }
    }

    /// A future that has been polled once and waits.
    pub(crate) fn waiting(future: Acquire) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_none(), "it should have to wait");
        task
    }

    pub(crate) fn poll(&mut self) -> Option<Outcome> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }

    /// What it was woken for.
    pub(crate) fn woken(&mut self) -> Outcome {
        assert_ne!(self.wakes(), 0, "it should have been woken");
        self.poll().expect("it was woken for an outcome")
    }
}
