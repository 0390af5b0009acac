//! The whole of it over real sockets, against a server written on another library. Nothing sleeps: what is
//! waited for is an event, and each test has a deadline.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::Future, time::Duration};

use futures_util::{SinkExt, StreamExt};
use steadfast::{CloseCode, Code, Config, Event, Frame, Outcome, Phase, Plain, SendOptions, StopCause};
use steadfast_tokio::{BuildError, Client, Drain, Driver, Events, Item, Mailbox, connect, over};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::{CloseFrame, frame::coding::CloseCode as Code16},
    },
};

const MANY: usize = 100_000;

struct Server {
    listener: TcpListener,
    url: String,
}

impl Server {
    async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/live", listener.local_addr().unwrap());
        Self { listener, url }
    }

    async fn tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    async fn accept(&self) -> WebSocketStream<TcpStream> {
        accept_async(self.tcp().await).await.unwrap()
    }

    /// A server that says everything back, for one connection.
    fn echo(self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut socket = self.accept().await;
            while let Some(Ok(message)) = socket.next().await {
                if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    }
}

/// Comes back at once.
fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

type Parts = (Client<Plain>, Events<Plain>, JoinHandle<StopCause>);

fn start(url: &str, config: Config) -> Parts {
    let (client, events, driver) = connect(url).config(config).build().unwrap();
    (client, events, tokio::spawn(driver))
}

/// Bounds a test.
async fn within<T>(seconds: u64, test: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(seconds), test).await.expect("the test takes too long")
}

async fn message(events: &mut Events<Plain>) -> Frame {
    loop {
        if let Some(message) = events.next().await.expect("the session goes on").into_message() {
            return message;
        }
    }
}

async fn phase(events: &mut Events<Plain>, wanted: Phase) {
    loop {
        let item = events.next().await.expect("the session goes on");
        if matches!(item, Item::Event(Event::Phase(change)) if change.to == wanted) {
            return;
        }
    }
}

async fn text(socket: &mut WebSocketStream<TcpStream>) -> String {
    loop {
        let message = socket.next().await.expect("the client stays").unwrap();
        if message.is_text() {
            return message.into_text().unwrap().to_string();
        }
        assert!(message.is_ping() || message.is_pong(), "{message:?}");
    }
}

#[tokio::test]
async fn what_is_sent_comes_back() {
    within(10, async {
        let server = Server::bind().await;
        let (client, mut events, _driver) = start(&server.url, Config::default());
        let _echo = server.echo();
        client.send("hello").unwrap();
        client.send(vec![0, 159, 146, 150]).unwrap();
        assert_eq!(message(&mut events).await, Frame::from("hello"));
        assert_eq!(message(&mut events).await, Frame::from(vec![0, 159, 146, 150]));
        let outcome = client.send_tracked("again", SendOptions::default()).unwrap().await;
        assert_eq!(outcome, Outcome::Written);
        assert_eq!(message(&mut events).await, Frame::from("again"));
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_before_the_link_is_up_arrives_in_order() {
    within(10, async {
        let server = Server::bind().await;
        let (client, _events, _driver) = start(&server.url, Config::default());
        for n in 0..1_000 {
            client.send(n.to_string()).unwrap();
        }
        let mut socket = server.accept().await;
        for n in 0..1_000 {
            assert_eq!(text(&mut socket).await, n.to_string());
        }
    })
    .await;
}

#[tokio::test]
async fn it_survives_a_restart_of_the_server() {
    within(10, async {
        let server = Server::bind().await;
        let (client, mut events, _driver) = start(&server.url, quick());
        for round in 0..5 {
            let mut socket = server.accept().await;
            phase(&mut events, Phase::Online).await;
            client.send(format!("round {round}")).unwrap();
            assert_eq!(text(&mut socket).await, format!("round {round}"));
            let restart = CloseFrame { code: Code16::Restart, reason: "deploy".into() };
            socket.close(Some(restart)).await.unwrap();
            while socket.next().await.is_some() {}
        }
        client.send("while it was away").unwrap();
        assert_eq!(text(&mut server.accept().await).await, "while it was away");
        assert!(client.stats().online >= 5);
    })
    .await;
}

#[tokio::test]
async fn a_close_code_reaches_the_application() {
    within(10, async {
        let server = Server::bind().await;
        let (client, mut events, _driver) = start(&server.url, Config::default());
        let mut socket = server.accept().await;
        let close = CloseFrame { code: Code16::Library(4_403), reason: "no entry".into() };
        socket.close(Some(close)).await.unwrap();
        let error = loop {
            if let Item::Error(error) = events.next().await.unwrap() {
                break error;
            }
        };
        assert_eq!(error.code, Some(Code::Close(CloseCode(4_403))));
        assert_eq!(error.message.as_str(), "no entry");
        phase(&mut events, Phase::Stopped(StopCause::Failed)).await;
        assert_eq!(client.health().phase, Phase::Stopped(StopCause::Failed));
    })
    .await;
}

#[tokio::test]
async fn closing_says_goodbye_after_the_last_word() {
    within(10, async {
        let server = Server::bind().await;
        let (client, mut events, driver) = start(&server.url, Config::default());
        let mut socket = server.accept().await;
        client.send("last words").unwrap();
        let closing = tokio::spawn({
            let client = client.clone();
            async move { client.close(Drain::within(Duration::from_secs(2))).await }
        });
        assert_eq!(text(&mut socket).await, "last words");
        let Some(Ok(Message::Close(Some(close)))) = socket.next().await else { panic!("no goodbye") };
        assert_eq!(close.code, Code16::Normal);
        assert!(socket.next().await.is_none());
        assert_eq!(closing.await.unwrap(), StopCause::User);
        assert_eq!(driver.await.unwrap(), StopCause::User);
        while events.next().await.is_some() {}
        assert!(client.send("too late").is_err());
    })
    .await;
}

#[tokio::test]
async fn the_last_handle_says_goodbye() {
    within(10, async {
        let server = Server::bind().await;
        let (client, _events, driver) = start(&server.url, Config::default());
        client.send("last words").unwrap();
        drop(client);
        let mut socket = server.accept().await;
        assert_eq!(text(&mut socket).await, "last words");
        assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
        assert!(socket.next().await.is_none());
        assert_eq!(driver.await.unwrap(), StopCause::User);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_driver_ends_all() {
    within(10, async {
        let server = Server::bind().await;
        let (client, mut events, driver) = start(&server.url, Config::default());
        let mut socket = server.accept().await;
        phase(&mut events, Phase::Online).await;
        driver.abort();
        assert!(driver.await.unwrap_err().is_cancelled());
        assert!(!matches!(socket.next().await, Some(Ok(_))));
        while events.next().await.is_some() {}
        assert!(client.send("too late").is_err());
        assert_eq!(client.close(Drain::within(Duration::ZERO)).await, StopCause::User);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_burst_arrives_in_order_with_the_default_bound() {
    within(60, async {
        let server = Server::bind().await;
        let (client, _events, _driver) = start(&server.url, Config::default());
        let sender = tokio::spawn(async move {
            for n in 0..MANY {
                client.send_when_ready(n.to_string()).await.unwrap();
            }
            client
        });
        let mut socket = server.accept().await;
        for n in 0..MANY {
            assert_eq!(text(&mut socket).await, n.to_string());
        }
        assert_eq!(sender.await.unwrap().stats().accepted, MANY as u64);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_that_pauses_misses_nothing() {
    within(60, async {
        const COUNT: usize = 20_000;
        let server = Server::bind().await;
        let (client, mut events, driver) = connect(&server.url).mailbox(Mailbox::pause(100, 1 << 20)).build().unwrap();
        let _driver = tokio::spawn(driver);
        let mut socket = server.accept().await;
        let sender = tokio::spawn(async move {
            for n in 0..COUNT {
                socket.feed(Message::text(n.to_string())).await.unwrap();
            }
            socket.flush().await.unwrap();
            socket
        });
        for n in 0..COUNT {
            assert_eq!(message(&mut events).await, Frame::from(n.to_string()));
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        drop((sender.await.unwrap(), client));
    })
    .await;
}

/// Answers the upgrade with this.
async fn answer(mut stream: TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn retry_after_is_kept() {
    within(10, async {
        let server = Server::bind().await;
        let (_client, mut events, _driver) = start(&server.url, quick());
        let first = server.tcp().await;
        let asked = Instant::now();
        answer(first, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy").await;
        let mut socket = server.accept().await;
        let waited = asked.elapsed();
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
        let error = loop {
            if let Item::Error(error) = events.next().await.unwrap() {
                break error;
            }
        };
        assert_eq!(error.code, Some(Code::Http(503)));
        let details = error.details.expect("what the server answered");
        assert_eq!((details.retry_after, &details.body[..]), (Some(Duration::from_secs(1)), &b"busy"[..]));
        phase(&mut events, Phase::Online).await;
        socket.close(None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn accept_then_drop_is_no_storm() {
    let server = Server::bind().await;
    // Chance has a fixed seed: how often it dials in that time depends on it.
    let (_client, _events, driver) = connect(&server.url).seed(7).build().unwrap();
    let _driver = tokio::spawn(driver);
    let first = server.accept().await;
    let end = Instant::now() + Duration::from_secs(5);
    drop(first);
    let mut connects = 1;
    while let Ok(socket) = timeout_at(end, server.accept()).await {
        drop(socket);
        connects += 1;
    }
    assert!((2..=8).contains(&connects), "{connects} connects in 5 s");
}

#[tokio::test]
async fn headers_are_sent() {
    within(10, async {
        let server = Server::bind().await;
        let (_client, _events, driver) = connect(&server.url).header("Authorization", "Bearer t0ken").build().unwrap();
        let _driver = tokio::spawn(driver);
        let mut seen = None;
        #[expect(clippy::result_large_err, reason = "the library's")]
        let look = |request: &Request, response: Response| {
            seen = request.headers().get("authorization").cloned();
            Ok(response)
        };
        let _socket = accept_hdr_async(server.tcp().await, look).await.unwrap();
        assert_eq!(seen.unwrap(), "Bearer t0ken");
    })
    .await;
}

#[tokio::test]
async fn a_dialer_of_ones_own_is_called_for_each_attempt() {
    within(10, async {
        let server = Server::bind().await;
        let upgrade = steadfast_tokio::Upgrade::to("ws://localhost/".parse().unwrap());
        let address = server.listener.local_addr().unwrap();
        let dialer = move |attempt: steadfast::Attempt| {
            let upgrade = upgrade.clone();
            async move {
                let stream = TcpStream::connect(address).await.map_err(|_| steadfast::Cause::Ended)?;
                steadfast_tokio::open_ws(stream, &upgrade, &attempt).await
            }
        };
        let (client, mut events, driver) = over(dialer).config(quick()).build().unwrap();
        let _driver = tokio::spawn(driver);
        for _ in 0..2 {
            let socket = server.accept().await;
            phase(&mut events, Phase::Online).await;
            drop(socket);
        }
        assert!(client.stats().dials >= 2);
    })
    .await;
}

#[tokio::test]
async fn one_owner_spawns_nothing() {
    within(10, async {
        let server = Server::bind().await;
        let mut socket = connect(&server.url).into_stream().unwrap();
        let _echo = server.echo();
        socket.send("hello").unwrap();
        let reply = loop {
            if let Some(reply) = socket.next().await.unwrap().into_message() {
                break reply;
            }
        };
        assert_eq!(reply, Frame::from("hello"));
        socket.close(Drain::within(Duration::from_secs(2))).await;
    })
    .await;
}

#[test]
fn what_makes_no_sense_is_said_when_it_is_built() {
    for url in ["http://example.org", "wss://", "ws://", "example.org"] {
        assert!(matches!(connect(url).build(), Err(BuildError::Address(_))), "{url}");
    }
    let split = connect("ws://example.org").header("x", "a\r\nb").build();
    assert!(matches!(split, Err(BuildError::Header(_))));
}

#[test]
fn the_driver_can_be_spawned() {
    fn send<T: Send + 'static>() {}
    send::<Driver<Plain>>();
}
