//! An exchange for one visitor at a time. It closes with 1008 whoever says more than five things in any second, goes
//! away at the end of each day, and skips a number now and then.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{self, Message, protocol::CloseFrame},
};

/// So much may a visitor say within a second.
pub(crate) const LIMIT: u32 = 5;
/// So many stocks it has.
const STOCKS: usize = 5;
/// So many ticks the day lasts after somebody follows all of them.
const DAY: u64 = 120;
/// Before this tick of a day one is missing.
const SKIPPED: u64 = 10;

/// The last tick of each stock.
type Seqs = BTreeMap<String, u64>;

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener) {
    let (mut seqs, mut said) = (Seqs::new(), VecDeque::new());
    while let Ok((stream, _)) = listener.accept().await {
        if let Ok(link) = accept_async(stream).await {
            let _ = visit(link, &mut seqs, &mut said).await;
        }
    }
}

/// To the end of the day, at which there is no goodbye.
async fn visit(
    mut link: WebSocketStream<TcpStream>,
    seqs: &mut Seqs,
    said: &mut VecDeque<Instant>,
) -> Result<(), tungstenite::Error> {
    let (mut feeds, mut ticks) = (Vec::new(), 0);
    let mut clock = interval(Duration::from_millis(20));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ticks < DAY {
        let answer = tokio::select! {
            word = link.next() => match word {
                Some(Ok(_)) if is_flood(said) => {
                    println!("exchange: too fast!");
                    return link.close(Some(CloseFrame { code: 1008.into(), reason: "too fast".into() })).await;
                }
                Some(Ok(Message::Text(word))) => answer(&serde_json::from_str(&word).unwrap_or_default(), &mut feeds, seqs),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Ok(()),
            },
            _ = clock.tick(), if feeds.len() >= STOCKS => {
                ticks += 1;
                let sid = ticks as usize % feeds.len();
                let seq = seqs.entry(feeds[sid].clone()).or_default();
                *seq += if ticks == SKIPPED { 2 } else { 1 };
                json!({"ev": "tick", "sid": sid, "seq": *seq, "d": {"price": 100 + *seq % 7}})
            }
        };
        link.send(Message::text(answer.to_string())).await?;
    }
    Ok(())
}

fn answer(word: &Value, feeds: &mut Vec<String>, seqs: &Seqs) -> Value {
    let (req, stock) = (&word["req"], word["topic"].as_str().or(word["of"].as_str()).unwrap_or_default());
    match word["do"].as_str() {
        Some("login") => json!({"ev": "challenge", "nonce": "a riddle"}),
        Some("sign") if word["signature"] == super::protocol::sign(Some(&"key".into()), b"a riddle") => {
            json!({"ev": "welcome"})
        }
        Some("sign") => json!({"ev": "denied", "why": "that is not your hand"}),
        Some("subscribe" | "order") if stock == "TULIP" => {
            json!({"ev": "refused", "req": req, "why": "not since 1637"})
        }
        Some("subscribe") => {
            let sid = feeds.iter().position(|feed| feed == stock).unwrap_or(feeds.len());
            if sid == feeds.len() {
                feeds.push(stock.to_owned());
            }
            json!({"ev": "subscribed", "req": req, "topic": stock, "sid": sid, "seq": seqs.get(stock).unwrap_or(&0)})
        }
        Some("unsubscribe") => json!({"ev": "done", "req": req}),
        Some("book") => json!({"ev": "answer", "req": req, "d": {"of": stock, "bids": 3, "asks": 4}}),
        Some("order") => json!({"ev": "ok", "req": req}),
        _ => json!({"ev": "refused", "req": req, "why": "what?"}),
    }
}

/// Whether that was one too many within the last second, on whatever link.
fn is_flood(said: &mut VecDeque<Instant>) -> bool {
    let now = Instant::now();
    said.push_back(now);
    said.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
    said.len() > LIMIT as usize
}
