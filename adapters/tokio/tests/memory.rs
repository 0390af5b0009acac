//! What a session keeps while nothing happens: of itself, its driver, its link and tokio's task for it.

use std::{net::SocketAddr, time::Duration};

use allocation_counter::measure;
use futures_util::{FutureExt, SinkExt, StreamExt};
use steadfast::{Config, Event, Phase, Plain, StopCause};
use steadfast_tokio::{Client, Events, Item};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async};

/// What an idle connection may keep, in bytes.
const MOST: i64 = 12 << 10;
const BURST: usize = 1_024;
/// By the third of them the second quiet heartbeat is over, and memory has been given back.
const PINGS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

type Open = (Client<Plain>, Events<Plain>, JoinHandle<StopCause>);

#[test]
fn an_idle_session_keeps_twelve_kilobytes_also_after_a_burst() {
    for burst in [0, 1, BURST] {
        let (address, mut pinged) = serve();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        // What is made once for all: a first session.
        let mut open = |number| runtime.block_on(idle(address, number, &mut pinged, burst));
        let (_first, mut second) = (open(0), None);
        let kept = measure(|| second = Some(open(1)));
        assert!(kept.bytes_current <= MOST, "{} bytes after {burst} messages", kept.bytes_current);
        assert!(
            burst < BURST || kept.bytes_max > 4 * kept.bytes_current.unsigned_abs(),
            "the burst was none: {kept:?}"
        );
    }
}

/// A session that has echoed so much, and then heard nothing but answers to its pings.
async fn idle(address: SocketAddr, number: usize, pinged: &mut UnboundedReceiver<usize>, burst: usize) -> Open {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(50);
    let built = steadfast_tokio::connect(&format!("ws://{address}/")).config(config).build();
    let (client, mut events, driver) = built.expect("a session");
    let driver = tokio::spawn(driver);
    let is_online = |item: &Item<_, _>| matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Online);
    while !is_online(&events.next().await.expect("it goes on")) {}
    for _ in 0..burst {
        client
            .send("a hundred bytes or so, as in a message of a market, a chat or a game, and a few more to fill them")
            .expect("room");
    }
    let mut echoed = 0;
    while echoed < burst {
        echoed += usize::from(matches!(events.next().await, Some(Item::Event(Event::Message { .. }))));
    }
    assert!(events.next().now_or_never().is_none(), "the reader waits");
    while pinged.try_recv().is_ok() {}
    let mut pings = 0;
    while pings < PINGS {
        let pinged = timeout(PATIENCE, pinged.recv()).await.expect("the session lives");
        pings += usize::from(pinged.expect("the server is there") >= number);
    }
    (client, events, driver)
}

/// An echo server on a thread of its own, which says which of its connections has pinged.
fn serve() -> (SocketAddr, UnboundedReceiver<usize>) {
    let (address, addresses) = std::sync::mpsc::channel();
    let (ping, pinged) = unbounded_channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            address.send(listener.local_addr().expect("its address")).expect("somebody asks");
            for number in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                let socket = accept_async(stream).await.expect("a handshake");
                tokio::spawn(echo(socket, number, ping.clone()));
            }
        });
    });
    (addresses.recv().expect("a server"), pinged)
}

async fn echo(mut socket: WebSocketStream<TcpStream>, number: usize, pinged: UnboundedSender<usize>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_ping() {
            let _ = pinged.send(number);
        } else if message.is_text() {
            let _ = socket.send(message).await;
        }
    }
}
