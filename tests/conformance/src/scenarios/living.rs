//! Is the other side alive? Heartbeats in each direction, silence, restarts, and hints about the network.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::json;
use steadfast::{Config, Event, Frame, Kind, Phase, Pings, Recovery, SendOptions, protocol::json::Json};
use steadfast_driver::Item;
use tungstenite::Message;

use crate::{
    adapters::Adapter,
    app::{AGES, MOMENT, json_builder, patient, plain, run, tuned, with},
    server::{Server, frame, welcome},
};

/// As `quick`, with a short heartbeat; what the timer is set for before that is an hour away.
fn beating() -> Config {
    tuned(|config| {
        (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT, MOMENT);
        config.degraded_after = Duration::MAX;
    })
}

pub(super) fn a_silent_server_is_asked_and_its_answer_is_enough<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT, AGES));
    let app = with(adapter, &server.url(), config);
    let mut peer = server.accept();
    for _ in 0..3 {
        // The library answers it.
        assert!(matches!(peer.next(), Ok(Message::Ping(_))));
    }
    assert!(app.stats().pings >= 3);
    assert_eq!((app.stats().online, app.phase()), (1, Phase::Online));
}

/// It cannot say anything else meanwhile.
pub(super) fn a_message_that_comes_slowly_is_a_sign_of_life<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT, AGES));
    let mut app = with(adapter, &server.url(), config);
    let (mut stream, request) = server.request();
    stream.write_all(welcome(&request).as_bytes()).unwrap();
    for byte in frame(0x82, b"slow") {
        // A head, a mask, and the number of the ping.
        let mut ping = [0; 2 + 4 + 8];
        stream.read_exact(&mut ping).unwrap();
        assert_eq!(ping[..2], [0x89, 0x88]);
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(app.message(), Frame::from(b"slow".to_vec()));
    assert_eq!(app.stats().online, 1);
}

pub(super) fn a_frozen_server_is_left<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), beating());
    let _frozen = server.accept();
    app.online();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::Timeout, Recovery::Retry));
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_frozen_server_is_left_though_the_application_keeps_sending<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), beating());
    let _frozen = server.accept();
    app.online();
    while app.phase() == Phase::Online {
        app.sent("is anybody there?", SendOptions::default().ttl(MOMENT));
    }
    assert_eq!(app.error().kind, Kind::Timeout);
}

pub(super) fn a_frozen_server_is_left_though_writes_are_blocked<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), beating());
    let _frozen = server.accept();
    app.online();
    app.send(vec![7; 14 << 20]).unwrap();
    assert_eq!(app.error().kind, Kind::Timeout);
}

pub(super) fn a_ping_of_the_server_is_answered<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let _app = plain(adapter, &server.url());
    let mut peer = server.accept();
    peer.0.send(Message::Ping(Bytes::from_static(b"are you there?"))).unwrap();
    assert_eq!(peer.next().unwrap(), Message::Pong(Bytes::from_static(b"are you there?")));
}

pub(super) fn something_goes_out_however_much_comes_in<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.keepalive) = (AGES, MOMENT));
    let _app = with(adapter, &server.url(), config);
    let mut peer = server.accept();
    for _ in 0..2 {
        peer.say("news");
        assert!(matches!(peer.next(), Ok(Message::Ping(_) | Message::Pong(_))));
    }
}

pub(super) fn the_protocols_own_ping_is_asked_and_answered<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT, AGES));
    let protocol = Json::default().heartbeat(Pings::Ours);
    let app = run(adapter, json_builder::<A>(&server.url(), protocol).config(config));
    let mut peer = server.accept();
    for _ in 0..2 {
        assert_eq!(peer.hear_json()["type"], "ping");
        peer.say(r#"{"type":"pong"}"#);
    }
    peer.say(r#"{"type":"ping","id":"p"}"#);
    let pong = peer.hear_json();
    assert_eq!((&pong["type"], &pong["reply_to"]), (&json!("pong"), &json!("p")));
    assert!(app.health().latency.is_some());
}

pub(super) fn a_server_that_is_to_ping_and_does_not_is_left<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let protocol = Json::default().heartbeat(Pings::Theirs);
    let mut app = run(adapter, json_builder::<A>(&server.url(), protocol).config(beating()));
    let _silent = server.accept();
    assert_eq!(app.error().kind, Kind::Timeout);
}

pub(super) fn a_server_that_restarts_is_come_back_to<A: Adapter>(adapter: &A) {
    let mut server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for round in 0..5 {
        let mut peer = server.accept();
        app.online();
        app.send(format!("round {round}")).unwrap();
        assert_eq!(peer.hear(), format!("round {round}"));
        peer.close(1012, "a restart");
        let away = server.away();
        peer.goodbye();
        app.send(format!("while it was away {round}")).unwrap();
        app.find(|item| matches!(item, Item::Error(error) if error.code.is_none()).then_some(()));
        server = away.back();
        let mut peer = server.accept();
        app.online();
        assert_eq!(peer.hear(), format!("while it was away {round}"));
    }
    assert!(app.stats().online >= 5);
}

pub(super) fn a_full_server_is_tried_until_there_is_room<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for _ in 0..3 {
        server.refuse(503, &[]);
        assert_eq!(app.error().kind, Kind::ServiceUnavailable);
        let mut peer = server.accept();
        peer.close(1013, "full");
        assert_eq!(app.error().kind, Kind::ServiceUnavailable);
    }
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_server_that_says_when_it_is_back_is_left_alone<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, json_builder::<A>(&server.url(), Json::default()));
    let mut peer = server.accept();
    peer.say(json!({"type": "going_away", "data": {"retry_after": 300, "reason": "a deploy"}}).to_string());
    app.find(|item| matches!(item, Item::Event(Event::GoingAway(_))).then_some(()));
    let began = Instant::now();
    peer.close(1001, "");
    app.error();
    let _peer = server.accept();
    assert!(began.elapsed().as_millis() >= 300, "{:?}", began.elapsed());
}

pub(super) fn a_suspended_session_is_quiet_and_comes_back<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    app.suspend();
    assert!(peer.goodbye().is_some());
    app.until(Phase::Suspended);
    app.send("for later").unwrap();
    app.resume();
    assert_eq!(server.accept().hear(), "for later");
}

pub(super) fn without_a_network_nothing_is_dialed<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    app.online();
    app.network_lost();
    // It may be a mistake: the link is asked.
    assert!(matches!(peer.next(), Ok(Message::Ping(_))));
    drop(peer);
    app.until(Phase::Waiting);
    app.network_back();
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_lazy_session_dials_when_there_is_something_to_send<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.connect.lazy, config.connect.idle_close) = (true, MOMENT));
    let mut app = with(adapter, &server.url(), config);
    for text in ["a", "b"] {
        app.send(text).unwrap();
        let mut peer = server.accept();
        assert_eq!(peer.hear(), text);
        assert!(peer.goodbye().is_some(), "it is idle");
        app.until(Phase::Idle);
    }
}

pub(super) fn a_session_without_a_link_is_degraded_and_recovers<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let mut app = with(adapter, &away.url(), tuned(|config| config.degraded_after = MOMENT));
    app.find(|item| matches!(item, Item::Event(Event::Degraded)).then_some(()));
    let server = away.back();
    let _peer = server.accept();
    app.find(|item| matches!(item, Item::Event(Event::Recovered)).then_some(()));
}

pub(super) fn settings_can_be_changed_on_the_way<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), patient());
    let peer = server.accept();
    app.online();
    assert!(app.configure(tuned(|config| config.max_message = 0)).is_err());
    app.configure(tuned(|config| config.max_message = 5)).unwrap();
    assert!(app.send(Frame::from("too long")).is_err());
    drop(peer);
    // With the waits of these settings.
    let _peer = server.accept();
    app.online();
}
