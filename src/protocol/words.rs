//! The smaller things that are said over the seam.

use alloc::boxed::Box;
use core::{fmt, time::Duration};

use bytes::Bytes;

use crate::{CloseCode, OpId, Text};

/// What a message carries beside its content: nothing, most of the time, and then it costs one null
/// pointer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Mark(Option<Box<Marks>>);

/// What a [`Mark`] can hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Marks {
    /// The peer's id of the message.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::maybe_bytes::serialize"))]
    pub id: Option<Bytes>,
    /// Whether the peer wants that id acknowledged once the application has taken the message.
    pub ack: bool,
    /// Where in the peer's stream it stands.
    pub position: Option<u64>,
    /// The peer's call, to be answered.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::maybe_bytes::serialize"))]
    pub call: Option<Bytes>,
}

impl Mark {
    /// No mark.
    pub const NONE: Self = Self(None);

    /// A mark.
    #[must_use]
    pub fn new(marks: Marks) -> Self {
        Self(Some(Box::new(marks)))
    }

    /// What it holds.
    #[must_use]
    pub fn marks(&self) -> Option<&Marks> {
        self.0.as_deref()
    }

    /// The id to acknowledge once the application has taken the message.
    #[must_use]
    pub fn wants_ack(&self) -> Option<&Bytes> {
        self.marks().filter(|marks| marks.ack).and_then(|marks| marks.id.as_ref())
    }
}

/// Whether the peer kept our session over a reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Resumed {
    /// It did not, or does not know such a thing.
    #[default]
    Fresh,
    /// It did: its side of the session is as it was.
    Kept,
}

/// Who a session is, as its protocol is told: see [`Identity`](crate::Identity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Who<'a> {
    /// Begins the ids of messages, where they have to differ from those of every other process: another number in each.
    pub incarnation: u64,
    /// The client id, if it is not the server's to give.
    pub client_id: Option<&'a Text>,
    /// What kind of session it is; may be empty.
    pub kind: &'a Text,
    /// What else is to be known of it, by name.
    pub metadata: &'a [(Text, Text)],
}

/// How the peer confirms that it has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Acks {
    /// Not at all.
    #[default]
    None,
    /// Each by its id.
    Each,
    /// All up to a number.
    UpTo,
}

/// Whether there are topics, and how many of them one operation can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Topics {
    /// There are none.
    #[default]
    None,
    /// One: what comes back is told apart by the operation alone.
    One,
    /// Any number.
    Many,
}

/// What one link may ask of our memory. A protocol has to know, because only it can stop in the middle of
/// a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in bytes: no more than that may wait in a [`Protocol::Link`](super::Protocol::Link) for its rest.
    pub max_message: u32,
    /// How many meanings one frame may have.
    pub heard_max: u32,
}

/// What a server's greeting may change.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tuning {
    /// The id that the server gave us.
    pub client_id: Option<Text>,
    /// How often something should be heard or said.
    pub ping_every: Option<Duration>,
    /// How long an answer to a ping may take.
    pub ping_timeout: Option<Duration>,
    /// The largest message that the server takes, in bytes.
    pub max_message: Option<u32>,
}

/// Whether the peer wants us back, and when. Of several the one that is more against it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Comeback {
    /// It does not say. We come back as we would anyway.
    #[default]
    Whenever,
    /// Not before this time has passed since the link ended; at most
    /// [`RetryPolicy::directed_cap`](crate::RetryPolicy::directed_cap) is waited.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    After(Duration),
    /// Never. The session stops when this link fails or is ended by the peer; a verdict of the host's comes before that. A
    /// link that we leave first, because of a hint or because nothing passes, stops nothing.
    Never,
}

impl Comeback {
    /// How long to wait, if the peer says so.
    #[must_use]
    pub const fn wait(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Whenever | Self::Never => None,
        }
    }
}

/// The server asks us to leave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct GoAway {
    /// When to come back.
    pub comeback: Comeback,
    /// Where to. An address that shows a credential of ours is not taken, and not told.
    pub address: Option<Text>,
    /// Why.
    pub reason: Text,
}

/// The peer said something that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Complaint {
    /// What is wrong with it.
    pub message: Text,
    /// The code to close the link with; `None` if the link goes on.
    pub close: Option<CloseCode>,
}

impl Complaint {
    /// A complaint after which the link goes on.
    #[must_use]
    pub fn minor(message: impl Into<Text>) -> Self {
        Self { message: message.into(), close: None }
    }

    /// A complaint that ends the link.
    #[must_use]
    pub fn major(message: impl Into<Text>, code: CloseCode) -> Self {
        Self { message: message.into(), close: Some(code) }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.message, f)
    }
}

/// A message on its way out.
#[derive(Debug)]
pub struct Outgoing<'a, M> {
    /// Its id.
    pub op: OpId,
    /// The message. It is lent, not given: until the transport has flushed it, it may have to go back to the
    /// head of the queue.
    pub message: &'a M,
    /// Its number, where the protocol confirms by numbers.
    pub number: Option<u64>,
    /// Whether the session waits until the peer has confirmed it. (Some protocols must ask for that.)
    pub ack: bool,
    /// Whether it may have been sent before, on an earlier link.
    pub again: bool,
}

/// A type without values: the topic of a protocol that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Never {}
