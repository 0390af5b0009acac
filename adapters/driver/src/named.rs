//! Messages with a name.

use std::fmt;

use serde::Serialize;
use steadfast::{OpId, Protocol, Refused, Text, protocol::json::Message};

use crate::Client;

/// For the `json` protocol, and for those that wrap it.
impl<P: Protocol<Message = Message>> Client<P> {
    /// Sends a message of this name with this content.
    ///
    /// # Errors
    ///
    /// The content cannot be JSON, or the message was not accepted.
    pub fn emit(&self, name: impl Into<Text>, data: impl Serialize) -> Result<OpId, NotEmitted> {
        let message = Message::new(name, &data).map_err(NotEmitted::Content)?;
        self.send(message).map_err(NotEmitted::Refused)
    }
}

/// Why nothing was emitted.
#[derive(Debug)]
pub enum NotEmitted {
    /// The content cannot be JSON, for instance because the keys of a map are no strings.
    Content(serde_json::Error),
    /// The message was not accepted, and is here.
    Refused(Refused<Message>),
}

impl fmt::Display for NotEmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(error) => write!(f, "the content cannot be JSON: {error}"),
            Self::Refused(refused) => fmt::Display::fmt(refused, f),
        }
    }
}

impl std::error::Error for NotEmitted {}
