//! [`CallLimit`].

use concurry_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::rate::validate_window;
use super::{Limit, LimitState, UsageRule};
use crate::algorithm::by_default;
use crate::{LimitSetError, RateLimitAlgorithm, Window};

/// At most `capacity` calls a `window`; its key is [`CallLimit::KEY`].
///
/// Every acquire takes one without naming it, and then nothing need be told. A request may name more, and then its usage
/// must be told.
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, LimitSet, Window};
///
/// let set = LimitSet::builder().limit(CallLimit::new(500, Window::MINUTE)).build()?;
/// set.acquire(())?.release()?; // one call
/// let mut batch = set.acquire([("call_count", 20)])?;
/// batch.update([("call_count", 17)])?;
/// batch.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallLimit {
    #[serde(deserialize_with = "super::capacity::deserialize")]
    capacity: u64,
    window: Window,
    #[serde(default = "by_default")]
    algorithm: RateLimitAlgorithm,
}

impl CallLimit {
    /// The key of every call limit.
    pub const KEY: &'static str = "call_count";

    /// At most `capacity` calls a `window`, counted by [`RateLimitAlgorithm::SlidingWindow`] if the
    /// [configuration](concurry_core::config::LimitsConfig) names no other.
    pub fn new(capacity: u64, window: impl Into<Window>) -> Self {
        Self { capacity, window: window.into(), algorithm: by_default() }
    }

    /// Counts by `algorithm`.
    pub fn algorithm(mut self, algorithm: RateLimitAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The span of time that is counted over.
    pub fn window(&self) -> Window {
        self.window
    }
}

#[typetag::serde]
impl Limit for CallLimit {
    fn key(&self) -> &str {
        Self::KEY
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Counted
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        validate_window(Self::KEY, self.capacity, self.window)
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        crate::algorithm::state(self.algorithm, self.capacity, self.window, now)
    }
}
