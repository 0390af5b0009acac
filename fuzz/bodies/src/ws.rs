//! Does the transport understand what tungstenite alone understands?
//!
//! A whole data frame does not go through tungstenite. So any stream of frames, good and bad, cut anywhere, is given to
//! the transport and to a `WebSocketContext`: after every piece both have the same frames, the same last word, and
//! have written the same.

mod pipe;

use std::{io, mem::take, task::Poll};

use arbitrary::{Arbitrary, Result, Unstructured};
use steadfast::{Cause, CloseCode, Frame, Text};
use steadfast_driver::{Transport, Ws};
use tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding},
};

use pipe::{Pipe, Tap, idle, push_frame, unmasked};

/// Enough for every story, and few enough to run thousands a second.
const MOST: usize = 64;
/// Lengths at which something changes: of the header, of what is waited for, of a read, of the limit.
const LENGTHS: [usize; 12] = [0, 1, 125, 126, 700, 999, 1_000, 1_001, 4_092, 4_093, 65_534, 70_000];
const LIMITS: [u32; 4] = [100, 1_000, 69_999, 1 << 20];
/// The frames that one poll reads at most.
const ROUNDS: [usize; 3] = [1, 3, 512];

/// One thing that happens.
#[derive(Debug, Arbitrary)]
enum Step {
    /// A message in one frame.
    Whole(Kind, Content),
    /// A message in fragments, perhaps with a ping behind each.
    Split {
        kind: Kind,
        parts: Vec<Content>,
        pings: bool,
    },
    Ping(Content),
    Pong(Content),
    /// What was sent so far arrives, in pieces of this size.
    Arrive {
        piece: u16,
    },
    /// The client's turn.
    Say(Kind, Content),
    Last(Last),
}

/// What is probably the last thing that happens.
#[derive(Debug, Arbitrary)]
enum Last {
    Close {
        code: u16,
        why: Content,
    },
    /// A frame of which nothing need be right.
    Odd {
        first: u8,
        masked: bool,
        long: bool,
        content: Content,
    },
    Bytes(Vec<u8>),
    /// So many bytes of what was sent do not come.
    Cut(u8),
    /// The client says goodbye.
    Bye {
        code: u16,
    },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Kind {
    Text,
    Binary,
}

#[derive(Debug, Arbitrary)]
struct Content {
    length: u8,
    /// What its last byte is: ASCII, or something that breaks UTF-8 or stands in the middle of a character.
    last: Option<u8>,
}

/// What came in, told by one of the two.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    frames: Vec<Frame>,
    last: Option<Cause>,
}

/// Runs one case. Panics if the two differ.
pub fn ws(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut case) = Case::new(&mut u) else { return };
    for _ in 0..MOST {
        let Ok(step) = u.arbitrary() else { break };
        case.take(step);
        if u.is_empty() || case.is_over() {
            break;
        }
    }
    case.arrive(usize::MAX);
    case.end();
}

/// The two of them, and what is on its way to both.
struct Case {
    ours: Ws<Tap>,
    tap: Tap,
    round: usize,
    theirs: WebSocketContext,
    pipe: Pipe,
    heard: Heard,
    expected: Heard,
    sent: Vec<u8>,
}

impl Case {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let limit = *u.choose(&LIMITS)?;
        let round = *u.choose(&ROUNDS)?;
        let most = usize::try_from(limit).ok();
        let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most).read_buffer_size(4 << 10);
        let tap = Tap::default();
        Ok(Self {
            ours: Ws::new(tap.clone(), Vec::new(), limit),
            tap,
            round,
            theirs: WebSocketContext::new(Role::Client, Some(config)),
            pipe: Pipe::default(),
            heard: Heard::default(),
            expected: Heard::default(),
            sent: Vec::new(),
        })
    }

    const fn is_over(&self) -> bool {
        self.heard.last.is_some()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Whole(kind, content) => self.send(0x80 | kind.opcode(), &content),
            Step::Split { kind, parts, pings } => self.split(kind, &parts, pings),
            Step::Ping(content) => self.send(0x89, &content),
            Step::Pong(content) => self.send(0x8a, &content),
            Step::Arrive { piece } => self.arrive(usize::from(piece).max(1)),
            Step::Say(kind, content) => self.say(kind, &content),
            Step::Last(last) => self.take_last(last),
        }
    }

    fn take_last(&mut self, last: Last) {
        match last {
            Last::Close { code, why } => {
                let payload = [&code.to_be_bytes()[..], &why.bytes()].concat();
                push_frame(&mut self.sent, 0x88, false, false, &payload[..payload.len().min(usize::from(why.length))]);
            }
            Last::Odd { first, masked, long, content } => {
                push_frame(&mut self.sent, first, masked, long, &content.bytes());
            }
            Last::Bytes(bytes) => self.sent.extend(bytes),
            Last::Cut(count) => self.sent.truncate(self.sent.len().saturating_sub(count.into())),
            Last::Bye { code } => self.bye(code),
        }
    }

    fn send(&mut self, first: u8, content: &Content) {
        push_frame(&mut self.sent, first, false, false, &content.bytes());
    }

    fn split(&mut self, kind: Kind, parts: &[Content], pings: bool) {
        for (at, part) in parts.iter().enumerate() {
            let opcode = if at == 0 { kind.opcode() } else { 0 };
            let last = if at + 1 == parts.len() { 0x80 } else { 0 };
            self.send(last | opcode, part);
            if pings {
                push_frame(&mut self.sent, 0x89, false, false, &[at as u8]);
            }
        }
    }

    /// What was sent arrives at both, and both are asked after every piece.
    fn arrive(&mut self, piece: usize) {
        // Pieces of a few bytes of a long stream say nothing new.
        let piece = piece.max(self.sent.len() / 512);
        for piece in take(&mut self.sent).chunks(piece.max(1)) {
            if self.is_over() {
                return;
            }
            self.tap.0.borrow_mut().sent.extend_from_slice(piece);
            self.pipe.sent.extend_from_slice(piece);
            self.compare();
        }
    }

    fn say(&mut self, kind: Kind, content: &Content) {
        let text = "x".repeat(content.length());
        let (frame, message) = match kind {
            Kind::Text => (Frame::from(&text[..]), Message::text(text)),
            Kind::Binary => (Frame::from(text.clone().into_bytes()), Message::binary(text)),
        };
        self.ours.feed(frame);
        // After a Close it refuses.
        let _ = self.theirs.write(&mut self.pipe, message);
        self.flush();
    }

    fn bye(&mut self, code: u16) {
        let code = CloseCode(code);
        self.ours.close(code, "why");
        let close = code.is_sendable().then(|| CloseFrame { code: code.0.into(), reason: "why".into() });
        self.theirs.close(&mut self.pipe, close).expect("the pipe takes everything");
        self.flush();
    }

    fn flush(&mut self) {
        let _ = self.ours.poll_flush(&mut idle());
        self.theirs.flush(&mut self.pipe).expect("the pipe takes everything");
        self.compare();
    }

    fn end(mut self) {
        if !self.is_over() {
            self.tap.0.borrow_mut().has_ended = true;
            self.pipe.has_ended = true;
            self.compare();
            assert!(self.is_over(), "the end of the stream is the last word");
        }
    }

    fn compare(&mut self) {
        while self.heard.last.is_none() {
            match self.ours.poll_read(&mut idle(), &mut self.heard.frames, self.round) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(cause)) => self.heard.last = Some(cause),
            }
        }
        while self.expected.last.is_none() {
            match self.theirs.read(&mut self.pipe) {
                Ok(Message::Close(close)) => self.expected.last = Some(closed(close, self.heard.last.as_ref())),
                Ok(message) => self.expected.frames.push(frame(message)),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.expected.last = Some(judged(&mut self.theirs, &mut self.pipe, &error)),
            }
            self.theirs.flush(&mut self.pipe).expect("the pipe takes everything");
        }
        assert_eq!(self.heard, self.expected);
        self.heard.frames.clear();
        self.expected.frames.clear();
        let (ours, theirs) = (take(&mut self.tap.0.borrow_mut().written), take(&mut self.pipe.written));
        assert_eq!(unmasked(&ours), unmasked(&theirs));
    }
}

impl Kind {
    const fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }
}

impl Content {
    /// Small as it stands, or one of those that matter.
    fn length(&self) -> usize {
        let length = usize::from(self.length);
        LENGTHS.get(255 - length).copied().unwrap_or(length)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![b'x'; self.length()];
        if let (Some(at), Some(last)) = (bytes.last_mut(), self.last) {
            *at = last;
        }
        bytes
    }
}

fn frame(message: Message) -> Frame {
    match message {
        Message::Text(text) => Frame::from(text.as_str()),
        Message::Binary(bytes) => Frame::Binary(bytes),
        Message::Ping(bytes) => Frame::Ping(bytes),
        Message::Pong(bytes) => Frame::Pong(bytes),
        Message::Close(_) | Message::Frame(_) => unreachable!("neither is a message"),
    }
}

/// A Close. tungstenite replaces the codes that it does not know, and only those may be told otherwise.
fn closed(close: Option<CloseFrame>, ours: Option<&Cause>) -> Cause {
    let (code, reason) = match close {
        None => return Cause::Closed { code: CloseCode::NONE, reason: Text::default() },
        Some(close) => (close.code, close.reason),
    };
    match ours {
        Some(Cause::Closed { code: original, .. })
            if code == coding::CloseCode::Protocol
                && reason.as_str() == "Protocol violation"
                && !coding::CloseCode::from(original.0).is_allowed() =>
        {
            ours.cloned().expect("it was just looked at")
        }
        _ => Cause::Closed { code: CloseCode(code.into()), reason: reason.as_str().into() },
    }
}

/// What an error of tungstenite's means, and what the peer is told.
fn judged(theirs: &mut WebSocketContext, pipe: &mut Pipe, error: &Error) -> Cause {
    let code = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Cause::Ended,
        Error::Protocol(_) => CloseCode::PROTOCOL,
        Error::Capacity(_) => CloseCode::TOO_BIG,
        Error::Utf8(_) => CloseCode::INVALID,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => panic!("a pipe knows no such error: {error}"),
    };
    let close = CloseFrame { code: code.0.into(), reason: "".into() };
    theirs.close(pipe, Some(close)).expect("the pipe takes everything");
    Cause::Violation { code, message: error.to_string().into() }
}
