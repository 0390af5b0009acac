//! What a session answers: actions for the driver, events for the application.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use bytes::Bytes;

use super::{Outcome, Reply, TopicNews};
use crate::{
    AskWhy, Blame, CloseCode, Complaint, Error, Frame, GoAway, Level, Limit, Mark, Rejected, Resumed, Secret, Text,
    Timestamp, shown_address,
};

/// The number of an attempt to connect, and of the link that may come of it. Never used twice in a
/// session, so a late report of an old link can do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinkId(pub u64);

/// The id of something that a session was asked to do: a message, a request, a subscription operation.
/// One row of numbers for all, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OpId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What the driver shall do. Not `non_exhaustive`, so that a driver that forgets one does not compile.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Action<I, T> {
    /// Dial. The result comes as `Report::Up` or `Report::Down` of this link.
    Connect(Box<Attempt>),
    /// Ask the host for a credential. The answer comes as [`Command::Credential`](super::Command::Credential), within
    /// [`CredentialPolicy::answer_timeout`](super::CredentialPolicy::answer_timeout). A new question, and an
    /// [`Action::Abort`] of the link, take the place of the last one: nobody waits for its answer any more.
    AskCredential {
        /// The number of the question.
        ask: u64,
        /// The attempt that waits for the answer, or the link whose login runs out.
        link: LinkId,
        /// Why: whether what the host has at hand will do.
        why: AskWhy,
    },
    /// Hand this frame to the transport. Nothing needs to leave before [`Action::FlushQueue`].
    Send {
        /// The link.
        link: LinkId,
        /// The frame.
        frame: Frame,
        /// Whether it holds a credential, so that no log and no trace may show it.
        secret: bool,
    },
    /// When all actions at hand have been performed, write out what was sent; then report
    /// `Report::Flushed`. At most one is outstanding for a link.
    FlushQueue(LinkId),
    /// Say goodbye after what was sent. The end comes as `Report::Down`, or the session aborts.
    Close {
        /// The link.
        link: LinkId,
        /// The code of the Close frame.
        code: CloseCode,
        /// Its reason.
        reason: Text,
    },
    /// Drop the attempt or the link at once. No report of it is needed any more. It comes also for an attempt that never
    /// had its [`Connect`](Self::Connect), because the host was still asked for a credential.
    Abort(LinkId),
    /// An announcement for people and schedulers: unless something changes, the next attempt is made at
    /// this time. The session dials by itself; a driver has nothing to do here.
    ReconnectAfter {
        /// When.
        at: Timestamp,
        /// The attempt that is waited for; see [`Attempt::attempt`].
        attempt: u64,
        /// The number of the failure it waits after; 0 if there was none.
        error: u64,
    },
    /// A failure, for the application and its logs.
    EmitError(Box<Error>),
    /// Something happened that the application wants to know.
    Emit(Event<I, T>),
}

/// Shows everything but a frame that holds a credential; of that the length.
impl<I: fmt::Debug, T: fmt::Debug> fmt::Debug for Action<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(attempt) => f.debug_tuple("Connect").field(attempt).finish(),
            Self::Send { link, frame, secret: true } => write!(f, "Send({link}, {} secret bytes)", frame.len()),
            Self::Send { link, frame, secret: false } => write!(f, "Send({link}, {frame:?})"),
            Self::AskCredential { ask, link, why } => write!(f, "AskCredential({ask}, {link}, {why:?})"),
            Self::FlushQueue(link) => write!(f, "FlushQueue({link})"),
            Self::Close { link, code, reason } => write!(f, "Close({link}, {code}, {reason:?})"),
            Self::Abort(link) => write!(f, "Abort({link})"),
            Self::ReconnectAfter { at, attempt, error } => f
                .debug_struct("ReconnectAfter")
                .field("at", at)
                .field("attempt", attempt)
                .field("error", error)
                .finish(),
            Self::EmitError(error) => f.debug_tuple("EmitError").field(error).finish(),
            Self::Emit(event) => f.debug_tuple("Emit").field(event).finish(),
        }
    }
}

/// What is needed to dial.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Attempt {
    /// The number that reports about it carry.
    pub link: LinkId,
    /// Which attempt in a row: one more than the failures in a row, of which the loss of a stable link is the first.
    pub attempt: u64,
    /// Where to: one of the endpoints of the session; `None` is the dialer's own.
    pub endpoint: Option<Text>,
    /// The subprotocols to offer, in order of preference.
    pub subprotocols: Vec<&'static str>,
    /// The largest message that the transport needs to accept, in bytes.
    pub max_message: u32,
    /// The credential, if it is to be used at the dial: see [`CredentialUse`](super::CredentialUse). It belongs into a
    /// header, and never into an address.
    pub credential: Option<Secret>,
}

/// Shows everything but what may be a credential.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, attempt, endpoint, subprotocols, max_message, credential } = self;
        f.debug_struct("Attempt")
            .field("link", link)
            .field("attempt", attempt)
            .field("endpoint", &endpoint.as_ref().map(|endpoint| shown_address(endpoint.as_str())))
            .field("subprotocols", subprotocols)
            .field("max_message", max_message)
            .field("credential", credential)
            .finish()
    }
}

impl Attempt {
    /// The first attempt of a session, with no wishes: for testing a dialer.
    #[must_use]
    pub const fn new(link: LinkId) -> Self {
        Self { link, attempt: 1, endpoint: None, subprotocols: Vec::new(), max_message: 16 << 20, credential: None }
    }
}

/// What happened, for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u64)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Event<I, T> {
    /// A message of the peer.
    Message {
        /// The message.
        message: I,
        /// The topic it belongs to.
        topic: Option<T>,
        /// Its id, position, call: where it has any.
        mark: Mark,
        /// The link it came on.
        link: LinkId,
    },
    /// The session is in another phase.
    Phase(Box<Change>),
    /// What became of a message that is no request. Always told for tracked messages; for the others only if they were
    /// neither written nor acknowledged.
    Outcome {
        /// Which message.
        id: OpId,
        /// What became of it.
        outcome: Outcome,
        /// The host's note: [`SendOptions::label`](crate::SendOptions::label).
        label: Option<Text>,
    },
    /// There is room again after a message was refused because the queue was full.
    Room,
    /// The queue holds more than [`QueuePolicy::high`](crate::QueuePolicy::high) of its bounds, or after that no more
    /// than `low`.
    Watermark {
        /// Which of the two.
        high: bool,
    },
    /// The server asks us to leave, and says so before it closes.
    GoingAway(Box<GoAway>),
    /// The peer said something that makes no sense; the link went on or was closed as the complaint says.
    Bad(Box<Complaint>),
    /// The peer reported an error that belongs to nothing in particular.
    Trouble(Box<Rejected>),
    /// The session has been without a link for [`Config::degraded_after`](crate::Config::degraded_after): a host that
    /// has another way should take it.
    Degraded,
    /// It is online again, after it was called degraded.
    Recovered,
    /// How good it is has changed: worse at once, better only when it has been for a while.
    Level(Level),
    /// The login could not be renewed: the host had nothing, or the server did not want it. It holds until it runs out,
    /// and renewing it is tried again before that.
    RefreshFailed {
        /// What the one or the other says.
        why: Text,
    },
    /// A message of the peer was dropped, because one with the same id has come before: see
    /// [`DedupPolicy::incoming`](crate::DedupPolicy::incoming).
    Duplicate {
        /// The id; of a long one its first 1,024 bytes.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::bytes::serialize"))]
        id: Bytes,
        /// The link it came on.
        link: LinkId,
    },
    /// News about a topic.
    Topic {
        /// Which.
        topic: T,
        /// What is new.
        news: TopicNews,
    },
    /// The snapshot of a topic: [`SubscribeOptions::snapshot`](crate::SubscribeOptions::snapshot). What was held for it
    /// follows.
    Snapshot {
        /// Which.
        topic: T,
        /// The answer to the request.
        message: I,
    },
    /// All topics that had to be asked for on this link have been answered.
    Restored {
        /// How many the link has.
        topics: u32,
    },
    /// What became of a request: its answer, or why there is none. The only end it has.
    Reply(Box<Reply<I>>),
}

/// A change of phase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Change {
    /// The phase that was left.
    pub from: Phase,
    /// The phase that was entered.
    pub to: Phase,
    /// When.
    pub at: Timestamp,
    /// The link it is about: the one that came, or the one that was lost.
    pub link: Option<LinkId>,
    /// Which attempt in a row; see [`Attempt::attempt`].
    pub attempt: u64,
    /// The failure that led here, by its number.
    pub error: Option<u64>,
    /// Its message.
    pub cause: Option<Text>,
    /// When the next attempt is made. `None` if one is under way, or if none comes unless something is done: after a stop,
    /// while suspended or asleep, or while the network is lost for good.
    pub retry_at: Option<Timestamp>,
    /// Whether the peer kept our session (entering `Online` only).
    pub resumed: Resumed,
    /// Messages that ended written on the link that was lost, and of which no pong proves that the peer has read them
    /// (leaving `Online`). Those that ended written after our goodbye are told with the next change, unless the peer has
    /// answered it. Those of class `Bypass` are not counted.
    pub suspect: u64,
    /// What it was given up with (entering `Stopped(Failed)` only).
    pub gave_up: Option<Box<GaveUp>>,
}

/// Why nothing more is tried: how it began, and how it ended. The only event that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct GaveUp {
    /// The limit of the application's that was reached; `None` if the last failure is one that trying again cannot mend.
    pub limit: Option<Limit>,
    /// The first failure since a link last held.
    pub first: Blame,
    /// The last one.
    pub last: Blame,
}

/// Where a session stands. Derived from what it wants and has, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Phase {
    /// No link is wanted: not asked to connect yet, or asleep until there is something to send.
    #[default]
    Idle,
    /// A dial is under way.
    Connecting,
    /// The transport is open and the login is under way.
    Authenticating,
    /// What the peer must know about us is being told anew.
    Restoring,
    /// Messages flow.
    Online,
    /// Between two attempts.
    Waiting,
    /// Asked to be quiet for a while, and to come back.
    Suspended,
    /// Finishing what was accepted, then stopping.
    Draining,
    /// Over, until a connect command.
    Stopped(StopCause),
}

/// Why a session stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum StopCause {
    /// It was told to.
    User,
    /// A failure that trying again cannot mend.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Authenticating => "authenticating",
            Self::Restoring => "restoring",
            Self::Online => "online",
            Self::Waiting => "waiting",
            Self::Suspended => "suspended",
            Self::Draining => "draining",
            Self::Stopped(StopCause::User) => "stopped",
            Self::Stopped(StopCause::Failed) => "failed",
        })
    }
}

const _: () = {
    assert!(size_of::<Action<Frame, crate::Never>>() <= 64);
    assert!(size_of::<Event<Frame, crate::Never>>() <= 64);
};
