//! The one async loop and the handle that every adapter of `steadfast` shares.

mod runtime;
mod transport;

pub use runtime::{Dial, Runtime, Sleep};
pub use transport::{Io, Transport};
