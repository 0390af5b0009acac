//! What a caller is told at once.

use alloc::vec::Vec;
use core::fmt;

use super::{OpId, TakenBack};
use crate::{BadConfig, BadEndpoints, Refused, Why};

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

impl<M> Answer<M> {
    /// Of a send or a request: its id, or the refusal with the message in it.
    ///
    /// # Errors
    ///
    /// It was not accepted.
    ///
    /// # Panics
    ///
    /// It is the answer to something else.
    #[inline]
    pub fn into_sent(self) -> Result<OpId, Refused<M>> {
        match self {
            Self::Accepted(id) => Ok(id),
            Self::Refused(why, message) => Err(Refused { why, message }),
            Self::Done
            | Self::Cancelled(_)
            | Self::CameBack(_)
            | Self::BadEndpoints(_)
            | Self::BadConfig(_)
            | Self::Denied(_)
            | Self::Stale => unreachable!("what is to be sent is accepted or refused"),
        }
    }

    /// Of an answer to a call of the peer's: its id.
    ///
    /// # Errors
    ///
    /// Why it was not accepted, and the message if it was one.
    ///
    /// # Panics
    ///
    /// It is the answer to something else.
    pub fn into_replied(self) -> Result<OpId, (Why, Option<M>)> {
        if let Self::Denied(why) = self {
            return Err((why, None));
        }
        self.into_sent().map_err(|Refused { why, message }| (why, Some(message)))
    }

    /// Of what is said of a topic.
    ///
    /// # Errors
    ///
    /// Why it was denied.
    pub fn into_topic(self) -> Result<(), Why> {
        if let Self::Denied(why) = self { Err(why) } else { Ok(()) }
    }

    /// Of new settings.
    ///
    /// # Errors
    ///
    /// What makes no sense in them.
    pub fn into_configured(self) -> Result<(), BadConfig> {
        if let Self::BadConfig(bad) = self { Err(bad) } else { Ok(()) }
    }

    /// Of new endpoints: what waited, if it was to come back.
    ///
    /// # Errors
    ///
    /// What is wrong with the list.
    pub fn into_moved(self) -> Result<Vec<TakenBack<M>>, BadEndpoints> {
        if let Self::BadEndpoints(bad) = self { Err(bad) } else { Ok(self.into_taken_back()) }
    }

    /// What came back; nothing, if it is the answer to something else.
    pub fn into_taken_back(self) -> Vec<TakenBack<M>> {
        if let Self::CameBack(messages) = self { messages } else { Vec::new() }
    }

    /// Of a cancel: the message, if it had not left.
    pub fn into_cancelled(self) -> Option<M> {
        if let Self::Cancelled(message) = self { message } else { None }
    }
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
