//! How does a layer below the framing say what went wrong, if it knows more than "broken"?

use std::{error, fmt, io};

use steadfast::{Cause, Text};

use crate::ws::broken;

/// A cause, inside of an [`io::Error`].
#[derive(Debug)]
struct Told {
    cause: Cause,
    text: Text,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_str())
    }
}

impl error::Error for Told {}

/// An error that carries its cause, and is shown as this text.
#[cfg(feature = "tls")]
pub(crate) fn tell(kind: io::ErrorKind, text: Text, cause: Cause) -> io::Error {
    io::Error::new(kind, Told { cause, text })
}

/// The cause that an error carries.
pub(crate) fn told(error: &io::Error) -> Option<&Cause> {
    error.get_ref()?.downcast_ref().map(|Told { cause, .. }| cause)
}

/// The cause for a stream that failed.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    told(error).cloned().unwrap_or_else(|| broken(error))
}
