//! A protocol whose every word can be read in a test. A topic is a letter; `#` is a local one.
//!
//! | we say | the peer says |
//! |---|---|
//! | `say 1 hello` | |
//! | `sub 2 ab`, `unsub 3 a`, `ask 4 what` | `ok 2`, `no 2`, `answer 4 this` |
//! | `taken m7` | `a text` (of the topic a), `a:9 text` (at position 9), `a!m7 text` (to be acknowledged), `-- text` (of none) |
//! | `reply c1 fine`, `reply c1 no` | `--?c1 text` (a call), `-a` (lost), `!a` (ended), `+a` (confirmed) |

use bytes::Bytes;
use steadfast::{
    Abilities, Acks, Complaint, Frame, Heard, Mark, Marks, OpId, Outgoing, Protocol, Rejected, Say, Timestamp, Topics,
    Unfit,
};

#[derive(Clone, Copy, Default)]
pub struct Toy {
    /// Whether it acknowledges.
    pub acks: bool,
}

impl Protocol for Toy {
    type Message = String;
    type Incoming = String;
    type Topic = char;
    type Link = ();

    fn abilities(&self) -> Abilities {
        let acks = if self.acks { Acks::Each } else { Acks::None };
        Abilities { acks, replies: true, topics: Topics::Many, confirms: true, ..Abilities::default() }
    }

    fn admit(&self, message: &String) -> Result<u32, Unfit> {
        Ok(u32::try_from(message.len() + 30).unwrap())
    }

    fn is_local(&self, topic: &char) -> bool {
        *topic == '#'
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<String, char>>) {
        let text = frame.as_str().unwrap();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let op = |rest: &str| OpId(rest.parse().unwrap());
        let topic = word.chars().nth(1).unwrap_or('?');
        match word {
            "ok" => heard.push(Heard::Done { op: op(rest), result: Ok(()) }),
            "no" => heard.push(Heard::Done { op: op(rest), result: Err(Box::default()) }),
            "again" => {
                let recovery = Some(steadfast::Recovery::Retry);
                let why = Box::new(Rejected { recovery, ..Rejected::default() });
                heard.push(Heard::Done { op: op(rest), result: Err(why) });
            }
            "answer" => {
                let (number, message) = rest.split_once(' ').unwrap();
                heard.push(Heard::Item { op: op(number), message: message.to_owned() });
                heard.push(Heard::Done { op: op(number), result: Ok(()) });
            }
            _ if word.starts_with("--") => heard.push(message(None, &word[2..], rest)),
            _ if word.starts_with('-') => heard.push(Heard::TopicLost { topic, why: Box::default() }),
            _ if word.starts_with('!') => heard.push(Heard::TopicEnded { topic, why: None }),
            _ if word.starts_with('+') => heard.push(Heard::Confirmed { topic }),
            _ if !word.is_empty() => heard.push(message(word.chars().next(), &word[1..], rest)),
            _ => heard.push(Heard::Bad(Complaint::minor("nothing said"))),
        }
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, String, char>, frames: &mut Vec<Frame>) {
        let list = |topics: &[char]| topics.iter().collect::<String>();
        let said = match say {
            Say::Message(Outgoing { op, message, .. }) => format!("say {op} {message}"),
            Say::Request(Outgoing { op, message, .. }) => format!("ask {op} {message}"),
            Say::Subscribe { op, topics } => format!("sub {op} {}", list(topics)),
            Say::Unsubscribe { op, topics } => format!("unsub {op} {}", list(topics)),
            Say::AckOf { id } => format!("taken {}", String::from_utf8_lossy(id)),
            Say::Reply { call, answer } => {
                format!("reply {} {}", String::from_utf8_lossy(call), answer.map_or("no", String::as_str))
            }
            // It has no words for these.
            Say::Login { .. }
            | Say::Batch(_)
            | Say::Cancel { .. }
            | Say::Ack { .. }
            | Say::Ping
            | Say::Pong(_)
            | Say::Report(_)
            | Say::Bye => return,
        };
        frames.push(said.into());
    }
}

fn message(topic: Option<char>, mark: &str, text: &str) -> Heard<String, char> {
    let rest = || Bytes::copy_from_slice(&mark.as_bytes()[1..]);
    let mark = match mark.chars().next() {
        Some(':') => Mark::new(Marks { position: mark[1..].parse().ok(), ..Marks::default() }),
        Some('!') => Mark::new(Marks { id: Some(rest()), ack: true, ..Marks::default() }),
        Some('?') => Mark::new(Marks { call: Some(rest()), ..Marks::default() }),
        Some(_) | None => Mark::NONE,
    };
    Heard::Message { message: text.to_owned(), topic, mark }
}
