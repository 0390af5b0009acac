//! The scripted server: what it answers to a line.

use steadfast::{Frame, OpId, Timestamp};

use crate::{Script, Sent, Spy, Then, Toy};

/// What the server knows of one link.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) then: Then,
    pub(crate) logged_in: bool,
    pub(crate) heard_at: Timestamp,
    pub(crate) said: u64,
}

/// What became of a line.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// What is said in return.
    pub(crate) frame: Option<Frame>,
    /// The message that was received.
    pub(crate) received: Option<OpId>,
}

impl Peer {
    pub(crate) const fn new(now: Timestamp, script: &Script, toy: Toy) -> Self {
        Self { then: script.then, logged_in: !toy.login, heard_at: now, said: 0 }
    }

    /// What it says before it is asked.
    pub(crate) fn greet(&self, toy: Toy) -> Option<Frame> {
        (toy.hello && self.then != Then::Mute).then(|| "hello".into())
    }

    pub(crate) fn hear(&mut self, now: Timestamp, frame: &Frame, script: &Script, toy: Toy) -> Reply {
        self.heard_at = now;
        let mut reply = self.answer(frame, script, toy);
        if self.then == Then::Mute {
            reply.frame = None;
        }
        reply
    }

    fn answer(&mut self, frame: &Frame, script: &Script, toy: Toy) -> Reply {
        let say = |line: String| Reply { frame: Some(line.into()), received: None };
        match (toy.sent(frame), frame) {
            (_, Frame::Ping(payload)) => Reply { frame: Some(Frame::Pong(payload.clone())), received: None },
            (Sent::Login, _) => {
                self.logged_in = frame.as_str() == Some(&format!("login {}", script.password));
                say(if self.logged_in { "ok".into() } else { "no bad password".into() })
            }
            (Sent::Message(Some(op)), _) if self.logged_in => {
                Reply { frame: toy.acks.then(|| format!("got {op}").into()), received: Some(op) }
            }
            (Sent::Control, _) if frame.as_str() == Some("ping") => say("pong".into()),
            (Sent::Message(_) | Sent::Control | Sent::Pong, _) => Reply::default(),
        }
    }
}
