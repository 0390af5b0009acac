//! How a topic is subscribed to.

use core::time::Duration;

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
    /// Asked after each confirmation. What the topic says meanwhile is held until it is answered. **none**
    pub snapshot: Option<M>,
    /// A topic that says nothing for so long while it is confirmed is called stale, once. **none**
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
