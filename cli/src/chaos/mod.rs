//! How does a client bear a bad network? A TCP proxy that breaks connections in eight ways, by a seed.
//!
//! A [`Proxy`] carries bytes and does what it is told; a [`Schedule`] says what comes when; a [`Storm`]
//! lets the one loose on the other.

mod fault;
mod line;
mod proxy;
mod schedule;
mod storm;

pub use fault::{Counts, Fault, Kind, Side};
pub use proxy::{Proxy, Unreachable};
pub use schedule::{Schedule, Strike};
pub use storm::Storm;
