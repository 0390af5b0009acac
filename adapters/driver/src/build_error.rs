//! Why do these parts make no session?

use std::fmt;

use steadfast::{BadConfig, BadEndpoints};

use crate::{BadAddress, BadHeader};

/// Why no session could be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting makes no sense.
    Config(BadConfig),
    /// The address makes no sense.
    Address(BadAddress),
    /// The list of endpoints is too long, or one of them is.
    Endpoints(BadEndpoints),
    /// A header cannot be sent.
    Header(BadHeader),
    /// There is nobody to trust.
    #[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
    Trust(crate::BadTrust),
    /// The protocol acknowledges messages, and the mailbox would drop some.
    LagWithAcks,
    /// The mailbox has room for nothing.
    NoMailbox,
    /// The settings say that the host is asked for credentials, and nobody was named who has them.
    NobodyToAsk,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(bad) => fmt::Display::fmt(bad, f),
            Self::Address(bad) => fmt::Display::fmt(bad, f),
            Self::Endpoints(bad) => fmt::Display::fmt(bad, f),
            Self::Header(bad) => fmt::Display::fmt(bad, f),
            #[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
            Self::Trust(bad) => fmt::Display::fmt(bad, f),
            Self::LagWithAcks => f.write_str(
                "mailbox: the protocol acknowledges what the application has taken, so nothing may be dropped; use \
                 Mailbox::pause",
            ),
            Self::NobodyToAsk => f.write_str(
                "credentials.asked: nobody was named who has credentials; name one with Builder::credentials, or leave it \
                 false",
            ),
            Self::NoMailbox => f.write_str("mailbox: it has room for nothing; allow at least one message and one byte"),
        }
    }
}

impl std::error::Error for BuildError {}
