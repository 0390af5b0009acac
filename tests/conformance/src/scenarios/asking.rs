//! Topics, requests, and calls of the server's, in the `json` protocol.

use serde_json::{Value, json};
use steadfast::{
    Dropped, Event, Kind, LinkId, Outcome, Phase, Rejected, RequestOptions, SendOptions, SubscribeOptions, TopicNews,
    Why,
    protocol::json::{Incoming, Json, Message},
};
use steadfast_driver::{Item, Mailbox, RequestError, Subscription, Update};

use crate::{
    adapters::Adapter,
    app::{App, MOMENT, json, json_builder, quick, run, tuned},
    server::{Peer, Server},
};

fn client<'a, A: Adapter>(adapter: &'a A, server: &Server) -> App<'a, A, Json> {
    json(adapter, &server.url(), Json::default())
}

impl Peer {
    /// Hears this, and gives its id.
    fn hears(&mut self, kind: &str, channel: &str) -> Value {
        let heard = self.hear_json();
        assert_eq!((&heard["type"], &heard["channel"]), (&json!(kind), &json!(channel)));
        heard["id"].clone()
    }

    /// Hears a question, and gives its id.
    fn asked(&mut self, kind: &str) -> Value {
        let heard = self.hear_json();
        assert_eq!(heard["type"], kind);
        heard["id"].clone()
    }

    fn say_json(&mut self, value: Value) {
        self.say(value.to_string());
    }

    /// Grants a topic.
    fn grants(&mut self, channel: &str) {
        let id = self.hears("subscribe", channel);
        self.say_json(json!({"type": "subscribed", "channel": channel, "reply_to": id}));
    }

    fn tells(&mut self, channel: &str, data: impl Into<Value>) {
        self.say_json(json!({"type": "news", "channel": channel, "data": data.into()}));
    }
}

/// What comes of a topic next.
fn next<A: Adapter>(app: &App<'_, A, Json>, topic: &mut Subscription<Json>) -> Option<Update<Incoming>> {
    app.wait(topic.next())
}

/// The next message of a topic.
fn told<A: Adapter>(app: &App<'_, A, Json>, topic: &mut Subscription<Json>) -> String {
    loop {
        if let Update::Message { message, .. } = next(app, topic).expect("the topic goes on") {
            return message.data().to_owned();
        }
    }
}

/// The next news of a topic.
fn news<A: Adapter>(app: &App<'_, A, Json>, topic: &mut Subscription<Json>) -> TopicNews {
    loop {
        if let Update::News(news) = next(app, topic).expect("the topic goes on") {
            return news;
        }
    }
}

pub(super) fn a_topic_is_confirmed_and_heard<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut kitchen = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    assert_eq!(news(&app, &mut kitchen), TopicNews::Confirmed);
    peer.tells("kitchen", 17);
    assert_eq!(told(&app, &mut kitchen), "17");
}

pub(super) fn topics_are_restored_before_what_waits<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = client(adapter, &server);
    let mut kitchen = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    peer.tells("kitchen", 1);
    assert_eq!(told(&app, &mut kitchen), "1");
    app.online();
    drop(peer);
    app.error();
    app.send(Message::bare("order")).unwrap();
    let mut peer = server.accept();
    let id = peer.hears("subscribe", "kitchen");
    app.until(Phase::Restoring);
    peer.say_json(json!({"type": "subscribed", "channel": "kitchen", "reply_to": id}));
    peer.asked("order");
    peer.tells("kitchen", 2);
    while !matches!(next(&app, &mut kitchen), Some(Update::News(TopicNews::Gap { .. }))) {}
    assert_eq!(told(&app, &mut kitchen), "2");
}

pub(super) fn a_topic_that_is_refused_ends_alone<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut office = app.subscribe("office").unwrap();
    let mut kitchen = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    let id = peer.hears("subscribe", "office");
    peer.say_json(json!({"type": "error", "reply_to": id, "data": {"message": "staff only"}}));
    peer.grants("kitchen");
    let TopicNews::Refused { why, retry_at: None } = news(&app, &mut office) else { panic!("it was refused") };
    assert_eq!(why.message.as_str(), "staff only");
    assert_eq!(next(&app, &mut office), None);
    peer.tells("kitchen", 1);
    assert_eq!(told(&app, &mut kitchen), "1");
}

pub(super) fn the_last_of_several_subscribers_leaves_the_topic<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut one = app.subscribe("kitchen").unwrap();
    let mut other = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    peer.tells("kitchen", 1);
    assert_eq!((told(&app, &mut one), told(&app, &mut other)), ("1".into(), "1".into()));
    drop(one);
    peer.tells("kitchen", 2);
    assert_eq!(told(&app, &mut other), "2");
    drop(other);
    let id = peer.hears("unsubscribe", "kitchen");
    peer.say_json(json!({"type": "unsubscribed", "channel": "kitchen", "reply_to": id}));
    app.send(Message::bare("end")).unwrap();
    peer.asked("end");
}

pub(super) fn a_topic_that_is_lost_is_asked_for_again_and_one_that_ends_is_not<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut kitchen = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    peer.say_json(
        json!({"type": "unsubscribed", "channel": "kitchen", "data": {"message": "moved", "retry_after": 1}}),
    );
    peer.grants("kitchen");
    peer.say_json(json!({"type": "unsubscribed", "channel": "kitchen"}));
    let mut seen = Vec::new();
    while let Some(update) = next(&app, &mut kitchen) {
        seen.push(update);
    }
    assert!(seen.iter().any(|update| matches!(update, Update::News(TopicNews::Lost { .. }))), "{seen:?}");
    assert!(matches!(seen.last(), Some(Update::News(TopicNews::Ended { .. }))), "{seen:?}");
}

pub(super) fn a_snapshot_comes_before_what_followed_it<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let options = SubscribeOptions::default().snapshot(Message::bare("state"));
    let mut kitchen = app.subscribe_with("kitchen", options, Mailbox::pause(100, 1 << 20)).unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    let id = peer.asked("state");
    peer.tells("kitchen", "live");
    peer.say_json(json!({"type": "state", "reply_to": id, "data": "whole"}));
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match next(&app, &mut kitchen).unwrap() {
            Update::Snapshot(message) | Update::Message { message, .. } => seen.push(message.data().to_owned()),
            _ => {}
        }
    }
    assert_eq!(seen, ["\"whole\"", "\"live\""]);
}

pub(super) fn a_slow_subscriber_lags_alone<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut slow = app.subscribe_with("kitchen", SubscribeOptions::default(), Mailbox::lag(3, 1 << 20)).unwrap();
    let mut fast = app.subscribe("kitchen").unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    (0..100).for_each(|n| peer.tells("kitchen", n));
    (0..100).for_each(|n| assert_eq!(told(&app, &mut fast), n.to_string()));
    let lagged = loop {
        if let Update::Lagged(lagged) = next(&app, &mut slow).unwrap() {
            break lagged.messages;
        }
    };
    assert_eq!((lagged, told(&app, &mut slow)), (97, "97".into()));
}

pub(super) fn a_subscriber_that_pauses_loses_nothing<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut kitchen = app.subscribe_with("kitchen", SubscribeOptions::default(), Mailbox::pause(3, 1 << 20)).unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    (0..500).for_each(|n| peer.tells("kitchen", n));
    (0..500).for_each(|n| assert_eq!(told(&app, &mut kitchen), n.to_string()));
}

pub(super) fn whoever_watches_sees_the_latest<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let mut price = app.watch("price").unwrap();
    let mut peer = server.accept();
    peer.grants("price");
    (0..100).for_each(|n| peer.tells("price", n));
    while price.latest().is_none_or(|message| message.data() != "99") {
        assert!(app.wait(price.changed()));
    }
    app.close();
    assert!(!app.wait(price.changed()));
}

pub(super) fn a_topic_that_is_not_answered_costs_the_link<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.subscriptions.answer_timeout = MOMENT);
    let mut app = run(adapter, json_builder::<A>(&server.url(), Json::default()).config(config));
    let mut kitchen = app.subscribe("kitchen").unwrap();
    app.send(Message::bare("order")).unwrap();
    let mut silent = server.accept();
    silent.hears("subscribe", "kitchen");
    assert_eq!(app.error().kind, Kind::Timeout);
    app.configure(quick()).unwrap();
    let mut peer = server.accept();
    peer.grants("kitchen");
    assert_eq!(news(&app, &mut kitchen), TopicNews::Confirmed);
    peer.asked("order");
}

pub(super) fn a_request_is_answered<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let (menu, bill) = (app.request(Message::bare("menu")), app.request(Message::bare("bill")));
    let mut peer = server.accept();
    let (first, second) = (peer.asked("menu"), peer.asked("bill"));
    // In another order.
    peer.say_json(json!({"type": "answer", "reply_to": second, "data": "a lot"}));
    peer.say_json(json!({"type": "answer", "reply_to": first, "data": "soup"}));
    assert_eq!(app.wait(menu).unwrap().unwrap().data(), "\"soup\"");
    assert_eq!(app.wait(bill).unwrap().unwrap().data(), "\"a lot\"");
}

pub(super) fn a_request_is_refused<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let menu = app.request(Message::bare("menu"));
    let mut peer = server.accept();
    let id = peer.asked("menu");
    peer.say_json(json!({"type": "error", "reply_to": id, "data": {"code": "closed"}}));
    let Err(RequestError::Failed(why)) = app.wait(menu) else { panic!("it was refused") };
    assert_eq!(why.code, Some("closed".into()));
}

/// With this much time.
fn ask<A: Adapter>(app: &App<'_, A, Json>, options: RequestOptions) -> Result<(), RequestError<Message>> {
    app.wait(app.request_with(Message::bare("menu"), options)).map(drop)
}

pub(super) fn a_request_that_is_not_answered_is_in_doubt<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = client(adapter, &server);
    let mut peer = server.accept();
    app.online();
    assert!(matches!(ask(&app, RequestOptions::default().deadline(MOMENT)), Err(RequestError::InDoubt)));
    let id = peer.asked("menu");
    peer.say_json(json!({"type": "answer", "reply_to": id, "data": "late"}));
    peer.say_json(json!({"type": "news"}));
    assert_eq!(app.message().name(), "news");
    assert_eq!(app.stats().late_replies, 1);
}

pub(super) fn a_request_that_never_left_expires<A: Adapter>(adapter: &A) {
    let app = json(adapter, &Server::bind().away().url(), Json::default());
    assert!(matches!(ask(&app, RequestOptions::default().deadline(MOMENT)), Err(RequestError::Expired)));
}

pub(super) fn a_request_whose_link_is_lost_is_in_doubt<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let menu = app.request(Message::bare("menu"));
    server.accept().asked("menu");
    assert!(matches!(app.wait(menu), Err(RequestError::InDoubt)));
}

pub(super) fn a_request_that_does_no_harm_is_asked_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let menu = app.request_with(Message::bare("menu"), RequestOptions::default().idempotent());
    let first = server.accept().asked("menu");
    let mut peer = server.accept();
    let again = peer.asked("menu");
    assert_eq!(first, again);
    peer.say_json(json!({"type": "answer", "reply_to": again}));
    assert!(app.wait(menu).is_ok());
}

pub(super) fn an_answer_can_be_known_by_its_name<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = client(adapter, &server);
    let menu = app.request_with(Message::bare("menu"), RequestOptions::default().answered_by("dishes"));
    let mut peer = server.accept();
    peer.asked("menu");
    peer.say_json(json!({"type": "dishes", "data": "soup"}));
    assert_eq!(app.wait(menu).unwrap().unwrap().data(), "\"soup\"");
}

pub(super) fn a_stop_ends_requests_that_wait<A: Adapter>(adapter: &A) {
    let app = json(adapter, &Server::bind().away().url(), Json::default());
    let menu = app.request(Message::bare("menu"));
    app.stop();
    assert!(matches!(app.wait(menu), Err(RequestError::Dropped(Dropped::Stopped))));
    let Err(RequestError::Refused(refused)) = app.wait(app.request(Message::bare("menu"))) else {
        panic!("it stopped")
    };
    assert_eq!(refused.why, Why::Stopped);
}

/// The next call of the server's.
fn call<A: Adapter>(app: &mut App<'_, A, Json>) -> (LinkId, bytes::Bytes) {
    app.find(|item| match item {
        Item::Event(Event::Message { mark, link, .. }) => Some((link, mark.marks()?.call.clone()?)),
        _ => None,
    })
}

pub(super) fn a_call_of_the_servers_is_answered<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().calls(true));
    let mut peer = server.accept();
    peer.say_json(json!({"type": "which_table", "id": "s-1"}));
    let (link, id) = call(&mut app);
    app.reply(link, &id, Ok(Message::new("table", &4).unwrap())).unwrap();
    let answer = peer.hear_json();
    assert_eq!((&answer["type"], &answer["data"], &answer["reply_to"]), (&json!("table"), &json!(4), &json!("s-1")));
    peer.say_json(json!({"type": "which_waiter", "id": "s-2"}));
    let (link, id) = call(&mut app);
    app.reply(link, &id, Err(Rejected { message: "none".into(), ..Rejected::default() })).unwrap();
    let answer = peer.hear_json();
    assert_eq!((&answer["type"], &answer["reply_to"]), (&json!("error"), &json!("s-2")));
}

pub(super) fn a_call_of_another_link_is_not_answered<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().calls(true));
    let mut peer = server.accept();
    peer.say_json(json!({"type": "which_table", "id": "s-1"}));
    let (link, id) = call(&mut app);
    drop(peer);
    let mut peer = server.accept();
    app.online();
    let reply = app.reply(link, &id, Ok(Message::bare("table"))).unwrap();
    assert_eq!(app.outcome(reply), Outcome::Dropped(Dropped::LinkGone));
    assert_eq!(app.sent(Message::bare("end"), SendOptions::default()), Outcome::Written);
    peer.asked("end");
}
