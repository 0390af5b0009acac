//! What does an object on the wire say? The grammar: text to packet and back, without any memory.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt::{self, Write as _};

use bytes::Bytes;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    Raw, Stamps,
    raw::ReadText,
    stamp::ReadStamp,
    write::{self, Draft, Style},
};
use crate::{BadConfig, Complaint, Text, Timestamp};

/// The names of the fields that the envelope knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fields {
    /// What is said; the one field that must be there. **`type`**
    pub kind: Cow<'static, str>,
    /// The channel it belongs to. **`channel`**
    pub channel: Cow<'static, str>,
    /// The content, any JSON. **`data`**
    pub data: Cow<'static, str>,
    /// The members of a batch. **`messages`**
    pub messages: Cow<'static, str>,
    /// The id that an acknowledgement or a reply refers to. **`id`**
    pub id: Cow<'static, str>,
    /// The id of what is answered. **`reply_to`**
    pub reply_to: Cow<'static, str>,
    /// When it was said. **`timestamp`**
    pub timestamp: Cow<'static, str>,
    /// Who says it. **`client_id`**
    pub client_id: Cow<'static, str>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            kind: Cow::Borrowed("type"),
            channel: Cow::Borrowed("channel"),
            data: Cow::Borrowed("data"),
            messages: Cow::Borrowed("messages"),
            id: Cow::Borrowed("id"),
            reply_to: Cow::Borrowed("reply_to"),
            timestamp: Cow::Borrowed("timestamp"),
            client_id: Cow::Borrowed("client_id"),
        }
    }
}

/// Which field.
#[derive(Clone, Copy)]
enum Field {
    Kind,
    Channel,
    Data,
    Messages,
    Id,
    ReplyTo,
    Timestamp,
    ClientId,
}

impl Fields {
    const fn all(&self) -> [(&Cow<'static, str>, Field); 8] {
        [
            (&self.kind, Field::Kind),
            (&self.data, Field::Data),
            (&self.id, Field::Id),
            (&self.timestamp, Field::Timestamp),
            (&self.channel, Field::Channel),
            (&self.reply_to, Field::ReplyTo),
            (&self.client_id, Field::ClientId),
            (&self.messages, Field::Messages),
        ]
    }

    fn find(&self, name: &str) -> Option<Field> {
        self.all().into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    /// Looks for two fields of one name.
    pub(super) fn check(&self) -> Result<(), BadConfig> {
        let names = self.all().map(|(name, _)| name);
        let twice = (1..names.len()).any(|at| names[..at].contains(&names[at]));
        let problem = "have one name for two of them: give each its own";
        if twice { Err(BadConfig { field: "json fields", problem }) } else { Ok(()) }
    }
}

/// One object on the wire, taken apart. Texts and values are slices of the frame it was read from, unless
/// something in them was escaped.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Packet {
    /// What is said.
    pub kind: Text,
    /// The channel it belongs to.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub channel: Option<Text>,
    /// The content.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub data: Option<Raw>,
    /// The members of a batch.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub messages: Option<Raw>,
    /// The id that an acknowledgement or a reply refers to.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub id: Option<Text>,
    /// The id of what is answered.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub reply_to: Option<Text>,
    /// When it was said.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub timestamp: Option<Timestamp>,
    /// Who says it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub client_id: Option<Text>,
    /// An object of the members that the envelope does not know, in their order.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub others: Option<Raw>,
}

impl Packet {
    /// A packet that says nothing but what it is.
    #[must_use]
    pub fn new(kind: impl Into<Text>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// Reads one object.
    ///
    /// Values nested however deep cost no stack. `null` is nothing, but for the content. A field that the
    /// envelope knows may come once; of the others nothing is asked.
    ///
    /// # Errors
    ///
    /// It is not JSON, not an object, has no type, or a known field is of the wrong type or comes twice. The
    /// link goes on.
    pub fn read(text: &Text, fields: &Fields) -> Result<Self, Complaint> {
        let mut json = serde_json::Deserializer::from_str(text.as_str());
        let reader = Reader { frame: text.as_bytes(), fields };
        let packet = json.deserialize_map(reader).and_then(|packet| json.end().map(|()| packet));
        packet.map_err(|error| Complaint::minor(brief(&error)))
    }

    /// Writes the object.
    #[must_use]
    pub fn write(&self, fields: &Fields, stamps: Stamps) -> Text {
        self.draft().text(Style { fields, stamps })
    }

    fn draft(&self) -> Draft<'_> {
        Draft {
            kind: self.kind.as_str(),
            channel: self.channel.as_ref().map(Text::as_str),
            data: self.data.as_ref(),
            messages: self.messages.as_ref(),
            id: self.id.as_ref().map(Text::as_str),
            reply_to: self.reply_to.as_ref().map(Text::as_str),
            timestamp: self.timestamp,
            client_id: self.client_id.as_ref().map(Text::as_str),
            others: self.others.as_ref(),
        }
    }
}

/// Reads a packet. (The envelope is visited by hand, because a derived one cannot hand on both raw values
/// and unknown members.)
struct Reader<'a> {
    frame: &'a Bytes,
    fields: &'a Fields,
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Packet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Packet, A::Error> {
        let mut packet = Packet::default();
        let (mut seen, mut others) = (0_u16, Vec::new());
        while let Some(key) = map.next_key_seed(ReadText)? {
            let key = key.unwrap_or_default();
            let Some(field) = self.fields.find(&key) else {
                append_member(&mut others, &key, map.next_value()?);
                continue;
            };
            if seen & (1 << field as u16) != 0 {
                return Err(A::Error::custom(format_args!("`{key}` comes twice")));
            }
            seen |= 1 << field as u16;
            self.read_field(field, &mut packet, &mut map)?;
        }
        if packet.kind.is_empty() {
            return Err(A::Error::custom(format_args!("there is no `{}`", self.fields.kind)));
        }
        if !others.is_empty() {
            others.push(b'}');
            packet.others = Some(Raw::written(write::text(others)));
        }
        Ok(packet)
    }
}

impl Reader<'_> {
    fn read_field<'de, A: MapAccess<'de>>(
        &self,
        field: Field,
        packet: &mut Packet,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match field {
            Field::Kind => packet.kind = self.text(map)?.unwrap_or_default(),
            Field::Channel => packet.channel = self.text(map)?,
            Field::Data => packet.data = Some(self.raw(map)?),
            Field::Messages => packet.messages = Some(self.raw(map)?),
            Field::Id => packet.id = self.text(map)?,
            Field::ReplyTo => packet.reply_to = self.text(map)?,
            Field::Timestamp => packet.timestamp = map.next_value_seed(ReadStamp)?,
            Field::ClientId => packet.client_id = self.text(map)?,
        }
        Ok(())
    }

    fn text<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<Text>, A::Error> {
        Ok(map.next_value_seed(ReadText)?.map(|text| match text {
            Cow::Borrowed(text) => Text::claimed(self.frame.slice_ref(text.as_bytes())),
            Cow::Owned(text) => text.into(),
        }))
    }

    fn raw<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<Raw, A::Error> {
        Ok(Raw::within(self.frame, map.next_value::<&RawValue>()?))
    }
}

/// Adds a member to an object that is not closed yet.
fn append_member(object: &mut Vec<u8>, key: &str, value: &RawValue) {
    object.push(if object.is_empty() { b'{' } else { b',' });
    write::write_string(key, object);
    object.push(b':');
    object.extend_from_slice(value.get().as_bytes());
}

/// What an error says, cut off where it begins to quote the peer at length.
fn brief(error: &impl fmt::Display) -> Text {
    let mut brief = Brief(String::new());
    // An error here means that it was cut.
    let _ = write!(brief, "{error}");
    brief.0.into()
}

struct Brief(String);

impl Brief {
    const MOST: usize = 160;
}

impl fmt::Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = Self::MOST - self.0.len();
        match text.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= room).last() {
            Some(end) => self.0.push_str(&text[..end]),
            None if !text.is_empty() => return Err(fmt::Error),
            None => {}
        }
        Ok(())
    }
}
