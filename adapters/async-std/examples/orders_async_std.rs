//! A hundred orders that all arrive, once and in order, though the server hangs up in the middle again and again.
//!
//! ```text
//! cargo run -p steadfast-async-std --features json --example orders_async_std
//! ```
//!
//! async-std is discontinued (RUSTSEC-2025-0052); a new program takes another adapter.
//!
//! The server is a thread of the same process, on another library: it speaks the protocol `json` of docs/json.md and knows
//! nothing of `steadfast`. The example ends by itself, with 0 if all is as it says. The other adapters have the same
//! example, so that the difference between two of them can be seen.

use std::{
    collections::BTreeSet,
    error::Error,
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use steadfast::{
    Config, Event, Outcome, SendOptions,
    protocol::json::{Json, Message},
};
use steadfast_async_std::{Client, Drain, Events, Item};
use tungstenite::{WebSocket, accept};

const ORDERS: u64 = 100;
/// After so many messages the server hangs up.
const PATIENCE: usize = 30;

fn main() -> Result<(), Box<dyn Error>> {
    async_std::task::block_on(async {
        let (url, arrived) = shop()?;
        let (client, events, driver) = steadfast_async_std::connect(&url)
            .protocol_with(|number| Json::new(number).acks(true))
            .config(quick())
            .build()?;
        let driver = async_std::task::spawn(driver);
        let teller = async_std::task::spawn(tell(events));
        order(&client).await?;
        client.close(Drain::within(Duration::from_secs(2))).await;
        driver.await;
        teller.await;
        let (arrived, dials) = (arrived.try_iter().collect::<Vec<_>>(), client.stats().dials);
        println!("{} orders arrived, over {dials} links", arrived.len());
        assert!(arrived.into_iter().eq(1..=ORDERS), "once, and in order");
        Ok(())
    })
}

/// Comes back quickly: the server of this example is never gone for long.
fn quick() -> Config {
    let mut config = Config::default();
    config.retry.base = Duration::from_millis(50);
    config
}

/// Orders everything at once, link or no link, and waits until each order has its outcome.
async fn order(client: &Client<Json>) -> Result<(), Box<dyn Error>> {
    let mut tickets = Vec::new();
    for number in 1..=ORDERS {
        let order = Message::new("order", &json!({ "number": number }))?;
        tickets.push(client.send_tracked(order, SendOptions::at_least_once())?);
    }
    for ticket in tickets {
        assert_eq!(ticket.await, Outcome::Acked);
    }
    Ok(())
}

/// Tells what becomes of the link, to the end of the session.
async fn tell(mut events: Events<Json>) {
    while let Some(item) = events.next().await {
        if let Item::Event(Event::Phase(change)) = item {
            println!("{}{}", change.to, change.cause.map(|why| format!(": {why}")).unwrap_or_default());
        }
    }
}

/// The server: where it is, and the numbers of the orders that it took.
fn shop() -> io::Result<(String, Receiver<u64>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let (taken, arrived) = channel();
    thread::spawn(move || {
        let mut known = BTreeSet::new();
        for stream in listener.incoming().flatten() {
            if let Ok(link) = accept(stream) {
                serve(link, &mut known, &taken);
            }
        }
    });
    Ok((url, arrived))
}

/// Takes each order by its id, once, however often it comes, and says that it has it.
fn serve(mut link: WebSocket<TcpStream>, known: &mut BTreeSet<String>, taken: &Sender<u64>) {
    for _ in 0..PATIENCE {
        let Ok(message) = link.read() else { return };
        let Ok(order) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        if known.insert(order["id"].to_string()) {
            let _ = taken.send(order["data"]["number"].as_u64().unwrap_or_default());
        }
        let ack = json!({"type": "ack", "id": order["id"]});
        if link.send(ack.to_string().into()).is_err() {
            return;
        }
    }
}
