//! `steadfast` on plain threads: a WebSocket session that holds.
#![cfg_attr(feature = "tls", doc = "", doc = include_str!("../README.md"))]

mod net;
mod reactor;
mod run;
mod wait;

use steadfast::Plain;

pub use net::{Countdown, Net, ThreadIo};
pub use run::{run, run_all, spawn};
pub use steadfast_driver::{
    BadProxy, BuildError, Builder, Client, Dialer, Drain, EVENTS_BYTES_MAX, EVENTS_MAX, Events, Item, Kept, LAST_DRAIN,
    Lagged, Latest, Mailbox, Proxy, Request, RequestError, SubscribeError, Subscribed, Subscription, Ticket, Update,
    Upgrade, cause_of,
};
#[cfg(feature = "tls")]
pub use steadfast_driver::{BadTrust, Trust};
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

/// A session over links that the embedder opens: a Unix socket, a tunnel of some kind, TLS of its own.
#[must_use]
pub fn over<D: Dialer>(dialer: D) -> Builder<Plain, Threads, D> {
    Builder::new(Threads::new(), Ok(dialer))
}
