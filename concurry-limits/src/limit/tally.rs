//! [`Tally`].

use concurry_core::clock::Timestamp;

/// What a state counts, in numbers that a set of this limit alone can count on by itself, without the lock.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally {
    /// An amount that time frees continuously, in units of (amount × nanosecond of the window): `capacity` of them are
    /// freed each nanosecond.
    Paced {
        capacity: u64,
        window: u64,
        /// Whether what was not used is given back.
        refunds: bool,
        used: u128,
        as_of: Timestamp,
    },
    /// An amount that is held until it is given back.
    Held { capacity: u64, held: u64 },
}

impl Tally {
    /// The same, of which nothing is used.
    pub(crate) fn emptied(mut self) -> Self {
        match &mut self {
            Self::Paced { used, .. } => *used = 0,
            Self::Held { held, .. } => *held = 0,
        }
        self
    }

    pub(crate) fn capacity(&self) -> u64 {
        match *self {
            Self::Paced { capacity, .. } | Self::Held { capacity, .. } => capacity,
        }
    }
}
