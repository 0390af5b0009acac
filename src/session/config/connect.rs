//! When is there a link at all?

use core::time::Duration;

/// When there is a link at all, beside what the commands say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct ConnectPolicy {
    /// Whether a connected session dials only when there is something to send: with the first message, and again with the
    /// next one after a link was lost. **false**
    pub lazy: bool,
    /// After so long without a message in either direction the link is closed politely; the next send dials again.
    /// Signs of life are no messages. `Duration::MAX`: never. **never**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub idle_close: Duration,
    /// How long the hint that the network is lost holds dials back, unless it is taken back earlier. Hints come from
    /// operating systems, and some of them forget the second one. Zero: it holds nothing back. **60 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub network_wait: Duration,
    /// Whether an address in the peer's GoAway is where the next attempt goes. **true**
    pub follow_goaway: bool,
}

impl Default for ConnectPolicy {
    fn default() -> Self {
        Self { lazy: false, idle_close: Duration::MAX, network_wait: Duration::from_secs(60), follow_goaway: true }
    }
}
