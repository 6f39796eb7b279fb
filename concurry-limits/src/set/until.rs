//! [`Until`].

use std::time::Duration;

use concurry_core::clock::Timestamp;

/// The end of a pause: after a time, or at an instant of the set's clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_limits::{CallLimit, LimitSet, Window};
///
/// let set = LimitSet::builder().limit(CallLimit::new(10, Window::SECOND)).build()?;
/// set.pause("call_count", Duration::from_secs(3))?;
/// assert!(set.try_acquire(()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So long from now.
    After(Duration),
    /// This instant; only the process that built the set has its clock.
    At(Timestamp),
}

impl Until {
    pub(super) fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(time) => now + time,
            Self::At(at) => at,
        }
    }
}

impl From<Duration> for Until {
    fn from(time: Duration) -> Self {
        Self::After(time)
    }
}

impl From<Timestamp> for Until {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}
