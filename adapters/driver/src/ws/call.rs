//! What the framing layer gets instead of a stream: the stream and the caller's context, lent for one call.

use std::{
    io::{self, Read, Write},
    task::{Context, Poll},
};

use steadfast::Cause;

use super::{ahead::Ahead, broken, tail::Tail};
use crate::Io;

/// What is known of the way out.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// How many frames the framing layer has taken.
    pub(super) kept: u64,
    /// How many of them may have left.
    pub(super) left: u64,
    /// Whether a blocked write has moved, and nobody has asked since.
    pub(super) moved: bool,
    /// Whether something is left that was to be written.
    pub(super) is_full: bool,
    /// What was read and not asked for yet.
    pub(super) ahead: Ahead,
    /// The end of what was asked for.
    pub(super) tail: Tail,
    blocked: bool,
    failure: Option<Cause>,
}

impl Line {
    /// Whether a write has failed.
    pub(super) const fn is_broken(&self) -> bool {
        self.failure.is_some()
    }

    /// What ended the link: the failed write, if there was one, because the end of reading followed from it.
    pub(super) fn end(&mut self, cause: Cause) -> Cause {
        self.failure.take().unwrap_or(cause)
    }

    /// Some bytes have left. They may belong to any frame, so all of them may have.
    fn on_written(&mut self) {
        self.left = self.kept;
        self.moved |= self.blocked;
        self.blocked = false;
    }

    fn on_failed(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| broken(error));
    }
}

/// A stream and a context, for the length of one call of the framing layer: `Pending` becomes `WouldBlock`,
/// and the caller's own waker is the one that is registered.
///
/// After a failed write it pretends to write, because the framing layer would stop reading too, and the
/// peer's Close, which says why, may still lie in the receive buffer.
#[derive(Debug)]
pub(super) struct Call<'a, 'cx, S> {
    pub(super) io: &'a mut S,
    pub(super) cx: &'a mut Context<'cx>,
    pub(super) line: &'a mut Line,
}

impl<S: Io> Read for Call<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.line.ahead.poll_read(self.io, self.cx, buf) {
            Poll::Ready(Ok(count)) => {
                self.line.tail.on_read(&buf[..count]);
                Ok(count)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: Io> Write for Call<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.line.is_full = false;
        if self.line.is_broken() {
            return Ok(buf.len());
        }
        match self.io.poll_write(self.cx, buf) {
            Poll::Ready(Ok(0)) => self.line.on_failed(&io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => {
                self.line.on_written();
                self.line.is_full = count < buf.len();
                return Ok(count);
            }
            Poll::Ready(Err(error)) => self.line.on_failed(&error),
            Poll::Pending => {
                (self.line.blocked, self.line.is_full) = (true, true);
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.line.is_broken() {
            return Ok(());
        }
        match self.io.poll_flush(self.cx) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => {
                self.line.on_failed(&error);
                Ok(())
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// A stream that takes nothing: the framing layer puts what it is given into its buffer and leaves it there.
#[derive(Debug)]
pub(super) struct Nowhere;

impl Read for Nowhere {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Nowhere {
    fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
