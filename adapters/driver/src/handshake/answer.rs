//! What did the server say to the upgrade?

use std::{
    future::poll_fn,
    io, str,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use httparse::Status;
use steadfast::{Cause, Handshake, HttpAnswer, Text, Timestamp};
use tungstenite::handshake::derive_accept_key;

use super::date;
use crate::{Io, told::cause_of};

/// The longest head of an answer, interim answers included. Servers take 8 to 16 KiB of ours.
const HEAD: usize = 16 << 10;

/// The most headers. Twice what the largest real answers have.
const HEADERS: usize = 128;

/// The longest piece of a body that is kept: enough for any error that a program should read.
const BODY: usize = 4 << 10;

/// How much is read at once.
pub(super) const CHUNK: usize = 1 << 10;

/// The head of an answer and what was read behind it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(super) rest: Vec<u8>,
    version: u8,
    /// Names in lower case.
    headers: Vec<(Text, Bytes)>,
}

impl Answer {
    /// Reads the head of the final answer, so many bytes at once. Interim ones (100, 103) are passed over.
    pub(super) async fn read<S: Io>(io: &mut S, piece: usize) -> Result<Self, Cause> {
        let mut rest = Vec::new();
        let mut room = HEAD;
        loop {
            // Before its line ends a head is not complete, and byte by byte that would be found out too often.
            let parsed = if piece > 1 || rest.ends_with(b"\n") { parse(&rest)? } else { None };
            match parsed {
                Some((size, answer)) if is_interim(answer.status) => {
                    rest.drain(..size);
                    room = room.saturating_sub(size);
                }
                Some((size, answer)) => return Ok(Self { rest: rest.split_off(size), ..answer }),
                None if rest.len() >= room => {
                    return Err(Cause::Handshake("the head of the answer is too long".into()));
                }
                None => match poll_fn(|cx| poll_read(io, cx, &mut rest, piece)).await {
                    Ok(0) => return Err(Cause::Ended),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Cause::Ended),
                    Err(error) => return Err(cause_of(&error)),
                },
            }
        }
    }

    /// Checks a 101 by the list in RFC 6455 section 4.1.
    pub(super) fn accept(&self, key: &str, offered: &[&str], wanted: &[String]) -> Result<Handshake, Cause> {
        let wrong = |what: &str| Err(Cause::Handshake(what.into()));
        if self.version != 1 {
            return wrong("the server switched protocols in HTTP/1.0");
        }
        if !self.tokens("upgrade").any(|token| token.eq_ignore_ascii_case("websocket")) {
            return wrong("the server switched to something else than a WebSocket (header Upgrade)");
        }
        if !self.tokens("connection").any(|token| token.eq_ignore_ascii_case("upgrade")) {
            return wrong("the server did not upgrade the connection (header Connection)");
        }
        if self.header("sec-websocket-accept") != Some(&derive_accept_key(key.as_bytes())) {
            return wrong("the server did not answer our key (header Sec-WebSocket-Accept)");
        }
        if self.tokens("sec-websocket-extensions").any(|token| !token.is_empty()) {
            return wrong("the server uses an extension that was not offered");
        }
        let mut handshake = Handshake::default();
        handshake.subprotocol = match self.header("sec-websocket-protocol") {
            Some(chosen) if !offered.contains(&chosen) => {
                return wrong("the server chose a subprotocol that was not offered");
            }
            chosen => chosen.map(Text::from),
        };
        let is_wanted = |name: &Text| wanted.iter().any(|wanted| wanted == name.as_str());
        handshake.headers = self.headers.iter().filter(|(name, _)| is_wanted(name)).cloned().collect();
        Ok(handshake)
    }

    /// Makes a refusal of it, with what there is of the body by now: a slow body is not waited for.
    pub(crate) async fn into_refusal<S: Io>(mut self, io: &mut S, now: impl FnOnce() -> Timestamp) -> HttpAnswer {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        let most = length.unwrap_or(BODY).min(BODY);
        while self.rest.len() < most {
            let read = poll_fn(|cx| match poll_read(io, cx, &mut self.rest, CHUNK) {
                Poll::Ready(Ok(count)) => Poll::Ready(count),
                Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(0),
            });
            if read.await == 0 {
                break;
            }
        }
        self.rest.truncate(most);
        let is_chunked = self.tokens("transfer-encoding").any(|coding| coding.eq_ignore_ascii_case("chunked"));
        HttpAnswer {
            status: self.status,
            proxy: false,
            retry_after: self.retry_after(now),
            body: Bytes::from(if is_chunked { joined(&self.rest) } else { self.rest }),
            headers: self.headers,
        }
    }

    /// Seconds, or a date. A date is compared with the server's own clock, if it says what that shows.
    fn retry_after(&self, now: impl FnOnce() -> Timestamp) -> Option<Duration> {
        let value = self.header("retry-after")?;
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // Too many digits are too many seconds.
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let at = date::parse(value)?;
        let wait = at.since(self.header("date").and_then(date::parse).unwrap_or_else(now));
        // A date that has passed was put there for another time, and asks for nothing now.
        Some(wait).filter(|wait| !wait.is_zero())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The items of a header that is a list, over as many lines as it may have.
    fn tokens(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).flat_map(|value| value.split(',')).map(str::trim)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(other, _)| other.as_str() == name);
        named.filter_map(|(_, value)| str::from_utf8(value).ok()).map(str::trim)
    }
}

const fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// One head, with its length; `None` if it is not complete yet.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Answer)>, Cause> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let size = match head.parse(bytes) {
        Ok(Status::Complete(size)) => size,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(Cause::Handshake(format!("the answer is not HTTP: {error}").into())),
    };
    let headers = head.headers.iter();
    let answer = Answer {
        status: head.code.unwrap_or_default(),
        rest: Vec::new(),
        version: head.version.unwrap_or_default(),
        headers: headers.map(|h| (h.name.to_ascii_lowercase().into(), Bytes::copy_from_slice(h.value))).collect(),
    };
    Ok(Some((size, answer)))
}

/// The payload of what there is of a chunked body.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Status::Complete((start, size @ 1..))) = httparse::parse_chunk_size(chunked) {
        let chunk = &chunked[start..];
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(chunk.len());
        body.extend_from_slice(&chunk[..size]);
        // A line break ends the chunk.
        chunked = chunk.get(size + 2..).unwrap_or_default();
    }
    body
}

/// Appends what there is, up to `most`; 0 is the end of the stream.
fn poll_read<S: Io>(io: &mut S, cx: &mut Context<'_>, bytes: &mut Vec<u8>, most: usize) -> Poll<io::Result<usize>> {
    let mut chunk = [0; CHUNK];
    let count = ready!(io.poll_read(cx, &mut chunk[..most.min(CHUNK)]))?;
    bytes.extend_from_slice(&chunk[..count]);
    Poll::Ready(Ok(count))
}
