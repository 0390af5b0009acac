//! A trace, once more: the same inputs, at the same times, into a new machine.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};
use core::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{Reader, Turn, Unreadable, compare::is_same, tape::hide};
use crate::{Action, Answer, Input, Machine, Timestamp};

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Replayed {
    /// The machine did the same.
    Same {
        /// So many turns.
        turns: u64,
    },
    /// It did not. This is the first turn in which it did not.
    Differs(Box<Difference>),
}

impl Replayed {
    /// Whether the machine did the same.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        matches!(self, Self::Same { .. })
    }
}

/// The first turn in which a machine does not do what was recorded. Printed, it is a small comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the turn.
    pub turn: u64,
    /// The line it stands in.
    pub line: u64,
    /// When it was.
    pub at: Timestamp,
    /// What differs.
    pub aspect: Aspect,
    /// The input, as JSON.
    pub input: String,
    /// What was recorded, as JSON: the answer, each action, or the deadline.
    pub recorded: Vec<String>,
    /// What the machine does now.
    pub replayed: Vec<String>,
}

/// What of a turn differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// The turn is not there, but a later one is.
    Missing,
    /// What the machine answered.
    Answer,
    /// What it did.
    Actions,
    /// When it wants to be woken.
    Deadline,
}

/// Hands all inputs of a trace to a new machine, made as the header says, and compares answers, actions and deadlines.
///
/// A turn that was not finished is handed over too, and not compared: if the machine panicked there, it will here.
///
/// # Errors
///
/// The trace cannot be read from some line on.
pub fn replay<L, M, N, I, T>(reader: &mut Reader<L>, machine: &mut M) -> Result<Replayed, Unreadable>
where
    L: Iterator,
    L::Item: AsRef<str>,
    M: Machine<Input = Input<N, T>, Action = Action<I, T>, Answer = Answer<N>>,
    N: Serialize + DeserializeOwned,
    I: Serialize,
    T: Serialize + DeserializeOwned,
{
    let (mut actions, mut turns) = (Vec::new(), 0);
    while let Some(turn) = reader.next_turn()? {
        turns += 1;
        if turn.number != turns {
            let (aspect, written) = (Aspect::Missing, vec![format!("turn {}", turn.number)]);
            let missing = Difference { turn: turns, ..turn.difference(aspect, written, vec![format!("turn {turns}")]) };
            return Ok(Replayed::Differs(Box::new(missing)));
        }
        let answer = machine.handle(turn.at, turn.input()?, &mut actions);
        hide(&mut actions);
        let did = Did::new(&answer, &actions, machine.next_deadline());
        let did = did.map_err(|error| turn.unreadable(&error))?;
        actions.clear();
        if let Some(difference) = did.differs(turn) {
            return Ok(Replayed::Differs(Box::new(difference)));
        }
    }
    Ok(Replayed::Same { turns })
}

/// What a machine did in a turn, as JSON.
struct Did {
    answer: String,
    actions: Vec<String>,
    deadline: Option<Timestamp>,
}

impl Did {
    fn new<N: Serialize, I: Serialize, T: Serialize>(
        answer: &Answer<N>,
        actions: &[Action<I, T>],
        deadline: Option<Timestamp>,
    ) -> serde_json::Result<Self> {
        let actions = actions.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        Ok(Self { answer: serde_json::to_string(answer)?, actions, deadline })
    }

    fn differs(self, turn: Turn) -> Option<Difference> {
        let recorded = turn.answer.clone()?;
        let written = |deadline: Option<Timestamp>| vec![deadline.map_or("none".into(), |at| format!("{at}"))];
        let same_actions = turn.actions.len() == self.actions.len()
            && turn.actions.iter().zip(&self.actions).all(|(recorded, replayed)| is_same(recorded, replayed));
        if !is_same(&recorded, &self.answer) {
            Some(turn.difference(Aspect::Answer, vec![recorded], vec![self.answer]))
        } else if !same_actions {
            let recorded = turn.actions.clone();
            Some(turn.difference(Aspect::Actions, recorded, self.actions))
        } else if turn.deadline != self.deadline {
            let recorded = written(turn.deadline);
            Some(turn.difference(Aspect::Deadline, recorded, written(self.deadline)))
        } else {
            None
        }
    }
}

impl Turn {
    fn difference(self, aspect: Aspect, recorded: Vec<String>, replayed: Vec<String>) -> Difference {
        let Self { line, number: turn, at, input, .. } = self;
        Difference { turn, line, at, aspect, input, recorded, replayed }
    }

    fn unreadable(&self, error: &serde_json::Error) -> Unreadable {
        Unreadable { line: self.line, column: 0, problem: format!("what the machine does cannot be written: {error}") }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turn, line, at, aspect, input, recorded, replayed } = self;
        match aspect {
            Aspect::Missing => return write!(f, "turn {turn} is missing: line {line} is {}", recorded[0]),
            Aspect::Answer => writeln!(f, "turn {turn} (line {line}, at {at}): another answer")?,
            Aspect::Actions => writeln!(f, "turn {turn} (line {line}, at {at}): other actions")?,
            Aspect::Deadline => writeln!(f, "turn {turn} (line {line}, at {at}): another deadline")?,
        }
        write!(f, "  input {}", Piece { text: input, from: 0 })?;
        let is_shared = |pair: &(&String, &String)| is_same(pair.0, pair.1);
        let head = recorded.iter().zip(replayed).take_while(is_shared).count();
        let tail = recorded[head..].iter().rev().zip(replayed[head..].iter().rev()).take_while(is_shared).count();
        let (gone, new) = (&recorded[head..recorded.len() - tail], &replayed[head..replayed.len() - tail]);
        lines(f, "  =", &recorded[..head], &[])?;
        lines(f, "  - recorded", gone, new)?;
        lines(f, "  + replayed", new, gone)?;
        lines(f, "  =", &recorded[recorded.len() - tail..], &[])
    }
}

/// Lines of a comparison; each begins to be shown a little before it differs from its counterpart.
fn lines(f: &mut fmt::Formatter<'_>, mark: &str, texts: &[String], others: &[String]) -> fmt::Result {
    texts.iter().enumerate().try_for_each(|(index, text)| {
        let same = |other: &String| text.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let from = others.get(index).map_or(0, same).saturating_sub(Piece::BEFORE);
        write!(f, "\n{mark} {}", Piece { text, from })
    })
}

/// A piece of a long text.
struct Piece<'a> {
    text: &'a str,
    from: usize,
}

impl Piece<'_> {
    /// What is shown before a difference, in bytes.
    const BEFORE: usize = 80;
    /// What is shown in all, in characters.
    const MOST: usize = 320;
}

impl fmt::Display for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_whole = self.text.len() <= Self::MOST;
        let from =
            if is_whole { 0 } else { (0..=self.from).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0) };
        let rest = &self.text[from..];
        let piece_end = rest.char_indices().nth(Self::MOST).map_or(rest.len(), |(at, _)| at);
        let (before, after) = (if from > 0 { "…" } else { "" }, if piece_end < rest.len() { "…" } else { "" });
        write!(f, "{before}{}{after}", &rest[..piece_end])
    }
}
