//! What crosses a link: frames (whole messages, in the words of RFC 6455) and close codes.

mod storage;

use alloc::{string::String, vec::Vec};
use core::fmt;

use bytes::Bytes;

/// UTF-8 text that shares its storage when it is cloned.
///
/// ```
/// use steadfast::Text;
///
/// let text = Text::from("hello");
/// assert_eq!(text.as_str(), "hello");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Text over bytes that are checked.
    ///
    /// # Errors
    ///
    /// The bytes come back if they are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Bytes> {
        if core::str::from_utf8(&bytes).is_ok() { Ok(Self(bytes)) } else { Err(bytes) }
    }

    /// Text over bytes that the caller says are UTF-8: for transports, whose framing layer has checked
    /// them already. A false claim shows as text that ends early, never as undefined behaviour.
    #[must_use]
    pub const fn claimed(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Text that lives as long as the program; costs nothing.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text. It is checked anew (about 10 ns for 128 bytes), so that no unsafe code is needed; what
    /// a transport falsely claimed to be UTF-8 ends before the first bad byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match core::str::from_utf8(&self.0) {
            Ok(text) => text,
            Err(bad) => core::str::from_utf8(&self.0[..bad.valid_up_to()]).unwrap_or_default(),
        }
    }

    /// The bytes of the text.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes of the text, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The text, cut before the first character that does not end within so many bytes.
    #[must_use]
    pub(crate) fn cut(self, most: usize) -> Self {
        if self.len() <= most {
            return self;
        }
        let text = self.as_str();
        let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Self(self.0.slice(..end))
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(storage::copied_from(text.into_bytes()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(storage::copied(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message of a link, or a sign of life. (What RFC 6455 calls a message; fragments, masks and the
/// close handshake are the transport's.)
#[derive(Clone, PartialEq, Eq, Hash)]
#[repr(u64)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Frame {
    /// A text message.
    Text(Text),
    /// A binary message.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
    Binary(Bytes),
    /// A ping. Sent as a probe; received only as a sign of life, because the transport answers it.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
    Ping(Bytes),
    /// A pong. Received as the answer to a probe.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
    Pong(Bytes),
}

impl Frame {
    /// The payload.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
        }
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    /// The text, if it is a text message.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) | Self::Ping(_) | Self::Pong(_) => None,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Binary(bytes) => write!(f, "Binary({bytes:?})"),
            Self::Ping(bytes) => write!(f, "Ping({bytes:?})"),
            Self::Pong(bytes) => write!(f, "Pong({bytes:?})"),
        }
    }
}

impl From<&str> for Frame {
    #[inline]
    fn from(text: &str) -> Self {
        Self::Text(Text(storage::passing(text.as_bytes())))
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self::Text(Text(storage::passing_from(text.into_bytes())))
    }
}

impl From<Text> for Frame {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(storage::passing_from(bytes))
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// A WebSocket close code (RFC 6455 section 7.4 and the IANA registry).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: a protocol error.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of data that cannot be accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005, never on the wire: the Close frame carried no code.
    pub const NONE: Self = Self(1005);
    /// 1006, never on the wire: the connection ended without a Close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client missed an extension.
    pub const EXTENSION: Self = Self(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the service restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN: Self = Self(1013);
    /// 1014: a gateway got an invalid answer.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015, never on the wire: the TLS handshake failed.
    pub const TLS: Self = Self(1015);
    /// 3000: unauthorized.
    pub const UNAUTHORIZED: Self = Self(3000);
    /// 3003: forbidden.
    pub const FORBIDDEN: Self = Self(3003);
    /// 3008: a timeout.
    pub const TIMEOUT: Self = Self(3008);

    /// Whether an endpoint may put this code into a Close frame (RFC 6455 section 7.4.2).
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

const _: () = assert!(size_of::<Frame>() <= 40);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_checked_where_it_comes_from_strangers() {
        assert!(Text::from_utf8(Bytes::from_static(&[0xff])).is_err());
        assert_eq!(Text::claimed(Bytes::from_static(b"ok\xff")).as_str(), "ok");
    }

    #[test]
    fn a_cut_keeps_whole_characters() {
        assert_eq!(Text::from("aé").cut(2).as_str(), "a");
        assert_eq!(Text::from("aé").cut(3).as_str(), "aé");
        assert_eq!(Text::claimed(Bytes::from_static(b"ab\xff\xff\xff")).cut(4).as_str(), "ab");
    }

    #[test]
    fn codes_that_only_describe_are_not_sent() {
        for code in [CloseCode::NONE, CloseCode::ABNORMAL, CloseCode::TLS, CloseCode(999), CloseCode(2000)] {
            assert!(!code.is_sendable());
        }
        assert!(CloseCode::NORMAL.is_sendable() && CloseCode(4401).is_sendable());
    }
}
