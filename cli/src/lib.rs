//! The `steadfast` command, as a library: its tests use the parts one by one.
#![forbid(unsafe_code)]

pub mod chaos;
mod command;
mod failure;
pub mod server;
mod trace;

pub use command::run;
pub use failure::Failure;
