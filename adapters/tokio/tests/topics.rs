//! Topics, requests and calls over real sockets, against a server that speaks `json` and is played by the test. Nothing
//! sleeps: what is waited for is said by somebody, and each test has a deadline.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::Future, time::Duration};

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use steadfast::{
    Config, Dropped, Event, Outcome, Phase, Rejected, RequestOptions, SendOptions, SubscribeOptions, Text, TopicNews,
    TopicState, Why,
    protocol::json::{Incoming, Json, Message},
};
use steadfast_tokio::{Client, Events, Item, Lagged, Mailbox, RequestError, Subscription, Update, connect};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite};

/// Bounds a test.
async fn within<T>(test: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), test).await.expect("the test takes too long")
}

/// Comes back at once.
fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

struct Server {
    listener: TcpListener,
    url: String,
}

/// The server's end of a connection.
struct Link(WebSocketStream<TcpStream>);

impl Server {
    /// A server, and somebody who wants to talk to it.
    async fn start(config: Config) -> (Self, Client<Json>, Events<Json>) {
        Self::start_with(Json::default(), config).await
    }

    async fn start_with(protocol: Json, config: Config) -> (Self, Client<Json>, Events<Json>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { url: format!("ws://{}/", listener.local_addr().unwrap()), listener };
        let (client, events, driver) = connect(&server.url).protocol(protocol).config(config).build().unwrap();
        tokio::spawn(driver);
        (server, client, events)
    }

    async fn accept(&self) -> Link {
        accept(&self.listener).await
    }
}

async fn accept(listener: &TcpListener) -> Link {
    let stream = listener.accept().await.unwrap().0;
    stream.set_nodelay(true).unwrap();
    Link(accept_async(stream).await.unwrap())
}

impl Link {
    async fn say(&mut self, word: Value) {
        self.0.send(tungstenite::Message::text(word.to_string())).await.unwrap();
    }

    /// A message of a channel.
    async fn tell(&mut self, channel: &str, data: impl Into<Value>) {
        self.say(json!({"type": "news", "channel": channel, "data": data.into()})).await;
    }

    async fn hear(&mut self) -> Value {
        loop {
            let word = self.0.next().await.expect("the client stays").unwrap();
            if let tungstenite::Message::Text(word) = word {
                return serde_json::from_str(&word).unwrap();
            }
            assert!(word.is_ping() || word.is_pong(), "{word:?}");
        }
    }

    /// Hears a message of this name.
    async fn hear_a(&mut self, name: &str) -> Value {
        let word = self.hear().await;
        assert_eq!(word["type"], name, "{word}");
        word
    }

    async fn answer(&mut self, asked: &Value, data: impl Into<Value>) {
        self.say(json!({"type": "answer", "data": data.into(), "reply_to": asked["id"]})).await;
    }

    async fn refuse(&mut self, asked: &Value, why: Value) {
        self.say(json!({"type": "error", "data": why, "reply_to": asked["id"]})).await;
    }

    /// Hears that a channel is wanted, or no longer, and says yes. Which?
    async fn confirm(&mut self, name: &str) -> Value {
        let asked = self.hear_a(name).await;
        self.say(json!({"type": format!("{name}d"), "channel": asked["channel"], "reply_to": asked["id"]})).await;
        asked["channel"].clone()
    }

    /// Hears so many pings, and nothing else.
    async fn hear_pings(&mut self, count: usize) {
        for _ in 0..count {
            let word = self.0.next().await.expect("the client stays").unwrap();
            assert!(word.is_ping(), "{word:?}");
        }
    }
}

/// The next updates, each in a few letters; a full stop if nothing more comes.
async fn next<const N: usize>(topic: &mut Subscription<Json>) -> [String; N] {
    let mut all = [const { String::new() }; N];
    for shown in &mut all {
        *shown = topic.next().await.map_or_else(|| ".".into(), |update| self::shown(&update));
    }
    all
}

fn shown(update: &Update<Incoming>) -> String {
    match update {
        Update::Message { message, .. } => message.data().into(),
        Update::Snapshot(state) => format!("[{}]", state.data()),
        Update::News(TopicNews::Refused { why, retry_at }) => {
            format!("refused{}: {}", if retry_at.is_some() { " for now" } else { "" }, why.message)
        }
        Update::News(news) => format!("{news:?}").to_lowercase(),
        Update::Lagged(Lagged { messages, .. }) => format!("{messages} dropped"),
        other => format!("{other:?}"),
    }
}

/// Everything up to what this finds.
async fn until<T>(events: &mut Events<Json>, find: impl Fn(&Item<Incoming, Text>) -> Option<T>) -> T {
    loop {
        if let Some(found) = find(&events.next().await.expect("the session goes on")) {
            return found;
        }
    }
}

async fn restored(events: &mut Events<Json>) -> u32 {
    let is = |item: &_| if let Item::Event(Event::Restored { topics }) = item { Some(*topics) } else { None };
    until(events, is).await
}

const CONFIRMED: &str = "confirmed";
const GAP: &str = "gap { last: none }";

#[tokio::test]
async fn a_channel_is_shared_and_the_last_who_goes_leaves_it() {
    within(async {
        let (server, client, mut events) = Server::start(Config::default()).await;
        let mut first = client.subscribe("kitchen").unwrap();
        let mut link = server.accept().await;
        assert_eq!(link.confirm("subscribe").await, "kitchen");
        assert_eq!(next(&mut first).await, [CONFIRMED]);
        assert_eq!(restored(&mut events).await, 1);

        let mut second = client.subscribe("kitchen").unwrap();
        assert_eq!(next(&mut second).await, [CONFIRMED], "at once: the server is not asked again");
        link.say(json!({"type": "news", "data": "to all"})).await;
        link.tell("kitchen", 1).await;
        link.tell("cellar", "whose?").await;
        link.tell("kitchen", 2).await;
        assert_eq!(
            (next(&mut first).await, next(&mut second).await),
            (["1".into(), "2".into()], ["1", "2"].map(String::from))
        );
        for wanted in [r#""to all""#, r#""whose?""#] {
            let heard = until(&mut events, |item| item.clone().into_message()).await;
            assert_eq!(heard.data(), wanted, "what nobody subscribes to is for the events");
        }

        drop(first);
        client.send(Message::bare("one has gone")).unwrap();
        link.hear_a("one has gone").await;
        drop(second);
        assert_eq!(link.confirm("unsubscribe").await, "kitchen");
        until(&mut events, |item| {
            matches!(item, Item::Event(Event::Topic { news: TopicNews::Left, .. })).then_some(())
        })
        .await;
        assert!(client.subscriptions().is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_watches_sees_the_newest() {
    within(async {
        let (server, client, _events) = Server::start(Config::default()).await;
        let mut price = client.watch("price").unwrap();
        let mut link = server.accept().await;
        link.confirm("subscribe").await;
        for n in 1..=1_000 {
            link.tell("price", n).await;
        }
        // When this is answered, all of that has come.
        let barrier = client.request(Message::bare("is that all?"));
        let asked = link.hear_a("is that all?").await;
        link.answer(&asked, true).await;
        barrier.await.unwrap();
        assert!(price.changed().await);
        assert_eq!(price.latest().unwrap().data(), "1000");
        assert_eq!(price.changed().now_or_never(), None, "it was never a queue");
        link.tell("price", 1_001).await;
        assert!(price.changed().await);
        assert_eq!(price.take().unwrap().data(), "1001");
        drop(price);
        assert_eq!(link.confirm("unsubscribe").await, "price");
    })
    .await;
}

#[tokio::test]
async fn a_refused_channel_holds_up_no_other() {
    within(async {
        let (server, client, mut events) = Server::start(quick()).await;
        let mut topics = ["closed", "busy", "open"].map(|name| client.subscribe(name).unwrap());
        let mut link = server.accept().await;
        let [closed, busy, open] = [link.hear().await, link.hear().await, link.hear().await];
        link.refuse(&closed, json!({"message": "for good"})).await;
        link.refuse(&busy, json!({"message": "not now", "retry_after": 5})).await;
        link.say(json!({"type": "subscribed", "channel": "open", "reply_to": open["id"]})).await;
        assert_eq!(restored(&mut events).await, 1);
        assert_eq!(link.confirm("subscribe").await, "busy");
        let [closed, busy, open] = &mut topics;
        assert_eq!(next(closed).await, ["refused: for good", "."]);
        assert_eq!(next(busy).await, ["refused for now: not now", CONFIRMED]);
        assert_eq!(next(open).await, [CONFIRMED]);
        let states = client.subscriptions().into_iter().map(|known| (known.topic.to_string(), known.state));
        let wanted = ["busy", "open"].map(|name| (name.to_owned(), TopicState::Confirmed));
        assert!(states.clone().all(|known| wanted.contains(&known)) && states.count() == 2);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_comes_first_and_again_when_it_is_asked_for() {
    within(async {
        let (server, client, _events) = Server::start(quick()).await;
        let options = SubscribeOptions::default().snapshot(Message::bare("orders").on("kitchen"));
        let mut kitchen = client.subscribe_with("kitchen", options, Mailbox::pause(64, 1 << 20)).unwrap();
        let mut link = server.accept().await;
        link.tell("kitchen", "early").await;
        link.confirm("subscribe").await;
        let asked = link.hear_a("orders").await;
        link.tell("kitchen", "live").await;
        link.answer(&asked, "all").await;
        assert_eq!(next(&mut kitchen).await, [CONFIRMED, r#"["all"]"#, r#""early""#, r#""live""#]);

        assert_eq!(client.resync("cellar"), Err(Why::NotSubscribed));
        client.resync("kitchen").unwrap();
        let asked = link.hear_a("orders").await;
        link.answer(&asked, "newer").await;
        assert_eq!(next(&mut kitchen).await, [r#"["newer"]"#]);

        // The state is part of coming back, also where it cannot be had.
        drop(link);
        let mut link = server.accept().await;
        link.confirm("subscribe").await;
        let asked = link.hear_a("orders").await;
        link.tell("kitchen", "held").await;
        link.refuse(&asked, json!({"message": "too busy"})).await;
        let news = next::<4>(&mut kitchen).await;
        assert_eq!((&*news[0], &*news[1], &*news[3]), (GAP, CONFIRMED, GAP));
        assert!(news[2].starts_with("nosnapshot"), "{}", news[2]);
        assert_eq!(next(&mut kitchen).await, [r#""held""#]);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_restarted_is_asked_for_everything_before_it_is_told_anything() {
    within(async {
        const ROOMS: usize = 50;
        let (server, client, mut events) = Server::start(quick()).await;
        let name = |n: usize| format!("room {n}");
        let mut rooms: Vec<_> = (0..ROOMS).map(|n| client.subscribe(name(n)).unwrap()).collect();
        let mut link = server.accept().await;
        for n in 0..ROOMS {
            assert_eq!(link.confirm("subscribe").await, name(n));
            link.tell(&name(n), "before").await;
        }
        assert_eq!(restored(&mut events).await, ROOMS as u32);
        for room in &mut rooms {
            assert_eq!(next(room).await, [CONFIRMED, r#""before""#]);
        }

        // It is away, and dialed in vain, while one room is left, another one wanted, and something sent and asked.
        let address = server.listener.local_addr().unwrap();
        drop((server, link));
        let is_in_vain =
            |item: &_| matches!(item, Item::Error(error) if error.code.is_none() && error.attempt > 1).then_some(());
        until(&mut events, is_in_vain).await;
        drop(rooms.remove(0));
        rooms.push(client.subscribe(name(ROOMS)).unwrap());
        let sent = client.send_tracked(Message::bare("while it was away"), SendOptions::default()).unwrap();
        let menu = client.request(Message::bare("menu"));

        let listener = TcpListener::bind(address).await.unwrap();
        let mut link = accept(&listener).await;
        // What a room says before its confirmation finds it.
        link.tell(&name(1), "after").await;
        for n in 1..=ROOMS {
            assert_ne!(client.phase(), Phase::Online);
            assert_eq!(link.confirm("subscribe").await, name(n));
            link.tell(&name(n), "behind").await;
        }
        link.hear_a("while it was away").await;
        let asked = link.hear_a("menu").await;
        link.answer(&asked, "soup").await;

        assert_eq!(sent.await, Outcome::Written);
        assert_eq!(menu.await.unwrap().unwrap().data(), r#""soup""#);
        assert_eq!(restored(&mut events).await, ROOMS as u32);
        let mut new = rooms.pop().unwrap();
        for room in &mut rooms[1..] {
            assert_eq!(next(room).await, [GAP, CONFIRMED, r#""behind""#]);
        }
        assert_eq!(next(&mut rooms[0]).await, [GAP, r#""after""#, CONFIRMED, r#""behind""#]);
        assert_eq!(next(&mut new).await, [CONFIRMED, r#""behind""#], "there was nothing to miss");
    })
    .await;
}

#[tokio::test]
async fn a_request_has_one_end() {
    within(async {
        let (server, client, mut events) = Server::start(quick()).await;
        let mut link = server.accept().await;
        let (menu, bill) = (client.request(Message::bare("menu")), client.request(Message::bare("bill")));
        let (asked_menu, asked_bill) = (link.hear_a("menu").await, link.hear_a("bill").await);
        link.refuse(&asked_bill, json!({"code": "closed", "message": "no more bills"})).await;
        link.answer(&asked_menu, ["soup"].map(Value::from).to_vec()).await;
        link.answer(&asked_menu, "too late").await;
        assert_eq!(menu.await.unwrap().unwrap().data(), r#"["soup"]"#);
        let Err(RequestError::Failed(why)) = bill.await else { panic!("it was refused") };
        assert_eq!((why.code, why.message), (Some("closed".into()), "no more bills".into()));

        // Whether they were carried out nobody knows; one of them does no harm when it is carried out twice.
        let order = client.request(Message::bare("order"));
        let table = client.request_with(Message::bare("table"), RequestOptions::default().idempotent());
        let asked = (link.hear_a("order").await, link.hear_a("table").await).1;
        drop(link);
        let Err(RequestError::InDoubt) = order.await else { panic!("nobody knows") };
        let mut link = server.accept().await;
        let again = link.hear_a("table").await;
        assert_eq!(again["id"], asked["id"]);
        link.answer(&again, 4).await;
        assert_eq!(table.await.unwrap().unwrap().data(), "4");
        client.send(Message::bare("the end")).unwrap();
        link.hear_a("the end").await;
        let stats = client.stats();
        assert_eq!((stats.requests, stats.answered, stats.late_replies), (4, 2, 1));
        drop(client);
        while link.0.next().await.is_some() {}
        while let Some(item) = events.next().await {
            assert!(item.into_message().is_none(), "answers are for those who ask");
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_is_answered_on_its_own_link_or_not_at_all() {
    within(async {
        let (server, client, mut events) = Server::start_with(Json::default().calls(true), quick()).await;
        let mut link = server.accept().await;
        for n in 1..=3 {
            link.say(json!({"type": "which table?", "id": format!("s-{n}")})).await;
        }
        let mut calls = Vec::new();
        while calls.len() < 3 {
            let of = |item: &_| {
                let Item::Event(Event::Message { mark, link, .. }) = item else { return None };
                Some((*link, mark.marks()?.call.clone()?))
            };
            calls.push(until(&mut events, of).await);
        }
        client.reply(calls[0].0, &calls[0].1, Ok(Message::new("table", &4).unwrap())).unwrap();
        let no = Rejected { message: "no waiter".into(), ..Rejected::default() };
        client.reply(calls[1].0, &calls[1].1, Err(no)).unwrap();
        let answer = link.hear_a("table").await;
        assert_eq!((&answer["reply_to"], &answer["data"]), (&"s-1".into(), &4.into()));
        let answer = link.hear_a("error").await;
        assert_eq!((&answer["reply_to"], &answer["data"]["message"]), (&"s-2".into(), &"no waiter".into()));

        drop(link);
        let mut link = server.accept().await;
        until(&mut events, |item| {
            matches!(item, Item::Event(Event::Phase(to)) if to.to == Phase::Online).then_some(())
        })
        .await;
        let late = client.reply(calls[2].0, &calls[2].1, Ok(Message::bare("table"))).unwrap();
        let outcome = until(&mut events, |item| {
            let Item::Event(Event::Outcome { id, outcome, .. }) = item else { return None };
            (*id == late).then(|| outcome.clone())
        });
        assert_eq!(outcome.await, Outcome::Dropped(Dropped::LinkGone));
        client.send(Message::bare("something else")).unwrap();
        link.hear_a("something else").await;
    })
    .await;
}

/// Its heart beats so often that a slow reader would be in the way.
fn lively() -> Config {
    let (mut config, often) = (quick(), Duration::from_millis(20));
    (config.heartbeat.interval, config.heartbeat.keepalive) = (often, often);
    config
}

#[tokio::test]
async fn a_slow_subscriber_that_lags_delays_nobody_and_is_told_how_much_it_missed() {
    within(async {
        const MANY: usize = 200;
        let (server, client, _events) = Server::start(lively()).await;
        let mut quick = client.subscribe("price").unwrap();
        let mut slow = client.subscribe_with("price", SubscribeOptions::default(), Mailbox::lag(8, 1 << 20)).unwrap();
        let mut link = server.accept().await;
        link.confirm("subscribe").await;
        assert_eq!(next(&mut quick).await, [CONFIRMED]);
        for n in 0..MANY {
            link.tell("price", n).await;
            assert_eq!(next(&mut quick).await, [n.to_string()]);
        }
        link.hear_pings(5).await;
        assert_eq!(next(&mut slow).await, [CONFIRMED.into(), format!("{} dropped", MANY - 8)]);
        assert_eq!(next(&mut slow).await, std::array::from_fn::<_, 8, _>(|n| (MANY - 8 + n).to_string()));
        assert_eq!(client.stats().dials, 1);
    })
    .await;
}

#[tokio::test]
async fn a_slow_subscriber_that_pauses_loses_nothing_and_stops_no_heart() {
    within(async {
        const MANY: usize = 200;
        let (server, client, _events) = Server::start(lively()).await;
        let mut quick = client.subscribe("price").unwrap();
        let mut slow = client.subscribe_with("price", SubscribeOptions::default(), Mailbox::pause(8, 1 << 20)).unwrap();
        let mut link = server.accept().await;
        link.confirm("subscribe").await;
        assert_eq!(next(&mut quick).await, [CONFIRMED]);
        for n in 0..MANY {
            link.tell("price", n).await;
        }
        // What was read is for all, and what is sent leaves.
        for n in 0..8 {
            assert_eq!(next(&mut quick).await, [n.to_string()]);
        }
        link.hear_pings(5).await;
        client.send(Message::bare("still here")).unwrap();
        link.hear_a("still here").await;
        link.hear_pings(5).await;
        assert_eq!(client.stats().received, 8, "nobody reads more than the slow one has room for");

        assert_eq!(next(&mut slow).await, [CONFIRMED]);
        for n in 0..MANY {
            assert_eq!(next(&mut slow).await, [n.to_string()]);
        }
        for n in 8..MANY {
            assert_eq!(next(&mut quick).await, [n.to_string()]);
        }
        assert_eq!((client.stats().dials, client.phase()), (1, Phase::Online));
    })
    .await;
}
