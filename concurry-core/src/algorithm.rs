//! How a rate is counted: what can be asked for. Who counts are the limits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a rate is counted.
///
/// **What refunds:** a [`TokenBucket`](Self::TokenBucket) and a [`Gcra`](Self::Gcra) keep one level for all, so what is
/// given back after time has freed it already is freed twice. Who takes the whole capacity, holds it for a window, and then
/// tells that nothing of it was used, gives it back beside what time has brought: at one instant up to twice the capacity
/// may be admitted. So it is with what is undone, such as a grant whose future was dropped after it, of a
/// [`LeakyBucket`](Self::LeakyBucket) too. Where no instant may see more, take one of the windows, or tell usages soon.
///
/// In text: the name in any case, with or without separators (`"token_bucket"`, `"TokenBucket"`, `"token-bucket"`).
///
/// # Examples
///
/// ```
/// use concurry_core::algorithm::RateLimitAlgorithm;
///
/// assert_eq!("token_bucket".parse::<RateLimitAlgorithm>()?, RateLimitAlgorithm::TokenBucket);
/// assert_eq!(RateLimitAlgorithm::Gcra.to_string(), "gcra");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum RateLimitAlgorithm {
    /// Bursts to the capacity, refills continuously at capacity a window. Refunds the unused, to the capacity at most; of
    /// what time has freed already that is once more.
    TokenBucket,
    /// A queue of the capacity that drains at capacity a window; no fraction of a drop is lost. No refund.
    LeakyBucket,
    /// Never more than the capacity in *any* window, to the nanosecond. No refund.
    #[default]
    SlidingWindow,
    /// Counts in fixed windows from the first use; up to twice the capacity around a boundary. No refund.
    FixedWindow,
    /// The generic cell rate algorithm with a burst tolerance of the capacity. Refunds the unused, as the token bucket does.
    Gcra,
}

impl RateLimitAlgorithm {
    const ALL: [(Self, &str); 5] = [
        (Self::TokenBucket, "token_bucket"),
        (Self::LeakyBucket, "leaky_bucket"),
        (Self::SlidingWindow, "sliding_window"),
        (Self::FixedWindow, "fixed_window"),
        (Self::Gcra, "gcra"),
    ];
}

impl fmt::Display for RateLimitAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(algorithm, _)| algorithm == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// The text names no algorithm.
///
/// # Examples
///
/// ```
/// let error = "bucket".parse::<concurry_core::algorithm::RateLimitAlgorithm>().unwrap_err();
/// assert!(error.to_string().contains("token_bucket"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no algorithm: use token_bucket, leaky_bucket, sliding_window, fixed_window or gcra")]
pub struct ParseAlgorithmError(String);

impl FromStr for RateLimitAlgorithm {
    type Err = ParseAlgorithmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |name: &str| name.replace(['_', '-', ' '], "").to_ascii_lowercase();
        let wanted = plain(text.trim());
        Self::ALL
            .iter()
            .find(|(_, name)| plain(name) == wanted)
            .map(|(algorithm, _)| *algorithm)
            .ok_or_else(|| ParseAlgorithmError(text.to_owned()))
    }
}

impl TryFrom<String> for RateLimitAlgorithm {
    type Error = ParseAlgorithmError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RateLimitAlgorithm> for String {
    fn from(algorithm: RateLimitAlgorithm) -> Self {
        algorithm.to_string()
    }
}
