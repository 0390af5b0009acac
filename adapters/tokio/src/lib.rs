//! `steadfast` on tokio.

mod clock;
mod dial;
mod io;
mod sleep;

pub use clock::Tokio;
pub use dial::{Tcp, cause_of, open_tcp, open_ws};
pub use io::TokioIo;
pub use sleep::Timer;
