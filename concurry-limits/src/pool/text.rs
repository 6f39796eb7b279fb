//! A pool from text, and as text.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::balancing::by_default;
use super::{LimitPool, LimitPoolBalancing};
use crate::LimitSet;

/// What a pool is written as. The index of its worker is no part of it.
#[derive(Deserialize)]
#[serde(rename = "LimitPool", deny_unknown_fields)]
struct Read {
    #[serde(deserialize_with = "at_least_one")]
    sets: Vec<LimitSet>,
    #[serde(default = "by_default")]
    balancing: LimitPoolBalancing,
}

#[derive(Serialize)]
#[serde(rename = "LimitPool")]
struct Written<'a> {
    sets: &'a [LimitSet],
    balancing: LimitPoolBalancing,
}

/// Checked where the sets stand, so that an error has their place.
fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LimitSet>, D::Error> {
    let sets = Vec::deserialize(deserializer)?;
    if sets.is_empty() {
        return Err(D::Error::custom("`sets` is empty: a pool needs at least one limit set"));
    }
    Ok(sets)
}

impl<'de> Deserialize<'de> for LimitPool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Read { sets, balancing } = Read::deserialize(deserializer)?;
        Ok(Self::new(sets).load_balancing(balancing))
    }
}

impl Serialize for LimitPool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { sets: self.sets(), balancing: self.balancing() }.serialize(serializer)
    }
}
