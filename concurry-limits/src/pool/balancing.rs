//! [`LimitPoolBalancing`]: how a pool picks a set.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// How a pool picks a set for each request.
///
/// # Examples
///
/// ```
/// use concurry_limits::LimitPoolBalancing;
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
/// let error = "best".parse::<concurry_limits::LimitPoolBalancing>().unwrap_err();
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

/// Where one pool stands.
#[derive(Debug)]
pub(super) struct Position {
    next: AtomicUsize,
    random: AtomicU64,
}

impl Position {
    pub(super) fn new(worker_index: usize) -> Self {
        Self { next: AtomicUsize::new(worker_index), random: AtomicU64::new(0) }
    }

    /// The next of `count` sets, which are not none; for the earliest admission, the one to ask first.
    pub(super) fn pick(&self, balancing: LimitPoolBalancing, count: usize) -> usize {
        match balancing {
            LimitPoolBalancing::Random => {
                let last = self.random.load(Ordering::Relaxed);
                let seed = if last == 0 { RandomState::new().hash_one(0) | 1 } else { last };
                // SplitMix64 (Steele, Lea, Flood 2014). Threads that race may draw one number twice, which harms nobody.
                let state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                self.random.store(state, Ordering::Relaxed);
                let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                let drawn = u128::from(mixed ^ (mixed >> 31)) * count as u128;
                usize::try_from(drawn >> 64).unwrap_or(0)
            }
            LimitPoolBalancing::RoundRobin | LimitPoolBalancing::EarliestAvailable => {
                self.next.fetch_add(1, Ordering::Relaxed) % count
            }
        }
    }
}
