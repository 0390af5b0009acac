//! The server that docs/json.md shows is a good one: it runs here as it stands there.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::python::Python;
use steadfast::{
    Config, Kind, Outcome, Phase, Recovery, SendOptions, StopCause,
    protocol::json::{Json, Login, Message},
};
use steadfast_tokio::{Client, Drain, Events, Item};
use tokio::time::timeout;

const PAGE: &str = include_str!("../../docs/json.md");
const LONG: Duration = Duration::from_secs(20);

/// The server of the page; `None` where there is no Python for it.
fn start(store: &Path, port: u16) -> Option<Python> {
    let script = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the page has it");
    Python::start(&["-c".as_ref(), script.as_ref(), store.as_ref(), port.to_string().as_ref()])
}

fn client(port: u16, key: &str) -> (Client<Json>, Events<Json>) {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(20);
    config.retry.floor = Duration::from_millis(10);
    let json = Json::new(7).login(Login::default()).acks(true);
    let builder = steadfast_tokio::connect(&format!("ws://127.0.0.1:{port}/")).config(config).protocol(json);
    let (client, events, driver) = builder.credential(key).build().unwrap();
    tokio::spawn(driver);
    (client, events)
}

/// Sends orders of these tables until each is acknowledged.
async fn order(client: &Client<Json>, tables: impl IntoIterator<Item = u64>) {
    let send = |table: u64| {
        let order = Message::new("order", &serde_json::json!({ "table": table })).unwrap();
        client.send_tracked(order, at_least_once()).unwrap()
    };
    let tickets: Vec<_> = tables.into_iter().map(send).collect();
    for ticket in tickets {
        assert_eq!(timeout(LONG, ticket).await.expect("no answer"), Outcome::Acked);
    }
}

fn at_least_once() -> SendOptions {
    SendOptions::at_least_once()
}

/// The orders that were kept.
fn kept(store: &Path) -> String {
    let all =
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT id, data FROM orders'), sep='; ')";
    let output = Command::new("python3").args(["-c", all]).arg(store).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn store(name: &str) -> PathBuf {
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.db"));
    let _ = fs::remove_file(&store);
    store
}

#[tokio::test]
async fn the_server_of_the_page_keeps_each_order_once_however_often_it_comes_and_is_killed() {
    let store = store("page");
    let Some(server) = start(&store, 0) else { return eprintln!("SKIPPED: no python3 with websockets") };
    let port = server.port;
    let (client_a, _events) = client(port, "secret");
    order(&client_a, 1..=3).await;
    drop(server);
    let mut restarted = None;
    tokio::join!(order(&client_a, 4..=5), async { restarted = start(&store, port) });
    let all = (1..=5).map(|table| format!("('7-{table}', '{{\"table\": {table}}}')")).collect::<Vec<_>>().join("; ");
    assert_eq!(kept(&store), all);

    // A second life of the same client, which does not know what the first one was told.
    let (again, mut events) = client(port, "secret");
    order(&again, 1..=5).await;
    assert_eq!(kept(&store), all);

    let unknown = again.send_tracked(Message::bare("nonsense"), at_least_once()).unwrap();
    let Outcome::Failed(why) = timeout(LONG, unknown).await.unwrap() else { panic!("it will never be accepted") };
    assert_eq!(why.code.as_ref().map(|code| code.as_str()), Some("unknown"));
    assert_eq!(timeout(LONG, again.close(Drain::within(LONG))).await.unwrap(), StopCause::User);
    while let Some(item) = timeout(LONG, events.next()).await.unwrap() {
        assert!(!matches!(item, Item::Error(_)), "{item:?}");
    }
}

#[tokio::test]
async fn the_server_of_the_page_sends_away_who_has_the_wrong_key() {
    let Some(server) = start(&store("key"), 0) else { return eprintln!("SKIPPED: no python3 with websockets") };
    let (client, mut events) = client(server.port, "wrong");
    let mut failures = Vec::new();
    while client.phase() != Phase::Stopped(StopCause::Failed) {
        if let Some(Item::Error(error)) = timeout(LONG, events.next()).await.expect("it does not stop") {
            assert_eq!((error.kind, error.message.as_str()), (Kind::AuthenticationFailed, "this key is not known"));
            failures.push(error.recovery);
        }
    }
    assert_eq!(failures, [Recovery::Reauthenticate, Recovery::Fatal]);
}
