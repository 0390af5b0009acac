//! What the exchange speaks, as a [`Protocol`]: a login by challenge, topics with ids of the server's, orders that are
//! acknowledged, and a sequence number in every tick.
//!
//! | we say | the exchange says |
//! |---|---|
//! | `{"do":"login"}`, `{"do":"sign","signature":"…"}` | `{"ev":"challenge","nonce":"…"}`, `{"ev":"welcome"}` |
//! | `{"do":"subscribe","req":4,"topics":["A"]}` | `{"ev":"subscribed","req":4,"entries":[{"topic":"A","sid":7}]}` |
//! | `{"do":"unsubscribe","req":5,"topics":["A"]}` | `{"ev":"done","req":5}` |
//! | `{"do":"book","req":6,"of":"A"}` (a request) | `{"ev":"answer","req":6,"d":{…}}` |
//! | `{"do":"order","req":7,"of":"A"}` | `{"ev":"ok","req":7}` or `{"ev":"refused","req":7,"why":"…"}` |
//! | | `{"ev":"tick","sid":7,"seq":120,"d":{…}}` |

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast::{
    Abilities, Acks, Complaint, Frame, Heard, Mark, Marks, OpId, Outgoing, Protocol, Rejected, Resumed, Say, Secret,
    Timestamp, Topics, Unfit,
};

/// The grammar. It keeps nothing between links; what the session is about is the session's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchange;

/// What is known of one link: which topic the server means by which id. It dies with the link.
pub(crate) type Ids = BTreeMap<u64, String>;

impl Protocol for Exchange {
    type Message = Value;
    type Incoming = Value;
    type Topic = String;
    type Link = Ids;

    fn abilities(&self) -> Abilities {
        let (acks, topics) = (Acks::Each, Topics::Many);
        Abilities { login: true, acks, replies: true, topics, confirms: true, ..Abilities::default() }
    }

    fn admit(&self, message: &Value) -> Result<u32, Unfit> {
        let size = message.to_string().len() + r#","req":18446744073709551615"#.len();
        if message["do"].is_string() {
            u32::try_from(size).map_err(|_| Unfit("longer than 4 GiB".into()))
        } else {
            Err(Unfit(r#"say what is to be done: {"do": "order", …}"#.into()))
        }
    }

    fn decode(&mut self, ids: &mut Ids, frame: Frame, heard: &mut Vec<Heard<Value, String>>) {
        let Some(mut said) = frame.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return heard.push(Heard::Bad(Complaint::minor("not JSON")));
        };
        let op = OpId(said["req"].as_u64().unwrap_or(0));
        match said["ev"].as_str() {
            Some("challenge") => heard.push(Heard::Challenge(text(&said["nonce"]).into())),
            Some("welcome") => heard.push(Heard::LoginOk { resumed: Resumed::Fresh, expires: None, client_id: None }),
            Some("denied") => heard.push(Heard::LoginRefused(refusal(&said))),
            Some("ok") => heard.push(Heard::Acked { op }),
            Some("done") => heard.push(Heard::Done { op, result: Ok(()) }),
            Some("refused") => heard.push(Heard::Done { op, result: Err(refusal(&said)) }),
            Some("answer") => {
                heard.extend([Heard::Item { op, message: said["d"].take() }, Heard::Done { op, result: Ok(()) }]);
            }
            Some("subscribed") => {
                heard.extend(said["entries"].as_array().into_iter().flatten().map(|entry| confirmed(ids, entry)));
                heard.push(Heard::Done { op, result: Ok(()) });
            }
            Some("tick") => match said["sid"].as_u64().and_then(|id| ids.get(&id)).cloned() {
                Some(topic) => {
                    let mark = Mark::new(Marks { position: said["seq"].as_u64(), ..Marks::default() });
                    heard.push(Heard::Message { message: said["d"].take(), topic: Some(topic), mark });
                }
                None => heard.push(Heard::Bad(Complaint::minor("a tick of an unknown subscription"))),
            },
            _ => heard.push(Heard::Bad(Complaint::minor("no such event"))),
        }
    }

    fn encode(&mut self, _: &mut Ids, _: Timestamp, say: Say<'_, Value, String>, frames: &mut Vec<Frame>) {
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
            Say::Subscribe { op, topics } => json!({"do": "subscribe", "req": op.0, "topics": topics}),
            Say::Unsubscribe { op, topics } => json!({"do": "unsubscribe", "req": op.0, "topics": topics}),
            // The exchange has no words for the rest, and the abilities promise none.
            Say::Batch(_)
            | Say::Cancel { .. }
            | Say::Reply { .. }
            | Say::Ack { .. }
            | Say::AckOf { .. }
            | Say::Ping
            | Say::Pong(_)
            | Say::Report(_)
            | Say::Bye => return,
        };
        frames.push(packet.to_string().into());
    }
}

fn confirmed(ids: &mut Ids, entry: &Value) -> Heard<Value, String> {
    let topic = text(&entry["topic"]);
    match entry["sid"].as_u64() {
        Some(id) => {
            ids.insert(id, topic.clone());
            Heard::Confirmed { topic }
        }
        None => Heard::TopicEnded { topic, why: Some(refusal(entry)) },
    }
}

fn refusal(said: &Value) -> Box<Rejected> {
    Box::new(Rejected { message: text(&said["why"]).into(), ..Rejected::default() })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Stands for a keyed hash.
pub(crate) fn sign(credential: Option<&Secret>, nonce: &[u8]) -> String {
    let key = credential.map_or(&b"-"[..], |secret| secret.expose());
    nonce.iter().zip(key.iter().cycle()).map(|(a, b)| format!("{:02x}", a ^ b)).collect()
}
