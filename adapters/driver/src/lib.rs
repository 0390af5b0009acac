//! The one async loop and the handle that every adapter of `steadfast` shares.

mod address;
mod handshake;
mod runtime;
mod transport;
#[cfg(test)]
mod wire;
mod ws;

pub use address::{Address, BadAddress};
pub use handshake::{BadHeader, Upgrade};
pub use runtime::{Dial, Runtime, Sleep};
pub use transport::{Io, Transport};
pub use ws::Ws;
