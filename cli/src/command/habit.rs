//! How lines become messages and messages lines, for each protocol.

use steadfast::{
    Frame, Never, Plain, Protocol,
    protocol::json::{Incoming, Json, Message},
};

/// What is made of a line, and what is shown of a message.
pub(super) struct Habit<P: Protocol> {
    pub(super) read: fn(String) -> Result<P::Message, String>,
    /// What `/emit` makes of a name and its content.
    pub(super) emit: fn(String) -> Result<P::Message, String>,
    /// What `/subscribe` makes of a name.
    pub(super) topic: fn(&str) -> Result<P::Topic, String>,
    pub(super) show: fn(&P::Incoming) -> String,
}

impl Habit<Plain> {
    pub(super) fn plain() -> Self {
        Self { read: |line| Ok(line.into()), emit: no_names, topic: no_topics, show: frame }
    }
}

impl Habit<Json> {
    pub(super) fn json() -> Self {
        Self { read: message, emit: message, topic: |name| Ok(name.into()), show: incoming }
    }
}

fn frame(frame: &Frame) -> String {
    frame.as_str().map_or_else(|| format!("(binary, {} bytes)", frame.len()), str::to_owned)
}

fn incoming(message: &Incoming) -> String {
    format!("{} {}", message.name(), message.data())
}

fn no_names(_: String) -> Result<Frame, String> {
    Err("/emit and /request are for --protocol json; with plain a line is sent as it is".into())
}

fn no_topics(_: &str) -> Result<Never, String> {
    Err("/subscribe is for --protocol json; with plain everything comes unasked".into())
}

fn message(line: String) -> Result<Message, String> {
    match line.trim().split_once(char::is_whitespace) {
        Some((name, content)) => {
            Message::raw(name, content.trim()).map_err(|error| format!("write a name and JSON behind it ({error})"))
        }
        None if line.trim().is_empty() => Err("write a name, and JSON behind it if you like".into()),
        None => Ok(Message::bare(line.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_a_name_and_its_content() {
        let order = message(" order  {\"table\": 4} ".into()).unwrap();
        assert_eq!((order.name(), order.data()), ("order", Some("{\"table\": 4}")));
        let bare = message("refresh".into()).unwrap();
        assert_eq!((bare.name(), bare.data()), ("refresh", None));
        assert!(message("order {table}".into()).is_err());
        assert!(message("  ".into()).is_err());
    }

    #[test]
    fn a_binary_frame_is_shown_by_its_size() {
        assert_eq!(frame(&Frame::from(vec![0, 159])), "(binary, 2 bytes)");
        assert_eq!(frame(&Frame::from("hé")), "hé");
    }
}
