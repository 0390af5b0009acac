//! The parts of a session: plain structs that know nothing of each other. A part takes the time where it
//! needs it and chance where it needs it, and answers with a small value that says what happened.

#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod activity;
mod backoff;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod credentials;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod endpoints;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod flow;
mod heartbeat;
mod history;
mod identity;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
#[path = "../session/keepsake.rs"]
mod keepsake;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod latency;
mod login;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod network;
mod outbox;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod patience;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod presence;
mod proof;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod quality;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod queueing;
#[cfg_attr(not(test), expect(dead_code, reason = "wired in the next commit"))]
mod refresh;
mod samples;
mod window;

pub(crate) use backoff::Backoff;
pub(crate) use credentials::{Credentials, Refusal};
pub(crate) use heartbeat::{Beat, Heartbeat, Pulse};
pub(crate) use history::History;
pub(crate) use identity::{Ids, base36};
pub(crate) use login::Login;
pub(crate) use outbox::{Ended, Next, Outbox, Standing};
pub(crate) use proof::Proof;
pub(crate) use window::Flights;
