//! A server that closes with 1008 whoever says more than five things in any second, over all of their links: on real
//! sockets and in real time, with the slack that a bucket has by default. (In virtual time, strictly:
//! `sim/tests/pacing.rs`.)
//!
//! ```text
//! cargo test -p steadfast-tokio --features json --test burst -- --ignored --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use steadfast::{
    Bucket, Config, SendOptions, StopCause,
    protocol::json::{Json, Message},
};
use steadfast_tokio::{Drain, connect};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        self,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

const LIMIT: u32 = 5;
const SECOND: Duration = Duration::from_secs(1);
const TOPICS: usize = 20;
/// How many frames a link lasts, in turn: some end in the middle of the burst, some in calm.
const LASTS: [usize; 6] = [3, 30, 36, 1, 12, 26];

/// How often the client says something.
const OFTEN: Duration = Duration::from_millis(290);
/// How often the server looks whether something came.
const LOOKS: Duration = Duration::from_millis(5);

/// A server, and what it has seen. It counts all that is said, as the strictest do: pings and pongs too.
#[derive(Debug)]
struct Server {
    /// The frames that may have come within the last second: when each of them came at the earliest. That is when it
    /// last was certain that there was none, so that a machine which has no time for the server does not blame the client.
    said: VecDeque<Instant>,
    /// The last two times it looked. Between them it went to the operating system, so what comes now came after the first.
    looked: [Instant; 2],
    frames: usize,
    links: usize,
    /// Links on which all topics were asked for.
    restored: usize,
    /// How often the limit was passed.
    floods: usize,
}

impl Server {
    /// On a thread of its own, so that nothing but the machine delays its clock.
    fn spawn(lasts: Duration) -> (String, thread::JoinHandle<Self>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let serve = async move {
            let mut server = Self {
                said: VecDeque::new(),
                looked: [Instant::now(); 2],
                frames: 0,
                links: 0,
                restored: 0,
                floods: 0,
            };
            let _ = timeout(lasts, server.serve(TcpListener::from_std(listener).unwrap())).await;
            server
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        (url, thread::spawn(move || runtime.block_on(serve)))
    }

    /// To the first flood.
    async fn serve(&mut self, listener: TcpListener) {
        while self.floods == 0 {
            let stream = listener.accept().await.unwrap().0;
            self.looked = [Instant::now(); 2];
            if let Ok(link) = accept_async(stream).await {
                // A link that was lost meanwhile is one of those that end.
                let _ = self.visit(link).await;
            }
        }
    }

    async fn visit(&mut self, mut link: WebSocketStream<TcpStream>) -> Result<(), tungstenite::Error> {
        let lasts = self.frames + LASTS[self.links % LASTS.len()];
        let (mut looks, mut pings, mut topics) = (interval(LOOKS), interval(2 * SECOND), 0);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        self.links += 1;
        while self.frames < lasts {
            let word = tokio::select! {
                biased;
                word = link.next() => word,
                _ = looks.tick() => {
                    self.looked = [self.looked[1], Instant::now()];
                    continue;
                }
                _ = pings.tick() => {
                    link.send(tungstenite::Message::Ping(Vec::new().into())).await?;
                    continue;
                }
            };
            let Some(Ok(word)) = word else { return Ok(()) };
            if word.is_close() {
                return Ok(());
            }
            if self.is_flood() {
                return link.close(Some(close(CloseCode::Policy))).await;
            }
            // A pong is no JSON, and wants no answer.
            let word: Value = serde_json::from_str(word.to_text().unwrap_or_default()).unwrap_or_default();
            if word["type"] == "subscribe" {
                topics += 1;
                self.restored += usize::from(topics == TOPICS);
            }
            if let Some(answer) = answer(&word) {
                link.send(tungstenite::Message::text(answer.to_string())).await?;
            }
        }
        // Every other time without a word.
        if self.links % 2 == 0 { link.close(Some(close(CloseCode::Restart))).await } else { Ok(()) }
    }

    /// Whether that was one too many within the last second.
    fn is_flood(&mut self) -> bool {
        let now = Instant::now();
        self.said.push_back(self.looked[0]);
        self.said.retain(|at| now.duration_since(*at) < SECOND);
        let is_flood = self.said.len() > LIMIT as usize;
        self.frames += 1;
        self.floods += usize::from(is_flood);
        is_flood
    }
}

fn answer(word: &Value) -> Option<Value> {
    let (id, channel) = (&word["id"], &word["channel"]);
    match word["type"].as_str()? {
        "subscribe" => Some(json!({"type": "subscribed", "channel": channel, "reply_to": id})),
        "reading" => None,
        other => panic!("{other} is not said here"),
    }
}

fn close(code: CloseCode) -> CloseFrame {
    CloseFrame { code, reason: "".into() }
}

fn config() -> Config {
    let mut config = Config::default();
    config.pacing.buckets = vec![Bucket::new(LIMIT, SECOND)];
    // Back as soon as possible: what the last link said is not a second old.
    config.retry.base = Duration::from_millis(10);
    config.retry.cap = Duration::from_millis(50);
    config.retry.floor = Duration::from_millis(1);
    config
}

/// Twenty topics, and a message every now and then, so that slots are free again one by one.
async fn burst(config: Config, lasts: Duration) -> Server {
    let (url, server) = Server::spawn(lasts);
    let (client, events, driver) = connect(&url).protocol(Json::default()).config(config).build().unwrap();
    drop(events);
    let driver = tokio::spawn(driver);
    let topics: Vec<_> = (0..TOPICS).map(|n| client.subscribe(format!("room {n}")).unwrap()).collect();
    let talk = {
        let (client, mut often) = (client.clone(), interval(OFTEN));
        tokio::spawn(async move {
            loop {
                often.tick().await;
                // Refused if it cannot leave at once.
                let _ = client.send_with(Message::bare("reading"), SendOptions::volatile());
            }
        })
    };
    let seen = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    drop(topics);
    talk.abort();
    assert_eq!(client.close(Drain::within(Duration::ZERO)).await, StopCause::User);
    driver.await.unwrap();
    seen
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn resubscribing_for_a_minute_is_never_closed_for_it() {
    let seen = burst(config(), 60 * SECOND).await;
    println!("{} frames over {} links, {} of them restored", seen.frames, seen.links, seen.restored);
    assert_eq!(seen.floods, 0, "{seen:?}");
    // Four topics and three messages in 1.05 s may leave: if much less does this shows nothing.
    assert!(seen.frames >= 120 && seen.links >= 6 && seen.restored >= 3, "{seen:?}");
}

/// The server is such that it matters.
#[tokio::test]
async fn without_pacing_it_is_closed() {
    let mut config = config();
    config.pacing.buckets.clear();
    let seen = burst(config, 60 * SECOND).await;
    assert_eq!((seen.floods, seen.frames), (1, LIMIT as usize + 1));
}

#[tokio::test]
async fn nor_may_the_last_link_be_forgotten() {
    let mut config = config();
    config.pacing.per_link = true;
    let seen = burst(config, 60 * SECOND).await;
    assert_eq!((seen.floods, seen.frames), (1, LIMIT as usize + 1));
}
