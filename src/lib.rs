//! `steadfast` keeps a WebSocket session alive.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod frame;
mod machine;
mod part;
pub mod protocol;
mod rng;
mod secret;
mod session;
mod time;

pub use error::{Cause, Code, Error, HttpAnswer, Kind, Recovery, Refused, Rejected, Unfit, Why};
pub use frame::{CloseCode, Frame, Text};
pub use machine::Machine;
pub use protocol::{
    Abilities, Acks, Complaint, GoAway, Heard, Limits, Mark, Marks, Never, Outgoing, Pings, Plain, Protocol, Resumed,
    Say, Topics, Tuning,
};
pub use rng::Rng;
pub use secret::Secret;
pub use session::{
    Action, Answer, Attempt, BadConfig, Change, Class, Command, Commands, Config, Down, Dropped, Event, Handshake,
    Health, HeartbeatPolicy, Input, Jitter, LinkId, OpId, Outcome, Overflow, Phase, QueuePolicy, Report, RetryPolicy,
    SendOptions, Session, Stats, Status, StopCause, Timer, Ttl, Window,
};
pub use time::Timestamp;
