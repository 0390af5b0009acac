//! Where an attempt goes, and what it shows there: endpoints and credentials over real sockets. Nothing sleeps: what is
//! waited for is a connection or an event, and each test has a deadline.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::Future, time::Duration};

use steadfast::{AskWhy, Config, Event, Phase, Plain, Queued, Secret, StopCause};
use steadfast_tokio::{Client, Events, Item, connect};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async, accept_hdr_async,
    tungstenite::handshake::server::{Request, Response},
};

async fn within<T>(test: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), test).await.expect("the test takes too long")
}

async fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/live", listener.local_addr().unwrap());
    (listener, url)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    accept_async(listener.accept().await.unwrap().0).await.unwrap()
}

/// Says no to the next request, with this status.
async fn refuse(listener: &TcpListener, status: u16) {
    let mut stream = listener.accept().await.unwrap().0;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
}

fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

async fn phase(events: &mut Events<Plain>, wanted: Phase) {
    loop {
        let item = events.next().await.expect("the session goes on");
        if matches!(item, Item::Event(Event::Phase(change)) if change.to == wanted) {
            return;
        }
    }
}

fn start(url: &str, list: &[&str]) -> (Client<Plain>, Events<Plain>) {
    let (client, events, driver) = connect(url).config(quick()).endpoints(list.iter().copied()).build().unwrap();
    tokio::spawn(driver);
    (client, events)
}

#[tokio::test]
async fn what_is_fetched_is_shown_and_what_is_refused_is_fetched_anew() {
    within(async {
        let ((listener, url), (told, mut asked)) = (server().await, mpsc::unbounded_channel());
        let builder = connect(&url).config(quick()).credential_header("Authorization", "Bearer ");
        let (_client, _events, driver) = builder
            .credentials(move |ask| {
                told.send(ask.why).unwrap();
                async move {
                    // As a client of some service does: not at once.
                    tokio::task::yield_now().await;
                    Ok(Secret::from(if ask.why == AskWhy::First { "stale" } else { "fresh" }))
                }
            })
            .build()
            .unwrap();
        tokio::spawn(driver);
        refuse(&listener, 401).await;
        let mut seen = None;
        #[expect(clippy::result_large_err, reason = "the library's")]
        let look = |request: &Request, response: Response| {
            seen = request.headers().get("authorization").cloned();
            Ok(response)
        };
        let _socket = accept_hdr_async(listener.accept().await.unwrap().0, look).await.unwrap();
        assert_eq!(seen.unwrap(), "Bearer fresh");
        assert_eq!((asked.recv().await, asked.recv().await), (Some(AskWhy::First), Some(AskWhy::Refused)));
    })
    .await;
}

#[tokio::test]
async fn endpoints_are_dialed_in_turn() {
    within(async {
        let ((first, one), (second, two)) = (server().await, server().await);
        let (client, mut events) = start("ws://127.0.0.1:1/nobody", &[&one, &two]);
        refuse(&first, 503).await;
        let _socket = accept(&second).await;
        phase(&mut events, Phase::Online).await;
        assert_eq!(client.phase(), Phase::Online);
    })
    .await;
}

#[tokio::test]
async fn another_endpoint_is_gone_to_and_what_waited_goes_along() {
    within(async {
        let ((first, one), (second, two)) = (server().await, server().await);
        let (client, mut events) = start(&one, &[]);
        let socket = accept(&first).await;
        phase(&mut events, Phase::Online).await;
        client.endpoints([two], Queued::GoAlong).unwrap();
        drop(socket);
        let _socket = accept(&second).await;
        phase(&mut events, Phase::Online).await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_makes_no_sense_is_named_without_its_password() {
    within(async {
        let (client, mut events) = start("ws://127.0.0.1:1/", &["ws://user:hunter2%@127.0.0.1/live?token=hunter2"]);
        let error = loop {
            if let Item::Error(error) = events.next().await.unwrap() {
                break error;
            }
        };
        assert!(error.message.as_str().starts_with("endpoint ws://..@127.0.0.1/live?..: "), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        phase(&mut events, Phase::Stopped(StopCause::Failed)).await;
        drop(client);
    })
    .await;
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn a_build_without_tls_goes_to_no_endpoint_that_wants_it() {
    use steadfast::{Attempt, Cause, LinkId};
    use steadfast_driver::Dialer;

    let (_listener, url) = server().await;
    let mut attempt = Attempt::new(LinkId(1));
    attempt.endpoint = Some(url.replace("ws:", "wss:").into());
    let cause = within(steadfast_tokio::Tcp::to(&url).unwrap().dial(attempt)).await.err();
    assert!(matches!(&cause, Some(Cause::Impossible(why)) if why.as_str().contains("feature `tls`")), "{cause:?}");
}
