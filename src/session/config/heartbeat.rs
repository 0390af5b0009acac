//! How is a dead link found?

use core::time::Duration;

/// How a dead link is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct HeartbeatPolicy {
    /// After this much silence the peer is probed (up to a tenth earlier, by the seed). `Duration::MAX`
    /// switches it off. **25 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub interval: Duration,
    /// How long the peer may stay silent after a probe before the link is dropped. **10 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub timeout: Duration,
    /// Something goes out at least this often, for peers that drop clients which only listen.
    /// `Duration::MAX` switches it off. **25 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub keepalive: Duration,
    /// Whether only the answer to a probe proves that the peer lives, instead of any frame. It means nothing where it is
    /// the server that probes. **false**
    pub pong_only: bool,
}

impl Default for HeartbeatPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(25),
            pong_only: false,
        }
    }
}
