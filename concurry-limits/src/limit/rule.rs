//! What may and must be told about the usage of an acquired amount.

use serde::{Deserialize, Serialize};

/// What happens when more was used than was acquired.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, Overrun, RateLimit, Window};
///
/// let tokens = RateLimit::new("tokens", 1_000, Window::MINUTE).overrun(Overrun::Debt);
/// let set = LimitSet::builder().limit(tokens).build()?;
/// let mut acquired = set.acquire([("tokens", 100)])?;
/// acquired.update([("tokens", 130)])?; // the 30 are charged at the release
/// acquired.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overrun {
    /// It is an error; the acquisition is kept.
    #[default]
    #[serde(alias = "Refuse")]
    Refuse,
    /// The excess is charged at the release. The balance may go negative; time pays it back.
    #[serde(alias = "Debt")]
    Debt,
}

/// What may and must be told about the usage of an acquired amount.
///
/// # Examples
///
/// ```
/// use concurry_limits::{Limit, Overrun, RateLimit, ResourceLimit, UsageRule, Window};
///
/// assert_eq!(ResourceLimit::new("doors", 2).usage_rule(), UsageRule::Held);
/// let tokens = RateLimit::new("tokens", 10, Window::SECOND);
/// assert_eq!(tokens.usage_rule(), UsageRule::Reported(Overrun::Refuse));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UsageRule {
    /// Held and given back: nothing need be told.
    Held,
    /// The usage must be told: 0 to the acquired amount, or more where that makes a debt.
    Reported(Overrun),
    /// A count of calls. What was taken without being named is used as it is, and nothing need be told; the usage of more
    /// than one that was named must be told, 0 to the acquired amount.
    Counted,
}

impl UsageRule {
    /// Whether a release without an update is an error. An amount of 0 never needs one.
    pub(crate) fn needs_update(self, requested: u64, named: bool) -> bool {
        match self {
            Self::Held => false,
            Self::Reported(_) => requested > 0,
            Self::Counted => named && requested > 1,
        }
    }

    /// Whether `used` may be told of `requested`; `named` says whether the request named the limit.
    #[inline]
    pub(crate) fn allows(self, requested: u64, named: bool, used: u64) -> bool {
        used == requested
            || (used < requested || self == Self::Reported(Overrun::Debt)) && (named || self != Self::Counted)
    }

    /// The usage that counts when `used` was told without a check: what the rule does not allow is the whole amount.
    pub(crate) fn clamp(self, requested: u64, used: u64) -> u64 {
        if self == Self::Reported(Overrun::Debt) { used } else { used.min(requested) }
    }
}
