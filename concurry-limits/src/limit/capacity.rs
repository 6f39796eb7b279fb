//! A capacity from text, with errors that name the field.
//!
//! A kind is read from a map that was buffered to find its name, where some formats have lost which field a value is of.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// A whole number; that it is at least 1 is checked with the rest of the limit, whose key the error can name then.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Capacity)
    } else {
        deserializer.deserialize_u64(Capacity)
    }
}

struct Capacity;

impl Visitor<'_> for Capacity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`capacity` to be a whole number of at least 1")
    }

    fn visit_u64<E: Error>(self, capacity: u64) -> Result<u64, E> {
        Ok(capacity)
    }

    fn visit_i64<E: Error>(self, capacity: i64) -> Result<u64, E> {
        u64::try_from(capacity).map_err(|_| E::invalid_value(Unexpected::Signed(capacity), &self))
    }
}
