//! How do our values look in JSON?
//!
//! Points in time are whole microseconds, durations are as in settings (`"250 ms"`, see [`crate::written`]); numbers are
//! exact up to the last of 64 bits. Bytes that read as text are a string, others `{"hex":"00ff"}`. Enums are tagged with
//! the name of the variant, so that a new one costs nothing here.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

use ::bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Unexpected, Visitor},
    ser::SerializeMap,
};

use crate::{Secret, Text};

/// The key that says that bytes are spelled out.
const HEX: &str = "hex";

/// Bytes, and whether they were spelled out.
struct Octets {
    bytes: Bytes,
    is_hex: bool,
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadOctets)
    }
}

struct ReadOctets;

impl<'de> Visitor<'de> for ReadOctets {
    type Value = Octets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or {\"hex\":\"…\"}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Octets, E> {
        Ok(Octets { bytes: Bytes::copy_from_slice(text.as_bytes()), is_hex: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Octets, A::Error> {
        let key: Option<Cow<'de, str>> = map.next_key()?;
        if key.as_deref() != Some(HEX) {
            return Err(A::Error::missing_field(HEX));
        }
        let digits: Cow<'de, str> = map.next_value()?;
        let bytes =
            from_hex(&digits).ok_or_else(|| A::Error::invalid_value(Unexpected::Str(&digits), &"hex digits"))?;
        Ok(Octets { bytes: bytes.into(), is_hex: true })
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| if let [a, b] = pair { Some(digit(*a)? << 4 | digit(*b)?) } else { None }).collect()
}

fn write_hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits: String = digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect();
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(HEX, &digits)?;
    map.end()
}

/// Text is a string. What a transport falsely claimed to be text is spelled out, and read as the same claim.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(self.as_bytes()) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => write_hex(self.as_bytes(), serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Octets { bytes, is_hex } = Octets::deserialize(deserializer)?;
        // One more byte of room, as for all our texts; see `Text::from`.
        Ok(if is_hex { Self::claimed(bytes) } else { Self::claimed(bytes).as_str().into() })
    }
}

/// A secret is not shown: there are as many stars as it has bytes. Only what stands in for one in a trace is.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.stand_in() {
            Some(stand_in) => bytes::serialize(stand_in, serializer),
            None => serializer.collect_str(&Stars(self.expose().len())),
        }
    }
}

/// What is read stands in for a secret.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Octets::deserialize(deserializer).map(|octets| Self::standing_in(octets.bytes))
    }
}

struct Stars(usize);

impl fmt::Display for Stars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.0).try_for_each(|_| f.write_str("*"))
    }
}

/// Bytes: a string if they read as text.
pub(crate) mod bytes {
    use super::{Bytes, Deserialize, Deserializer, Octets, Serializer, write_hex};

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
        match core::str::from_utf8(bytes) {
            Ok(text) if !text.contains(is_odd) => serializer.serialize_str(text),
            Ok(_) | Err(_) => write_hex(bytes, serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        Octets::deserialize(deserializer).map(|octets| octets.bytes)
    }
}

/// For values that borrow their bytes, or have them in a place of their own.
#[derive(Serialize, Deserialize)]
struct Plain(#[serde(with = "bytes")] Bytes);

/// Bytes that may be missing.
pub(crate) mod maybe_bytes {
    use super::{Bytes, Deserialize, Deserializer, Plain, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Plain).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Plain>::deserialize(deserializer)?.map(|plain| plain.0))
    }
}

/// Headers: pairs of a name and a value.
pub(crate) mod headers {
    use super::{Bytes, Deserialize, Deserializer, Plain, Serializer, Text, Vec};

    pub(crate) fn serialize<S: Serializer>(headers: &[(Text, Bytes)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(headers.iter().map(|(name, value)| (name, Plain(value.clone()))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Text, Bytes)>, D::Error> {
        let headers = Vec::<(Text, Plain)>::deserialize(deserializer)?;
        Ok(headers.into_iter().map(|(name, value)| (name, value.0)).collect())
    }
}
