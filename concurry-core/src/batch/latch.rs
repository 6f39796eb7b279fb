//! Counts completions down and wakes the one who waits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::progress::Reporter;
use crate::call::Watch;
use crate::sync::lock;

/// No call has failed yet.
const NONE: usize = usize::MAX;

/// Hung on each call of a batch.
pub(super) struct Latch {
    remaining: AtomicUsize,
    first_failed: AtomicUsize,
    failed: AtomicUsize,
    total: usize,
    waker: Mutex<Option<Waker>>,
    reporter: Option<Reporter>,
}

impl Latch {
    pub(super) fn new(total: usize, reporter: Option<Reporter>) -> Self {
        Self {
            remaining: AtomicUsize::new(total),
            first_failed: AtomicUsize::new(NONE),
            failed: AtomicUsize::new(0),
            total,
            waker: Mutex::new(None),
            reporter,
        }
    }

    /// Ready when all calls are done, or, if `stop_at_failure`, when one has failed: its index then.
    pub(super) fn poll(&self, context: &Context<'_>, stop_at_failure: bool) -> Poll<Option<usize>> {
        *lock(&self.waker) = Some(context.waker().clone());
        let failed = self.first_failed.load(Ordering::SeqCst);
        if stop_at_failure && failed != NONE {
            return Poll::Ready(Some(failed));
        }
        if self.remaining.load(Ordering::SeqCst) == 0 { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Ends the report, whatever came of the batch.
    pub(super) fn finish(&self) {
        if let Some(reporter) = &self.reporter {
            reporter.finish();
        }
    }
}

impl Watch for Latch {
    fn done(&self, index: usize, failed: bool) {
        let mut wake = false;
        let failures = if failed {
            let first = self.first_failed.compare_exchange(NONE, index, Ordering::SeqCst, Ordering::SeqCst);
            wake = first.is_ok();
            self.failed.fetch_add(1, Ordering::SeqCst) + 1
        } else {
            self.failed.load(Ordering::Relaxed)
        };
        let remaining = self.remaining.fetch_sub(1, Ordering::SeqCst) - 1;
        if let Some(reporter) = &self.reporter {
            reporter.report(self.total - remaining, failures);
        }
        if remaining == 0 || wake {
            let waker = lock(&self.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
