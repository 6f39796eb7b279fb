//! The calls that are failed on purpose: a share of all, and the same ones for the same seed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Decides which calls fail.
pub(super) struct Faults {
    rate: f64,
    seed: u64,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    /// How often each prompt was asked, by its hash. So it does not matter in which order calls come.
    asked: HashMap<u64, u64>,
    errors: u64,
    busy: u64,
}

/// How a call fails.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// With 500.
    Error,
    /// With 429, and a second to wait, though no quota is used up.
    Busy,
}

impl Faults {
    /// The share `rate` of all calls, 0 to 1.
    pub(super) fn new(rate: f64, seed: u64) -> Self {
        Self { rate, seed, made: Mutex::default() }
    }

    /// How a call with this prompt is to fail, if it is to.
    pub(super) fn of(&self, prompt: &str) -> Option<Fault> {
        if self.rate <= 0.0 {
            return None;
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = made.asked.entry(hash(prompt)).or_default();
        *asked += 1;
        let random = hash((self.seed, prompt, *asked));
        if share(random) >= self.rate {
            return None;
        }
        if random.is_multiple_of(2) {
            made.errors += 1;
            Some(Fault::Error)
        } else {
            made.busy += 1;
            Some(Fault::Busy)
        }
    }

    /// How many calls failed with 500, and how many with 429.
    pub(super) fn made(&self) -> (u64, u64) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        (made.errors, made.busy)
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A random number as a share, below 1.
fn share(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}
