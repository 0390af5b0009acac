//! How do tokio's streams become ours?

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use steadfast::Attempt;
use steadfast_driver::{Clock, Dial, Io, Upgrade, Wristwatch, Ws};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Any stream of tokio's as an [`Io`]: a `TcpStream`, a `UnixStream`, TLS, an in-memory `duplex` for tests.
#[derive(Debug)]
pub struct TokioIo<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Io for TokioIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
}

/// Does the handshake over a stream that the embedder has opened: a Unix socket, a proxy's tunnel.
///
/// ```no_run
/// use steadfast::Attempt;
/// use steadfast_driver::Upgrade;
/// use steadfast_tokio::{cause_of, open_ws};
/// use tokio::net::UnixStream;
///
/// let upgrade = Upgrade::to("ws://localhost/events".parse()?);
/// let dialer = move |attempt: Attempt| {
///     let upgrade = upgrade.clone();
///     async move {
///         let stream = UnixStream::connect("/run/server.sock").await.map_err(|error| cause_of(&error))?;
///         open_ws(stream, &upgrade, &attempt).await
///     }
/// };
/// # fn is_dialer(_: impl steadfast_driver::Dialer) {}
/// # is_dialer(dialer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Upgrade::over`].
///
/// # Cancel safety
///
/// Dropping the future drops the stream.
pub async fn open_ws<S>(stream: S, upgrade: &Upgrade, attempt: &Attempt) -> Dial<Ws<TokioIo<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    upgrade.over(TokioIo(stream), attempt, || Wristwatch::new().now()).await
}
