//! [`Timestamp`].

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: whole nanoseconds since the origin of its clock, up to 584 years.
///
/// Sums saturate, so that a wait of "forever" needs no special case. Only timestamps of one clock can be compared.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_core::clock::Timestamp;
///
/// let start = Timestamp::from_nanos(1_000);
/// assert_eq!((start + Duration::from_nanos(500)).as_nanos(), 1_500);
/// assert_eq!(start + Duration::MAX, Timestamp::MAX);
/// assert_eq!(start - Timestamp::from_nanos(2_000), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last instant; no wait reaches it.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant moved by `nanos` nanoseconds, at most to [`Timestamp::MAX`].
    pub fn saturating_add_nanos(self, nanos: u128) -> Self {
        Self(u64::try_from(nanos).map_or(u64::MAX, |nanos| self.0.saturating_add(nanos)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.saturating_add_nanos(duration.as_nanos())
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}
