//! How exactly a thread sleeps.
//!
//! Linux lets a sleep end some fifty microseconds late, the *timer slack* of the thread, so that several sleepers can be woken
//! at once. Who sleeps to an instant at which a limit admits it gives that up for the time.

#[cfg(target_os = "linux")]
use std::num::NonZeroU64;

#[cfg(target_os = "linux")]
use rustix::thread::{current_timer_slack, set_current_timer_slack};

/// While it lives, what this thread sleeps ends as exactly as the machine can.
pub(super) struct Exact {
    #[cfg(target_os = "linux")]
    before: Option<NonZeroU64>,
}

impl Exact {
    pub(super) fn new() -> Self {
        Self {
            // Where that is not allowed, the thread sleeps as it did.
            #[cfg(target_os = "linux")]
            before: current_timer_slack()
                .ok()
                .filter(|_| set_current_timer_slack(Some(NonZeroU64::MIN)).is_ok())
                .and_then(NonZeroU64::new),
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Exact {
    fn drop(&mut self) {
        if self.before.is_some() {
            // It was allowed a moment ago.
            set_current_timer_slack(self.before).unwrap_or_default();
        }
    }
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn a_thread_has_its_own_slack_again_when_it_has_slept() {
        let own = NonZeroU64::new(30_000);
        set_current_timer_slack(own).unwrap();
        let inside = Exact::new();
        assert_eq!(current_timer_slack().unwrap(), 1);
        drop(inside);
        assert_eq!(current_timer_slack().ok(), own.map(NonZeroU64::get));
        let clock = SystemClock::shared();
        clock.park_until(Some(clock.now() + Duration::from_micros(50)));
        assert_eq!(current_timer_slack().ok(), own.map(NonZeroU64::get));
    }
}
