//! How much is kept for the peer, and how much may be under way?

/// How much is kept for the peer: queued and unacknowledged messages together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct QueuePolicy {
    /// How many messages. **16,384**
    pub max_messages: u32,
    /// How many bytes, as encoded. **16 MiB**
    pub max_bytes: u64,
    /// What happens at the bound. **refuse**
    pub overflow: Overflow,
    /// The queue is called high when it holds this share of either bound, in per cent. 0: it is never called so, and
    /// there are no events. **80**
    pub high: u32,
    /// A queue that was high is called low again when it holds at most this share of both bounds, in per cent. **50**
    pub low: u32,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self { max_messages: 16_384, max_bytes: 16 << 20, overflow: Overflow::Refuse, high: 80, low: 50 }
    }
}

/// What happens when there is no room for a message. What is with the transport or waits for its acknowledgement
/// never makes room for another; if nothing else is left, the new message is refused. A message that made room has
/// ended `Dropped(Overflow)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Overflow {
    /// The new message is refused and comes back. For what must not be lost unnoticed: orders, commands.
    #[default]
    Refuse,
    /// The oldest messages make room. For what ages: positions, measurements.
    DropOldest,
    /// The new message is accepted and dropped. For logs and metrics, whose senders do not look at refusals.
    DropNewest,
    /// Messages of a lower class than the new one make room, the lowest class first and of it the oldest; then the
    /// oldest of its own class. From low to high: volatile, latest, at most once, at least once.
    DropLowest,
    /// The new message takes the place of the newest one with the same key, which ends `Dropped(Replaced)`. It is
    /// refused if it has no key, or if that one does not wait or is to be sent at least once. For the state of many
    /// things, of which the latest counts.
    ReplaceByKey,
}

/// How much may be with the transport at once. It bounds memory and, when a link dies, doubt. One frame
/// is allowed however large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Window {
    /// How many frames. **1,024**
    pub frames: u32,
    /// How many bytes. **64 KiB**
    pub bytes: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { frames: 1_024, bytes: 64 << 10 }
    }
}
