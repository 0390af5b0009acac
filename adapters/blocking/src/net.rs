//! What plain threads have: names, TCP and timers.

use std::{
    future::poll_fn,
    io::{self, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use blocking::unblock;
use mio::{event::Source, net::TcpStream};
use steadfast_driver::Io;

use crate::reactor::{self, Booking, Place};

/// The system's names, TCP and timers. A name is resolved on another thread: it can take seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Net;

impl steadfast_driver::Net for Net {
    type Stream = ThreadIo<TcpStream>;
    type Countdown = Countdown;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        reactor::check()?;
        let mut stream = ThreadIo::new(TcpStream::connect(address)?);
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        stream.socket.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether the system tells of what comes after a short read. Elsewhere it does only after a read in vain: epoll and kqueue
/// are told apart as tokio does it.
const TELLS_OF_MORE: bool = cfg!(any(
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_vendor = "apple",
));

/// Any socket of `mio`'s as an [`Io`]: a `TcpStream`, a `UnixStream`. It works where this crate waits: within
/// [`run`](crate::run), [`run_all`](crate::run_all), [`Wait`](crate::Wait) and [`Recv`](crate::Recv), on whichever thread.
#[derive(Debug)]
pub struct ThreadIo<S: Source> {
    socket: S,
    place: Option<Place>,
}

impl<S: Source> ThreadIo<S> {
    /// Over this socket, which does not block and is registered nowhere.
    pub const fn new(socket: S) -> Self {
        Self { socket, place: None }
    }
}

impl ThreadIo<TcpStream> {
    fn poll_connected(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let place = Place::here(&mut self.place, &mut self.socket)?;
        loop {
            ready!(place.poll_writable(cx.waker()));
            if let Some(error) = self.socket.take_error()? {
                return Poll::Ready(Err(error));
            }
            match self.socket.peer_addr() {
                // It is on its way still.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => place.block_writing(),
                connected => return Poll::Ready(connected.map(drop)),
            }
        }
    }
}

impl<S: Source + Read + Write + Unpin> Io for ThreadIo<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let place = Place::here(&mut self.place, &mut self.socket)?;
        loop {
            ready!(place.poll_readable(cx.waker()));
            match self.socket.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => place.block_reading(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    if TELLS_OF_MORE && read.as_ref().is_ok_and(|read| 0 < *read && *read < buf.len()) {
                        place.drained();
                    }
                    return Poll::Ready(read);
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            // Else it is tried without a place: who drops a link says goodbye where nobody waits.
            if self.place.as_ref().is_some_and(|place| place.is_writing_blocked() || place.is_elsewhere()) {
                ready!(Place::here(&mut self.place, &mut self.socket)?.poll_writable(cx.waker()));
            }
            match self.socket.write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Place::here(&mut self.place, &mut self.socket)?.block_writing();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl<S: Source> Drop for ThreadIo<S> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            drop(place.leave(&mut self.socket));
        }
    }
}

/// A timer, which wakes who waits on the thread that polled it last.
#[derive(Debug, Default)]
pub struct Countdown {
    /// None before it is set.
    at: Option<Instant>,
    booking: Option<Booking>,
}

impl steadfast_driver::Countdown for Countdown {
    fn set(&mut self, after: Duration) {
        self.at = Some(Instant::now() + after);
        self.booking = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        if at <= Instant::now() {
            self.booking = None;
            return Poll::Ready(());
        }
        Booking::here(&mut self.booking, at, cx.waker());
        Poll::Pending
    }
}
