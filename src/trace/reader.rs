//! Reads a trace, from whoever wrote it: within bounds, and with the place of each mistake.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{FORMAT, Header};
use crate::{Input, Timestamp};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest line, in bytes. **64 MiB**
    pub line: usize,
    /// How many turns. **100 million**
    pub turns: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { line: 64 << 20, turns: 100_000_000 }
    }
}

/// Reads the lines of a trace; each without its end. Empty lines are passed over.
///
/// It holds one line at a time.
#[derive(Debug)]
pub struct Reader<L> {
    lines: L,
    /// The number of the line that was read last.
    line: u64,
    turns: u64,
    header: Header,
    bounds: Bounds,
}

/// One turn of a trace. Its values are the JSON that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// The line it stands in, counted from 1.
    pub line: u64,
    /// Its number, counted from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The input.
    pub input: String,
    /// The answer; `None` if the turn was not finished, because the machine panicked.
    pub answer: Option<String>,
    /// The actions, in their order.
    pub actions: Vec<String>,
    /// The next deadline after the turn.
    pub deadline: Option<Timestamp>,
    /// The session that was recorded did something else than this, because the redaction changed the meaning.
    pub has_strayed: bool,
    /// Where the input stands in the line, in bytes.
    column: usize,
}

impl Turn {
    /// The input as a value.
    ///
    /// # Errors
    ///
    /// This is no input of a machine with messages `M` and topics `T`, or one of a later version of this crate.
    pub fn input<M: DeserializeOwned, T: DeserializeOwned>(&self) -> Result<Input<M, T>, Unreadable> {
        serde_json::from_str(&self.input).map_err(|error| Unreadable::json(self.line, self.column, &error))
    }
}

/// A trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The line, counted from 1.
    pub line: u64,
    /// The byte in it, counted from 1; 0 if it is about the whole line.
    pub column: usize,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if self.column > 0 {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl core::error::Error for Unreadable {}

impl Unreadable {
    fn new(line: u64, problem: impl Into<String>) -> Self {
        Self { line, column: 0, problem: problem.into() }
    }

    /// An error in a piece of JSON that begins so many bytes behind the beginning of the line.
    fn json(line: u64, before: usize, error: &serde_json::Error) -> Self {
        let said = error.to_string();
        // The place is ours to tell: the parser saw a piece of one line.
        let problem = said.rsplit_once(" at line ").map_or(&*said, |(problem, _)| problem);
        let problem = match error.is_eof() {
            true => format!("{problem}; if the recording was cut off here, remove this line"),
            false => problem.to_owned(),
        };
        Self { line, column: before + error.column(), problem }
    }
}

/// The first thing to know of a header, whatever else is in it.
#[derive(Deserialize)]
struct Format {
    trace: u32,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    turn: Option<u64>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    answer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    actions: Vec<&'a RawValue>,
    #[serde(default)]
    deadline: Option<Timestamp>,
    #[serde(default)]
    strayed: bool,
    #[serde(default)]
    spoiled: Option<String>,
}

impl<L: Iterator> Reader<L>
where
    L::Item: AsRef<str>,
{
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// There is none, or it is of another format.
    pub fn new(lines: impl IntoIterator<IntoIter = L>) -> Result<Self, Unreadable> {
        Self::within(Bounds::default(), lines)
    }

    /// The same within other bounds.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn within(bounds: Bounds, lines: impl IntoIterator<IntoIter = L>) -> Result<Self, Unreadable> {
        let mut lines = lines.into_iter();
        let mut line = 0;
        let Some(first) = next_line(&mut lines, &mut line, bounds.line)? else {
            return Err(Unreadable::new(1, "there is nothing; a trace begins with a header"));
        };
        let first = first.as_ref();
        let no_header = |_| Unreadable::new(line, "this is no trace: it does not begin with {\"trace\":1, …}");
        let Format { trace } = serde_json::from_str(first).map_err(no_header)?;
        if trace != FORMAT {
            let problem =
                format!("a trace of format {trace}, and this version reads {FORMAT}; take the one that wrote it");
            return Err(Unreadable::new(line, problem));
        }
        let header = serde_json::from_str(first).map_err(|error| Unreadable::json(line, 0, &error))?;
        Ok(Self { lines, line, turns: 0, header, bounds })
    }

    /// What the machine was made of.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next turn; `None` at the end.
    ///
    /// # Errors
    ///
    /// The line is no turn, or over a bound.
    pub fn next_turn(&mut self) -> Result<Option<Turn>, Unreadable> {
        let Some(text) = next_line(&mut self.lines, &mut self.line, self.bounds.line)? else { return Ok(None) };
        self.turns += 1;
        if self.turns > self.bounds.turns {
            let problem = format!("more than {} turns; raise the bound, or cut the trace", self.bounds.turns);
            return Err(Unreadable::new(self.line, problem));
        }
        read_turn(self.line, text.as_ref()).map(Some)
    }
}

/// The next line that is not empty.
fn next_line<L: Iterator>(lines: &mut L, number: &mut u64, longest: usize) -> Result<Option<L::Item>, Unreadable>
where
    L::Item: AsRef<str>,
{
    for line in lines {
        *number += 1;
        if line.as_ref().len() > longest {
            return Err(Unreadable::new(*number, format!("longer than {longest} bytes; raise the bound")));
        }
        if !line.as_ref().trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn read_turn(line: u64, text: &str) -> Result<Turn, Unreadable> {
    let read: Line<'_> = serde_json::from_str(text).map_err(|error| Unreadable::json(line, 0, &error))?;
    if let Some(why) = read.spoiled {
        return Err(Unreadable::new(line, format!("the recording stopped here: {why}")));
    }
    let missing = |name| Unreadable::new(line, format!("there is no `{name}`; each turn has one"));
    let input = read.input.ok_or_else(|| missing("input"))?;
    Ok(Turn {
        line,
        number: read.turn.ok_or_else(|| missing("turn"))?,
        at: read.at.ok_or_else(|| missing("at"))?,
        // It is a piece of the line, so this is the distance between the two.
        column: input.get().as_ptr() as usize - text.as_ptr() as usize,
        input: input.get().to_owned(),
        answer: read.answer.map(|answer| answer.get().to_owned()),
        actions: read.actions.into_iter().map(|action| action.get().to_owned()).collect(),
        deadline: read.deadline,
        has_strayed: read.strayed,
    })
}
