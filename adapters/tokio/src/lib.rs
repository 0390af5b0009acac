//! `steadfast` on tokio: a WebSocket session that holds.
#![cfg_attr(feature = "tls", doc = "", doc = include_str!("../README.md"))]

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

/// A session over links that the embedder opens: a Unix socket, a tunnel of some kind, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, Tokio, D> {
    Builder::new(Tokio::new(), Ok(dialer))
}

/// The examples of the README, so that they compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The programs of those who come from elsewhere, as they are afterwards.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/migration.md")]
struct Migration;
