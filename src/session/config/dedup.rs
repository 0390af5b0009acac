//! What counts as the same message twice?

use core::time::Duration;

use crate::part::Span;

/// Which messages are taken to be the same as an earlier one, and not sent or not delivered. Off in both directions.
///
/// ```
/// use steadfast::{Action, Alike, Command, Commands, Config, Event, Frame, OpId, Outcome, Plain, SendOptions, Session};
/// use steadfast::Timestamp;
///
/// let mut config = Config::default();
/// config.dedup.outgoing = Alike::ByKey;
/// let (mut session, mut actions) = (Session::new(Plain, config, 7)?, Vec::new());
/// let order = || SendOptions::default().key("order 17");
/// let first = session.send_with(Timestamp::ZERO, Frame::from("a table"), order(), &mut actions)?;
/// let again = session.send_with(Timestamp::ZERO, Frame::from("a table"), order(), &mut actions)?;
/// let outcome = Event::Outcome { id: again, outcome: Outcome::Duplicate(first), label: None };
/// assert_eq!(actions, [Action::Emit(outcome)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct DedupPolicy {
    /// What makes two messages of ours the same. The second is accepted, gets an id of its own, takes no room, is not
    /// sent, and ends at once as [`Outcome::Duplicate`](crate::Outcome::Duplicate), which names the first. Once the first
    /// has ended and the peer certainly does not have it (`Expired`, `Dropped`, `Cancelled`, `Failed`) the next one like
    /// it is sent; while that is in doubt it is not. What a session sends again by itself passes no filter. Messages of
    /// the classes `Latest` and `Bypass` are the same as none. **off**
    pub outgoing: Alike,
    /// Whether a message of the peer is dropped if one with the same id ([`Marks::id`](crate::Marks::id), compared byte
    /// by byte) has come before, on this link or an earlier one. It is told as
    /// [`Event::Duplicate`](crate::Event::Duplicate). If it wants an acknowledgement and the application has taken the
    /// first one, it is acknowledged again. A message without an id, and a call that waits for its answer, always
    /// passes. **false**
    pub incoming: bool,
    /// For how long a message is remembered, counted from when it was accepted or came; `Duration::MAX`: until there are
    /// too many. **60 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub within: Duration,
    /// How many messages are remembered in each direction; the oldest are forgotten. One takes about a hundred bytes,
    /// however long it is. **4,096**
    pub count: u32,
}

/// What makes two messages the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Alike {
    /// Nothing: each is sent.
    #[default]
    Off,
    /// The same [`SendOptions::key`](crate::SendOptions::key). One without a key is the same as none.
    ByKey,
    /// The same content, whatever the key: what the protocol says it is, see
    /// [`Protocol::content`](crate::Protocol::content). A session is not made if its protocol cannot say it.
    ByContent,
}

impl Default for DedupPolicy {
    fn default() -> Self {
        Self { outgoing: Alike::Off, incoming: false, within: Duration::from_secs(60), count: 4_096 }
    }
}

impl DedupPolicy {
    /// Whether anything is remembered at all.
    pub(super) fn is_on(&self) -> bool {
        self.incoming || self.outgoing != Alike::Off
    }

    pub(crate) const fn span(&self) -> Span {
        Span { within: self.within, count: self.count }
    }
}
