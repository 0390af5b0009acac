//! Servers that are not to be had directly: behind proxies of our own, on loopback. Nothing sleeps.

#[expect(dead_code, reason = "the tests of TLS need more of it")]
mod authority;

use std::{future::Future, net::SocketAddr, time::Duration};

use authority::{Authority, serve};
use futures_util::{SinkExt, StreamExt};
use steadfast::{Code, Config, Error, Frame, Kind, Plain, Recovery, StopCause};
use steadfast_tokio::{Builder, Events, Item, Proxy, Tcp, Tokio, Trust, connect};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::accept_async;

/// No test waits longer than this for anything.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), what).await.expect("it takes too long")
}

/// Says everything back until the client goes.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let mut socket = accept_async(stream).await.expect("a handshake");
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// A server at an address of ours.
async fn server() -> SocketAddr {
    let (address, listener) = bind().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    address
}

async fn bind() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    (listener.local_addr().expect("an address"), listener)
}

/// Speaks HTTP and SOCKS5, and leads to this server whatever it is asked for. Gives what that was.
async fn proxy(server: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (address, listener) = bind().await;
    let (asked, asks) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let what = if peek(&client).await == 5 { socks(&mut client).await } else { http(&mut client).await };
                asked.send(what).expect("the test goes on");
                let mut upstream = TcpStream::connect(server).await.expect("the server is there");
                // Whichever side goes first, it is over.
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    (address, asks)
}

async fn peek(client: &TcpStream) -> u8 {
    let mut first = [0];
    client.peek(&mut first).await.expect("a byte");
    first[0]
}

/// Reads a head, byte by byte.
async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

async fn http(client: &mut TcpStream) -> String {
    let head = head(client).await;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("an answer");
    head
}

async fn socks(client: &mut TcpStream) -> String {
    let mut methods = [0; 4];
    client.read_exact(&mut methods).await.expect("methods");
    assert_eq!(methods, [5, 2, 0, 2]);
    client.write_all(&[5, 2]).await.expect("a method");
    assert_eq!(client.read_u8().await.expect("a login"), 1);
    let (user, password) = (string(client).await, string(client).await);
    client.write_all(&[1, 0]).await.expect("welcome");
    let mut request = [0; 4];
    client.read_exact(&mut request).await.expect("a request");
    assert_eq!(request, [5, 1, 0, 3]);
    let (host, port) = (string(client).await, client.read_u16().await.expect("a port"));
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.expect("an answer");
    format!("{user}:{password} {host}:{port}")
}

async fn string(client: &mut TcpStream) -> String {
    let mut bytes = vec![0; client.read_u8().await.expect("a length").into()];
    client.read_exact(&mut bytes).await.expect("the bytes");
    String::from_utf8(bytes).expect("text")
}

/// Sends a message and waits until it is back.
async fn talks(builder: Builder<Plain, Tokio, Tcp>) {
    let (client, mut events, driver) = builder.build().expect("a session");
    let driver = tokio::spawn(driver);
    client.send("hello").expect("room");
    loop {
        let item = soon(events.next()).await.expect("the session goes on");
        if let Item::Error(error) = &item {
            panic!("{error}");
        }
        if let Some(message) = item.into_message() {
            assert_eq!(message, Frame::from("hello"));
            break;
        }
    }
    driver.abort();
}

/// The first failure of a session.
async fn failure(builder: Builder<Plain, Tokio, Tcp>) -> (Error, Events<Plain>, JoinHandle<StopCause>) {
    let (client, mut events, driver) = builder.build().expect("a session");
    let driver = tokio::spawn(driver);
    client.send("hello").expect("room");
    loop {
        if let Item::Error(error) = soon(events.next()).await.expect("the session goes on") {
            return (*error, events, driver);
        }
    }
}

fn through(kind: &str, proxy: SocketAddr) -> Proxy {
    Proxy::parse(&format!("{kind}://user:w%40rd@{proxy}")).expect("a good URL")
}

#[tokio::test]
async fn what_is_sent_through_a_proxy_comes_back() {
    let (address, mut asked) = proxy(server().await).await;
    let url = "ws://only.the.proxy.knows.example:9001/live";
    talks(connect(url).proxy(through("http", address))).await;
    let at = "only.the.proxy.knows.example:9001";
    let request = format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\nProxy-Authorization: Basic dXNlcjp3QHJk\r\n\r\n");
    assert_eq!(soon(asked.recv()).await, Some(request));
    talks(connect(url).proxy(through("socks5", address))).await;
    assert_eq!(soon(asked.recv()).await, Some(format!("user:w@rd {at}")));
    let direct = format!("ws://{}/", server().await);
    talks(connect(&direct).proxy(through("http", address).except("127.0.0.0/8"))).await;
    assert!(asked.try_recv().is_err(), "the proxy is passed by");
}

#[tokio::test]
async fn tls_goes_through_the_tunnel_to_the_server() {
    let authority = Authority::new("ours");
    for kind in ["http", "socks5"] {
        let (behind, _) = serve(authority.server("server.example").acceptor(), echo).await;
        let (address, mut asked) = proxy(behind).await;
        let trust = Trust::only(authority.pem()).expect("a root");
        talks(connect("wss://server.example/").trust(trust).proxy(through(kind, address))).await;
        assert!(soon(asked.recv()).await.expect("it was asked").contains("server.example:443"));
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_ends_it_and_one_that_is_down_does_not() {
    let (address, listener) = bind().await;
    tokio::spawn(async move {
        for status in ["407 Proxy Authentication Required", "502 Bad Gateway", "200 OK"] {
            let (mut client, _) = listener.accept().await.expect("a client");
            head(&mut client).await;
            client.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.expect("an answer");
        }
    });
    let session = || {
        let mut config = Config::default();
        config.retry.base = Duration::from_millis(1);
        connect("ws://server.example/").config(config).proxy(through("http", address))
    };
    let (error, _events, driver) = failure(session()).await;
    assert_eq!((error.kind, error.code.clone()), (Kind::AuthenticationFailed, Some(Code::Http(407))));
    assert_eq!(error.message.as_str(), "the proxy answered CONNECT with HTTP 407");
    assert!(error.details.is_some_and(|answer| answer.proxy));
    assert_eq!(soon(driver).await.expect("it has not panicked"), StopCause::Failed);
    let (error, mut events, _driver) = failure(session()).await;
    assert_eq!((error.kind, error.code), (Kind::ServiceUnavailable, Some(Code::Http(502))));
    assert_eq!(error.recovery, Recovery::Retry);
    // The third connection is a tunnel, at the end of which nobody is.
    loop {
        if let Item::Error(error) = soon(events.next()).await.expect("it is tried again") {
            assert_eq!(error.kind, Kind::NetworkError, "{error}");
            break;
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let (address, listener) = bind().await;
    drop(listener);
    let (error, ..) = failure(connect("ws://server.example/").proxy(through("socks5", address))).await;
    assert_eq!(error.kind, Kind::NetworkError);
    assert!(error.message.as_str().starts_with(&format!("proxy {address}: ")), "{error}");
}
