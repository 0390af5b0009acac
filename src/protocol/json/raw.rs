//! What is in a piece of JSON that nobody has parsed yet?

use alloc::{borrow::Cow, string::String};
use core::{fmt, ops::ControlFlow};

use bytes::Bytes;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Text;

/// One JSON value as text: known to be well-formed, parsed when somebody asks for a type.
///
/// What a peer sent is a slice of its frame, without a copy; the frame lives as long as the slice.
///
/// ```
/// use steadfast::protocol::json::Raw;
///
/// let raw = Raw::new(r#"{"table":4,"open":true}"#)?;
/// assert_eq!(raw.member("table").expect("it is there").parse::<u8>()?, 4);
/// assert!(Raw::new("{").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(Text);

impl Raw {
    /// JSON that is there already.
    ///
    /// # Errors
    ///
    /// The text is not one JSON value.
    pub fn new(text: impl Into<Text>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        let value = serde_json::from_str::<&RawValue>(text.as_str())?;
        Ok(Self::within(text.as_bytes(), value))
    }

    /// A value as JSON.
    ///
    /// # Errors
    ///
    /// The value cannot be JSON, for instance because the keys of a map are no strings.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// A value that was found in these bytes.
    pub(super) fn within(bytes: &Bytes, value: &RawValue) -> Self {
        Self(Text::claimed(bytes.slice_ref(value.get().as_bytes())))
    }

    /// What was written by our own hand.
    pub(super) const fn written(text: Text) -> Self {
        Self(text)
    }

    /// The JSON text, without space around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The JSON text, sharing its storage.
    #[must_use]
    pub const fn as_text(&self) -> &Text {
        &self.0
    }

    /// The value as a type of yours.
    ///
    /// # Errors
    ///
    /// The value does not fit the type, or is nested more than 127 deep.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// The member of this name, if this is an object that has one. Of several the last.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Self> {
        let mut found = None;
        let find = Members(|key: Cow<'_, str>, value: &RawValue| {
            if key == name {
                found = Some(Self::within(self.0.as_bytes(), value));
            }
        });
        // It is known to be JSON; that it is no object is the one error left, and then nothing was found.
        let _ = serde_json::Deserializer::from_str(self.as_str()).deserialize_any(find);
        found
    }

    /// Hands out the elements in order until one of them is enough. `false` if this is no array.
    pub(super) fn elements(&self, mut each: impl FnMut(&Self) -> ControlFlow<()>) -> bool {
        let each = Elements(|value: &RawValue| each(&Self::within(self.0.as_bytes(), value)));
        // Stopping early leaves a remainder, which the deserializer reports and nobody wants.
        let _ = serde_json::Deserializer::from_str(self.as_str()).deserialize_any(each);
        self.0.as_bytes().starts_with(b"[")
    }

    /// What a string says, and the JSON text of anything else but `null`.
    pub(super) fn to_plain(&self) -> Option<Text> {
        match self.as_str() {
            "null" => None,
            text if text.starts_with('"') => self.parse::<String>().ok().map(Into::into),
            _ => Some(self.0.clone()),
        }
    }

    /// What stands between the braces of an object, if there is something.
    pub(super) fn inside_object(&self) -> Option<&[u8]> {
        let inside = self.0.as_bytes().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
        (!inside.is_empty()).then_some(inside)
    }
}

/// As a string, so that not a space of it is lost.
#[cfg(feature = "serde")]
impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Text::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Visits the members of an object.
struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(ReadText)? {
            (self.0)(key.unwrap_or_default(), map.next_value()?);
        }
        Ok(())
    }
}

/// Visits the elements of an array.
struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> ControlFlow<()>> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(value) = array.next_element()? {
            if (self.0)(value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Reads a string, borrowed where nothing in it is escaped, or `null`, which is none.
pub(super) struct ReadText;

impl<'de> DeserializeSeed<'de> for ReadText {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadText {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.into())))
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::new(text).expect("JSON")
    }

    #[test]
    fn only_one_whole_value_is_json() {
        for bad in ["", " ", "{", "nul", "{}{}", "[1,]", "'a'", "{\"a\" 1}", "01"] {
            assert!(Raw::new(bad).is_err(), "{bad}");
        }
        assert_eq!(raw(" \n[1, 2] ").as_str(), "[1, 2]");
    }

    #[test]
    fn members_are_found_by_their_names_as_meant() {
        let object = raw(r#"{"a":1,"\u0062":[2],"a":{"x":null}}"#);
        assert_eq!(object.member("a").expect("a").as_str(), r#"{"x":null}"#);
        assert_eq!(object.member("b").expect("b").as_str(), "[2]");
        assert_eq!(object.member("c"), None);
        assert_eq!(raw("[1]").member("a"), None);
        assert_eq!(raw("\"a\"").member("a"), None);
    }

    #[test]
    fn elements_come_until_one_is_enough() {
        let mut seen = Vec::new();
        let take = |seen: &mut Vec<Raw>, value: &Raw, most| {
            seen.push(value.clone());
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        assert!(raw("[1,[2],3]").elements(|value| take(&mut seen, value, 2)));
        assert_eq!(seen, vec![raw("1"), raw("[2]")]);
        assert!(!raw("{\"a\":1}").elements(|value| take(&mut seen, value, 9)));
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn plain_words() {
        assert_eq!(raw(r#""a\nb""#).to_plain(), Some("a\nb".into()));
        assert_eq!(raw("17").to_plain(), Some("17".into()));
        assert_eq!(raw("null").to_plain(), None);
        assert_eq!(raw(r#""\ud800""#).to_plain(), None);
    }
}
