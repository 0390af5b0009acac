//! The whole of it over real sockets, against a server written on another library: nothing sleeps, and every wait ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::TcpListener, thread, time::Duration};

use steadfast::{Config, Event, Frame, Outcome, Phase, Plain, SendOptions};
use steadfast_blocking::{Client, Drain, Driver, Events, Item, Late, Recv, Wait, connect, run_all, spawn};
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

const PATIENCE: Duration = Duration::from_secs(10);

fn message(events: &mut Events<Plain>) -> Frame {
    loop {
        let item = events.recv_timeout(PATIENCE).expect("it comes in time").expect("the session goes on");
        if let Item::Event(Event::Message { message, .. }) = item {
            return message;
        }
    }
}

fn online(events: &mut Events<Plain>) {
    loop {
        let item = events.recv_timeout(PATIENCE).expect("it comes in time").expect("the session goes on");
        if matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Online) {
            return;
        }
    }
}

#[test]
fn what_is_sent_comes_back_and_a_close_ends_it() {
    let (client, mut events, driver) = connect(&server(1)).config(quick()).build().unwrap();
    let driver = spawn(driver).unwrap();
    let ticket = client.send_tracked("hello", SendOptions::default()).unwrap();
    assert_eq!(ticket.wait_timeout(PATIENCE), Ok(Outcome::Written));
    assert_eq!(message(&mut events), Frame::from("hello"));
    let cause = client.close(Drain::within(Duration::from_secs(5))).wait();
    assert_eq!(driver.join().unwrap(), cause);
    while events.recv().is_some() {}
}

#[test]
fn it_survives_a_server_that_leaves() {
    let (client, mut events, driver) = connect(&server(4)).config(quick()).build().unwrap();
    let _driver = spawn(driver).unwrap();
    for round in ["1", "2", "3", "4"] {
        online(&mut events);
        client.send(round).unwrap();
        assert_eq!(message(&mut events), Frame::from(round));
    }
}

#[test]
fn one_thread_keeps_many_sessions_going() {
    let sessions: Vec<_> = (0..20).map(|_| connect(&server(1)).config(quick()).build().unwrap()).collect();
    let (handles, drivers): (Vec<_>, Vec<_>) =
        sessions.into_iter().map(|(client, events, driver)| ((client, events), driver)).unzip();
    let thread = thread::spawn(|| run_all(drivers));
    for (number, (client, mut events)) in handles.into_iter().enumerate() {
        client.send(number.to_string()).unwrap();
        assert_eq!(message(&mut events), Frame::from(number.to_string()));
    }
    // The last handles are gone.
    assert_eq!(thread.join().unwrap().len(), 20);
}

#[test]
fn what_is_late_says_so_and_can_be_waited_for_again() {
    let (client, mut events, driver) = connect(&server(1)).config(quick()).build().unwrap();
    let mut ticket = client.send_tracked("hello", SendOptions::default()).unwrap();
    assert_eq!((&mut ticket).wait_timeout(Duration::from_millis(5)), Err(Late));
    assert_eq!(events.recv_timeout(Duration::from_millis(5)), Err(Late));
    let _driver = spawn(driver).unwrap();
    assert_eq!(ticket.wait_timeout(PATIENCE), Ok(Outcome::Written));
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
