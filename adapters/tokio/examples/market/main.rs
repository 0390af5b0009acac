//! Market data from an exchange with a protocol of its own: a login by challenge, twelve topics of which one is refused,
//! a limit of five words a second that closes the link if it is passed, sequence numbers, and a server that goes away
//! twice in the middle of it.
//!
//! ```text
//! cargo run -p steadfast-tokio --example market
//! ```
//!
//! The exchange runs in the same process and knows nothing of `steadfast`. The example ends by itself, with 0 if it
//! saw what it promises.

mod protocol;
mod server;

use std::{collections::BTreeMap, error::Error, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use steadfast::{Bucket, Config, Outcome, RequestOptions, SendOptions, TopicNews};
use steadfast_tokio::{Client, Drain, Subscription, Update};
use tokio::{net::TcpListener, task::JoinSet};

use protocol::Exchange;

const STOCKS: [&str; 12] = ["AAPL", "AMD", "ASML", "BP", "IBM", "INTC", "NOK", "ORCL", "SAP", "SHEL", "TSM", "TULIP"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(server::serve(listener));

    let client = connect(address)?;

    let mut tickers = JoinSet::new();
    for stock in STOCKS {
        tickers.spawn(follow(stock, client.subscribe(stock)?));
    }

    // A request while all this goes on, and an order that the exchange does not want. To look twice does no harm, so the
    // request goes along when a link is lost.
    let look = RequestOptions::default().idempotent().deadline(Duration::from_secs(60));
    let book = client.request_with(json!({"do": "book", "of": "IBM"}), look).await?;
    println!("book of IBM: {}", book.unwrap_or_default());
    let order = client.send_tracked(json!({"do": "order", "of": "TULIP"}), SendOptions::at_least_once())?;
    let outcome = order.await;
    println!("order of TULIP: {outcome:?}");
    assert!(matches!(outcome, Outcome::Failed(_)));

    let mut seen = BTreeMap::new();
    while let Some(ticker) = tickers.join_next().await {
        let (stock, prices, gaps) = ticker?;
        println!("{stock:>5}: {prices} prices, {gaps} gaps");
        seen.insert(stock, (prices, gaps));
    }
    assert_eq!(seen.remove("TULIP"), Some((0, 0)), "it was refused, and stopped none of the others");
    assert!(seen.values().all(|(prices, gaps)| *prices > 0 && *gaps >= 2), "each was told of both new links");
    report(&client);
    client.close(Drain::within(Duration::from_secs(2))).await;
    Ok(())
}

fn connect(address: SocketAddr) -> Result<Client<Exchange>, Box<dyn Error>> {
    let mut config = Config::market_data();
    config.retry.base = Duration::from_millis(100);
    config.pacing.buckets = vec![Bucket::new(server::LIMIT as u32, Duration::from_secs(1))];
    let (client, events, driver) = steadfast_tokio::connect(&format!("ws://{address}/"))
        .protocol(Exchange)
        .config(config)
        .credential("key")
        .build()?;
    drop(events);
    tokio::spawn(driver);
    Ok(client)
}

/// Follows one stock over two ends of the exchange's day: how many prices came, and how often some may be missing.
async fn follow(stock: &'static str, mut ticks: Subscription<Exchange>) -> (&'static str, u64, u64) {
    let (mut prices, mut gaps, mut last) = (0, 0, None::<u64>);
    while let Some(update) = ticks.next().await {
        match update {
            Update::Message { message, mark, .. } => {
                let position = mark.marks().and_then(|marks| marks.position);
                // The exchange numbers all its ticks, so they only grow for one stock.
                assert!(position > last, "nothing comes twice, and nothing late");
                last = position;
                prices += u64::from(message["price"] != Value::Null);
                if gaps >= 2 {
                    break;
                }
            }
            Update::News(TopicNews::Gap { last: known }) => {
                assert_eq!(known, last, "the gap begins behind what we have");
                gaps += 1;
            }
            Update::News(news) => println!("{stock:>5}: {news:?}"),
            Update::Snapshot(_) | Update::Lagged(_) | _ => {}
        }
    }
    (stock, prices, gaps)
}

fn report(client: &Client<Exchange>) {
    let stats = client.stats();
    println!("{} links, {} messages, {} frames sent", stats.online, stats.received, stats.frames_out);
}
