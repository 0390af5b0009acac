//! What went wrong, who is to blame, and what is done about it.
//!
//! Three words are kept apart. [`Refused`]: the application asked for something impossible and has its
//! message back. [`Rejected`]: the peer said no. [`Cause`]: the wire was lost, in the words of the
//! transport. Every failure of a session is one [`Error`] with a number of its own.

mod classify;
mod failure;
mod policy;
mod row;
mod table;

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

use bytes::Bytes;

pub(crate) use classify::{Circumstances, Notes, Verdict, classify};
pub(crate) use failure::{Charge, Failure};
pub use policy::ErrorPolicy;
pub use row::{Codes, Match, Occasion, Remedy, Row, Stage};
pub use table::error_table;

use crate::{CloseCode, LinkId, Text};

/// Why a link ended or could not be had, as the transport saw it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Cause {
    /// A Close frame was read; the code is 1005 if it carried none.
    Closed {
        /// The code of the frame.
        code: CloseCode,
        /// Its reason, possibly empty.
        reason: Text,
    },
    /// The stream ended without a Close frame.
    Ended,
    /// Reading or writing failed (a reset, a broken pipe), and no Close frame was found behind it.
    Broken(Text),
    /// Nobody listens there.
    Unreachable(Text),
    /// The name could not be resolved.
    Unresolved(Text),
    /// A proxy on the way does not let us through: it does not take our credentials, or its rules forbid it. An HTTP proxy
    /// says so with a status, which is a [`Cause::Http`].
    Denied(Text),
    /// TLS failed.
    Tls {
        /// Whether it was the peer's certificate that was not accepted.
        certificate: bool,
        /// What the TLS library says.
        message: Text,
    },
    /// The server answered the upgrade with something else than 101, or a proxy before it did not open a tunnel to it.
    Http(Box<HttpAnswer>),
    /// The server answered 101, but not as RFC 6455 section 4.1 demands.
    Handshake(Text),
    /// The peer broke the framing rules; the code is the one that RFC 6455 gives for it (1002, 1007, 1009).
    Violation {
        /// 1002, 1007 or 1009.
        code: CloseCode,
        /// What the framing layer says.
        message: Text,
    },
    /// The dialer itself could not go on, for instance because the URL makes no sense. Trying again would
    /// not help.
    Impossible(Text),
}

/// An answer to the upgrade that was not 101, or of a proxy that did not open a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Whether a proxy before the server said so. What is done about it is the same: a 407 is a proxy's, and its 502 and 504
    /// are about the server.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub proxy: bool,
    /// How long `Retry-After` asks to wait (a date has been turned into a duration by the transport; one that has passed
    /// asks for nothing). Zero asks us to come back at once, which is at the floor, each time.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub retry_after: Option<Duration>,
    /// The headers, bounded by the transport.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::headers"))]
    pub headers: Vec<(Text, Bytes)>,
    /// The beginning of the body, bounded by the transport.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
    pub body: Bytes,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Kind {
    /// The peer ended the connection, or would not have it.
    ConnectionFailed,
    /// The peer does not accept who we say we are.
    AuthenticationFailed,
    /// The service cannot serve just now.
    ServiceUnavailable,
    /// Somebody does not speak the protocol.
    ProtocolError,
    /// Something took too long.
    Timeout,
    /// The network failed.
    NetworkError,
}

impl Kind {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::ConnectionFailed,
        Self::AuthenticationFailed,
        Self::ServiceUnavailable,
        Self::ProtocolError,
        Self::Timeout,
        Self::NetworkError,
    ];

    /// The name that logs and user interfaces use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionFailed => "connection_failed",
            Self::AuthenticationFailed => "authentication_failed",
            Self::ServiceUnavailable => "service_unavailable",
            Self::ProtocolError => "protocol_error",
            Self::Timeout => "timeout",
            Self::NetworkError => "network_error",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Recovery {
    /// Try again, with the backoff.
    Retry,
    /// Try again, and not before this time has passed.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    RetryAfter(Duration),
    /// Try again with fresh credentials.
    Reauthenticate,
    /// Stop.
    Fatal,
}

/// The number that the peer or the protocol gave to a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Code {
    /// A WebSocket close code.
    Close(CloseCode),
    /// An HTTP status.
    Http(u16),
    /// A name of the protocol's own.
    Named(Text),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(code) => write!(f, "close {code}"),
            Self::Http(status) => write!(f, "HTTP {status}"),
            Self::Named(name) => fmt::Display::fmt(name, f),
        }
    }
}

/// One failure of a session.
///
/// ```
/// use steadfast::{
///     Action, Cause, Commands, Config, Down, HttpAnswer, Kind, LinkId, Plain, Recovery, Report, Session, Timestamp,
/// };
///
/// let mut session = Session::new(Plain, Config::default(), 7)?;
/// let (now, mut actions) = (Timestamp::ZERO, Vec::new());
/// session.connect(now, &mut actions);
/// let cause = Cause::Http(Box::new(HttpAnswer { status: 404, ..HttpAnswer::default() }));
/// let down = Down { cause, left: 0, verdict: None };
/// session.report(now, LinkId(1), Report::Down(Box::new(down)), &mut actions);
/// let Some(Action::EmitError(error)) = actions.iter().find(|action| matches!(action, Action::EmitError(_))) else {
///     panic!("it has failed");
/// };
/// assert_eq!((error.kind, error.recovery), (Kind::ProtocolError, Recovery::Fatal));
/// assert_eq!(error.to_string(), "protocol_error: the server answered the upgrade with HTTP 404 (HTTP 404)");
/// # Ok::<(), steadfast::BadConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Error {
    /// Its number in this session, counted from 1; events refer to it.
    pub number: u64,
    /// What kind it is.
    pub kind: Kind,
    /// The code that came with it.
    pub code: Option<Code>,
    /// What happened, for people.
    pub message: Text,
    /// What the server answered to the upgrade, if that was the failure; of a long answer the beginning: up to 64
    /// headers of 8 KiB in all, and 4 KiB of the body. In place of a header or a body that shows the credential, or one of
    /// the last before it, stands that it does.
    pub details: Option<Box<HttpAnswer>>,
    /// What is done about it.
    pub recovery: Recovery,
    /// How long the peer asked us to stay away, by any means.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub retry_after: Option<Duration>,
    /// Which attempt in a row it was; see [`crate::Attempt::attempt`].
    pub attempt: u64,
    /// The link that failed.
    pub link: LinkId,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {}

/// The peer said no: to a login, a request, a topic, a message. Or we do, to a call of the peer's.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Rejected {
    /// The peer's own name for the reason.
    pub code: Option<Text>,
    /// What the peer says.
    pub message: Text,
    /// When the peer asks to try again.
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub retry_after: Option<Duration>,
    /// What the protocol knows should be done; `None` leaves it to the table.
    pub recovery: Option<Recovery>,
    /// The peer's answer as it came, for those who want to look; of a long one the beginning.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::maybe_bytes"))]
    pub data: Option<Bytes>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => fmt::Display::fmt(&self.message, f),
        }
    }
}

impl core::error::Error for Rejected {}

/// The application asked for something impossible. The message comes back.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<M> {
    /// Why it was not accepted.
    pub why: Why,
    /// The message, untouched.
    pub message: M,
}

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Why {
    /// The queue is at its bound. `Event::Room` says when to try again.
    Full,
    /// The message is larger than `Config::max_message` or than what the peer takes.
    TooBig {
        /// Its size in bytes, as encoded.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The protocol can never send this.
    Unfit(Box<Unfit>),
    /// The protocol has no acknowledgements, so `AtLeastOnce` cannot be promised.
    NoAcks,
    /// It is of class `Latest` and has no key.
    NoKey,
    /// It is to leave at once (`Volatile`) or to pass the queue by (`Bypass`), and there is no room for that now.
    NotNow,
    /// It is of class `Bypass` and no link is open.
    NoLink,
    /// The session drains or has stopped; a connect command starts it again.
    Stopped,
    /// The protocol has no topics.
    NoTopics,
    /// There are as many topics as there may be.
    TooManyTopics {
        /// The limit.
        limit: u32,
    },
    /// The topic is not subscribed to.
    NotSubscribed,
    /// The topic has no snapshot that could be asked for.
    NoSnapshot,
    /// There is no [`Bucket`](crate::Bucket) of the name that it is to draw on.
    NoBucket,
    /// It takes more slots than pacing can ever have for it.
    TooHeavy {
        /// How many it takes.
        weight: u32,
        /// How many there are: the limit without the reserve.
        limit: u32,
    },
    /// It is a request, the protocol has no answers, and no name is given that would answer it.
    NoReplies,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full; wait for room, raise its bound or choose an overflow policy"),
            Self::TooBig { size, limit } => write!(f, "the message has {size} bytes and the limit is {limit}"),
            Self::Unfit(unfit) => write!(f, "the protocol cannot send this: {unfit}"),
            Self::NoAcks => f.write_str("the protocol has no acknowledgements; use the class at_most_once"),
            Self::NoKey => f.write_str("a message of class latest needs a key; use SendOptions::latest"),
            Self::NotNow => f.write_str("it cannot leave at once; send it again later, or in a class that waits"),
            Self::NoLink => f.write_str("no link is open that it could belong to; send it when one is"),
            Self::NoReplies => f.write_str(
                "the protocol has no answers; say which message answers it with RequestOptions::answered_by",
            ),
            Self::Stopped => f.write_str("the session drains or has stopped; connect again first"),
            Self::NoTopics => f.write_str("the protocol has no topics; its messages come unasked"),
            Self::TooManyTopics { limit } => {
                write!(f, "there are {limit} topics already; unsubscribe some or raise subscriptions.max_topics")
            }
            Self::NotSubscribed => f.write_str("the topic is not subscribed to; subscribe first"),
            Self::NoSnapshot => f.write_str("the topic has no snapshot; subscribe with SubscribeOptions::snapshot"),
            Self::NoBucket => f.write_str("there is no bucket of that name; name one of pacing.buckets"),
            Self::TooHeavy { weight, limit } => {
                write!(f, "the message takes {weight} slots and pacing never has more than {limit}; split it")
            }
        }
    }
}

impl core::error::Error for Why {}

impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<M> fmt::Display for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.why, f)
    }
}

impl<M> core::error::Error for Refused<M> {}

/// Why a protocol can never send a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Unfit(pub Text);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl core::error::Error for Unfit {}
