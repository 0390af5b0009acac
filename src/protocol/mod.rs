//! The seam between the session and what is spoken over it.
//!
//! A protocol owns grammar and nothing else: it turns frames into meanings ([`Heard`]) and intentions
//! ([`Say`]) into frames. Ids, timers, queues, numbers and retries are the session's. What a protocol
//! must remember has two lifetimes and so two places: `self` lives as long as the session,
//! [`Protocol::Link`] dies with the link.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};

use bytes::Bytes;

use crate::{CloseCode, Error, Frame, Handshake, OpId, Recovery, Rejected, Secret, Text, Timestamp, Unfit};

#[cfg(feature = "json")]
pub mod json;
mod plain;
mod words;

pub use plain::Plain;
pub use words::{
    Acks, Comeback, Complaint, GoAway, Limits, Mark, Marks, Never, Outgoing, Resumed, Topics, Tuning, Who,
};

/// What is spoken over a link.
///
/// Rules for those who write one:
///
/// * [`decode`](Self::decode) yields at most [`Limits::heard_max`] meanings a frame; more is a complaint.
/// * A protocol keeps at most [`Limits::max_message`] bytes in its [`Link`](Self::Link).
/// * A message, a request and a batch become at least one frame each: their outcome hangs on it.
/// * What is put around the members of a batch takes at most 256 bytes, and a member no more than it would alone.
/// * What arrives before the login is answered and does not belong to the login is reported as a
///   complaint by the session, unless the protocol held it back itself.
/// * `Heard` for an id that nobody waits for any more is counted, and is never an error. One for an id that was never given
///   is a minor complaint of the session's, like an answer to a login that nobody began.
///
/// ```
/// use steadfast::{Abilities, Complaint, Frame, Heard, Mark, Never, Protocol, Say, Text, Timestamp, Unfit};
///
/// /// Lines of text; the first one is the password, and `welcome` is its answer.
/// struct Lines;
///
/// impl Protocol for Lines {
///     type Message = Text;
///     type Incoming = Text;
///     type Topic = Never;
///     /// Whether the login was answered.
///     type Link = bool;
///
///     fn abilities(&self) -> Abilities {
///         Abilities { login: true, ..Abilities::default() }
///     }
///
///     fn admit(&self, message: &Text) -> Result<u32, Unfit> {
///         u32::try_from(message.len()).map_err(|_| Unfit("longer than 4 GiB".into()))
///     }
///
///     fn decode(&mut self, is_in: &mut bool, frame: Frame, heard: &mut Vec<Heard<Text, Never>>) {
///         heard.push(match frame {
///             Frame::Text(text) if !*is_in && text.as_str() == "welcome" => {
///                 *is_in = true;
///                 Heard::LoginOk { resumed: Default::default(), expires: None, client_id: None }
///             }
///             Frame::Text(message) => Heard::Message { message, topic: None, mark: Mark::NONE },
///             _ => Heard::Bad(Complaint::minor("not a line")),
///         });
///     }
///
///     fn encode(&mut self, _: &mut bool, _: Timestamp, say: Say<'_, Text, Never>, frames: &mut Vec<Frame>) {
///         match say {
///             Say::Login { credential, .. } => {
///                 let password = credential.map_or(&b""[..], |secret| secret.expose());
///                 frames.push(Frame::Text(String::from_utf8_lossy(password).into_owned().into()));
///             }
///             Say::Message(out) => frames.push(Frame::Text(out.message.clone())),
///             _ => {} // what the abilities do not name is not asked for
///         }
///     }
/// }
/// ```
pub trait Protocol {
    /// What the application sends.
    type Message;
    /// What the application receives.
    type Incoming;
    /// What the application subscribes to; [`Never`] where there is no such thing.
    type Topic: Clone + Ord;
    /// What is known of one link only. Dropping it is the reset.
    type Link: Default;

    /// What this protocol can do: the same for as long as the session lives, because messages are accepted
    /// on the strength of it while there is no link. A protocol that negotiates and does not get what it
    /// needs says so in [`up`](Self::up).
    fn abilities(&self) -> Abilities;

    /// The subprotocols to offer in the handshake, in order of preference.
    fn subprotocols(&self) -> &[&'static str] {
        &[]
    }

    /// The transport is open; here is what was negotiated, and how much may be taken from this link.
    ///
    /// # Errors
    ///
    /// A complaint ends the attempt, for instance because the server took no subprotocol.
    fn up(&mut self, _link: &mut Self::Link, _handshake: &Handshake, _limits: Limits) -> Result<(), Complaint> {
        Ok(())
    }

    /// Asked when a message is accepted: can it ever be sent, and how many bytes will it take at most?
    /// Encoding cannot fail afterwards.
    ///
    /// # Errors
    ///
    /// [`Unfit`] goes back to the application together with its message.
    fn admit(&self, message: &Self::Message) -> Result<u32, Unfit>;

    /// What makes a message what it is: feeds its content, piece by piece. Two messages with the same pieces in the same
    /// order are the same; where one piece ends and the next begins counts. What differs each time it is said, as an id
    /// or a time, is not content. Asked only for [`Alike::ByContent`](crate::Alike::ByContent), and only of a protocol
    /// that says [`Abilities::contents`].
    fn content(&self, _message: &Self::Message, _feed: &mut dyn FnMut(&[u8])) {}

    /// A frame came; append what it means.
    fn decode(&mut self, link: &mut Self::Link, frame: Frame, heard: &mut Vec<Heard<Self::Incoming, Self::Topic>>);

    /// Something is to be said; append the frames. They stay together on the wire.
    fn encode(
        &mut self,
        link: &mut Self::Link,
        now: Timestamp,
        say: Say<'_, Self::Message, Self::Topic>,
        frames: &mut Vec<Frame>,
    );

    /// The short way for a frame that is one message and says nothing else: the message without topic and mark that
    /// [`decode`](Self::decode) would make of it. Any other frame comes back, and is decoded.
    ///
    /// # Errors
    ///
    /// The frame, if it has to go the long way. Protocols with an envelope leave this out.
    #[inline]
    fn as_message(&mut self, _link: &mut Self::Link, frame: Frame) -> Result<Self::Incoming, Frame> {
        Err(frame)
    }

    /// The short way for a message that becomes one frame as it is: the frame that [`encode`](Self::encode) would make
    /// of it. `None` if it has to be encoded.
    #[inline]
    fn as_frame(&mut self, _link: &mut Self::Link, _message: &Self::Message) -> Option<Frame> {
        None
    }

    /// Whether a topic needs no frame, because what belongs to it comes anyway: it is implied by the address, or known by
    /// the kind of its messages. It is confirmed at once. [`Heard::Message`] names it like any other.
    fn is_local(&self, _topic: &Self::Topic) -> bool {
        false
    }

    /// Its own close codes, asked before the table.
    fn classify(&self, _code: CloseCode, _reason: &str) -> Option<Recovery> {
        None
    }

    /// The name of a message: what a request is [answered by](crate::RequestOptions::answered_by) where answers have no
    /// ids. Asked only while such a request waits. A message that goes the short way
    /// ([`as_message`](Self::as_message)) is asked for no name.
    fn name_of<'a>(&self, _message: &'a Self::Incoming) -> Option<&'a str> {
        None
    }

    /// A name as names are compared, where there are several ways to spell one.
    fn spelled<'a>(&self, name: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(name)
    }

    /// The name of [`Heard::Trouble`], so that a request can be [failed by](crate::RequestOptions::failed_by) it.
    fn name_of_trouble(&self) -> Option<&str> {
        None
    }

    /// What a message says that means no to a request, by its name.
    fn refusal_in(&self, _message: &Self::Incoming) -> Rejected {
        Rejected::default()
    }

    /// When the peer wants us back, by the reason of its Close frame. Unlike [`classify`](Self::classify) this leaves it to
    /// the table what kind of failure it is and whether the credential was refused; a wait comes on top, and the longest
    /// that was asked for counts.
    fn comeback(&self, _code: CloseCode, _reason: &str) -> Comeback {
        Comeback::Whenever
    }

    /// Who we are. A session says so when it is made, and again when that changes.
    fn introduce(&mut self, _who: &Who<'_>) {}

    /// What lets the next process go on where this one stopped: a resume token, an offset.
    fn keepsake(&self) -> Option<Bytes> {
        None
    }

    /// Takes back what [`keepsake`](Self::keepsake) gave.
    fn recall(&mut self, _keepsake: &[u8]) {}
}

/// What a protocol can do. What it cannot is refused at once instead of failing late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Abilities {
    /// The server speaks first and the login waits for it.
    pub hello: bool,
    /// There is a login by message.
    pub login: bool,
    /// How the peer confirms messages.
    pub acks: Acks,
    /// Requests are answered.
    pub replies: bool,
    /// Whether there are topics, and how many of them one operation can name.
    pub topics: Topics,
    /// Subscriptions are confirmed.
    pub confirms: bool,
    /// Several messages can leave as one.
    pub batches: bool,
    /// Who probes, and how.
    pub pings: Pings,
    /// Messages can be told apart by their content: see [`Protocol::content`].
    pub contents: bool,
}

/// Who probes the link, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Pings {
    /// We do, with the WebSocket's own ping frames (RFC 6455 section 5.5.2).
    #[default]
    Frames,
    /// We do, with a message of the protocol ([`Say::Ping`], answered by [`Heard::Pong`]).
    Ours,
    /// The server does; we answer ([`Heard::Ping`], [`Say::Pong`]) and expect to hear from it.
    Theirs,
}

/// What the peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<I, T> {
    /// A message for the application.
    Message {
        /// The message.
        message: I,
        /// The topic it belongs to.
        topic: Option<T>,
        /// Its id, position, call: where it has any.
        mark: Mark,
    },
    /// A part of the answer to our request or subscription `op`. The first one answers a request; what comes after it is
    /// late. What answers a message that is no request is a message.
    Item {
        /// Which.
        op: OpId,
        /// The part.
        message: I,
    },
    /// `op` is over: answered without a body, a stream ended, a subscription confirmed or refused, a
    /// message acknowledged or refused. Of several topics of one operation it settles those that were not
    /// settled by name.
    Done {
        /// Which.
        op: OpId,
        /// How it went.
        result: Result<(), Box<Rejected>>,
    },
    /// A topic was confirmed.
    Confirmed {
        /// Which.
        topic: T,
    },
    /// The peer dropped a topic; it is asked for again.
    TopicLost {
        /// Which.
        topic: T,
        /// What the peer says.
        why: Box<Rejected>,
    },
    /// A topic is over, or was refused, and is not asked for again.
    TopicEnded {
        /// Which.
        topic: T,
        /// What the peer says, if it is not simply over.
        why: Option<Box<Rejected>>,
    },
    /// The peer has our message `op`.
    Acked {
        /// Which.
        op: OpId,
    },
    /// The peer has all our messages up to this number.
    AckedUpTo {
        /// The last of them.
        number: u64,
    },
    /// All that the same frame says after this is number so-and-so of the peer's. It is to be confirmed when
    /// the application has taken all of it; at once, if nothing is for the application.
    Track {
        /// Its number.
        number: u64,
    },
    /// The server's greeting.
    Hello(Box<Tuning>),
    /// One more step of the login: answered with [`Say::Login`] and this challenge.
    Challenge(Bytes),
    /// The login succeeded.
    LoginOk {
        /// Whether the peer kept our session.
        resumed: Resumed,
        /// When the credential runs out, if the peer says so.
        expires: Option<Timestamp>,
        /// The id that the peer gave us, if it does so here and not in its greeting.
        client_id: Option<Text>,
    },
    /// The login was refused. On a link that is online, and renews none, it ends nothing: that one is valid no longer is
    /// said by [`LoginLost`](Self::LoginLost).
    LoginRefused(Box<Rejected>),
    /// The login that had succeeded is no longer valid.
    LoginLost(Box<Rejected>),
    /// A ping of the protocol's; answered with [`Say::Pong`].
    Ping(Bytes),
    /// The answer to [`Say::Ping`].
    Pong,
    /// The server asks us to leave.
    GoAway(Box<GoAway>),
    /// The peer said an error that belongs to nothing in particular.
    Trouble(Box<Rejected>),
    /// The frame makes no sense.
    Bad(Complaint),
}

/// What the session wants said.
#[expect(missing_debug_implementations, reason = "a batch is an iterator, and a login is secret")]
pub enum Say<'a, M, T> {
    /// The login, or one more step of it.
    Login {
        /// The credential, if one is set.
        credential: Option<&'a Secret>,
        /// The challenge to answer.
        challenge: Option<&'a [u8]>,
    },
    /// A message.
    Message(Outgoing<'a, M>),
    /// A request.
    Request(Outgoing<'a, M>),
    /// Several messages as one.
    Batch(&'a mut dyn Iterator<Item = Outgoing<'a, M>>),
    /// The answer to `op` is no longer wanted. A protocol that has no word for it says nothing.
    Cancel {
        /// Which.
        op: OpId,
    },
    /// Topics are wanted.
    Subscribe {
        /// The operation, to be found again in the answer.
        op: OpId,
        /// Which.
        topics: &'a [T],
    },
    /// Topics are no longer wanted.
    Unsubscribe {
        /// The operation, to be found again in the answer.
        op: OpId,
        /// Which.
        topics: &'a [T],
    },
    /// The answer to the peer's call.
    Reply {
        /// The call's id, from [`Mark`].
        call: &'a Bytes,
        /// The answer.
        answer: Result<&'a M, &'a Rejected>,
    },
    /// We have all the peer's messages up to this number.
    Ack {
        /// The last of them.
        number: u64,
    },
    /// We have the peer's message of this id.
    AckOf {
        /// The id, from [`Mark`].
        id: &'a Bytes,
    },
    /// A probe.
    Ping,
    /// The answer to the peer's ping.
    Pong(Bytes),
    /// An earlier failure, after the login that followed it: see
    /// [`ErrorPolicy::tell_server`](crate::ErrorPolicy::tell_server). A protocol that has no word for it says nothing.
    Report(&'a Error),
    /// A goodbye of the protocol's own, before the Close frame.
    Bye,
}

const _: () = assert!(size_of::<Heard<Frame, Never>>() <= 64);
