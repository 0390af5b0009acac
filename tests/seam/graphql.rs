//! graphql-transport-ws.
//!
//! Learnt:
//! * What comes back names the operation only, so one operation must name one topic only: `Topics::One`.
//! * A query is a request that is answered by its first `Item`; the `Done` behind it is late and ignored.
//! * Stopping a subscription needs the id it was begun with, which the link remembers.
//! * A server that takes no subprotocol is found out in `up`, not at the first frame.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast::{
    Abilities, CloseCode, Complaint, Frame, Handshake, Heard, Limits, OpId, Outgoing, Pings, Protocol, Recovery,
    Rejected, Resumed, Say, Timestamp, Topics, Unfit,
};

use crate::{Wire, json, out, text};

const NAME: &str = "graphql-transport-ws";

struct Graphql;

impl Protocol for Graphql {
    type Message = String;
    type Incoming = Value;
    type Topic = String;
    type Link = BTreeMap<String, OpId>;

    fn abilities(&self) -> Abilities {
        let (topics, pings) = (Topics::One, Pings::Ours);
        Abilities { login: true, replies: true, topics, pings, ..Abilities::default() }
    }

    fn subprotocols(&self) -> &[&'static str] {
        &[NAME]
    }

    fn up(&mut self, _: &mut Self::Link, handshake: &Handshake, _: Limits) -> Result<(), Complaint> {
        match &handshake.subprotocol {
            Some(name) if name.as_str() == NAME => Ok(()),
            _ => Err(Complaint::major("the server does not speak graphql-transport-ws", CloseCode(4406))),
        }
    }

    fn admit(&self, query: &String) -> Result<u32, Unfit> {
        Ok(query.len() as u32 * 6 + 100)
    }

    fn decode(&mut self, _: &mut Self::Link, frame: Frame, heard: &mut Vec<Heard<Value, String>>) {
        let mut packet = json(&frame);
        let op = OpId(text(&packet["id"]).parse().unwrap_or(0));
        let payload = packet["payload"].take();
        heard.push(match packet["type"].as_str() {
            Some("connection_ack") => Heard::LoginOk { resumed: Resumed::Fresh, expires: None, client_id: None },
            Some("next") => Heard::Item { op, message: payload },
            Some("complete") => Heard::Done { op, result: Ok(()) },
            Some("error") => {
                let why = Rejected { message: text(&payload[0]["message"]).into(), ..Rejected::default() };
                Heard::Done { op, result: Err(Box::new(why)) }
            }
            Some("ping") => Heard::Ping(payload.to_string().into()),
            Some("pong") => Heard::Pong,
            _ => Heard::Bad(Complaint::major("no such type", CloseCode(4400))),
        });
    }

    fn encode(&mut self, asked: &mut Self::Link, _: Timestamp, say: Say<'_, String, String>, frames: &mut Vec<Frame>) {
        let start =
            |op: OpId, query: &str| json!({"type": "subscribe", "id": op.to_string(), "payload": {"query": query}});
        let packet = match say {
            Say::Login { .. } => json!({"type": "connection_init"}),
            Say::Request(Outgoing { op, message, .. }) | Say::Message(Outgoing { op, message, .. }) => {
                start(op, message)
            }
            Say::Subscribe { op, topics: [query] } => {
                asked.insert(query.clone(), op);
                start(op, query)
            }
            Say::Unsubscribe { topics: [query], .. } => {
                json!({"type": "complete", "id": asked.remove(query).map(|op| op.to_string())})
            }
            Say::Cancel { op } => json!({"type": "complete", "id": op.to_string()}),
            Say::Ping => json!({"type": "ping"}),
            Say::Pong(payload) => {
                json!({"type": "pong", "payload": serde_json::from_slice::<Value>(&payload).unwrap_or_default()})
            }
            _ => return,
        };
        frames.push(packet.to_string().into());
    }

    fn classify(&self, code: CloseCode, _: &str) -> Option<Recovery> {
        matches!(code.0, 4004 | 4005 | 4400 | 4401 | 4406 | 4409 | 4429 | 4500).then_some(Recovery::Fatal)
    }
}

#[test]
fn queries_and_subscriptions_share_the_ids_that_the_session_gives() {
    let mut wire = Wire::new(Graphql);
    assert!(!wire.up(None) && wire.up(Some(NAME)));
    wire.say(Say::Login { credential: None, challenge: None });
    assert!(matches!(wire.hear(r#"{"type":"connection_ack"}"#)[..], [Heard::LoginOk { .. }]));
    let query = "{ a }".to_owned();
    let sent = wire.say(Say::Request(out(1, &query)));
    assert_eq!(json(&sent[0]), json!({"type": "subscribe", "id": "1", "payload": {"query": "{ a }"}}));
    wire.say(Say::Subscribe { op: OpId(2), topics: &["subscription { b }".to_owned()] });
    let next = wire.hear(r#"{"type":"next","id":"2","payload":{"data":{"b":3}}}"#);
    assert_eq!(next, [Heard::Item { op: OpId(2), message: json!({"data": {"b": 3}}) }]);
    let error = wire.hear(r#"{"type":"error","id":"1","payload":[{"message":"no"}]}"#);
    assert!(matches!(&error[..], [Heard::Done { op: OpId(1), result: Err(why) }] if why.message.as_str() == "no"));
    let stop = wire.say(Say::Unsubscribe { op: OpId(3), topics: &["subscription { b }".to_owned()] });
    assert_eq!(json(&stop[0]), json!({"type": "complete", "id": "2"}));
}

#[test]
fn pings_carry_a_payload_and_close_codes_their_own_meaning() {
    let mut wire = Wire::new(Graphql);
    let heard = wire.hear(r#"{"type":"ping","payload":{"t":1}}"#);
    let [Heard::Ping(payload)] = &heard[..] else { panic!("{heard:?}") };
    let pong = wire.say(Say::Pong(payload.clone()));
    assert_eq!(json(&pong[0]), json!({"type": "pong", "payload": {"t": 1}}));
    assert_eq!(wire.protocol.classify(CloseCode(4401), ""), Some(Recovery::Fatal));
    assert_eq!(wire.protocol.classify(CloseCode(4499), ""), None);
}
