//! What is done about topics?

use core::time::Duration;

/// What is done about topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct SubscriptionPolicy {
    /// Whether what is queued waits on a new link until the topics are back. **before**
    pub restore: Restore,
    /// How long an answer to a subscription, or to the request for a snapshot, may take. One that is missing while topics
    /// are restored before the queue fails the attempt. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub answer_timeout: Duration,
    /// How many topics one operation names at most, where the protocol can name several. **100**
    pub batch: u32,
    /// How many topics there may be. **16,384**
    pub max_topics: u32,
    /// How many messages of a topic are held until its snapshot comes. **1,024**
    pub held_max: u32,
}

/// When topics are asked for on a new link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Restore {
    /// Before anything that is queued: the session is online when all of them are answered. For what is sent in the
    /// belief that its answers will be heard.
    #[default]
    Before,
    /// The session is online at once. Topics still go first, but nothing waits for their answers.
    Alongside,
}

impl Default for SubscriptionPolicy {
    fn default() -> Self {
        let (restore, answer_timeout) = (Restore::Before, Duration::from_secs(10));
        Self { restore, answer_timeout, batch: 100, max_topics: 16_384, held_max: 1_024 }
    }
}
