//! What does the application send and receive?

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use super::{Packet, Raw};
use crate::{Text, Timestamp};

/// A message to send: a name, perhaps a channel, and content that has been turned into JSON already. Cloning
/// it copies nothing.
///
/// ```
/// use steadfast::protocol::json::Message;
///
/// let order = Message::new("order", &serde_json::json!({"table": 4}))?.on("kitchen");
/// assert_eq!(order.data(), Some(r#"{"table":4}"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Message {
    pub(super) name: Text,
    pub(super) data: Option<Raw>,
    pub(super) channel: Option<Text>,
}

impl Message {
    /// A message with this content.
    ///
    /// # Errors
    ///
    /// The content cannot be JSON, for instance because the keys of a map are no strings.
    pub fn new(name: impl Into<Text>, data: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        Ok(Self { data: Some(Raw::of(data)?), ..Self::bare(name) })
    }

    /// A message with content that is JSON already.
    ///
    /// # Errors
    ///
    /// The content is not one JSON value.
    pub fn raw(name: impl Into<Text>, data: impl Into<Text>) -> Result<Self, serde_json::Error> {
        Ok(Self { data: Some(Raw::new(data)?), ..Self::bare(name) })
    }

    /// A message without content.
    #[must_use]
    pub fn bare(name: impl Into<Text>) -> Self {
        Self { name: name.into(), data: None, channel: None }
    }

    /// The same message, for a channel.
    #[must_use]
    pub fn on(mut self, channel: impl Into<Text>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its content as JSON text.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_ref().map(Raw::as_str)
    }

    /// The channel it is for.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.channel.as_ref().map(Text::as_str)
    }
}

/// A message that was received. Its content is JSON text, a slice of the frame, until somebody asks for a
/// type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Incoming(Box<Packet>);

impl Incoming {
    pub(super) fn new(packet: Packet) -> Self {
        Self(Box::new(packet))
    }

    /// Its name: what the field `type` says.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.kind.as_str()
    }

    /// Its content as JSON text; `null` if there is none.
    #[must_use]
    pub fn data(&self) -> &str {
        self.0.data.as_ref().map_or("null", Raw::as_str)
    }

    /// Its content as a type of yours.
    ///
    /// ```
    /// # use steadfast::{Heard, Protocol, protocol::json::Json};
    /// # let (mut json, mut heard) = (Json::new(1), Vec::new());
    /// # json.decode(&mut Default::default(), r#"{"type":"order","data":{"table":4}}"#.into(), &mut heard);
    /// # let Heard::Message { message, .. } = &heard[0] else { panic!() };
    /// let order: serde_json::Value = message.parse()?;
    /// assert_eq!(order["table"], 4);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The content does not fit the type, or is nested more than 127 deep.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data())
    }

    /// The channel it came on.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.0.channel.as_ref().map(Text::as_str)
    }

    /// The id that the peer gave it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_ref().map(Text::as_str)
    }

    /// When the peer says it was sent.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.0.timestamp
    }

    /// A field of the object that the envelope does not know.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Raw> {
        self.0.others.as_ref().and_then(|others| others.member(name))
    }

    /// All of it.
    #[must_use]
    pub fn packet(&self) -> &Packet {
        &self.0
    }

    /// All of it, to keep.
    #[must_use]
    pub fn into_packet(self) -> Packet {
        *self.0
    }
}
