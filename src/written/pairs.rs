//! Pairs as a map, in the order in which they stand. A name that stands there twice is kept twice, for
//! [`Config::check`](crate::Config::check) to find.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserializer, Serializer, de};

use crate::Text;

pub(crate) fn serialize<S: Serializer>(pairs: &[(Text, Text)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(Text, Text)>, D::Error> {
    from.deserialize_map(Map)
}

struct Map;

impl<'de> de::Visitor<'de> for Map {
    type Value = Vec<(Text, Text)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text by name")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}
