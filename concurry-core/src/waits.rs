//! How long this thread has waited for limits: kept by those who wait, read by those who measure calls.
//!
//! Only waits count, so what is admitted at once pays nothing.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A wait of this long has ended on this thread.
pub fn add(wait: Duration) {
    // A thread that is being torn down runs nobody's call.
    WAITED.try_with(|waited| waited.set(waited.get().saturating_add(wait))).unwrap_or_default();
}

/// All waits on this thread since this was asked last.
pub fn take() -> Duration {
    WAITED.try_with(Cell::take).unwrap_or_default()
}
