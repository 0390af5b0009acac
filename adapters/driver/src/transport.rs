//! The seam to the outside: an open link as the driver sees it, and the bytes below it.

use std::{
    io,
    task::{Context, Poll},
};

use steadfast::{Cause, CloseCode, Frame};

/// An open link, as the driver sees it.
///
/// The framing layer answers pings and echoes closes by itself; the session is told of both and sends
/// neither.
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use steadfast::{Cause, CloseCode, Frame, Text};
/// use steadfast_driver::Transport;
///
/// /// A link to nowhere: it says back what it is told.
/// #[derive(Default)]
/// struct Echo {
///     fed: u64,
///     back: Vec<Frame>,
///     closed: Option<CloseCode>,
///     reader: Option<Waker>,
/// }
///
/// impl Transport for Echo {
///     fn feed(&mut self, frame: Frame) {
///         self.fed += 1;
///         self.back.push(if let Frame::Ping(payload) = frame { Frame::Pong(payload) } else { frame });
///     }
///
///     fn close(&mut self, code: CloseCode, _reason: &str) {
///         self.closed = Some(code);
///     }
///
///     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<()> {
///         if let Some(reader) = self.reader.take() {
///             reader.wake();
///         }
///         Poll::Ready(())
///     }
///
///     fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
///         match (self.back.is_empty(), self.closed) {
///             (false, _) => {
///                 frames.extend(self.back.drain(..most.min(self.back.len())));
///                 Poll::Ready(Ok(()))
///             }
///             (true, Some(code)) => Poll::Ready(Err(Cause::Closed { code, reason: Text::default() })),
///             (true, None) => {
///                 self.reader = Some(cx.waker().clone());
///                 Poll::Pending
///             }
///         }
///     }
///
///     fn left(&self) -> u64 {
///         self.fed
///     }
///
///     fn fed(&self) -> u64 {
///         self.fed
///     }
/// }
///
/// let mut echo = Echo::default();
/// echo.feed("hello".into());
/// let mut heard = Vec::new();
/// let read = echo.poll_read(&mut Context::from_waker(Waker::noop()), &mut heard, 64);
/// assert_eq!((read, heard), (Poll::Ready(Ok(())), vec![Frame::from("hello")]));
/// ```
pub trait Transport {
    /// Whether this transport can send ping frames. A browser cannot.
    const PINGS: bool = true;

    /// Takes a frame. Never blocks, never fails and writes nothing: what is broken is said by the polls.
    fn feed(&mut self, frame: Frame);

    /// Says goodbye after what was fed; like a frame, it leaves with the next [`poll_flush`](Self::poll_flush).
    /// The answer comes from [`poll_read`](Self::poll_read) as [`Cause::Closed`]; the session's deadline ends
    /// the wait. What is fed after it never leaves.
    fn close(&mut self, code: CloseCode, reason: &str);

    /// Ready: everything that was fed is with the operating system. After a failed write it stays pending,
    /// wakes nobody, and [`poll_read`](Self::poll_read) tells why.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Appends up to `most` frames. `Ready(Ok)`: at least one came. `Ready(Err)`: the last word; frames
    /// that the same call appended came before it, and a close code that was received is preferred to the
    /// write error that it caused.
    ///
    /// Once it was pending, it is polled again when the waker was called (a link has one of its own, for writing, too), while a
    /// flush is pending, and when another task polls the driver; a driver that is woken for something else leaves it
    /// alone. So what a flush or a close makes readable at once calls the waker.
    fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>>;

    /// Whether the last [`poll_read`](Self::poll_read), although it was ready, took all there was and has kept the waker, as if
    /// it had been pending. `false` is always right, and costs a read in vain.
    fn is_armed(&self) -> bool {
        false
    }

    /// How many frames may have left, in whole or in part. Those fed after them certainly did not.
    fn left(&self) -> u64;

    /// How many frames were fed.
    fn fed(&self) -> u64;

    /// How many bytes were fed that are not with the operating system yet. A flush that comes when enough wait
    /// lets the peer work on them while the rest is fed. 0 where that is not known.
    fn pending(&self) -> usize {
        0
    }

    /// True once after a write that had been blocked has moved, or after a read that brought a part of a frame and no whole
    /// one: signs of life that nothing else tells.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// The link has been quiet for a while: gives back the memory that a burst took.
    fn shrink(&mut self) {}
}

/// A stream of bytes: what a runtime, TLS, a Unix socket, a proxy or a mock has to offer. The contract of
/// each method is that of the method of the same name in `AsyncRead` and `AsyncWrite`.
///
/// ```
/// # use std::{io, task::{Context, Poll}};
/// use steadfast_driver::Io;
///
/// /// Counts what is written.
/// struct Counted<S>(S, usize);
///
/// impl<S: Io> Io for Counted<S> {
///     fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         self.0.poll_read(cx, buf)
///     }
///
///     fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
///         let written = self.0.poll_write(cx, buf);
///         if let Poll::Ready(Ok(count)) = written {
///             self.1 += count;
///         }
///         written
///     }
///
///     fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.0.poll_flush(cx)
///     }
/// }
/// ```
pub trait Io: Unpin {
    /// Reads what is there; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Whatever the stream says.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as can be taken.
    ///
    /// # Errors
    ///
    /// Whatever the stream says.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Pushes on what a layer in between may have kept.
    ///
    /// # Errors
    ///
    /// Whatever the stream says.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
