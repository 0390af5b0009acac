//! The session.

mod action;
mod command;
mod commands;
mod config;
mod health;
mod report;

use alloc::vec::Vec;

pub use action::{Action, Answer, Attempt, Change, Dropped, Event, LinkId, OpId, Outcome, Phase, StopCause};
pub use command::{Class, Command, SendOptions, Ttl};
pub use commands::Commands;
pub use config::{BadConfig, Config, HeartbeatPolicy, Jitter, Overflow, QueuePolicy, RetryPolicy, Window};
pub use health::{Health, Stats, Status};
pub use report::{Down, Handshake, Report};

use crate::{Machine, Protocol, Timestamp};

/// One input of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<M> {
    /// The application wants something.
    Command(Command<M>),
    /// A transport saw something.
    Report(LinkId, Report),
    /// Time has passed.
    Wake,
}

/// Stub.
#[derive(Debug)]
pub struct Session<P: Protocol> {
    protocol: P,
    config: Config,
}

/// Stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Stub.
    Dial,
}

#[allow(missing_docs, clippy::all)]
impl<P: Protocol> Session<P> {
    pub fn new(protocol: P, config: Config, _seed: u64) -> Result<Self, BadConfig> {
        config.check()?;
        Ok(Self { protocol, config })
    }
    pub fn protocol(&self) -> &P {
        &self.protocol
    }
    pub fn config(&self) -> &Config {
        &self.config
    }
    pub fn phase(&self) -> Phase {
        todo!()
    }
    pub fn status(&self) -> Status {
        todo!()
    }
    pub fn health(&self, _now: Timestamp) -> Health {
        todo!()
    }
    pub fn history(&self) -> impl Iterator<Item = &Change> {
        core::iter::empty()
    }
    pub fn stats(&self) -> &Stats {
        todo!()
    }
    pub fn next_timer(&self) -> Option<(Timestamp, Timer)> {
        todo!()
    }
}

impl<P: Protocol> Machine for Session<P> {
    type Input = Input<P::Message>;
    type Action = Action<P::Incoming, P::Topic>;
    type Answer = Answer<P::Message>;
    fn handle(&mut self, _: Timestamp, _: Self::Input, _: &mut Vec<Self::Action>) -> Self::Answer {
        todo!()
    }
    fn next_deadline(&self) -> Option<Timestamp> {
        todo!()
    }
}
