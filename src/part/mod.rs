//! The parts of a session: plain structs that know nothing of each other. A part takes the time where it
//! needs it and chance where it needs it, and answers with a small value that says what happened.

mod backoff;
mod heartbeat;
mod history;
mod login;
mod outbox;
mod window;

pub(crate) use backoff::Backoff;
pub(crate) use heartbeat::{Beat, Heartbeat, Pulse};
pub(crate) use history::History;
pub(crate) use login::{Credentials, Login, Refusal};
pub(crate) use outbox::{Ended, Next, Outbox, Standing};
pub(crate) use window::Flights;
