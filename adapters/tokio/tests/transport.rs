//! The transport over real sockets, against a server that knows nothing of it.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use steadfast::{
    Action, Attempt, Cause, CloseCode, Command, Config, Frame, Handshake, Input, Machine, Plain, Session, Timestamp,
};
use steadfast_driver::{Dialer, Io, MaybeTls, Transport, Upgrade, Upgrading, Ws};
use steadfast_tokio::{Tcp, TokioIo, open_tcp, open_ws};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, protocol::CloseFrame},
};

/// No test waits longer than this for anything.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it takes too long")
}

/// An attempt as a session makes it.
fn attempt() -> Attempt {
    let mut session = Session::new(Plain, Config::default(), 1).expect("good settings");
    let mut actions = Vec::new();
    session.handle(Timestamp::ZERO, Input::Command(Command::Connect), &mut actions);
    let Action::Connect(attempt) = actions.swap_remove(0) else { panic!("a session begins by connecting") };
    *attempt
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// A server of one connection, and its address.
async fn serve<F>(serve: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static) -> (SocketAddr, JoinHandle<()>)
where
    F: Future<Output = ()> + Send,
{
    let (listener, address) = listener().await;
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        serve(accept_async(stream).await.expect("a handshake")).await;
    });
    (address, served)
}

/// A server that reads the request, answers with these bytes, and goes.
async fn answer(bytes: &'static str) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.expect("a request");
        }
        stream.write_all(bytes.as_bytes()).await.expect("the answer is written");
    });
    address
}

fn tcp(address: SocketAddr) -> Tcp {
    Tcp::to(&format!("ws://{address}/")).expect("a good address")
}

async fn dial(address: SocketAddr) -> Result<(Ws<MaybeTls<TokioIo<TcpStream>>>, Handshake), Cause> {
    soon(tcp(address).dial(attempt())).await
}

async fn connect(address: SocketAddr) -> Ws<MaybeTls<TokioIo<TcpStream>>> {
    dial(address).await.expect("a link").0
}

async fn flush(link: &mut impl Transport) {
    soon(poll_fn(|cx| link.poll_flush(cx))).await;
}

/// The next frames, and the last word if it came with them.
async fn read(link: &mut impl Transport) -> (Vec<Frame>, Option<Cause>) {
    let mut frames = Vec::new();
    let last = soon(poll_fn(|cx| link.poll_read(cx, &mut frames, 512))).await.err();
    (frames, last)
}

/// All frames up to the last word.
async fn read_to_end(link: &mut impl Transport) -> (Vec<Frame>, Cause) {
    let mut all = Vec::new();
    loop {
        let (frames, last) = read(link).await;
        all.extend(frames);
        if let Some(cause) = last {
            return (all, cause);
        }
    }
}

fn close_frame(code: u16) -> CloseFrame {
    CloseFrame { code: code.into(), reason: "expired".into() }
}

fn closed(code: u16) -> Cause {
    Cause::Closed { code: CloseCode(code), reason: "expired".into() }
}

#[tokio::test]
async fn frames_go_both_ways_and_a_close_is_echoed() {
    let (address, served) = serve(|mut server| async move {
        let bye = Message::text("bye");
        loop {
            let message = server.next().await.expect("a message").expect("it is whole");
            if message == bye {
                break;
            }
            // Pings have been answered already.
            if !message.is_ping() {
                server.send(message).await.expect("an echo");
            }
        }
        let close = Message::Close(Some(close_frame(4000)));
        server.send(close.clone()).await.expect("a close is sent");
        assert_eq!(server.next().await.expect("the echo").expect("it is whole"), close);
    })
    .await;
    let (mut link, handshake) = dial(address).await.expect("a link");
    assert_eq!(handshake.address, Some(address.to_string().into()));
    assert!(link.io().io().0.nodelay().expect("it can be asked"));

    let sent = [Frame::from("grüße"), Frame::from(vec![0_u8; 100_000]), Frame::Ping(Bytes::from_static(b"?"))];
    sent.iter().cloned().for_each(|frame| link.feed(frame));
    flush(&mut link).await;
    assert_eq!((link.fed(), link.left()), (3, 3));
    let mut came = Vec::new();
    while came.len() < 3 {
        came.extend(read(&mut link).await.0);
    }
    assert_eq!(came, [sent[0].clone(), sent[1].clone(), Frame::Pong(Bytes::from_static(b"?"))]);

    link.feed(Frame::from("bye"));
    flush(&mut link).await;
    assert_eq!(read_to_end(&mut link).await, (vec![], closed(4000)));
    soon(served).await.expect("the server saw the echo");
}

#[tokio::test]
async fn our_close_is_answered() {
    let (address, _) = serve(|mut server| async move { while server.next().await.is_some() {} }).await;
    let mut link = connect(address).await;
    link.close(CloseCode::GOING_AWAY, "expired");
    flush(&mut link).await;
    assert_eq!(read_to_end(&mut link).await.1, closed(1001));
}

#[tokio::test]
async fn a_server_that_goes_without_a_close_is_ended() {
    let (address, served) = serve(|server| async move { drop(server) }).await;
    let mut link = connect(address).await;
    soon(served).await.expect("it has gone");
    assert_eq!(read_to_end(&mut link).await, (vec![], Cause::Ended));
}

#[tokio::test]
async fn a_peer_that_does_not_read_blocks_the_flush_and_its_reading_is_progress() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let (address, _) = serve(|mut server| async move {
        wait.await.expect("the signal");
        while server.next().await.is_some() {}
    })
    .await;
    let mut link = connect(address).await;
    // More than the buffers of both sides hold.
    (0..512).for_each(|_| link.feed(Frame::from(vec![0_u8; 64 << 10])));
    assert!(poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await.is_pending());
    assert!(!link.take_progress());
    assert_eq!(link.left(), 512);
    link.feed(Frame::from("still here"));
    assert_eq!((link.fed(), link.left()), (513, 512));

    go.send(()).expect("the server waits");
    flush(&mut link).await;
    assert!(link.take_progress());
    assert!(!link.take_progress());
    assert_eq!(link.left(), 513);
}

/// A stream that remembers how its writes failed.
struct Spy {
    io: TokioIo<TcpStream>,
    failure: Option<io::ErrorKind>,
}

impl Io for Spy {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.io.poll_write(cx, buf);
        if let Poll::Ready(Err(error)) = &polled {
            self.failure = Some(error.kind());
        }
        polled
    }
}

/// A server that says why and resets the connection: it closes while something lies unread.
async fn expelling() -> (SocketAddr, JoinHandle<()>) {
    serve(|mut server| async move {
        server.get_ref().peek(&mut [0]).await.expect("something that stays unread");
        // In one write: what Nagle's algorithm held back would be discarded by the reset.
        server.feed(Message::text("last")).await.expect("a message");
        server.send(Message::Close(Some(close_frame(4401)))).await.expect("a close is sent");
    })
    .await
}

#[tokio::test]
async fn a_close_code_behind_a_failed_write_is_the_cause() {
    let (address, served) = expelling().await;
    let mut tcp = tcp(address);
    let stream = open_tcp(tcp.upgrade().address(), &attempt()).await.expect("a connection");
    let spy = Spy { io: TokioIo(stream), failure: None };
    let (mut link, _) = soon(tcp.upgrade().over(spy, &attempt(), || Timestamp::ZERO)).await.expect("a link");
    link.feed(Frame::from("never read"));
    flush(&mut link).await;
    soon(served).await.expect("it has closed");

    let fail = async {
        while link.io().failure.is_none() {
            link.feed(Frame::from("into the void"));
            let _ = poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await;
            tokio::task::yield_now().await;
        }
    };
    soon(fail).await;
    let failure = link.io().failure.expect("a failed write");
    assert!(matches!(failure, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{failure:?}");
    assert!(link.left() < link.fed(), "what the failed write held has not left");
    assert!(poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await.is_pending());
    assert_eq!(read_to_end(&mut link).await, (vec![Frame::from("last")], closed(4401)));
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let (listener, address) = listener().await;
    drop(listener);
    let cause = dial(address).await.expect_err("nobody listens");
    assert!(matches!(cause, Cause::Unreachable(_)), "{cause:?}");
}

#[tokio::test]
async fn a_name_without_an_address_is_unresolved() {
    let mut tcp = Tcp::to("ws://no..such..host/").expect("it has the form of an address");
    let cause = soon(tcp.dial(attempt())).await.expect_err("no such host");
    assert!(matches!(cause, Cause::Unresolved(_)), "{cause:?}");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let address = answer("HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\nlater\n").await;
    let cause = dial(address).await.expect_err("a refusal");
    let Cause::Http(answer) = cause else { panic!("{cause:?}") };
    assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(answer.body, "later\n");
}

#[tokio::test]
async fn a_server_that_accepts_and_goes_is_ended() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.read_buf(&mut Vec::with_capacity(4_096)).await.expect("the request");
    });
    assert_eq!(dial(address).await.err(), Some(Cause::Ended));
}

#[tokio::test]
async fn any_stream_of_tokios_will_do() {
    let (near, far) = tokio::io::duplex(100);
    tokio::spawn(async move {
        let mut server = accept_async(far).await.expect("a handshake");
        server.send(Message::text("hello")).await.expect("a greeting");
        server.close(Some(close_frame(1012))).await.expect("a close");
    });
    let upgrade = Upgrade::to("ws://nowhere".parse().expect("a good address"));
    let (mut link, handshake) = soon(open_ws(near, &upgrade, &attempt())).await.expect("a link");
    assert_eq!(handshake.address, None);
    assert_eq!(read_to_end(&mut link).await, (vec![Frame::from("hello")], closed(1012)));
}
