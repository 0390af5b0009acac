//! Commands: what the application wants.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use super::{Actions, Answer, Config, End, Session, StopCause, tell};
use crate::{Acks, Frame, OpId, Protocol, Secret, Text, Timestamp, Why, part::Standing};

/// What the application wants. Every command is legal in every phase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[repr(u64)]
pub enum Command<M> {
    /// Be online. Changes nothing while a link is there or on its way; starts a stopped session again, and takes back
    /// a stop or a drain that is not over. It takes back no hint: a session that is suspended stays so.
    Connect,
    /// Be online, and do not wait out the backoff: dial now (at the floor after the last dial, and when the last link
    /// has said goodbye, which takes `Config::close_timeout` at most). It overrules hints: the network is taken to be
    /// there, and a suspended session goes on. It wakes one that dials only when there is something to send.
    ConnectNow,
    /// Stop. What has not left is dropped, the link is closed politely; what is with the transport has
    /// until `Config::close_timeout` to be written. With [`Config::keep_on_stop`](super::Config::keep_on_stop) nothing is
    /// dropped: what has not left, and what is not acknowledged, waits for the next connect command, and has no outcome
    /// until then. A stop ends [`Suspend`](Self::Suspend) too.
    Stop,
    /// Accept nothing more, send what was accepted, wait for its acknowledgements, then stop; after
    /// `within` stop in any case.
    Drain {
        /// How long it may take.
        #[cfg_attr(feature = "serde", serde(with = "crate::written::span"))]
        within: Duration,
    },
    /// Send a message.
    Send {
        /// The message.
        message: M,
        /// How.
        options: SendOptions,
    },
    /// Take a message back that has not left.
    Cancel(OpId),
    /// From now on dial these, in turn; an empty list is the dialer's own endpoint. If the present one is not among them,
    /// its link is left politely, and the first of them is dialed when it has gone. Answered with
    /// [`Answer::BadEndpoints`] if the list is refused.
    Endpoints {
        /// The addresses: at most 64, each of at most 2,048 bytes. `{client_id}` stands for the client id.
        list: Vec<Text>,
        /// What becomes of what was accepted for the old destination.
        queued: Queued,
    },
    /// A hint: the network is gone. The present link gets a probe; nothing is dialed until
    /// [`NetworkBack`](Self::NetworkBack), or for [`ConnectPolicy::network_wait`](super::ConnectPolicy::network_wait).
    NetworkLost,
    /// A hint: the network is there again, or it is another one. The present link gets a probe; a wait that the server
    /// did not ask for is cut short, to anywhere within [`RetryPolicy::base`](super::RetryPolicy::base).
    NetworkBack,
    /// A hint: nothing is wanted of the network for a while, because the program goes to the background or the computer
    /// to sleep. The link is closed politely. The queue stays, and takes more; time runs.
    Suspend,
    /// [`Suspend`](Self::Suspend) is over: dial, or go on with the wait.
    Resume,
    /// From now on these settings. Answered with [`Answer::BadConfig`], and nothing has changed, if they make no sense.
    /// From when each counts is told by [`Config::changes`](super::Config::changes).
    Configure(Box<Config>),
    /// From now on log in with this.
    Authenticate(Option<Secret>),
    /// The answer to [`Action::AskCredential`](super::Action::AskCredential): the credential, or why there is none. An
    /// answer that comes too late changes nothing but a counter, and is answered with [`Answer::Stale`].
    Credential {
        /// The number of the question.
        ask: u64,
        /// The answer. A reason is for people, and no secret.
        answer: Result<Secret, Text>,
    },
    /// The application has taken a message that wanted an acknowledgement ([`crate::Mark::wants_ack`]).
    Taken {
        /// Its id.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
        id: Bytes,
    },
}

/// What becomes of messages that were accepted for a destination that is no longer ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Queued {
    /// They are sent to the new one.
    #[default]
    GoAlong,
    /// Those that have not left come back in [`Answer::CameBack`]. What the transport has then is not sent again: it
    /// ends as dropped if it had not left when its link ended, and in doubt if it may have.
    ComeBack,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SendOptions {
    /// What is promised.
    pub class: Class,
    /// Whether its outcome is told in any case. Without it only bad news are.
    pub tracked: bool,
    /// How long it makes sense to send it; `None` is for ever.
    pub ttl: Option<Ttl>,
}

/// What is promised for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Class {
    /// Sent once. If the link dies while it is on its way it ends in doubt.
    #[default]
    AtMostOnce,
    /// Kept until the peer acknowledges it; sent again, with the same id, on every new link until then.
    /// Refused where the protocol has no acknowledgements.
    AtLeastOnce,
}

/// How long it makes sense to send a message: a duration of at least a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ttl(core::num::NonZeroU64);

impl Ttl {
    /// A time to live; nothing under a microsecond.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let micros = crate::time::micros(ttl);
        Self(core::num::NonZeroU64::new(micros).unwrap_or(core::num::NonZeroU64::MIN))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.0.get())
    }
}

/// Ids of taken messages that wait for their acknowledgement to be written; beyond it the oldest are forgotten, and
/// the peer sends those messages again.
const TAKEN_MAX: usize = 4_096;
/// The longest id that is acknowledged, in bytes.
const TAKEN_ID_MAX: usize = 1_024;

impl<P: Protocol> Session<P> {
    /// A command changes what is wanted. It looks at no link.
    #[inline(always)]
    pub(super) fn command(
        &mut self,
        now: Timestamp,
        command: Command<P::Message>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        match command {
            Command::Connect => self.want_online(),
            Command::ConnectNow => {
                self.want_online();
                (self.facts.retry_at, self.facts.is_asked) = (None, false);
                self.network.overrule();
                self.activity.wake();
            }
            Command::Stop => self.want_end(None),
            Command::Drain { within } => self.want_end(Some(now.after(within).unwrap_or(Timestamp::MAX))),
            Command::Send { message, options } => return self.send(now, message, options, out),
            Command::Cancel(id) => {
                return Answer::Cancelled(self.outbox.cancel(id, &mut tell(&mut self.stats, out)));
            }
            Command::Endpoints { list, queued } => return self.on_endpoints(list, queued, out),
            Command::NetworkLost => self.on_network_lost(now),
            Command::NetworkBack => self.on_network_back(now),
            Command::Suspend => self.network.suspend(true),
            Command::Resume => self.network.suspend(false),
            Command::Configure(config) => return self.on_config(config, out),
            Command::Authenticate(credential) => self.credentials.set(credential),
            Command::Credential { ask, answer } => return self.on_credential(now, ask, answer, out),
            Command::Taken { id } => self.on_taken(&id),
        }
        Answer::Done
    }

    fn on_taken(&mut self, id: &[u8]) {
        if self.taken.len() == TAKEN_MAX || id.len() > TAKEN_ID_MAX {
            self.stats.unacknowledged += 1;
        }
        if self.taken.len() == TAKEN_MAX {
            self.taken.pop_front();
        }
        if id.len() <= TAKEN_ID_MAX {
            // A copy: an id is a piece of a frame, and would keep all of it.
            self.taken.push_back(Bytes::copy_from_slice(id));
        }
    }

    fn want_online(&mut self) {
        self.wants.online = true;
        self.wants.end = None;
        if self.facts.ended.take().is_some() {
            self.patience.restart();
            self.endpoints.restart();
            (self.facts.failure, self.facts.limit) = (0, None);
        }
    }

    /// To be over by then; at once if `None`. An end that was asked for before is not put off.
    fn want_end(&mut self, by: Option<Timestamp>) {
        if self.facts.ended.is_some() {
            return;
        }
        let end = self.wants.end.get_or_insert(End { cause: StopCause::User, by, at_once: false });
        end.by = end.by.min(by);
        end.at_once |= by.is_none();
    }

    #[inline]
    fn send(
        &mut self,
        now: Timestamp,
        message: P::Message,
        options: SendOptions,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        match self.admit(&message, options.class, out) {
            Err(why) => {
                self.stats.refused += 1;
                Answer::Refused(why, message)
            }
            Ok(bytes) => {
                let SendOptions { class, tracked, ttl } = options;
                let expires = ttl.and_then(|ttl| now.after(ttl.duration()));
                self.last_op += 1;
                let id = OpId(self.last_op);
                self.outbox.push(id, message, bytes, Standing { class, tracked, expires });
                self.seeing.queueing.on_accepted(id, now);
                self.stats.accepted += 1;
                self.stats.queue_high = self.stats.queue_high.max(u64::from(self.outbox.len()));
                Answer::Accepted(id)
            }
        }
    }

    #[inline]
    pub(super) fn admit(&mut self, message: &P::Message, class: Class, out: &mut Actions<P>) -> Result<u32, Why> {
        if self.facts.ended.is_some() || self.wants.end.is_some() {
            return Err(Why::Stopped);
        }
        // Numbered acknowledgements come with the resume protocol.
        if class == Class::AtLeastOnce && self.protocol.abilities().acks != Acks::Each {
            return Err(Why::NoAcks);
        }
        let bytes = self.protocol.admit(message).map_err(|unfit| Why::Unfit(unfit.into()))?;
        let limit = self.message_limit();
        if bytes > limit {
            return Err(Why::TooBig { size: bytes.into(), limit: limit.into() });
        }
        if self.outbox.make_room(&self.config.queue, bytes, &mut tell(&mut self.stats, out)) {
            Ok(bytes)
        } else {
            Err(Why::Full)
        }
    }

    /// The least of our limit, the peer's where it told one, and what the queue can hold at all.
    fn message_limit(&self) -> u32 {
        let theirs = self.link.as_ref().and_then(|link| link.tuning.max_message);
        let queue = u32::try_from(self.config.queue.max_bytes).unwrap_or(u32::MAX);
        theirs.unwrap_or(u32::MAX).min(self.config.max_message).min(queue)
    }
}

const _: () = assert!(size_of::<Command<Frame>>() <= 64);
