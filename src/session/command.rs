//! Commands: what the application wants.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

use bytes::Bytes;

use super::{Actions, Answer, Config, End, LinkId, RequestOptions, SendOptions, Session, StopCause, SubscribeOptions};
use crate::{Frame, Never, OpId, Protocol, Rejected, Secret, Text, Timestamp, Why, shown_address};

/// What the application wants. Every command is legal in every phase. `M` is a message of the protocol, `T` a topic.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[repr(u64)]
pub enum Command<M, T = Never> {
    /// Be online. Changes nothing while a link is there or on its way; starts a stopped session again, and takes back
    /// a stop or a drain that is not over, as a giving up. It wakes a session that closed its link because it was idle, unless it is a
    /// lazy one. It takes back no hint: a session that is suspended stays so.
    Connect,
    /// Be online, and do not wait out the backoff: dial now (at the floor after the last dial, and when the last link
    /// has said goodbye, which takes `Config::close_timeout` at most). It overrules hints: the network is taken to be
    /// there, and a suspended session goes on. It wakes one that dials only when there is something to send.
    ConnectNow,
    /// Stop. What has not left is dropped, the link is closed politely; what is with the transport has
    /// until `Config::close_timeout` to be written. With [`Config::keep_on_stop`](super::Config::keep_on_stop) nothing is
    /// dropped: what has not left, and what is not acknowledged, waits for the next connect command, and has no outcome
    /// until then. A stop ends [`Suspend`](Self::Suspend) too. A wait that the server has asked for is ended neither by it
    /// nor by giving up: [`Connect`](Self::Connect) keeps it, [`ConnectNow`](Self::ConnectNow) does not.
    Stop,
    /// Accept nothing more, send what was accepted, wait for its acknowledgements, then stop; after
    /// `within` stop in any case. In a session that is suspended nothing can be sent, and it stops when its link has
    /// gone.
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
    /// Take a message back that has not left. A request that may have left ends [`InDoubt`](super::Outcome::InDoubt):
    /// nobody waits for its answer any more, and a peer that was asked on this link is told so where the protocol has a
    /// word for it.
    Cancel(OpId),
    /// Take all messages back that have not left: [`Answer::CameBack`]. They end cancelled.
    TakeQueued,
    /// From now on dial these, in turn; an empty list is the dialer's own endpoint. If the present one is not among them,
    /// its link is left politely, and the first of them that has not asked us to stay away is dialed when it has gone. Answered with
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
    /// A hint: the network is there again, or it is another one. The present link gets a probe; a wait that nobody
    /// asked for is cut short, to anywhere within [`RetryPolicy::base`](super::RetryPolicy::base). Asked for is also the
    /// wait after an answer that would have stopped a session that had not worked before: the network is not to blame.
    NetworkBack,
    /// A hint: nothing is wanted of the network for a while, because the program goes to the background or the computer
    /// to sleep. The link is closed politely. The queue stays, and takes more; time runs. A drain is over then.
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
    /// Want a topic, until it is [unsubscribed](Self::Unsubscribe) as often. Answered with [`Answer::Denied`] if it
    /// cannot be had.
    Subscribe {
        /// Which.
        topic: T,
        /// How.
        options: Box<SubscribeOptions<M>>,
    },
    /// Want a topic once less; with the last time it is wanted no longer.
    Unsubscribe {
        /// Which.
        topic: T,
    },
    /// Ask for the snapshot of a topic again: [`SubscribeOptions::snapshot`].
    Resync {
        /// Which.
        topic: T,
    },
    /// Ask the peer something. Accepted or refused like a message, and in the same queue; its one end is
    /// [`Event::Reply`](super::Event::Reply).
    Request {
        /// The question.
        message: M,
        /// How.
        options: Box<RequestOptions>,
    },
    /// Answer a call of the peer's. It belongs to the link that the call came on, overtakes the queue, and has an id and
    /// one outcome like any message: `Dropped(LinkGone)` if that link is not the present one. Answered with
    /// [`Answer::Denied`] if it is a no and there is no room for it.
    Reply(Box<CallReply<M>>),
}

/// The answer to a call of the peer's: to a message whose [`Marks::call`](crate::Marks::call) names one.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CallReply<M> {
    /// The link that the call came on: [`Event::Message`](super::Event::Message) says it.
    pub link: LinkId,
    /// The call.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
    pub call: Bytes,
    /// The answer, or why there is none.
    pub answer: Result<M, Box<Rejected>>,
}

impl<M: fmt::Debug> fmt::Debug for CallReply<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, call, answer } = self;
        f.debug_struct("CallReply").field("link", link).field("call", call).field("answer", answer).finish()
    }
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

/// Shows everything but a message that is secret, and what may be a credential.
impl<M: fmt::Debug, T: fmt::Debug> fmt::Debug for Command<M, T> {
    // A table: an arm for each command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("Connect"),
            Self::ConnectNow => f.write_str("ConnectNow"),
            Self::Stop => f.write_str("Stop"),
            Self::Drain { within } => f.debug_struct("Drain").field("within", within).finish(),
            Self::Send { message: _, options } if options.secret => {
                f.debug_struct("Send").field("options", options).finish_non_exhaustive()
            }
            Self::Send { message, options } => {
                f.debug_struct("Send").field("message", message).field("options", options).finish()
            }
            Self::Cancel(id) => f.debug_tuple("Cancel").field(id).finish(),
            Self::TakeQueued => f.write_str("TakeQueued"),
            Self::Authenticate(credential) => f.debug_tuple("Authenticate").field(credential).finish(),
            Self::Credential { ask, answer } => {
                f.debug_struct("Credential").field("ask", ask).field("answer", answer).finish()
            }
            Self::Endpoints { list, queued } => {
                let list: Vec<_> = list.iter().map(|address| shown_address(address.as_str())).collect();
                f.debug_struct("Endpoints").field("list", &list).field("queued", queued).finish()
            }
            Self::NetworkLost => f.write_str("NetworkLost"),
            Self::NetworkBack => f.write_str("NetworkBack"),
            Self::Suspend => f.write_str("Suspend"),
            Self::Resume => f.write_str("Resume"),
            Self::Configure(config) => f.debug_tuple("Configure").field(config).finish(),
            Self::Taken { id } => f.debug_struct("Taken").field("id", id).finish(),
            Self::Subscribe { topic, options } => {
                f.debug_struct("Subscribe").field("topic", topic).field("options", options).finish()
            }
            Self::Unsubscribe { topic } => f.debug_struct("Unsubscribe").field("topic", topic).finish(),
            Self::Resync { topic } => f.debug_struct("Resync").field("topic", topic).finish(),
            Self::Reply(reply) => f.debug_tuple("Reply").field(reply).finish(),
            Self::Request { message: _, options } if options.secret => {
                f.debug_struct("Request").field("options", options).finish_non_exhaustive()
            }
            Self::Request { message, options } => {
                f.debug_struct("Request").field("message", message).field("options", options).finish()
            }
        }
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
        command: Command<P::Message, P::Topic>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        match command {
            Command::Connect => {
                self.want_online();
                self.wake_unless_lazy();
            }
            Command::ConnectNow => {
                self.want_online();
                (self.facts.retry_at, self.facts.is_asked) = (None, false);
                self.network.overrule();
                self.activity.wake();
            }
            Command::Stop => self.want_end(None),
            Command::Drain { within } => self.want_end(Some(now.after(within).unwrap_or(Timestamp::MAX))),
            Command::Send { message, options } => return self.accept(now, message, options, out),
            Command::Cancel(id) => return Answer::Cancelled(self.take_back(id, out)),
            Command::TakeQueued => return Answer::CameBack(self.take_all_back(out)),
            Command::Endpoints { list, queued } => return self.on_endpoints(now, list, queued, out),
            Command::NetworkLost => self.on_network_lost(now),
            Command::NetworkBack => self.on_network_back(now),
            Command::Suspend => self.network.suspend(true),
            Command::Resume => self.network.suspend(false),
            Command::Configure(config) => return self.on_config(now, config, out),
            Command::Authenticate(credential) => self.credentials.set(credential),
            Command::Credential { ask, answer } => return self.on_credential(now, ask, answer, out),
            Command::Taken { id } => self.on_taken(&id),
            Command::Subscribe { topic, options } => return denied(self.on_subscribe(topic, *options)),
            Command::Unsubscribe { topic } => return denied(self.on_unsubscribe(&topic, out)),
            Command::Resync { topic } => return denied(self.on_resync(&topic)),
            Command::Request { message, options } => return self.ask(now, message, *options, out),
            Command::Reply(reply) => return self.answer_call(now, *reply, out),
        }
        Answer::Done
    }

    fn on_taken(&mut self, id: &[u8]) {
        self.dedup.on_taken(id);
        self.owe_ack(id);
    }

    /// The peer is to be told that its message of this id was taken.
    pub(super) fn owe_ack(&mut self, id: &[u8]) {
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
        let gives_up = self.wants.end.take().is_some_and(|end| end.cause == StopCause::Failed);
        if self.facts.ended.take().is_some() || gives_up {
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
}

fn denied<M>(result: Result<(), Why>) -> Answer<M> {
    result.map_or_else(Answer::Denied, |()| Answer::Done)
}

const _: () = assert!(size_of::<Command<Frame>>() <= 64);
