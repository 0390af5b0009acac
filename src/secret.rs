//! What must not be seen.

use core::fmt;

use bytes::Bytes;

/// A credential. It can be compared and handed to a protocol; it is never printed.
///
/// ```
/// use steadfast::Secret;
///
/// assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    bytes: Bytes,
    /// It was read from a trace, or made for one: it is no secret, and may be written.
    #[cfg(feature = "serde")]
    is_stand_in: bool,
}

impl Secret {
    const fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            #[cfg(feature = "serde")]
            is_stand_in: false,
        }
    }

    /// What stands in for a secret where one must not be written.
    #[cfg(feature = "serde")]
    pub(crate) const fn standing_in(bytes: Bytes) -> Self {
        Self { bytes, is_stand_in: true }
    }

    /// What stands in for it, if it is none.
    #[cfg(feature = "serde")]
    pub(crate) const fn stand_in(&self) -> Option<&Bytes> {
        if self.is_stand_in { Some(&self.bytes) } else { None }
    }

    /// The credential itself, for the protocol or the dialer that has to send it.
    #[must_use]
    pub const fn expose(&self) -> &Bytes {
        &self.bytes
    }
}

impl From<Bytes> for Secret {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<alloc::string::String> for Secret {
    fn from(text: alloc::string::String) -> Self {
        Self::new(Bytes::from(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
