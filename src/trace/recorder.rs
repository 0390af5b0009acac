//! A machine that is recorded while it runs.

use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{Header, Redact, Redaction, Tape};
use crate::{Action, Answer, BadConfig, Input, Machine, Protocol, Session, Timestamp, Watch};

/// A machine around another one that writes a trace of it: see [the module](super).
///
/// It takes and does what the other one does, so its [`Commands`](crate::Commands) are the same.
pub struct Recorder<M: Machine, S: FnMut(&str)> {
    machine: M,
    tape: Tape<M, S>,
}

impl<M: Machine, S: FnMut(&str)> Recorder<M, S> {
    /// Records a new machine from its first turn on. The tape's twin is made in the same way as the machine.
    pub const fn new(machine: M, tape: Tape<M, S>) -> Self {
        Self { machine, tape }
    }

    /// The machine within.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// What it is recorded on.
    pub const fn tape(&self) -> &Tape<M, S> {
        &self.tape
    }
}

impl<P: Protocol + Clone, S: FnMut(&str)> Recorder<Session<P>, S> {
    /// A new session with the settings and the seed of the header, and its recorder.
    ///
    /// # Errors
    ///
    /// Those of [`Session::new`].
    pub fn session(protocol: P, header: &Header, redaction: Redaction, sink: S) -> Result<Self, BadConfig> {
        let machine = Session::new(protocol.clone(), header.config.clone(), header.seed)?;
        Ok(Self::new(machine, Tape::session(protocol, header, redaction, sink)?))
    }
}

impl<N, I, T, M, S> Machine for Recorder<M, S>
where
    M: Machine<Input = Input<N, T>, Action = Action<I, T>, Answer = Answer<N>>,
    N: Redact + Serialize + DeserializeOwned,
    I: Serialize,
    T: Clone + Serialize + DeserializeOwned,
    S: FnMut(&str),
{
    type Input = Input<N, T>;
    type Action = Action<I, T>;
    type Answer = Answer<N>;

    fn handle(&mut self, now: Timestamp, input: Input<N, T>, actions: &mut Vec<Action<I, T>>) -> Answer<N> {
        let before = actions.len();
        self.tape.before(now, &input);
        let answer = self.machine.handle(now, input, actions);
        self.tape.after(now, &self.machine, &answer, &actions[before..]);
        answer
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.machine.next_deadline()
    }
}

impl<M: Machine + fmt::Debug, S: FnMut(&str)> fmt::Debug for Recorder<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("machine", &self.machine).field("tape", &self.tape).finish()
    }
}
