//! What do the frames that go by mean?

use steadfast::{Frame, OpId, Text};

/// What the checker has to understand of the frames that go by.
pub trait Spy {
    /// Whether nothing but the login may be sent before the peer has said [`Got::LoginOk`].
    fn has_login(&self) -> bool;
    /// Whether a silent peer is to be found on a link that is logged in, if its transport can send pings or not. By
    /// the configuration: a protocol whose server can ask for other times is not watched.
    fn finds_silence(&self, can_ping: bool) -> bool;
    /// What a frame says that the session sends.
    fn sent(&self, frame: &Frame) -> Sent;
    /// The messages of a batch, in their order.
    fn members(&self, _: &Frame) -> Vec<OpId> {
        Vec::new()
    }
    /// What a frame says that the session receives.
    fn got(&self, frame: &Frame) -> Got;
    /// Whether it knows which frames are about topics. If not, nothing is checked of those.
    fn has_topics(&self) -> bool {
        false
    }
    /// Whether the peer confirms topics.
    fn confirms(&self) -> bool {
        true
    }
    /// Whether nothing is said of this topic to the peer.
    fn is_local(&self, _: &Text) -> bool {
        false
    }
    /// The topics that a frame names.
    fn topics(&self, _: &Frame) -> Vec<Text> {
        Vec::new()
    }
}

/// What a frame says that the session sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It belongs to the login.
    Login,
    /// It answers a ping of the peer's, which may come at any time.
    Pong,
    /// It is the protocol's own: a probe, an acknowledgement.
    Control,
    /// It is a message of the application; its id, if the frame tells. Without it the checker takes it for
    /// the one whose turn it is.
    Message(Option<OpId>),
    /// It is several of them: see [`Spy::members`].
    Batch,
    /// It is a request of this id: the application's, or one of the session's own for the snapshot of a topic.
    Request(OpId),
    /// It asks for topics: see [`Spy::topics`].
    Subscribe(OpId),
    /// It leaves some.
    Unsubscribe(OpId),
}

/// What a frame says that the session receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// The login is accepted; or, where there is none, the greeting that had to be waited for.
    LoginOk,
    /// It is accepted, and the peer has kept the session.
    Kept,
    /// The peer has this message.
    Acked(OpId),
    /// The peer refuses this message, or what was asked of topics.
    Denied(OpId),
    /// The peer answers this request; if it is a message, it says something in return.
    Replied(OpId),
    /// The same without content; if it is a message, the peer has it, and if it is about topics, that is done.
    Done(OpId),
    /// The link has a topic: see [`Spy::topics`].
    On,
    /// It has it no longer, and is not to ask for it again.
    Off,
    /// It has it no longer.
    Gone,
    /// Nothing that concerns the checker.
    Other,
}

impl Spy for steadfast::Plain {
    fn has_login(&self) -> bool {
        false
    }

    fn finds_silence(&self, can_ping: bool) -> bool {
        can_ping
    }

    fn sent(&self, frame: &Frame) -> Sent {
        match frame {
            Frame::Text(_) | Frame::Binary(_) => Sent::Message(None),
            Frame::Ping(_) => Sent::Control,
            Frame::Pong(_) => Sent::Pong,
        }
    }

    fn got(&self, _: &Frame) -> Got {
        Got::Other
    }
}
