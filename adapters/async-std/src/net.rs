//! What async-std has: names, TCP and timers.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    task::sleep,
};
use steadfast_driver::Io;

/// async-std's names, TCP and timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Net;

impl steadfast_driver::Net for Net {
    type Stream = AsyncStdIo<TcpStream>;
    type Countdown = Countdown;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(AsyncStdIo(stream))
    }
}

/// Any stream of async-std's as an [`Io`].
#[derive(Debug)]
pub struct AsyncStdIo<S>(pub S);

impl<S: Read + Write + Unpin> Io for AsyncStdIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
}

/// A timer of async-std's: one that is over stays so until it is set again.
#[derive(Default)]
pub struct Countdown(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl steadfast_driver::Countdown for Countdown {
    fn set(&mut self, after: Duration) {
        self.0 = Some(Box::pin(sleep(after)));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.0 else { return Poll::Ready(()) };
        let polled = sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Countdown").field(&self.0.is_some()).finish()
    }
}
