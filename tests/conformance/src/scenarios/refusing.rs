//! Each kind of row of the table of errors: what the server answers to the upgrade, how it closes, how it just ends.

use std::time::{Duration, Instant};

use serde_json::json;
use steadfast::{
    CloseCode, Code, Error, Kind, Plain, Recovery,
    protocol::json::{Json, Login},
};

use crate::{
    adapters::Adapter,
    app::{App, MOMENT, json, json_builder, plain, quick, run, tuned, with},
    server::{Peer, Server, frame},
};

/// After the longest of the session's own waits.
const AT_CAP: Recovery = Recovery::RetryAfter(Duration::from_millis(50));

/// What is done about it is what was said: nothing more, or another attempt.
fn goes_on<A: Adapter>(app: &mut App<'_, A, Plain>, server: &Server, recovery: Recovery) {
    if recovery == Recovery::Fatal {
        let gave_up = app.failed().gave_up.expect("why");
        assert_eq!(gave_up.limit, None);
    } else {
        app.connect_now();
        let _peer = server.accept();
        app.online();
    }
}

/// The server answers the first attempt with this status.
fn status<A: Adapter>(adapter: &A, status: u16, kind: Kind, recovery: Recovery) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    server.refuse(status, &[]);
    let error = app.error();
    assert_eq!((error.code, error.kind, error.recovery), (Some(Code::Http(status)), kind, recovery));
    assert_eq!(&error.details.expect("what it answered").body[..], b"no");
    goes_on(&mut app, &server, recovery);
}

/// The server closes an open link with this code.
fn code<A: Adapter>(adapter: &A, code: u16, kind: Kind, recovery: Recovery) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    app.online();
    peer.close(code, "a reason");
    let error = app.error();
    assert_eq!((error.code, error.kind, error.recovery), (Some(Code::Close(CloseCode(code))), kind, recovery));
    assert_eq!(error.message.as_str(), "a reason");
    assert_eq!(peer.goodbye(), Some(code), "it is echoed");
    goes_on(&mut app, &server, recovery);
}

macro_rules! rows {
    ($by:ident: $($name:ident: $code:literal $kind:ident $recovery:expr;)+) => {
        $(pub(super) fn $name<A: Adapter>(adapter: &A) {
            $by(adapter, $code, Kind::$kind, $recovery);
        })+
    };
}

rows! { status:
    http_200: 200 NetworkError Recovery::Retry;
    http_400: 400 ProtocolError Recovery::Fatal;
    http_401: 401 AuthenticationFailed Recovery::Reauthenticate;
    http_403: 403 AuthenticationFailed Recovery::Fatal;
    http_404: 404 ProtocolError Recovery::Fatal;
    http_407: 407 AuthenticationFailed Recovery::Fatal;
    http_408: 408 Timeout Recovery::Retry;
    http_425: 425 Timeout Recovery::Retry;
    http_429: 429 ServiceUnavailable AT_CAP;
    http_500: 500 ServiceUnavailable Recovery::Retry;
    http_501: 501 ProtocolError Recovery::Fatal;
    http_502: 502 ServiceUnavailable Recovery::Retry;
    http_503: 503 ServiceUnavailable Recovery::Retry;
}

rows! { code:
    close_1000: 1000 ConnectionFailed Recovery::Retry;
    close_1001: 1001 ServiceUnavailable Recovery::Retry;
    close_1002: 1002 ProtocolError Recovery::Retry;
    close_1003: 1003 ProtocolError Recovery::Fatal;
    close_1007: 1007 ProtocolError Recovery::Fatal;
    close_1008: 1008 ConnectionFailed AT_CAP;
    close_1009: 1009 ProtocolError Recovery::Fatal;
    close_1011: 1011 ServiceUnavailable Recovery::RetryAfter(Duration::from_secs(5));
    close_1012: 1012 ServiceUnavailable Recovery::Retry;
    close_1013: 1013 ServiceUnavailable Recovery::Retry;
    close_3000: 3000 AuthenticationFailed Recovery::Reauthenticate;
    close_4000: 4000 ConnectionFailed Recovery::Retry;
    close_4401: 4401 AuthenticationFailed Recovery::Reauthenticate;
    close_4403: 4403 AuthenticationFailed Recovery::Fatal;
}

/// It stays away for as long as the server wants.
fn stays_away<A: Adapter>(adapter: &A, status: u16) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let began = Instant::now();
    server.refuse(status, &[("Retry-After", "1")]);
    let error = app.error();
    assert_eq!(error.details.expect("what it answered").retry_after, Some(Duration::from_secs(1)));
    let _peer = server.accept();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    app.online();
}

pub(super) fn http_503_with_retry_after<A: Adapter>(adapter: &A) {
    stays_away(adapter, 503);
}

pub(super) fn http_429_with_retry_after<A: Adapter>(adapter: &A) {
    stays_away(adapter, 429);
}

pub(super) fn one_credential_refused_twice_is_fatal<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for recovery in [Recovery::Reauthenticate, Recovery::Fatal] {
        server.refuse(401, &[]);
        assert_eq!(app.error().recovery, recovery);
    }
    app.failed();
}

pub(super) fn a_goodbye_of_a_stable_link_is_the_end<A: Adapter>(adapter: &A) {
    for (long_lived, recovery) in [(false, Recovery::Fatal), (true, Recovery::Retry)] {
        let server = Server::bind();
        let config = tuned(|config| (config.stable_for, config.long_lived) = (Duration::from_micros(1), long_lived));
        let mut app = with(adapter, &server.url(), config);
        let mut peer = server.accept();
        app.online();
        peer.close(1000, "bye");
        assert_eq!(app.error().recovery, recovery);
        goes_on(&mut app, &server, recovery);
    }
}

/// The link ends like that, and the session comes back.
fn ends<A: Adapter>(adapter: &A, end: impl FnOnce(Peer)) -> Error {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    end(peer);
    let error = app.error();
    let _peer = server.accept();
    app.online();
    error
}

pub(super) fn a_close_without_a_code<A: Adapter>(adapter: &A) {
    let error = ends(adapter, |mut peer| peer.close_without_code());
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
    assert_eq!(error.code, Some(Code::Close(CloseCode(1005))));
}

pub(super) fn an_end_without_a_close<A: Adapter>(adapter: &A) {
    let error = ends(adapter, drop);
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
}

pub(super) fn half_an_end<A: Adapter>(adapter: &A) {
    let mut kept = None;
    let error = ends(adapter, |peer| {
        peer.fin();
        kept = Some(peer);
    });
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
}

pub(super) fn a_reset<A: Adapter>(adapter: &A) {
    let error = ends(adapter, Peer::rst);
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
}

pub(super) fn an_end_in_the_middle_of_a_frame<A: Adapter>(adapter: &A) {
    let error = ends(adapter, |mut peer| peer.raw(&[0x81, 100, b'h', b'a', b'l', b'f']));
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
}

/// The server breaks the protocol with these bytes, and is told so with this code.
fn breaks<A: Adapter>(adapter: &A, bytes: &[u8], code: u16) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), tuned(|config| config.max_message = 1_000));
    let mut peer = server.accept();
    app.online();
    peer.raw(bytes);
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::ProtocolError, Recovery::Retry), "{error}");
    assert_eq!(peer.goodbye(), Some(code));
    let _peer = server.accept();
    app.online();
}

pub(super) fn garbage<A: Adapter>(adapter: &A) {
    breaks(adapter, b"\xff\x00 garbage", 1002);
}

pub(super) fn a_masked_frame<A: Adapter>(adapter: &A) {
    breaks(adapter, &[0x81, 0x81, 0, 0, 0, 0, b'x'], 1002);
}

pub(super) fn an_end_of_what_never_began<A: Adapter>(adapter: &A) {
    breaks(adapter, &frame(0x80, b"x"), 1002);
}

pub(super) fn a_ping_that_is_too_long<A: Adapter>(adapter: &A) {
    breaks(adapter, &frame(0x89, &[b'x'; 126]), 1002);
}

pub(super) fn text_that_is_no_utf_8<A: Adapter>(adapter: &A) {
    breaks(adapter, &frame(0x81, b"\xc3\x28"), 1007);
}

pub(super) fn fragments_that_are_no_utf_8_together<A: Adapter>(adapter: &A) {
    breaks(adapter, &[frame(0x01, b"\xc3"), frame(0x80, b"\x28")].concat(), 1007);
}

pub(super) fn a_compressed_frame<A: Adapter>(adapter: &A) {
    breaks(adapter, &frame(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), 1002);
}

pub(super) fn a_message_that_is_too_long<A: Adapter>(adapter: &A) {
    breaks(adapter, &frame(0x81, &[b'x'; 1_001]), 1009);
}

pub(super) fn fragments_that_are_too_long_together<A: Adapter>(adapter: &A) {
    breaks(adapter, &[frame(0x01, &[b'x'; 600]), frame(0x80, &[b'x'; 600])].concat(), 1009);
}

/// It has worked before, so it is given time.
pub(super) fn the_third_breach_in_a_row_is_waited_for<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for recovery in [Recovery::Retry, Recovery::Retry, AT_CAP] {
        let mut peer = server.accept();
        app.online();
        peer.raw(b"\xff\x00");
        assert_eq!(app.error().recovery, recovery);
    }
}

/// With a login by message.
fn login() -> Json {
    Json::default().login(Login::default())
}

/// The server has heard the login, and does this instead of answering.
fn before_login<A: Adapter>(adapter: &A, end: impl Fn(Peer), kind: Kind, recovery: Recovery) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), login());
    let mut peer = server.accept();
    assert_eq!(peer.hear_json()["type"], "connect");
    end(peer);
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (kind, recovery), "{error}");
    if recovery == Recovery::Fatal {
        app.failed();
    } else {
        let mut peer = server.accept();
        assert_eq!(peer.hear_json()["type"], "connect");
        peer.say(r#"{"type":"connected"}"#);
        app.online();
    }
}

/// The same, with a Close frame.
fn code_before_login<A: Adapter>(adapter: &A, code: u16, kind: Kind, recovery: Recovery) {
    before_login(adapter, |mut peer| peer.close(code, "no"), kind, recovery);
}

rows! { code_before_login:
    close_1000_before_login: 1000 AuthenticationFailed Recovery::Reauthenticate;
    close_1008_before_login: 1008 AuthenticationFailed Recovery::Reauthenticate;
    close_1013_before_login: 1013 ServiceUnavailable Recovery::Retry;
    close_4401_before_login: 4401 AuthenticationFailed Recovery::Reauthenticate;
    close_4403_before_login: 4403 AuthenticationFailed Recovery::Fatal;
}

pub(super) fn an_end_before_login<A: Adapter>(adapter: &A) {
    before_login(adapter, drop, Kind::NetworkError, Recovery::Retry);
}

pub(super) fn a_reset_before_login<A: Adapter>(adapter: &A) {
    before_login(adapter, Peer::rst, Kind::NetworkError, Recovery::Retry);
}

pub(super) fn a_login_that_is_refused_twice_is_fatal<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), login());
    for recovery in [Recovery::Reauthenticate, Recovery::Fatal] {
        let mut peer = server.accept();
        peer.hear();
        peer.say(json!({"type": "error", "data": {"code": "unknown_key", "message": "who?"}}).to_string());
        let error = app.error();
        assert_eq!((error.kind, error.recovery), (Kind::AuthenticationFailed, recovery));
        assert_eq!(error.code, Some(Code::Named("unknown_key".into())));
    }
    app.failed();
}

pub(super) fn a_login_that_is_not_answered_is_tried_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.login_timeout = MOMENT);
    let mut app = run(adapter, json_builder::<A>(&server.url(), login()).config(config));
    let _frozen = server.accept();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::Timeout, Recovery::Retry));
    app.configure(quick()).unwrap();
    let mut peer = server.accept();
    peer.hear();
    peer.say(r#"{"type":"connected"}"#);
    app.online();
}
