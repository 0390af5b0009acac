//! A trace once more, with a session made as its header says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};
use steadfast::{
    Machine, Plain, Protocol, Session,
    trace::{Difference, Header, Recorder, Redact, Redaction, Replayed, replay},
};

use super::{json, open, unknown, unreadable};
use crate::Failure;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It did the same.
    Same { turns: u64 },
    /// It did not.
    Differs(Box<Difference>),
    /// It panicked.
    Panicked,
}

/// Replays a trace; and, if there is somebody to give it to, records it anew.
///
/// # Errors
///
/// It cannot be read, or is of a protocol that the command does not speak.
pub(crate) fn again(path: &Path, text: &str, anew: Option<&mut dyn FnMut(&str)>) -> Result<Verdict, Failure> {
    let header = open(path, text)?.header().clone();
    match header.protocol.as_str() {
        "plain" => run(path, text, header, Plain, anew),
        "json" => run(path, text, header.clone(), json(path, &header)?, anew),
        other => Err(unknown(path, other)),
    }
}

fn run<P>(
    path: &Path,
    text: &str,
    header: Header,
    protocol: P,
    anew: Option<&mut dyn FnMut(&str)>,
) -> Result<Verdict, Failure>
where
    P: Protocol<
            Message: Redact + Serialize + DeserializeOwned,
            Incoming: Serialize,
            Topic: Serialize + DeserializeOwned,
        > + Clone,
{
    let bad = |error| Failure::new(format!("{}: line 1: {error}", path.display()));
    let mut session = Session::new(protocol.clone(), header.config.clone(), header.seed).map_err(bad)?;
    if let Some(sink) = anew {
        // What was to be taken out is out already.
        let Header { protocol: name, parameters, seed, config, .. } = &header;
        let ours = Header::new(name, parameters, *seed, config.clone());
        let recorder = Recorder::session(protocol, &ours, Redaction::default(), sink);
        record(path, text, recorder.map_err(bad)?)?;
    }
    let mut reader = open(path, text)?;
    match catch_unwind(AssertUnwindSafe(|| replay(&mut reader, &mut session))) {
        Ok(Ok(Replayed::Same { turns })) => Ok(Verdict::Same { turns }),
        Ok(Ok(Replayed::Differs(difference))) => Ok(Verdict::Differs(difference)),
        Ok(Err(error)) => Err(unreadable(path, &error)),
        Err(_) => Ok(Verdict::Panicked),
    }
}

/// Hands over all inputs, at their times.
fn record<M: DeserializeOwned, T: DeserializeOwned>(
    path: &Path,
    text: &str,
    mut machine: impl Machine<Input = steadfast::Input<M, T>>,
) -> Result<(), Failure> {
    let (mut reader, mut actions) = (open(path, text)?, Vec::new());
    while let Some(turn) = reader.next_turn().map_err(|error| unreadable(path, &error))? {
        machine.handle(turn.at, turn.input().map_err(|error| unreadable(path, &error))?, &mut actions);
        actions.clear();
    }
    Ok(())
}
