//! Servers that are not to be had directly: behind proxies of our own, on loopback. Nothing sleeps.

#[expect(dead_code, reason = "the tests of TLS need more of it")]
mod authority;

use std::{future::Future, net::SocketAddr, time::Duration};

use authority::{Authority, serve};
use futures_util::{SinkExt, StreamExt};
use steadfast::{Attempt, Cause, Code, Config, Error, Frame, Kind, Plain, Recovery, StopCause};
use steadfast_driver::Upgrading;
use steadfast_tokio::{
    Builder, Dialer, Events, Item, Proxy, Tcp, Tokio, Trust, Upgrade, cause_of, connect, open_ws, over,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{accept_async, accept_hdr_async, tungstenite::handshake::server::Request};

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
async fn talks<D>(builder: Builder<Plain, Tokio, D>)
where
    D: Dialer<Transport: Send, Dial: Send> + Send + 'static,
{
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

/// Answers each request with the next of these, and gives what was asked. A status is a redirect; without one it is an echo.
async fn answering(listener: TcpListener, answers: Vec<String>) -> mpsc::UnboundedReceiver<String> {
    let (asked, asks) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut client, _) = listener.accept().await.expect("a client");
            if answer.is_empty() {
                let mut seen = String::new();
                #[expect(clippy::result_large_err, reason = "the library says so")]
                let note = |request: &Request, response| {
                    seen = format!("{} {:?}", request.uri(), request.headers());
                    Ok(response)
                };
                let mut socket = accept_hdr_async(client, note).await.expect("a handshake");
                asked.send(seen).expect("the test goes on");
                while let Some(Ok(message)) = socket.next().await {
                    let _ = socket.send(message).await;
                }
                return;
            }
            asked.send(head(&mut client).await).expect("the test goes on");
            client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.expect("an answer");
        }
    });
    asks
}

/// With everything that must not be told to others.
fn known(url: &str) -> Builder<Plain, Tokio, Tcp> {
    let builder = connect(url).header("Cookie", "session=s3cret").header("X-Api-Key", "s3cret");
    builder.credential_header("Authorization", "Bearer ").credential("s3cret")
}

#[tokio::test]
async fn a_redirect_is_followed_where_that_is_wanted_and_tells_others_nothing() {
    let ((here, at_here), (there, at_there)) = (bind().await, bind().await);
    let hops = vec!["307 Go\r\nLocation: /b?x=y".to_owned(), format!("302 Go\r\nLocation: http://{there}/c")];
    let mut first = answering(at_here, hops).await;
    let mut last = answering(at_there, vec!["308 Go\r\nlocation: d".to_owned(), String::new()]).await;
    // What is at the other port is another origin.
    talks(known(&format!("ws://{here}/a")).follow_redirects()).await;
    for target in ["/a", "/b?x=y"] {
        let asked = soon(first.recv()).await.expect("a request");
        assert!(asked.starts_with(&format!("GET {target} HTTP/1.1\r\nHost: {here}\r\n")), "{asked}");
        assert_eq!(asked.matches("s3cret").count(), 3, "{asked}");
    }
    let asked = soon(last.recv()).await.expect("a request");
    assert!(asked.starts_with(&format!("GET /c HTTP/1.1\r\nHost: {there}\r\n")), "{asked}");
    assert!(!asked.contains("s3cret"), "{asked}");
    let asked = soon(last.recv()).await.expect("a request");
    assert!(asked.starts_with("/d ") && !asked.contains("s3cret"), "{asked}");
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let (address, listener) = bind().await;
    let mut asked = answering(listener, vec!["301 Go\r\nLocation: /round".to_owned(); 7]).await;
    let url = format!("ws://{address}/");
    let (error, ..) = failure(connect(&url).follow_redirects()).await;
    assert_eq!((error.kind, error.code), (Kind::ProtocolError, Some(Code::Http(301))));
    let mut requests = 0;
    while asked.try_recv().is_ok() {
        requests += 1;
    }
    assert_eq!(requests, 6, "the first and five more");
    let (error, ..) = failure(connect(&url)).await;
    assert_eq!(error.code, Some(Code::Http(301)), "nobody wanted to follow");
    assert!(asked.try_recv().is_ok() && asked.try_recv().is_err());
}

#[tokio::test]
async fn nothing_leads_out_of_tls() {
    let authority = Authority::new("ours");
    let (address, _) = serve(authority.server("127.0.0.1").acceptor(), |mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        stream.write_all(b"HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:1/\r\n\r\n").await.expect("an answer");
    })
    .await;
    let trust = Trust::only(authority.pem()).expect("a root");
    let (error, ..) = failure(connect(&format!("wss://{address}/")).trust(trust).follow_redirects()).await;
    assert_eq!(error.code, Some(Code::Http(302)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_a_stream_like_any_other() {
    let path = std::env::temp_dir().join(format!("steadfast-{}.sock", std::process::id()));
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    tokio::spawn(async move { echo(listener.accept().await.expect("a client").0).await });
    let upgrade = Upgrade::to("ws://localhost/events".parse().expect("a good address"));
    let at = path.clone();
    let dialer = move |attempt: Attempt| {
        let (upgrade, at) = (upgrade.clone(), at.clone());
        async move {
            let stream = tokio::net::UnixStream::connect(at).await.map_err(|error| cause_of(&error))?;
            open_ws(stream, &upgrade, &attempt).await
        }
    };
    talks(over(dialer)).await;
    std::fs::remove_file(path).expect("it is there");
}

#[tokio::test]
async fn each_attempt_has_headers_of_its_own() {
    let (address, listener) = bind().await;
    let mut asked = answering(listener, vec!["503 Busy".to_owned(), String::new()]).await;
    let tcp = Tcp::to(&format!("ws://{address}/")).expect("a good address");
    let dialer = move |attempt: Attempt| {
        let mut tcp = tcp.clone();
        async move {
            let upgrade = tcp.upgrade().clone().header("Cookie", &format!("attempt={}", attempt.attempt));
            *tcp.upgrade() = upgrade.map_err(|bad| Cause::Impossible(bad.to_string().into()))?;
            tcp.dial(attempt).await
        }
    };
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(1);
    let (client, _events, driver) = over(dialer).config(config).build().expect("a session");
    client.send("hello").expect("room");
    let driver = tokio::spawn(driver);
    for attempt in 1..=2 {
        let asked = soon(asked.recv()).await.expect("a request");
        assert!(asked.contains(&format!("attempt={attempt}")), "{asked}");
    }
    driver.abort();
}
