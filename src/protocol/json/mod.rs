//! `json`: one JSON object per text frame, with a name, content, ids, acknowledgements and a login.
//!
//! ```text
//! C> {"type":"connect","data":{"api_key":"…"}}
//! S> {"type":"connected","data":{"client_id":"c-17"}}
//! C> {"type":"order","data":{"table":4},"id":"k3v9-1","timestamp":"2026-11-20T10:00:00.120Z","client_id":"c-17"}
//! S> {"type":"ack","id":"k3v9-1"}
//! ```
//!
//! [`Packet`] is the grammar: text to packet and back, without any memory, for clients and servers alike.
//! [`Json`] is the protocol above it: what packets mean to a session.
//!
//! # What is read
//!
//! | `type` | means |
//! |---|---|
//! | the greeting's, if there is one | [`Heard::Hello`], with `client_id`, `ping_interval` and `ping_timeout` in milliseconds, `max_message` in bytes, where the content has them |
//! | `connected`, while logging in | [`Heard::LoginOk`]; the content may have `client_id` and `expires_at` |
//! | `error` | with `reply_to` the refusal of what we sent, while logging in that of the login, otherwise [`Heard::Trouble`]; `code`, `message` and `retry_after` (milliseconds) from the content or beside it |
//! | `going_away` | [`Heard::GoAway`]; the content may have `retry_after` (milliseconds, or `"never"`), `address` and `reason` |
//! | `ack`, if acknowledgements are on | [`Heard::Acked`] |
//! | `subscribed`, `unsubscribed` | the answer to our operation, or news about the channel: it is confirmed, or has ended; with `retry_after` it is lost, and asked for again |
//! | `ping`, `pong` | the protocol's own heartbeat |
//! | `batch` | its members in their order; a batch in a batch is a complaint |
//! | anything else | with a `reply_to` of ours the answer to it, otherwise a message for the application |
//!
//! Ids are `{incarnation}-{n}`. What refers to an id that is not of this incarnation does not refer to us. What
//! makes no sense is a complaint, and the link goes on.

mod hear;
mod login;
mod message;
mod packet;
mod raw;
mod say;
mod spelling;
mod stamp;
mod write;

use alloc::{borrow::Cow, format, vec::Vec};

use bytes::Bytes;

pub use login::{Greeting, Login};
pub use message::{Incoming, Message};
pub use packet::{Fields, Packet};
pub use raw::Raw;
pub use spelling::{same_name, snake_case};
pub use stamp::Stamps;

use super::{Abilities, Acks, Comeback, Complaint, Heard, Limits, Pings, Protocol, Say, Topics, Who};
use crate::{BadConfig, CloseCode, Frame, Handshake, OpId, Rejected, Text, Timestamp, Unfit, part::base36};

/// The protocol `json`.
///
/// ```
/// use steadfast::protocol::json::{Json, Login, Message, Raw};
/// use steadfast::{Config, Session};
///
/// let client = Raw::new(r#"{"type":"browser","permissions":["read"]}"#)?;
/// let protocol = Json::default().login(Login::default().client(client)).acks(true);
/// let session = Session::new(protocol, Config::default(), 7)?;
/// let order = Message::new("order", &serde_json::json!({"table": 4}))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Json {
    /// The incarnation and a dash.
    prefix: Text,
    /// Whether the session says what the incarnation is.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "core::ops::Not::not"))]
    told: bool,
    /// What the session says about the client, for a login that does not say it itself.
    #[cfg_attr(feature = "serde", serde(skip))]
    about: Option<Raw>,
    fields: Fields,
    greeting: Greeting,
    login: Option<Login>,
    /// Empty: the server has no word for it.
    #[cfg_attr(feature = "serde", serde(default = "hear::going_away"))]
    going_away: Text,
    acks: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "core::ops::Not::not"))]
    calls: bool,
    heartbeat: Pings,
    both_spellings: bool,
    stamps: Stamps,
    client_id: ClientId,
    /// Names of messages that are topics of their own.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    local_topics: Vec<Text>,
}

/// Who we are to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
enum ClientId {
    Given(Text),
    /// By the server, once it has.
    Assigned(Option<Text>),
}

/// What is known of one link.
#[derive(Clone, Debug)]
pub struct Link {
    logging_in: bool,
    heard_max: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self { logging_in: false, heard_max: 4_096 }
    }
}

impl Default for Json {
    /// The protocol as most servers speak it: without greeting, login and acknowledgements; everything can be switched
    /// on. The ids of our messages begin as the session says, which is different in every process.
    fn default() -> Self {
        Self { told: true, ..Self::new(0) }
    }
}

impl Json {
    /// The same as [`Json::default`], with a number of one's own to begin the ids of our messages. It shall be
    /// another in every process, so that a server that remembers ids does not take the first messages of a new
    /// process for those of the old; and a session that is [recalled](crate::Session::recall) with messages needs the
    /// one of their first sending.
    #[must_use]
    pub fn new(incarnation: u64) -> Self {
        Self {
            prefix: prefix(incarnation),
            told: false,
            about: None,
            fields: Fields::default(),
            greeting: Greeting::None,
            login: None,
            going_away: hear::going_away(),
            acks: false,
            calls: false,
            heartbeat: Pings::Frames,
            both_spellings: false,
            stamps: Stamps::Iso,
            client_id: ClientId::Assigned(None),
            local_topics: Vec::new(),
        }
    }

    /// Other names for the fields.
    ///
    /// # Errors
    ///
    /// Two fields have one name.
    pub fn fields(self, fields: Fields) -> Result<Self, BadConfig> {
        fields.check()?;
        Ok(Self { fields, ..self })
    }

    /// Whether the server greets. **It does not**
    #[must_use]
    pub fn greeting(self, greeting: Greeting) -> Self {
        Self { greeting, ..self }
    }

    /// Log in by message. **There is no login**
    #[must_use]
    pub fn login(self, login: Login) -> Self {
        Self { login: Some(login), ..self }
    }

    /// The `type` with which the server says that it is going away, and when and where it wants us back; empty if it says
    /// no such thing. **`going_away`**
    #[must_use]
    pub fn going_away(self, name: impl Into<Text>) -> Self {
        Self { going_away: name.into(), ..self }
    }

    /// Whether messages with an id are acknowledged, in both directions. **No**
    #[must_use]
    pub fn acks(self, acks: bool) -> Self {
        Self { acks, ..self }
    }

    /// Whether a message of the server's that has an id, and answers nothing, is a call that wants an answer:
    /// [`Marks::call`](crate::Marks::call), answered with [`Command::Reply`](crate::Command::Reply). **No**
    #[must_use]
    pub fn calls(self, calls: bool) -> Self {
        Self { calls, ..self }
    }

    /// Whether the heartbeat is the protocol's, and whose. The server's `ping` is answered in any case.
    /// **WebSocket's own frames**
    #[must_use]
    pub fn heartbeat(self, heartbeat: Pings) -> Self {
        Self { heartbeat, ..self }
    }

    /// Whether the server's words are also understood in `camelCase`. **No**
    #[must_use]
    pub fn both_spellings(self, both_spellings: bool) -> Self {
        Self { both_spellings, ..self }
    }

    /// Names of messages that can be subscribed to without asking the server, because it sends them anyway. A message of
    /// such a name that belongs to no channel is of the topic of its name. **none**
    ///
    /// ```
    /// use steadfast::protocol::json::Json;
    ///
    /// let protocol = Json::default().local_topics(["metrics", "alarm"]);
    /// ```
    #[must_use]
    pub fn local_topics<N: Into<Text>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { local_topics: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The local topic of this name.
    fn local_topic(&self, name: &str) -> Option<&Text> {
        let is = |topic: &&Text| {
            if self.both_spellings { same_name(topic.as_str(), name) } else { topic.as_str() == name }
        };
        self.local_topics.iter().find(is)
    }

    /// How timestamps are written. **ISO 8601**
    #[must_use]
    pub fn stamps(self, stamps: Stamps) -> Self {
        Self { stamps, ..self }
    }

    /// Who we are, written into every message. **What the server assigns, if it does**
    #[must_use]
    pub fn client_id(self, client_id: impl Into<Text>) -> Self {
        Self { client_id: ClientId::Given(client_id.into()), ..self }
    }

    /// Who we are: as given, or as assigned by the server.
    #[must_use]
    pub fn known_as(&self) -> Option<&str> {
        match &self.client_id {
            ClientId::Given(id) | ClientId::Assigned(Some(id)) => Some(id.as_str()),
            ClientId::Assigned(None) => None,
        }
    }

    /// The longest client id that is taken from a server, in bytes, none of which needs to be escaped.
    const LONGEST_CLIENT_ID: usize = 128;

    /// Takes an id that the server assigns, unless it is unreasonable or we have our own; whether it did. The session is
    /// told of no other, so that both are called the same.
    fn adopt(&mut self, id: &Text) -> bool {
        let reasonable = (1..=Self::LONGEST_CLIENT_ID).contains(&id.len())
            && !id.as_bytes().iter().any(|byte| write::needs_escape(*byte));
        let ClientId::Assigned(assigned) = &mut self.client_id else { return false };
        if reasonable {
            // A slice of a frame would keep the whole frame.
            *assigned = Some(id.as_str().into());
        }
        reasonable
    }

    /// The number in an id of ours.
    fn op(&self, id: &Text) -> Option<OpId> {
        let digits = id.as_bytes().strip_prefix(&self.prefix.as_bytes()[..])?;
        let plain = !digits.starts_with(b"0") && digits.iter().all(u8::is_ascii_digit);
        core::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok().map(OpId)
    }
}

impl Protocol for Json {
    type Message = Message;
    type Incoming = Incoming;
    type Topic = Text;
    type Link = Link;

    fn abilities(&self) -> Abilities {
        Abilities {
            hello: matches!(self.greeting, Greeting::Required(_)),
            login: self.login.is_some(),
            acks: if self.acks { Acks::Each } else { Acks::None },
            replies: true,
            topics: Topics::One,
            confirms: true,
            batches: true,
            pings: self.heartbeat,
            contents: true,
        }
    }

    fn up(&mut self, link: &mut Link, _: &Handshake, limits: Limits) -> Result<(), Complaint> {
        link.heard_max = usize::try_from(limits.heard_max).unwrap_or(usize::MAX);
        Ok(())
    }

    fn admit(&self, message: &Message) -> Result<u32, Unfit> {
        self.size_of(message)
    }

    /// The name, the channel and the content as text: `{"a":1}` and `{"a": 1}` differ.
    fn content(&self, message: &Message, feed: &mut dyn FnMut(&[u8])) {
        let Message { name, data, channel } = message;
        feed(&[u8::from(channel.is_some())]);
        feed(name.as_bytes());
        channel.iter().for_each(|channel| feed(channel.as_bytes()));
        data.iter().for_each(|data| feed(data.as_str().as_bytes()));
    }

    fn decode(&mut self, link: &mut Link, frame: Frame, heard: &mut Vec<Heard<Incoming, Text>>) {
        match frame {
            Frame::Text(text) => self.hear(link, &text, heard),
            Frame::Binary(_) => heard.push(Heard::Bad(Complaint::minor("a binary frame, where text is spoken"))),
            Frame::Ping(_) | Frame::Pong(_) => {}
        }
    }

    fn encode(&mut self, link: &mut Link, now: Timestamp, say: Say<'_, Message, Text>, frames: &mut Vec<Frame>) {
        self.say(link, now, say, frames);
    }

    fn is_local(&self, topic: &Text) -> bool {
        self.local_topics.contains(topic)
    }

    fn name_of<'a>(&self, message: &'a Incoming) -> Option<&'a str> {
        Some(message.name())
    }

    fn spelled<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.both_spellings { snake_case(name) } else { Cow::Borrowed(name) }
    }

    fn name_of_trouble(&self) -> Option<&str> {
        Some("error")
    }

    fn refusal_in(&self, message: &Incoming) -> Rejected {
        let why = *hear::rejection(message.packet());
        Rejected { code: why.code.or_else(|| Some(message.name().into())), ..why }
    }

    /// The reason can be an object with `retry_after`, in milliseconds or `"never"`.
    fn comeback(&self, _: CloseCode, reason: &str) -> Comeback {
        hear::comeback_of(reason)
    }

    fn introduce(&mut self, who: &Who<'_>) {
        if self.told {
            self.prefix = prefix(who.incarnation);
        }
        if let Some(id) = who.client_id {
            self.client_id = ClientId::Given(id.clone());
        }
        self.about = say::about(who);
    }

    /// The client id, if the server assigned it.
    fn keepsake(&self) -> Option<Bytes> {
        match &self.client_id {
            ClientId::Assigned(id) => id.as_ref().map(|id| id.as_bytes().clone()),
            ClientId::Given(_) => None,
        }
    }

    fn recall(&mut self, keepsake: &[u8]) {
        if let Ok(id) = Text::from_utf8(Bytes::copy_from_slice(keepsake)) {
            self.adopt(&id);
        }
    }
}

/// What the ids of our messages begin with.
fn prefix(incarnation: u64) -> Text {
    format!("{}-", base36(incarnation)).into()
}

const _: () = assert!(size_of::<Heard<Incoming, Text>>() <= 64);

#[cfg(test)]
mod tests;
