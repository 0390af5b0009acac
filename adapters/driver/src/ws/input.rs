//! Who reads a frame? A whole data frame is taken as it is; everything else is the framing layer's.
//!
//! The header is parsed by the framing layer's own parser, if it is not one of the two that nearly all have. A frame that has a message in it, all of it, and nothing
//! to be decided, is that message. Control frames, fragments, frames against the rules, text that is not UTF-8 and
//! frames too large to wait for are handed to the framing layer, which is lent the bytes of that frame and no more.
//! So at the end of each frame the next can be taken again.

use std::{
    fmt,
    io::{self, Cursor},
    mem::take,
    task::{Context, Poll, ready},
};

use steadfast::{Frame, Text};
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

/// The first bytes of whole frames of data (RFC 6455 section 5.2).
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

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

/// Why no more messages were taken.
pub(super) enum Stop<'a> {
    /// There are as many as were asked for.
    Enough,
    /// What comes next is the beginning of a frame, or nothing.
    Unfinished,
    /// What comes next is a frame, or a piece of one, for the framing layer. It has to take all of it.
    Lent(&'a [u8]),
}

/// What a header says of its frame.
enum Kind {
    /// It is not known yet.
    Unfinished,
    /// A message, text or else binary: so long a header, so long a payload.
    Message { is_text: bool, header: usize, payload: usize },
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

    /// Takes messages until there are so many.
    pub(super) fn take_messages(&mut self, frames: &mut Vec<Frame>, most: usize) -> Stop<'_> {
        while frames.len() < most {
            match self.look() {
                Kind::Unfinished => return Stop::Unfinished,
                Kind::Message { is_text, header, payload } => {
                    let bytes = self.payloads.take(&self.bytes[self.start..self.end], header, payload);
                    self.start += header + payload;
                    frames.push(if is_text { Frame::Text(Text::claimed(bytes)) } else { Frame::Binary(bytes) });
                }
                Kind::Other(length) => return self.lend(length),
            }
        }
        Stop::Enough
    }

    /// Whether the last read filled the scratch, so that there is probably more.
    pub(super) fn is_full(&self) -> bool {
        self.is_scratch && self.end == self.bytes.len()
    }

    /// Reads more, behind what is unfinished; 0 is the end of the stream.
    pub(super) fn poll_more(&mut self, io: &mut impl Io, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.payloads.forget();
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
        if self.is_scratch {
            let kept = self.bytes[self.start..self.end].to_vec();
            (self.start, self.end) = (0, kept.len());
            scratch::give_back(std::mem::replace(&mut self.bytes, kept));
            self.is_scratch = false;
        }
        if self.start == self.end {
            self.payloads.forget();
        }
    }

    /// The part that is here of a frame of so many bytes.
    fn lend(&mut self, length: u64) -> Stop<'_> {
        let here = self.end - self.start;
        let count = usize::try_from(length).map_or(here, |length| length.min(here));
        self.lent = length - count as u64;
        self.start += count;
        self.payloads.forget();
        if count == 0 { Stop::Unfinished } else { Stop::Lent(&self.bytes[self.start - count..self.start]) }
    }

    /// Finds out what comes next.
    fn look(&mut self) -> Kind {
        if self.lent > 0 {
            return Kind::Other(self.lent);
        }
        let here = &self.bytes[self.start..self.end];
        if let Some(message) = self.common(here) {
            return message;
        }
        let mut cursor = Cursor::new(here);
        let (header, payload) = match FrameHeader::parse(&mut cursor) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Kind::Unfinished,
            // The framing layer comes to the same verdict.
            Err(_) => return Kind::Other(u64::MAX),
        };
        let length = cursor.position().saturating_add(payload);
        if payload <= self.limit {
            if length <= here.len() as u64 {
                let (head, payload) = (cursor.position() as usize, payload as usize);
                if let Some(is_text) = self.message(&header, &here[head..head + payload]) {
                    return Kind::Message { is_text, header: head, payload };
                }
            } else if length <= PATIENCE as u64 {
                return Kind::Unfinished;
            }
        }
        if matches!(header.opcode, OpCode::Data(_)) {
            self.is_fragmented = !header.is_final;
        }
        Kind::Other(length)
    }

    /// The short way for what nearly all frames are: a message that is here to its end, with a length of one or two
    /// bytes. `None` if this is not one, or not clearly.
    #[inline]
    fn common(&self, here: &[u8]) -> Option<Kind> {
        let (is_text, header, payload) = match *here {
            [TEXT | BINARY, length @ ..=125, ..] => (here[0] == TEXT, 2, usize::from(length)),
            [TEXT | BINARY, 126, high, low, ..] => (here[0] == TEXT, 4, usize::from(u16::from_be_bytes([high, low]))),
            _ => return None,
        };
        let bytes = here.get(header..header + payload)?;
        let is_message = !self.is_fragmented && payload as u64 <= self.limit && (!is_text || is_utf8(bytes));
        is_message.then_some(Kind::Message { is_text, header, payload })
    }

    /// If this frame is a message, whether it is text.
    fn message(&self, header: &FrameHeader, payload: &[u8]) -> Option<bool> {
        let &FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        if !is_final || rsv1 || rsv2 || rsv3 || mask.is_some() || self.is_fragmented {
            return None;
        }
        match opcode {
            OpCode::Data(Data::Text) => is_utf8(payload).then_some(true),
            OpCode::Data(Data::Binary) => Some(false),
            OpCode::Data(Data::Continue | Data::Reserved(_)) | OpCode::Control(_) => None,
        }
    }
}

/// Most text is ASCII, which is found out faster.
fn is_utf8(payload: &[u8]) -> bool {
    payload.is_ascii() || std::str::from_utf8(payload).is_ok()
}

impl fmt::Debug for Input {
    /// It holds payloads, so they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("waiting", &(self.end - self.start)).finish_non_exhaustive()
    }
}

// A frame that is waited for has to fit into a read.
const _: () = assert!(PATIENCE < SCRATCH);
