//! `steadfast` on tokio: a WebSocket session that holds.
//!
//! ```no_run
//! use std::time::Duration;
//! use steadfast::Event;
//! use steadfast_tokio::{Drain, Item};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events, driver) = steadfast_tokio::connect("ws://127.0.0.1:9001/live").build()?;
//! tokio::spawn(driver);
//! client.send("hello")?; // at once, link or no link
//! while let Some(item) = events.next().await {
//!     match item {
//!         Item::Event(Event::Message { message, .. }) => println!("{message:?}"),
//!         Item::Event(Event::Phase(change)) => println!("{}", change.to),
//!         Item::Error(error) => eprintln!("{error}"),
//!         _ => {}
//!     }
//! }
//! client.close(Drain::within(Duration::from_secs(2))).await;
//! # Ok(())
//! # }
//! ```
//!
//! All that is said there and in [`Client`], [`Events`] and [`Driver`] holds for every runtime. This package
//! adds tokio's clock and timers, its streams, and a dialer for `ws://` and, with the feature `tls` (on by default),
//! `wss://`.
//!
//! # TLS
//!
//! Whom the machine trusts is trusted, and nothing has to be set. [`Builder::trust`] changes that:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "tls")] {
//! # let made = rcgen::generate_simple_self_signed(["client.example".to_owned()])?;
//! # let (company, chain, key) = (made.cert.pem(), made.cert.pem(), made.signing_key.serialize_pem());
//! use steadfast_tokio::Trust;
//!
//! // The texts of PEM files: a root of our own, trusted as well, and a certificate to show to the server.
//! let trust = Trust::platform().and(&company)?.identity(&chain, &key)?;
//! let (client, events, driver) = steadfast_tokio::connect("wss://prices.example/live").trust(trust).build()?;
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! A server whose certificate is not accepted ends the session at once and says why
//! ([`Cause::Tls`](steadfast::Cause::Tls)): no retry would change it. Everything else that can go wrong in TLS is tried
//! again.

mod io;
mod net;

use steadfast::Plain;

pub use io::{TokioIo, open_ws};
pub use net::{Countdown, Net, open_tcp};
pub use steadfast_driver::{
    BadProxy, BuildError, Builder, Client, Dialer, Drain, EVENTS_BYTES_MAX, EVENTS_MAX, Events, Item, Kept, LAST_DRAIN,
    Lagged, Latest, Mailbox, Proxy, Request, RequestError, SubscribeError, Subscribed, Subscription, Ticket, Update,
    Upgrade, cause_of,
};
#[cfg(feature = "tls")]
pub use steadfast_driver::{BadTrust, Trust};

/// The clock and the timers. See [`steadfast_driver::Native`].
pub type Tokio = steadfast_driver::Native<Net>;
/// The dialer for `ws://` and `wss://`. See [`steadfast_driver::Tcp`].
pub type Tcp = steadfast_driver::Tcp<Net>;
/// A timer on tokio's wheel; arming it panics outside a runtime, and in one that was built without timers.
pub type Timer = steadfast_driver::Timer<Countdown>;
/// The future that keeps a session going. See [`steadfast_driver::Driver`].
pub type Driver<P, D = Tcp> = steadfast_driver::Driver<P, Tokio, D>;
/// A session in one piece. See [`steadfast_driver::Socket`].
pub type Socket<P, D = Tcp> = steadfast_driver::Socket<P, Tokio, D>;

/// A session with the server at this `ws://` or `wss://` URL.
///
/// What is wrong with the URL is said by [`Builder::build`].
#[must_use]
pub fn connect(url: &str) -> Builder<Plain, Tokio, Tcp> {
    Builder::connect(url)
}

/// A session over links that the embedder opens: a Unix socket, a proxy, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, Tokio, D> {
    Builder::new(Tokio::new(), Ok(dialer))
}

/// The examples of the README, so that they compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
