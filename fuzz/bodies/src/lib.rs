//! What the fuzz targets do. Everything is here, so that it compiles and runs on stable: the targets in
//! `fuzz/fuzz_targets` only call it, and `tests/replay.rs` runs the committed corpora through it.
//!
//! Each body reads what it needs from raw bytes and takes whatever comes, so that any file is a case.
//! A failure prints the story that led to it.

mod json;
mod keepsake;
mod outbox;
mod rig;
mod session;
mod settings;
mod trace;
mod ws;

pub use json::json;
pub use keepsake::keepsake;
pub use outbox::outbox;
pub use session::session;
pub use trace::trace;
pub use ws::ws;
