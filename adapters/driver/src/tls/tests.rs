//! TLS over a stream of which the test holds the other end, where a server of the same library sits.

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    sync::Arc,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::*;
use crate::wire::{Wire, idle};

const HOST: &str = "server.example";

/// A client, and the server at the other end of its wire.
struct Pair {
    client: Tls<Rc<RefCell<Far>>>,
    server: ServerConnection,
    /// Whether what the server writes arrives in pieces of one byte, each after a pause.
    trickles: bool,
    heard: Vec<u8>,
}

impl Pair {
    /// Both sides, and nothing said yet.
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([HOST.to_owned()]).expect("a good name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let trust = Trust::only(certificate.pem()).expect("a root");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("both versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .expect("a server");
        let mut server = ServerConnection::new(Arc::new(config)).expect("a server");
        server.set_buffer_limit(None);
        let name = ServerName::try_from(HOST).expect("a good name");
        let client = Tls::new(
            Rc::new(RefCell::new(Far { wire: Wire::new(), breaks: false })),
            trust.config().expect("good settings"),
            name,
        )
        .expect("a client");
        Self { client, server, trickles: false, heard: Vec::new() }
    }

    fn wire(&self) -> RefMut<'_, Wire> {
        RefMut::map(self.client.io.borrow_mut(), |far| &mut far.wire)
    }

    /// Both sides after the handshake.
    fn connected() -> Self {
        let mut pair = Self::new();
        pair.connect();
        pair
    }

    fn connect(&mut self) {
        for _ in 0..100_000 {
            let done = self.client.poll_handshake(&mut idle());
            self.carry();
            if let Poll::Ready(done) = done {
                return done.expect("a handshake");
            }
        }
        panic!("the handshake hangs")
    }

    /// Carries what each side has written to the other.
    fn carry(&mut self) {
        let written = self.wire().take_written();
        let mut written = &written[..];
        while !written.is_empty() {
            self.server.read_tls(&mut written).expect("there is room");
            self.server.process_new_packets().expect("the client keeps to the rules");
            let read = self.server.reader().read_to_end(&mut self.heard);
            assert!(read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "the client is still there");
        }
        let mut answer = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut answer).expect("it goes to memory");
        }
        match answer {
            answer if answer.is_empty() => {}
            answer if self.trickles => self.wire().trickle(&answer),
            answer => self.wire().arrive(answer),
        }
    }

    /// The server says this.
    fn say(&mut self, words: &[u8]) {
        self.server.writer().write_all(words).expect("there is room");
        self.carry();
    }

    /// What the server has heard since it was last asked.
    fn heard(&mut self) -> Vec<u8> {
        self.carry();
        std::mem::take(&mut self.heard)
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.client.poll_write(&mut idle(), bytes)
    }

    /// Writes all of it; the stream takes it sooner or later.
    fn write_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Poll::Ready(count) = self.write(bytes) {
                bytes = &bytes[count.expect("it is taken")..];
            }
        }
        while self.flush().is_pending() {}
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        self.client.poll_flush(&mut idle())
    }

    fn read(&mut self) -> Poll<io::Result<Vec<u8>>> {
        let mut buf = [0; 1_000];
        self.client.poll_read(&mut idle(), &mut buf).map_ok(|count| buf[..count].to_vec())
    }

    /// Reads so many bytes.
    fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..1_000_000 {
            if let Poll::Ready(read) = self.read() {
                all.extend(read.expect("it can be read"));
            }
            if all.len() >= count {
                return all;
            }
        }
        panic!("only {} bytes came", all.len())
    }

    /// The kind of error that reading ends with, as often as one asks.
    fn ends_with(&mut self) -> io::ErrorKind {
        let kinds = [self.read(), self.read()].map(|read| {
            let Poll::Ready(Err(error)) = read else { panic!("not the end: {read:?}") };
            error.kind()
        });
        assert_eq!(kinds[0], kinds[1]);
        kinds[0]
    }
}

/// The stream of the client.
struct Far {
    wire: Wire,
    /// Whether it breaks where it would block.
    breaks: bool,
}

impl Io for Rc<RefCell<Far>> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.borrow_mut().wire.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut far = self.borrow_mut();
        let polled = far.wire.poll_write(cx, buf);
        let is_over = far.breaks && polled.is_pending();
        if is_over { Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())) } else { polled }
    }
}

/// Bytes that are not all the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[test]
fn it_works_one_byte_at_a_time() {
    let mut pair = Pair::new();
    pair.trickles = true;
    pair.wire().piece = 1;
    pair.connect();
    let message = bytes(20_000);
    pair.write_all(&message);
    assert_eq!(pair.heard(), message);
    pair.say(&message);
    assert_eq!(pair.read_exactly(message.len()), message);
    assert!(pair.read().is_pending());
}

#[test]
fn a_large_write_is_taken_at_once_if_the_stream_takes_it() {
    let mut pair = Pair::connected();
    let message = bytes(1 << 20);
    assert!(matches!(pair.write(&message), Poll::Ready(Ok(taken)) if taken == message.len()));
    assert!(!pair.client.session.wants_write(), "nothing is kept");
    assert_eq!(pair.heard(), message);
}

#[test]
fn no_more_than_a_record_is_kept_for_a_blocked_stream() {
    for room in [0, 1, 16_384, 50_000] {
        let mut pair = Pair::connected();
        pair.wire().room = room;
        let message = bytes(100_000);
        let Poll::Ready(Ok(taken)) = pair.write(&message) else { panic!("a record is taken") };
        assert!(taken <= room + RECORD && taken + 1_000 > room, "{taken} of {room}");
        assert!(pair.write(&message[taken..]).is_pending());
        assert!(pair.flush().is_pending());
        pair.wire().room = usize::MAX;
        assert!(matches!(pair.flush(), Poll::Ready(Ok(()))));
        assert_eq!(pair.heard(), message[..taken]);
        pair.write_all(&message[taken..]);
        assert_eq!(pair.heard(), message[taken..]);
    }
}

#[test]
fn what_no_byte_of_has_left_was_not_taken() {
    let mut pair = Pair::connected();
    pair.wire().write_error = Some(io::ErrorKind::BrokenPipe);
    for _ in 0..2 {
        assert!(matches!(pair.write(b"lost"), Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));
        assert!(matches!(pair.flush(), Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));
    }
    assert_eq!(pair.wire().writes, 1 + handshake_writes(), "it is not tried again");
}

/// How many writes a handshake takes.
fn handshake_writes() -> usize {
    Pair::connected().wire().writes
}

#[test]
fn what_a_byte_of_has_left_was_taken() {
    // Overhead included: nothing at all, a piece of the first record, a piece of the second one.
    for (room, taken) in [(0, None), (1, Some(RECORD)), (20_000, Some(2 * RECORD))] {
        let mut pair = Pair::connected();
        pair.wire().room = room;
        pair.client.io.borrow_mut().breaks = true;
        assert_eq!(pair.write(&bytes(100_000)).map(Result::ok), Poll::Ready(taken), "{room}");
        assert!(matches!(pair.write(b"more"), Poll::Ready(Err(_))));
    }
}

#[test]
fn reading_goes_on_when_writing_has_failed_or_is_blocked() {
    let blocked = Pair::connected();
    blocked.wire().room = 0;
    let failed = Pair::connected();
    failed.wire().write_error = Some(io::ErrorKind::ConnectionReset);
    for mut pair in [blocked, failed] {
        let _ = pair.write(b"into the void");
        pair.say(b"why");
        assert_eq!(pair.read_exactly(3), b"why");
        pair.server.send_close_notify();
        pair.carry();
        assert!(matches!(pair.read(), Poll::Ready(Ok(end)) if end.is_empty()));
    }
}

#[test]
fn new_keys_are_followed_and_answered() {
    let mut pair = Pair::connected();
    pair.server.refresh_traffic_keys().expect("TLS 1.3");
    pair.say(b"with new keys");
    assert_eq!(pair.read_exactly(13), b"with new keys");
    pair.write_all(b"with ours");
    assert_eq!(pair.heard(), b"with ours");
}

#[test]
fn an_end_with_a_goodbye_is_an_end_and_one_without_is_cut_short() {
    let mut pair = Pair::connected();
    pair.say(b"last words");
    pair.server.send_close_notify();
    pair.carry();
    assert_eq!(pair.read_exactly(10), b"last words");
    for _ in 0..2 {
        assert!(matches!(pair.read(), Poll::Ready(Ok(end)) if end.is_empty()));
    }
    let mut pair = Pair::connected();
    pair.say(b"last words");
    pair.wire().end();
    assert_eq!(pair.read_exactly(10), b"last words");
    assert!(matches!(pair.read(), Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof));
}

#[test]
fn what_came_before_a_broken_record_is_read_and_the_peer_is_told() {
    let mut pair = Pair::connected();
    pair.say(b"still good");
    pair.wire().arrive(*b"\x17\x03\x03\x00\x20this is no record of any session");
    pair.wire().take_written();
    assert_eq!(pair.read_exactly(10), b"still good");
    assert_eq!(pair.ends_with(), io::ErrorKind::InvalidData);
    assert!(!pair.wire().written.is_empty(), "an alert has left");
    assert!(matches!(pair.write(b"nothing more"), Poll::Ready(Err(_))));
}

#[test]
fn a_drop_says_goodbye_unless_something_is_stuck() {
    let pair = Pair::connected();
    let (far, mut server) = (Rc::clone(&pair.client.io), pair.server);
    drop(pair.client);
    let goodbye = far.borrow_mut().wire.take_written();
    server.read_tls(&mut &goodbye[..]).expect("there is room");
    assert!(server.process_new_packets().expect("it keeps to the rules").peer_has_closed());

    let mut pair = Pair::connected();
    pair.wire().room = 0;
    let _ = pair.write(b"stuck");
    let far = Rc::clone(&pair.client.io);
    far.borrow_mut().wire.room = usize::MAX;
    drop(pair);
    assert_eq!(far.borrow().wire.written, b"", "neither a goodbye nor what was stuck");
}

#[test]
fn a_failed_write_during_the_handshake_is_the_news_unless_the_server_says_more() {
    let mut pair = Pair::new();
    pair.wire().write_error = Some(io::ErrorKind::BrokenPipe);
    pair.wire().end();
    let failed = pair.client.poll_handshake(&mut idle());
    assert!(matches!(failed, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));

    let mut pair = Pair::new();
    pair.wire().write_error = Some(io::ErrorKind::BrokenPipe);
    // A fatal alert: access denied.
    pair.wire().arrive(*b"\x15\x03\x03\x00\x02\x02\x31");
    let Poll::Ready(Err(error)) = pair.client.poll_handshake(&mut idle()) else { panic!("a refusal") };
    assert!(matches!(cause_of(&error), Cause::Tls { certificate: false, .. }), "{error}");
}
