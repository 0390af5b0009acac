//! How a topic is subscribed to, and what is told of it.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{Rejected, Timestamp};

/// How a topic is subscribed to. Made from the default, and then grown:
///
/// ```
/// use core::time::Duration;
/// use steadfast::{Frame, SubscribeOptions};
///
/// let options = SubscribeOptions::default()
///     .snapshot(Frame::from("all orders of table 7, please"))
///     .stale_after(Duration::from_secs(30));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, bound(deserialize = "M: serde::Deserialize<'de>")))]
pub struct SubscribeOptions<M> {
    /// Asked after each confirmation, and at once where the topic is confirmed already. What the topic says meanwhile is
    /// held until it is answered. **none**
    pub snapshot: Option<M>,
    /// A topic that says nothing for so long while it is confirmed is called stale, once. Less than a microsecond is
    /// one. **none**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span::option"))]
    pub stale_after: Option<Duration>,
}

impl<M> Default for SubscribeOptions<M> {
    fn default() -> Self {
        Self { snapshot: None, stale_after: None }
    }
}

impl<M> SubscribeOptions<M> {
    /// A request for the state of the topic, asked after each confirmation. What the topic says meanwhile is held, and
    /// comes after the answer.
    #[must_use]
    pub fn snapshot(mut self, request: M) -> Self {
        self.snapshot = Some(request);
        self
    }

    /// When a topic that says nothing is called stale.
    #[must_use]
    pub const fn stale_after(mut self, after: Duration) -> Self {
        self.stale_after = Some(after);
        self
    }
}

/// Shows everything but the request, which may be secret.
impl<M> core::fmt::Debug for SubscribeOptions<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("snapshot", &self.snapshot.is_some())
            .field("stale_after", &self.stale_after)
            .finish()
    }
}

/// What is told of a topic: [`Event::Topic`](crate::Event::Topic).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum TopicNews {
    /// The peer says that we have it; where it does not say such things, the frame that asked for it was flushed. A local
    /// topic is confirmed at once.
    Confirmed,
    /// Something of it may be missing before what comes next: it is on another link, the peer had dropped it, or more
    /// came than could be held for its snapshot. It comes before the first message that follows, and after the
    /// confirmation at the latest.
    Gap {
        /// The last position that the application was given; `None` if it was given none.
        last: Option<u64>,
    },
    /// The peer has dropped it, or did not answer in time. It is asked for again.
    Lost {
        /// What the peer says; `None` if it said nothing.
        why: Option<Box<Rejected>>,
        /// When it is asked for again.
        retry_at: Option<Timestamp>,
    },
    /// The peer refuses it.
    Refused {
        /// What it says.
        why: Box<Rejected>,
        /// When it is asked for again, if the refusal wants that. `None`: it is not, until it is subscribed to anew.
        retry_at: Option<Timestamp>,
    },
    /// It is over, and is not asked for again until it is subscribed to anew.
    Ended {
        /// What the peer says, if it is not simply over.
        why: Option<Box<Rejected>>,
    },
    /// It was unsubscribed, and the link, if there is one, has it no longer; one that is being left may say something of it
    /// until it is gone. Not told of a session that has stopped.
    Left,
    /// Nothing came of it for [`SubscribeOptions::stale_after`]. Told once, until something comes.
    Stale,
    /// The snapshot cannot be had. What was held for it follows, after a gap.
    NoSnapshot {
        /// What the peer says; `None` if it did not answer in time.
        why: Option<Box<Rejected>>,
    },
}

/// Where a topic stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopicState {
    /// It is wanted, and waits: for a link, for its turn, or until it is asked for again.
    Wanted,
    /// It was asked for, and is not confirmed yet.
    Asked,
    /// The link has it.
    Confirmed,
    /// It is being left; or it was while there was no link, and the peer may still have it.
    Leaving,
    /// It was refused or has ended, and is not asked for.
    Over,
}

/// One topic, as [`Session::subscriptions`](crate::Session::subscriptions) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription<'a, T> {
    /// Which.
    pub topic: &'a T,
    /// Where it stands.
    pub state: TopicState,
    /// By how many it is wanted.
    pub count: u32,
    /// The last position that the application was given.
    pub last: Option<u64>,
    /// When a message of it last came.
    pub last_at: Option<Timestamp>,
    /// When it is asked for again, if it waits for that.
    pub retry_at: Option<Timestamp>,
}
