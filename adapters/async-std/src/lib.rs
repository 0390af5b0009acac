//! `steadfast` on async-std: a WebSocket session that holds.
#![cfg_attr(feature = "tls", doc = "", doc = include_str!("../README.md"))]

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

/// A session over links that the embedder opens: a Unix socket, a tunnel of some kind, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, AsyncStd, D> {
    Builder::new(AsyncStd::new(), Ok(dialer))
}
