//! When is a credential used, and where does it come from?

use core::time::Duration;

/// When a credential is used, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct CredentialPolicy {
    /// When it is used. **at login**
    pub when: CredentialUse,
    /// Whether the host is asked for one before each attempt, instead of being told once. **false**
    pub asked: bool,
    /// How long the host may take for its answer. Without one the attempt has failed. **30 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub answer_timeout: Duration,
    /// So long before the login expires, as the peer's answer to it says, a fresh credential is asked for and, where the
    /// protocol can, the login renewed on the link that is there. If it lives for less than twice as long: when half of
    /// its time is over. Zero: it serves until the peer refuses it. **60 s**
    #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
    pub refresh_before: Duration,
}

impl Default for CredentialPolicy {
    fn default() -> Self {
        Self {
            when: CredentialUse::AtLogin,
            asked: false,
            answer_timeout: Duration::from_secs(30),
            refresh_before: Duration::from_secs(60),
        }
    }
}

/// When a credential is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CredentialUse {
    /// Never: nobody is asked for one, and one that was given is not used.
    Never,
    /// In the login, once the link is open. The dialer does not get it.
    #[default]
    AtLogin,
    /// In the request that opens the link, as a header for instance. The protocol does not get it.
    AtDial,
    /// In both.
    Both,
}

impl CredentialUse {
    /// Whether the peer judges it by the login.
    pub(crate) const fn is_at_login(self) -> bool {
        matches!(self, Self::AtLogin | Self::Both)
    }
}
