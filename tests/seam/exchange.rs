//! A stock exchange: a login by challenge, subscriptions in bulk, ids that the server gives.
//!
//! Learnt:
//! * The login is as many steps as there are challenges; the protocol needs no state for it, because the
//!   session hands the challenge back with the credential.
//! * One operation names many topics and one frame confirms many of them. Each refused topic has a reason
//!   of its own, so `TopicEnded` can carry one; `Done` settles the rest.
//! * The server's ids mean something on one link only, and live there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast::{
    Abilities, Acks, CloseCode, Complaint, Frame, Heard, Mark, Marks, OpId, Outgoing, Pings, Protocol, Recovery,
    Rejected, Resumed, Say, Secret, Timestamp, Topics, Unfit,
};

use crate::{Wire, json, out, text};

struct Exchange;

impl Protocol for Exchange {
    type Message = Value;
    type Incoming = Value;
    type Topic = String;
    type Link = BTreeMap<u64, String>;

    fn abilities(&self) -> Abilities {
        let (acks, topics, pings) = (Acks::Each, Topics::Many, Pings::Theirs);
        Abilities { login: true, acks, topics, confirms: true, pings, ..Abilities::default() }
    }

    fn admit(&self, order: &Value) -> Result<u32, Unfit> {
        if order.is_object() {
            Ok(order.to_string().len() as u32 + 40)
        } else {
            Err(Unfit("an order is an object".into()))
        }
    }

    fn decode(&mut self, ids: &mut Self::Link, frame: Frame, heard: &mut Vec<Heard<Value, String>>) {
        let mut packet = json(&frame);
        let op = OpId(packet["req"].as_u64().unwrap_or(0));
        match packet["ev"].as_str() {
            Some("challenge") => heard.push(Heard::Challenge(text(&packet["nonce"]).into())),
            Some("welcome") => heard.push(Heard::LoginOk { resumed: Resumed::Fresh, expires: None, client_id: None }),
            Some("ping") => heard.push(Heard::Ping(packet["n"].to_string().into())),
            Some("ok") => heard.push(Heard::Acked { op }),
            Some("refused") => heard.push(Heard::Done { op, result: Err(refused(&packet["why"])) }),
            Some("subscribed") => {
                for entry in packet["entries"].as_array().into_iter().flatten() {
                    let topic = text(&entry["topic"]);
                    heard.push(match entry["sid"].as_u64() {
                        Some(id) => {
                            ids.insert(id, topic.clone());
                            Heard::Confirmed { topic }
                        }
                        None => Heard::TopicEnded { topic, why: Some(refused(&entry["why"])) },
                    });
                }
                heard.push(Heard::Done { op, result: Ok(()) });
            }
            Some("tick") => match ids.get(&packet["sid"].as_u64().unwrap_or(0)) {
                Some(topic) => {
                    let mark = Mark::new(Marks { position: packet["seq"].as_u64(), ..Marks::default() });
                    heard.push(Heard::Message { message: packet["d"].take(), topic: Some(topic.clone()), mark });
                }
                None => heard.push(Heard::Bad(Complaint::minor("a tick of an unknown subscription"))),
            },
            _ => heard.push(Heard::Bad(Complaint::minor("no such event"))),
        }
    }

    fn encode(&mut self, ids: &mut Self::Link, _: Timestamp, say: Say<'_, Value, String>, frames: &mut Vec<Frame>) {
        let packet = match say {
            Say::Login { challenge: None, .. } => json!({"do": "login"}),
            Say::Login { credential, challenge: Some(nonce) } => {
                json!({"do": "sign", "signature": sign(credential, nonce)})
            }
            Say::Message(Outgoing { op, message, again, .. }) => {
                json!({"do": "order", "req": op.0, "order": message, "again": again})
            }
            Say::Subscribe { op, topics } => json!({"do": "subscribe", "req": op.0, "topics": topics}),
            Say::Unsubscribe { op, topics } => {
                let sids = ids.iter().filter(|(_, topic)| topics.contains(topic)).map(|(id, _)| *id);
                json!({"do": "unsubscribe", "req": op.0, "sids": sids.collect::<Vec<_>>()})
            }
            Say::Pong(n) => json!({"do": "pong", "n": serde_json::from_slice::<Value>(&n).unwrap_or_default()}),
            _ => return,
        };
        frames.push(packet.to_string().into());
    }

    fn classify(&self, code: CloseCode, reason: &str) -> Option<Recovery> {
        (code == CloseCode::POLICY && reason == "replaced").then_some(Recovery::Fatal)
    }
}

/// Stands for a keyed hash.
fn sign(credential: Option<&Secret>, nonce: &[u8]) -> String {
    let key = credential.map_or(&b"-"[..], |secret| secret.expose());
    nonce.iter().zip(key.iter().cycle()).map(|(a, b)| format!("{:02x}", a ^ b)).collect()
}

fn refused(why: &Value) -> Box<Rejected> {
    Box::new(Rejected { message: text(why).into(), ..Rejected::default() })
}

#[test]
fn the_login_takes_two_steps() {
    let mut wire = Wire::new(Exchange);
    let secret = Secret::from("k");
    let login = |challenge| Say::Login { credential: Some(&secret), challenge };
    assert_eq!(json(&wire.say(login(None))[0]), json!({"do": "login"}));
    let heard = wire.hear(r#"{"ev":"challenge","nonce":"ab"}"#);
    let [Heard::Challenge(nonce)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(json(&wire.say(login(Some(nonce)))[0]), json!({"do": "sign", "signature": "0a09"}));
    assert!(matches!(wire.hear(r#"{"ev":"welcome"}"#)[..], [Heard::LoginOk { .. }]));
    assert_eq!(wire.protocol.classify(CloseCode::POLICY, "replaced"), Some(Recovery::Fatal));
}

#[test]
fn one_frame_settles_many_topics_and_gives_them_ids() {
    let mut wire = Wire::new(Exchange);
    let topics = ["A".to_owned(), "B".to_owned(), "C".to_owned()];
    let asked = wire.say(Say::Subscribe { op: OpId(4), topics: &topics });
    assert_eq!(json(&asked[0]), json!({"do": "subscribe", "req": 4, "topics": ["A", "B", "C"]}));
    let entries = r#"[{"topic":"A","sid":7},{"topic":"B","why":"unknown"},{"topic":"C","sid":9}]"#;
    let heard = wire.hear(format!(r#"{{"ev":"subscribed","req":4,"entries":{entries}}}"#));
    let [Heard::Confirmed { .. }, Heard::TopicEnded { topic, why: Some(why) }, Heard::Confirmed { .. }, done] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!((&**topic, why.message.as_str()), ("B", "unknown"));
    assert_eq!(*done, Heard::Done { op: OpId(4), result: Ok(()) });
    let tick = wire.hear(r#"{"ev":"tick","sid":9,"seq":120,"d":{"px":1}}"#);
    let [Heard::Message { topic: Some(topic), mark, .. }] = &tick[..] else { panic!("{tick:?}") };
    assert_eq!((&**topic, mark.marks().and_then(|marks| marks.position)), ("C", Some(120)));
    let leave = wire.say(Say::Unsubscribe { op: OpId(5), topics: &topics[2..] });
    assert_eq!(json(&leave[0]), json!({"do": "unsubscribe", "req": 5, "sids": [9]}));
    wire.link.clear();
    assert!(matches!(wire.hear(r#"{"ev":"tick","sid":9,"seq":121,"d":{}}"#)[..], [Heard::Bad(_)]));
}

#[test]
fn orders_are_acknowledged_and_pings_answered() {
    let mut wire = Wire::new(Exchange);
    let order = json!({"buy": 1});
    let sent = wire.say(Say::Message(Outgoing { again: true, ..out(6, &order) }));
    assert_eq!(json(&sent[0]), json!({"do": "order", "req": 6, "order": {"buy": 1}, "again": true}));
    assert_eq!(wire.hear(r#"{"ev":"ok","req":6}"#), [Heard::Acked { op: OpId(6) }]);
    let heard = wire.hear(r#"{"ev":"ping","n":31}"#);
    let [Heard::Ping(n)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(json(&wire.say(Say::Pong(n.clone()))[0]), json!({"do": "pong", "n": 31}));
    assert!(wire.protocol.admit(&json!(1)).is_err());
}
