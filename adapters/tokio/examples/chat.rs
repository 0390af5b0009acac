//! A chat: rooms that are subscribed to, messages that are acknowledged, a question with an answer, and a server that is
//! restarted while people talk.
//!
//! ```text
//! cargo run -p steadfast-tokio --features json --example chat
//! ```
//!
//! The server runs in the same process, speaks the protocol `json` of docs/json.md and knows nothing of `steadfast`. The
//! example ends by itself, with 0 if the server took every line and what was heard came once and in order. What is said while
//! the listener's link is down it does not hear: the room tells it that there is a gap.

use std::{
    collections::BTreeSet,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use steadfast::{
    Config, Outcome, RequestOptions, SendOptions, Text,
    protocol::json::{Json, Message},
};
use steadfast_tokio::{Client, Drain, Mailbox, Subscription, Update};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinSet,
};
use tokio_tungstenite::{accept_async, tungstenite};

const LINES: u64 = 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let house = House::open().await?;
    let (ann, bob) = (join(house.address)?, join(house.address)?);

    let listener = tokio::spawn(listen(bob.subscribe("lobby")?));

    let who = bob.request(Message::bare("who")).await?.ok_or("an empty answer")?;
    println!("bob asks who is there: {}", who.parse::<Value>()?);

    for n in 1..=LINES {
        if n == LINES / 2 {
            println!("the server is restarted");
            house.restart();
        }
        if n == LINES {
            // Answered when bob is back, and his room with him: so he hears the last one.
            bob.request_with(Message::bare("who"), RequestOptions::default().idempotent()).await?;
        }
        let line = Message::new("line", &json!({"room": "lobby", "n": n}))?;
        let outcome = ann.send_tracked(line, SendOptions::at_least_once())?.await;
        assert_eq!(outcome, Outcome::Acked, "line {n}");
    }

    let heard = listener.await?;
    println!("bob heard {} of {LINES} lines", heard.len());
    assert!(heard.is_sorted() && heard.windows(2).all(|two| two[0] != two[1]), "in order and once: {heard:?}");
    for person in [ann, bob] {
        person.close(Drain::within(Duration::from_secs(2))).await;
    }
    Ok(())
}

/// The numbers of the lines that are heard, to the last one.
async fn listen(mut room: Subscription<Json>) -> Vec<u64> {
    let mut heard = Vec::new();
    while heard.last() != Some(&LINES) {
        let Some(update) = room.next().await else { break };
        match update {
            Update::Message { message, .. } => {
                heard.extend(message.parse::<Value>().ok().and_then(|line| line["n"].as_u64()));
            }
            Update::News(news) => println!("bob: {news:?}"),
            Update::Snapshot(_) | Update::Lagged(_) | _ => {}
        }
    }
    heard
}

/// Somebody comes in.
fn join(address: SocketAddr) -> Result<Client<Json>, Box<dyn Error>> {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(50);
    let (client, events, driver) = steadfast_tokio::connect(&format!("ws://{address}/"))
        .protocol(Json::default().acks(true))
        .config(config)
        .mailbox(Mailbox::pause(64, 1 << 20))
        .build()?;
    drop(events);
    tokio::spawn(driver);
    Ok(client)
}

/// The server: what outlives a restart, as a database would.
struct House {
    address: SocketAddr,
    /// What everybody in a room hears.
    lines: broadcast::Sender<(Text, Value)>,
    /// Ids of lines that were taken.
    taken: Mutex<BTreeSet<String>>,
    /// Ends all visits.
    restarts: broadcast::Sender<()>,
}

impl House {
    async fn open() -> Result<Arc<Self>, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, taken) = (listener.local_addr()?, Mutex::default());
        let house = Self { address, lines: broadcast::channel(256).0, taken, restarts: broadcast::channel(1).0 };
        let house = Arc::new(house);
        tokio::spawn(Arc::clone(&house).serve(listener));
        Ok(house)
    }

    fn restart(&self) {
        let _ = self.restarts.send(());
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut visits = JoinSet::new();
        let mut restarts = self.restarts.subscribe();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => {
                    visits.spawn(visit(Arc::clone(&self), stream));
                }
                _ = restarts.recv() => visits.abort_all(),
            }
        }
    }
}

async fn visit(house: Arc<House>, stream: TcpStream) -> Result<(), tungstenite::Error> {
    let mut link = accept_async(stream).await?;
    let (mut rooms, mut lines) = (BTreeSet::<Text>::new(), house.lines.subscribe());
    loop {
        let said = tokio::select! {
            word = link.next() => match word {
                Some(Ok(tungstenite::Message::Text(word))) => {
                    answer(&house, &serde_json::from_str(&word).unwrap_or_default(), &mut rooms)
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Ok(()),
            },
            Ok((room, line)) = lines.recv() => {
                if !rooms.contains(&room) {
                    continue;
                }
                json!({"type": "line", "channel": room.as_str(), "data": line})
            }
        };
        link.send(tungstenite::Message::text(said.to_string())).await?;
    }
}

fn answer(house: &House, word: &Value, rooms: &mut BTreeSet<Text>) -> Value {
    let (id, channel) = (&word["id"], &word["channel"]);
    match word["type"].as_str() {
        Some("subscribe") => {
            rooms.extend(channel.as_str().map(Text::from));
            json!({"type": "subscribed", "channel": channel, "reply_to": id})
        }
        Some("unsubscribe") => {
            rooms.retain(|room| Some(room.as_str()) != channel.as_str());
            json!({"type": "unsubscribed", "channel": channel, "reply_to": id})
        }
        Some("who") => json!({"type": "people", "data": ["ann", "bob"], "reply_to": id}),
        Some("line") => {
            // Taken once, however often it comes; told to the room, and then acknowledged.
            let is_new = house.taken.lock().is_ok_and(|mut taken| taken.insert(id.to_string()));
            if is_new {
                let room = word["data"]["room"].as_str().unwrap_or_default();
                let _ = house.lines.send((room.into(), word["data"].clone()));
            }
            json!({"type": "ack", "id": id})
        }
        _ => json!({"type": "error", "data": {"message": "what?"}, "reply_to": id}),
    }
}
