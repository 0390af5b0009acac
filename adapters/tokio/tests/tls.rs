//! `wss://` over real sockets, against a server that knows nothing of it.

mod authority;

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    task::Poll,
    time::Duration,
};

use authority::{Authority, Issued, serve};
use futures_util::{SinkExt, StreamExt};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use steadfast::{Attempt, Cause, CloseCode, Config, Event, Frame, Kind, LinkId, Phase, StopCause};
use steadfast_driver::{Dialer, Io, MaybeTls, Securing, Transport, Ws};
use steadfast_tokio::{BadTrust, Drain, Item, Tcp, TokioIo, Trust};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, WebSocketConfig},
    },
};

type Link = Ws<MaybeTls<TokioIo<TcpStream>>>;

/// No test waits longer than this for anything.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it takes too long")
}

async fn dial(url: &str, trust: Trust) -> Result<Link, Cause> {
    let mut tcp = Tcp::to(url).expect("a good address");
    tcp.trust(trust);
    soon(tcp.dial(Attempt::new(LinkId(1)))).await.map(|(link, _)| link)
}

async fn flush(link: &mut Link) {
    soon(poll_fn(|cx| link.poll_flush(cx))).await;
}

/// All frames up to the last word.
async fn read_to_end(link: &mut Link) -> (Vec<Frame>, Cause) {
    let mut frames = Vec::new();
    loop {
        if let Err(cause) = soon(poll_fn(|cx| link.poll_read(cx, &mut frames, 512))).await {
            return (frames, cause);
        }
    }
}

/// Sends everything back until it is told to stop.
async fn echo(stream: TlsStream<TcpStream>) {
    let mut socket = accept_async(stream).await.expect("a handshake");
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            socket.send(message).await.expect("an echo");
        }
    }
}

async fn say_hello(stream: TlsStream<TcpStream>) -> WebSocketStream<TlsStream<TcpStream>> {
    let mut socket = accept_async(stream).await.expect("a handshake");
    socket.send(Message::text("hello")).await.expect("a greeting");
    socket
}

/// What comes of dialling a server with this certificate.
async fn refused_by(issued: &Issued, host: &str, trust: Trust) -> String {
    let (address, served) = serve(issued.acceptor(), echo).await;
    let cause = dial(&format!("wss://{host}:{}/", address.port()), trust).await.expect_err("not this server");
    let Cause::Tls { certificate: true, message } = cause else { panic!("{cause:?}") };
    let alert = soon(served).await.expect("it has not panicked").expect_err("the client refuses");
    assert!(alert.to_string().contains("alert"), "the server is told: {alert}");
    message.as_str().to_owned()
}

#[tokio::test]
async fn frames_go_both_ways_by_address_and_by_name() {
    let authority = Authority::new("ours");
    for host in ["127.0.0.1", "localhost"] {
        let (address, _) = serve(authority.server(host).acceptor(), echo).await;
        let trust = Trust::only(authority.pem()).expect("a root");
        let mut link = dial(&format!("wss://{host}:{}/", address.port()), trust).await.expect("a link");
        assert!(matches!(link.io(), MaybeTls::Tls(_)));
        let sent = [Frame::from("grüße"), Frame::from(vec![7_u8; 100_000]), Frame::from("")];
        sent.iter().cloned().for_each(|frame| link.feed(frame));
        flush(&mut link).await;
        link.close(CloseCode::NORMAL, "bye");
        flush(&mut link).await;
        let closed = Cause::Closed { code: CloseCode::NORMAL, reason: "bye".into() };
        assert_eq!(read_to_end(&mut link).await, (sent.to_vec(), closed), "{host}");
    }
}

#[tokio::test]
async fn sixteen_megabytes_go_both_ways() {
    let authority = Authority::new("ours");
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), |stream| async move {
        let config = WebSocketConfig::default().max_frame_size(None);
        let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
        let mut socket = socket.expect("a handshake");
        let message = socket.next().await.expect("a message").expect("it is whole");
        socket.send(message).await.expect("an echo");
        socket.close(None).await.expect("a close");
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let mut link = dial(&format!("wss://{address}/"), trust).await.expect("a link");
    let big = Frame::from((0..16_u32 << 20).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    link.feed(big.clone());
    flush(&mut link).await;
    assert_eq!(link.left(), 1);
    let (frames, cause) = read_to_end(&mut link).await;
    assert!(frames == [big]);
    assert_eq!(cause, Cause::Closed { code: CloseCode::NONE, reason: "".into() });
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_says_why_and_what_to_do() {
    let authority = Authority::new("ours");
    let trust = Trust::only(authority.pem()).expect("a root");

    let expired = authority.issue("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let said = refused_by(&expired, "127.0.0.1", trust.clone()).await;
    assert!(said.contains("expired") && said.contains("days ago; renew it"), "{said}");

    let early = authority.issue("127.0.0.1", |params| params.not_before = date_time_ymd(4000, 1, 1));
    let said = refused_by(&early, "127.0.0.1", trust.clone()).await;
    assert!(said.contains("not valid for another") && said.contains("clock"), "{said}");

    let foreign = Authority::new("another").server("127.0.0.1");
    let said = refused_by(&foreign, "127.0.0.1", trust.clone()).await;
    assert!(said.contains("not trusted here; trust its root"), "{said}");

    let forged = Authority::new("ours").server("127.0.0.1");
    let said = refused_by(&forged, "127.0.0.1", trust.clone()).await;
    assert!(said.contains("signed with another key"), "{said}");

    let said = refused_by(&authority.server("prices.example"), "localhost", trust.clone()).await;
    assert!(said.contains("not for localhost but for prices.example"), "{said}");
    let said = refused_by(&authority.server("localhost"), "127.0.0.1", trust.clone()).await;
    assert!(said.contains("not for 127.0.0.1 but for localhost"), "{said}");
    let said = refused_by(&authority.server("127.0.0.1"), "localhost", trust.clone()).await;
    assert!(said.contains("not for localhost but for 127.0.0.1;"), "{said}");

    let purposes = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = authority.issue("127.0.0.1", |params| params.extended_key_usages = purposes);
    let said = refused_by(&client, "127.0.0.1", trust).await;
    assert!(said.contains("not for servers"), "{said}");
}

#[tokio::test]
async fn roots_of_ones_own_come_on_top_of_those_of_the_machine() {
    let authority = Authority::new("ours");
    if Trust::platform().check().is_ok() {
        let said = refused_by(&authority.server("127.0.0.1"), "127.0.0.1", Trust::platform()).await;
        assert!(said.contains("not trusted here"), "{said}");
    }
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), echo).await;
    let both = Trust::platform().and(authority.pem()).expect("a root");
    assert!(dial(&format!("wss://{address}/"), both).await.is_ok());
}

#[tokio::test]
async fn a_certificate_may_be_its_own_root() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("a good name");
    let chain = params.self_signed(&key).expect("a certificate").pem();
    let issued = Issued { chain, key: key.serialize_pem() };
    let (address, _) = serve(issued.acceptor(), echo).await;
    let trust = Trust::only(&issued.chain).expect("a root");
    assert!(dial(&format!("wss://{address}/"), trust).await.is_ok());
}

#[tokio::test]
async fn a_client_shows_its_certificate_if_it_has_one() {
    let authority = Authority::new("ours");
    let trust = Trust::only(authority.pem()).expect("a root");
    let acceptor = || authority.server("127.0.0.1").acceptor_that_asks(authority.judge());

    let Issued { chain, key } = authority.client();
    let known = trust.identity(chain, key).expect("an identity");
    let (address, served) = serve(acceptor(), |stream| async move {
        assert_eq!(stream.get_ref().1.peer_certificates().expect("it was asked for").len(), 1);
        say_hello(stream).await.close(None).await.expect("a close");
    })
    .await;
    let mut link = dial(&format!("wss://{address}/"), known).await.expect("a link");
    assert_eq!(read_to_end(&mut link).await.0, [Frame::from("hello")]);
    soon(served).await.expect("it has not panicked").expect("it knows the client");

    let (address, _) = serve(acceptor(), echo).await;
    let said = ours_refused(&format!("wss://{address}/"), trust.clone()).await;
    assert!(said.contains("wants a certificate of ours, and none was set"), "{said}");

    let Issued { chain, key } = Authority::new("another").client();
    let unknown = trust.identity(chain, key).expect("an identity");
    let (address, _) = serve(acceptor(), echo).await;
    let said = ours_refused(&format!("wss://{address}/"), unknown).await;
    assert!(said.contains("does not accept our certificate"), "{said}");
}

/// What a server says of our certificate. It says it when our side of the handshake is done.
async fn ours_refused(url: &str, trust: Trust) -> String {
    let cause = dial(url, trust).await.expect_err("not this client");
    let Cause::Tls { certificate: false, message } = cause else { panic!("{cause:?}") };
    message.as_str().to_owned()
}

#[tokio::test]
async fn an_identity_must_make_sense() {
    let authority = Authority::new("ours");
    let (one, other) = (authority.client(), authority.client());
    let trust = Trust::platform();
    let refused = |chain: &str, key: &str| trust.identity(chain, key).expect_err("it makes no sense");
    assert_eq!(refused(&one.chain, &other.key), BadTrust::WrongKey);
    assert_eq!(refused(&one.chain, &one.chain), BadTrust::NoKey);
    assert_eq!(refused(&one.key, &one.key), BadTrust::NoCertificate);
    assert_eq!(refused("", ""), BadTrust::NoCertificate);
    assert!(matches!(refused("-----BEGIN CERTIFICATE-----\n?", &one.key), BadTrust::Pem(_)));
    let both = one.chain.clone() + &one.key;
    let trust = trust.identity(&both, &both).expect("both may be in one file");
    let shown = format!("{trust:?}");
    assert_eq!(shown, "Trust { platform: true, roots: 0, identity: true }");
    assert_eq!(Trust::only("no pem at all").err(), Some(BadTrust::NoCertificate));
    let no_root = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(Trust::only(no_root), Err(BadTrust::Root(_))));
}

#[tokio::test]
async fn a_server_without_tls_is_asked_whether_it_has_any() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it is written");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let cause = dial(&format!("wss://{address}/"), own()).await.expect_err("no TLS");
    let Cause::Tls { certificate: false, message } = cause else { panic!("{cause:?}") };
    assert!(message.as_str().contains("not TLS") && message.as_str().contains("wss://"), "{message}");
}

#[tokio::test]
async fn a_server_that_goes_during_the_handshake_is_no_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.read_buf(&mut Vec::with_capacity(16 << 10)).await.expect("a greeting");
    });
    let cause = dial(&format!("wss://{address}/"), own()).await.expect_err("it has gone");
    let Cause::Broken(message) = cause else { panic!("{cause:?}") };
    assert!(message.as_str().contains("during the TLS handshake"), "{message}");
}

/// The trust in an authority that has issued nothing.
fn own() -> Trust {
    Trust::only(Authority::new("another").pem()).expect("a root")
}

/// A link to a server that does this with the stream after it has said hello.
async fn greeted<F>(then: impl FnOnce(TlsStream<TcpStream>) -> F + Send + 'static) -> Link
where
    F: Future<Output = ()> + Send,
{
    let authority = Authority::new("ours");
    let acceptor = authority.server("127.0.0.1").acceptor();
    let (address, served) = serve(acceptor, |stream| async move {
        then(say_hello(stream).await.into_inner()).await;
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let link = dial(&format!("wss://{address}/"), trust).await.expect("a link");
    soon(served).await.expect("it has not panicked").expect("it was accepted");
    link
}

#[tokio::test]
async fn a_link_that_ends_without_a_close_frame_has_ended_with_and_without_the_goodbye_of_tls() {
    let hello = vec![Frame::from("hello")];
    let mut cut = greeted(|stream| async move { stream.into_inner().0.shutdown().await.expect("a FIN") }).await;
    assert_eq!(read_to_end(&mut cut).await, (hello.clone(), Cause::Ended));
    let mut ended = greeted(|mut stream| async move { stream.shutdown().await.expect("close_notify") }).await;
    assert_eq!(read_to_end(&mut ended).await, (hello, Cause::Ended));
}

#[tokio::test]
async fn what_came_before_a_broken_record_is_read() {
    let mut link = greeted(|stream| async move {
        let mut tcp = stream.into_inner().0;
        tcp.write_all(b"\x17\x03\x03\x00\x20this is no record of any session").await.expect("it is written");
        tcp.shutdown().await.expect("a FIN");
    })
    .await;
    let (frames, cause) = read_to_end(&mut link).await;
    assert_eq!(frames, [Frame::from("hello")]);
    let Cause::Broken(message) = cause else { panic!("{cause:?}") };
    assert!(message.as_str().contains("decrypt"), "{message}");
}

#[tokio::test]
async fn a_close_code_behind_a_failed_write_is_the_cause() {
    let authority = Authority::new("ours");
    let (address, served) = serve(authority.server("127.0.0.1").acceptor(), |stream| async move {
        let mut socket = accept_async(stream).await.expect("a handshake");
        socket.get_ref().get_ref().0.peek(&mut [0]).await.expect("something that stays unread");
        socket.feed(Message::text("last")).await.expect("a message");
        let close = CloseFrame { code: 4401.into(), reason: "expired".into() };
        socket.send(Message::Close(Some(close))).await.expect("a close is sent");
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let mut link = dial(&format!("wss://{address}/"), trust).await.expect("a link");
    link.feed(Frame::from("never read"));
    flush(&mut link).await;
    soon(served).await.expect("it has not panicked").expect("it was accepted");

    let fail = async {
        // When a flush stays pending though the buffers are empty, a write has failed.
        loop {
            link.feed(Frame::from("into the void"));
            if poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await.is_pending() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(fail).await;
    assert!(link.left() < link.fed(), "what the failed write held has not left");
    let closed = Cause::Closed { code: CloseCode(4401), reason: "expired".into() };
    assert_eq!(read_to_end(&mut link).await, (vec![Frame::from("last")], closed));
}

#[tokio::test]
async fn a_server_that_does_not_read_blocks_the_flush_and_its_reading_is_progress() {
    let authority = Authority::new("ours");
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), |stream| async move {
        let mut socket = accept_async(stream).await.expect("a handshake");
        wait.await.expect("the signal");
        while socket.next().await.is_some() {}
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let mut link = dial(&format!("wss://{address}/"), trust).await.expect("a link");
    (0..512).for_each(|_| link.feed(Frame::from(vec![0_u8; 64 << 10])));
    while poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await.is_ready() {}
    assert_eq!(link.left(), 512);
    link.feed(Frame::from("still here"));
    assert!(poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await.is_pending());
    assert_eq!((link.fed(), link.left()), (513, 512), "nothing is taken while something waits");
    link.take_progress();

    go.send(()).expect("the server waits");
    flush(&mut link).await;
    assert!(link.take_progress());
    assert_eq!(link.left(), 513);
}

#[tokio::test]
async fn dropping_a_link_says_goodbye() {
    let authority = Authority::new("ours");
    let (address, served) = serve(authority.server("127.0.0.1").acceptor(), |stream| async move {
        let mut stream = say_hello(stream).await.into_inner();
        // Without close_notify this would be an error.
        assert_eq!(stream.read(&mut [0]).await.expect("an end in order"), 0);
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let mut link = dial(&format!("wss://{address}/"), trust).await.expect("a link");
    soon(poll_fn(|cx| link.poll_read(cx, &mut Vec::new(), 1))).await.expect("hello");
    drop(link);
    soon(served).await.expect("it has not panicked").expect("it was accepted");
}

#[tokio::test]
async fn any_stream_can_be_secured() {
    let authority = Authority::new("ours");
    let acceptor = authority.server("nowhere.example").acceptor();
    let (near, far) = tokio::io::duplex(100);
    tokio::spawn(async move {
        let mut stream = acceptor.accept(far).await.expect("a handshake");
        stream.write_all(b"hello").await.expect("it is written");
        stream.shutdown().await.expect("a goodbye");
    });
    let trust = Trust::only(authority.pem()).expect("a root");
    let mut tls = soon(trust.open(TokioIo(near), "nowhere.example")).await.expect("a handshake");
    let (mut said, mut piece) = (Vec::new(), [0; 3]);
    loop {
        match soon(poll_fn(|cx| tls.poll_read(cx, &mut piece))).await.expect("no error") {
            0 => break,
            count => said.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(said, b"hello");
    let bad = soon(trust.open(TokioIo(tokio::io::duplex(1).0), "no such name!")).await.expect_err("no name");
    assert!(matches!(bad, Cause::Impossible(_)), "{bad:?}");
}

#[tokio::test]
async fn a_session_comes_online_over_tls() {
    let authority = Authority::new("ours");
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), echo).await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let (client, mut events, driver) = session(address, trust);
    tokio::spawn(driver);
    client.send("hello").expect("there is room");
    let heard = async {
        loop {
            if let Some(Item::Event(Event::Message { message, .. })) = events.next().await {
                return message;
            }
        }
    };
    assert_eq!(soon(heard).await, Frame::from("hello"));
    soon(client.close(Drain::within(Duration::from_secs(5)))).await;
}

#[tokio::test]
async fn a_refused_certificate_ends_a_session_and_is_its_error() {
    let authority = Authority::new("ours");
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), echo).await;
    let (_client, mut events, driver) = session(address, own());
    tokio::spawn(driver);
    let ended = async {
        let mut error = None;
        loop {
            match events.next().await.expect("the end is told") {
                Item::Error(told) => error = Some(told.to_string()),
                Item::Event(Event::Phase(change)) if change.to == Phase::Stopped(StopCause::Failed) => return error,
                Item::Event(_) | _ => {}
            }
        }
    };
    let error = soon(ended).await.expect("an error");
    assert!(error.contains("the server's certificate comes from an authority that is not trusted here"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_is_given_up_by_the_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut config = Config::default();
    config.connect_timeout = Duration::from_millis(100);
    let url = format!("wss://{address}/");
    let builder = steadfast_tokio::connect(&url).trust(own()).config(config);
    let (_client, mut events, driver) = builder.build().expect("good settings");
    tokio::spawn(driver);
    let (mut stream, _) = soon(listener.accept()).await.expect("a client");
    let failed = async {
        loop {
            if let Some(Item::Error(error)) = events.next().await {
                return error.kind;
            }
        }
    };
    assert_eq!(soon(failed).await, Kind::Timeout);
    let mut said = Vec::new();
    soon(stream.read_to_end(&mut said)).await.expect("the connection has been dropped");
    assert_eq!(said[0], 0x16, "nothing but a TLS handshake was said");
}

type Session = (
    steadfast_tokio::Client<steadfast::Plain>,
    steadfast_tokio::Events<steadfast::Plain>,
    steadfast_tokio::Driver<steadfast::Plain>,
);

fn session(address: SocketAddr, trust: Trust) -> Session {
    steadfast_tokio::connect(&format!("wss://{address}/")).trust(trust).build().expect("good settings")
}
