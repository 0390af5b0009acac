//! The whole of it over real sockets, against a server written on another library: nothing sleeps, and every wait ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::TcpListener, thread, time::Duration};

use steadfast::{Config, Event, Frame, Outcome, Phase, Plain, SendOptions};
use steadfast_async_std::{Client, Drain, Driver, Events, Item, connect};
use tungstenite::accept;

/// Says everything back: to `links` clients, one after the other, and leaves each of the first after one message.
fn server(links: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://localhost:{}/live", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for link in 1..=links {
            let mut socket = accept(listener.accept().unwrap().0).unwrap();
            while let Ok(message) = socket.read() {
                if (message.is_text() || message.is_binary()) && (socket.send(message).is_err() || link < links) {
                    break;
                }
            }
        }
    });
    url
}

/// Comes back at once.
fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

async fn message(events: &mut Events<Plain>) -> Frame {
    loop {
        if let Item::Event(Event::Message { message, .. }) = events.next().await.expect("the session goes on") {
            return message;
        }
    }
}

async fn online(events: &mut Events<Plain>) {
    loop {
        let item = events.next().await.expect("the session goes on");
        if matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Online) {
            return;
        }
    }
}

#[test]
fn what_is_sent_comes_back_and_a_close_ends_it() {
    async_std::task::block_on(async {
        let (client, mut events, driver) = connect(&server(1)).config(quick()).build().unwrap();
        let driver = async_std::task::spawn(driver);
        assert_eq!(client.send_tracked("hello", SendOptions::default()).unwrap().await, Outcome::Written);
        assert_eq!(message(&mut events).await, Frame::from("hello"));
        let cause = client.close(Drain::within(Duration::from_secs(5))).await;
        assert_eq!(driver.await, cause);
    });
}

#[test]
fn it_survives_a_server_that_leaves() {
    async_std::task::block_on(async {
        let (client, mut events, driver) = connect(&server(4)).config(quick()).build().unwrap();
        let _driver = async_std::task::spawn(driver);
        for round in ["1", "2", "3", "4"] {
            online(&mut events).await;
            client.send(round).unwrap();
            assert_eq!(message(&mut events).await, Frame::from(round));
        }
    });
}

#[test]
fn the_parts_go_where_they_are_needed() {
    const fn is_send<T: Send>() {}
    const fn is_sync<T: Sync>() {}
    is_send::<Client<Plain>>();
    is_sync::<Client<Plain>>();
    is_send::<Events<Plain>>();
    is_send::<Driver<Plain>>();
}
