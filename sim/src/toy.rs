//! What is spoken in the simulated world?

use std::time::Duration;
use steadfast::{
    Abilities, Acks, CloseCode, Comeback, Complaint, Frame, GoAway, Heard, Mark, Marks, OpId, Outgoing, Pings,
    Protocol, Rejected, Resumed, Say, Text, Timestamp, Topics, Unfit,
};

use crate::{Got, Sent, Spy};

/// A protocol of single lines, so that a test's output reads as a conversation.
///
/// | we say | the server says |
/// |---|---|
/// | `login SECRET` | `hello`, `ok`, `ok EXPIRES` (milliseconds), `kept` (the session is as it was), `challenge WORD`, `no REASON` |
/// | `login SECRET WORD` (the answer to a challenge) | |
/// | `m 7 some text` (our message 7) | `got 7`, `deny 7 REASON` |
/// | `b 7:some text|8:more` (our messages 7 and 8 in a batch, without bars in their text) | `got 7`, `deny 8 REASON` (each by itself) |
/// | `re! ID some text`, `no! ID REASON` (we answer a call) | `call ID some text` |
/// | `req 7 some text` (our request 7), `cancel 7` | `re 7 some text`, `done 7`, `deny 7 REASON`, `busy 7 MILLIS` (later, please) |
/// | `ping`, `pong TOKEN` | `ping TOKEN`, `pong` |
/// | `ack ID` | `m some text`, `m! ID some text` (wants an ack) |
/// | `sub 7 a b` (our operation 7: the topics a and b), `unsub 8 a` | `sub-ok 7`, `sub-no 7 REASON`, `sub-no 7 MILLIS REASON` (come again then) |
/// | | `on a` (is confirmed), `off a REASON` (has ended), `gone a REASON` (is lost) |
/// | | `t a some text` (of the topic a), `t# 17 a some text` (at position 17), `t! ID a some text` (wants an ack), `item 7 some text` (of our operation 7) |
/// | `bye`, `report 3` (our failure 3) | `away MILLIS REASON`, `go ADDRESS`, `trouble REASON`, `lost REASON` (the login is no longer valid) |
///
/// The first word of `m` is the name of the message, and `trouble` is the name of the other. Anything else is a minor
/// complaint, and `junk` a major one.
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
    /// Whether there are topics, and how many of them one operation can name.
    pub topics: Topics,
    /// Whether the server confirms them.
    pub confirms: bool,
    /// Whether several messages can leave as one.
    pub batches: bool,
}

impl Default for Toy {
    /// With a login, acknowledgements and the WebSocket's own pings, and without topics and batches.
    fn default() -> Self {
        let (topics, confirms) = (Topics::None, true);
        Self { hello: false, login: true, acks: true, pings: Pings::Frames, topics, confirms, batches: false }
    }
}

impl Protocol for Toy {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities {
            hello: self.hello,
            login: self.login,
            acks: if self.acks { Acks::Each } else { Acks::None },
            pings: self.pings,
            topics: self.topics,
            confirms: self.confirms,
            batches: self.batches,
            contents: true,
            replies: true,
        }
    }

    /// Topics that begin with a sharp are local.
    fn is_local(&self, topic: &Text) -> bool {
        topic.as_str().starts_with('#')
    }

    fn admit(&self, message: &Text) -> Result<u32, Unfit> {
        let longest_head = "m 18446744073709551615 ".len();
        u32::try_from(longest_head + message.len()).map_err(|_| Unfit("longer than 4 GiB".into()))
    }

    fn content(&self, message: &Text, feed: &mut dyn FnMut(&[u8])) {
        feed(message.as_bytes());
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Text, Text>>) {
        match frame.as_str() {
            Some(line) => heard.push(meaning(line)),
            None => heard.push(Heard::Bad(Complaint::minor("not text"))),
        }
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Text, Text>, frames: &mut Vec<Frame>) {
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
            Say::Request(Outgoing { op, message, .. }) => format!("req {op} {message}"),
            Say::Reply { call, answer } => {
                let call = String::from_utf8_lossy(call);
                answer.map_or_else(|why| format!("no! {call} {why}"), |message| format!("re! {call} {message}"))
            }
            Say::Cancel { op } => format!("cancel {op}"),
            Say::AckOf { id } => format!("ack {}", String::from_utf8_lossy(id)),
            Say::Ping => "ping".into(),
            Say::Pong(token) => format!("pong {}", String::from_utf8_lossy(&token)),
            Say::Report(error) => format!("report {}", error.number),
            Say::Bye => "bye".into(),
            Say::Subscribe { op, topics } => format!("sub {op} {}", words(topics)),
            Say::Unsubscribe { op, topics } => format!("unsub {op} {}", words(topics)),
            Say::Batch(members) => {
                let member = |out: Outgoing<'_, Text>| format!("{}:{}", out.op, out.message);
                format!("b {}", members.map(member).collect::<Vec<_>>().join("|"))
            }
            // The abilities promise none of these.
            Say::Ack { .. } => return,
        };
        frames.push(line.into());
    }

    fn name_of<'a>(&self, message: &'a Text) -> Option<&'a str> {
        message.as_str().split(' ').next()
    }

    fn name_of_trouble(&self) -> Option<&str> {
        Some("trouble")
    }

    fn refusal_in(&self, message: &Text) -> Rejected {
        Rejected { message: message.clone(), ..Rejected::default() }
    }
}

fn words(topics: &[Text]) -> String {
    topics.iter().map(Text::as_str).collect::<Vec<_>>().join(" ")
}

// A table: one word, one meaning.
fn meaning(line: &str) -> Heard<Text, Text> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (head, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    let why = |message: &str| Box::new(Rejected { message: message.into(), ..Rejected::default() });
    match (verb, head.parse::<u64>()) {
        ("hello", _) => Heard::Hello(Box::default()),
        ("ok", expires) => {
            let expires = expires.ok().map(Timestamp::from_millis);
            Heard::LoginOk { resumed: Resumed::Fresh, expires, client_id: None }
        }
        ("kept", _) => Heard::LoginOk { resumed: Resumed::Kept, expires: None, client_id: None },
        ("challenge", _) => Heard::Challenge(rest.to_owned().into()),
        ("no", _) => Heard::LoginRefused(why(rest)),
        ("lost", _) => Heard::LoginLost(why(rest)),
        ("got", Ok(op)) => Heard::Acked { op: OpId(op) },
        ("call", _) => {
            let marks = Marks { call: Some(head.to_owned().into()), ..Marks::default() };
            Heard::Message { message: tail.into(), topic: None, mark: Mark::new(marks) }
        }
        ("re", Ok(op)) => Heard::Item { op: OpId(op), message: tail.into() },
        ("done", Ok(op)) => Heard::Done { op: OpId(op), result: Ok(()) },
        ("busy", Ok(op)) => {
            let retry_after = tail.parse().ok().map(Duration::from_millis);
            Heard::Done { op: OpId(op), result: Err(Box::new(Rejected { retry_after, ..*why("busy") })) }
        }
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
            away.comeback = Comeback::After(Duration::from_millis(millis));
            away.reason = tail.into();
            Heard::GoAway(Box::new(away))
        }
        ("go", _) => {
            let mut away = GoAway::default();
            away.address = Some(rest.into());
            Heard::GoAway(Box::new(away))
        }
        ("sub-ok", Ok(op)) => Heard::Done { op: OpId(op), result: Ok(()) },
        ("sub-no", Ok(op)) => Heard::Done { op: OpId(op), result: Err(again(tail)) },
        ("on", _) => Heard::Confirmed { topic: head.into() },
        ("off", _) => Heard::TopicEnded { topic: head.into(), why: (!tail.is_empty()).then(|| why(tail)) },
        ("gone", _) => Heard::TopicLost { topic: head.into(), why: why(tail) },
        ("t", _) => Heard::Message { message: tail.into(), topic: Some(head.into()), mark: Mark::NONE },
        ("t#", Ok(position)) => {
            let (topic, text) = tail.split_once(' ').unwrap_or((tail, ""));
            let marks = Marks { position: Some(position), ..Marks::default() };
            Heard::Message { message: text.into(), topic: Some(topic.into()), mark: Mark::new(marks) }
        }
        ("t!", _) => {
            let (topic, text) = tail.split_once(' ').unwrap_or((tail, ""));
            let marks = Marks { id: Some(head.to_owned().into()), ack: true, ..Marks::default() };
            Heard::Message { message: text.into(), topic: Some(topic.into()), mark: Mark::new(marks) }
        }
        ("item", Ok(op)) => Heard::Item { op: OpId(op), message: tail.into() },
        ("trouble", _) => Heard::Trouble(why(rest)),
        ("junk", _) => Heard::Bad(Complaint::major("junk", CloseCode::PROTOCOL)),
        _ => Heard::Bad(Complaint::minor("no such word")),
    }
}

/// A refusal; with a time to come again, if it begins with one.
fn again(text: &str) -> Box<Rejected> {
    let (head, tail) = text.split_once(' ').unwrap_or((text, ""));
    Box::new(match head.parse() {
        Ok(millis) => {
            Rejected { message: tail.into(), retry_after: Some(Duration::from_millis(millis)), ..Rejected::default() }
        }
        Err(_) => Rejected { message: text.into(), ..Rejected::default() },
    })
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
            (Some("b"), _) => Sent::Batch,
            (Some("re!" | "no!"), _) => Sent::Message(None),
            (Some("req"), Some(Ok(op))) => Sent::Request(OpId(op)),
            (Some("sub"), Some(Ok(op))) => Sent::Subscribe(OpId(op)),
            (Some("unsub"), Some(Ok(op))) => Sent::Unsubscribe(OpId(op)),
            _ => Sent::Control,
        }
    }

    fn members(&self, frame: &Frame) -> Vec<OpId> {
        let Some(members) = frame.as_str().and_then(|line| line.strip_prefix("b ")) else { return Vec::new() };
        let op = |member: &str| Some(OpId(member.split_once(':')?.0.parse().ok()?));
        members.split('|').filter_map(op).collect()
    }

    fn got(&self, frame: &Frame) -> Got {
        let mut words = frame.as_str().unwrap_or_default().split(' ');
        match (words.next(), words.next().map(str::parse)) {
            (Some("ok"), _) if self.login => Got::LoginOk,
            (Some("kept"), _) if self.login => Got::Kept,
            (Some("hello"), _) if !self.login => Got::LoginOk,
            (Some("got"), Some(Ok(op))) => Got::Acked(OpId(op)),
            (Some("deny" | "busy" | "sub-no"), Some(Ok(op))) => Got::Denied(OpId(op)),
            (Some("re" | "item"), Some(Ok(op))) => Got::Replied(OpId(op)),
            (Some("done" | "sub-ok"), Some(Ok(op))) => Got::Done(OpId(op)),
            (Some("on"), _) => Got::On,
            (Some("off"), _) => Got::Off,
            (Some("gone"), _) => Got::Gone,
            _ => Got::Other,
        }
    }

    fn has_topics(&self) -> bool {
        self.topics != Topics::None
    }

    fn confirms(&self) -> bool {
        self.confirms
    }

    fn is_local(&self, topic: &Text) -> bool {
        Protocol::is_local(self, topic)
    }

    fn topics(&self, frame: &Frame) -> Vec<Text> {
        let mut words = frame.as_str().unwrap_or_default().split(' ');
        match words.next() {
            Some("sub" | "unsub") => words.skip(1).map(Text::from).collect(),
            Some("on" | "off" | "gone") => words.take(1).map(Text::from).collect(),
            _ => Vec::new(),
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
