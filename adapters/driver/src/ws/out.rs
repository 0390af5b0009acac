//! What is to be written, and how much of it may have left?
//!
//! Data frames are put together here: the framing layer's header, a mask, a copy. The frames that it sends by itself,
//! pongs and Closes, come through [`Write`](std::io::Write) as whole frames and stand in the same row.

use std::{
    fmt, io,
    mem::take,
    task::{Context, Poll, ready},
};

use steadfast::Cause;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, OpCode},
};

use super::{broken, masks::Masks};
use crate::Io;

/// The way out of a link.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    /// How many of them have left.
    start: usize,
    masks: Masks,
    /// How many frames of the session's were taken.
    kept: u64,
    /// How many of them may have left.
    left: u64,
    /// Whether the stream has refused what waits.
    is_blocked: bool,
    /// Whether a blocked write has moved, and nobody has asked since.
    has_moved: bool,
    /// Whether there is something of the framing layer's that no flush of the session's will push.
    owes: bool,
    /// The answer to the latest ping that came while the stream was blocked.
    answer: Vec<u8>,
    failure: Option<Cause>,
}

impl Out {
    /// Takes a frame of the session's, masked (RFC 6455 section 5.3).
    pub(super) fn feed(&mut self, opcode: OpCode, payload: &[u8]) {
        self.kept += 1;
        if self.is_broken() {
            return;
        }
        let mask = self.masks.draw();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        let length = payload.len() as u64;
        self.bytes.reserve(header.len(length) + payload.len());
        header.format(length, &mut self.bytes).expect("a vector takes all that is written to it");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        cover(&mut self.bytes[start..], mask);
    }

    /// Takes a frame of the framing layer's. While the stream is blocked only the latest pong waits, which
    /// answers all pings before it (RFC 6455 section 5.5.3); and nothing comes after a Close.
    pub(super) fn answer(&mut self, frame: &[u8]) {
        if self.is_broken() {
            return;
        }
        self.owes = true;
        self.answer.clear();
        let is_pong = frame.first().is_some_and(|first| OpCode::from(first & 0x0f) == OpCode::Control(Control::Pong));
        let place = if is_pong && self.is_blocked { &mut self.answer } else { &mut self.bytes };
        place.extend_from_slice(frame);
    }

    /// Writes until nothing waits. After a failure it stays pending.
    ///
    /// Some bytes of a write may belong to any frame, so with the first of them all that were taken may have left.
    pub(super) fn poll_flush(&mut self, io: &mut impl Io, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_broken() && self.has_more() {
            match io.poll_write(cx, &self.bytes[self.start..]) {
                Poll::Ready(Ok(0)) => self.on_failed(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.on_written(count),
                Poll::Ready(Err(error)) => self.on_failed(&error),
                Poll::Pending => {
                    self.is_blocked = true;
                    return Poll::Pending;
                }
            }
        }
        if self.is_broken() {
            return Poll::Pending;
        }
        if let Err(error) = ready!(io.poll_flush(cx)) {
            self.on_failed(&error);
            return Poll::Pending;
        }
        self.owes = false;
        Poll::Ready(())
    }

    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    pub(super) const fn owes(&self) -> bool {
        self.owes
    }

    /// How many bytes wait.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.start + self.answer.len()
    }

    /// Whether a blocked write has moved since this was asked.
    pub(super) fn take_progress(&mut self) -> bool {
        take(&mut self.has_moved)
    }

    /// What ended the link: the failed write, if there was one, because the end of reading followed from it.
    pub(super) fn end(&self, cause: Cause) -> Cause {
        self.failure.clone().unwrap_or(cause)
    }

    /// Gives the memory of a burst back.
    pub(super) fn shrink(&mut self) {
        self.bytes.drain(..take(&mut self.start));
        self.bytes.shrink_to_fit();
        self.answer.shrink_to_fit();
    }

    /// Whether a write has failed.
    const fn is_broken(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether something waits. The answer that was kept has its turn when nothing stands before it.
    fn has_more(&mut self) -> bool {
        if self.bytes.is_empty() {
            self.bytes.append(&mut self.answer);
        }
        !self.bytes.is_empty()
    }

    fn on_written(&mut self, count: usize) {
        self.left = self.kept;
        self.has_moved |= take(&mut self.is_blocked);
        self.start += count;
        // Moved at most once for each byte that leaves.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..take(&mut self.start));
        }
    }

    fn on_failed(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| broken(error));
        (self.bytes, self.start, self.answer, self.owes) = (Vec::new(), 0, Vec::new(), false);
    }
}

impl fmt::Debug for Out {
    /// It holds payloads, so they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("waiting", &self.pending()).field("left", &self.left).finish_non_exhaustive()
    }
}

/// Lays the mask over a payload, a word at a time, which the compiler widens.
fn cover(payload: &mut [u8], mask: [u8; 4]) {
    let key = u32::from_ne_bytes(mask);
    let mut words = payload.chunks_exact_mut(mask.len());
    for word in &mut words {
        let covered = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ key;
        word.copy_from_slice(&covered.to_ne_bytes());
    }
    words.into_remainder().iter_mut().zip(mask).for_each(|(byte, key)| *byte ^= key);
}
