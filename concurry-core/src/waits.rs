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

/// Runs what waits for others than the call that this thread runs; its waits, which do not count here.
pub fn apart<R>(body: impl FnOnce() -> R) -> (R, Duration) {
    /// What counts here, also when the body panics.
    struct Before(Duration);
    impl Drop for Before {
        fn drop(&mut self) {
            take();
            add(self.0);
        }
    }
    let _before = Before(take());
    let result = body();
    (result, take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_others_count_for_them_alone() {
        let time = Duration::from_secs;
        add(time(1));
        let ((), waited) = apart(|| {
            add(time(2));
            assert_eq!(apart(|| add(time(3))).1, time(3));
            add(time(4));
        });
        assert_eq!(waited, time(6));
        let panicked = std::panic::catch_unwind(|| {
            apart(|| {
                add(time(5));
                panic!("on purpose")
            })
        });
        assert!(panicked.is_err());
        assert_eq!(take(), time(1));
    }
}
