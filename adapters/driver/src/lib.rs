//! The one async loop and the handle that every adapter of `steadfast` shares.
//!
//! In the browser, which has WebSockets and no sockets, `Ws` and `Upgrade::over` are left out.

mod address;
mod builder;
mod client;
mod driver;
mod events;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod handshake;
mod inbox;
mod links;
mod log;
mod mailbox;
#[cfg(feature = "json")]
mod named;
mod runtime;
mod shared;
mod stream;
mod ticket;
mod transport;
mod upgrade;
mod waiters;
mod waits;
mod weights;
#[cfg(test)]
mod wire;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod ws;

pub use address::{Address, BadAddress};
pub use builder::{BuildError, Builder, Built};
pub use client::{Client, Drain, LAST_DRAIN};
pub use driver::Driver;
pub use events::{Events, Item, Lagged};
pub use mailbox::{EVENTS_BYTES_MAX, EVENTS_MAX, Mailbox};
#[cfg(feature = "json")]
pub use named::NotEmitted;
pub use runtime::{Clock, Dial, Dialer, Runtime, Sleep, Upgrading};
pub use stream::Socket;
pub use ticket::Ticket;
pub use transport::{Io, Transport};
pub use upgrade::{BadHeader, Upgrade};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use ws::Ws;
