//! What leaves together?

use core::time::Duration;

/// Whether messages are put together to leave as one, where the protocol can
/// ([`Abilities::batches`](crate::Abilities::batches)); it is ignored by others.
///
/// Messages wait in their queue until there are enough of them, or the oldest has waited for long enough; then they leave as
/// one frame. Each keeps its id, its acknowledgement and its outcome. One that waits alone leaves as it is, and so does one
/// that has a bucket or a weight of its own. A volatile message, and a drain, end the wait. What waits is in the queue like
/// everything else: it is kept when a link dies, and can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct BatchPolicy {
    /// Whether there are batches. **false**
    pub enabled: bool,
    /// As soon as so many wait they leave, and no more leave together. **10**
    pub count: u32,
    /// As soon as so many bytes wait they leave, and no more leave together unless one message alone has more. **16 KiB**
    pub bytes: u32,
    /// A message waits for others for so long at most, give or take a millisecond. **100 ms**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub linger: Duration,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        Self { enabled: false, count: 10, bytes: 16 << 10, linger: Duration::from_millis(100) }
    }
}
