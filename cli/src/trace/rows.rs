//! Inputs and actions as people say them. What is not known by name is shown as it stands.

use serde_json::Value;
use steadfast::Timestamp;

use super::story::seconds;

/// What is said of a value, and the frame in it if there is one.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) frame: Option<Frame>,
}

/// A frame, as it is shown.
pub(super) struct Frame {
    pub(super) text: String,
    /// A ping or a pong.
    pub(super) is_probe: bool,
}

impl Frame {
    fn of(frame: &Value) -> Self {
        let is_probe = matches!(tagged(frame), ("ping" | "pong", _));
        Self { text: frame_text(frame).unwrap_or_else(|| bare(frame)), is_probe }
    }
}

impl Said {
    fn plain(text: String) -> Self {
        Self { text, frame: None }
    }
}

/// An input.
pub(super) fn input(input: &Value) -> Said {
    match tagged(input) {
        ("wake", _) => Said::plain("time has passed".into()),
        ("command", Some(command)) => Said::plain(format!("asked to {}", command_text(command))),
        ("report", Some(Value::Array(parts))) if parts.len() == 2 => report(&parts[0], &parts[1]),
        _ => Said::plain(bare(input)),
    }
}

fn command_text(command: &Value) -> String {
    match tagged(command) {
        ("send", Some(send)) => {
            let (message, options) = (&send["message"], &send["options"]);
            let class = options["class"].as_str().unwrap_or("send").replace('_', " ");
            format!("send {}, {class}", message_text(message))
        }
        ("authenticate", Some(Value::String(secret))) => format!("log in with {secret}"),
        ("drain", Some(drain)) => format!("drain within {}", bare(&drain["within"])),
        ("taken", Some(taken)) => format!("note that {} was taken", bare(&taken["id"])),
        (name, None) => name.replace('_', " "),
        (name, Some(content)) => format!("{} {}", name.replace('_', " "), bare(content)),
    }
}

fn message_text(message: &Value) -> String {
    match (message["name"].as_str(), message["data"].as_str()) {
        (Some(name), Some(data)) => format!("{name} {data}"),
        (Some(name), None) => name.into(),
        (None, _) => frame_text(message).unwrap_or_else(|| bare(message)),
    }
}

fn report(link: &Value, report: &Value) -> Said {
    let text = match tagged(report) {
        ("frame", Some(frame)) => {
            let frame = Frame::of(frame);
            return Said { text: format!("link {link} <- {}", frame.text), frame: Some(frame) };
        }
        ("up", Some(up)) => match up["address"].as_str() {
            Some(address) => format!("is open to {address}"),
            None => "is open".into(),
        },
        ("flushed", Some(flushed)) => format!("has written {} frames", flushed["frames"]),
        ("down", Some(down)) => down_text(down),
        ("progress", _) => "writes again".into(),
        ("paused", _) => "is not read from, because the application is slow".into(),
        ("resumed", _) => "is read from again".into(),
        (name, content) => format!("{name} {}", content.map(bare).unwrap_or_default()),
    };
    Said::plain(format!("link {link} {text}"))
}

fn down_text(down: &Value) -> String {
    let cause = match tagged(&down["cause"]) {
        ("closed", Some(closed)) => format!("was closed with {} {}", closed["code"], closed["reason"]),
        ("http", Some(answer)) => format!("was answered with HTTP {}", answer["status"]),
        (name, None) => name.into(),
        (name, Some(why)) => format!("is {name}: {}", bare(why)),
    };
    let verdict = &down["verdict"];
    if verdict.is_null() { cause } else { format!("{cause}; the host says {}", bare(verdict)) }
}

/// An action.
pub(super) fn action(action: &Value, start: Timestamp) -> Said {
    let text = match tagged(action) {
        ("send", Some(send)) => {
            let (link, is_secret) = (&send["link"], send["secret"] == true);
            let frame = Frame::of(&send["frame"]);
            let text = if is_secret { &format!("secret, {} bytes", frame.text.len()) } else { &frame.text };
            return Said { text: format!("link {link} -> {text}"), frame: (!is_secret).then_some(frame) };
        }
        ("connect", Some(attempt)) => format!("dial link {}, attempt {}", attempt["link"], attempt["attempt"]),
        ("flush_queue", Some(link)) => format!("link {link} -> write"),
        ("close", Some(close)) => format!("link {} -> close with {} {}", close["link"], close["code"], close["reason"]),
        ("abort", Some(link)) => format!("link {link} is dropped"),
        ("reconnect_after", Some(wait)) => {
            let at = Timestamp::from_micros(wait["at"].as_u64().unwrap_or_default());
            format!("dials again at {}, attempt {}", seconds(at.since(start)), wait["attempt"])
        }
        ("emit_error", Some(error)) => error_text(error),
        ("emit", Some(event)) => event_text(event),
        (name, None) => name.replace('_', " "),
        (name, Some(content)) => format!("{} {}", name.replace('_', " "), bare(content)),
    };
    Said::plain(text)
}

fn error_text(error: &Value) -> String {
    let (number, kind, message) = (&error["number"], bare(&error["kind"]), bare(&error["message"]));
    format!("ERROR {number} {kind}: {message}; {}", bare(&error["recovery"]))
}

fn event_text(event: &Value) -> String {
    match tagged(event) {
        ("phase", Some(change)) => format!("{} -> {}", bare(&change["from"]), bare(&change["to"]).to_uppercase()),
        ("outcome", Some(outcome)) => format!("message {} ended: {}", outcome["id"], bare(&outcome["outcome"])),
        ("message", Some(message)) => {
            let message = &message["message"];
            let name = message["kind"].as_str().map(str::to_owned);
            format!("for the application: {}", name.or_else(|| frame_text(message)).unwrap_or_else(|| bare(message)))
        }
        (name, None) => format!("event {name}"),
        (name, Some(content)) => format!("event {name} {}", bare(content)),
    }
}

fn frame_text(frame: &Value) -> Option<String> {
    match tagged(frame) {
        ("text", Some(Value::String(text))) => Some(text.clone()),
        (kind @ ("text" | "binary" | "ping" | "pong"), Some(bytes)) => {
            Some(format!("{kind} {}", bytes["hex"].as_str().map_or_else(|| bare(bytes), str::to_owned)))
        }
        _ => None,
    }
}

/// The name of a variant, and its content.
fn tagged(value: &Value) -> (&str, Option<&Value>) {
    let only = value.as_object().filter(|members| members.len() == 1).and_then(|members| members.iter().next());
    match only {
        Some((name, content)) => (name, Some(content)),
        None => (value.as_str().unwrap_or_default(), None),
    }
}

/// A string without quotes, and anything else as JSON.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
