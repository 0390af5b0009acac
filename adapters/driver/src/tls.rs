//! Is it really the peer, and does nobody listen in? TLS over any stream of bytes, so that it is written once for
//! all runtimes.

mod refusal;
#[cfg(test)]
mod tests;
mod trust;

use std::{
    fmt,
    future::poll_fn,
    io::{self, Read, Write},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use steadfast::{Cause, Text};

use crate::{
    Io,
    told::{cause_of, tell, told},
};

pub use trust::{BadTrust, Trust};

/// How much is encrypted ahead of the stream: one record. What is in it counts as possibly sent, so more would put
/// more in doubt when a link dies.
const RECORD: usize = 16 << 10;

/// A stream inside of TLS 1.2 or 1.3, with a server whose certificate was accepted. [`Trust::open`] makes one.
///
/// It is an [`Io`] over an [`Io`], and keeps these promises:
///
/// * Nothing is taken for writing while something waits for the stream: at most one record of 16 KiB is kept here.
/// * Reading goes on when writing has failed or is blocked.
/// * What came before an error is read before the error is told.
/// * A stream that ends without the goodbye of TLS (`close_notify`) ends with
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): somebody may have cut it short. A WebSocket link that ends so
///   without a Close frame has [ended](Cause::Ended), like any other; with one it is closed, because the frame
///   itself was authenticated.
/// * Dropping it says goodbye, if that is possible without waiting.
///
/// A burst leaves nothing behind: an idle one keeps its keys and 4 KiB to read into, and nothing to write from.
pub struct Tls<S: Io> {
    io: S,
    session: Box<ClientConnection>,
    /// How many bytes the stream has taken.
    sent: u64,
    /// Why nothing is written any more.
    unwritable: Option<Lasting>,
    /// Why nothing is read any more.
    unreadable: Option<Lasting>,
}

impl<S: Io> Tls<S> {
    /// The stream below.
    pub const fn io(&self) -> &S {
        &self.io
    }

    /// Does the handshake.
    async fn open(io: S, config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Cause> {
        let impossible = |error: rustls::Error| Cause::Impossible(error.to_string().into());
        let mut tls = Self::new(io, config, name).map_err(impossible)?;
        poll_fn(|cx| tls.poll_handshake(cx)).await.map_err(|error| cause_of(&error))?;
        Ok(tls)
    }

    fn new(io: S, config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, rustls::Error> {
        let mut session = Box::new(ClientConnection::new(config, name)?);
        session.set_buffer_limit(Some(RECORD));
        Ok(Self { io, session, sent: 0, unwritable: None, unreadable: None })
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sent = self.poll_flush(cx);
            if !self.session.is_handshaking() && !matches!(sent, Poll::Ready(Err(_))) {
                return sent;
            }
            // Also behind a failed write: a server that refuses us may have stopped to read, and its alert says why.
            let error = match ready!(self.pull(cx)) {
                Ok(0) => cut_short("the server ended the connection during the TLS handshake"),
                Ok(_) => continue,
                Err(error) => error,
            };
            return match sent {
                Poll::Ready(Err(failed)) if told(&error).is_none() => Poll::Ready(Err(failed)),
                Poll::Ready(_) | Poll::Pending => Poll::Ready(Err(error)),
            };
        }
    }

    /// Hands on what is encrypted.
    fn push(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(failure) = &self.unwritable {
            return Poll::Ready(Err(failure.again()));
        }
        while self.session.wants_write() {
            let written = self.session.write_tls(&mut Lent { io: &mut self.io, cx });
            match ready!(polled(written)) {
                Ok(0) => return Poll::Ready(Err(self.on_unwritable(io::ErrorKind::WriteZero.into()))),
                Ok(count) => self.sent += count as u64,
                Err(error) => return Poll::Ready(Err(self.on_unwritable(error))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn on_unwritable(&mut self, error: io::Error) -> io::Error {
        self.unwritable = Some(Lasting::stream(&error));
        error
    }

    /// Reads from the stream and decrypts; 0 is its end. An error is told by the next call, when what came before
    /// it has been read.
    fn pull(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(failure) = &self.unreadable {
            return Poll::Ready(Err(failure.again()));
        }
        let read = self.session.read_tls(&mut Lent { io: &mut self.io, cx });
        let count = ready!(polled(read))?;
        if let Err(error) = self.session.process_new_packets() {
            // The alert that tells the peer leaves if it can; nothing else follows it.
            let _ = self.push(cx);
            let failure = Lasting::tls(&error);
            self.unwritable.get_or_insert_with(|| failure.clone());
            self.unreadable = Some(failure);
        }
        // Nor does reading wait for what it makes necessary: a step of the handshake, a warning.
        let _ = self.push(cx);
        Poll::Ready(Ok(count))
    }
}

impl<S: Io> Io for Tls<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let read = self.session.reader().read(buf);
            if let Poll::Ready(read) = polled(read) {
                return Poll::Ready(read.map_err(named));
            }
            ready!(self.pull(cx))?;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.push(cx))?;
        let mut taken = 0;
        while taken < buf.len() {
            let before = self.sent;
            let record = self.session.writer().write(&buf[taken..])?;
            match self.push(cx) {
                Poll::Ready(Ok(())) => taken += record,
                // It is kept here, and nothing more is taken until it has left.
                Poll::Pending => return Poll::Ready(Ok(taken + record)),
                // A piece of it has left, so it counts.
                Poll::Ready(Err(_)) if self.sent > before => return Poll::Ready(Ok(taken + record)),
                Poll::Ready(Err(_)) if taken > 0 => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.push(cx))?;
        self.io.poll_flush(cx)
    }
}

impl<S: Io> Drop for Tls<S> {
    fn drop(&mut self) {
        // Behind something that is stuck there is no place for a goodbye.
        if self.session.is_handshaking() || self.session.wants_write() {
            return;
        }
        self.session.send_close_notify();
        let _ = self.push(&mut Context::from_waker(Waker::noop()));
    }
}

impl<S: Io> fmt::Debug for Tls<S> {
    /// Keys and payloads are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("version", &self.session.protocol_version()).finish_non_exhaustive()
    }
}

/// A stream and a context, for the length of one call: `Pending` becomes `WouldBlock`.
struct Lent<'a, 'cx, S> {
    io: &'a mut S,
    cx: &'a mut Context<'cx>,
}

impl<S: Io> Read for Lent<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        blocking(self.io.poll_read(self.cx, buf))
    }
}

impl<S: Io> Write for Lent<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        blocking(self.io.poll_write(self.cx, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(self.io.poll_flush(self.cx))
    }
}

fn blocking<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn polled<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// An error that is told again and again.
#[derive(Clone, Debug)]
struct Lasting {
    kind: io::ErrorKind,
    text: Text,
    cause: Cause,
}

impl Lasting {
    fn stream(error: &io::Error) -> Self {
        Self { kind: error.kind(), text: error.to_string().into(), cause: cause_of(error) }
    }

    fn tls(error: &rustls::Error) -> Self {
        let text = refusal::message(error);
        Self { kind: io::ErrorKind::InvalidData, cause: refusal::cause(error, text.clone()), text }
    }

    fn again(&self) -> io::Error {
        tell(self.kind, self.text.clone(), self.cause.clone())
    }
}

/// The only error of reading what was decrypted, in our words.
fn named(error: io::Error) -> io::Error {
    let is_cut_short = error.kind() == io::ErrorKind::UnexpectedEof;
    if is_cut_short { cut_short("the stream ended without the goodbye of TLS") } else { error }
}

fn cut_short(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, how)
}
