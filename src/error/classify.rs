//! The table: for each failure its kind and what is done about it.

use alloc::boxed::Box;
use core::time::Duration;

use super::{Cause, Code, HttpAnswer, Kind, Recovery, Rejected};
use crate::{CloseCode, Complaint, Text};

/// How a link or an attempt failed: on the wire, by our own judgement, or by the peer's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The transport lost it, or never had it.
    Wire(Cause),
    /// The transport was not open in time.
    ConnectTimeout,
    /// The login was not answered in time.
    LoginTimeout,
    /// The peer was silent for too long.
    Silent,
    /// The peer refused or took back the login.
    LoginRefused(Rejected),
    /// The server did not negotiate what the protocol needs.
    Unfit(Complaint),
    /// The peer said something after which the link cannot go on.
    Nonsense(Complaint),
}

impl Failure {
    /// The Close frame that was read, if that was it.
    pub(crate) fn close(&self) -> Option<(CloseCode, &str)> {
        if let Self::Wire(Cause::Closed { code, reason }) = self { Some((*code, reason.as_str())) } else { None }
    }

    /// The server's answer to the upgrade, if that was it.
    pub(crate) fn into_answer(self) -> Option<Box<HttpAnswer>> {
        if let Self::Wire(Cause::Http(answer)) = self { Some(answer) } else { None }
    }
}

/// What the table needs to know beside the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// The transport is open and the login is not answered yet.
    pub(crate) logging_in: bool,
    /// The link was not online for `stable_for`, or the peer is known to close normally and often.
    pub(crate) may_close_normally: bool,
    /// Failures of the framing in a row, this one included, without a stable link between.
    pub(crate) violations: u32,
    /// The longest delay of our own.
    pub(crate) cap: Duration,
}

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) kind: Kind,
    pub(crate) code: Option<Code>,
    pub(crate) message: Text,
    pub(crate) recovery: Recovery,
    /// How long the peer asked us to wait.
    pub(crate) asked: Option<Duration>,
}

/// How many violations in a row a peer may commit.
const VIOLATIONS: u32 = 3;

/// Looks a failure up.
pub(crate) fn classify(failure: &Failure, circumstances: &Circumstances) -> Verdict {
    match failure {
        Failure::Wire(cause) => wire(cause, circumstances),
        Failure::ConnectTimeout => own(Kind::Timeout, "the server did not open the connection in time"),
        Failure::LoginTimeout => own(Kind::Timeout, "the login was not answered in time"),
        Failure::Silent => own(Kind::Timeout, "the server has been silent for too long"),
        Failure::LoginRefused(rejected) => login_refused(rejected),
        Failure::Unfit(complaint) => {
            Verdict { message: complaint.message.clone(), recovery: Recovery::Fatal, ..own(Kind::ProtocolError, "") }
        }
        Failure::Nonsense(complaint) => Verdict {
            message: complaint.message.clone(),
            code: complaint.close.map(Code::Close),
            recovery: violated(circumstances),
            ..own(Kind::ProtocolError, "")
        },
    }
}

const fn own(kind: Kind, message: &'static str) -> Verdict {
    Verdict { kind, code: None, message: Text::from_static(message), recovery: Recovery::Retry, asked: None }
}

fn login_refused(rejected: &Rejected) -> Verdict {
    Verdict {
        kind: Kind::AuthenticationFailed,
        code: rejected.code.clone().map(Code::Named),
        message: rejected.message.clone(),
        recovery: rejected.recovery.unwrap_or(Recovery::Reauthenticate),
        asked: rejected.retry_after,
    }
}

fn wire(cause: &Cause, circumstances: &Circumstances) -> Verdict {
    let told =
        |kind, message: &Text, recovery| Verdict { kind, code: None, message: message.clone(), recovery, asked: None };
    match cause {
        Cause::Closed { code, reason } => closed(*code, reason, circumstances),
        Cause::Ended => closed(CloseCode::ABNORMAL, &Text::default(), circumstances),
        Cause::Broken(message) | Cause::Unreachable(message) | Cause::Unresolved(message) => {
            told(Kind::NetworkError, message, Recovery::Retry)
        }
        Cause::Tls { certificate: true, message } => told(Kind::ConnectionFailed, message, Recovery::Fatal),
        Cause::Tls { certificate: false, message } => told(Kind::ConnectionFailed, message, Recovery::Retry),
        Cause::Http(answer) => http(answer, circumstances.cap),
        Cause::Handshake(message) => told(Kind::ProtocolError, message, violated(circumstances)),
        Cause::Violation { code, message } => {
            // Our own finding; the rows for close codes are for what the peer found.
            Verdict { code: Some(Code::Close(*code)), ..told(Kind::ProtocolError, message, violated(circumstances)) }
        }
        Cause::Impossible(message) => told(Kind::ConnectionFailed, message, Recovery::Fatal),
    }
}

/// A peer that does not keep to the framing may be in the middle of a deploy; one that never does is broken.
const fn violated(circumstances: &Circumstances) -> Recovery {
    if circumstances.violations < VIOLATIONS { Recovery::Retry } else { Recovery::Fatal }
}

fn closed(code: CloseCode, reason: &Text, circumstances: &Circumstances) -> Verdict {
    let (kind, recovery) = close_row(code, circumstances);
    let message = match code {
        _ if !reason.is_empty() => reason.clone(),
        CloseCode::NONE | CloseCode::ABNORMAL => Text::from_static("Network error"),
        _ => Text::from_static("Connection closed"),
    };
    Verdict { kind, code: Some(Code::Close(code)), message, recovery, asked: None }
}

/// The rows for close codes (RFC 6455 section 7.4.1, the IANA registry, and what servers do in fact).
fn close_row(code: CloseCode, circumstances: &Circumstances) -> (Kind, Recovery) {
    match code.0 {
        1000 | 1008 if circumstances.logging_in => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
        1000 if circumstances.may_close_normally => (Kind::ConnectionFailed, Recovery::Retry),
        1000 => (Kind::ConnectionFailed, Recovery::Fatal),
        1001 | 1012 | 1013 | 1014 => (Kind::ServiceUnavailable, Recovery::Retry),
        1002 => (Kind::ProtocolError, violated(circumstances)),
        1003 | 1007 | 1009 | 1010 => (Kind::ProtocolError, Recovery::Fatal),
        1005 | 1006 => (Kind::NetworkError, Recovery::Retry),
        // Venues answer too many requests with it.
        1008 => (Kind::ConnectionFailed, Recovery::RetryAfter(circumstances.cap)),
        1011 => (Kind::ServiceUnavailable, Recovery::RetryAfter(Duration::from_secs(5))),
        3000 | 4401 => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
        3003 | 4403 => (Kind::AuthenticationFailed, Recovery::Fatal),
        3008 => (Kind::Timeout, Recovery::Retry),
        _ => (Kind::ConnectionFailed, Recovery::Retry),
    }
}

fn http(answer: &HttpAnswer, cap: Duration) -> Verdict {
    let (kind, recovery) = http_row(answer.status, cap);
    let recovery = match (recovery, answer.retry_after) {
        (Recovery::Retry | Recovery::RetryAfter(_), Some(asked)) => Recovery::RetryAfter(asked),
        (recovery, _) => recovery,
    };
    let message = alloc::format!("the server answered the upgrade with HTTP {}", answer.status).into();
    Verdict { kind, code: Some(Code::Http(answer.status)), message, recovery, asked: answer.retry_after }
}

/// The rows for HTTP statuses (RFC 9110 section 15).
const fn http_row(status: u16, cap: Duration) -> (Kind, Recovery) {
    match status {
        // A proxy or a captive portal that answers in the server's place.
        200 => (Kind::NetworkError, Recovery::Retry),
        401 => (Kind::AuthenticationFailed, Recovery::Reauthenticate),
        403 | 407 => (Kind::AuthenticationFailed, Recovery::Fatal),
        408 | 425 => (Kind::Timeout, Recovery::Retry),
        429 => (Kind::ServiceUnavailable, Recovery::RetryAfter(cap)),
        500 | 502 | 503 | 504 => (Kind::ServiceUnavailable, Recovery::Retry),
        300..=499 | 501 | 505 => (Kind::ProtocolError, Recovery::Fatal),
        _ => (Kind::ConnectionFailed, Recovery::Retry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: Circumstances =
        Circumstances { logging_in: false, may_close_normally: false, violations: 1, cap: Duration::from_secs(30) };

    fn close(code: u16, circumstances: Circumstances) -> (Kind, Recovery) {
        let cause = Cause::Closed { code: CloseCode(code), reason: Text::default() };
        let verdict = classify(&Failure::Wire(cause), &circumstances);
        (verdict.kind, verdict.recovery)
    }

    fn status(status: u16, retry_after: Option<u64>) -> (Kind, Recovery) {
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = HttpAnswer { status, retry_after, ..HttpAnswer::default() };
        let verdict = classify(&Failure::Wire(Cause::Http(answer.into())), &ONLINE);
        (verdict.kind, verdict.recovery)
    }

    #[test]
    fn a_normal_closure_stops_unless_it_came_too_soon() {
        assert_eq!(close(1000, ONLINE), (Kind::ConnectionFailed, Recovery::Fatal));
        let young = Circumstances { may_close_normally: true, ..ONLINE };
        assert_eq!(close(1000, young), (Kind::ConnectionFailed, Recovery::Retry));
    }

    #[test]
    fn while_logging_in_a_polite_no_is_about_the_login() {
        let login = Circumstances { logging_in: true, ..ONLINE };
        for code in [1000, 1008] {
            assert_eq!(close(code, login), (Kind::AuthenticationFailed, Recovery::Reauthenticate));
        }
        assert_eq!(close(1008, ONLINE), (Kind::ConnectionFailed, Recovery::RetryAfter(ONLINE.cap)));
    }

    #[test]
    fn the_third_violation_is_one_too_many() {
        assert_eq!(close(1002, ONLINE).1, Recovery::Retry);
        let third = Circumstances { violations: 3, ..ONLINE };
        assert_eq!(close(1002, third).1, Recovery::Fatal);
    }

    #[test]
    fn retry_after_is_obeyed_where_trying_again_makes_sense() {
        assert_eq!(status(503, Some(7)).1, Recovery::RetryAfter(Duration::from_secs(7)));
        assert_eq!(status(429, None).1, Recovery::RetryAfter(ONLINE.cap));
        assert_eq!(status(429, Some(2)).1, Recovery::RetryAfter(Duration::from_secs(2)));
        assert_eq!(status(404, Some(7)).1, Recovery::Fatal);
        assert_eq!(status(401, None), (Kind::AuthenticationFailed, Recovery::Reauthenticate));
    }

    #[test]
    fn every_code_and_every_status_has_a_row() {
        for code in 1000..=4999 {
            let (kind, recovery) = close(code, ONLINE);
            let fatal = matches!(code, 1000 | 1003 | 1007 | 1009 | 1010 | 3003 | 4403);
            assert_eq!(recovery == Recovery::Fatal, fatal, "{code}: {kind}");
        }
        for code in 100..=599 {
            let (kind, recovery) = status(code, None);
            let fatal = matches!(code, 300..=499 | 501 | 505) && !matches!(code, 401 | 408 | 425 | 429);
            assert_eq!(recovery == Recovery::Fatal, fatal, "HTTP {code}: {kind}");
        }
    }

    #[test]
    fn an_empty_reason_still_says_something() {
        let cause = Cause::Closed { code: CloseCode(4000), reason: Text::default() };
        assert_eq!(classify(&Failure::Wire(cause), &ONLINE).message, Text::from("Connection closed"));
        assert_eq!(classify(&Failure::Wire(Cause::Ended), &ONLINE).message, Text::from("Network error"));
    }
}
