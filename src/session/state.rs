//! What is wanted, and what is the case: what settling compares.

use alloc::boxed::Box;

use super::{LinkId, OpId, StopCause};
use crate::{Error, Limit, Resumed, Text, Timestamp};

/// What the application wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    pub(super) online: bool,
    pub(super) end: Option<End>,
    /// The present link, or the one that is leaving, leads where we are no longer to be.
    pub(super) elsewhere: bool,
}

/// The session shall end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) cause: StopCause,
    /// When to stop waiting for what was accepted.
    pub(super) by: Option<Timestamp>,
    /// Do not wait.
    pub(super) at_once: bool,
}

/// What is the case beside the links.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) ended: Option<StopCause>,
    /// The wait after the last failure.
    pub(super) retry_at: Option<Timestamp>,
    /// Somebody asked for that wait: the server, the host or the table.
    pub(super) is_asked: bool,
    /// What the application gave up with, beside the failures.
    pub(super) limit: Option<Limit>,
    /// What was accepted up to this message was for another destination, and is not sent to this one.
    pub(super) stays_behind: Option<OpId>,
    pub(super) last_dial: Option<Timestamp>,
    /// The time of the next dial that was last announced.
    pub(super) announced: Option<Timestamp>,
    /// Breaches of the framing in a row.
    pub(super) violations: u32,
    pub(super) resumed: Resumed,
    pub(super) errors: u64,
    /// What the last link wrote without proof that it was read; until it is told.
    pub(super) suspect: u64,
    /// The number of the failure that the session is waiting after, or ended by; 0 if there was none.
    pub(super) failure: u64,
    pub(super) last_error: Option<Text>,
    /// The last failure, if the server is to be told of it.
    pub(super) to_tell: Option<Box<Error>>,
    pub(super) last_link: Option<LinkId>,
    /// What the last answer with content was to.
    pub(super) last_item: Option<OpId>,
    /// Some link came online before.
    pub(super) was_online: bool,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) last_reconnect: Option<Timestamp>,
    pub(super) last_disconnect: Option<Timestamp>,
}

/// One of the three places for links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Link,
    Next,
    Leaving,
}

/// The link at a place, where the rest of the session is borrowed as well.
#[inline]
pub(super) const fn slot_of<'a, L>(
    link: &'a mut Option<L>,
    next: &'a mut Option<L>,
    leaving: &'a mut Option<L>,
    place: Place,
) -> &'a mut Option<L> {
    match place {
        Place::Link => link,
        Place::Next => next,
        Place::Leaving => leaving,
    }
}
