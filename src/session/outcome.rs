//! What becomes of a message.

use alloc::boxed::Box;
use core::fmt;

use super::OpId;
use crate::{Class, Rejected, Text, Timestamp};

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
