//! The core in a loop of one's own: `epoll` by hand, no async runtime, no thread but this one.
//!
//! ```text
//! cargo run --features json --example epoll
//! ```
//!
//! The loop stands in `driver.rs`, what a link is in `link.rs`; docs/embedding.md goes through both. Around them are a server that hangs up in the
//! middle (a thread of the same process, on another library) and an application that says its orders line by line, through
//! a pipe that the loop waits for, too. The example ends by itself, with 0 if each order arrived once and in order.

#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
mod link;

use std::{
    collections::BTreeSet,
    error::Error,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use serde_json::{Value, json};
use tungstenite::{WebSocket, accept};

const ORDERS: u64 = 100;
/// After so many messages the server hangs up.
const PATIENCE: usize = 30;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn Error>> {
    use std::{io::Write, os::unix::net::UnixStream, time::Duration};

    use steadfast::{Config, Session, protocol::json::Json};

    let (server, arrived) = shop()?;
    let (mut pen, lines) = UnixStream::pair()?;
    let application = thread::spawn(move || (1..=ORDERS).try_for_each(|number| writeln!(pen, "{number}")));

    let mut config = Config::default();
    config.retry.base = Duration::from_millis(50);
    let session = Session::new(Json::default().acks(true), config, 7)?;
    driver::Driver::new(session, server, lines)?.run()?;

    application.join().map_err(|_| "the application")??;
    let arrived: Vec<u64> = arrived.try_iter().collect();
    println!("{} orders arrived", arrived.len());
    assert!(arrived.into_iter().eq(1..=ORDERS), "once, and in order");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> Result<(), Box<dyn Error>> {
    let _ = (ORDERS, shop as fn() -> _);
    Err("epoll is Linux's".into())
}

/// The server: where it is, and the numbers of the orders that it took.
fn shop() -> io::Result<(SocketAddr, Receiver<u64>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (taken, arrived) = channel();
    thread::spawn(move || {
        let mut known = BTreeSet::new();
        for stream in listener.incoming().flatten() {
            if let Ok(link) = accept(stream) {
                serve(link, &mut known, &taken);
            }
        }
    });
    Ok((address, arrived))
}

/// Takes each order by its id, once, however often it comes, and says that it has it.
fn serve(mut link: WebSocket<TcpStream>, known: &mut BTreeSet<String>, taken: &Sender<u64>) {
    for _ in 0..PATIENCE {
        let Ok(message) = link.read() else { return };
        let Ok(order) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        if known.insert(order["id"].to_string()) {
            let _ = taken.send(order["data"].as_u64().unwrap_or_default());
        }
        let ack = json!({"type": "ack", "id": order["id"]});
        if link.send(ack.to_string().into()).is_err() {
            return;
        }
    }
}
