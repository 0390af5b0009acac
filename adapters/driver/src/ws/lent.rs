//! What the framing layer gets instead of a stream: one frame, or a piece of one, and a place for what it answers.

use std::io::{self, Read, Write};

use super::out::Out;

/// The bytes of one frame, behind which nothing is ready. It never waits and never fails, so the framing layer
/// decides about frames and about nothing else.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) out: &'a mut Out,
}

impl Read for Lent<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.read(piece)
    }
}

impl Write for Lent<'_> {
    /// Each of its frames comes in one call, because none is ever refused.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.out.answer(frame);
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
