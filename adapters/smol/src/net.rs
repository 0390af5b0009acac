//! What smol has: names, TCP and timers.

use std::{
    future::Future,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_io::{Async, Timer};
use blocking::unblock;
use steadfast_driver::Io;

/// smol's names, TCP and timers. Names are resolved by the system, on a thread for what blocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Net;

impl steadfast_driver::Net for Net {
    type Stream = SmolIo<TcpStream>;
    type Countdown = Countdown;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(SmolIo::new(stream))
    }
}

/// Any socket of smol's as an [`Io`]: a `TcpStream`, a `UnixStream`.
#[derive(Debug)]
pub struct SmolIo<S> {
    socket: Async<S>,
    /// The last read took all there was, so the next one waits for more without asking.
    is_drained: bool,
}

impl<S> SmolIo<S> {
    /// Over this socket, which is connected.
    pub const fn new(socket: Async<S>) -> Self {
        Self { socket, is_drained: false }
    }
}

impl<S> Io for SmolIo<S>
where
    for<'a> &'a S: Read + Write,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.is_drained {
                ready!(self.socket.poll_readable(cx))?;
                self.is_drained = false;
            }
            match self.socket.get_ref().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    self.is_drained = read.as_ref().is_ok_and(|read| *read < buf.len());
                    return Poll::Ready(read);
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.get_ref().write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.socket.poll_writable(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

/// A timer of smol's.
#[derive(Debug)]
pub struct Countdown(Timer);

impl Default for Countdown {
    fn default() -> Self {
        Self(Timer::never())
    }
}

impl steadfast_driver::Countdown for Countdown {
    fn set(&mut self, after: Duration) {
        self.0.set_after(after);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}
