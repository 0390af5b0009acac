//! What the exchange speaks, as a [`Protocol`]: a login by challenge, topics under numbers of the server's, orders that are
//! acknowledged, and ticks that are counted.
//!
//! | we say | the exchange says |
//! |---|---|
//! | `{"do":"login"}`, `{"do":"sign","signature":"…"}` | `{"ev":"challenge","nonce":"…"}`, `{"ev":"welcome"}` |
//! | `{"do":"subscribe","req":4,"topic":"A"}` | `{"ev":"subscribed","req":4,"topic":"A","sid":7,"seq":119}` |
//! | | `{"ev":"tick","sid":7,"seq":120,"d":{…}}` |
//! | `{"do":"unsubscribe","req":5,"topic":"A"}` | `{"ev":"done","req":5}` |
//! | `{"do":"book","req":6,"of":"A"}` | `{"ev":"answer","req":6,"d":{…}}` |
//! | `{"do":"order","req":7,"of":"A"}` | `{"ev":"ok","req":7}` |
//! | any of them | `{"ev":"refused","req":7,"why":"…"}` |

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast::{
    Abilities, Acks, Complaint, Frame, Heard, Mark, Marks, OpId, Outgoing, Protocol, Rejected, Resumed, Say, Secret,
    Timestamp, Topics, Unfit,
};

/// The grammar. It keeps nothing between links; what the session is about is the session's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchange;

/// What is known of one link: which topic the server means by a number, and its last tick. It dies with the link.
pub(crate) type Feeds = BTreeMap<u64, (String, u64)>;

impl Protocol for Exchange {
    type Message = Value;
    type Incoming = Value;
    type Topic = String;
    type Link = Feeds;

    fn abilities(&self) -> Abilities {
        let (acks, topics) = (Acks::Each, Topics::One);
        Abilities { login: true, acks, replies: true, topics, confirms: true, ..Abilities::default() }
    }

    fn admit(&self, message: &Value) -> Result<u32, Unfit> {
        let size = message.to_string().len() + r#","req":18446744073709551615"#.len();
        let size = message["do"].as_str().and_then(|_| u32::try_from(size).ok());
        size.ok_or_else(|| Unfit(r#"say what is to be done: {"do": "order", …}"#.into()))
    }

    fn decode(&mut self, feeds: &mut Feeds, frame: Frame, heard: &mut Vec<Heard<Value, String>>) {
        let said = frame.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
        let op = OpId(number(&said["req"]));
        heard.push(match said["ev"].as_str() {
            Some("challenge") => Heard::Challenge(text(&said["nonce"]).into()),
            Some("welcome") => Heard::LoginOk { resumed: Resumed::Fresh, expires: None, client_id: None },
            Some("denied") => Heard::LoginRefused(refusal(&said["why"])),
            Some("subscribed") => {
                feeds.insert(number(&said["sid"]), (text(&said["topic"]), number(&said["seq"])));
                Heard::Done { op, result: Ok(()) }
            }
            Some("tick") => return heard.extend(tick(feeds, &said)),
            Some("answer") => Heard::Item { op, message: said["d"].clone() },
            Some("ok") => Heard::Acked { op },
            Some("done") => Heard::Done { op, result: Ok(()) },
            Some("refused") => Heard::Done { op, result: Err(refusal(&said["why"])) },
            _ => Heard::Bad(Complaint::minor("no such event")),
        });
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what the abilities do not name is not asked for")]
    fn encode(&mut self, _: &mut Feeds, _: Timestamp, say: Say<'_, Value, String>, frames: &mut Vec<Frame>) {
        let packet = match say {
            Say::Login { challenge: None, .. } => json!({"do": "login"}),
            Say::Login { credential, challenge: Some(nonce) } => {
                json!({"do": "sign", "signature": sign(credential, nonce)})
            }
            Say::Message(Outgoing { op, message, .. }) | Say::Request(Outgoing { op, message, .. }) => {
                let mut packet = message.clone();
                packet["req"] = op.0.into();
                packet
            }
            Say::Subscribe { op, topics } => json!({"do": "subscribe", "req": op.0, "topic": topics[0]}),
            Say::Unsubscribe { op, topics } => json!({"do": "unsubscribe", "req": op.0, "topic": topics[0]}),
            _ => return,
        };
        frames.push(packet.to_string().into());
    }
}

/// A tick that follows the last one of its feed. Where one is missing the feed is given up: the session asks for the topic
/// again, and tells of the gap. What a feed says after that is passed over.
fn tick(feeds: &mut Feeds, said: &Value) -> Option<Heard<Value, String>> {
    let (sid, seq) = (number(&said["sid"]), number(&said["seq"]));
    let (topic, last) = feeds.get_mut(&sid)?;
    if seq != *last + 1 {
        let (topic, _) = feeds.remove(&sid)?;
        return Some(Heard::TopicLost { topic, why: refusal(&"a tick is missing".into()) });
    }
    *last = seq;
    let mark = Mark::new(Marks { position: Some(seq), ..Marks::default() });
    Some(Heard::Message { message: said["d"].clone(), topic: Some(topic.clone()), mark })
}

fn refusal(why: &Value) -> Box<Rejected> {
    Box::new(Rejected { message: text(why).into(), ..Rejected::default() })
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Stands for a keyed hash.
pub(crate) fn sign(credential: Option<&Secret>, nonce: &[u8]) -> String {
    let key = credential.map_or(&b"-"[..], |secret| secret.expose());
    nonce.iter().zip(key.iter().cycle()).map(|(a, b)| format!("{:02x}", a ^ b)).collect()
}
