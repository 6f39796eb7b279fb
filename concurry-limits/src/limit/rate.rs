//! [`RateLimit`].

use concurry_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::definition::validate_common;
use super::{Limit, LimitState, Overrun, UsageRule};
use crate::algorithm::by_default;
use crate::{LimitSetError, RateLimitAlgorithm, Window};

/// At most `capacity` a `window`, counted by an algorithm.
///
/// Each request must name its amount, and each acquisition must tell the real usage; what was not used is refunded where
/// the [algorithm](RateLimitAlgorithm) can. A fractional unit is a scaled whole one, say thousandths.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, RateLimit, RateLimitAlgorithm, Window};
///
/// let tokens = RateLimit::new("tokens", 10_000, Window::MINUTE).algorithm(RateLimitAlgorithm::TokenBucket);
/// let set = LimitSet::builder().limit(tokens).build()?;
/// let mut acquired = set.acquire([("tokens", 500)])?;
/// acquired.update([("tokens", 320)])?;
/// acquired.release()?; // 180 are refunded
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    key: String,
    #[serde(deserialize_with = "super::capacity::deserialize")]
    capacity: u64,
    window: Window,
    #[serde(default = "by_default")]
    algorithm: RateLimitAlgorithm,
    #[serde(default)]
    overrun: Overrun,
}

impl RateLimit {
    /// At most `capacity` a `window`, counted by [`RateLimitAlgorithm::SlidingWindow`] if the
    /// [configuration](concurry_core::config::LimitsConfig) names no other.
    pub fn new(key: impl Into<String>, capacity: u64, window: impl Into<Window>) -> Self {
        Self {
            key: key.into(),
            capacity,
            window: window.into(),
            algorithm: by_default(),
            overrun: Overrun::default(),
        }
    }

    /// Counts by `algorithm`.
    pub fn algorithm(mut self, algorithm: RateLimitAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What happens when more was used than was acquired; default [`Overrun::Refuse`].
    pub fn overrun(mut self, overrun: Overrun) -> Self {
        self.overrun = overrun;
        self
    }

    /// The span of time that is counted over.
    pub fn window(&self) -> Window {
        self.window
    }
}

/// What every limit with a window must have.
pub(super) fn validate_window(key: &str, capacity: u64, window: Window) -> Result<(), LimitSetError> {
    validate_common(key, capacity)?;
    if window.is_valid() { Ok(()) } else { Err(LimitSetError::BadWindow { key: key.to_owned(), window }) }
}

#[typetag::serde]
impl Limit for RateLimit {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn default_amount(&self) -> Option<u64> {
        None
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Reported(self.overrun)
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        validate_window(&self.key, self.capacity, self.window)
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        crate::algorithm::state(self.algorithm, self.capacity, self.window, now)
    }
}
