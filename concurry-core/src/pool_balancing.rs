//! Which set of a pool of limits a request goes to: what can be asked for. Who picks is the pool.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a pool picks a set for each request.
///
/// # Examples
///
/// ```
/// use concurry_core::pool_balancing::LimitPoolBalancing;
///
/// assert_eq!("round_robin".parse(), Ok(LimitPoolBalancing::RoundRobin));
/// assert_eq!("EarliestAvailable".parse(), Ok(LimitPoolBalancing::EarliestAvailable));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum LimitPoolBalancing {
    /// One after the other, from the set at the worker's index on, so that the workers of a pool start on different sets.
    #[default]
    RoundRobin,
    /// Any, with equal chances.
    Random,
    /// The one that admits the request first. A request that must wait stands in the queues of all sets at once.
    EarliestAvailable,
}

impl LimitPoolBalancing {
    const ALL: [(Self, &str); 3] = [
        (Self::RoundRobin, "round_robin"),
        (Self::Random, "random"),
        (Self::EarliestAvailable, "earliest_available"),
    ];
}

impl fmt::Display for LimitPoolBalancing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(balancing, _)| balancing == self).map_or("", |(_, name)| name))
    }
}

/// The text names no way to pick a set.
///
/// # Examples
///
/// ```
/// let error = "best".parse::<concurry_core::pool_balancing::LimitPoolBalancing>().unwrap_err();
/// assert!(error.to_string().contains("round_robin"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to pick a limit set: use round_robin, random or earliest_available")]
pub struct ParseBalancingError(String);

impl FromStr for LimitPoolBalancing {
    type Err = ParseBalancingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |name: &str| name.replace(['_', '-', ' '], "").to_ascii_lowercase();
        let wanted = plain(text.trim());
        let found = Self::ALL.iter().find(|(_, name)| plain(name) == wanted);
        found.map(|(balancing, _)| *balancing).ok_or_else(|| ParseBalancingError(text.to_owned()))
    }
}

impl TryFrom<String> for LimitPoolBalancing {
    type Error = ParseBalancingError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LimitPoolBalancing> for String {
    fn from(balancing: LimitPoolBalancing) -> Self {
        balancing.to_string()
    }
}
