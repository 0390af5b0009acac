//! The page about the protocol `json` says what the code does: each of its lines goes through the protocol.

use steadfast::{
    Action, Cause, CloseCode, Commands, Config, Down, Error, Frame, Heard, LinkId, OpId, Outgoing, Pings, Plain,
    Protocol, Rejected, Report, Say, Secret, Session, Text, Timestamp,
    protocol::json::{Fields, Greeting, Incoming, Json, Link, Login, Message, Packet, Raw, Stamps},
};

const PAGE: &str = include_str!("../../docs/json.md");
/// What the ids on the page begin with, `k3v9`.
const INCARNATION: u64 = ((20 * 36 + 3) * 36 + 31) * 36 + 9;

#[test]
fn every_line_of_the_page_is_what_is_read_and_written() {
    let (mut said, mut heard) = (0, 0);
    for example in examples(PAGE) {
        let mut peer = Peer::new(example.setting);
        for line in example.lines {
            match line.split_at_checked(3) {
                Some(("C> ", line)) => {
                    assert_eq!(peer.say(line), line, "in `{}`", example.setting);
                    said += 1;
                }
                Some(("S> ", line)) => {
                    let (line, meaning) =
                        line.rsplit_once("  # ").unwrap_or_else(|| panic!("what does it mean? {line}"));
                    assert_eq!(peer.hear(line), meaning, "{line}");
                    heard += 1;
                }
                Some(_) | None => panic!("neither the client nor the server says this: {line}"),
            }
        }
    }
    assert!(said >= 15 && heard >= 40, "the examples of the page were not found: {said}, {heard}");
}

#[test]
fn no_example_hides_in_a_block_that_is_not_looked_at() {
    let hidden: Vec<_> = blocks(PAGE).filter(|(info, _)| !info.starts_with("text") && *info != "python").collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// Every word of the envelope that the page explains is one that is read, and the other way round.
#[test]
fn the_page_names_every_field_of_the_envelope() {
    let Fields { kind, channel, data, messages, id, reply_to, timestamp, client_id, .. } = Fields::default();
    for field in [kind, channel, data, messages, id, reply_to, timestamp, client_id] {
        assert!(PAGE.contains(&format!("\n| `{field}` |")), "{field}");
    }
}

#[test]
fn names_that_the_page_takes_for_itself_are_refused() {
    let sentence =
        PAGE.split("refuses to send messages of such names: ").nth(1).and_then(|rest| rest.split(", and the").next());
    let names: Vec<_> = sentence.expect("the sentence is there").split('`').filter(|word| word.len() > 2).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        assert!(Json::new(1).admit(&Message::bare(name)).is_err(), "{name}");
    }
}

struct Example {
    /// Which settings the client has: what stands behind ```` ```text ````.
    setting: &'static str,
    lines: Vec<&'static str>,
}

fn examples(page: &'static str) -> impl Iterator<Item = Example> {
    blocks(page).filter_map(|(info, body)| {
        let setting = info.strip_prefix("text")?.trim_start();
        Some(Example { setting, lines: body.lines().collect() })
    })
}

/// The fenced blocks: what stands behind the fence, and what is in it.
fn blocks(page: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    page.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').expect("a fence ends with its line"))
}

/// The client of an example.
struct Peer {
    json: Json,
    link: Link,
    ping: Option<bytes::Bytes>,
}

impl Peer {
    fn new(setting: &str) -> Self {
        let json = Json::new(INCARNATION).acks(true).login(Login::default());
        let greeting = Greeting::Optional("connection_established".into());
        let json = match setting {
            "" | "online" => json,
            "greeting" => json.greeting(greeting),
            "spellings" => json.greeting(greeting).both_spellings(true),
            "pings" => json.heartbeat(Pings::Ours),
            "calls" => json.calls(true),
            "millis" => json.stamps(Stamps::Millis),
            "about" => {
                let about = r#"{"type":"browser","permissions":["read"],"created":"2026-11-20T10:00:00.000Z"}"#;
                json.login(Login::default().client(Raw::new(about).expect("JSON")))
            }
            "names" => json.fields(names("names")).expect("they differ"),
            _ => panic!("a setting that no client has: {setting}"),
        };
        Self { json, link: Link::default(), ping: None }
    }

    /// What the client writes when it wants to say what this line says.
    fn say(&mut self, line: &str) -> String {
        let fields = self.fields(line);
        let packet = Packet::read(&line.into(), &fields).unwrap_or_else(|bad| panic!("{bad}: {line}"));
        let now = packet.timestamp.unwrap_or_default();
        let mut frames = Vec::new();
        let (id, topics) = (packet.id.clone().unwrap_or_default(), [packet.channel.clone().unwrap_or_default()]);
        let member =
            |name| packet.data.as_ref().and_then(|data| data.member(name)).and_then(|said| said.parse::<String>().ok());
        let (code, text) = (member("code").map(Text::from), member("message").unwrap_or_default().into());
        let why = Rejected { code, message: text, ..Rejected::default() };
        let answer = message(&packet);
        let credential = packet.data.as_ref().and_then(|data| data.member("api_key")).and_then(|key| key.parse().ok());
        let credential = credential.map(|key: String| Secret::from(key.as_str()));
        let batch = packet.messages.as_ref().map(|messages| members(messages, &fields)).unwrap_or_default();
        let mut members = batch.iter().map(|(op, message)| out(*op, message));
        let (ping, failure) = (self.ping.take(), failure());
        let say = match packet.kind.as_str() {
            "connect" => Say::Login { credential: credential.as_ref(), challenge: None },
            "ack" => Say::AckOf { id: id.as_bytes() },
            "ping" => Say::Ping,
            "pong" => Say::Pong(ping.expect("a pong answers a ping")),
            "batch" => Say::Batch(&mut members),
            "subscribe" => Say::Subscribe { op: op(&id), topics: &topics },
            "unsubscribe" => Say::Unsubscribe { op: op(&id), topics: &topics },
            "client_error" => Say::Report(&failure),
            "error" => Say::Reply { call: packet.reply_to.as_ref().expect("of what").as_bytes(), answer: Err(&why) },
            _ if packet.reply_to.is_some() => {
                Say::Reply { call: packet.reply_to.as_ref().expect("of what").as_bytes(), answer: Ok(&answer) }
            }
            _ => Say::Message(out(op(&id), &answer)),
        };
        self.json.encode(&mut self.link, now, say, &mut frames);
        frames.iter().filter_map(Frame::as_str).collect()
    }

    /// What the client takes this line for, in the words of the page.
    fn hear(&mut self, line: &str) -> String {
        let mut heard = Vec::new();
        self.json.decode(&mut self.link, line.into(), &mut heard);
        let meanings: Vec<_> = heard.iter().map(|meaning| self.meaning(meaning)).collect();
        if meanings.is_empty() { "nothing".into() } else { meanings.join(", ") }
    }

    fn meaning(&mut self, heard: &Heard<Incoming, Text>) -> String {
        match heard {
            Heard::Hello(_) => "the greeting".into(),
            Heard::LoginOk { .. } => "the login is accepted".into(),
            Heard::LoginRefused(_) => "the login is refused".into(),
            Heard::Message { mark, .. } if mark.marks().is_some_and(|marks| marks.call.is_some()) => "a call".into(),
            Heard::Message { .. } => "a message".into(),
            Heard::Acked { op } => format!("message {op} is acknowledged"),
            Heard::Done { op, result: Ok(()) } => format!("the answer to {op}"),
            Heard::Done { op, result: Err(_) } => format!("message {op} is refused"),
            Heard::Item { op, .. } => format!("a part of the answer to {op}"),
            Heard::TopicEnded { .. } => "the channel has ended".into(),
            Heard::TopicLost { .. } => "the channel is lost".into(),
            Heard::Confirmed { .. } => "the channel is confirmed".into(),
            Heard::GoAway(_) => "asked to leave".into(),
            Heard::Trouble(_) => "trouble".into(),
            Heard::Bad(_) => "bad".into(),
            Heard::Pong => "a pong".into(),
            Heard::Ping(ping) => {
                self.ping = Some(ping.clone());
                "a ping".into()
            }
            Heard::AckedUpTo { .. } | Heard::Track { .. } | Heard::Challenge(_) | Heard::LoginLost(_) => {
                format!("{heard:?}")
            }
        }
    }

    /// The names of the members: those that the line uses.
    fn fields(&self, line: &str) -> Fields {
        names(if line.starts_with(r#"{"event""#) { "names" } else { "" })
    }
}

/// A failure of a session, as only a session makes one.
fn failure() -> Box<Error> {
    let mut session = Session::new(Plain, Config::default(), 7).expect("sound settings");
    let mut actions = Vec::new();
    session.connect(Timestamp::ZERO, &mut actions);
    let cause = Cause::Closed { code: CloseCode(1011), reason: "the database is down".into() };
    let down = Report::Down(Box::new(Down { cause, left: 0, verdict: None }));
    session.report(Timestamp::ZERO, LinkId(1), down, &mut actions);
    let error = |action| if let Action::EmitError(error) = action { Some(error) } else { None };
    actions.into_iter().find_map(error).expect("it has failed")
}

fn names(setting: &str) -> Fields {
    let mut fields = Fields::default();
    if setting == "names" {
        (fields.kind, fields.data) = ("event".into(), "payload".into());
    }
    fields
}

fn message(packet: &Packet) -> Message {
    let message = match &packet.data {
        Some(data) => Message::raw(packet.kind.clone(), data.as_str()).expect("JSON"),
        None => Message::bare(packet.kind.clone()),
    };
    packet.channel.iter().fold(message, |message, channel| message.on(channel.clone()))
}

fn members(messages: &Raw, fields: &Fields) -> Vec<(OpId, Message)> {
    let all: Vec<Box<serde_json::value::RawValue>> = messages.parse().expect("an array");
    let packets = all.iter().map(|one| Packet::read(&one.get().into(), fields).expect("a packet"));
    packets.map(|packet| (op(packet.id.as_ref().expect("an id")), message(&packet))).collect()
}

/// The number in an id.
fn op(id: &Text) -> OpId {
    let number = id.as_str().rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    OpId(number.unwrap_or_else(|| panic!("no id of the client: {id}")))
}

fn out(op: OpId, message: &Message) -> Outgoing<'_, Message> {
    Outgoing { op, message, number: None, ack: false, again: false }
}
