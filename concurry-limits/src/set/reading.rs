//! The limits of a set from text: each is checked where it stands, so that an error has the place of that limit.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Definition, LimitSetBuilder};
use crate::{Limit, LimitSetError};

type Limits = Vec<Box<dyn Limit>>;

/// Valid limits with a key of their own each.
pub(super) fn limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    deserializer.deserialize_seq(List)
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Limits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`limits` to be a list of limits, each with its `kind`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::new();
        while let Some(limit) = list.next_element_seed(Next(&limits))? {
            limits.push(limit);
        }
        Ok(limits)
    }
}

/// One limit after the others.
struct Next<'a>(&'a Limits);

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = Box<dyn Limit>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Box<dyn Limit>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// Checks as part of reading the map: some formats give a place to errors from there only.
impl<'de> Visitor<'de> for Next<'_> {
    type Value = Box<dyn Limit>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit with its `kind`")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Box<dyn Limit>, A::Error> {
        let limit = <Box<dyn Limit>>::deserialize(MapAccessDeserializer::new(map))?;
        limit.validate().map_err(A::Error::custom)?;
        if self.0.iter().any(|earlier| earlier.key() == limit.key()) {
            return Err(A::Error::custom(LimitSetError::DuplicateKey { key: limit.key().to_owned() }));
        }
        Ok(limit)
    }
}

impl<'de> Deserialize<'de> for LimitSetBuilder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Definition::deserialize(deserializer).map(Self::of)
    }
}

impl Serialize for LimitSetBuilder {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.definition().serialize(serializer)
    }
}
