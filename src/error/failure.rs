//! How a link or an attempt failed, before anybody has judged it.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use super::{Cause, Code, Codes, HttpAnswer, Match, Recovery, Rejected};
use crate::{CloseCode, Complaint, Text};

/// How a link or an attempt failed: on the wire, by our own judgement, or by the peer's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The transport lost it, or never had it.
    Wire(Cause),
    /// The host has no credential; why.
    NoCredential(Text),
    /// The host did not give a credential in time.
    CredentialTimeout,
    /// The transport was not open in time.
    ConnectTimeout,
    /// The server did not greet in time.
    GreetingTimeout,
    /// The login was not answered in time.
    LoginTimeout,
    /// A topic that had to be asked for before the queue was not answered in time.
    RestoreTimeout,
    /// The peer was silent for too long.
    Silent,
    /// The peer refused or took back the login.
    LoginRefused(Rejected),
    /// The server did not negotiate what the protocol needs.
    Unfit(Complaint),
    /// The peer said something after which the link cannot go on.
    Nonsense(Complaint),
}

/// Which of the messages in flight a failure speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Each of them, once.
    Each,
    /// The largest of them: the peer says that it was too large.
    Largest,
}

/// The longest message of an [`Error`](crate::Error), in bytes: a long line of a log, not what a peer may send.
const MESSAGE_MAX: usize = 1_024;
/// How much of an answer an error keeps: enough for every header of a real server and for the text of its error page,
/// and little enough to keep the last error of ten thousand sessions.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 8 << 10;
const BODY_MAX: usize = 4 << 10;

impl Failure {
    /// What the table knows it as.
    pub(super) fn what(&self) -> Match {
        match self {
            Self::Wire(cause) => on_the_wire(cause),
            Self::NoCredential(_) => Match::NoCredential,
            Self::CredentialTimeout => Match::CredentialTimeout,
            Self::ConnectTimeout => Match::ConnectTimeout,
            Self::GreetingTimeout | Self::LoginTimeout => Match::LoginTimeout,
            Self::RestoreTimeout => Match::RestoreTimeout,
            Self::Silent => Match::Silence,
            Self::LoginRefused(_) => Match::LoginRefused,
            Self::Unfit(_) => Match::Unfit,
            Self::Nonsense(_) => Match::Nonsense,
        }
    }

    /// The number or the name that came with it.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Wire(Cause::Closed { code, .. } | Cause::Violation { code, .. }) => Some(Code::Close(*code)),
            Self::Wire(Cause::Ended) => Some(Code::Close(CloseCode::ABNORMAL)),
            Self::Wire(Cause::Http(answer)) => Some(Code::Http(answer.status)),
            Self::LoginRefused(rejected) => rejected.code.clone().map(Code::Named),
            Self::Nonsense(complaint) => complaint.close.map(Code::Close),
            Self::Wire(
                Cause::Broken(_)
                | Cause::Unreachable(_)
                | Cause::Unresolved(_)
                | Cause::Denied(_)
                | Cause::Tls { .. }
                | Cause::Handshake(_)
                | Cause::Impossible(_),
            )
            | Self::NoCredential(_)
            | Self::CredentialTimeout
            | Self::ConnectTimeout
            | Self::GreetingTimeout
            | Self::LoginTimeout
            | Self::RestoreTimeout
            | Self::Silent
            | Self::Unfit(_) => None,
        }
    }

    /// What happened, for people.
    pub(super) fn message(&self) -> Text {
        match self {
            Self::Wire(cause) => words(cause),
            Self::NoCredential(why) => or(why, "the host has no credential"),
            Self::CredentialTimeout => Text::from_static("the host did not give a credential in time"),
            Self::ConnectTimeout => Text::from_static("the server did not open the connection in time"),
            Self::GreetingTimeout => Text::from_static("the server did not greet in time"),
            Self::LoginTimeout => Text::from_static("the login was not answered in time"),
            Self::RestoreTimeout => Text::from_static("a topic was not answered in time"),
            Self::Silent => Text::from_static("the server has been silent for too long"),
            Self::LoginRefused(rejected) => or(&rejected.message, "the login was refused"),
            Self::Unfit(complaint) | Self::Nonsense(complaint) => short(&complaint.message),
        }
    }

    /// How long the peer asks us to wait.
    pub(super) const fn asked(&self) -> Option<Duration> {
        match self {
            Self::Wire(Cause::Http(answer)) => answer.retry_after,
            Self::LoginRefused(rejected) => rejected.retry_after,
            Self::Wire(_)
            | Self::NoCredential(_)
            | Self::CredentialTimeout
            | Self::ConnectTimeout
            | Self::GreetingTimeout
            | Self::LoginTimeout
            | Self::RestoreTimeout
            | Self::Silent
            | Self::Unfit(_)
            | Self::Nonsense(_) => None,
        }
    }

    /// What the protocol knows should be done, as part of what the peer said.
    pub(super) const fn told(&self) -> Option<Recovery> {
        if let Self::LoginRefused(rejected) = self { rejected.recovery } else { None }
    }

    /// The Close frame that was read, if that was it.
    pub(crate) fn close(&self) -> Option<(CloseCode, &str)> {
        if let Self::Wire(Cause::Closed { code, reason }) = self { Some((*code, reason.as_str())) } else { None }
    }

    /// The server's answer to the upgrade, if that was it; of a long one the beginning.
    pub(crate) fn into_answer(self) -> Option<Box<HttpAnswer>> {
        if let Self::Wire(Cause::Http(answer)) = self { Some(bounded(answer)) } else { None }
    }

    /// Whether it speaks against the messages that were in flight: the peer could not make sense of something, and
    /// what it was may be sent again, and again end the link.
    ///
    /// What we found out about the peer's framing ourselves says nothing about what we sent.
    pub(crate) fn charge(&self) -> Option<Charge> {
        match self.close()?.0 {
            CloseCode::PROTOCOL | CloseCode::UNSUPPORTED | CloseCode::INVALID => Some(Charge::Each),
            CloseCode::TOO_BIG => Some(Charge::Largest),
            CloseCode(_) => None,
        }
    }
}

fn on_the_wire(cause: &Cause) -> Match {
    match cause {
        Cause::Closed { code, .. } => Match::Close(Codes::from(code.0)),
        Cause::Ended => Match::Close(Codes::from(CloseCode::ABNORMAL.0)),
        Cause::Broken(_) => Match::Broken,
        Cause::Unreachable(_) => Match::Unreachable,
        Cause::Unresolved(_) => Match::Unresolved,
        Cause::Denied(_) => Match::Denied,
        Cause::Tls { certificate: true, .. } => Match::Certificate,
        Cause::Tls { certificate: false, .. } => Match::Tls,
        Cause::Http(answer) => Match::Http(Codes::from(answer.status)),
        Cause::Handshake(_) => Match::Handshake,
        Cause::Violation { .. } => Match::Violation,
        Cause::Impossible(_) => Match::Impossible,
    }
}

fn words(cause: &Cause) -> Text {
    match cause {
        Cause::Closed { code: CloseCode::NONE | CloseCode::ABNORMAL, reason } => or(reason, "Network error"),
        Cause::Closed { reason, .. } => or(reason, "Connection closed"),
        Cause::Ended => Text::from_static("Network error"),
        Cause::Broken(message) | Cause::Unreachable(message) | Cause::Unresolved(message) => {
            or(message, "Network error")
        }
        Cause::Denied(message)
        | Cause::Tls { message, .. }
        | Cause::Handshake(message)
        | Cause::Violation { message, .. }
        | Cause::Impossible(message) => short(message),
        Cause::Http(answer) => {
            let who = if answer.proxy { "the proxy answered CONNECT" } else { "the server answered the upgrade" };
            alloc::format!("{who} with HTTP {}", answer.status).into()
        }
    }
}

/// The text, or this if there is none.
fn or(text: &Text, otherwise: &'static str) -> Text {
    if text.is_empty() { Text::from_static(otherwise) } else { short(text) }
}

/// Of a long text the beginning, and a copy of it: a piece would keep all of it.
fn short(text: &Text) -> Text {
    if text.len() <= MESSAGE_MAX { text.clone() } else { text.clone().cut(MESSAGE_MAX).as_str().into() }
}

fn bounded(mut answer: Box<HttpAnswer>) -> Box<HttpAnswer> {
    let mut room = HEADER_BYTES_MAX;
    let fits = |(name, value): &&(Text, Bytes)| {
        let left = room.checked_sub(name.len() + value.len());
        room = left.unwrap_or_default();
        left.is_some()
    };
    let kept = answer.headers.iter().take(HEADERS_MAX).take_while(fits).count();
    answer.headers.truncate(kept);
    if answer.body.len() > BODY_MAX {
        answer.body = Bytes::copy_from_slice(&answer.body[..BODY_MAX]);
    }
    answer
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn closed(code: u16, reason: &str) -> Failure {
        Failure::Wire(Cause::Closed { code: CloseCode(code), reason: reason.into() })
    }

    #[test]
    fn an_empty_reason_still_says_something() {
        assert_eq!(closed(4_000, "").message().as_str(), "Connection closed");
        assert_eq!(closed(1_005, "").message().as_str(), "Network error");
        assert_eq!(closed(1_006, "").message().as_str(), "Network error");
        assert_eq!(closed(4_000, "be gone").message().as_str(), "be gone");
        assert_eq!(Failure::Wire(Cause::Ended).message().as_str(), "Network error");
        assert_eq!(Failure::LoginRefused(Rejected::default()).message().as_str(), "the login was refused");
    }

    #[test]
    fn a_proxy_and_a_server_are_told_apart() {
        let said = |proxy| {
            let answer = HttpAnswer { status: 502, proxy, ..HttpAnswer::default() };
            Failure::Wire(Cause::Http(answer.into())).message()
        };
        assert_eq!(said(true).as_str(), "the proxy answered CONNECT with HTTP 502");
        assert_eq!(said(false).as_str(), "the server answered the upgrade with HTTP 502");
    }

    #[test]
    fn a_message_is_a_line_however_much_the_peer_said() {
        let message = Text::from("ä".repeat(MESSAGE_MAX));
        let rejected = Rejected { message, ..Rejected::default() };
        assert_eq!(Failure::LoginRefused(rejected).message().len(), MESSAGE_MAX);
    }

    #[test]
    fn of_an_answer_the_beginning_is_kept() {
        let header = |size| (Text::from("x"), Bytes::from(vec![b'v'; size]));
        let kept = |headers: vec::Vec<(Text, Bytes)>, body: usize| {
            let answer = HttpAnswer { headers, body: Bytes::from(vec![b'b'; body]), ..HttpAnswer::default() };
            let answer = Failure::Wire(Cause::Http(answer.into())).into_answer().expect("an answer");
            (answer.headers.len(), answer.body.len())
        };
        assert_eq!(kept(vec![header(10); 3], 100), (3, 100));
        assert_eq!(kept(vec![header(10); 1_000], 1 << 20), (HEADERS_MAX, BODY_MAX));
        assert_eq!(kept(vec![header(4_000), header(4_000), header(4_000), header(1)], 0), (2, 0));
    }

    #[test]
    fn what_the_peer_could_not_read_speaks_against_what_was_sent() {
        for code in 1_000..=4_999 {
            let charge = match code {
                1_002 | 1_003 | 1_007 => Some(Charge::Each),
                1_009 => Some(Charge::Largest),
                _ => None,
            };
            assert_eq!(closed(code, "").charge(), charge, "{code}");
        }
        let ours = Cause::Violation { code: CloseCode::PROTOCOL, message: "a bad mask".into() };
        assert_eq!(Failure::Wire(ours).charge(), None);
    }
}
