//! Counts completions down and wakes the one who waits.

use std::task::{Context, Poll, Waker};

use super::progress::Reporter;
use super::waiter::Waiter;
use crate::call::{Awaited, Watch};
use crate::modelled::{AtomicUsize, Ordering};

/// No call has failed yet.
const NONE: usize = usize::MAX;

/// What a wait waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All calls are done.
    All,
    /// One has failed, or all are done.
    Failure,
    /// One is done, or there are none.
    First,
}

/// Hung on each call of a batch.
pub(super) struct Latch {
    until: Until,
    /// Whether the wait ends by itself in time.
    is_timed: bool,
    remaining: AtomicUsize,
    first_failed: AtomicUsize,
    total: usize,
    waiter: Waiter,
    reporter: Option<Reporter>,
}

impl Latch {
    pub(super) fn new(total: usize, (until, is_timed): (Until, bool), reporter: Option<Reporter>) -> Self {
        Self {
            until,
            is_timed,
            remaining: AtomicUsize::new(total),
            first_failed: AtomicUsize::new(NONE),
            total,
            waiter: Waiter::default(),
            reporter,
        }
    }

    /// Ready when what is waited for has come; the index of the first call that failed, when that is what ended the wait.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Option<usize>> {
        let seen = self.look();
        if seen.is_ready() {
            return seen;
        }
        self.waiter.register(context);
        self.look()
    }

    fn look(&self) -> Poll<Option<usize>> {
        let failed = self.first_failed.load(Ordering::SeqCst);
        if self.until == Until::Failure && failed != NONE {
            return Poll::Ready(Some(failed));
        }
        let remaining = self.remaining.load(Ordering::SeqCst);
        let one_is_done = self.until == Until::First && remaining < self.total;
        if remaining == 0 || one_is_done { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Nobody waits any more. Ends the report, whatever came of the batch.
    pub(super) fn finish(&self) {
        self.waiter.leave();
        if let Some(reporter) = &self.reporter {
            reporter.finish();
        }
    }
}

impl Watch for Latch {
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        if self.is_timed || !self.waiter.is(waker) {
            return Awaited::No;
        }
        match self.until {
            Until::All | Until::Failure => Awaited::Needed,
            Until::First => {
                let calls = self.remaining.load(Ordering::SeqCst);
                Awaited::OneOf { calls, wait: std::ptr::from_ref(self).addr() }
            }
        }
    }

    fn done(&self, index: usize, failed: bool) {
        // Before anything that ends the wait: who waits is told no more afterwards. It counts also when a report unwinds.
        let _counts = Counts { latch: self, index, failed };
        if let Some(reporter) = &self.reporter {
            reporter.report(failed);
        }
    }
}

/// A call that is done, which counts when this is dropped.
struct Counts<'a> {
    latch: &'a Latch,
    index: usize,
    failed: bool,
}

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.latch.count(self.index, self.failed);
    }
}

impl Latch {
    /// One more call is done.
    fn count(&self, index: usize, failed: bool) {
        let mut ends_wait = self.until == Until::First;
        if failed {
            let first = self.first_failed.compare_exchange(NONE, index, Ordering::SeqCst, Ordering::SeqCst);
            ends_wait |= first.is_ok() && self.until == Until::Failure;
        }
        let remaining = self.remaining.fetch_sub(1, Ordering::SeqCst) - 1;
        if remaining == 0 || ends_wait {
            self.waiter.wake();
        }
    }
}
