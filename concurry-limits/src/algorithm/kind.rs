//! What counts by each [`RateLimitAlgorithm`].

use concurry_core::algorithm::RateLimitAlgorithm;
use concurry_core::clock::Timestamp;
use concurry_core::config::LimitsConfig;

use super::fixed_window::FixedWindow;
use super::gcra::Gcra;
use super::leaky_bucket::LeakyBucket;
use super::sliding_window::SlidingWindow;
use super::token_bucket::TokenBucket;
use crate::{LimitState, Window};

/// A state of this algorithm with nothing taken.
pub(crate) fn state(
    algorithm: RateLimitAlgorithm,
    capacity: u64,
    window: Window,
    now: Timestamp,
) -> Box<dyn LimitState> {
    let window = window.nanos();
    match algorithm {
        RateLimitAlgorithm::TokenBucket => Box::new(TokenBucket::new(capacity, window, now)),
        RateLimitAlgorithm::LeakyBucket => Box::new(LeakyBucket::new(capacity, window, now)),
        RateLimitAlgorithm::FixedWindow => Box::new(FixedWindow::new(capacity, window)),
        RateLimitAlgorithm::Gcra => Box::new(Gcra::new(capacity, window, now)),
        // `SlidingWindow`; no other has a name.
        _ => Box::new(SlidingWindow::new(capacity, window)),
    }
}

/// The algorithm of a limit that names none: the configuration's.
pub(crate) fn by_default() -> RateLimitAlgorithm {
    LimitsConfig::current().algorithm.unwrap_or_default()
}
