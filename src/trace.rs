//! What did a session do in production, and does it do the same here?
//!
//! A [`Recorder`] is a machine around another one. It writes each turn as one line of JSON: what came in, when, and
//! what was done about it. [`Reader`] reads such lines, [`replay`] hands them to a new machine and names the first turn
//! that differs. So a trace from production is a test.
//!
//! ```
//! use steadfast::trace::{Header, Reader, Recorder, Redaction, replay};
//! use steadfast::{Commands, Config, Frame, Plain, Session, Timestamp};
//!
//! let mut lines = Vec::new();
//! let header = Header::new("plain", &(), 7, Config::default());
//! let sink = |line: &str| lines.push(line.to_owned());
//! let mut recorder = Recorder::session(Plain, &header, Redaction::default(), sink)?;
//! let mut actions = Vec::new();
//! recorder.send(Timestamp::ZERO, Frame::from("hello"), &mut actions)?;
//! recorder.connect(Timestamp::ZERO, &mut actions);
//! drop(recorder);
//! assert!(lines[1].starts_with(r#"{"turn":1,"at":0,"input":{"command":{"send":{"message":{"text":"hello"}"#));
//!
//! let mut reader = Reader::new(lines.iter())?;
//! let mut session = Session::new(Plain, reader.header().config.clone(), reader.header().seed)?;
//! assert!(replay(&mut reader, &mut session)?.is_same());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is in a trace, and what is not
//!
//! Everything in a trace is what a twin of the session was told, and did. The twin is told each input without what must
//! not be seen: credentials are replaced, and payloads if asked; see [`Redaction`]. So nothing that the session says can
//! give away what the twin never knew, and what is written replays by its own making. Stand-ins are as long as what they
//! stand for, and equal where that was equal, so the twin does the same, step by step. Where it did not (a message with
//! other bytes can mean something else), the line says `"strayed":true`.
//!
//! Taken out are:
//!
//! * credentials, and all that equals one of the last ones in frames, headers, reasons and messages, in plain and in
//!   JSON's spelling, if it has four bytes or more;
//! * in JSON, what is named like a secret (token, password, api key, cookie …), with all that is in it;
//! * headers that are named like it: `Authorization`, `Cookie`, `Set-Cookie` and so on;
//! * frames that the session marks as secret.
//!
//! **Not** taken out are secrets that the server gives under a name that does not tell; that stand in text which is not
//! JSON, or in JSON inside a string; that are encoded (Base64, percent signs) outside of such headers; that the protocol
//! itself was made with, or the header's parameters. Add names to [`Redaction::hide`], or read a trace before it leaves
//! the house.
//!
//! The state of a machine is never written. What was set before the recording is not known to it: record from the first
//! turn on, and give credentials by [`Command::Authenticate`](crate::Command::Authenticate).

mod compare;
mod header;
mod reader;
mod recorder;
mod redact;
mod redacted;
mod replay;
mod scrub;
mod stand_in;
mod tape;

pub use header::{FORMAT, Header};
pub use reader::{Bounds, Reader, Turn, Unreadable};
pub use recorder::Recorder;
pub use redact::{Redact, Redaction, Redactor};
pub use replay::{Aspect, Difference, Replayed, replay};
pub use tape::Tape;
