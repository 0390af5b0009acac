//! The scripted server: what it answers to a line.

use std::collections::BTreeSet;

use steadfast::{Frame, OpId, Rng, Timestamp};

use crate::{Script, Sent, Spy, Then, Toy};

/// What the server knows of one link.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) then: Then,
    pub(crate) logged_in: bool,
    pub(crate) heard_at: Timestamp,
    pub(crate) said: u64,
    pub(crate) login_until: Option<Timestamp>,
    /// What it sends on this link.
    pub(crate) topics: BTreeSet<String>,
    /// Calls that are not answered.
    calls: BTreeSet<String>,
    /// Steps of the login that were asked for.
    challenges: u32,
}

/// What became of a line.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// What is said in return.
    pub(crate) frames: Vec<Frame>,
    /// The messages that were received.
    pub(crate) received: Vec<OpId>,
    /// The credential that was shown.
    pub(crate) shown: Option<String>,
    /// It was accepted.
    pub(crate) has_logged_in: bool,
    /// It answers a call.
    pub(crate) has_answered: bool,
    /// It answers none that was made on this link and waits.
    pub(crate) wrong: Option<String>,
}

impl Peer {
    pub(crate) const fn new(now: Timestamp, script: &Script, toy: Toy) -> Self {
        Self {
            then: script.then,
            logged_in: !toy.login,
            heard_at: now,
            said: 0,
            login_until: None,
            topics: BTreeSet::new(),
            calls: BTreeSet::new(),
            challenges: 0,
        }
    }

    /// What it says before it is asked.
    pub(crate) fn greet(&self, toy: Toy) -> Option<Frame> {
        (toy.hello && self.then != Then::Mute).then(|| "hello".into())
    }

    pub(crate) fn hear(&mut self, now: Timestamp, frame: &Frame, script: &Script, toy: Toy) -> Reply {
        self.heard_at = now;
        let mut reply = self.answer(now, frame, script, toy);
        if self.then == Then::Mute {
            reply.frames.clear();
        }
        reply
    }

    fn answer(&mut self, now: Timestamp, frame: &Frame, script: &Script, toy: Toy) -> Reply {
        let say = |line: String| Reply { frames: vec![line.into()], ..Reply::default() };
        match (toy.sent(frame), frame) {
            (_, Frame::Ping(payload)) => Reply { frames: vec![Frame::Pong(payload.clone())], ..Reply::default() },
            (Sent::Login, _) => self.login(now, frame.as_str().unwrap_or_default(), script),
            (Sent::Message(Some(op)), _) if self.logged_in => receive(vec![op], toy),
            (Sent::Message(None), _) => self.take_answer(frame.as_str().unwrap_or_default()),
            (Sent::Batch, _) if self.logged_in => receive(toy.members(frame), toy),
            (Sent::Request(op), _) if self.logged_in => reply_to(op),
            (Sent::Control, _) if frame.as_str() == Some("ping") => say("pong".into()),
            (Sent::Control | Sent::Subscribe(_) | Sent::Unsubscribe(_), _) if self.logged_in => {
                self.subscribe(frame.as_str().unwrap_or_default(), toy)
            }
            (
                Sent::Message(_)
                | Sent::Request(_)
                | Sent::Batch
                | Sent::Control
                | Sent::Subscribe(_)
                | Sent::Unsubscribe(_)
                | Sent::Pong,
                _,
            ) => Reply::default(),
        }
    }

    /// A login is right if its last step is: the credential, and the last challenge if there was one.
    fn login(&mut self, now: Timestamp, line: &str, script: &Script) -> Reply {
        let mut words = line.split(' ').skip(1);
        let (credential, answer) = (words.next().unwrap_or_default(), words.next());
        let asked = answer.map_or(0, |_| self.challenges);
        let is_answer = answer.is_none_or(|answer| answer == format!("nonce{asked}"));
        let shown = Some(credential.to_owned());
        let say = |line: String| Reply { frames: vec![line.into()], shown, ..Reply::default() };
        if credential != script.password || !is_answer {
            return say("no bad password".into());
        }
        if asked < script.challenges {
            self.challenges = asked + 1;
            return say(format!("challenge nonce{}", self.challenges));
        }
        (self.logged_in, self.login_until) = (true, script.expires.and_then(|lives| now.after(lives)));
        let ok = self.login_until.map_or_else(|| "ok".into(), |at| format!("ok {}", at.as_micros() / 1_000));
        Reply { has_logged_in: true, ..say(ok) }
    }

    /// It has what the link before had, and says so, unless it says nothing.
    pub(crate) fn goes_on(&mut self, kept: BTreeSet<String>, reply: &mut Reply) -> bool {
        let says = !reply.frames.is_empty();
        if says {
            (self.topics, reply.frames) = (kept, vec!["kept".into()]);
        }
        says
    }

    /// What it says of its own accord. It takes a topic away only if it shall.
    pub(crate) fn talk(&mut self, rng: &mut Rng, takes: bool) -> String {
        self.said += 1;
        let number = self.said;
        let any = rng.up_to(self.topics.len().max(1) as u64 - 1) as usize;
        let topic = self.topics.iter().nth(any).cloned();
        match (rng.up_to(7), topic) {
            (0 | 1, _) => format!("m! {number}@{} hello", self.heard_at.as_micros()),
            (2, _) => "m! 1 hello again".into(),
            (3, _) => {
                self.calls.insert(number.to_string());
                format!("call {number} what time is it")
            }
            (4, Some(topic)) if takes => {
                self.topics.remove(&topic);
                format!("gone {topic} moved")
            }
            (5, Some(topic)) if takes && number % 3 == 0 => {
                self.topics.remove(&topic);
                format!("off {topic}")
            }
            (_, Some(topic)) => format!("t# {number} {topic} text"),
            (_, None) => format!("m text {number}"),
        }
    }

    /// An answer to a call that was made on this link, once.
    fn take_answer(&mut self, line: &str) -> Reply {
        let call = line.split(' ').nth(1).unwrap_or_default();
        let has_answered = self.calls.remove(call);
        Reply { has_answered, wrong: (!has_answered).then(|| line.to_owned()), ..Reply::default() }
    }

    /// Most topics are to be had; some are refused, for a while or for good. So is their state.
    fn subscribe(&mut self, line: &str, toy: Toy) -> Reply {
        let mut words = line.split(' ');
        let (verb, op) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let number = op.parse::<u64>().unwrap_or_default();
        let mut frames = Vec::new();
        let say = &mut |line: String| frames.push(line.into());
        match verb {
            "sub" if number % 7 == 3 => say(format!("sub-no {op} 300 busy")),
            "sub" if number % 13 == 5 => say(format!("sub-no {op} never")),
            "sub" => {
                // Where nobody confirms, a late yes would say that it is over.
                if toy.confirms {
                    say(format!("sub-ok {op}"));
                }
                for topic in words {
                    if toy.confirms {
                        say(format!("on {topic}"));
                    }
                    say(format!("t {topic} first"));
                    self.topics.insert(topic.to_owned());
                }
            }
            "unsub" => {
                say(format!("sub-ok {op}"));
                words.for_each(|topic| {
                    self.topics.remove(topic);
                });
            }
            "req" => say(format!("item {op} state")),
            _ => {}
        }
        Reply { frames, ..Reply::default() }
    }
}

/// A question: most are answered, some without content, some not now, some never.
fn reply_to(op: OpId) -> Reply {
    let (line, is_taken) = match op.0 % 8 {
        0 => (format!("done {op}"), true),
        1 => (format!("deny {op} never"), false),
        2 => (format!("busy {op} 300"), false),
        _ => (format!("re {op} yes"), true),
    };
    let received = if is_taken { vec![op] } else { Vec::new() };
    Reply { frames: vec![line.into()], received, ..Reply::default() }
}

/// Messages have come; each is acknowledged by itself.
fn receive(received: Vec<OpId>, toy: Toy) -> Reply {
    let got = |op: &OpId| format!("got {op}").into();
    let frames = if toy.acks { received.iter().map(got).collect() } else { Vec::new() };
    Reply { frames, received, ..Reply::default() }
}
