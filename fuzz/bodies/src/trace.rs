//! Can any text be read as a trace, or refused? And does what was read, recorded once more, replay?
//!
//! The first byte chooses how the text is redacted. The rest is a trace, line by line; and each of its lines is a text
//! to be redacted.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use steadfast::{
    Machine, Plain, Protocol, Session, Timestamp,
    protocol::json::Json,
    trace::{Bounds, Header, Reader, Recorder, Redact, Redaction, Redactor, replay},
};

/// More than this is no case, but a waste of time.
const BOUNDS: Bounds = Bounds { line: 1 << 16, turns: 64 };

/// Runs one case. Panics if a promise is broken.
pub fn trace(data: &[u8]) {
    let Some((settings, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut redaction = Redaction::default();
    redaction.payloads = settings & 1 != 0;
    text.lines().for_each(|line| scrub(line, &redaction));
    let Ok(reader) = Reader::within(BOUNDS, text.lines()) else { return };
    let header = reader.header().clone();
    if header.protocol == "json" {
        let Ok(json) = serde_json::from_value::<Json>(header.parameters.clone()) else { return };
        run(text, header, json, redaction);
    } else {
        run(text, header, Plain, redaction);
    }
}

/// What is redacted is as long as before, and JSON if it was; and there is nothing left to be done.
fn scrub(line: &str, redaction: &Redaction) {
    let mut redactor = Redactor::new(redaction.clone());
    let redacted = redactor.text(&line.into());
    assert_eq!(redacted.len(), line.len(), "{redacted}");
    assert_eq!(redactor.text(&line.into()), redacted, "the same again for the same");
    if line.starts_with(['{', '[']) {
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert!(!is_json(line) || is_json(redacted.as_str()), "{redacted}");
    }
}

/// Replays it twice, with the same result. Then records what could be read of it: that replays.
fn run<P>(text: &str, header: Header, protocol: P, redaction: Redaction)
where
    P: Protocol<
            Message: Redact + Serialize + DeserializeOwned,
            Incoming: Serialize,
            Topic: Serialize + DeserializeOwned,
        > + Clone,
{
    let new = || Session::new(protocol.clone(), header.config.clone(), header.seed).ok();
    let (Some(mut first), Some(mut second)) = (new(), new()) else { return };
    assert_eq!(replayed(text.lines(), &mut first), replayed(text.lines(), &mut second));

    let mut lines: Vec<String> = Vec::new();
    let sink = |line: &str| lines.push(line.to_owned());
    let Ok(mut recorder) = Recorder::session(protocol.clone(), &header, redaction, sink) else { return };
    let Ok(mut reader) = Reader::within(BOUNDS, text.lines()) else { return };
    let mut actions = Vec::new();
    while let Ok(Some(turn)) = reader.next_turn() {
        let Ok(input) = turn.input::<P::Message, P::Topic>() else { break };
        recorder.handle(turn.at.min(Timestamp::from_micros(1 << 60)), input, &mut actions);
    }
    drop(recorder);
    let Some(mut third) = new() else { return };
    let mut reader = Reader::new(lines.iter()).expect("what was recorded has a header");
    let replayed = replay(&mut reader, &mut third).expect("what was recorded can be read");
    assert!(replayed.is_same(), "{replayed:?}\n{}", lines.join("\n"));
}

fn replayed<'a, P>(lines: impl Iterator<Item = &'a str>, session: &mut Session<P>) -> impl PartialEq + Debug
where
    P: Protocol<
            Message: Redact + Serialize + DeserializeOwned,
            Incoming: Serialize,
            Topic: Serialize + DeserializeOwned,
        >,
{
    Reader::within(BOUNDS, lines).and_then(|mut reader| replay(&mut reader, session))
}
