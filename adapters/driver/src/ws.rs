//! How do messages get on the wire? The WebSocket protocol over any stream of bytes.

mod input;
mod lent;
mod masks;
mod out;
mod payloads;
mod scratch;

use std::{
    fmt,
    io::{self, Cursor},
    mem::take,
    task::{Context, Poll},
};

use bytes::Bytes;
use steadfast::{Cause, CloseCode, Frame, Text};
use tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{
        CloseFrame, Role, WebSocketConfig, WebSocketContext,
        frame::{
            FrameHeader,
            coding::{Control, Data, OpCode},
        },
    },
};

use crate::{Io, Transport};
use input::{Input, Stop};
use lent::Lent;
use out::Out;

/// How much the framing layer takes at once of a frame that is lent to it. It reads from memory, so a small piece
/// costs next to nothing; and every idle link keeps a buffer of this size.
const PIECE: usize = 512;

/// The longest reason that fits into a Close frame, behind its code (RFC 6455 section 5.5).
const REASON: usize = 123;

/// A WebSocket link over a stream of bytes.
///
/// Nothing leaves but in [`poll_flush`](Transport::poll_flush), or together with the answer to a ping or a
/// Close in [`poll_read`](Transport::poll_read). What was fed is joined into as few writes as the stream
/// takes; how much of it there may be at once is for the session to say, not for this type.
///
/// A received message is a copy. Whoever keeps one that is small keeps those that came in the same read next to
/// it, 4 KiB at most. An idle link keeps nothing to read into.
pub struct Ws<S> {
    io: S,
    framing: WebSocketContext,
    input: Input,
    out: Out,
    fed: u64,
    /// Whether a part of a frame came in a read that brought no whole one, and nobody has asked since.
    has_part: bool,
    /// Whether the last read ended because the stream has no more, and keeps the waker.
    is_armed: bool,
}

impl<S: Io> Ws<S> {
    /// A link over a stream on which the handshake of a client is done.
    ///
    /// `rest` is what was read behind the head of the server's answer: the beginning of its first frames.
    /// `max_message` is the largest message that is accepted, in bytes; [`Upgrade::over`](crate::Upgrade::over)
    /// does all of this.
    pub fn new(io: S, rest: Vec<u8>, max_message: u32) -> Self {
        let limit = usize::try_from(max_message).unwrap_or(usize::MAX);
        let config = WebSocketConfig::default()
            .read_buffer_size(PIECE)
            // Its frames go straight to those that were fed.
            .write_buffer_size(0)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        let framing = WebSocketContext::new(Role::Client, Some(config));
        Self {
            io,
            framing,
            input: Input::new(rest, max_message),
            out: Out::default(),
            fed: 0,
            has_part: false,
            is_armed: false,
        }
    }

    /// The stream below.
    pub const fn io(&self) -> &S {
        &self.io
    }

    /// Reads until there are so many frames, or a large read is used up, or the stream has no more: that is what arms
    /// the waker. A runtime that remembers a short read says so without asking the operating system.
    fn poll_frames(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
        let before = frames.len();
        self.is_armed = false;
        loop {
            if let Err(cause) = self.understand(frames, before.saturating_add(most)) {
                return Poll::Ready(Err(cause));
            }
            let has_some = frames.len() > before;
            if frames.len() - before >= most || has_some && self.input.is_full() {
                return Poll::Ready(Ok(()));
            }
            match self.input.poll_more(&mut self.io, cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.out.end(Cause::Ended))),
                Poll::Ready(Ok(_)) => self.has_part = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.out.end(ended(&error)))),
                Poll::Pending => {
                    self.is_armed = true;
                    return if has_some { Poll::Ready(Ok(())) } else { Poll::Pending };
                }
            }
        }
    }

    /// Makes frames of what is there, until there are so many.
    fn understand(&mut self, frames: &mut Vec<Frame>, most: usize) -> Result<(), Cause> {
        loop {
            match self.input.take_messages(frames, most) {
                Stop::Enough | Stop::Unfinished => return Ok(()),
                Stop::Lent(bytes) => frames.extend(read(&mut self.framing, &mut self.out, bytes)?),
            }
        }
    }
}

impl<S: Io> Transport for Ws<S> {
    /// After a Close there is no place for it: it counts as fed and never as left.
    fn feed(&mut self, frame: Frame) {
        self.fed += 1;
        if self.framing.can_write() {
            let opcode = match &frame {
                Frame::Text(_) => OpCode::Data(Data::Text),
                Frame::Binary(_) => OpCode::Data(Data::Binary),
                Frame::Ping(_) => OpCode::Control(Control::Ping),
                Frame::Pong(_) => OpCode::Control(Control::Pong),
            };
            self.out.feed(opcode, frame.payload());
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        let close = code.is_sendable().then(|| CloseFrame { code: code.0.into(), reason: shortened(reason).into() });
        say_close(&mut self.framing, &mut self.out, close);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let flushed = self.out.poll_flush(&mut self.io, cx);
        if self.out.kept() == self.fed { flushed } else { Poll::Pending }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
        let before = frames.len();
        let polled = self.poll_frames(cx, frames, most);
        self.has_part &= frames.len() == before;
        self.input.settle();
        // Answers leave by themselves, as far as that goes without waiting.
        if self.out.owes() {
            let _ = self.out.poll_flush(&mut self.io, cx);
        }
        polled
    }

    fn is_armed(&self) -> bool {
        self.is_armed
    }

    fn left(&self) -> u64 {
        self.out.left()
    }

    fn fed(&self) -> u64 {
        self.fed
    }

    fn pending(&self) -> usize {
        self.out.pending()
    }

    fn take_progress(&mut self) -> bool {
        self.out.take_progress() | take(&mut self.has_part)
    }

    fn shrink(&mut self) {
        self.out.shrink();
    }
}

impl<S> fmt::Debug for Ws<S> {
    /// Its buffers hold payloads, so they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ws").field("fed", &self.fed).field("left", &self.out.left()).finish_non_exhaustive()
    }
}

/// Has the framing layer read a frame, or a piece of one. `None` if that was no message, or there is more to come.
fn read(framing: &mut WebSocketContext, out: &mut Out, bytes: &[u8]) -> Result<Option<Frame>, Cause> {
    let mut lent = Lent { bytes, out };
    let message = match framing.read(&mut lent) {
        Ok(message) => message,
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(judge(framing, out, &error)),
    };
    // The answer to a ping or a Close joins what was fed.
    framing.flush(&mut lent).expect("what is lent takes everything");
    Ok(Some(match message {
        Message::Text(text) => Frame::Text(Text::claimed(text.into())),
        Message::Binary(bytes) => Frame::Binary(bytes),
        Message::Ping(bytes) => Frame::Ping(bytes),
        Message::Pong(bytes) => Frame::Pong(bytes),
        Message::Close(_) => return Err(closed(bytes)),
        // Raw frames are only ever written.
        Message::Frame(_) => return Ok(None),
    }))
}

/// The cause of a Close frame that the framing layer has accepted.
///
/// It is read here once more, because the framing layer replaces every code that it does not know by 1002, before
/// anybody can see it. One of them is 1014, "bad gateway", which a client should wait out, whereas 1002 ends in giving
/// up. (tungstenite 0.30; its issue 502 asks for the codes as they are.)
fn closed(frame: &[u8]) -> Cause {
    let mut cursor = Cursor::new(frame);
    let _ = FrameHeader::parse(&mut cursor);
    match &frame[cursor.position() as usize..] {
        [high, low, reason @ ..] => Cause::Closed {
            code: CloseCode(u16::from_be_bytes([*high, *low])),
            reason: Text::claimed(Bytes::copy_from_slice(reason)),
        },
        [] | [_] => Cause::Closed { code: CloseCode::NONE, reason: Text::default() },
    }
}

/// What the peer did wrong; it is told so (RFC 6455 section 7.1.7).
fn judge(framing: &mut WebSocketContext, out: &mut Out, error: &Error) -> Cause {
    let code = match error {
        Error::Capacity(_) => CloseCode::TOO_BIG,
        Error::Utf8(_) => CloseCode::INVALID,
        Error::Protocol(_) => CloseCode::PROTOCOL,
        Error::ConnectionClosed | Error::AlreadyClosed => return out.end(Cause::Ended),
        // These belong to uses of the framing layer that are not ours.
        Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => return out.end(Cause::Broken(error.to_string().into())),
    };
    say_close(framing, out, Some(CloseFrame { code: code.0.into(), reason: Utf8Bytes::default() }));
    Cause::Violation { code, message: error.to_string().into() }
}

/// Has the framing layer say goodbye behind what was fed, unless it has done so.
fn say_close(framing: &mut WebSocketContext, out: &mut Out, close: Option<CloseFrame>) {
    framing.close(&mut Lent { bytes: &[], out }, close).expect("what is lent takes everything");
}

/// The cause for a stream that could not be read.
fn ended(error: &io::Error) -> Cause {
    if error.kind() == io::ErrorKind::UnexpectedEof { Cause::Ended } else { broken(error) }
}

/// The cause for a stream that failed.
pub(crate) fn broken(error: &io::Error) -> Cause {
    Cause::Broken(error.to_string().into())
}

/// As much of a reason as fits, cut between two characters.
fn shortened(reason: &str) -> &str {
    let end = (0..=reason.len().min(REASON)).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
    &reason[..end]
}

#[cfg(test)]
mod cases;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, frame, idle, unmasked};
    use bytes::Bytes;

    const LIMIT: u32 = 1_000;
    const TEXT: u8 = 0x81;
    const BINARY: u8 = 0x82;
    const CLOSE: u8 = 0x88;
    const PING: u8 = 0x89;
    const PONG: u8 = 0x8a;

    fn link() -> Ws<Wire> {
        Ws::new(Wire::new(), Vec::new(), LIMIT)
    }

    /// One poll that may read as much as there is.
    fn read(ws: &mut Ws<Wire>) -> (Vec<Frame>, Poll<Result<(), Cause>>) {
        let mut frames = Vec::new();
        let polled = ws.poll_read(&mut idle(), &mut frames, 512);
        (frames, polled)
    }

    fn last_word(ws: &mut Ws<Wire>) -> (Vec<Frame>, Cause) {
        match read(ws) {
            (frames, Poll::Ready(Err(cause))) => (frames, cause),
            other => panic!("not the end: {other:?}"),
        }
    }

    fn flush(ws: &mut Ws<Wire>) -> Poll<()> {
        ws.poll_flush(&mut idle())
    }

    fn closing(code: u16, reason: &str) -> Vec<u8> {
        frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    fn closed(code: u16, reason: &str) -> Cause {
        Cause::Closed { code: CloseCode(code), reason: reason.into() }
    }

    fn violation(cause: &Cause) -> u16 {
        let Cause::Violation { code, .. } = cause else { panic!("no violation: {cause:?}") };
        code.0
    }

    #[test]
    fn what_is_fed_leaves_with_the_flush_in_one_write() {
        let mut ws = link();
        ws.feed(Frame::from("one"));
        ws.feed(Frame::Binary(Bytes::from_static(b"two")));
        ws.feed(Frame::Ping(Bytes::from_static(b"p")));
        ws.feed(Frame::Pong(Bytes::from_static(b"q")));
        assert_eq!((ws.io.writes, ws.fed(), ws.left()), (0, 4, 0));
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert_eq!((ws.io.writes, ws.fed(), ws.left()), (1, 4, 4));
        let expected =
            [(TEXT, b"one".to_vec()), (BINARY, b"two".to_vec()), (PING, b"p".to_vec()), (PONG, b"q".to_vec())];
        assert_eq!(unmasked(&ws.io.written), expected);
    }

    #[test]
    fn a_blocked_write_is_pending_then_progress_then_done() {
        let mut ws = link();
        ws.io.room = 0;
        ws.feed(Frame::from("hello"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        assert_eq!((ws.left(), ws.take_progress()), (0, false));
        ws.io.room = 1;
        assert_eq!(flush(&mut ws), Poll::Pending);
        assert_eq!((ws.left(), ws.take_progress(), ws.take_progress()), (1, true, false));
        ws.io.room = usize::MAX;
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert!(ws.take_progress());
        assert_eq!(unmasked(&ws.io.take_written()), [(TEXT, b"hello".to_vec())]);
        ws.feed(Frame::from("again"));
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert!(!ws.take_progress(), "it had not been blocked again");
    }

    #[test]
    fn a_write_that_was_never_blocked_is_no_progress() {
        let mut ws = link();
        ws.feed(Frame::from("hello"));
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert!(!ws.take_progress());
    }

    #[test]
    fn what_was_fed_after_the_last_write_has_not_left() {
        let mut ws = link();
        ws.io.room = 3;
        ws.feed(Frame::from("one"));
        ws.feed(Frame::from("two"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        ws.feed(Frame::from("three"));
        assert_eq!((ws.fed(), ws.left()), (3, 2));
        ws.io.write_error = Some(io::ErrorKind::BrokenPipe);
        assert_eq!(flush(&mut ws), Poll::Pending);
        assert_eq!((ws.fed(), ws.left()), (3, 2));
    }

    #[test]
    fn frames_of_every_kind_come_out() {
        let mut ws = link();
        ws.io.arrive([frame(TEXT, "grüße".as_bytes()), frame(BINARY, b"\xff"), frame(PONG, b"p")].concat());
        let (frames, polled) = read(&mut ws);
        assert_eq!(polled, Poll::Ready(Ok(())));
        assert_eq!(
            frames,
            [Frame::from("grüße"), Frame::Binary(Bytes::from_static(b"\xff")), Frame::Pong(Bytes::from_static(b"p"))]
        );
        assert_eq!(read(&mut ws), (vec![], Poll::Pending));
    }

    #[test]
    fn no_more_than_asked_for_comes_out_at_once() {
        let mut ws = link();
        ws.io.arrive([frame(TEXT, b"1"), frame(TEXT, b"2"), frame(TEXT, b"3")].concat());
        let mut frames = vec![Frame::from("0")];
        assert_eq!(ws.poll_read(&mut idle(), &mut frames, 2), Poll::Ready(Ok(())));
        assert_eq!(frames, ["0", "1", "2"].map(Frame::from));
        assert_eq!(read(&mut ws), (vec![Frame::from("3")], Poll::Ready(Ok(()))));
    }

    #[test]
    fn who_took_all_there_was_has_left_the_waker() {
        let mut ws = link();
        ws.io.arrive([frame(TEXT, b"1"), frame(TEXT, b"2")].concat());
        let mut frames = Vec::new();
        assert_eq!(ws.poll_read(&mut idle(), &mut frames, 1), Poll::Ready(Ok(())));
        assert!(!ws.is_armed(), "there is more");
        assert_eq!((read(&mut ws), ws.is_armed()), ((vec![Frame::from("2")], Poll::Ready(Ok(()))), true));
        assert_eq!((read(&mut ws), ws.is_armed()), ((vec![], Poll::Pending), true));
    }

    #[test]
    fn a_frame_that_trickles_in_is_whole() {
        let mut ws = link();
        ws.io.trickle(&frame(TEXT, &[b'x'; 300]));
        let frames: Vec<_> = std::iter::repeat_with(|| read(&mut ws).0).take(304).flatten().collect();
        assert_eq!(frames, [Frame::from("x".repeat(300))]);
    }

    #[test]
    fn fragments_are_joined_also_across_a_ping_and_inside_a_character() {
        let mut ws = link();
        let (head, tail) = "grüße".as_bytes().split_at(3);
        ws.io.arrive([frame(0x01, head), frame(PING, b""), frame(0x80, tail)].concat());
        assert_eq!(read(&mut ws).0, [Frame::Ping(Bytes::new()), Frame::from("grüße")]);
    }

    #[test]
    fn a_ping_is_answered_and_takes_along_what_was_fed() {
        let mut ws = link();
        ws.feed(Frame::from("fed"));
        ws.io.arrive(frame(PING, b"are you there"));
        assert_eq!(read(&mut ws).0, [Frame::Ping(Bytes::from_static(b"are you there"))]);
        assert_eq!(unmasked(&ws.io.written), [(TEXT, b"fed".to_vec()), (PONG, b"are you there".to_vec())]);
        assert_eq!((ws.fed(), ws.left()), (1, 1));
    }

    #[test]
    fn a_ping_is_answered_even_if_nothing_is_read_after_it() {
        let mut ws = link();
        ws.io.arrive([frame(PING, b"p"), frame(TEXT, b"later")].concat());
        let mut frames = Vec::new();
        assert_eq!(ws.poll_read(&mut idle(), &mut frames, 1), Poll::Ready(Ok(())));
        assert_eq!(unmasked(&ws.io.written), [(PONG, b"p".to_vec())]);
    }

    #[test]
    fn a_pong_that_is_blocked_leaves_with_the_next_flush() {
        let mut ws = link();
        ws.io.room = 0;
        ws.io.arrive(frame(PING, b"p"));
        assert_eq!(read(&mut ws).0.len(), 1);
        assert_eq!(flush(&mut ws), Poll::Pending);
        ws.io.room = usize::MAX;
        ws.feed(Frame::from("t"));
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert_eq!(unmasked(&ws.io.written), [(PONG, b"p".to_vec()), (TEXT, b"t".to_vec())]);
    }

    #[test]
    fn while_writes_are_blocked_only_the_latest_pong_waits() {
        let mut ws = link();
        ws.io.room = 0;
        ws.feed(Frame::from("fed"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        for n in 0..10_000_u32 {
            ws.io.arrive(frame(PING, &[&n.to_be_bytes()[..], &[b'p'; 121]].concat()));
            assert_eq!(read(&mut ws).0.len(), 1);
            assert_eq!(flush(&mut ws), Poll::Pending);
            // A byte now and then makes no room for more answers.
            ws.io.room = usize::from(n % 2_500 == 0);
        }
        ws.io.room = usize::MAX;
        assert_eq!(read(&mut ws), (vec![], Poll::Pending));
        let written = unmasked(&ws.io.take_written());
        let [(TEXT, fed), pongs @ ..] = &written[..] else { panic!("{written:?}") };
        assert_eq!((&fed[..], pongs.len()), (&b"fed"[..], 1));
        assert_eq!((pongs[0].0, &pongs[0].1[..4]), (PONG, &9_999_u32.to_be_bytes()[..]));
        ws.io.arrive(frame(PING, b"again"));
        assert_eq!(read(&mut ws).0.len(), 1);
        assert_eq!(unmasked(&ws.io.written), [(PONG, b"again".to_vec())]);
    }

    #[test]
    fn a_pong_that_was_kept_leaves_with_a_flush_too() {
        let mut ws = link();
        ws.io.room = 0;
        ws.feed(Frame::from("fed"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        ws.io.arrive([frame(PING, b"1"), frame(PING, b"2")].concat());
        assert_eq!(read(&mut ws).0.len(), 2);
        ws.io.room = usize::MAX;
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert_eq!(unmasked(&ws.io.written), [(TEXT, b"fed".to_vec()), (PONG, b"2".to_vec())]);
    }

    #[test]
    fn a_close_is_the_last_word_and_is_echoed() {
        let mut ws = link();
        ws.io.arrive([frame(TEXT, b"before"), closing(4401, "who are you"), frame(TEXT, b"after")].concat());
        assert_eq!(last_word(&mut ws), (vec![Frame::from("before")], closed(4401, "who are you")));
        assert_eq!(unmasked(&ws.io.written), unmasked_close(4401, "who are you"));
    }

    fn unmasked_close(code: u16, reason: &str) -> [(u8, Vec<u8>); 1] {
        [(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())]
    }

    #[test]
    fn a_close_without_a_code_is_1005() {
        let mut ws = link();
        ws.io.arrive(frame(CLOSE, b""));
        assert_eq!(last_word(&mut ws).1, closed(1005, ""));
    }

    #[test]
    fn codes_that_the_framing_layer_does_not_know_are_kept() {
        for code in [999, 1014, 1016, 2999, 5000] {
            let mut ws = link();
            ws.io.arrive([frame(TEXT, b"before"), closing(code, "why")].concat());
            assert_eq!(last_word(&mut ws).1, closed(code, "why"));
            let mut ws = Ws::new(Wire::new(), closing(code, "at once"), LIMIT);
            assert_eq!(last_word(&mut ws).1, closed(code, "at once"), "it came with the handshake");
        }
    }

    #[test]
    fn a_close_whose_echo_is_blocked_ends_the_link_all_the_same() {
        let mut ws = link();
        ws.io.room = 0;
        ws.io.arrive(closing(1001, ""));
        assert_eq!(last_word(&mut ws).1, closed(1001, ""));
        assert!(ws.io.written.is_empty());
    }

    #[test]
    fn our_close_leaves_after_what_was_fed_and_its_answer_is_the_last_word() {
        let mut ws = link();
        ws.feed(Frame::from("bye"));
        ws.close(CloseCode::NORMAL, &"ü".repeat(80));
        assert_eq!(ws.io.writes, 0);
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        let [bye, close] = &unmasked(&ws.io.take_written())[..] else { panic!("two frames") };
        assert_eq!(bye.1, b"bye");
        assert_eq!((close.0, &close.1[2..]), (CLOSE, "ü".repeat(61).as_bytes()));
        ws.io.arrive([frame(TEXT, b"still here"), closing(1000, "done")].concat());
        assert_eq!(last_word(&mut ws), (vec![Frame::from("still here")], closed(1000, "done")));
    }

    #[test]
    fn what_is_fed_after_our_close_is_never_flushed() {
        let mut ws = link();
        ws.close(CloseCode::NONE, "unheard");
        ws.feed(Frame::from("too late"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        assert_eq!(unmasked(&ws.io.written), [(CLOSE, vec![])]);
        assert_eq!((ws.fed(), ws.left()), (1, 0));
    }

    #[test]
    fn the_end_of_the_stream_without_a_close_is_ended() {
        let mut ws = link();
        ws.io.arrive(frame(TEXT, b"before"));
        ws.io.end();
        assert_eq!(last_word(&mut ws), (vec![Frame::from("before")], Cause::Ended));
        let mut ws = link();
        ws.io.fail_read(io::ErrorKind::UnexpectedEof);
        assert_eq!(last_word(&mut ws).1, Cause::Ended);
    }

    #[test]
    fn frames_before_a_reset_come_out_with_it() {
        let mut ws = link();
        ws.io.arrive([frame(TEXT, b"1"), frame(TEXT, b"2"), vec![TEXT]].concat());
        ws.io.fail_read(io::ErrorKind::ConnectionReset);
        let (frames, cause) = last_word(&mut ws);
        assert_eq!(frames, ["1", "2"].map(Frame::from));
        assert!(matches!(cause, Cause::Broken(_)), "{cause:?}");
    }

    #[test]
    fn after_a_failed_write_reading_goes_on_and_a_close_wins() {
        let mut ws = link();
        ws.io.write_error = Some(io::ErrorKind::BrokenPipe);
        ws.feed(Frame::from("lost"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        ws.io.arrive([frame(PING, b""), frame(TEXT, b"last"), closing(4401, "expired")].concat());
        ws.io.fail_read(io::ErrorKind::ConnectionReset);
        let (frames, cause) = last_word(&mut ws);
        assert_eq!((frames.len(), cause), (2, closed(4401, "expired")));
        assert_eq!((ws.io.writes, ws.left()), (1, 0), "nothing is written after a failure");
    }

    #[test]
    fn after_a_failed_write_any_other_end_is_that_failure() {
        for end in [|wire: &mut Wire| wire.end(), |wire: &mut Wire| wire.fail_read(io::ErrorKind::ConnectionReset)] {
            let mut ws = link();
            ws.io.write_error = Some(io::ErrorKind::BrokenPipe);
            ws.feed(Frame::from("lost"));
            assert_eq!(flush(&mut ws), Poll::Pending);
            assert_eq!(read(&mut ws), (vec![], Poll::Pending));
            end(&mut ws.io);
            assert_eq!(last_word(&mut ws).1, broken(&io::ErrorKind::BrokenPipe.into()));
        }
    }

    #[test]
    fn a_failed_pong_does_not_hide_what_lies_behind_the_ping() {
        let mut ws = link();
        ws.io.write_error = Some(io::ErrorKind::ConnectionReset);
        ws.io.arrive([frame(PING, b""), closing(1012, "")].concat());
        assert_eq!(last_word(&mut ws).1, closed(1012, ""));
    }

    #[test]
    fn a_message_over_the_limit_is_1009_and_the_peer_is_told() {
        let fits = vec![b'x'; LIMIT as usize];
        let oversized = [frame(TEXT, &[&fits[..], b"y"].concat()), [frame(0x01, &fits), frame(0x80, b"y")].concat()];
        for bytes in oversized {
            let mut ws = link();
            ws.io.arrive([frame(TEXT, &fits), bytes].concat());
            let (frames, cause) = last_word(&mut ws);
            assert_eq!((frames.len(), violation(&cause)), (1, 1009));
            assert_eq!(unmasked(&ws.io.written), unmasked_close(1009, ""));
        }
    }

    #[test]
    fn a_header_that_announces_too_much_is_enough() {
        let mut ws = link();
        ws.io.arrive([&[TEXT, 127][..], &u64::MAX.to_be_bytes()].concat());
        assert_eq!(violation(&last_word(&mut ws).1), 1009);
    }

    #[test]
    fn text_that_is_not_utf_8_is_1007() {
        for bytes in [frame(TEXT, b"ok \xff"), [frame(0x01, b"\xc3"), frame(0x80, b"x")].concat()] {
            let mut ws = link();
            ws.io.arrive([frame(TEXT, b"before"), bytes].concat());
            let (frames, cause) = last_word(&mut ws);
            assert_eq!((frames, violation(&cause)), (vec![Frame::from("before")], 1007));
        }
    }

    #[test]
    fn broken_rules_are_1002() {
        let masked = vec![TEXT, 0x81, 0, 0, 0, 0, b'x'];
        let reserved_bit = frame(0xc1, b"x");
        let unknown = frame(0x83, b"x");
        let lone_continuation = frame(0x80, b"x");
        let unfinished = [frame(0x01, b"x"), frame(TEXT, b"y")].concat();
        let long_ping = frame(PING, &[0; 126]);
        let split_ping = frame(0x09, b"");
        let short_close = frame(CLOSE, b"\x03");
        for bytes in [masked, reserved_bit, unknown, lone_continuation, unfinished, long_ping, split_ping, short_close]
        {
            let mut ws = link();
            ws.io.arrive(bytes.clone());
            assert_eq!(violation(&last_word(&mut ws).1), 1002, "{bytes:?}");
            assert_eq!(unmasked(&ws.io.written), unmasked_close(1002, ""));
        }
    }

    #[test]
    fn what_was_read_with_the_handshake_comes_first() {
        let mut ws = Ws::new(Wire::new(), [frame(TEXT, b"hello"), vec![TEXT]].concat(), LIMIT);
        ws.io.arrive([&[5][..], b"world"].concat());
        assert_eq!(read(&mut ws).0, ["hello", "world"].map(Frame::from));
    }

    #[test]
    fn a_frame_of_any_length_leaves_whole_and_masked() {
        for length in [0, 1, 3, 4, 5, 125, 126, 127, 65_535] {
            let payload: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let mut ws = link();
            ws.feed(Frame::from(payload.clone()));
            assert_eq!(flush(&mut ws), Poll::Ready(()));
            assert!(unmasked(&ws.io.written) == [(BINARY, payload)], "{length} bytes");
        }
        let mut ws = link();
        ws.feed(Frame::from("x".repeat(65_536)));
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert_eq!(ws.io.written[..10], [TEXT, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(ws.io.written.len(), 10 + 4 + 65_536);
    }

    #[test]
    fn pending_is_what_was_fed_and_has_not_left() {
        let mut ws = link();
        (0..10).for_each(|_| ws.feed(Frame::from("hello")));
        assert_eq!(ws.pending(), 10 * (2 + 4 + 5));
        ws.io.room = 7;
        assert_eq!(flush(&mut ws), Poll::Pending);
        assert_eq!(ws.pending(), 103);
        ws.shrink();
        ws.io.room = usize::MAX;
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        assert_eq!((ws.pending(), unmasked(&ws.io.written).len()), (0, 10));
    }

    #[test]
    fn a_blocked_link_keeps_what_waits_and_nothing_that_has_left() {
        let mut ws = link();
        ws.io.room = 0;
        (0..1_000).for_each(|n| ws.feed(Frame::from(format!("{n}"))));
        while flush(&mut ws).is_pending() {
            ws.feed(Frame::from("more"));
            ws.io.room = 100;
            assert!(ws.pending() <= 20_000, "{}", ws.pending());
        }
        let written = unmasked(&ws.io.written);
        assert!(written.iter().take(1_000).zip(0..).all(|(frame, n)| frame.1 == format!("{n}").as_bytes()));
        assert_eq!((written.len() as u64, ws.left()), (ws.fed(), ws.fed()));
    }

    #[test]
    fn no_pong_comes_after_our_close() {
        let mut ws = link();
        ws.io.room = 0;
        ws.feed(Frame::from("fed"));
        assert_eq!(flush(&mut ws), Poll::Pending);
        ws.io.arrive(frame(PING, b"too late to answer"));
        assert_eq!(read(&mut ws).0.len(), 1);
        ws.close(CloseCode::NORMAL, "");
        ws.io.room = usize::MAX;
        assert_eq!(flush(&mut ws), Poll::Ready(()));
        let kinds: Vec<u8> = unmasked(&ws.io.written).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [TEXT, CLOSE]);
    }

    #[test]
    fn large_messages_come_out_whole_however_they_arrive() {
        for length in [4_000, 4_090, 4_096, 60_000, 65_535] {
            for piece in [1_000, 4_096, 70_000] {
                let payload = vec![b'x'; length];
                let stream = [frame(TEXT, b"before"), frame(BINARY, &payload), frame(TEXT, b"after")].concat();
                let mut ws = Ws::new(Wire::new(), Vec::new(), 1 << 20);
                stream.chunks(piece).for_each(|piece| ws.io.arrive(piece));
                let frames: Vec<_> = std::iter::repeat_with(|| read(&mut ws).0).take(3).flatten().collect();
                let expected = [Frame::from("before"), Frame::from(payload), Frame::from("after")];
                assert!(frames == expected, "{length} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_part_of_a_frame_is_progress_and_a_whole_one_speaks_for_itself() {
        for length in [100, 900, 60_000] {
            let mut ws = Ws::new(Wire::new(), Vec::new(), 1 << 20);
            let bytes = frame(BINARY, &vec![7; length]);
            for byte in &bytes[..10] {
                ws.io.arrive([*byte]);
                assert_eq!((read(&mut ws), ws.take_progress()), ((vec![], Poll::Pending), true));
            }
            assert_eq!((read(&mut ws), ws.take_progress()), ((vec![], Poll::Pending), false), "nothing came");
            ws.io.arrive(&bytes[10..]);
            assert_eq!((read(&mut ws).0.len(), ws.take_progress()), (1, false), "{length} bytes");
        }
    }

    #[test]
    fn a_flood_is_read_in_large_pieces_and_in_order() {
        let mut ws = link();
        ws.io.arrive((0..50_000_u32).flat_map(|n| frame(BINARY, &n.to_be_bytes())).collect::<Vec<_>>());
        let mut frames = Vec::new();
        while ws.poll_read(&mut idle(), &mut frames, 512).is_ready() {}
        assert!(frames.iter().zip(0..).all(|(frame, n): (_, u32)| frame.payload()[..] == n.to_be_bytes()));
        assert_eq!(frames.len(), 50_000);
        assert!(ws.io.reads <= 50_000 * 6 / (scratch::SCRATCH / 2), "{} reads", ws.io.reads);
    }

    #[test]
    fn links_of_one_thread_do_not_mix_what_they_have_read() {
        let (mut one, mut other) = (link(), link());
        let (first, second) = (frame(TEXT, b"first of one"), frame(TEXT, b"second of other"));
        one.io.arrive(&first[..5]);
        other.io.arrive(&second[..9]);
        assert!(read(&mut one).1.is_pending() && read(&mut other).1.is_pending());
        one.io.arrive(&first[5..]);
        other.io.arrive(&second[9..]);
        assert_eq!(read(&mut one).0, [Frame::from("first of one")]);
        assert_eq!(read(&mut other).0, [Frame::from("second of other")]);
    }

    #[test]
    fn messages_that_the_application_keeps_do_not_shrink_the_reads() {
        for rest in [vec![], frame(TEXT, b"first")] {
            let mut ws = Ws::new(Wire::new(), rest, LIMIT);
            let mut kept = Vec::new();
            let mut buffers = Vec::new();
            for _ in 0..100 {
                ws.io.smallest_read = usize::MAX;
                ws.io.arrive(frame(TEXT, &[b'x'; 500]));
                assert_eq!(ws.poll_read(&mut idle(), &mut kept, 512), Poll::Ready(Ok(())));
                buffers.push(ws.io.smallest_read);
            }
            let average = buffers.iter().sum::<usize>() / buffers.len();
            assert!(average > scratch::SCRATCH / 2, "{buffers:?}");
        }
    }
}
