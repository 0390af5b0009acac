//! From nothing to a link: addresses, handshakes, TLS, endpoints, dialers.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use steadfast::{
    Attempt, Cause, Config, Error, FirstAttempt, Jitter, Kind, Limit, Outcome, Phase, Queued, Recovery, SendOptions,
};
use steadfast_driver::{Clock, Item, Net, Trust, Upgrade, Wristwatch, Ws, cause_of};
use tungstenite::accept;

use crate::{
    adapters::Adapter,
    app::{MOMENT, patient, plain, quick, run, tuned, with},
    pipe::{Near, pipe},
    secure::Certificate,
    server::{Peer, Server, reset, welcome},
};

pub(super) fn it_goes_online_and_says_so<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    app.until(Phase::Connecting);
    let mut peer = server.accept();
    let change = app.online();
    assert_eq!((change.from, change.attempt), (Phase::Connecting, 1));
    assert_eq!(app.phase(), Phase::Online);
    app.send("hello").unwrap();
    assert_eq!(peer.hear(), "hello");
    peer.say("and back");
    assert_eq!(app.text(), "and back");
}

pub(super) fn a_port_that_nobody_listens_on_is_tried_until_somebody_does<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let mut app = plain(adapter, &away.url());
    for attempt in 1..=3 {
        let error = app.error();
        assert_eq!((error.kind, error.recovery, error.attempt), (Kind::NetworkError, Recovery::Retry, attempt));
    }
    let server = away.back();
    let _peer = server.accept();
    assert!(app.online().attempt > 3);
}

/// A name that no resolver has to be asked for: one of its parts is too long.
pub(super) fn a_name_that_does_not_exist_is_tried_again<A: Adapter>(adapter: &A) {
    let mut app = plain(adapter, &format!("ws://{}.invalid/", "a".repeat(64)));
    for _ in 0..2 {
        let error = app.error();
        assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
        assert!(error.message.as_str().contains("aaaa"), "{error}");
    }
}

/// As `quick`, with little time for a dial.
fn hasty() -> Config {
    tuned(|config| config.connect_timeout = MOMENT)
}

pub(super) fn a_server_that_says_nothing_is_given_up_in_time<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let began = Instant::now();
    let mut app = with(adapter, &server.url(), hasty());
    let silent = server.tcp();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::Timeout, Recovery::Retry));
    assert!(began.elapsed() >= MOMENT);
    app.configure(quick()).unwrap();
    // On a busy machine it may be the next one, which has time now.
    drop(silent);
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_handshake_byte_by_byte_is_waited_for<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let (mut stream, request) = server.request();
    for byte in welcome(&request).bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    app.online();
    Peer::after(stream).say("hello");
    assert_eq!(app.text(), "hello");
}

pub(super) fn a_handshake_that_never_ends_is_given_up_in_time<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), hasty());
    let (mut stream, _) = server.request();
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").unwrap();
    let dripping = thread::spawn(move || while stream.write_all(b"X-Slow: 1\r\n").is_ok_and(|()| pause(&stream)) {});
    let error = app.error();
    assert!(matches!(error.kind, Kind::Timeout), "{error}");
    dripping.join().unwrap();
}

/// A millisecond, in which the other side may leave; whether it has not.
fn pause(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    !matches!(stream.read(&mut [0]), Ok(0))
}

pub(super) fn an_end_in_the_handshake_is_tried_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    drop(server.request());
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_reset_in_the_handshake_is_tried_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    reset(server.request().0);
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
    let _peer = server.accept();
    app.online();
}

pub(super) fn garbage_for_an_answer_is_fatal_the_third_time<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for recovery in [Recovery::Retry, Recovery::Retry, Recovery::Fatal] {
        let (mut stream, _) = server.request();
        stream.write_all(b"\x05\x00 this is no HTTP\r\n\r\n").unwrap();
        let error = app.error();
        assert_eq!((error.kind, error.recovery), (Kind::ProtocolError, recovery));
    }
    app.failed();
}

pub(super) fn a_wrong_key_in_the_answer_is_no_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let (mut stream, _) = server.request();
    stream.write_all(welcome("Sec-WebSocket-Key: of somebody else").as_bytes()).unwrap();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::ProtocolError, Recovery::Retry));
}

pub(super) fn an_answer_without_end_is_no_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let (mut stream, _) = server.request();
    let drowning = thread::spawn(move || {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n").unwrap();
        while stream.write_all(&[b'a'; 4_096]).is_ok() {}
    });
    assert_eq!(app.error().kind, Kind::ProtocolError);
    drowning.join().unwrap();
}

pub(super) fn tls_to_a_server_without_is_tried_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let trust = Trust::only(Certificate::of("localhost").pem()).unwrap();
    let builder = A::connect(&server.url().replace("ws://", "wss://")).config(quick()).trust(trust);
    let mut app = run(adapter, builder);
    server.tcp().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::ConnectionFailed, Recovery::Retry));
}

/// What comes of a session that trusts whom it says and meets a server that shows this certificate.
fn over_tls<A: Adapter>(adapter: &A, trust: Trust, shown: &Certificate, server: &Server) -> Result<(), Box<Error>> {
    let url = server.url().replace("ws://", "wss://");
    let mut app = run(adapter, A::connect(&url).config(quick()).trust(trust));
    app.send("a secret").unwrap();
    let (shown, tcp) = (shown.clone(), server.tcp());
    let served = thread::spawn(move || accept(shown.secure(tcp)).map(Peer).map(Peer::echo).ok());
    let result = app.find(|item| match item {
        Item::Error(error) => Some(Err(error)),
        item => item.into_message().map(|message| {
            assert_eq!(message.as_str(), Some("a secret"));
            Ok(())
        }),
    });
    drop(app);
    served.join().unwrap();
    result
}

/// A session that trusts this certificate meets a server that shows that one, and never again.
fn refused<A: Adapter>(adapter: &A, trusted: &Certificate, shown: &Certificate, server: &Server, why: &str) {
    let error = over_tls(adapter, Trust::only(trusted.pem()).unwrap(), shown, server).unwrap_err();
    assert_eq!((error.kind, error.recovery), (Kind::ConnectionFailed, Recovery::Fatal));
    assert!(error.message.as_str().contains(why), "{error}");
}

pub(super) fn a_certificate_that_nobody_vouches_for_ends_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let (ours, theirs) = (Certificate::of(server.ip()), Certificate::of(server.ip()));
    refused(adapter, &ours, &theirs, &server, "signed with another key");
}

pub(super) fn a_certificate_that_is_trusted_carries_messages<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let ours = Certificate::of(server.ip());
    over_tls(adapter, Trust::only(ours.pem()).unwrap(), &ours, &server).unwrap();
}

pub(super) fn a_server_with_another_name_in_its_certificate_ends_it<A: Adapter>(adapter: &A) {
    let other = Certificate::of("elsewhere.example");
    refused(adapter, &other, &other, &Server::bind(), "but for elsewhere.example");
}

pub(super) fn a_certificate_that_has_expired_ends_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let expired = Certificate::expired(server.ip());
    refused(adapter, &expired, &expired, &server, "expired");
}

pub(super) fn a_server_that_wants_a_certificate_is_shown_ours<A: Adapter>(adapter: &A) {
    let (server, ours) = (Server::bind(), Certificate::of("client.example"));
    let theirs = Certificate::of(server.ip()).only_for(&ours);
    let trust = Trust::only(theirs.pem()).unwrap();
    over_tls(adapter, trust.identity(ours.pem(), ours.key()).unwrap(), &theirs, &server).unwrap();
    let error = over_tls(adapter, trust, &theirs, &server).unwrap_err();
    assert_eq!((error.kind, error.recovery), (Kind::ConnectionFailed, Recovery::Retry));
    assert!(error.message.as_str().contains("wants a certificate of ours, and none was set"), "{error}");
}

/// It was not offered, and what is compressed cannot be read.
pub(super) fn an_answer_that_compresses_unasked_is_no_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let (mut stream, request) = server.request();
    assert!(!request.contains("Extensions"), "{request}");
    let extension = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    stream.write_all(welcome(&request).replace("\r\n\r\n", extension).as_bytes()).unwrap();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::ProtocolError, Recovery::Retry));
    assert!(error.message.as_str().contains("extension"), "{error}");
}

pub(super) fn headers_and_the_credential_are_shown<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let builder = A::connect(&format!("{}?room=7", server.url())).config(quick()).header("X-Name", "a name");
    let _app = run(adapter, builder.credential("hunter2").credential_header("Authorization", "Bearer "));
    let (_stream, request) = server.request();
    assert!(request.starts_with("GET /live?room=7 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nX-Name: a name\r\n"), "{request}");
    assert!(request.contains("\r\nAuthorization: Bearer hunter2\r\n"), "{request}");
}

pub(super) fn the_next_endpoint_is_dialed_at_once<A: Adapter>(adapter: &A) {
    let (away, server) = (Server::bind().away(), Server::bind());
    let builder =
        A::connect("ws://nobody.invalid/").config(tuned(|config| config.retry.cap = Duration::from_secs(3_600)));
    let mut app = run(adapter, builder.endpoints([away.url(), server.url()]));
    assert_eq!(app.error().kind, Kind::NetworkError);
    let _peer = server.accept();
    app.online();
}

pub(super) fn other_endpoints_move_the_link<A: Adapter>(adapter: &A) {
    let (first, second) = (Server::bind(), Server::bind());
    let mut app = plain(adapter, &first.url());
    let peer = first.accept();
    app.online();
    app.endpoints([second.url()], Queued::GoAlong).unwrap();
    assert!(peer.goodbye().is_some());
    let mut peer = second.accept();
    app.online();
    app.send("here").unwrap();
    assert_eq!(peer.hear(), "here");
}

pub(super) fn what_is_queued_comes_back_when_the_destination_changes<A: Adapter>(adapter: &A) {
    let (away, server) = (Server::bind().away(), Server::bind());
    let mut app = with(adapter, &away.url(), patient());
    app.error();
    let ticket = app.send_tracked("for the first", SendOptions::default()).unwrap();
    let back = app.endpoints([server.url()], Queued::ComeBack).unwrap();
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].message.as_str(), Some("for the first"));
    assert_eq!(app.wait(ticket), Outcome::Cancelled);
    app.send("for the second").unwrap();
    assert_eq!(server.accept().hear(), "for the second");
}

pub(super) fn two_dials_are_never_closer_than_the_floor<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config =
        tuned(|config| (config.retry.floor, config.retry.cap, config.retry.jitter) = (MOMENT, MOMENT, Jitter::None));
    let began = Instant::now();
    let _app = with(adapter, &server.url(), config);
    for _ in 0..4 {
        drop(server.accept());
    }
    assert!(began.elapsed() >= MOMENT * 3, "{:?}", began.elapsed());
}

pub(super) fn connect_now_cuts_the_wait_short<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), patient());
    server.refuse(503, &[]);
    assert!(app.until(Phase::Waiting).retry_at.is_some());
    app.connect_now();
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_dialer_of_ones_own_is_called_for_each_attempt<A: Adapter>(adapter: &A) {
    let (server, dials) = (Server::bind(), Arc::new(AtomicUsize::new(0)));
    let (upgrade, address) = (Upgrade::to("ws://a.name/path".parse().unwrap()), server.address());
    let counted = Arc::clone(&dials);
    let dialer = move |attempt: Attempt| {
        counted.fetch_add(1, SeqCst);
        let upgrade = upgrade.clone();
        async move {
            let stream = A::Net::default().connect(address).await.map_err(|error| cause_of(&error))?;
            upgrade.over(stream, &attempt, || Wristwatch::new().now()).await
        }
    };
    let mut app = run(adapter, A::over(dialer).config(quick()));
    for round in 1..=3 {
        let peer = server.accept();
        app.online();
        assert_eq!(dials.load(SeqCst), round);
        drop(peer);
    }
}

pub(super) fn a_dialer_that_cannot_go_on_ends_it<A: Adapter>(adapter: &A) {
    let dialer = |_: Attempt| async { Err::<(Ws<Near>, _), _>(Cause::Impossible("there is no such thing".into())) };
    let mut app = run(adapter, A::over(dialer).config(quick()));
    let error = app.error();
    assert_eq!((error.recovery, error.message.as_str()), (Recovery::Fatal, "there is no such thing"));
    app.failed();
}

pub(super) fn a_pipe_in_memory_is_a_link<A: Adapter>(adapter: &A) {
    let (opened, links) = mpsc::channel();
    let upgrade = Upgrade::to("ws://in.memory/".parse().unwrap());
    let dialer = move |attempt: Attempt| {
        let (near, far) = pipe();
        // After the end of the scenario nobody is there.
        let _ = opened.send(far);
        let upgrade = upgrade.clone();
        async move { upgrade.over(near, &attempt, || Wristwatch::new().now()).await }
    };
    let mut app = run(adapter, A::over(dialer).config(quick()));
    for _ in 0..2 {
        let mut peer = Peer(accept(links.recv().unwrap()).unwrap());
        app.online();
        app.send("x".repeat(1 << 20)).unwrap();
        assert_eq!(peer.hear().len(), 1 << 20);
        peer.say("through memory");
        assert_eq!(app.text(), "through memory");
    }
}

pub(super) fn it_gives_up_after_so_many_attempts<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), tuned(|config| config.retry.max_attempts = Some(3)));
    for _ in 0..3 {
        server.refuse(503, &[]);
    }
    let gave_up = app.failed().gave_up.expect("why");
    assert_eq!(gave_up.limit, Some(Limit::Attempts));
    app.connect_now();
    let _peer = server.accept();
    app.online();
}

pub(super) fn failing_fast_is_for_the_first_attempt_alone<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.retry.first = FirstAttempt::FailFast);
    let mut app = with(adapter, &server.url(), config.clone());
    server.refuse(503, &[]);
    app.failed();
    let mut app = with(adapter, &server.url(), config);
    drop(server.accept());
    app.online();
    let _peer = server.accept();
    app.online();
}
