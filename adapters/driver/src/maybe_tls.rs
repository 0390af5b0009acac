//! One type for links with and without TLS.

use std::{
    io,
    task::{Context, Poll},
};

use crate::Io;
#[cfg(feature = "tls")]
use crate::Tls;

/// A stream that is inside of TLS, or is not: what a dialer for `ws://` and `wss://` opens.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls<S: Io> {
    /// As it is.
    Plain(S),
    /// Inside of TLS.
    #[cfg(feature = "tls")]
    Tls(Tls<S>),
}

impl<S: Io> MaybeTls<S> {
    /// The stream below.
    pub const fn io(&self) -> &S {
        match self {
            Self::Plain(io) => io,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.io(),
        }
    }
}

impl<S: Io> Io for MaybeTls<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_write(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_write(cx, buf),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(io) => io.poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }
}
