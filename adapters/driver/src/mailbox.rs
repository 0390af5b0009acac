//! What may wait for a slow application?

/// How much may wait until the application takes it, and what happens then. The [events](crate::Events) have one, and each
/// [subscriber](crate::Subscription) of a topic.
///
/// What the application has begun to take counts no more: it takes up to 512 messages in one go, and no more than the
/// bounds allow.
///
/// Only messages can lag. Changes of phase, outcomes, errors and the like wait beside them, so many that
/// only an application which reads no more can lose one: see [`EVENTS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub(crate) slow: Slow,
    pub(crate) messages: u32,
    pub(crate) bytes: u64,
}

/// What happens when the application is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    Lag,
    Pause,
}

/// How many events other than messages may wait, beside one for each message that the queue can hold. A reader
/// that left more than this lying has stopped reading; when something else comes the oldest go, and
/// [`Item::Lagged`](crate::Item::Lagged) counts them too. What comes at once is never too much.
pub const EVENTS_MAX: usize = 65_536;

/// How many bytes of the peer's words those events may hold: what it says with errors and refusals. The same
/// happens to those that are left lying.
pub const EVENTS_BYTES_MAX: usize = 16 << 20;

impl Mailbox {
    /// When more than `messages` messages or more than `bytes` bytes wait, the oldest messages are dropped,
    /// and an [`Item::Lagged`](crate::Item::Lagged) in their place says how many. The newest always stays.
    #[must_use]
    pub const fn lag(messages: u32, bytes: u64) -> Self {
        Self { slow: Slow::Lag, messages, bytes }
    }

    /// When `messages` messages or `bytes` bytes wait, nothing more is read from the link until less than
    /// half of it is left; the peer feels it, and no message is lost. What one frame holds is taken whole,
    /// so the bound of bytes may be passed by one frame; and the bound of messages by what the frames of one
    /// read hold beyond one message each.
    ///
    /// While reading is paused a dead link is not noticed: silence proves nothing when nobody listens. And no
    /// acknowledgement is heard either. So a task that both takes the events and waits in
    /// [`send_when_ready`](crate::Client::send_when_ready) can wait for ever: the room it waits for comes from
    /// acknowledgements behind the messages that it does not take. Take and send in two tasks, or with `select`.
    ///
    /// Nothing is read as long as any mailbox of the session is full, for the events or for a topic: one slow reader holds
    /// up the others.
    #[must_use]
    pub const fn pause(messages: u32, bytes: u64) -> Self {
        Self { slow: Slow::Pause, messages, bytes }
    }
}
