//! Phoenix channels, serializer v2.
//!
//! Learnt:
//! * The join ref of a topic is the operation of its Subscribe; it dies with the link, so it lives there.
//!   One operation names one topic.
//! * A message to a topic that is not joined still becomes a frame, without a join ref: the server refuses
//!   it by its ref, and so every message has its outcome.
//! * The heartbeat's ref needs no number of the session's: any text does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast::{
    Abilities, Complaint, Frame, Heard, Mark, OpId, Outgoing, Pings, Protocol, Rejected, Say, Timestamp, Topics, Unfit,
};

use crate::{Wire, json, out, text};

struct Phoenix;

#[derive(Clone, Debug, PartialEq)]
struct Push {
    topic: String,
    event: String,
    payload: Value,
}

impl Protocol for Phoenix {
    type Message = Push;
    type Incoming = Push;
    type Topic = String;
    type Link = BTreeMap<String, OpId>;

    fn abilities(&self) -> Abilities {
        let (topics, pings) = (Topics::One, Pings::Ours);
        Abilities { replies: true, topics, confirms: true, pings, ..Abilities::default() }
    }

    fn admit(&self, push: &Push) -> Result<u32, Unfit> {
        Ok(push.payload.to_string().len() as u32 + 6 * (push.topic.len() + push.event.len()) as u32 + 60)
    }

    fn decode(&mut self, joins: &mut Self::Link, frame: Frame, heard: &mut Vec<Heard<Push, String>>) {
        let Value::Array(mut parts) = json(&frame) else { return heard.push(Heard::Bad(Complaint::minor("no array"))) };
        parts.resize(5, Value::Null);
        let (topic, event, payload) = (text(&parts[2]), text(&parts[3]), parts[4].take());
        let joined = joins.get(&topic).map(OpId::to_string);
        if !parts[0].is_null() && parts[0].as_str() != joined.as_deref() {
            return;
        }
        let op = OpId(text(&parts[1]).parse().unwrap_or(0));
        match &*event {
            "phx_reply" if topic == "phoenix" => heard.push(Heard::Pong),
            "phx_reply" if payload["status"] == "ok" => {
                if joins.get(&topic) != Some(&op) {
                    heard.push(Heard::Item { op, message: Push { topic, event, payload } });
                }
                heard.push(Heard::Done { op, result: Ok(()) });
            }
            "phx_reply" => {
                let why = Rejected { message: payload["response"].to_string().into(), ..Rejected::default() };
                heard.push(Heard::Done { op, result: Err(Box::new(why)) });
            }
            "phx_error" => heard.push(Heard::TopicLost { topic, why: Box::default() }),
            "phx_close" => heard.push(Heard::TopicEnded { topic, why: None }),
            _ => heard.push(Heard::Message {
                topic: Some(topic.clone()),
                message: Push { topic, event, payload },
                mark: Mark::NONE,
            }),
        }
    }

    fn encode(&mut self, joins: &mut Self::Link, _: Timestamp, say: Say<'_, Push, String>, frames: &mut Vec<Frame>) {
        let packet = match say {
            Say::Message(Outgoing { op, message: push, .. }) | Say::Request(Outgoing { op, message: push, .. }) => {
                let join = joins.get(&push.topic).map(OpId::to_string);
                json!([join, op.to_string(), push.topic, push.event, push.payload])
            }
            Say::Subscribe { op, topics: [topic] } => {
                joins.insert(topic.clone(), op);
                json!([op.to_string(), op.to_string(), topic, "phx_join", {}])
            }
            Say::Unsubscribe { op, topics: [topic] } => {
                json!([joins.get(topic).map(OpId::to_string), op.to_string(), topic, "phx_leave", {}])
            }
            Say::Ping => json!([null, "beat", "phoenix", "heartbeat", {}]),
            _ => return,
        };
        frames.push(packet.to_string().into());
    }
}

#[test]
fn join_refs_live_and_die_with_the_link() {
    let mut wire = Wire::new(Phoenix);
    let room = "room:1".to_owned();
    let join = wire.say(Say::Subscribe { op: OpId(3), topics: core::slice::from_ref(&room) });
    assert_eq!(json(&join[0]), json!(["3", "3", "room:1", "phx_join", {}]));
    let joined = wire.hear(r#"["3","3","room:1","phx_reply",{"status":"ok","response":{}}]"#);
    assert_eq!(joined, [Heard::Done { op: OpId(3), result: Ok(()) }]);
    let push = Push { topic: room, event: "ev".into(), payload: json!({"x": 1}) };
    assert_eq!(json(&wire.say(Say::Request(out(5, &push)))[0]), json!(["3", "5", "room:1", "ev", {"x": 1}]));
    let reply = wire.hear(r#"["3","5","room:1","phx_reply",{"status":"ok","response":{"y":2}}]"#);
    assert!(matches!(reply[..], [Heard::Item { op: OpId(5), .. }, Heard::Done { op: OpId(5), .. }]));
    assert_eq!(wire.hear(r#"["2",null,"room:1","old",{}]"#), [], "a push to an earlier join");
    assert!(matches!(&wire.hear(r#"["3",null,"room:1","new",{}]"#)[..], [Heard::Message { topic: Some(_), .. }]));
    wire.link = BTreeMap::new();
    assert_eq!(json(&wire.say(Say::Message(out(6, &push)))[0]), json!([null, "6", "room:1", "ev", {"x": 1}]));
    let refused = wire.hear(r#"[null,"6","room:1","phx_reply",{"status":"error","response":{}}]"#);
    assert!(matches!(refused[..], [Heard::Done { op: OpId(6), result: Err(_) }]));
}

#[test]
fn a_crash_is_a_loss_and_a_close_is_an_end() {
    let mut wire = Wire::new(Phoenix);
    wire.say(Say::Subscribe { op: OpId(3), topics: &["room:1".to_owned()] });
    assert!(matches!(&wire.hear(r#"["3","3","room:1","phx_error",{}]"#)[..], [Heard::TopicLost { .. }]));
    assert!(matches!(&wire.hear(r#"["3","3","room:1","phx_close",{}]"#)[..], [Heard::TopicEnded { why: None, .. }]));
    assert_eq!(json(&wire.say(Say::Ping)[0]), json!([null, "beat", "phoenix", "heartbeat", {}]));
    assert_eq!(wire.hear(r#"[null,"beat","phoenix","phx_reply",{"status":"ok","response":{}}]"#), [Heard::Pong]);
}
