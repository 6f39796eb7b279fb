//! How a pool picks a set.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use concurry_core::config::LimitsConfig;
use concurry_core::pool_balancing::LimitPoolBalancing;

/// The balancing of a pool that names none: the configuration's.
pub(super) fn by_default() -> LimitPoolBalancing {
    LimitsConfig::current().load_balancing.unwrap_or_default()
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
            // `RoundRobin` and `EarliestAvailable`; no other has a name.
            _ => self.next.fetch_add(1, Ordering::Relaxed) % count,
        }
    }
}
