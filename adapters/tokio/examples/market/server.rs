//! An exchange for one visitor at a time. It closes with 1008 whoever says more than five things in any second, goes
//! away in the middle of the day, and skips a number now and then.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// So much may a visitor say within a second.
pub(crate) const LIMIT: usize = 5;
/// So many stocks it has.
const STOCKS: usize = 11;
/// So many ticks the day lasts after somebody follows all of them.
const DAY: u64 = 100;
/// After this tick of a day one is missing.
const SKIPPED: u64 = 10;

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener) {
    let mut seq = 0;
    while let Ok((stream, _)) = listener.accept().await {
        if let Ok(link) = accept_async(stream).await {
            let _ = visit(link, &mut seq).await;
        }
    }
}

async fn visit(
    mut link: WebSocketStream<TcpStream>,
    seq: &mut u64,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (mut topics, mut said, mut told) = (Vec::<String>::new(), VecDeque::<Instant>::new(), 0);
    let mut clock = interval(Duration::from_millis(20));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while told < DAY {
        let answers = tokio::select! {
            word = link.next() => {
                let Some(Ok(word)) = word else { return Ok(()) };
                let Message::Text(word) = word else { continue };
                if is_flood(&mut said) {
                    println!("exchange: too fast!");
                    return link.close(Some(policy())).await;
                }
                answer(&serde_json::from_str(&word).unwrap_or_default(), &mut topics)
            }
            _ = clock.tick(), if !topics.is_empty() => {
                let is_open = topics.len() == STOCKS;
                told += u64::from(is_open);
                *seq += if is_open && told == SKIPPED { 2 } else { 1 };
                let sid = *seq as usize % topics.len();
                vec![json!({"ev": "tick", "sid": sid, "seq": *seq, "d": {"of": topics[sid], "price": 100 + *seq % 7}})]
            }
        };
        for answer in answers {
            link.send(Message::text(answer.to_string())).await?;
        }
    }
    // The end of the day: no goodbye.
    Ok(())
}

fn answer(word: &Value, topics: &mut Vec<String>) -> Vec<Value> {
    let req = &word["req"];
    match word["do"].as_str() {
        Some("login") => vec![json!({"ev": "challenge", "nonce": "a riddle"})],
        Some("sign") if word["signature"] == super::protocol::sign(Some(&"key".into()), b"a riddle") => {
            vec![json!({"ev": "welcome"})]
        }
        Some("sign") => vec![json!({"ev": "denied", "why": "that is not your hand"})],
        Some("subscribe") => {
            let asked = word["topics"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let entries: Vec<_> = asked.map(|topic| entry(topic, topics)).collect();
            vec![json!({"ev": "subscribed", "req": req, "entries": entries})]
        }
        Some("unsubscribe") => vec![json!({"ev": "done", "req": req})],
        Some("book") => vec![json!({"ev": "answer", "req": req, "d": {"of": word["of"], "bids": 3, "asks": 4}})],
        Some("order") if word["of"] == "TULIP" => vec![json!({"ev": "refused", "req": req, "why": "not since 1637"})],
        Some("order") => vec![json!({"ev": "ok", "req": req})],
        _ => vec![],
    }
}

fn entry(topic: &str, topics: &mut Vec<String>) -> Value {
    if topic == "TULIP" {
        return json!({"topic": topic, "why": "not since 1637"});
    }
    topics.push(topic.to_owned());
    json!({"topic": topic, "sid": topics.len() - 1})
}

/// Whether that was one too many within the last second.
fn is_flood(said: &mut VecDeque<Instant>) -> bool {
    let now = Instant::now();
    said.push_back(now);
    said.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
    said.len() > LIMIT
}

fn policy() -> tokio_tungstenite::tungstenite::protocol::CloseFrame {
    tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1008.into(), reason: "too fast".into() }
}
