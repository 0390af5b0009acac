//! What becomes of a message, and what a caller is told at once.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::OpId;
use crate::{BadConfig, BadEndpoints, Class, Rejected, Text, Timestamp, Why};

/// What became of a message. Each accepted message has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// It is with the operating system. The peer may have it.
    Written,
    /// The peer said that it has it.
    Acked,
    /// Its time ran out before it left. The peer does not have it.
    Expired,
    /// It was dropped before it left. The peer does not have it.
    Dropped(Dropped),
    /// It was taken back before it left. The peer does not have it.
    Cancelled,
    /// The peer said no.
    Failed(Box<Rejected>),
    /// It may have left, and the link or its time ended before more was known. The peer may have it.
    InDoubt,
    /// It is the same as this message, and was not sent. What becomes of that one becomes of it. See
    /// [`DedupPolicy`](crate::DedupPolicy).
    Duplicate(OpId),
}

impl Outcome {
    /// Whether the peer certainly does not have the message, so that sending it anew does nothing twice.
    pub(super) const fn is_never_there(&self) -> bool {
        match self {
            Self::Expired | Self::Dropped(_) | Self::Cancelled | Self::Failed(_) => true,
            Self::Written | Self::Acked | Self::InDoubt | Self::Duplicate(_) => false,
        }
    }
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Dropped {
    /// A newer message needed the room, or this one came when there was none.
    Overflow,
    /// A newer message took its place.
    Replaced,
    /// It belonged to its link, or could not wait for the next one.
    LinkGone,
    /// The session stopped.
    Stopped,
    /// The server said that it does not take so large a message.
    TooBig,
    /// It was for another destination: see [`Queued::ComeBack`](super::Queued::ComeBack).
    Elsewhere,
}

/// A message that was taken back from the queue.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TakenBack<M> {
    /// Its id.
    pub id: OpId,
    /// What was promised for it.
    pub class: Class,
    /// Its size, as encoded.
    pub bytes: u32,
    /// When it was accepted, give or take a millisecond.
    pub enqueued_at: Timestamp,
    /// Links that it was given to, and that died before it left; 255 at most.
    pub attempts: u32,
    /// The host's note.
    pub label: Option<Text>,
    /// The message.
    pub message: M,
}

/// Shows everything but the message, which may be secret.
impl<M> fmt::Debug for TakenBack<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, class, bytes, enqueued_at, attempts, label, message: _ } = self;
        f.debug_struct("TakenBack")
            .field("id", id)
            .field("class", class)
            .field("bytes", bytes)
            .field("enqueued_at", enqueued_at)
            .field("attempts", attempts)
            .field("label", label)
            .finish_non_exhaustive()
    }
}

/// What the caller of a command must know at once.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Answer<M> {
    /// Nothing to tell.
    Done,
    /// The message was accepted and has this id.
    Accepted(OpId),
    /// The message was not accepted. Here it is.
    Refused(Why, M),
    /// What a cancel found: the message, if it had not left.
    Cancelled(Option<M>),
    /// All that had not left, oldest first. Each has ended as cancelled, and here it is.
    CameBack(Vec<TakenBack<M>>),
    /// The list of endpoints was refused; nothing changed.
    BadEndpoints(BadEndpoints),
    /// The settings were refused; nothing changed.
    BadConfig(BadConfig),
    /// The report was of a link that is gone, or the answer to a question that is no longer asked; nothing changed but a
    /// counter.
    Stale,
    /// The topic cannot be subscribed to, or is not.
    Denied(Why),
}

/// Shows everything but messages, which may be secret.
impl<M> fmt::Debug for Answer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("Done"),
            Self::Accepted(id) => write!(f, "Accepted({id})"),
            Self::Refused(why, _) => write!(f, "Refused({why:?}, ..)"),
            Self::Cancelled(Some(_)) => f.write_str("Cancelled(Some(..))"),
            Self::Cancelled(None) => f.write_str("Cancelled(None)"),
            Self::CameBack(back) => f.debug_tuple("CameBack").field(back).finish(),
            Self::BadEndpoints(bad) => f.debug_tuple("BadEndpoints").field(bad).finish(),
            Self::BadConfig(bad) => f.debug_tuple("BadConfig").field(bad).finish(),
            Self::Stale => f.write_str("Stale"),
            Self::Denied(why) => f.debug_tuple("Denied").field(why).finish(),
        }
    }
}
