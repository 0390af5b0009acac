//! The end that nobody asked for: every future dropped where it waits, and the runtime that ends.

use std::thread;

use futures_util::FutureExt;
use steadfast::{
    Dropped, Event, Outcome, Phase, Protocol, SendOptions, StopCause, Why,
    protocol::json::{Json, Login, Message},
};
use steadfast_driver::{Drain, Item, RequestError};

use crate::{
    adapters::Adapter,
    app::{AGES, App, MOMENT, json, patient, plain, quick, task, tuned, with},
    server::Server,
};

/// The driver is gone: all that waits has ended, and nothing more is taken.
fn is_over<A: Adapter, P: Protocol>(mut app: App<'_, A, P>) {
    app.rest();
    assert_eq!(app.phase(), Phase::Stopped(StopCause::User));
    assert_eq!(app.close(), StopCause::User);
}

pub(super) fn the_driver_online<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    let stuck = app.send_tracked(vec![7; 14 << 20], SendOptions::default()).unwrap();
    let waits = app.send_tracked("waits", SendOptions::default()).unwrap();
    assert!(peer.0.get_ref().peek(&mut [0]).unwrap() > 0);
    app.driver.cut();
    assert_eq!(app.wait(stuck), Outcome::InDoubt);
    assert_eq!(app.wait(waits), Outcome::Dropped(Dropped::Stopped));
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
    assert_eq!(peer.unbounded().goodbye(), None);
    is_over(app);
}

pub(super) fn the_driver_while_it_dials<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let mut silent = server.tcp();
    let ticket = app.send_tracked("waits", SendOptions::default()).unwrap();
    app.driver.cut();
    assert_eq!(app.wait(ticket), Outcome::Dropped(Dropped::Stopped));
    std::io::copy(&mut silent, &mut std::io::sink()).unwrap();
    is_over(app);
}

pub(super) fn the_driver_while_it_logs_in<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().login(Login::default()));
    let peer = server.accept();
    app.until(Phase::Authenticating);
    app.driver.cut();
    assert_eq!(peer.goodbye(), None);
    is_over(app);
}

pub(super) fn the_driver_while_it_waits<A: Adapter>(adapter: &A) {
    let mut app = with(adapter, &Server::bind().away().url(), patient());
    app.until(Phase::Waiting);
    app.driver.cut();
    is_over(app);
}

pub(super) fn the_driver_before_it_runs<A: Adapter>(adapter: &A) {
    let (client, mut events, driver) = A::connect("ws://nobody.invalid/").config(quick()).build().unwrap();
    let ticket = client.send_tracked("waits", SendOptions::default()).unwrap();
    drop(driver);
    assert_eq!(adapter.wait(ticket), Outcome::Dropped(Dropped::Stopped));
    while adapter.wait(events.next()).is_some() {}
    assert_eq!(adapter.wait(client.close(Drain::within(AGES))), StopCause::User);
}

pub(super) fn the_driver_ends_all_that_waits_for_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default());
    let mut topic = app.subscribe("kitchen").unwrap();
    let mut latest = app.watch("price").unwrap();
    let request = app.request(Message::bare("menu"));
    let _peer = server.accept();
    app.until(Phase::Restoring);
    app.driver.cut();
    assert!(matches!(app.wait(request), Err(RequestError::Dropped(Dropped::Stopped) | RequestError::InDoubt)));
    while app.wait(topic.next()).is_some() {}
    while app.wait(latest.changed()) {}
    is_over(app);
}

pub(super) fn the_driver_under_a_sender_and_a_closer<A: Adapter>(adapter: &A) {
    let config = tuned(|config| config.queue.max_messages = 1);
    let app = with(adapter, &Server::bind().away().url(), config);
    app.send("fills it").unwrap();
    let mut sender = Box::pin(app.client.send_when_ready("waits for room"));
    assert!(sender.as_mut().now_or_never().is_none());
    let mut closer = Box::pin(app.client.close(Drain::within(AGES)));
    assert!(closer.as_mut().now_or_never().is_none());
    app.driver.cut();
    assert_eq!(app.wait(sender).unwrap_err().why, Why::Stopped);
    assert_eq!(app.wait(closer), StopCause::User);
    is_over(app);
}

pub(super) fn the_events<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let App { client, events, driver, .. } = plain(adapter, &server.url());
    drop(events);
    let mut peer = server.accept();
    client.send("still there").unwrap();
    assert_eq!(peer.hear(), "still there");
    let peer = thread::spawn(move || peer.goodbye());
    assert_eq!(adapter.wait(client.close(Drain::within(AGES))), StopCause::User);
    assert_eq!((peer.join().unwrap(), driver.over()), (Some(1000), Some(StopCause::User)));
}

pub(super) fn a_ticket<A: Adapter>(adapter: &A) {
    let mut app = plain(adapter, &Server::bind().away().url());
    let ticket = app.send_tracked("short", SendOptions::default().ttl(MOMENT)).unwrap();
    let id = ticket.id();
    drop(ticket);
    // Bad news are told as an event.
    assert_eq!(app.outcome(id), Outcome::Expired);
}

pub(super) fn a_ticket_that_somebody_waits_for<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let mut ticket = app.send_tracked("first", SendOptions::default()).unwrap();
    assert_eq!((&mut ticket).now_or_never(), None);
    drop(ticket);
    // It was sent all the same.
    let mut peer = server.accept();
    assert_eq!(peer.hear(), "first");
    assert_eq!(app.sent("second", SendOptions::default()), Outcome::Written);
}

pub(super) fn a_request_before_it_leaves<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let app = json(adapter, &away.url(), Json::default());
    let mut request = app.request(Message::bare("menu"));
    assert!((&mut request).now_or_never().is_none());
    drop(request);
    app.send(Message::bare("order")).unwrap();
    assert_eq!(away.back().accept().hear_json()["type"], "order");
}

pub(super) fn a_subscription<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let app = json(adapter, &away.url(), Json::default());
    let mut topic = app.subscribe("kitchen").unwrap();
    assert!(topic.next().now_or_never().is_none());
    drop(topic);
    // Nobody wants it any more, so nobody asks for it.
    app.send(Message::bare("order")).unwrap();
    assert_eq!(away.back().accept().hear_json()["type"], "order");
    assert!(app.subscriptions().is_empty());
}

pub(super) fn a_sender_that_waits_for_room<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let app = with(adapter, &away.url(), tuned(|config| config.queue.max_messages = 1));
    app.send("1").unwrap();
    let mut first = Box::pin(app.client.send_when_ready("2"));
    let mut second = Box::pin(app.client.send_when_ready("3"));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    let mut peer = away.back().accept();
    app.wait(second).unwrap();
    assert_eq!([peer.hear(), peer.hear()], ["1", "3"]);
}

pub(super) fn a_closer<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    assert_eq!(app.client.close(Drain::within(AGES)).now_or_never(), None);
    // It closes all the same.
    assert_eq!(peer.goodbye(), Some(1000));
    assert_eq!(app.driver.over(), Some(StopCause::User));
}

pub(super) fn an_outcome_is_told_in_the_events_if_nobody_holds_the_ticket<A: Adapter>(adapter: &A) {
    let mut app = plain(adapter, &Server::bind().away().url());
    let ticket = app.send_tracked("x", SendOptions::default()).unwrap();
    let id = ticket.id();
    drop(ticket);
    app.stop();
    let label = app.find(|item| match item {
        Item::Event(Event::Outcome { id: about, outcome, label }) if about == id => Some((outcome, label)),
        _ => None,
    });
    assert_eq!(label, (Outcome::Dropped(Dropped::Stopped), None));
}

pub(super) fn the_runtime_online<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let other = A::start();
    let (client, mut events, driver) = A::connect(&server.url()).config(quick()).build().unwrap();
    let (task, driver) = task(driver);
    other.spawn(task);
    let peer = server.accept();
    let ticket = client.send_tracked(vec![7; 14 << 20], SendOptions::default()).unwrap();
    assert!(peer.0.get_ref().peek(&mut [0]).unwrap() > 0);
    // Somebody waits for it on a thread of its own.
    let waiting = thread::spawn(move || smol::block_on(ticket));
    other.shut_down();
    assert_eq!(driver.over(), None);
    assert_eq!(waiting.join().unwrap(), Outcome::InDoubt);
    while adapter.wait(events.next()).is_some() {}
    assert_eq!(client.send("too late").unwrap_err().why, Why::Stopped);
    assert_eq!(adapter.wait(client.close(Drain::within(AGES))), StopCause::User);
}

pub(super) fn the_runtime_while_it_dials<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let other = A::start();
    let (client, mut events, driver) = A::connect(&server.url()).config(quick()).build().unwrap();
    let (task, driver) = task(driver);
    other.spawn(task);
    let _silent = server.tcp();
    other.shut_down();
    assert_eq!(driver.over(), None);
    while adapter.wait(events.next()).is_some() {}
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
}
