//! What becomes of what is sent: classes, tickets, time to live, taking back, bounds.

use std::{thread, time::Duration};

use serde_json::json;
use steadfast::{
    Alike, Class, Dropped, Event, Frame, Kind, Outcome, Overflow, Phase, SendOptions, StopCause, Why,
    protocol::json::{Json, Login, Message},
};
use steadfast_driver::Item;

use crate::{
    adapters::Adapter,
    app::{AGES, MOMENT, json, json_builder, plain, run, tuned, with},
    server::Server,
};

fn offline() -> String {
    Server::bind().away().url()
}

fn message(name: &str) -> Message {
    Message::bare(name)
}

pub(super) fn text_and_bytes_go_both_ways<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    server.echo();
    for frame in [Frame::from("grüße"), Frame::from(vec![0, 159, 146, 150]), Frame::from(""), Frame::from(vec![])] {
        app.send(frame.clone()).unwrap();
        assert_eq!(app.message(), frame);
    }
}

pub(super) fn what_is_sent_before_the_link_arrives_in_order<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    (0..1_000).for_each(|n| assert!(app.send(n.to_string()).is_ok()));
    let mut peer = server.accept();
    (0..1_000).for_each(|n| assert_eq!(peer.hear(), n.to_string()));
}

pub(super) fn fragments_are_one_message<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    peer.raw(&[0x01, 2, b'a', 0xc3]);
    peer.raw(&[0x89, 1, b'!']);
    peer.raw(&[0x00, 1, 0xa4]);
    peer.raw(&[0x80, 1, b'z']);
    assert_eq!(app.text(), "aäz");
    assert!(peer.next().unwrap().is_pong());
}

pub(super) fn at_most_once_ends_written<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    let options = SendOptions::at_most_once().label("a note").tracked();
    let id = app.send_with("once", options).unwrap();
    let label = app.find(|item| match item {
        Item::Event(Event::Outcome { id: about, outcome: Outcome::Written, label }) if about == id => Some(label),
        _ => None,
    });
    assert_eq!(label, Some("a note".into()));
    assert_eq!(peer.hear(), "once");
    assert_eq!(app.sent("twice", SendOptions::default()), Outcome::Written);
}

/// More than all buffers on the way hold.
const MUCH: usize = 14 << 20;

pub(super) fn at_most_once_is_in_doubt_when_its_link_dies_under_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    let large = app.send_tracked(vec![7; MUCH], SendOptions::default()).unwrap();
    let next = app.send_tracked("behind it", SendOptions::default()).unwrap();
    // It has begun to come.
    assert!(peer.0.get_ref().peek(&mut [0]).unwrap() > 0);
    peer.rst();
    assert_eq!(app.wait(large), Outcome::InDoubt);
    // This one has not left, and goes on the next link.
    let mut peer = server.accept();
    assert_eq!(peer.hear(), "behind it");
    assert_eq!(app.wait(next), Outcome::Written);
}

pub(super) fn at_least_once_needs_acknowledgements<A: Adapter>(adapter: &A) {
    let app = plain(adapter, &offline());
    assert_eq!(app.send_with("x", SendOptions::at_least_once()).unwrap_err().why, Why::NoAcks);
}

pub(super) fn at_least_once_is_sent_again_until_it_is_acknowledged<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = json(adapter, &server.url(), Json::default().acks(true));
    let ticket = app.send_tracked(message("order"), SendOptions::at_least_once()).unwrap();
    let first = server.accept().hear_json();
    let again = server.accept().hear_json();
    let mut peer = server.accept();
    let third = peer.hear_json();
    assert_eq!((&first["id"], &again["id"]), (&third["id"], &third["id"]));
    peer.say(json!({"type": "ack", "id": third["id"]}).to_string());
    assert_eq!(app.wait(ticket), Outcome::Acked);
}

pub(super) fn a_message_that_the_server_refuses_ends_failed<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = json(adapter, &server.url(), Json::default().acks(true));
    let ticket = app.send_tracked(message("order"), SendOptions::at_least_once()).unwrap();
    let mut peer = server.accept();
    let id = peer.hear_json()["id"].clone();
    peer.say(json!({"type": "error", "reply_to": id, "data": {"code": "no_such_table"}}).to_string());
    let Outcome::Failed(why) = app.wait(ticket) else { panic!("it was refused") };
    assert_eq!(why.code, Some("no_such_table".into()));
}

pub(super) fn what_the_server_sends_is_acknowledged_when_it_is_taken<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().acks(true));
    let mut peer = server.accept();
    peer.say(r#"{"type":"news","id":"s-1"}"#);
    assert_eq!(app.message().name(), "news");
    assert_eq!(peer.hear_json(), json!({"type": "ack", "id": "s-1"}));
}

pub(super) fn volatile_leaves_at_once_or_not_at_all<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    assert_eq!(app.send_with("too early", SendOptions::volatile()).unwrap_err().why, Why::NotNow);
    let mut peer = server.accept();
    app.online();
    app.send_with("now", SendOptions::volatile()).unwrap();
    assert_eq!(peer.hear(), "now");
}

pub(super) fn the_latest_takes_the_place_of_the_one_before<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let app = plain(adapter, &away.url());
    let old = app.send_tracked("17", SendOptions::latest("EURUSD")).unwrap();
    app.send("between").unwrap();
    app.send_with("another", SendOptions::latest("USDJPY")).unwrap();
    let new = app.send_tracked("18", SendOptions::latest("EURUSD")).unwrap();
    assert_eq!(app.wait(old), Outcome::Dropped(Dropped::Replaced));
    let mut peer = away.back().accept();
    assert_eq!([peer.hear(), peer.hear(), peer.hear()], ["18", "between", "another"]);
    assert_eq!(app.wait(new), Outcome::Written);
}

pub(super) fn bypass_overtakes_all_but_needs_a_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().login(Login::default()));
    assert_eq!(app.send_with(message("early"), SendOptions::bypass()).unwrap_err().why, Why::NoLink);
    app.send(message("waits")).unwrap();
    let mut peer = server.accept();
    app.until(Phase::Authenticating);
    app.send_with(message("overtakes"), SendOptions::bypass()).unwrap();
    assert_eq!([peer.hear_json()["type"].clone(), peer.hear_json()["type"].clone()], ["connect", "overtakes"]);
    peer.say(r#"{"type":"connected"}"#);
    assert_eq!(peer.hear_json()["type"], "waits");
}

pub(super) fn what_lives_too_short_expires<A: Adapter>(adapter: &A) {
    let app = plain(adapter, &offline());
    let long = app.send_tracked("long", SendOptions::default().ttl(AGES)).unwrap();
    assert_eq!(app.sent("short", SendOptions::default().ttl(MOMENT)), Outcome::Expired);
    app.stop();
    assert_eq!(app.wait(long), Outcome::Dropped(Dropped::Stopped));
}

pub(super) fn what_has_not_left_can_be_taken_back<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let mut app = plain(adapter, &away.url());
    let id = app.send("two coffees").unwrap();
    app.send("one tea").unwrap();
    assert_eq!(app.cancel(id), Some(Frame::from("two coffees")));
    assert_eq!(app.outcome(id), Outcome::Cancelled);
    assert_eq!(app.cancel(id), None);
    let mut peer = away.back().accept();
    assert_eq!(peer.hear(), "one tea");
}

pub(super) fn what_has_left_cannot_be_taken_back<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let id = app.send("two coffees").unwrap();
    assert_eq!(server.accept().hear(), "two coffees");
    assert_eq!(app.cancel(id), None);
}

pub(super) fn all_that_waits_can_be_taken_back<A: Adapter>(adapter: &A) {
    let app = plain(adapter, &offline());
    let ticket = app.send_tracked("a", SendOptions::default()).unwrap();
    app.send_with("b", SendOptions::latest("b").label("for b")).unwrap();
    let taken = app.take_queued();
    let texts: Vec<_> = taken.iter().map(|taken| taken.message.as_str().unwrap()).collect();
    assert_eq!(texts, ["a", "b"]);
    assert_eq!((taken[1].class, taken[1].label.clone()), (Class::Latest, Some("for b".into())));
    assert_eq!(app.wait(ticket), Outcome::Cancelled);
    assert!(app.take_queued().is_empty());
}

pub(super) fn a_full_queue_refuses_and_tells_when_there_is_room<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let mut app = with(adapter, &away.url(), tuned(|config| config.queue.max_messages = 2));
    app.send("1").unwrap();
    app.send("2").unwrap();
    let refused = app.send("3").unwrap_err();
    assert_eq!((refused.why, refused.message), (Why::Full, Frame::from("3")));
    let mut peer = away.back().accept();
    app.find(|item| matches!(item, Item::Event(Event::Room)).then_some(()));
    app.send("4").unwrap();
    assert_eq!([peer.hear(), peer.hear(), peer.hear()], ["1", "2", "4"]);
}

pub(super) fn a_full_queue_drops_the_oldest_if_it_is_told_to<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let config = tuned(|config| (config.queue.max_messages, config.queue.overflow) = (2, Overflow::DropOldest));
    let app = with(adapter, &away.url(), config);
    let oldest = app.send_tracked("1", SendOptions::default()).unwrap();
    app.send("2").unwrap();
    app.send("3").unwrap();
    assert_eq!(app.wait(oldest), Outcome::Dropped(Dropped::Overflow));
    let mut peer = away.back().accept();
    assert_eq!([peer.hear(), peer.hear()], ["2", "3"]);
}

pub(super) fn a_sender_that_waits_for_room_gets_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = with(adapter, &server.url(), tuned(|config| config.queue.max_messages = 10));
    let served = thread::spawn(move || {
        let mut peer = server.accept();
        (0..2_000).for_each(|n| assert_eq!(peer.hear(), n.to_string()));
        peer
    });
    for n in 0..2_000 {
        app.wait(app.send_when_ready(n.to_string())).unwrap();
    }
    let _peer = served.join().unwrap();
}

pub(super) fn the_same_key_is_sent_once<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = with(adapter, &server.url(), tuned(|config| config.dedup.outgoing = Alike::ByKey));
    let first = app.send_tracked("pay", SendOptions::default().key("bill 1")).unwrap();
    let id = first.id();
    assert_eq!(app.sent("pay", SendOptions::default().key("bill 1")), Outcome::Duplicate(id));
    app.send("end").unwrap();
    let mut peer = server.accept();
    assert_eq!([peer.hear(), peer.hear()], ["pay", "end"]);
    assert_eq!(app.wait(first), Outcome::Written);
}

pub(super) fn messages_leave_together_if_they_are_told_to<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| (config.batching.enabled, config.batching.count) = (true, 3));
    let mut app = run(adapter, json_builder::<A>(&server.url(), Json::default()).config(config));
    let mut peer = server.accept();
    app.online();
    ["a", "b", "c"].into_iter().for_each(|name| assert!(app.send(message(name)).is_ok()));
    let batch = peer.hear_json();
    assert_eq!((&batch["type"], batch["messages"].as_array().unwrap().len()), (&json!("batch"), 3));
    // One that stays alone waits for company, and then goes without.
    app.send(message("d")).unwrap();
    assert_eq!(peer.hear_json()["type"], "d");
}

pub(super) fn threads_send_without_a_runtime<A: Adapter>(adapter: &A) {
    const THREADS: usize = 8;
    const EACH: usize = 500;
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let client = app.client.clone();
            thread::spawn(move || (0..EACH).for_each(|n| assert!(client.send(format!("{thread} {n}")).is_ok())))
        })
        .collect();
    let mut peer = server.accept();
    let mut next = [0; THREADS];
    for _ in 0..THREADS * EACH {
        let text = peer.hear();
        let (thread, n) = text.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(n, next[thread].to_string(), "each in its order");
        next[thread] += 1;
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

/// The default limit.
const LIMIT: usize = 16 << 20;

pub(super) fn the_largest_message_goes_both_ways<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    // Nothing wakes the driver but the link.
    let config = tuned(|config| {
        (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    });
    let mut app = with(adapter, &server.url(), config);
    let served = thread::spawn(move || server.accept().unbounded().echo());
    app.send(vec![7; LIMIT]).unwrap();
    let back = app.message();
    assert_eq!(back.len(), LIMIT);
    app.close();
    served.join().unwrap();
}

pub(super) fn one_byte_more_is_not_sent<A: Adapter>(adapter: &A) {
    let app = plain(adapter, &offline());
    let refused = app.send(vec![7; LIMIT + 1]).unwrap_err();
    assert_eq!(refused.why, Why::TooBig { size: LIMIT as u64 + 1, limit: LIMIT as u64 });
    assert_eq!(refused.message.len(), LIMIT + 1);
}

pub(super) fn one_byte_more_is_not_taken<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept().unbounded();
    app.online();
    // Its header says how long it will be, and that is enough.
    peer.raw(&[&[0x82, 127][..], &(LIMIT as u64 + 1).to_be_bytes()].concat());
    assert_eq!(app.error().kind, Kind::ProtocolError);
    assert_eq!(peer.goodbye(), Some(1009));
}

pub(super) fn what_waits_survives_a_stop_if_it_shall<A: Adapter>(adapter: &A) {
    let away = Server::bind().away();
    let mut app = with(adapter, &away.url(), tuned(|config| config.keep_on_stop = true));
    let ticket = app.send_tracked("kept", SendOptions::default()).unwrap();
    app.stop();
    app.until(Phase::Stopped(StopCause::User));
    let server = away.back();
    app.connect_now();
    assert_eq!(server.accept().hear(), "kept");
    assert_eq!(app.wait(ticket), Outcome::Written);
}

pub(super) fn a_server_that_reads_nothing_fills_the_queue_and_no_more<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), tuned(|config| config.queue.max_bytes = 1 << 20));
    let mut peer = server.accept();
    app.online();
    let refused = loop {
        if let Err(refused) = app.send(vec![7; 16 << 10]) {
            break refused;
        }
    };
    assert_eq!(refused.why, Why::Full);
    // Once it reads there is room again.
    let reading = thread::spawn(move || while !peer.next().unwrap().is_text() {});
    app.wait(app.send_when_ready("the last")).unwrap();
    reading.join().unwrap();
}
