//! `steadfast` keeps a WebSocket session alive.
//!
//! It is a state machine without input and output of its own: no clock, no socket, no thread, no hidden chance. You
//! tell it what happened and when; it tells you what to do: connect, send, flush, close, report. Everything that goes
//! wrong between two ends of a WebSocket is decided in it, so it can be tested without a network, to the last path,
//! and a failure is a seed that replays for ever.
//!
//! Applications take the adapter of their runtime (`steadfast-tokio`, `steadfast-smol`, `steadfast-blocking`). This crate is
//! for those who build on it: adapters, other libraries with a loop of their own, and tests.
//!
//! # One session
//!
//! ```text
//!   commands  --->  +-----------------------------------------------+
//!   connect, send,  |  wants      backoff    outbox     credentials  |  --->  actions
//!   stop, drain ... |                                                |        connect, send, flush-queue,
//!                   |  link: stage, heartbeat, window                |        close, abort,
//!   reports   --->  |  next     (during a planned rotation)          |        reconnect-after,
//!   up, frame,      |  leaving  (waits for the peer's goodbye)       |        emit-error, emit
//!   flushed, down   +-----------------------------------------------+
//! ```
//!
//! [`Session`] is a [`Machine`]; [`Commands`] has its commands as methods. A driver is a loop:
//!
//! ```
//! use std::collections::VecDeque;
//! use steadfast::{Action, Commands, Config, Event, Frame, Handshake, Plain, Report, Session, Timestamp};
//!
//! // A peer that echoes, in memory. A real driver has a socket here.
//! let (mut echo, mut fed, mut heard) = (VecDeque::new(), 0, Vec::new());
//! let (mut actions, mut micros) = (Vec::new(), 0);
//! let mut session = Session::new(Plain, Config::default(), 7)?;
//! session.send(Timestamp::ZERO, Frame::from("sent before there is a link"), &mut actions)?;
//! session.connect(Timestamp::ZERO, &mut actions);
//!
//! while heard.is_empty() {
//!     for action in actions.drain(..) {
//!         match action {
//!             Action::Connect(attempt) => echo.push_back((attempt.link, Report::Up(Box::new(Handshake::default())))),
//!             Action::Send { link, frame, .. } => {
//!                 fed += 1;
//!                 echo.push_back((link, Report::Frame(frame)));
//!             }
//!             Action::FlushQueue(link) => echo.push_back((link, Report::Flushed { frames: fed })),
//!             Action::Emit(Event::Message { message, .. }) => heard.push(message),
//!             Action::Emit(event) => println!("{event:?}"),
//!             Action::EmitError(error) => println!("{error}"),
//!             Action::Close { .. } | Action::Abort(_) | Action::ReconnectAfter { .. } | Action::AskCredential { .. } => {}
//!         }
//!     }
//!     micros += 1_000;
//!     match echo.pop_front() {
//!         Some((link, report)) => drop(session.report(Timestamp::from_micros(micros), link, report, &mut actions)),
//!         None => session.wake(Timestamp::from_micros(micros), &mut actions),
//!     }
//! }
//! assert_eq!(heard, [Frame::from("sent before there is a link")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! * Every accepted message ends in exactly one [`Outcome`], and each outcome says whether the peer has it.
//! * Messages leave in the order of their acceptance; nothing leaves before the login is answered.
//! * No two dials are closer than the floor. Only a link that held for [`Config::stable_for`] ends a row of failures.
//! * A refused credential is tried once more and then no more; what cannot succeed stops, loudly. What has worked
//!   before is given half an hour.
//! * A silent peer is found within interval and timeout, also while the application sends and while the socket takes
//!   no writes.
//! * Everything is bounded, and says what it did at the bound.
//!
//! # Words
//!
//! * **Session**: the logical connection, from its making to its end. **Link**: one transport connection that carries
//!   it; each attempt has a number ([`LinkId`]) that is never used again.
//! * **Command**: what the application wants. **Report**: what a transport saw. **Action**: what the driver shall do.
//!   **Event**: what the application should know.
//! * **Handed over**: given to the transport. **Flushed**: with the operating system. **Acknowledged**: the peer said
//!   that it has it. These are three different things.
//! * **Window**: what may be handed over and not flushed. **Floor**: the least time between two dials.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod address;
mod error;
mod frame;
mod machine;
mod message_log;
mod part;
pub mod protocol;
mod rng;
mod secret;
#[cfg(feature = "serde")]
mod serial;
mod session;
mod time;
#[cfg(feature = "trace")]
pub mod trace;
#[cfg(any(feature = "serde", test))]
mod written;

pub use address::shown_address;
pub use error::{
    Cause, Code, Codes, Error, ErrorPolicy, HttpAnswer, Kind, Match, Occasion, Recovery, Refused, Rejected, Remedy,
    Row, Stage, Unfit, Why, error_table,
};
pub use frame::{CloseCode, Frame, Text};
pub use machine::{Machine, Watch};
pub use message_log::{Describe, Logged, MessageLog, Way};
pub use part::{AskWhy, BadEndpoints, Blame, Level, Limit};
pub use protocol::{
    Abilities, Acks, Comeback, Complaint, GoAway, Heard, Limits, Mark, Marks, Never, Outgoing, Pings, Plain, Protocol,
    Resumed, Say, Topics, Tuning, Who,
};
pub use rng::Rng;
pub use secret::Secret;
pub use session::{
    Action, Alike, Answer, Attempt, BadConfig, BadKeepsake, BatchPolicy, Bucket, CallReply, Change, Changed, Class,
    ClientId, Command, Commands, Config, ConnectPolicy, Counts, CredentialPolicy, CredentialUse, DedupPolicy, Down,
    Dropped, Drops, Event, Finding, FirstAttempt, GaveUp, Handshake, Health, HeartbeatPolicy, Identity, Input, Jitter,
    Keepsake, LinkId, OpId, Outcome, Overflow, PacingPolicy, Phase, QueuePolicy, Queued, Rates, Reply, Report,
    RequestOptions, RequestPolicy, RequestRetry, Restore, RetryOn, RetryPolicy, SendOptions, Session, Stats, Status,
    StopCause, SubscribeOptions, Subscription, SubscriptionPolicy, TakenBack, Timer, TopicNews, TopicState, Ttl,
    Window,
};
pub use time::Timestamp;
