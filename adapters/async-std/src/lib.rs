//! `steadfast` on async-std: a WebSocket session that holds.
//!
//! ```no_run
//! use steadfast::Event;
//! use steadfast_async_std::Item;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
//! let (client, mut events, driver) = steadfast_async_std::connect("ws://127.0.0.1:9001/live").build()?;
//! async_std::task::spawn(driver);
//! client.send("hello")?; // at once, link or no link
//! while let Some(item) = events.next().await {
//!     match item {
//!         Item::Event(Event::Message { message, .. }) => println!("{message:?}"),
//!         Item::Event(Event::Phase(change)) => println!("{}", change.to),
//!         Item::Error(error) => eprintln!("{error}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! All that is said in [`Client`], [`Events`] and [`Driver`] holds for every runtime, and the names are the same in each
//! adapter: to move from one to another, change the name of the package and how the driver is spawned. With the feature
//! `tls` (on by default) it speaks `wss://`.
//!
//! async-std is discontinued (RUSTSEC-2025-0052): nobody mends it any more. This adapter is for programs that are on it
//! still; a new one takes another adapter, such as `steadfast-smol`.

mod net;

use steadfast::Plain;

pub use net::{AsyncStdIo, Countdown, Net};
pub use steadfast_driver::{
    BadProxy, BuildError, Builder, Client, Dialer, Drain, EVENTS_BYTES_MAX, EVENTS_MAX, Events, Item, Kept, LAST_DRAIN,
    Lagged, Latest, Mailbox, Proxy, Request, RequestError, SubscribeError, Subscribed, Subscription, Ticket, Update,
    Upgrade, cause_of,
};
#[cfg(feature = "tls")]
pub use steadfast_driver::{BadTrust, Trust};

/// The clock and the timers. See [`steadfast_driver::Native`].
pub type AsyncStd = steadfast_driver::Native<Net>;
/// The dialer for `ws://` and `wss://`. See [`steadfast_driver::Tcp`].
pub type Tcp = steadfast_driver::Tcp<Net>;
/// The future that keeps a session going. See [`steadfast_driver::Driver`].
pub type Driver<P, D = Tcp> = steadfast_driver::Driver<P, AsyncStd, D>;
/// A session in one piece. See [`steadfast_driver::Socket`].
pub type Socket<P, D = Tcp> = steadfast_driver::Socket<P, AsyncStd, D>;

/// A session with the server at this `ws://` or `wss://` URL.
///
/// What is wrong with the URL is said by [`Builder::build`].
#[must_use]
pub fn connect(url: &str) -> Builder<Plain, AsyncStd, Tcp> {
    Builder::connect(url)
}

/// A session over links that the embedder opens: a Unix socket, a proxy, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, AsyncStd, D> {
    Builder::new(AsyncStd::new(), Ok(dialer))
}
