//! Who is this session?

use alloc::vec::Vec;

use crate::Text;

/// Who this session is, for the peer and for those who look at it. It is stable over reconnects, shown by
/// [`Health`](crate::Health), and no secret: credentials do not belong here.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Identity {
    /// The id of the client. **assigned**
    pub client_id: ClientId,
    /// What kind of session it is, such as `orders` or `telemetry`. **empty**
    pub kind: Text,
    /// What else is to be known of it, by name; a login carries it where the protocol can. No name stands here twice.
    /// **none**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::pairs"))]
    pub metadata: Vec<(Text, Text)>,
}

/// Where the id of the client comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ClientId {
    /// From the server, if it gives one; then it is kept.
    #[default]
    Assigned,
    /// From the seed of the session. One from the server is not taken.
    Generated,
    /// From the host, at most 256 bytes. One from the server is not taken.
    Given(Text),
}
