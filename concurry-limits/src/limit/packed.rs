//! [`PackedState`]: a state in two numbers, for limits that rest.

use std::num::NonZeroU64;

use concurry_core::clock::Timestamp;

/// A [`LimitState`](crate::LimitState) in two numbers: when the limit is full again if nobody takes anything, and an amount
/// whose meaning is the state's own.
///
/// [`KeyedLimits`](crate::KeyedLimits) keeps the states of keys that rest in this form, and forgets a key once all of its
/// limits are full again. Two words, one of which is never 0: an enum around it costs nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_core::clock::Timestamp;
/// use concurry_limits::{Limit, RateLimit, RateLimitAlgorithm, Window};
///
/// let start = Timestamp::default();
/// let tokens = RateLimit::new("tokens", 10, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
/// let mut state = tokens.state(start);
/// state.take(5, start);
/// let packed = state.pack(start).expect("half a second from full");
/// assert_eq!(packed.full_at(), start + Duration::from_millis(500));
///
/// let mut again = tokens.state(start);
/// again.unpack(packed, start);
/// assert_eq!(again.in_use(start), 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedState {
    /// Nanoseconds of the instant, and one more.
    full_at: NonZeroU64,
    amount: u64,
}

impl PackedState {
    /// Full again at `full_at`, at which everything that `amount` tells has ceased to matter. `None` for an instant that
    /// never comes ([`Timestamp::MAX`]).
    pub fn new(full_at: Timestamp, amount: u64) -> Option<Self> {
        let full_at = NonZeroU64::new(full_at.as_nanos().checked_add(1)?)?;
        Some(Self { full_at, amount })
    }

    /// Nothing is taken, and nothing is remembered.
    pub const fn full() -> Self {
        Self { full_at: NonZeroU64::MIN, amount: 0 }
    }

    /// The instant from which the state is as good as new.
    pub const fn full_at(self) -> Timestamp {
        Timestamp::from_nanos(self.full_at.get() - 1)
    }

    /// What the state has put there.
    pub const fn amount(self) -> u64 {
        self.amount
    }
}
