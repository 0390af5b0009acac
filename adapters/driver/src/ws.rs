//! How do messages get on the wire? The WebSocket protocol over any stream of bytes.

mod ahead;
mod call;
mod tail;

use std::{
    fmt, io,
    task::{Context, Poll},
};

use steadfast::{Cause, CloseCode, Frame, Text};
use tungstenite::{
    Error, Message, Utf8Bytes,
    error::ProtocolError,
    protocol::{
        CloseFrame, Role, WebSocketConfig, WebSocketContext,
        frame::{
            Frame as Raw,
            coding::{Data, OpCode},
        },
    },
};

use crate::{Io, Transport};
use call::{Call, Line, Nowhere};

/// How much the framing layer takes at once. It is zeroed before every read and kept by every idle link, so it is
/// small; in a flood more is read from the stream: see [`ahead`].
const READ_BUFFER: usize = 4 << 10;

/// The longest reason that fits into a Close frame, behind its code (RFC 6455 section 5.5).
const REASON: usize = 123;

/// A WebSocket link over a stream of bytes.
///
/// Nothing leaves but in [`poll_flush`](Transport::poll_flush), or together with the answer to a ping or a
/// Close in [`poll_read`](Transport::poll_read). What was fed is joined into as few writes as the stream
/// takes; how much of it there may be at once is for the session to say, not for this type.
pub struct Ws<S> {
    io: S,
    framing: WebSocketContext,
    line: Line,
    fed: u64,
}

impl<S: Io> Ws<S> {
    /// A link over a stream on which the handshake of a client is done.
    ///
    /// `rest` is what was read behind the head of the server's answer: the beginning of its first frames.
    /// `max_message` is the largest message that is accepted, in bytes; [`Upgrade::over`](crate::Upgrade::over)
    /// does all of this.
    pub fn new(io: S, mut rest: Vec<u8>, max_message: u32) -> Self {
        let mut line = Line::default();
        line.tail.on_read(&rest);
        // The framing layer sizes all its later buffers by the capacity of the first one.
        rest.reserve_exact(READ_BUFFER);
        let limit = usize::try_from(max_message).unwrap_or(usize::MAX);
        let config = open(WebSocketConfig::default())
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit));
        let framing = WebSocketContext::from_partially_read(rest, Role::Client, Some(config));
        Self { io, framing, line, fed: 0 }
    }

    /// One call of the framing layer. While its buffer waits for the stream it adds nothing to it by itself: of
    /// the answers to many pings it keeps the latest, which answers them all (RFC 6455 section 5.5.3).
    fn call<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut WebSocketContext, &mut Call<'_, '_, S>) -> T,
    ) -> T {
        let was_full = self.line.is_full;
        if was_full {
            self.framing.set_config(|config| *config = shut(*config));
        }
        let done = act(&mut self.framing, &mut Call { io: &mut self.io, cx, line: &mut self.line });
        if was_full {
            self.framing.set_config(|config| *config = open(*config));
        }
        done
    }

    /// The stream below.
    pub const fn io(&self) -> &S {
        &self.io
    }

    /// The last word: the cause of an error that the framing layer reports.
    fn end(&mut self, cx: &mut Context<'_>, error: Error) -> Cause {
        let code = match &error {
            Error::Capacity(_) => CloseCode::TOO_BIG,
            Error::Utf8(_) => CloseCode::INVALID,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return self.line.end(Cause::Ended),
            Error::Protocol(_) => CloseCode::PROTOCOL,
            Error::ConnectionClosed | Error::AlreadyClosed => return self.line.end(Cause::Ended),
            Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => return self.line.end(Cause::Ended),
            Error::Io(error) => return self.line.end(broken(error)),
            // These belong to uses of the framing layer that are not ours.
            Error::Tls(_)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => return self.line.end(Cause::Broken(error.to_string().into())),
        };
        let message = Text::from(error.to_string());
        self.complain(cx, code);
        Cause::Violation { code, message }
    }

    /// Tells the peer what it did wrong, as far as that goes without waiting (RFC 6455 section 7.1.7).
    fn complain(&mut self, cx: &mut Context<'_>, code: CloseCode) {
        let close = CloseFrame { code: code.0.into(), reason: Utf8Bytes::default() };
        let mut call = Call { io: &mut self.io, cx, line: &mut self.line };
        // It may not fit on the wire; the link is over either way.
        let _ = self.framing.close(&mut call, Some(close));
    }

    /// The cause of a Close that was read. Its echo is queued; it is flushed as far as that goes without
    /// waiting.
    fn closed(&mut self, cx: &mut Context<'_>, close: Option<CloseFrame>) -> Cause {
        let mut call = Call { io: &mut self.io, cx, line: &mut self.line };
        let _ = self.framing.flush(&mut call);
        match close {
            None => Cause::Closed { code: CloseCode::NONE, reason: Text::default() },
            Some(close) => self.line.tail.restore(&close).unwrap_or_else(|| Cause::Closed {
                code: CloseCode(close.code.into()),
                reason: Text::claimed(close.reason.into()),
            }),
        }
    }
}

impl<S: Io> Transport for Ws<S> {
    fn feed(&mut self, frame: Frame) {
        self.fed += 1;
        let message = Message::Frame(match frame {
            // As a raw frame, because our text is UTF-8 by its type and need not be checked again.
            Frame::Text(text) => Raw::message(text.into_bytes(), OpCode::Data(Data::Text), true),
            Frame::Binary(bytes) => Raw::message(bytes, OpCode::Data(Data::Binary), true),
            Frame::Ping(bytes) => Raw::ping(bytes),
            Frame::Pong(bytes) => Raw::pong(bytes),
        });
        match self.framing.write(&mut Nowhere, message) {
            Ok(()) => self.line.kept += 1,
            // It is in the buffer; the framing layer tried to push out a pong along with it.
            Err(Error::Io(error)) if is_blocked(&error) => self.line.kept += 1,
            // After a Close there is no place for it. It counts as fed and never as left.
            Err(_) => {}
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        let close = code.is_sendable().then(|| CloseFrame { code: code.0.into(), reason: shortened(reason).into() });
        // It always "fails": nowhere takes the bytes. The frame is in the buffer all the same.
        let _ = self.framing.close(&mut Nowhere, close);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let was_full = self.line.is_full;
        let mut flushed = self.call(cx, |framing, call| framing.flush(call)).is_ok();
        if flushed && was_full {
            // Now there is a place for the answer that was kept.
            flushed = self.call(cx, |framing, call| framing.flush(call)).is_ok();
        }
        if flushed && !self.line.is_broken() && self.line.kept == self.fed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// It reads until the stream says that there is nothing more: that is what arms the waker, and a
    /// runtime that remembers a short read says so without asking the operating system.
    fn poll_read(&mut self, cx: &mut Context<'_>, frames: &mut Vec<Frame>, most: usize) -> Poll<Result<(), Cause>> {
        let before = frames.len();
        while frames.len() - before < most {
            let was_full = self.line.is_full;
            frames.push(match self.call(cx, |framing, call| framing.read(call)) {
                Ok(Message::Text(text)) => Frame::Text(Text::claimed(text.into())),
                Ok(Message::Binary(bytes)) => Frame::Binary(bytes),
                Ok(Message::Ping(bytes)) => Frame::Ping(bytes),
                Ok(Message::Pong(bytes)) => Frame::Pong(bytes),
                Ok(Message::Close(close)) => return Poll::Ready(Err(self.closed(cx, close))),
                // Raw frames are only ever written.
                Ok(Message::Frame(_)) => continue,
                // There is a place now for the answer that was kept: the next call sends it.
                Err(Error::Io(error)) if is_blocked(&error) && was_full && !self.line.is_full => continue,
                Err(Error::Io(error)) if is_blocked(&error) => {
                    return if frames.len() == before { Poll::Pending } else { Poll::Ready(Ok(())) };
                }
                Err(error) => return Poll::Ready(Err(self.end(cx, error))),
            });
        }
        // A ping is answered by the next read, which the driver may hold back.
        if matches!(frames.last(), Some(Frame::Ping(_))) {
            let _ = self.poll_flush(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn left(&self) -> u64 {
        self.line.left
    }

    fn fed(&self) -> u64 {
        self.fed
    }

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.line.moved)
    }

    fn shrink(&mut self) {
        self.line.ahead.shrink();
    }
}

impl<S> fmt::Debug for Ws<S> {
    /// Its buffers hold payloads, so they are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ws").field("fed", &self.fed).field("left", &self.line.left).finish_non_exhaustive()
    }
}

/// Settings with which the framing layer writes when it is told to flush and at no other time: neither bound is
/// ever reached.
fn open(config: WebSocketConfig) -> WebSocketConfig {
    config.write_buffer_size(usize::MAX - 1).max_write_buffer_size(usize::MAX)
}

/// Settings with which it has no room for a frame.
fn shut(config: WebSocketConfig) -> WebSocketConfig {
    config.write_buffer_size(0).max_write_buffer_size(1)
}

fn is_blocked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
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
            assert!(average > READ_BUFFER / 4, "{buffers:?}");
        }
    }
}
