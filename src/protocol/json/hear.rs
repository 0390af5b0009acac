//! What does a packet mean to a session?

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::{ops::ControlFlow, time::Duration};

use super::{Greeting, Incoming, Json, Link, Packet, Raw, snake_case, stamp};
use crate::{Comeback, Complaint, GoAway, Heard, Mark, Marks, OpId, Recovery, Rejected, Resumed, Text, Tuning};

type Heards = Vec<Heard<Incoming, Text>>;

/// What a packet is, by its type.
enum Word {
    Greeting,
    LoggedIn,
    GoingAway,
    Error,
    Ack,
    Ping,
    Pong,
    Subscribed,
    Unsubscribed,
    Batch,
    Other,
}

impl Json {
    /// A text frame.
    pub(super) fn hear(&mut self, link: &mut Link, text: &Text, heard: &mut Heards) {
        match Packet::read(text, &self.fields) {
            Ok(packet) => match (self.word(link, packet.kind.as_str()), &packet.messages) {
                (Word::Batch, Some(messages)) => self.hear_batch(link, messages, heard),
                (word, _) => self.hear_one(link, word, packet, heard),
            },
            Err(complaint) => heard.push(Heard::Bad(complaint)),
        }
    }

    fn hear_batch(&mut self, link: &mut Link, messages: &Raw, heard: &mut Heards) {
        let most = heard.len().saturating_add(link.heard_max);
        let is_array = messages.elements(|message| {
            match Packet::read(message.as_text(), &self.fields) {
                Ok(packet) => self.hear_one(link, self.word(link, packet.kind.as_str()), packet, heard),
                Err(complaint) => heard.push(Heard::Bad(complaint)),
            }
            if heard.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if heard.len() > most {
            heard.truncate(most.saturating_sub(1));
            heard.push(Heard::Bad(Complaint::minor("a batch is too long; its end was dropped")));
        } else if !is_array {
            heard.push(Heard::Bad(Complaint::minor("the messages of a batch are not an array")));
        }
    }

    fn hear_one(&mut self, link: &mut Link, word: Word, packet: Packet, heard: &mut Heards) {
        let op = packet.reply_to.as_ref().and_then(|id| self.op(id));
        match word {
            Word::Greeting => heard.push(self.greeted(&packet)),
            Word::LoggedIn => heard.push(self.logged_in(link, &packet)),
            Word::GoingAway => heard.push(goodbye(&packet)),
            Word::Error => heard.push(refused(link, op, &packet)),
            Word::Ack => heard.extend(self.acked(&packet)),
            Word::Ping => {
                let ping = packet.write(&self.fields, self.stamps);
                heard.push(Heard::Ping(ping.into_bytes()));
            }
            Word::Pong => heard.push(Heard::Pong),
            Word::Subscribed => heard.push(settled(op, packet, |topic| Heard::Confirmed { topic })),
            Word::Unsubscribed => {
                let why = reason(&packet);
                heard.push(settled(op, packet, |topic| match why {
                    // Who says when to come again has not ended.
                    Some(why) if why.retry_after.is_some() => Heard::TopicLost { topic, why },
                    why => Heard::TopicEnded { topic, why },
                }));
            }
            Word::Batch => heard.push(Heard::Bad(Complaint::minor("a batch without messages, or in a batch"))),
            Word::Other => match op {
                Some(op) => heard
                    .extend([Heard::Item { op, message: Incoming::new(packet) }, Heard::Done { op, result: Ok(()) }]),
                None => heard.push(self.message(packet)),
            },
        }
    }

    fn word(&self, link: &Link, kind: &str) -> Word {
        let word = if self.both_spellings { snake_case(kind) } else { Cow::Borrowed(kind) };
        let is =
            |name: &Text| if self.both_spellings { snake_case(name.as_str()) == word } else { name.as_str() == kind };
        match (&self.login, &self.greeting) {
            (Some(login), _) if link.logging_in && is(&login.accepted) => return Word::LoggedIn,
            (_, Greeting::Optional(name) | Greeting::Required(name)) if is(name) => return Word::Greeting,
            _ if is(&self.going_away) => return Word::GoingAway,
            _ => {}
        }
        match &*word {
            "error" => Word::Error,
            "ack" if self.acks => Word::Ack,
            "ping" => Word::Ping,
            "pong" => Word::Pong,
            "subscribed" => Word::Subscribed,
            "unsubscribed" => Word::Unsubscribed,
            "batch" => Word::Batch,
            _ => Word::Other,
        }
    }

    fn greeted(&mut self, packet: &Packet) -> Heard<Incoming, Text> {
        let number = |name| said(packet, name).and_then(|value| value.parse::<u64>().ok());
        let tuning = Tuning {
            client_id: assigned(packet).filter(|id| self.adopt(id)),
            ping_every: number("ping_interval").map(Duration::from_millis),
            ping_timeout: number("ping_timeout").map(Duration::from_millis),
            max_message: number("max_message").map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
        };
        Heard::Hello(Box::new(tuning))
    }

    fn logged_in(&mut self, link: &mut Link, packet: &Packet) -> Heard<Incoming, Text> {
        link.logging_in = false;
        let client_id = assigned(packet).filter(|id| self.adopt(id));
        let expires = said(packet, "expires_at").and_then(|value| stamp::read(&value));
        Heard::LoginOk { resumed: Resumed::Fresh, expires, client_id }
    }

    /// An acknowledgement of what another incarnation sent is none of our business.
    fn acked(&self, packet: &Packet) -> Option<Heard<Incoming, Text>> {
        match &packet.id {
            Some(id) => self.op(id).map(|op| Heard::Acked { op }),
            None => Some(Heard::Bad(Complaint::minor("an acknowledgement without an id"))),
        }
    }

    fn message(&self, packet: Packet) -> Heard<Incoming, Text> {
        let mark = match &packet.id {
            Some(id) => {
                let id = id.as_bytes();
                let call = (self.calls && packet.reply_to.is_none()).then(|| id.clone());
                Mark::new(Marks { id: Some(id.clone()), ack: self.acks, call, ..Marks::default() })
            }
            None => Mark::NONE,
        };
        let topic = packet.channel.clone().or_else(|| self.local_topic(packet.kind.as_str()).cloned());
        Heard::Message { topic, message: Incoming::new(packet), mark }
    }
}

/// An error: of what we sent, of the login, or of nothing in particular.
fn refused(link: &mut Link, op: Option<OpId>, packet: &Packet) -> Heard<Incoming, Text> {
    let mut why = rejection(packet);
    match op {
        Some(op) => Heard::Done { op, result: Err(why) },
        None if core::mem::take(&mut link.logging_in) => {
            let never = comeback(said(packet, "retry_after")) == Comeback::Never;
            why.recovery = never.then_some(Recovery::Fatal);
            Heard::LoginRefused(why)
        }
        None => Heard::Trouble(why),
    }
}

pub(super) fn rejection(packet: &Packet) -> Box<Rejected> {
    Box::new(Rejected {
        code: plain(packet, "code").map(beginning),
        message: plain(packet, "message").or_else(|| sentence(packet)).map(beginning).unwrap_or_default(),
        retry_after: comeback(said(packet, "retry_after")).wait(),
        recovery: None,
        data: packet.data.as_ref().map(|data| beginning(data.as_text().clone()).into_bytes()),
    })
}

/// Why a channel is no longer ours, if the server says so.
fn reason(packet: &Packet) -> Option<Box<Rejected>> {
    let why = rejection(packet);
    (why.code.is_some() || !why.message.is_empty() || why.retry_after.is_some()).then_some(why)
}

/// The name of a goodbye, unless it is set.
pub(super) const fn going_away() -> Text {
    Text::from_static("going_away")
}

/// The server is about to leave, or wants us to.
fn goodbye(packet: &Packet) -> Heard<Incoming, Text> {
    let comeback = comeback(said(packet, "retry_after"));
    let address = plain(packet, "address").map(beginning);
    let reason = plain(packet, "reason").or_else(|| sentence(packet)).map(beginning).unwrap_or_default();
    Heard::GoAway(Box::new(GoAway { comeback, address, reason }))
}

/// Milliseconds, or `"never"`. What is neither says nothing.
fn comeback(said: Option<Raw>) -> Comeback {
    match said {
        Some(value) if value.as_str() == "\"never\"" => Comeback::Never,
        Some(value) => {
            value.parse().map_or(Comeback::Whenever, |millis| Comeback::After(Duration::from_millis(millis)))
        }
        None => Comeback::Whenever,
    }
}

/// What the reason of a Close frame says of it: `{"retry_after":60000}`. Any other text is for people.
pub(super) fn comeback_of(reason: &str) -> Comeback {
    let object = Some(reason).filter(|reason| reason.starts_with('{')).and_then(|reason| Raw::new(reason).ok());
    comeback(object.and_then(|object| object.member("retry_after")))
}

/// How much of a refusal is kept, in bytes: refusals wait for the application, and they may be many.
const REFUSAL_MAX: usize = 4 << 10;

/// A copy of the beginning, so that no refusal keeps the frame it came in.
fn beginning(text: Text) -> Text {
    Text::from(text.cut(REFUSAL_MAX).as_str())
}

/// What an error says whose content is a sentence and no object.
fn sentence(packet: &Packet) -> Option<Text> {
    packet.data.as_ref().filter(|data| data.as_str().starts_with('"')).and_then(Raw::to_plain)
}

/// The answer to a subscription operation, or news about a channel.
fn settled(
    op: Option<OpId>,
    packet: Packet,
    news: impl FnOnce(Text) -> Heard<Incoming, Text>,
) -> Heard<Incoming, Text> {
    match (op, packet.channel) {
        (Some(op), _) => Heard::Done { op, result: Ok(()) },
        (None, Some(channel)) => news(channel),
        (None, None) => Heard::Bad(Complaint::minor("a confirmation of nothing: neither reply_to nor channel")),
    }
}

fn assigned(packet: &Packet) -> Option<Text> {
    packet.client_id.clone().or_else(|| plain(packet, "client_id"))
}

/// What a packet says under a name: in its content, or beside it.
fn said(packet: &Packet, name: &str) -> Option<Raw> {
    [&packet.data, &packet.others].into_iter().flatten().find_map(|object| object.member(name))
}

fn plain(packet: &Packet, name: &str) -> Option<Text> {
    said(packet, name).and_then(|value| value.to_plain())
}
