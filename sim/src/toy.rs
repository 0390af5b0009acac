//! What is spoken in the simulated world?

use std::time::Duration;
use steadfast::{
    Abilities, Acks, CloseCode, Complaint, Frame, GoAway, Heard, Mark, Marks, Never, OpId, Outgoing, Pings, Protocol,
    Rejected, Resumed, Say, Text, Timestamp, Unfit,
};

use crate::{Got, Sent, Spy};

/// A protocol of single lines, so that a test's output reads as a conversation.
///
/// | we say | the server says |
/// |---|---|
/// | `login SECRET` | `hello`, `ok`, `ok EXPIRES` (milliseconds), `challenge WORD`, `no REASON` |
/// | `login SECRET WORD` (the answer to a challenge) | |
/// | `m 7 some text` (our message 7) | `got 7`, `deny 7 REASON` |
/// | `ping`, `pong TOKEN` | `ping TOKEN`, `pong` |
/// | `ack ID` | `m some text`, `m! ID some text` (wants an ack) |
/// | `bye`, `report 3` (our failure 3) | `away MILLIS REASON`, `go ADDRESS`, `trouble REASON`, `lost REASON` (the login is no longer valid) |
///
/// Anything else is a minor complaint, and `junk` a major one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toy {
    /// Whether the server speaks first.
    pub hello: bool,
    /// Whether there is a login.
    pub login: bool,
    /// Whether the server acknowledges messages.
    pub acks: bool,
    /// Who probes the link, and how.
    pub pings: Pings,
}

impl Default for Toy {
    /// With a login, acknowledgements and the WebSocket's own pings.
    fn default() -> Self {
        Self { hello: false, login: true, acks: true, pings: Pings::Frames }
    }
}

impl Protocol for Toy {
    type Message = Text;
    type Incoming = Text;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities {
            hello: self.hello,
            login: self.login,
            acks: if self.acks { Acks::Each } else { Acks::None },
            pings: self.pings,
            ..Abilities::default()
        }
    }

    fn admit(&self, message: &Text) -> Result<u32, Unfit> {
        let longest_head = "m 18446744073709551615 ".len();
        u32::try_from(longest_head + message.len()).map_err(|_| Unfit("longer than 4 GiB".into()))
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Text, Never>>) {
        match frame.as_str() {
            Some(line) => heard.push(meaning(line)),
            None => heard.push(Heard::Bad(Complaint::minor("not text"))),
        }
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Text, Never>, frames: &mut Vec<Frame>) {
        let line = match say {
            Say::Login { credential, challenge } => {
                let secret = credential.map(|secret| secret.expose().clone()).unwrap_or_default();
                let secret = String::from_utf8_lossy(&secret);
                challenge.map_or_else(
                    || format!("login {secret}"),
                    |challenge| format!("login {secret} {}", String::from_utf8_lossy(challenge)),
                )
            }
            Say::Message(Outgoing { op, message, .. }) => format!("m {op} {message}"),
            Say::AckOf { id } => format!("ack {}", String::from_utf8_lossy(id)),
            Say::Ping => "ping".into(),
            Say::Pong(token) => format!("pong {}", String::from_utf8_lossy(&token)),
            Say::Report(error) => format!("report {}", error.number),
            Say::Bye => "bye".into(),
            // The abilities promise none of these.
            Say::Request(_)
            | Say::Batch(_)
            | Say::Cancel { .. }
            | Say::Subscribe { .. }
            | Say::Unsubscribe { .. }
            | Say::Reply { .. }
            | Say::Ack { .. } => return,
        };
        frames.push(line.into());
    }
}

fn meaning(line: &str) -> Heard<Text, Never> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (head, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    let why = |message: &str| Box::new(Rejected { message: message.into(), ..Rejected::default() });
    match (verb, head.parse::<u64>()) {
        ("hello", _) => Heard::Hello(Box::default()),
        ("ok", expires) => {
            let expires = expires.ok().map(Timestamp::from_millis);
            Heard::LoginOk { resumed: Resumed::Fresh, expires, client_id: None }
        }
        ("challenge", _) => Heard::Challenge(rest.to_owned().into()),
        ("no", _) => Heard::LoginRefused(why(rest)),
        ("lost", _) => Heard::LoginLost(why(rest)),
        ("got", Ok(op)) => Heard::Acked { op: OpId(op) },
        ("deny", Ok(op)) => Heard::Done { op: OpId(op), result: Err(why(tail)) },
        ("m", _) => Heard::Message { message: rest.into(), topic: None, mark: Mark::NONE },
        ("m!", _) => {
            let marks = Marks { id: Some(head.to_owned().into()), ack: true, ..Marks::default() };
            Heard::Message { message: tail.into(), topic: None, mark: Mark::new(marks) }
        }
        ("ping", _) => Heard::Ping(rest.to_owned().into()),
        ("pong", _) => Heard::Pong,
        ("away", Ok(millis)) => {
            let mut away = GoAway::default();
            away.after = Some(Duration::from_millis(millis));
            away.reason = tail.into();
            Heard::GoAway(Box::new(away))
        }
        ("go", _) => {
            let mut away = GoAway::default();
            away.address = Some(rest.into());
            Heard::GoAway(Box::new(away))
        }
        ("trouble", _) => Heard::Trouble(why(rest)),
        ("junk", _) => Heard::Bad(Complaint::major("junk", CloseCode::PROTOCOL)),
        _ => Heard::Bad(Complaint::minor("no such word")),
    }
}

impl Spy for Toy {
    fn has_login(&self) -> bool {
        self.login || self.hello
    }

    fn finds_silence(&self, can_ping: bool) -> bool {
        can_ping || self.pings != Pings::Frames
    }

    fn sent(&self, frame: &Frame) -> Sent {
        let Some(line) = frame.as_str() else { return Sent::Control };
        let mut words = line.split(' ');
        match (words.next(), words.next().map(str::parse)) {
            (Some("login"), _) => Sent::Login,
            (Some("pong"), _) => Sent::Pong,
            (Some("m"), Some(Ok(op))) => Sent::Message(Some(OpId(op))),
            _ => Sent::Control,
        }
    }

    fn got(&self, frame: &Frame) -> Got {
        let mut words = frame.as_str().unwrap_or_default().split(' ');
        match (words.next(), words.next().map(str::parse)) {
            (Some("ok"), _) if self.login => Got::LoginOk,
            (Some("hello"), _) if !self.login => Got::LoginOk,
            (Some("got"), Some(Ok(op))) => Got::Acked(OpId(op)),
            (Some("deny"), Some(Ok(op))) => Got::Denied(OpId(op)),
            _ => Got::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_can_be_understood() {
        let mut frames = Vec::new();
        let message = Text::from("two words");
        let out = Outgoing { op: OpId(7), message: &message, number: None, ack: false, again: false };
        Toy::default().encode(&mut (), Timestamp::ZERO, Say::Message(out), &mut frames);
        assert_eq!(frames, ["m 7 two words".into()]);
        assert_eq!(Toy::default().sent(&frames[0]), Sent::Message(Some(OpId(7))));
        assert_eq!(meaning("got 7"), Heard::Acked { op: OpId(7) });
        assert_eq!(meaning("m two words"), Heard::Message { message, topic: None, mark: Mark::NONE });
    }
}
