//! The protocol seam, tried on five protocols that are as different as can be: skeletons, each about forty
//! lines of what its real implementation would be, to find out whether the trait carries them. What was
//! learnt stands at the top of each.
#![expect(clippy::wildcard_enum_match_arm, reason = "a skeleton leaves out what it does not try")]

mod exchange;
mod graphql;
mod phoenix;
mod resume;
mod socketio;

use core::fmt::Debug;

use serde_json::Value;
use steadfast::{Frame, Handshake, Heard, Limits, OpId, Outgoing, Protocol, Say, Timestamp};

const LIMITS: Limits = Limits { max_message: 1 << 20, heard_max: 4_096 };

/// A protocol on one link, driven by hand.
struct Wire<P: Protocol> {
    protocol: P,
    link: P::Link,
}

impl<P: Protocol<Incoming: Debug, Topic: Debug>> Wire<P> {
    fn new(protocol: P) -> Self {
        Self { protocol, link: P::Link::default() }
    }

    fn up(&mut self, subprotocol: Option<&'static str>) -> bool {
        let mut handshake = Handshake::default();
        handshake.subprotocol = subprotocol.map(Into::into);
        self.protocol.up(&mut self.link, &handshake, LIMITS).is_ok()
    }

    fn hear(&mut self, frame: impl Into<Frame>) -> Vec<Heard<P::Incoming, P::Topic>> {
        let mut heard = Vec::new();
        self.protocol.decode(&mut self.link, frame.into(), &mut heard);
        heard
    }

    fn say(&mut self, say: Say<'_, P::Message, P::Topic>) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.protocol.encode(&mut self.link, Timestamp::ZERO, say, &mut frames);
        frames
    }
}

fn out<M>(op: u64, message: &M) -> Outgoing<'_, M> {
    Outgoing { op: OpId(op), message, number: None, ack: false, again: false }
}

fn json(frame: &Frame) -> Value {
    frame.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
