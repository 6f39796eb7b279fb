//! Which worker a call goes to: what can be asked for. Who chooses is the pool.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the calls of a pool are spread over its workers.
///
/// # Examples
///
/// ```
/// use concurry_core::balancing::LoadBalancing;
///
/// assert_eq!("least_active".parse(), Ok(LoadBalancing::LeastActive));
/// assert_eq!("RoundRobin".parse(), Ok(LoadBalancing::RoundRobin));
/// assert_eq!(LoadBalancing::default(), LoadBalancing::SharedQueue);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum LoadBalancing {
    /// No worker is chosen: whichever is idle takes the oldest call. Nothing waits behind a slow one.
    #[default]
    SharedQueue,
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest calls that wait for it or run.
    LeastActive,
    /// The one that was given the fewest calls so far.
    LeastTotal,
    /// Any.
    Random,
}

/// A name that is no load balancing.
///
/// # Examples
///
/// ```
/// use concurry_core::balancing::LoadBalancing;
///
/// assert!("fair".parse::<LoadBalancing>().unwrap_err().to_string().contains("shared_queue"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown load balancing `{0}`: there are shared_queue, round_robin, least_active, least_total and random"
)]
pub struct UnknownLoadBalancing(String);

impl LoadBalancing {
    const ALL: [Self; 5] =
        [Self::SharedQueue, Self::RoundRobin, Self::LeastActive, Self::LeastTotal, Self::Random];

    fn name(self) -> &'static str {
        match self {
            Self::SharedQueue => "shared_queue",
            Self::RoundRobin => "round_robin",
            Self::LeastActive => "least_active",
            Self::LeastTotal => "least_total",
            Self::Random => "random",
        }
    }
}

impl fmt::Display for LoadBalancing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LoadBalancing {
    type Err = UnknownLoadBalancing;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
        let name = plain(text.trim());
        Self::ALL
            .into_iter()
            .find(|balancing| plain(balancing.name()) == name)
            .ok_or_else(|| UnknownLoadBalancing(text.to_owned()))
    }
}

impl TryFrom<String> for LoadBalancing {
    type Error = UnknownLoadBalancing;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LoadBalancing> for String {
    fn from(balancing: LoadBalancing) -> Self {
        balancing.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::LoadBalancing;

    #[test]
    fn what_stands_around_a_name_does_not_count() {
        for text in [" round_robin\n", "\tRound-Robin ", "round robin"] {
            assert_eq!(text.parse(), Ok(LoadBalancing::RoundRobin), "{text:?}");
        }
        assert!("".parse::<LoadBalancing>().is_err());
    }
}
