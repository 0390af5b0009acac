//! Codes, for serde: `404`, and from the first to the last `"4000-4009"`.

use core::fmt;

use serde::{Deserializer, Serializer, de};

use crate::Codes;

pub(crate) fn serialize<S: Serializer>(codes: &Codes, to: S) -> Result<S::Ok, S::Error> {
    if codes.first == codes.last { to.serialize_u16(codes.first) } else { to.collect_str(codes) }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Codes, D::Error> {
    from.deserialize_any(Written)
}

struct Written;

impl de::Visitor<'_> for Written {
    type Value = Codes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code, such as 4401, or the first and the last, such as \"4000-4009\"")
    }

    fn visit_u64<E: de::Error>(self, code: u64) -> Result<Codes, E> {
        u16::try_from(code).map(Codes::from).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(code), &self))
    }

    fn visit_i64<E: de::Error>(self, code: i64) -> Result<Codes, E> {
        u16::try_from(code).map(Codes::from).map_err(|_| E::invalid_value(de::Unexpected::Signed(code), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Codes, E> {
        let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        let (first, last) = ends.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
        Ok(Codes { first, last })
    }
}
