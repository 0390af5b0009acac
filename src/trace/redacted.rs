//! What can be redacted by itself: what is sent, received and refused.

use super::{Redact, Redactor};
use crate::{Frame, Rejected, Text};

impl Redact for Text {
    fn redacted(&self, redactor: &mut Redactor) -> Self {
        redactor.text(self)
    }
}

impl Redact for Frame {
    /// Pings and pongs stay: their numbers tell which answers which.
    fn redacted(&self, redactor: &mut Redactor) -> Self {
        match self {
            Self::Text(text) => Self::Text(redactor.text(text)),
            Self::Binary(bytes) => Self::Binary(redactor.bytes(bytes)),
            Self::Ping(_) | Self::Pong(_) => self.clone(),
        }
    }
}

#[cfg(feature = "json")]
impl Redact for crate::protocol::json::Message {
    /// The name and the channel stay, as in the frames that are made of them.
    fn redacted(&self, redactor: &mut Redactor) -> Self {
        let mut message = Self::bare(self.name());
        if let Some(data) = self.data() {
            let data = redactor.text(&data.into());
            message = Self::raw(self.name(), data).unwrap_or(message);
        }
        match self.channel() {
            Some(channel) => message.on(channel),
            None => message,
        }
    }
}

impl Redact for Rejected {
    fn redacted(&self, redactor: &mut Redactor) -> Self {
        Self {
            code: self.code.as_ref().map(|code| redactor.text(code)),
            message: redactor.text(&self.message),
            data: self.data.as_ref().map(|data| redactor.bytes(data)),
            ..self.clone()
        }
    }
}
