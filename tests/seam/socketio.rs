//! Socket.IO v5 over Engine.IO v4.
//!
//! Learnt:
//! * Whether a packet asks for an acknowledgement is on the wire (`42["e"]` against `427["e"]`) and changes
//!   what the server's handler is called with; so [`Outgoing`] says whether the session waits for one.
//! * An acknowledgement can have a body: it is an `Item` and a `Done`. `Done(Ok)` of a message that is no
//!   request therefore means that it is acknowledged.
//! * Attachments wait in the link for their rest; how many bytes may wait is in [`Limits`].
//! * What comes before the answer to CONNECT is held back by the protocol, in its link.
//! * A server that kicks does not want us back: `LoginLost` with the recovery `Fatal`.

use core::time::Duration;

use serde_json::{Value, json};
use steadfast::{
    Abilities, Acks, Complaint, Frame, Handshake, Heard, Limits, Mark, Marks, OpId, Outgoing, Pings, Protocol,
    Recovery, Rejected, Resumed, Say, Timestamp, Topics, Tuning, Unfit,
};

use crate::{Wire, out, text};

type Heards = Vec<Heard<Packet, String>>;

#[derive(Default)]
struct SocketIo {
    pid: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Packet {
    args: Value,
    attachments: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Link {
    limit: usize,
    joined: bool,
    held: Heards,
    joins: Vec<(String, OpId)>,
    unfinished: Option<(usize, Option<u64>, Packet)>,
}

impl Protocol for SocketIo {
    type Message = Packet;
    type Incoming = Packet;
    type Topic = String;
    type Link = Link;

    fn abilities(&self) -> Abilities {
        let (acks, pings, topics) = (Acks::Each, Pings::Theirs, Topics::One);
        Abilities {
            hello: true,
            login: true,
            acks,
            replies: true,
            topics,
            confirms: true,
            batches: false,
            pings,
            contents: false,
        }
    }

    fn up(&mut self, link: &mut Link, _: &Handshake, limits: Limits) -> Result<(), Complaint> {
        link.limit = limits.max_message as usize;
        Ok(())
    }

    fn admit(&self, message: &Packet) -> Result<u32, Unfit> {
        Ok(message.attachments.iter().map(Vec::len).sum::<usize>() as u32 + 1_000)
    }

    fn decode(&mut self, link: &mut Link, frame: Frame, heard: &mut Heards) {
        match (frame, link.unfinished.take()) {
            (Frame::Binary(part), Some((missing, id, mut packet))) => {
                packet.attachments.push(part.to_vec());
                match missing {
                    1 => link.deliver(packet, id, heard),
                    _ if packet.attachments.iter().map(Vec::len).sum::<usize>() > link.limit => {
                        heard.push(Heard::Bad(Complaint::major("too large", steadfast::CloseCode::TOO_BIG)));
                    }
                    _ => link.unfinished = Some((missing - 1, id, packet)),
                }
            }
            (Frame::Text(line), None) => self.line(link, line.as_str(), heard),
            _ => heard.push(Heard::Bad(Complaint::major("out of place", steadfast::CloseCode::PROTOCOL))),
        }
    }

    fn encode(&mut self, link: &mut Link, _: Timestamp, say: Say<'_, Packet, String>, frames: &mut Vec<Frame>) {
        match say {
            Say::Login { .. } => frames.push(match &self.pid {
                Some(pid) => format!(r#"40{{"pid":"{pid}"}}"#).into(),
                None => "40".into(),
            }),
            Say::Message(Outgoing { op, message, ack, .. }) => packet(message, ack.then_some(op), frames),
            Say::Request(Outgoing { op, message, .. }) => packet(message, Some(op), frames),
            Say::Reply { call, answer: Ok(answer) } => {
                frames.push(format!("43{}{}", String::from_utf8_lossy(call), answer.args).into());
            }
            Say::Subscribe { op, topics } => frames.extend(topics.iter().map(|topic| {
                link.joins.push((topic.clone(), op));
                format!("40{topic},").into()
            })),
            Say::Pong(_) => frames.push("3".into()),
            _ => {}
        }
    }
}

impl SocketIo {
    fn line(&mut self, link: &mut Link, line: &str, heard: &mut Heards) {
        let (kind, rest) = line.split_at(line.len().min(2));
        match kind {
            "2" => heard.push(Heard::Ping(bytes::Bytes::new())),
            "40" if rest.starts_with('/') => {
                heard.push(Heard::Confirmed { topic: rest.split(',').next().unwrap_or_default().to_owned() });
            }
            "40" => {
                let pid = text(&serde_json::from_str::<Value>(rest).unwrap_or_default()["pid"]);
                let kept = self.pid.replace(pid.clone()) == Some(pid);
                heard.append(&mut link.held);
                link.joined = true;
                let resumed = if kept { Resumed::Kept } else { Resumed::Fresh };
                heard.push(Heard::LoginOk { resumed, expires: None, client_id: None });
            }
            "44" if rest.starts_with('/') => {
                let topic = rest.split(',').next().unwrap_or_default().to_owned();
                heard.push(Heard::TopicEnded { topic, why: Some(Box::default()) });
            }
            "44" => heard.push(Heard::LoginRefused(Box::new(Rejected { message: rest.into(), ..Rejected::default() }))),
            "41" => {
                let why = Rejected { recovery: Some(Recovery::Fatal), ..Rejected::default() };
                heard.push(Heard::LoginLost(Box::new(why)));
            }
            "42" | "43" | "45" => link.event(kind, rest, heard),
            _ => {
                let mut tuning = Tuning::default();
                tuning.ping_every = Some(Duration::from_secs(25));
                heard.push(Heard::Hello(Box::new(tuning)));
            }
        }
    }
}

impl Link {
    fn event(&mut self, kind: &str, rest: &str, heard: &mut Heards) {
        let (missing, rest) = if kind == "45" { rest.split_once('-').unwrap_or(("0", rest)) } else { ("0", rest) };
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let packet = Packet { args: rest[digits..].parse().unwrap_or_default(), attachments: Vec::new() };
        match (kind, missing.parse().unwrap_or(0), rest[..digits].parse().ok()) {
            ("43", _, Some(id)) => {
                heard.push(Heard::Item { op: OpId(id), message: packet });
                heard.push(Heard::Done { op: OpId(id), result: Ok(()) });
            }
            (_, 0, id) => self.deliver(packet, id, heard),
            (_, missing, id) => self.unfinished = Some((missing, id, packet)),
        }
    }

    fn deliver(&mut self, message: Packet, id: Option<u64>, heard: &mut Heards) {
        let mark = match id {
            Some(id) => Mark::new(Marks { call: Some(id.to_string().into()), ..Marks::default() }),
            None => Mark::NONE,
        };
        let to = if self.joined { heard } else { &mut self.held };
        to.push(Heard::Message { message, topic: None, mark });
    }
}

fn packet(message: &Packet, op: Option<OpId>, frames: &mut Vec<Frame>) {
    let id = op.map(|op| op.to_string()).unwrap_or_default();
    frames.push(match message.attachments.len() {
        0 => format!("42{id}{}", message.args).into(),
        n => format!("45{n}-{id}{}", message.args).into(),
    });
    frames.extend(message.attachments.iter().cloned().map(Frame::from));
}

#[test]
fn the_server_speaks_first_and_what_it_sends_too_early_is_held_back() {
    let mut wire = Wire::new(SocketIo::default());
    assert!(wire.up(None));
    let hello = wire.hear(r#"0{"sid":"e1","pingInterval":25000}"#);
    assert!(matches!(&hello[..], [Heard::Hello(tuning)] if tuning.ping_every == Some(Duration::from_secs(25))));
    assert_eq!(wire.say(Say::Login { credential: None, challenge: None }), [Frame::from("40")]);
    assert_eq!(wire.hear(r#"42["early"]"#), []);
    let login = wire.hear(r#"40{"sid":"s1","pid":"p1"}"#);
    assert!(matches!(&login[..], [Heard::Message { .. }, Heard::LoginOk { resumed: Resumed::Fresh, .. }]));
    wire.link = Link::default();
    assert_eq!(wire.say(Say::Login { credential: None, challenge: None }), [Frame::from(r#"40{"pid":"p1"}"#)]);
    let login = wire.hear(r#"40{"sid":"s1","pid":"p1"}"#);
    assert!(matches!(login[..], [Heard::LoginOk { resumed: Resumed::Kept, .. }]));
    assert!(matches!(&wire.hear("41")[..], [Heard::LoginLost(why)] if why.recovery == Some(Recovery::Fatal)));
}

#[test]
fn attachments_cross_several_frames_in_both_directions() {
    let mut wire = Wire::new(SocketIo::default());
    wire.up(None);
    wire.link.joined = true;
    let message = Packet { args: json!(["bin", {"_placeholder": true, "num": 0}]), attachments: vec![vec![1, 2, 3]] };
    let frames = wire.say(Say::Message(Outgoing { ack: true, ..out(7, &message) }));
    assert_eq!(frames, [r#"451-7["bin",{"_placeholder":true,"num":0}]"#.into(), Frame::from(vec![1, 2, 3])]);
    let mut frames = frames.into_iter();
    assert_eq!(wire.hear(frames.next().expect("the text")), []);
    let heard = wire.hear(frames.next().expect("the attachment"));
    let Heard::Message { message: got, mark, .. } = &heard[0] else { panic!("{heard:?}") };
    assert_eq!(*got, message);
    let call = mark.marks().and_then(|marks| marks.call.clone()).expect("it asks for an answer");
    let answer = Packet { args: json!(["re"]), ..Packet::default() };
    assert_eq!(wire.say(Say::Reply { call: &call, answer: Ok(&answer) }), [Frame::from(r#"437["re"]"#)]);
    let acked = wire.hear(r#"437["re"]"#);
    assert!(matches!(&acked[..], [Heard::Item { op: OpId(7), .. }, Heard::Done { op: OpId(7), result: Ok(()) }]));
    assert_eq!(wire.say(Say::Message(out(8, &answer))), [Frame::from(r#"42["re"]"#)]);
}

#[test]
fn namespaces_are_topics_and_the_servers_ping_is_answered() {
    let mut wire = Wire::new(SocketIo::default());
    let topics = ["/admin".to_owned()];
    assert_eq!(wire.say(Say::Subscribe { op: OpId(3), topics: &topics }), [Frame::from("40/admin,")]);
    assert_eq!(wire.hear(r#"40/admin,{"sid":"s2"}"#), [Heard::Confirmed { topic: "/admin".into() }]);
    let refused = wire.hear(r#"44/none,{"message":"Invalid namespace"}"#);
    assert!(matches!(&refused[..], [Heard::TopicEnded { topic, why: Some(_) }] if topic == "/none"));
    assert!(matches!(wire.hear("2")[..], [Heard::Ping(_)]));
    assert_eq!(wire.say(Say::Pong(bytes::Bytes::new())), [Frame::from("3")]);
}
