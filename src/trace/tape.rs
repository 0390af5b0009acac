//! What goes onto a trace: each turn, as a twin of the machine did it that never saw a secret.

use alloc::{format, string::String, vec, vec::Vec};
use core::{
    fmt::{self, Write as _},
    mem,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Header, Redact, Redaction, Redactor};
use crate::{Action, Answer, BadConfig, Frame, Input, Machine, Protocol, Session, Timestamp, Watch};

/// Writes the turns of a machine, as a twin of it does them.
///
/// It is a [`Watch`], for those who run the machine themselves; [`Recorder`](super::Recorder) is a machine that does
/// both. The sink gets each line without its end. A turn that was begun and not finished (the machine has panicked) is
/// written without an answer when the tape is dropped.
pub struct Tape<M: Machine, S: FnMut(&str)> {
    twin: M,
    redactor: Redactor,
    sink: S,
    turn: u64,
    /// The line of a turn that has begun.
    line: String,
    /// Where the input stands in it.
    input: core::ops::Range<usize>,
    actions: Vec<M::Action>,
    strayed: u64,
    /// A turn could not be written, so there is no sense in the next ones.
    is_over: bool,
}

impl<M: Machine, S: FnMut(&str)> Tape<M, S> {
    /// Begins a trace. The twin is a new machine, made in the same way as the one that is recorded.
    pub fn new(twin: M, header: &Header, redaction: Redaction, mut sink: S) -> Self {
        let head = serde_json::to_string(header);
        let is_over = head.is_err();
        sink(&head.unwrap_or_else(|error| spoiled(&error)));
        let redactor = Redactor::new(redaction);
        let (line, input, actions) = (String::new(), 0..0, Vec::new());
        Self { twin, redactor, sink, turn: 0, line, input, actions, strayed: 0, is_over }
    }

    /// How many turns the twin did otherwise: in those the trace does not show what really was. It goes on all the same.
    #[must_use]
    pub const fn strayed(&self) -> u64 {
        self.strayed
    }
}

impl<P: Protocol, S: FnMut(&str)> Tape<Session<P>, S> {
    /// The trace of a new session of this protocol, with the settings and the seed of the header.
    ///
    /// # Errors
    ///
    /// Those of [`Session::new`].
    pub fn session(protocol: P, header: &Header, redaction: Redaction, sink: S) -> Result<Self, BadConfig> {
        let twin = Session::new(protocol, header.config.clone(), header.seed)?;
        Ok(Self::new(twin, header, redaction, sink))
    }
}

impl<N, I, T, M, S> Watch<M> for Tape<M, S>
where
    M: Machine<Input = Input<N, T>, Action = Action<I, T>, Answer = Answer<N>>,
    N: Redact + Serialize + DeserializeOwned,
    I: Serialize,
    T: Clone + Serialize + DeserializeOwned,
    S: FnMut(&str),
{
    fn before(&mut self, now: Timestamp, input: &Input<N, T>) {
        if self.is_over {
            return;
        }
        self.turn += 1;
        self.line = format!(r#"{{"turn":{},"at":{},"input":"#, self.turn, now.as_micros());
        let redacted = self.redactor.input(input);
        match serde_json::to_string(redacted.as_ref().unwrap_or(input)) {
            Ok(input) => {
                self.input = self.line.len()..self.line.len() + input.len();
                self.line.push_str(&input);
            }
            Err(error) => self.spoil(&error),
        }
    }

    fn after(&mut self, now: Timestamp, machine: &M, answer: &Answer<N>, actions: &[Action<I, T>]) {
        if self.is_over {
            return;
        }
        // The twin gets what a reader of the trace will get.
        let input = match serde_json::from_str(&self.line[self.input.clone()]) {
            Ok(input) => input,
            Err(error) => return self.spoil(&error),
        };
        let mut twins = mem::take(&mut self.actions);
        let twins_answer = self.twin.handle(now, input, &mut twins);
        let twins_deadline = self.twin.next_deadline();
        let has_strayed = machine.next_deadline() != twins_deadline
            || !is_same_answer(answer, &twins_answer)
            || actions.len() != twins.len()
            || !actions.iter().zip(&twins).all(|(ours, theirs)| is_alike(ours, theirs));
        self.strayed += u64::from(has_strayed);
        hide(&mut twins);
        match self.outcome(&twins_answer, &twins, twins_deadline) {
            Ok(()) => {
                self.line.push_str(if has_strayed { r#","strayed":true}"# } else { "}" });
                self.emit();
            }
            Err(error) => self.spoil(&error),
        }
        twins.clear();
        self.actions = twins;
    }
}

impl<M: Machine, S: FnMut(&str)> Tape<M, S> {
    fn outcome(
        &mut self,
        answer: &impl Serialize,
        actions: &impl Serialize,
        deadline: Option<Timestamp>,
    ) -> serde_json::Result<()> {
        let (answer, deadline) = (serde_json::to_string(answer)?, serde_json::to_string(&deadline)?);
        let actions = serde_json::to_string(actions)?;
        // Writing into a string cannot fail.
        let _ = write!(self.line, r#","answer":{answer},"actions":{actions},"deadline":{deadline}"#);
        Ok(())
    }

    fn emit(&mut self) {
        (self.sink)(&self.line);
        self.line.clear();
    }

    fn spoil(&mut self, error: &serde_json::Error) {
        self.is_over = true;
        self.line = spoiled(error);
        self.emit();
    }
}

/// The last line of a trace that could not go on.
fn spoiled(error: &serde_json::Error) -> String {
    format!(r#"{{"spoiled":{}}}"#, serde_json::Value::from(format!("{error}")))
}

impl<M: Machine, S: FnMut(&str)> Drop for Tape<M, S> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.line.push('}');
            self.emit();
        }
    }
}

/// Shows how far it is, and nothing of what is on it.
impl<M: Machine, S: FnMut(&str)> fmt::Debug for Tape<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("turn", &self.turn).field("strayed", &self.strayed).finish_non_exhaustive()
    }
}

/// Frames that hold a credential are not shown, not even that of a twin: as many stars as they have bytes.
pub(super) fn hide<I, T>(actions: &mut [Action<I, T>]) {
    for action in actions {
        if let Action::Send { frame, secret: true, .. } = action {
            let stars = vec![b'*'; frame.len()];
            *frame = match frame {
                Frame::Text(_) => Frame::Text(crate::Text::claimed(stars.into())),
                Frame::Binary(_) => Frame::Binary(stars.into()),
                Frame::Ping(_) => Frame::Ping(stars.into()),
                Frame::Pong(_) => Frame::Pong(stars.into()),
            };
        }
    }
}

fn is_same_answer<N>(ours: &Answer<N>, theirs: &Answer<N>) -> bool {
    match (ours, theirs) {
        (Answer::Accepted(ours), Answer::Accepted(theirs)) => ours == theirs,
        (Answer::CameBack(ours), Answer::CameBack(theirs)) => {
            ours.iter().map(|one| one.id).eq(theirs.iter().map(|one| one.id))
        }
        _ => mem::discriminant(ours) == mem::discriminant(theirs),
    }
}

/// Whether two actions differ in nothing but what was taken out.
fn is_alike<I, T>(ours: &Action<I, T>, theirs: &Action<I, T>) -> bool {
    match (ours, theirs) {
        (Action::Send { link, frame, secret }, Action::Send { link: to, frame: twins, secret: too }) => {
            (link, frame.len(), secret) == (to, twins.len(), too)
        }
        (Action::Emit(ours), Action::Emit(theirs)) => mem::discriminant(ours) == mem::discriminant(theirs),
        _ => mem::discriminant(ours) == mem::discriminant(theirs),
    }
}
