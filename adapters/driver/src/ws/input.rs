//! Who reads a frame? A whole data frame is taken as it is; everything else is the framing layer's.
//!
//! The header is parsed by the framing layer's own parser. A frame that has a message in it, all of it, and nothing
//! to be decided, is that message. Control frames, fragments, frames against the rules, text that is not UTF-8 and
//! frames too large to wait for are handed to the framing layer, which is lent the bytes of that frame and no more.
//! So at the end of each frame the next can be taken again.

use std::{
    fmt,
    io::{self, Cursor},
    mem::take,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

use super::{
    payloads::Payloads,
    scratch::{self, SCRATCH},
};
use crate::Io;

/// A frame up to this long is waited for until it is whole: so much can have to be kept between two reads.
const PATIENCE: usize = 4 << 10;

/// What has arrived and is not understood yet.
pub(super) struct Input {
    /// The thread's scratch while a poll lasts; in between, as little as there is to keep.
    bytes: Vec<u8>,
    is_scratch: bool,
    /// What of it is still to be understood.
    start: usize,
    end: usize,
    /// How many bytes of the frame under way are still the framing layer's.
    lent: u64,
    /// Whether a message in fragments is under way.
    is_fragmented: bool,
    /// The longest payload that is accepted.
    limit: u64,
    payloads: Payloads,
}

/// What stands at the head of the input.
pub(super) enum Head<'a> {
    /// A text, which has been checked.
    Text(Bytes),
    Binary(Bytes),
    /// A frame, or a piece of one, for the framing layer. It has to take all of it.
    Lent(&'a [u8]),
    /// Nothing, or the beginning of a frame.
    Unfinished,
}

/// What a header says of its frame.
enum Frame {
    /// It is not known yet.
    Unfinished,
    /// Text, or else binary: so long a header, so long a payload.
    Whole { is_text: bool, header: usize, payload: usize },
    /// For the framing layer: so many bytes.
    Other(u64),
}

impl Input {
    /// Begins with what was read behind the handshake.
    pub(super) fn new(rest: Vec<u8>, limit: u32) -> Self {
        let end = rest.len();
        Self {
            bytes: rest,
            is_scratch: false,
            start: 0,
            end,
            lent: 0,
            is_fragmented: false,
            limit: limit.into(),
            payloads: Payloads::default(),
        }
    }

    /// Takes what is at the head.
    pub(super) fn next(&mut self) -> Head<'_> {
        if self.lent > 0 {
            return self.lend();
        }
        match self.look() {
            Frame::Unfinished => Head::Unfinished,
            Frame::Whole { is_text, header, payload } => {
                let start = self.start + header;
                self.start = start + payload;
                let payload = self.payloads.copy(&self.bytes[start..self.start], self.end - self.start);
                if is_text { Head::Text(payload) } else { Head::Binary(payload) }
            }
            Frame::Other(length) => {
                self.lent = length;
                self.lend()
            }
        }
    }

    /// Reads more, behind what is unfinished; 0 is the end of the stream.
    pub(super) fn poll_more(&mut self, io: &mut impl Io, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_scratch {
            self.bytes.copy_within(self.start..self.end, 0);
        } else {
            let kept = take(&mut self.bytes);
            self.bytes = scratch::take();
            self.is_scratch = true;
            self.bytes[..self.end - self.start].copy_from_slice(&kept[self.start..self.end]);
        }
        (self.start, self.end) = (0, self.end - self.start);
        let count = ready!(io.poll_read(cx, &mut self.bytes[self.end..]))?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// The poll is over: keeps what is left of the scratch, and gives it back.
    pub(super) fn settle(&mut self) {
        self.payloads.end();
        if self.is_scratch {
            let kept = self.bytes[self.start..self.end].to_vec();
            (self.start, self.end) = (0, kept.len());
            scratch::give_back(std::mem::replace(&mut self.bytes, kept));
            self.is_scratch = false;
        }
    }

    /// The part of the framing layer's frame that is here.
    fn lend(&mut self) -> Head<'_> {
        let here = self.end - self.start;
        let count = usize::try_from(self.lent).map_or(here, |lent| lent.min(here));
        if count == 0 {
            return Head::Unfinished;
        }
        self.lent -= count as u64;
        self.start += count;
        Head::Lent(&self.bytes[self.start - count..self.start])
    }

    fn look(&mut self) -> Frame {
        let here = &self.bytes[self.start..self.end];
        let mut cursor = Cursor::new(here);
        let (header, payload) = match FrameHeader::parse(&mut cursor) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Frame::Unfinished,
            // The framing layer comes to the same verdict.
            Err(_) => return Frame::Other(u64::MAX),
        };
        let length = cursor.position().saturating_add(payload);
        if payload <= self.limit {
            if length <= here.len() as u64 {
                let (head, payload) = (cursor.position() as usize, payload as usize);
                if let Some(is_text) = self.message(&header, &here[head..head + payload]) {
                    return Frame::Whole { is_text, header: head, payload };
                }
            } else if length <= PATIENCE as u64 {
                return Frame::Unfinished;
            }
        }
        if matches!(header.opcode, OpCode::Data(_)) {
            self.is_fragmented = !header.is_final;
        }
        Frame::Other(length)
    }

    /// If this frame is a message, whether it is text.
    fn message(&self, header: &FrameHeader, payload: &[u8]) -> Option<bool> {
        let &FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        if !is_final || rsv1 || rsv2 || rsv3 || mask.is_some() || self.is_fragmented {
            return None;
        }
        match opcode {
            OpCode::Data(Data::Text) => std::str::from_utf8(payload).is_ok().then_some(true),
            OpCode::Data(Data::Binary) => Some(false),
            OpCode::Data(Data::Continue | Data::Reserved(_)) | OpCode::Control(_) => None,
        }
    }
}

impl fmt::Debug for Input {
    /// It holds payloads, so they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("waiting", &(self.end - self.start)).finish_non_exhaustive()
    }
}

// A frame that is waited for has to fit into a read.
const _: () = assert!(PATIENCE < SCRATCH);
