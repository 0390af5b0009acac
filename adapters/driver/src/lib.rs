//! The one async loop and the handle that every adapter of `steadfast` shares.
//!
//! Applications take the package of their runtime, which shows all that they need of this one. Who writes one for another
//! runtime brings a [`Net`], and has [`Native`] and [`Tcp`] make the rest of it; the page `docs/adapters.md` of the repository
//! says what each part must keep. Where there are no sockets, a [`Runtime`] and a [`Dialer`] of one's own take their place.
//!
//! In the browser, which has WebSockets and no sockets, `Ws`, `MaybeTls`, `Tcp`, `Native`, `Upgrade::over` and all that the feature `tls`
//! brings are left out.

mod address;
mod build_error;
mod builder;
mod changes;
mod client;
mod desk;
mod driver;
mod events;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod handshake;
mod host;
mod inbox;
mod kept;
mod latest;
mod least;
mod links;
mod lives;
mod log;
mod mailbox;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod maybe_tls;
#[cfg(feature = "json")]
mod named;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod native;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod proxy;
mod queue;
mod reading;
mod request;
mod runtime;
mod shared;
mod slots;
mod stream;
mod subscription;
mod sync;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod tcp;
mod ticket;
#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
mod tls;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod told;
mod transport;
mod upgrade;
mod userinfo;
mod waiters;
mod waits;
mod weights;
#[cfg(test)]
mod wire;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod wristwatch;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod ws;

pub use address::{Address, BadAddress};
pub use build_error::BuildError;
pub use builder::{Builder, Built};
pub use client::{Client, Drain, LAST_DRAIN};
pub use driver::Driver;
pub use events::{Events, Item, Lagged};
pub use host::Ask;
pub use kept::Kept;
pub use latest::Latest;
pub use mailbox::{EVENTS_BYTES_MAX, EVENTS_MAX, Mailbox};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use maybe_tls::MaybeTls;
#[cfg(feature = "json")]
pub use named::NotEmitted;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use native::{Countdown, Native, Net, Timer};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use proxy::{BadProxy, Proxy};
pub use request::{Request, RequestError};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use runtime::Routing;
#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
pub use runtime::Securing;
pub use runtime::{Clock, Dial, Dialer, Runtime, Sleep, Upgrading};
pub use stream::Socket;
pub use subscription::{SubscribeError, Subscribed, Subscription, Update};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use tcp::{Tcp, cause_of, open_tcp};
pub use ticket::Ticket;
#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
pub use tls::{BadTrust, Tls, Trust};
pub use transport::{Io, Transport};
pub use upgrade::{BadHeader, Upgrade};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use wristwatch::Wristwatch;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use ws::Ws;
