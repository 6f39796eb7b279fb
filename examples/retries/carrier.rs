//! A carrier whose service is busy or breaks off now and then: made up, and the same each time for the same seed.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The numbers that the carrier gives to parcels.
const NUMBERS: std::ops::RangeInclusive<u32> = 1_000..=9_999;

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Depot,
    Van,
    Delivered,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depot => "in the depot",
            Self::Van => "on a van",
            Self::Delivered => "delivered",
        })
    }
}

/// What the carrier knows of a parcel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) parcel: u32,
    pub(crate) place: Place,
}

/// Why there is no status.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum CarrierError {
    #[error("the carrier is busy, and asks for {again_in:?}")]
    Busy { parcel: u32, again_in: Duration },
    #[error("the connection broke off")]
    BrokenOff { parcel: u32 },
    #[error("the carrier knows no parcel {parcel}")]
    Unknown { parcel: u32 },
}

impl CarrierError {
    pub(crate) fn parcel(&self) -> u32 {
        match self {
            Self::Busy { parcel, .. } | Self::BrokenOff { parcel } | Self::Unknown { parcel } => *parcel,
        }
    }

    /// Whether the next attempt may do better.
    pub(crate) fn is_transient(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    /// The wait that it asks for, if it does.
    pub(crate) fn asks_for(&self) -> Option<Duration> {
        match self {
            Self::Busy { again_in, .. } => Some(*again_in),
            _ => None,
        }
    }
}

/// The carrier, as one of its clients sees it: with each answer a parcel is a step further.
pub(crate) struct Carrier {
    seed: u64,
    /// The share of requests that fail, 0 to 1.
    failures: f64,
    /// How often it was asked about a parcel, and how often it answered.
    asked: HashMap<u32, (u64, u64)>,
}

impl Carrier {
    pub(crate) fn new(seed: u64, failures: f64) -> Self {
        Self { seed, failures, asked: HashMap::new() }
    }

    pub(crate) fn ask(&mut self, parcel: u32) -> Result<Status, CarrierError> {
        if !NUMBERS.contains(&parcel) {
            return Err(CarrierError::Unknown { parcel });
        }
        let (asked, answered) = self.asked.entry(parcel).or_default();
        *asked += 1;
        let random = mixed(self.seed ^ mixed(u64::from(parcel) << 32 | *asked));
        if share(random) < self.failures {
            return Err(match random % 2 {
                0 => CarrierError::Busy { parcel, again_in: Duration::from_millis(10 + random % 40) },
                _ => CarrierError::BrokenOff { parcel },
            });
        }
        *answered += 1;
        // Parcels with an even number have left the depot.
        let place = match *answered + u64::from(parcel.is_multiple_of(2)) {
            1 => Place::Depot,
            2 => Place::Van,
            _ => Place::Delivered,
        };
        Ok(Status { parcel, place })
    }
}

/// The upper half of a random number as a share of 1.
fn share(random: u64) -> f64 {
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// The output function of `SplitMix64` (Steele, Lea, Flood 2014): numbers that differ in little become wholly different.
fn mixed(number: u64) -> u64 {
    let state = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
