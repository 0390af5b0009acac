//! Market data from an exchange with a protocol of its own: a login by challenge, six topics of which one is refused, a
//! limit of five words a second that closes the link if it is passed, numbers of which one is missing each day, and a
//! server that goes away twice in the middle of it.
//!
//! ```text
//! cargo run -p steadfast-tokio --example market
//! ```
//!
//! The exchange runs in the same process and knows nothing of `steadfast`. The example ends by itself, with 0 if it
//! saw what it promises.

mod protocol;
mod server;

use std::{collections::BTreeSet, error::Error, net::SocketAddr, time::Duration};

use serde_json::json;
use steadfast::{Bucket, Config, Outcome, RequestOptions, SendOptions, TopicNews};
use steadfast_tokio::{Client, Drain, Subscription, Update};
use tokio::{net::TcpListener, task::JoinSet};

use protocol::Exchange;

const STOCKS: [&str; 6] = ["AAPL", "ASML", "BP", "IBM", "SAP", "TULIP"];
const DAYS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = connect(listener.local_addr()?)?;
    tokio::spawn(server::serve(listener));

    let mut tickers = JoinSet::new();
    for stock in STOCKS {
        tickers.spawn(follow(stock, client.subscribe(stock)?));
    }

    // A question while all this goes on, and an order that the exchange does not want. To look twice does no harm, so the
    // question goes along when a link is lost.
    let look = RequestOptions::default().idempotent().deadline(Duration::from_secs(60));
    let book = client.request_with(json!({"do": "book", "of": "IBM"}), look).await?;
    println!("book of IBM: {}", book.unwrap_or_default());
    let outcome = client.send_tracked(json!({"do": "order", "of": "TULIP"}), SendOptions::at_least_once())?.await;
    println!("order of TULIP: {outcome:?}");
    assert!(matches!(outcome, Outcome::Failed(_)));

    let mut holes = 0;
    while let Some(ticker) = tickers.join_next().await {
        let Seen { stock, prices, gaps, days } = ticker?;
        println!("{stock:>5}: {prices} prices on {days} days, {gaps} gaps");
        // The refused one stops none of the others, and each of those is told that nights are gaps.
        let expected = if stock == "TULIP" { (0, 0) } else { (DAYS, DAYS - 1) };
        assert!(days == expected.0 && gaps >= expected.1);
        holes += gaps - expected.1;
    }
    let stats = client.stats();
    println!("{} links, {} ticks, {} frames sent, {holes} holes", stats.online, stats.received, stats.frames_out);
    assert_eq!((stats.online, holes > 0), (DAYS as u64, true), "never too fast, and every hole is seen");
    client.close(Drain::within(Duration::from_secs(2))).await;
    Ok(())
}

fn connect(address: SocketAddr) -> Result<Client<Exchange>, Box<dyn Error>> {
    let mut config = Config::market_data();
    // Nights and holes are short here.
    (config.retry.base, config.retry.floor) = (Duration::from_millis(100), Duration::from_millis(20));
    // Generous with the slack: machines that run examples may have other things to do.
    config.pacing.buckets = vec![Bucket::new(server::LIMIT, Duration::from_secs(1)).slack(Duration::from_millis(200))];
    let (client, events, driver) = steadfast_tokio::connect(&format!("ws://{address}/"))
        .protocol(Exchange)
        .config(config)
        .credential("key")
        .build()?;
    drop(events);
    tokio::spawn(driver);
    Ok(client)
}

/// What was seen of a stock.
struct Seen {
    stock: &'static str,
    prices: usize,
    gaps: usize,
    days: usize,
}

/// Follows one stock until the morning of the last day.
async fn follow(stock: &'static str, mut ticks: Subscription<Exchange>) -> Seen {
    let (mut prices, mut gaps, mut last, mut days) = (0, 0, None, BTreeSet::new());
    while days.len() < DAYS {
        match ticks.next().await {
            Some(Update::Message { mark, link, .. }) => {
                let position = mark.marks().and_then(|marks| marks.position);
                assert!(position > last, "nothing comes twice, and nothing late");
                last = position;
                prices += 1;
                days.insert(link);
            }
            Some(Update::News(TopicNews::Gap { last: known })) => {
                assert_eq!(known, last, "the gap begins behind what we have");
                gaps += 1;
            }
            Some(Update::News(TopicNews::Confirmed)) => {}
            Some(other) => println!("{stock:>5}: {other:?}"),
            None => break,
        }
    }
    Seen { stock, prices, gaps, days: days.len() }
}
