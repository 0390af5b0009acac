//! Resume, around any other protocol: numbers before frames.
//!
//! Learnt:
//! * It shares the inner protocol's types, so that everything but its own few words passes through unseen.
//! * `Track` covers all that the inner protocol makes of the frame: none, one, or a batch of messages.
//! * The login is complete when both have been answered, ours and the inner one; so the wrapper holds the
//!   inner `LoginOk` back. What the peer has already is told before it, as `AckedUpTo`.
//! * The position that is sent along may be older than what the application has taken: what then comes
//!   twice is dropped by its number, in the session.
//! * Promises are made while there is no link, so abilities cannot depend on what a link negotiates; a
//!   server that does not know the subprotocol is refused in `up`.
//! * A message of several frames has one number, on the first of them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use steadfast::{
    Abilities, Acks, CloseCode, Complaint, Frame, Handshake, Heard, Limits, Mark, Outgoing, Plain, Protocol, Recovery,
    Resumed, Say, Text, Timestamp, Unfit,
};

use crate::{Wire, out};

const NAME: &str = "resume.skeleton";
const PLAIN: u8 = 0;
const NUMBERED: u8 = 1;
const ACK: u8 = 2;
const RESUME: u8 = 3;

struct Resume<P> {
    inner: P,
    taken: u64,
}

#[derive(Default)]
struct Link<L> {
    inner: L,
    inner_ok: bool,
    resumed: Option<Resumed>,
}

impl<P: Protocol> Protocol for Resume<P> {
    type Message = P::Message;
    type Incoming = P::Incoming;
    type Topic = P::Topic;
    type Link = Link<P::Link>;

    fn abilities(&self) -> Abilities {
        Abilities { login: true, acks: Acks::UpTo, ..self.inner.abilities() }
    }

    fn subprotocols(&self) -> &[&'static str] {
        &[NAME]
    }

    fn up(&mut self, link: &mut Self::Link, handshake: &Handshake, limits: Limits) -> Result<(), Complaint> {
        match &handshake.subprotocol {
            Some(name) if name.as_str() == NAME => self.inner.up(&mut link.inner, handshake, limits),
            _ => Err(Complaint::major("the server cannot resume", CloseCode(4406))),
        }
    }

    fn admit(&self, message: &P::Message) -> Result<u32, Unfit> {
        Ok(self.inner.admit(message)?.saturating_add(10))
    }

    fn decode(&mut self, link: &mut Self::Link, frame: Frame, heard: &mut Vec<Heard<P::Incoming, P::Topic>>) {
        let mut bytes = frame.payload().clone();
        let (Ok(kind), Ok(flag), Ok(number)) = (bytes.try_get_u8(), bytes.try_get_u8(), bytes.try_get_u64()) else {
            return heard.push(Heard::Bad(Complaint::major("too short", CloseCode::PROTOCOL)));
        };
        match kind {
            ACK => return heard.push(Heard::AckedUpTo { number }),
            RESUME => {
                heard.push(Heard::AckedUpTo { number });
                link.resumed = Some(if flag == 1 { Resumed::Kept } else { Resumed::Fresh });
            }
            _ => {
                if kind == NUMBERED {
                    heard.push(Heard::Track { number });
                }
                let inner = if flag == 1 { Frame::Text(Text::claimed(bytes)) } else { Frame::Binary(bytes) };
                let from = heard.len();
                self.inner.decode(&mut link.inner, inner, heard);
                link.inner_ok |= heard[from..].iter().any(|heard| matches!(heard, Heard::LoginOk { .. }));
                heard.retain(|heard| !matches!(heard, Heard::LoginOk { .. }));
            }
        }
        if (link.inner_ok || !self.inner.abilities().login)
            && let Some(resumed) = link.resumed.take()
        {
            heard.push(Heard::LoginOk { resumed, expires: None, client_id: None });
        }
    }

    fn encode(
        &mut self,
        link: &mut Self::Link,
        now: Timestamp,
        say: Say<'_, P::Message, P::Topic>,
        frames: &mut Vec<Frame>,
    ) {
        let mut number = match &say {
            Say::Message(out) | Say::Request(out) => out.number,
            _ => None,
        };
        match say {
            Say::Ack { number } => {
                self.taken = number;
                return frames.push(wrap(ACK, number, 0, &[]));
            }
            Say::Login { challenge: None, .. } => frames.push(wrap(RESUME, self.taken, 0, &[])),
            _ => {}
        }
        let from = frames.len();
        self.inner.encode(&mut link.inner, now, say, frames);
        for frame in &mut frames[from..] {
            let flag = u8::from(matches!(frame, Frame::Text(_)));
            let kind = if number.is_some() { NUMBERED } else { PLAIN };
            *frame = wrap(kind, number.take().unwrap_or(0), flag, frame.payload());
        }
    }

    fn classify(&self, code: CloseCode, reason: &str) -> Option<Recovery> {
        self.inner.classify(code, reason)
    }

    fn keepsake(&self) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(&self.taken.to_be_bytes()))
    }

    fn recall(&mut self, mut keepsake: &[u8]) {
        self.taken = keepsake.try_get_u64().unwrap_or(0);
    }
}

fn wrap(kind: u8, number: u64, flag: u8, payload: &[u8]) -> Frame {
    let mut bytes = BytesMut::with_capacity(payload.len() + 10);
    bytes.put_u8(kind);
    bytes.put_u8(flag);
    bytes.put_u64(number);
    bytes.put_slice(payload);
    Frame::Binary(bytes.freeze())
}

fn wire() -> Wire<Resume<Plain>> {
    let mut wire = Wire::new(Resume { inner: Plain, taken: 0 });
    assert!(!wire.up(None) && wire.up(Some(NAME)));
    wire
}

#[test]
fn numbers_go_before_frames_in_both_directions() {
    let mut wire = wire();
    let message = Frame::from("hello");
    assert!(wire.protocol.admit(&message).is_ok_and(|most| most == 15));
    let frames = wire.say(Say::Message(Outgoing { number: Some(9), ack: true, ..out(4, &message) }));
    assert_eq!(frames, [wrap(NUMBERED, 9, 1, b"hello")]);
    let [track, heard] = &wire.hear(frames[0].clone())[..] else { panic!("two meanings") };
    assert_eq!(*track, Heard::Track { number: 9 });
    assert_eq!(*heard, Heard::Message { message, topic: None, mark: Mark::NONE });
    assert_eq!(wire.hear(wrap(ACK, 12, 0, &[])), [Heard::AckedUpTo { number: 12 }]);
    assert!(matches!(wire.hear(Frame::from("short"))[..], [Heard::Bad(_)]));
}

#[test]
fn a_new_link_says_how_far_the_old_one_came() {
    let mut old = wire();
    assert_eq!(old.say(Say::Ack { number: 5 }), [wrap(ACK, 5, 0, &[])]);
    let keepsake = old.protocol.keepsake().expect("a position");
    let mut new = wire();
    new.protocol.recall(&keepsake);
    assert_eq!(new.say(Say::Login { credential: None, challenge: None }), [wrap(RESUME, 5, 0, &[])]);
    let heard = new.hear(wrap(RESUME, 3, 1, &[]));
    assert_eq!(
        heard,
        [Heard::AckedUpTo { number: 3 }, Heard::LoginOk { resumed: Resumed::Kept, expires: None, client_id: None }]
    );
}
