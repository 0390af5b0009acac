//! A back end as people write it with FastAPI, killed and started again in the middle: tests/interop/kitchen/server.py.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod common;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::python::Python;
use serde_json::{Value, json};
use steadfast::{
    Config, Outcome, Pings, SendOptions, StopCause, SubscribeOptions, TopicNews,
    protocol::json::{Greeting, Incoming, Json, Login, Message},
};
use steadfast_tokio::{Client, Drain, Events, Mailbox, RequestError, Subscription, Update};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

/// The kitchen; `None` where there is no Python for it.
fn open(log: &Path, port: u16) -> Option<Python> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/kitchen/server.py");
    Python::start(&[script.as_ref(), log.as_ref(), port.to_string().as_ref()])
}

/// All that the kitchen wrote down: what it heard and said, and what happened.
fn written(log: &Path) -> Vec<Value> {
    fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn guest(port: u16) -> (Client<Json>, Events<Json>) {
    let mut config = Config::default();
    (config.retry.base, config.retry.cap) = (Duration::from_millis(50), Duration::from_millis(500));
    config.retry.floor = Duration::from_millis(20);
    config.heartbeat.interval = Duration::from_millis(200);
    let json = Json::new(4)
        .greeting(Greeting::Required("connection_established".into()))
        .login(Login::default())
        .acks(true)
        .heartbeat(Pings::Ours);
    let builder = steadfast_tokio::connect(&format!("ws://127.0.0.1:{port}/live")).protocol(json).config(config);
    let builder = builder.mailbox(Mailbox::pause(1_024, 1 << 20)).credential("key-of-table-4");
    let (client, events, driver) = builder.build().unwrap();
    tokio::spawn(driver);
    (client, events)
}

/// What a subscriber has been told.
#[derive(Default)]
struct Told {
    confirmed: u32,
    gaps: u32,
    snapshots: Vec<Incoming>,
    tables: Vec<u64>,
}

impl Told {
    /// Listens until this is true.
    async fn until(&mut self, topic: &mut Subscription<Json>, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            match timeout(LONG, topic.next()).await.expect("nothing comes").expect("it does not end") {
                Update::Message { message, .. } => {
                    let told: Value = message.parse().unwrap();
                    self.tables.extend(told["table"].as_str().map(|table| table.parse::<u64>().unwrap()));
                }
                Update::Snapshot(message) => self.snapshots.push(message),
                Update::News(TopicNews::Confirmed) => self.confirmed += 1,
                Update::News(TopicNews::Gap { .. }) => self.gaps += 1,
                update => panic!("{update:?}"),
            }
        }
    }
}

/// Each is taken, and acknowledged once.
async fn order(client: &Client<Json>, tables: std::ops::RangeInclusive<u64>) {
    let send = |table| {
        let order = Message::new("order", &json!({ "table": table })).unwrap();
        client.send_tracked(order, SendOptions::at_least_once()).unwrap()
    };
    let tickets: Vec<_> = tables.map(send).collect();
    for ticket in tickets {
        assert_eq!(timeout(LONG, ticket).await.expect("no answer"), Outcome::Acked);
    }
}

/// Until the kitchen has heard this.
async fn heard(log: &Path, kind: &str) {
    let waiting = async {
        while !written(log).iter().any(|line| line["heard"]["type"] == kind) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, waiting).await.expect("it is said");
}

#[tokio::test]
async fn a_kitchen_that_is_killed_in_the_middle_is_served_on() {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kitchen.jsonl");
    let _ = fs::remove_file(&log);
    let Some(kitchen) = open(&log, 0) else {
        return eprintln!("SKIPPED: no python3 with fastapi, uvicorn and websockets");
    };
    let port = kitchen.port;
    let (client, _events) = guest(port);
    let options = SubscribeOptions::default().snapshot(Message::bare("request_orders"));
    let mut display = client.subscribe_with("kitchen_display", options, Mailbox::pause(256, 1 << 20)).unwrap();
    let mut counter =
        client.subscribe_with("counter", SubscribeOptions::default(), Mailbox::pause(256, 1 << 20)).unwrap();
    let (mut shown, mut counted) = (Told::default(), Told::default());
    shown.until(&mut display, |told| told.confirmed == 1 && told.snapshots.len() == 1).await;
    counted.until(&mut counter, |told| told.confirmed == 1).await;

    order(&client, 1..=20).await;
    shown.until(&mut display, |told| told.tables.len() == 20).await;
    let metrics = timeout(LONG, client.request(Message::bare("request_metrics"))).await.unwrap().unwrap().unwrap();
    assert_eq!(metrics.parse::<Value>().unwrap()["orders"], 20);
    let refused = timeout(LONG, client.request(Message::bare("dance"))).await.unwrap();
    assert!(matches!(refused, Err(RequestError::Failed(_))), "{refused:?}");

    // While nobody says anything the heartbeat does, and it is the protocol's.
    heard(&log, "ping").await;

    // A question that is never answered is in doubt when the kitchen dies, and orders go on meanwhile.
    let never = tokio::spawn(client.request(Message::bare("request_never")));
    heard(&log, "request_never").await;
    drop(kitchen);
    let mut again = None;
    tokio::join!(order(&client, 21..=40), async { again = open(&log, port) });
    let again = again.expect("it opened before");
    assert!(matches!(timeout(LONG, never).await.unwrap().unwrap(), Err(RequestError::InDoubt)));
    shown.until(&mut display, |told| told.confirmed == 2 && told.snapshots.len() == 2).await;
    counted.until(&mut counter, |told| told.confirmed == 2).await;
    assert_eq!((shown.gaps, counted.gaps), (1, 1), "each was told that something may be missing");
    order(&client, 41..=45).await;
    shown.until(&mut display, |told| told.tables.last() == Some(&45)).await;
    assert!(shown.tables.is_sorted_by(|a, b| a < b), "in order, and nothing twice: {:?}", shown.tables);
    assert_eq!(timeout(LONG, client.close(Drain::within(LONG))).await.unwrap(), StopCause::User);
    drop(again);
    judge(&written(&log));
}

/// What the kitchen itself has seen.
fn judge(lines: &[Value]) {
    assert!(lines.iter().all(|line| !line["event"].as_str().unwrap_or_default().starts_with("subscribed twice")));
    let links: BTreeSet<_> = lines.iter().map(|line| (line["run"].as_u64(), line["connection"].as_u64())).collect();
    for (run, connection) in links {
        let of_link = |line: &&Value| line["run"].as_u64() == run && line["connection"].as_u64() == connection;
        let asked: Vec<_> = (lines.iter().filter(of_link))
            .filter(|line| line["heard"]["type"] == "subscribe")
            .map(|line| line["heard"]["channel"].as_str().unwrap())
            .collect();
        assert_eq!(asked, ["kitchen_display", "counter"], "asked once on each connection, before anything else");
    }
    let ids = |run: &Value| {
        let of_run = |line: &&Value| line["run"] == *run && line["heard"]["type"] == "order";
        lines.iter().filter(of_run).map(|line| line["heard"]["id"].to_string()).collect::<Vec<_>>()
    };
    let runs: BTreeSet<_> = lines.iter().map(|line| line["run"].as_u64()).collect();
    assert_eq!(runs.len(), 2, "it was started twice");
    for run in runs {
        let ids = ids(&run.into());
        assert_eq!(
            ids.len(),
            ids.iter().collect::<BTreeSet<_>>().len(),
            "no order came twice to one life of the kitchen"
        );
    }
}
