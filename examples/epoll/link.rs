//! One link: a socket that never blocks, and tungstenite on it for the framing.

use std::{
    io,
    mem::replace,
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
};

use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};
use steadfast::{Attempt, Cause, CloseCode, Down, Frame, HttpAnswer, LinkId, Report, Text};
use tungstenite::{
    ClientHandshake, Error, HandshakeError, Message, WebSocket,
    client::client_with_config,
    error::ProtocolError::{HandshakeIncomplete, ResetWithoutClosingHandshake},
    handshake::MidHandshake,
    protocol::{CloseFrame, WebSocketConfig},
};

/// A turn reads so many frames at most, so that commands and timers are not kept waiting by a flood.
const FRAMES: usize = 64;

pub(crate) struct Link {
    pub(crate) id: LinkId,
    /// It has something to do, whatever `epoll` says.
    pub(crate) is_due: bool,
    stage: Stage,
    fed: u64,
    /// What was fed shall leave, and has not yet.
    wants_flush: bool,
}

enum Stage {
    Dialing(TcpStream, String, WebSocketConfig),
    Asking(MidHandshake<ClientHandshake<TcpStream>>),
    Open(WebSocket<TcpStream>),
    Over,
}

impl Link {
    /// Begins an attempt. Whatever happens to the socket from now on wakes the loop.
    pub(crate) fn dial(server: SocketAddr, attempt: &Attempt, epoll: &OwnedFd) -> io::Result<Self> {
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
        match connect(&socket, &server) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        epoll::add(
            epoll,
            &socket,
            EventData::new_u64(attempt.link.0),
            EventFlags::IN | EventFlags::OUT | EventFlags::ET,
        )?;
        let limits = WebSocketConfig::default().max_message_size(Some(attempt.max_message as usize));
        let stage = Stage::Dialing(socket.into(), format!("ws://{server}/"), limits);
        Ok(Self { id: attempt.link, is_due: true, stage, fed: 0, wants_flush: false })
    }

    /// Takes a frame; it leaves with the next flush. What is broken is said by [`poll`](Self::poll).
    pub(crate) fn feed(&mut self, frame: Frame) {
        let Stage::Open(socket) = &mut self.stage else { return };
        self.fed += 1;
        let _ = socket.write(match frame {
            Frame::Text(text) => Message::text(text.as_str()),
            Frame::Binary(bytes) => Message::Binary(bytes),
            Frame::Ping(bytes) => Message::Ping(bytes),
            Frame::Pong(bytes) => Message::Pong(bytes),
        });
    }

    pub(crate) fn flush(&mut self) {
        (self.wants_flush, self.is_due) = (true, true);
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &Text) {
        let Stage::Open(socket) = &mut self.stage else { return };
        let _ = socket.close(Some(CloseFrame { code: code.0.into(), reason: reason.as_str().into() }));
        self.flush();
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Goes on as far as it gets without waiting. What there is to report; the end of the link is the last of it.
    pub(crate) fn poll(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        self.is_due = false;
        if let Err(cause) = self.open(&mut reports).and_then(|()| self.pass(&mut reports)) {
            // Of what was fed anything may have left: tungstenite does not say.
            reports.push(Report::Down(Box::new(Down { cause, left: self.fed, verdict: None })));
            self.stage = Stage::Over;
        }
        reports
    }

    /// From a socket that connects to an open link.
    fn open(&mut self, reports: &mut Vec<Report>) -> Result<(), Cause> {
        let asked = match replace(&mut self.stage, Stage::Over) {
            Stage::Dialing(stream, url, limits) => {
                if let Some(error) = stream.take_error().unwrap_or_else(Some) {
                    return Err(Cause::Unreachable(error.to_string().into()));
                }
                if stream.peer_addr().is_err() {
                    self.stage = Stage::Dialing(stream, url, limits);
                    return Ok(());
                }
                client_with_config(url, stream, Some(limits))
            }
            Stage::Asking(asked) => asked.handshake(),
            stage @ (Stage::Open(_) | Stage::Over) => {
                self.stage = stage;
                return Ok(());
            }
        };
        self.stage = match asked {
            Ok((socket, _)) => {
                reports.push(Report::Up(Box::default()));
                Stage::Open(socket)
            }
            Err(HandshakeError::Interrupted(asked)) => Stage::Asking(asked),
            Err(HandshakeError::Failure(error)) => return Err(cause(error)),
        };
        Ok(())
    }

    /// What is to leave, and then what has come.
    fn pass(&mut self, reports: &mut Vec<Report>) -> Result<(), Cause> {
        let Stage::Open(socket) = &mut self.stage else { return Ok(()) };
        if self.wants_flush {
            let flushed = socket.flush();
            // Why it failed is best known by reading: a Close frame may lie there.
            self.wants_flush = flushed.as_ref().is_err_and(would_block);
            if flushed.is_ok() {
                reports.push(Report::Flushed { frames: self.fed });
            }
        }
        for _ in 0..FRAMES {
            match socket.read() {
                Ok(Message::Text(text)) => reports.push(Report::Frame(Frame::Text(Text::claimed(text.into())))),
                Ok(Message::Binary(bytes)) => reports.push(Report::Frame(Frame::Binary(bytes))),
                Ok(Message::Ping(bytes)) => reports.push(Report::Frame(Frame::Ping(bytes))),
                Ok(Message::Pong(bytes)) => reports.push(Report::Frame(Frame::Pong(bytes))),
                Ok(Message::Frame(_)) => {}
                Ok(Message::Close(goodbye)) => {
                    let _ = socket.flush();
                    let (code, reason) = goodbye.map_or((CloseCode::NONE, Text::default()), |goodbye| {
                        (CloseCode(goodbye.code.into()), goodbye.reason.as_str().into())
                    });
                    return Err(Cause::Closed { code, reason });
                }
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(cause(error)),
            }
        }
        self.is_due = true;
        Ok(())
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// What tungstenite says, in the words of the session.
fn cause(error: Error) -> Cause {
    let message = Text::from(error.to_string());
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ResetWithoutClosingHandshake | HandshakeIncomplete) => Cause::Ended,
        Error::Io(_) => Cause::Broken(message),
        Error::Http(answer) => {
            Cause::Http(Box::new(HttpAnswer { status: answer.status().as_u16(), ..HttpAnswer::default() }))
        }
        Error::Capacity(_) => Cause::Violation { code: CloseCode::TOO_BIG, message },
        Error::Utf8(_) => Cause::Violation { code: CloseCode::INVALID, message },
        Error::Protocol(_) => Cause::Violation { code: CloseCode::PROTOCOL, message },
        Error::Tls(_) | Error::Url(_) | Error::HttpFormat(_) | Error::AttackAttempt | Error::WriteBufferFull(_) => {
            Cause::Handshake(message)
        }
    }
}
