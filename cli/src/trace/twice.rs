//! Has this been said before?
//!
//! What a protocol sends again is not the same frame: `json` writes another time into it, and the client id that it has by
//! then. It is the same message by its type and its id, each way for itself. A frame without an id is the same only if
//! it is the same byte for byte.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use serde_json::Value;
use steadfast::trace::Header;

use super::rows::Frame;

/// A repetition of a shorter frame without an id says nothing.
const WORTH_MARKING: usize = 16;

/// What was said so far.
pub(super) struct Twice {
    names: Names,
    said: HashMap<Key, Said>,
}

/// What makes it the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// A type and an id.
    Message { is_in: bool, kind: String, id: String },
    /// A whole frame.
    Frame { is_in: bool, text: String },
}

struct Said {
    turn: u64,
    /// What an id stands for.
    content: u64,
}

/// How the protocol calls what a message has.
struct Names {
    kind: String,
    id: String,
    channel: String,
    data: String,
    messages: String,
}

impl Names {
    fn of(header: &Header) -> Self {
        let fields = &header.parameters["fields"];
        let name = |field: &str| fields[field].as_str().unwrap_or(field).to_owned();
        let kind = fields["kind"].as_str().unwrap_or("type").to_owned();
        Self { kind, id: name("id"), channel: name("channel"), data: name("data"), messages: name("messages") }
    }
}

impl Twice {
    pub(super) fn new(header: &Header) -> Self {
        Self { names: Names::of(header), said: HashMap::new() }
    }

    /// Takes note of a frame; the remarks that it deserves.
    pub(super) fn note(&mut self, turn: u64, is_in: bool, frame: &Frame) -> Vec<String> {
        // One probe is like the other.
        if frame.is_probe {
            return Vec::new();
        }
        let packet = serde_json::from_str::<Value>(&frame.text).ok().filter(Value::is_object);
        let Some(packet) = packet else { return self.frame(turn, is_in, frame).into_iter().collect() };
        if let Value::Array(messages) = &packet[&self.names.messages] {
            return messages.iter().filter_map(|message| self.message(turn, is_in, message)).collect();
        }
        match packet[&self.names.kind].as_str() {
            Some("ping" | "pong") => Vec::new(),
            _ if packet[&self.names.id].is_null() => self.frame(turn, is_in, frame).into_iter().collect(),
            _ => self.message(turn, is_in, &packet).into_iter().collect(),
        }
    }

    fn message(&mut self, turn: u64, is_in: bool, message: &Value) -> Option<String> {
        let Names { kind, id, channel, data, .. } = &self.names;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (kind, id) = (text(&message[kind]), Some(&message[id]).filter(|id| !id.is_null()).map(text)?);
        let mut hasher = DefaultHasher::new();
        (message[channel].to_string(), message[data].to_string()).hash(&mut hasher);
        let said = Said { turn, content: hasher.finish() };
        let now = said.content;
        let before = self.said.insert(Key::Message { is_in, kind, id: id.clone() }, said)?;
        let Said { turn, content } = before;
        Some(match content == now {
            true => format!("[{id} again, as in turn {turn}]"),
            false => format!("[{id} again, but not as in turn {turn}]"),
        })
    }

    fn frame(&mut self, turn: u64, is_in: bool, frame: &Frame) -> Option<String> {
        if frame.text.len() < WORTH_MARKING {
            return None;
        }
        let key = Key::Frame { is_in, text: frame.text.clone() };
        let before = self.said.insert(key, Said { turn, content: 0 })?;
        Some(format!("[again, as in turn {}]", before.turn))
    }
}

#[cfg(test)]
mod tests {
    use steadfast::Config;

    use super::*;

    fn twice() -> Twice {
        Twice::new(&Header::new("json", &(), 1, Config::default()))
    }

    fn text(text: &str) -> Frame {
        Frame { text: text.into(), is_probe: false }
    }

    #[test]
    fn a_message_is_the_same_by_its_type_and_its_id() {
        let mut twice = twice();
        let mut note = |turn, is_in, frame| twice.note(turn, is_in, &text(frame)).concat();
        assert_eq!(note(1, true, r#"{"type":"a","id":"7","data":1,"timestamp":1}"#), "");
        assert_eq!(note(2, true, r#"{"id":"7","type":"a","data":1,"timestamp":2}"#), "[7 again, as in turn 1]");
        assert_eq!(note(3, true, r#"{"type":"a","id":"7","data":2}"#), "[7 again, but not as in turn 2]");
        assert_eq!(note(4, true, r#"{"type":"a","id":"8","data":1}"#), "");
        assert_eq!(note(5, true, r#"{"type":"ack","id":"7"}"#), "", "it speaks of ours");
        assert_eq!(note(6, false, r#"{"type":"a","id":"7","data":1}"#), "", "the other way");
        let batch =
            r#"{"type":"batch","messages":[{"type":"a","id":"8","data":1},{"type":"b"},{"type":"b","id":"1"}]}"#;
        assert_eq!(note(7, true, batch), "[8 again, as in turn 4]");
    }

    #[test]
    fn a_frame_without_an_id_is_the_same_as_a_whole() {
        let mut twice = twice();
        let mut note = |turn, frame| twice.note(turn, false, &text(frame)).concat();
        assert_eq!(note(1, "the very same news") + &note(2, "the very same news"), "[again, as in turn 1]");
        let price = r#"{"type":"price","data":17}"#;
        assert_eq!(note(3, price) + &note(4, price), "[again, as in turn 3]");
        assert_eq!(note(5, "short") + &note(6, "short"), "");
    }

    #[test]
    fn probes_are_alike_and_no_news() {
        let mut twice = twice();
        for turn in 1..4 {
            let ping = Frame { text: "ping 00000000000000000001".into(), is_probe: true };
            assert_eq!(twice.note(turn, true, &ping), [""; 0]);
            for said in [r#"{"type":"ping","id":"p"}"#, r#"{"type":"pong","reply_to":"p"}"#] {
                assert_eq!(twice.note(turn, true, &text(said)), [""; 0]);
            }
        }
    }

    #[test]
    fn fields_of_other_names_are_known_from_the_header() {
        let fields = serde_json::json!({ "fields": { "kind": "event", "id": "uid" } });
        let mut twice = Twice::new(&Header::new("json", &fields, 1, Config::default()));
        let mut note = |turn, frame| twice.note(turn, true, &text(frame)).concat();
        assert_eq!(
            note(1, r#"{"event":"a","uid":"7"}"#) + &note(2, r#"{"event":"a","uid":"7","at":2}"#),
            "[7 again, as in turn 1]"
        );
    }
}
