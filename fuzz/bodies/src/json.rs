//! Is every text either understood or refused, and is what is written what is read?
//!
//! The first byte chooses the settings, the rest is text: once as what a peer sends, once as a message of ours,
//! its name up to the first newline and its content after it.

use steadfast::{
    CloseCode, Frame, Handshake, Heard, Limits, OpId, Outgoing, Pings, Protocol, Say, Text, Timestamp,
    protocol::json::{Fields, Greeting, Json, Login, Message, Packet, Stamps},
};

/// More meanings than this in a frame are a complaint.
const HEARD_MAX: u32 = 8;

/// Runs one case. Panics if a promise is broken.
pub fn json(data: &[u8]) {
    let Some((settings, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    read(text, stamps(*settings));
    hear(text, protocol(*settings));
    if let Some((name, content)) = text.split_once('\n') {
        say(name, content, protocol(*settings));
    }
}

const fn stamps(settings: u8) -> Stamps {
    if settings & 1 == 0 { Stamps::Iso } else { Stamps::Millis }
}

fn protocol(settings: u8) -> Json {
    let greeting = match settings >> 1 & 3 {
        0 => Greeting::None,
        1 => Greeting::Optional("welcome".into()),
        _ => Greeting::Required("welcome".into()),
    };
    let heartbeat = [Pings::Frames, Pings::Ours, Pings::Theirs, Pings::Frames][usize::from(settings >> 3 & 3)];
    let json = Json::new(7).greeting(greeting).heartbeat(heartbeat).stamps(stamps(settings));
    let json = json.acks(settings & 32 != 0).both_spellings(settings & 64 != 0);
    if settings & 128 == 0 { json } else { json.login(Login::default()) }
}

/// The grammar: what was read can be written, and reads the same again. (But for the finest digits of a time.)
fn read(text: &str, stamps: Stamps) {
    let fields = Fields::default();
    let Ok(mut first) = Packet::read(&text.into(), &fields) else { return };
    let written = first.write(&fields, stamps);
    let mut second = Packet::read(&written, &fields).expect("what was written can be read");
    assert_eq!(second.write(&fields, stamps), written, "written twice, it is the same");
    assert_eq!(first.timestamp.take().is_some(), second.timestamp.take().is_some());
    assert_eq!(first, second);
}

/// The protocol: any text means something or is a complaint, before the login and after it.
fn hear(text: &str, mut json: Json) {
    let (mut link, mut heard) = (Default::default(), Vec::new());
    let limits = Limits { heard_max: HEARD_MAX, max_message: 1 << 20 };
    json.up(&mut link, &Handshake::default(), limits).expect("it asks for no subprotocol");
    let mut frames = Vec::new();
    json.encode(&mut link, Timestamp::ZERO, Say::Login { credential: None, challenge: None }, &mut frames);
    for frame in [text.into(), r#"{"type":"connected"}"#.into(), text.into(), Frame::Binary(text.to_owned().into())] {
        heard.clear();
        json.decode(&mut link, frame, &mut heard);
        assert!(heard.len() <= HEARD_MAX as usize + 1, "{} meanings", heard.len());
        assert!(!heard.iter().any(closes), "nonsense does not end a link: {heard:?}");
    }
}

fn closes(heard: &Heard<steadfast::protocol::json::Incoming, Text>) -> bool {
    matches!(heard, Heard::Bad(complaint) if complaint.close.is_some_and(CloseCode::is_sendable))
}

/// A message of ours fits into what was promised at acceptance, and the peer reads what we meant.
fn say(name: &str, content: &str, mut json: Json) {
    let Ok(message) = Message::raw(name, content) else { return };
    let Ok(promised) = json.admit(&message) else { return };
    let (mut link, mut frames) = (Default::default(), Vec::new());
    let outgoing = Outgoing { op: OpId(u64::MAX), message: &message, number: None, ack: true, again: false };
    json.encode(&mut link, Timestamp::from_millis(1_700_000_000_000), Say::Message(outgoing), &mut frames);
    let [Frame::Text(text)] = &frames[..] else { panic!("one message is one frame of text: {frames:?}") };
    assert!(text.len() <= promised as usize, "{} bytes, and {promised} were promised", text.len());
    let packet = Packet::read(text, &Fields::default()).expect("what we say can be read");
    assert_eq!(packet.kind.as_str(), message.name());
    assert_eq!(packet.data.as_ref().map(|data| data.as_str()), message.data());
}
