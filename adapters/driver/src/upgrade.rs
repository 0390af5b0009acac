//! What is asked of the server? The request that opens a link (RFC 6455 section 4.1).

use std::fmt;

use crate::Address;

/// The headers that make the handshake, or that would make it something else.
const OURS: [&str; 6] = ["host", "upgrade", "connection", "content-length", "transfer-encoding", "expect"];

/// The prefix of those that RFC 6455 defines.
const OURS_BY_PREFIX: &str = "sec-websocket-";

/// What is asked of the server when a link opens, and what is wanted of its answer.
///
/// ```
/// use steadfast_driver::Upgrade;
///
/// let upgrade = Upgrade::to("ws://example.org/live".parse()?).header("Authorization", "Bearer hunter2")?.want("x-region");
/// assert_eq!(upgrade.address().host(), "example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Upgrade {
    pub(crate) address: Address,
    pub(crate) headers: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) wanted: Vec<String>,
}

impl Upgrade {
    /// A handshake with the server at this address, without headers of one's own.
    #[must_use]
    pub const fn to(address: Address) -> Self {
        Self { address, headers: Vec::new(), wanted: Vec::new() }
    }

    /// Adds a header to the request.
    ///
    /// # Errors
    ///
    /// The header cannot be sent, or belongs to the handshake itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BadHeader> {
        check_header(name, value)?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// Asks for a header of the answer: it will be among
    /// [`Handshake::headers`](steadfast::Handshake::headers), its name in lower case.
    #[must_use]
    pub fn want(mut self, name: &str) -> Self {
        self.wanted.push(name.to_ascii_lowercase());
        self
    }

    /// Where it goes.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl fmt::Debug for Upgrade {
    /// The values of headers are not shown: they hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Upgrade").field("address", &self.address).field("headers", &names).finish_non_exhaustive()
    }
}

/// Why a header cannot be part of the request, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadHeader {
    /// The name is empty or holds a character that a header's name cannot hold.
    Name(String),
    /// The value, of the header with this name, holds a line break or another control character.
    Value(String),
    /// The handshake sets this header itself.
    Ours(String),
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} cannot be the name of a header: use letters, digits and hyphens"),
            Self::Value(name) => write!(f, "the value of header {name} holds a line break or a control character"),
            Self::Ours(name) => write!(f, "header {name} belongs to the handshake itself: leave it out"),
        }
    }
}

impl std::error::Error for BadHeader {}

fn check_header(name: &str, value: &str) -> Result<(), BadHeader> {
    // RFC 9110 section 5.6.2.
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(in_token) {
        return Err(BadHeader::Name(name.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with(OURS_BY_PREFIX) {
        return Err(BadHeader::Ours(name.to_owned()));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(BadHeader::Value(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade() -> Upgrade {
        Upgrade::to("ws://server.example:8080/chat?room=1".parse().expect("a good address"))
    }

    #[test]
    fn headers_that_would_spoil_the_request_are_refused() {
        let add = |name: &str, value: &str| upgrade().header(name, value).err();
        for name in ["Host", "UPGRADE", "connection", "Sec-WebSocket-Protocol", "sec-websocket-key", "Content-Length"] {
            assert_eq!(add(name, "x"), Some(BadHeader::Ours(name.into())));
        }
        for name in ["", "X Y", "X:", "X\r\nY", "ü"] {
            assert_eq!(add(name, "x"), Some(BadHeader::Name(name.into())));
        }
        for value in ["a\r\nX: y", "a\nb", "\0", "\u{7f}"] {
            assert_eq!(add("X", value), Some(BadHeader::Value("X".into())));
        }
        assert_eq!(add("Origin", "https://example.org"), None);
        assert_eq!(add("Cookie", "a=ü;\tb"), None);
    }

    #[test]
    fn tokens_are_not_printed() {
        let upgrade = upgrade().header("Authorization", "Bearer hunter2").expect("a good header");
        let shown = format!("{upgrade:?}");
        assert!(shown.contains("Authorization") && !shown.contains("hunter2") && !shown.contains("room"), "{shown}");
    }
}
