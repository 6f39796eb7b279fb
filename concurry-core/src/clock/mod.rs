//! Monotonic time as an argument.
//!
//! Nothing in concurry reads a clock or sleeps but through a [`Clock`]. So every decision that depends on time can be
//! tested on a [`ManualClock`], to the nanosecond and without waiting, and a wall clock that steps changes nothing.
//!
//! * [`Timestamp`]: nanoseconds since the origin of a clock.
//! * [`Clock`]: what a source of time must do; [`Clock::wake_at`] is the only way to wait for an instant.
//! * [`SystemClock`]: the machine's monotonic clock, carried on by the processor's counter.
//! * [`ManualClock`]: stands still until it is told to advance.
//! * `counter`: the processor's counter, by which a reading of the system's clock is carried on.
//! * `exact`: how exactly a thread sleeps.
//! * `timer`: the ordered list of wakers that both clocks share.

mod counter;
mod exact;
mod manual;
mod system;
mod timer;
mod timestamp;

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

pub use manual::ManualClock;
pub use system::SystemClock;
pub use timer::WakeGuard;
pub use timestamp::Timestamp;

/// A source of monotonic time that can also wake.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_core::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now() - before, Duration::from_secs(60));
/// ```
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. Never less than an earlier answer that this thread saw.
    fn now(&self) -> Timestamp;

    /// Wakes `waker` once, at `at` or as soon after it as the machine can; at once when `at` has passed.
    /// Dropping the guard takes the request back.
    fn wake_at(&self, at: Timestamp, waker: Waker) -> WakeGuard;

    /// Parks this thread until it is unparked or `at` is reached; may return early, like
    /// [`std::thread::park`]. `None` waits for an unpark alone.
    fn park_until(&self, at: Option<Timestamp>);

    /// What tells this source of time from others: instants of two clocks can be compared where this is equal. The default
    /// is that each clock has a time of its own.
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>().addr()
    }
}

/// The clock that everything uses unless told otherwise: one [`SystemClock`] for the whole process.
///
/// # Examples
///
/// ```
/// let clock = concurry_core::clock::system();
/// assert!(clock.now() <= clock.now());
/// ```
pub fn system() -> Arc<dyn Clock> {
    SystemClock::shared()
}
