//! `steadfast` on plain threads: a WebSocket session that holds, without a runtime.
//!
//! ```no_run
//! use std::time::Duration;
//! use steadfast::SendOptions;
//! use steadfast_blocking::{Drain, Recv, Wait, connect, spawn};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events, driver) = connect("ws://127.0.0.1:9001/live").build()?;
//! let session = spawn(driver)?; // a thread of its own
//! client.send("hello")?; // at once, link or no link
//! let outcome = client.send_tracked("and this", SendOptions::default())?.wait();
//! println!("{outcome:?}");
//! while let Ok(Some(item)) = events.recv_timeout(Duration::from_secs(5)) {
//!     println!("{item:?}");
//! }
//! client.close(Drain::within(Duration::from_secs(2))).wait();
//! # Ok(())
//! # }
//! ```
//!
//! The handle is that of every adapter. What is a future there is waited for with [`Wait`], what is a stream is read with
//! [`Recv`]: both with a deadline if one is wanted. One thread keeps one session going ([`spawn`], [`run`]) or many
//! ([`run_all`]); it sleeps in the system's poller, and wakes for its sockets, its timers and its handles alone.

mod run;
mod wait;

use steadfast::Plain;

pub use run::{run, run_all, spawn};
pub use steadfast_driver::{
    BadProxy, BuildError, Builder, Client, Dialer, Drain, EVENTS_BYTES_MAX, EVENTS_MAX, Events, Item, Kept, LAST_DRAIN,
    Lagged, Latest, Mailbox, Proxy, Request, RequestError, SubscribeError, Subscribed, Subscription, Ticket, Update,
    Upgrade, cause_of,
};
#[cfg(feature = "tls")]
pub use steadfast_driver::{BadTrust, Trust};
pub use steadfast_smol::{Countdown, Net};
pub use wait::{Late, Recv, Wait};

/// The clock and the timers. See [`steadfast_driver::Native`].
pub type Threads = steadfast_driver::Native<Net>;
/// The dialer for `ws://` and `wss://`. See [`steadfast_driver::Tcp`].
pub type Tcp = steadfast_driver::Tcp<Net>;
/// The future that keeps a session going. See [`steadfast_driver::Driver`].
pub type Driver<P, D = Tcp> = steadfast_driver::Driver<P, Threads, D>;
/// A session in one piece. See [`steadfast_driver::Socket`].
pub type Socket<P, D = Tcp> = steadfast_driver::Socket<P, Threads, D>;

/// A session with the server at this `ws://` or `wss://` URL.
///
/// What is wrong with the URL is said by [`Builder::build`].
#[must_use]
pub fn connect(url: &str) -> Builder<Plain, Threads, Tcp> {
    Builder::connect(url)
}

/// A session over links that the embedder opens: a Unix socket, a proxy, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, Threads, D> {
    Builder::new(Threads::new(), Ok(dialer))
}
