//! How does a session's intention look as a packet?

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use bytes::Bytes;

use super::{
    ClientId, Json, Link, Login, Message, Packet, Raw,
    write::{self, Draft, IdBuffer, Object, Style},
};
use crate::{Error, Frame, OpId, Outgoing, Rejected, Say, Secret, Text, Timestamp, Unfit, Who};

impl Json {
    /// Names that the peer would take for words of the protocol. Their answers are the session's.
    const TAKEN: [&str; 7] = ["ack", "batch", "error", "ping", "pong", "subscribe", "unsubscribe"];

    /// How long a message can become: with the longest id, a timestamp, and a client id that may yet come.
    pub(super) fn size_of(&self, message: &Message) -> Result<u32, Unfit> {
        let name = message.name();
        let is_login = self.login.as_ref().is_some_and(|login| login.name.as_str() == name);
        if name.is_empty() || is_login || Self::TAKEN.contains(&name) {
            return Err(Unfit("a message needs a name that is no word of the protocol".into()));
        }
        let longest = [b'x'; Self::LONGEST_CLIENT_ID];
        let longest = core::str::from_utf8(&longest).ok();
        let id = self.id(OpId(u64::MAX));
        let out = Outgoing { op: OpId(u64::MAX), message, number: None, ack: false, again: false };
        let mut draft = self.message_draft(&out, &id, Timestamp::MAX);
        draft.client_id = match &self.client_id {
            ClientId::Given(id) => Some(id.as_str()),
            ClientId::Assigned(_) => longest,
        };
        u32::try_from(draft.size(self.style())).map_err(|_| Unfit("longer than 4 GiB".into()))
    }

    pub(super) fn say(&self, link: &mut Link, now: Timestamp, say: Say<'_, Message, Text>, frames: &mut Vec<Frame>) {
        match say {
            Say::Login { credential, .. } => {
                link.logging_in = self.login.is_some();
                frames.extend(self.login.as_ref().map(|login| self.login_frame(login, credential)));
            }
            Say::Message(out) | Say::Request(out) => {
                let id = self.id(out.op);
                frames.push(self.message_draft(&out, &id, now).frame(self.style()));
            }
            Say::Batch(messages) => frames.push(self.batch_frame(messages, now)),
            Say::Subscribe { op, topics } => self.ask("subscribe", op, topics, frames),
            Say::Unsubscribe { op, topics } => self.ask("unsubscribe", op, topics, frames),
            Say::Reply { call, answer } => frames.push(self.reply_frame(call, answer, now)),
            Say::AckOf { id } => {
                let draft = Draft { kind: "ack", id: core::str::from_utf8(id).ok(), ..Draft::default() };
                frames.push(draft.frame(self.style()));
            }
            Say::Report(error) => frames.push(self.error_frame(error, now)),
            Say::Ping => {
                let draft = Draft { kind: "ping", timestamp: Some(now), ..Draft::default() };
                frames.push(draft.frame(self.style()));
            }
            Say::Pong(ping) => frames.push(self.pong_frame(&Text::claimed(ping), now)),
            // There are no words for these: nothing has a number, nothing can be called back, and the Close
            // frame is goodbye enough.
            Say::Cancel { .. } | Say::Ack { .. } | Say::Bye => {}
        }
    }

    fn style(&self) -> Style<'_> {
        Style { fields: &self.fields, stamps: self.stamps }
    }

    fn id(&self, op: OpId) -> IdBuffer {
        IdBuffer::new(self.prefix.as_str(), op)
    }

    fn message_draft<'a>(&'a self, out: &Outgoing<'a, Message>, id: &'a IdBuffer, now: Timestamp) -> Draft<'a> {
        let message = out.message;
        Draft {
            kind: message.name(),
            channel: message.channel(),
            data: message.data.as_ref(),
            id: Some(id.as_str()),
            timestamp: Some(now),
            client_id: self.known_as(),
            ..Draft::default()
        }
    }

    fn login_frame(&self, login: &Login, credential: Option<&Secret>) -> Frame {
        let credential = credential.map(|secret| String::from_utf8_lossy(secret.expose()));
        let mut content = Vec::new();
        let mut object = Object::open(&mut content);
        object.text(login.member.as_str(), credential.as_deref());
        object.raw("client", login.client.as_ref().or(self.about.as_ref()));
        object.close();
        let content = Raw::written(write::text(content));
        let (kind, data, client_id) = (login.name.as_str(), Some(&content), self.known_as());
        Draft { kind, data, client_id, ..Draft::default() }.frame(self.style())
    }

    fn batch_frame<'a>(&self, messages: &mut dyn Iterator<Item = Outgoing<'a, Message>>, now: Timestamp) -> Frame {
        let mut list = vec![b'['];
        for out in messages {
            if list.len() > 1 {
                list.push(b',');
            }
            self.message_draft(&out, &self.id(out.op), now).write(self.style(), &mut list);
        }
        list.push(b']');
        let list = Raw::written(write::text(list));
        let draft = Draft { kind: "batch", messages: Some(&list), timestamp: Some(now), ..Draft::default() };
        draft.frame(self.style())
    }

    fn ask(&self, kind: &str, op: OpId, topics: &[Text], frames: &mut Vec<Frame>) {
        let id = self.id(op);
        frames.extend(topics.iter().map(|topic| {
            let (channel, id) = (Some(topic.as_str()), Some(id.as_str()));
            Draft { kind, channel, id, ..Draft::default() }.frame(self.style())
        }));
    }

    fn reply_frame(&self, call: &Bytes, answer: Result<&Message, &Rejected>, now: Timestamp) -> Frame {
        let mut content = Vec::new();
        let content = answer.err().map(|why| {
            let mut object = Object::open(&mut content);
            object.text("code", why.code.as_ref().map(Text::as_str));
            object.text("message", Some(why.message.as_str()));
            object.close();
            Raw::written(write::text(content))
        });
        let draft = Draft {
            kind: answer.map_or("error", Message::name),
            channel: answer.ok().and_then(Message::channel),
            data: answer.map_or(content.as_ref(), |message| message.data.as_ref()),
            reply_to: core::str::from_utf8(call).ok(),
            timestamp: Some(now),
            client_id: self.known_as(),
            ..Draft::default()
        };
        draft.frame(self.style())
    }

    /// A failure of ours, for the server's people. Of what the server said before only its message is in it.
    fn error_frame(&self, error: &Error, now: Timestamp) -> Frame {
        let code = error.code.as_ref().map(ToString::to_string);
        let mut content = Vec::new();
        let mut object = Object::open(&mut content);
        object.text("kind", Some(error.kind.as_str()));
        object.text("message", Some(error.message.as_str()));
        object.text("code", code.as_deref());
        object.number("attempt", error.attempt);
        object.close();
        let content = Raw::written(write::text(content));
        let (data, timestamp, client_id) = (Some(&content), Some(now), self.known_as());
        Draft { kind: "client_error", data, timestamp, client_id, ..Draft::default() }.frame(self.style())
    }

    /// The answer to a ping says again what it said: its content, its time and, as what is answered, its id.
    fn pong_frame(&self, ping: &Text, now: Timestamp) -> Frame {
        let ping = Packet::read(ping, &self.fields).unwrap_or_default();
        let draft = Draft {
            kind: "pong",
            data: ping.data.as_ref(),
            reply_to: ping.id.as_ref().map(Text::as_str),
            timestamp: Some(ping.timestamp.unwrap_or(now)),
            ..Draft::default()
        };
        draft.frame(self.style())
    }
}

/// What a session says about itself, as an object; nothing if it says nothing.
pub(super) fn about(who: &Who<'_>) -> Option<Raw> {
    let mut content = Vec::new();
    let mut object = Object::open(&mut content);
    object.text("type", Some(who.kind.as_str()).filter(|kind| !kind.is_empty()));
    who.metadata.iter().for_each(|(name, value)| object.text(name.as_str(), Some(value.as_str())));
    object.close();
    (content.len() > 2).then(|| Raw::written(write::text(content)))
}
