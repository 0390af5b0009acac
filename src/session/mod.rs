//! The session: one transition over plain parts.
//!
//! A reader follows any behaviour in one direction:
//!
//! ```text
//! input -> transition (command.rs, report.rs, incoming.rs) -> due timers (timers.rs)
//!       -> settle (lifecycle.rs, then writes.rs) -> actions
//! ```
//!
//! Commands change what is wanted, reports change what is the case. Settling compares the two and acts; it looks at
//! levels, not at edges, so no command has to be thought of in every phase.

mod action;
mod answer;
mod clone;
mod command;
mod commands;
mod config;
mod dedup;
mod health;
mod hints;
mod incoming;
mod keepsake;
mod lifecycle;
mod link;
mod login;
mod options;
mod outcome;
mod phase;
mod report;
mod request;
mod requests;
mod saving;
mod seeing;
mod sending;
mod state;
mod stir;
mod subscribing;
mod telling;
mod timers;
mod topics;
mod veil;
mod waiting;
mod writes;

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

use bytes::Bytes;

pub use action::{Action, Attempt, Change, Event, GaveUp, LinkId, OpId, Phase, StopCause};
pub use answer::Answer;
pub use command::{CallReply, Command, Queued};
pub use commands::Commands;
pub use config::{
    Alike, BadConfig, BatchPolicy, Bucket, Changed, ClientId, Config, ConnectPolicy, Counts, CredentialPolicy,
    CredentialUse, DedupPolicy, Finding, FirstAttempt, HeartbeatPolicy, Identity, Jitter, Overflow, PacingPolicy,
    QueuePolicy, RequestPolicy, Restore, RetryPolicy, SubscriptionPolicy, Window,
};
use dedup::can_compare;
pub use health::{Drops, Health, Rates, Stats, Status};
pub use keepsake::{BadKeepsake, Keepsake};
use link::{Link, Stage};
pub(crate) use options::Rare;
pub use options::{Class, SendOptions, Ttl};
pub use outcome::{Dropped, Outcome, TakenBack};
pub use report::{Down, Handshake, Report};
pub(crate) use request::Asked;
pub use request::{Reply, RequestOptions, RequestRetry, RetryOn};
use seeing::Seeing;
use state::{End, Facts, Place, Wants, slot_of};
use stir::Stir;
pub use subscribing::{SubscribeOptions, Subscription, TopicNews, TopicState};
use telling::{append, tell, tell_passing};
pub use timers::Timer;
use writes::Holds;

use crate::{
    BadEndpoints, Frame, Heard, Machine, Never, Protocol, Rng, Secret, Text, Timestamp, Who,
    part::{
        Activity, Backoff, Credentials, Dedup, Endpoints, History, Ids, Network, Outbox, Patience, Proof, Questions,
        Subscriptions,
    },
};

/// One input of a session whose protocol has messages `M` and topics `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Input<M, T = Never> {
    /// The application wants something.
    Command(Command<M, T>),
    /// A transport saw something of this link.
    Report(LinkId, Report),
    /// Time has passed.
    Wake,
}

/// The actions of a session that speaks `P`.
type Actions<P> = Vec<Action<<P as Protocol>::Incoming, <P as Protocol>::Topic>>;

type LinkOf<P> = Link<<P as Protocol>::Link, <P as Protocol>::Message, <P as Protocol>::Incoming>;

/// Keeps one logical connection to one peer alive, whatever becomes of the links that carry it.
///
/// It is a [`Machine`]: it takes commands of the application and reports of the transport, each with the time, and
/// answers with actions. The methods of [`Commands`] are the convenient way to hand them in.
///
/// ```
/// use steadfast::{Action, Commands, Config, Frame, Plain, Session, Timestamp};
///
/// let mut session = Session::new(Plain, Config::default(), 7)?;
/// let (now, mut actions) = (Timestamp::ZERO, Vec::new());
/// let id = session.send(now, Frame::from("kept until the link is up"), &mut actions)?;
/// session.connect(now, &mut actions);
/// assert!(matches!(actions[0], Action::Connect(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<P: Protocol> {
    protocol: P,
    config: Arc<Config>,
    rng: Rng,
    wants: Wants,
    facts: Facts,
    /// The link that carries the session, or is about to.
    link: Option<Box<LinkOf<P>>>,
    /// Its successor, during a planned rotation.
    next: Option<Box<LinkOf<P>>>,
    /// Its predecessor: it only waits for the peer's goodbye.
    leaving: Option<Box<LinkOf<P>>>,
    outbox: Outbox<P::Message>,
    /// What may hold back what waits.
    holds: Holds,
    questions: Questions,
    /// Ids of the peer's messages that the application has taken and the peer does not know of yet.
    taken: VecDeque<Bytes>,
    /// The topics that are wanted.
    topics: Subscriptions<P::Topic, P::Message>,
    /// What the last link had of them, in case the peer keeps the session.
    kept_topics: topics::Kept<P>,
    endpoints: Endpoints,
    backoff: Backoff,
    patience: Patience,
    network: Network,
    activity: Activity,
    credentials: Credentials,
    ids: Ids,
    proof: Proof,
    dedup: Dedup,
    history: History,
    stats: Stats,
    seeing: Seeing,
    last_link: u64,
    last_op: u64,
    /// The phase that was last told.
    told: Phase,
    /// Nothing is due before this. Deadlines that have moved back since are found when it has come.
    not_before: Timestamp,
    last_now: Timestamp,
    stir: Stir,
    heard: Vec<Heard<P::Incoming, P::Topic>>,
    frames: Vec<Frame>,
}

impl<P: Protocol> Session<P> {
    /// A session that speaks this protocol. It does nothing until it is told to connect. The seed decides
    /// all its chances: sessions that shall not act alike need different ones.
    ///
    /// # Errors
    ///
    /// Settings that are zero or contradict each other, see [`Config::check`]; or de-duplication by content, of which this
    /// protocol cannot say what it is.
    // A table: one field, one line.
    pub fn new(protocol: P, config: Config, seed: u64) -> Result<Self, BadConfig> {
        config.check().and_then(|()| can_compare(&config, protocol.abilities()))?;
        let mut session = Self {
            protocol,
            rng: Rng::new(seed),
            wants: Wants::default(),
            facts: Facts::default(),
            link: None,
            next: None,
            leaving: None,
            outbox: Outbox::new(),
            holds: Holds::default(),
            questions: Questions::default(),
            taken: VecDeque::new(),
            topics: Subscriptions::new(),
            kept_topics: None,
            endpoints: Endpoints::default(),
            backoff: Backoff::default(),
            patience: Patience::default(),
            network: Network::default(),
            activity: Activity::new(config.connect.lazy),
            credentials: Credentials::default(),
            ids: Ids::new(&config.identity.client_id, seed),
            proof: Proof::default(),
            dedup: Dedup::new(seed),
            history: History::new(config.history),
            stats: Stats::default(),
            seeing: Seeing::default(),
            last_link: 0,
            last_op: 0,
            told: Phase::Idle,
            not_before: Timestamp::MAX,
            last_now: Timestamp::ZERO,
            stir: Stir::All,
            heard: Vec::new(),
            frames: Vec::new(),
            config: Arc::new(config),
        };
        session.adopt_config();
        Ok(session)
    }

    /// The settings count from now on.
    fn adopt_config(&mut self) {
        self.adopt_holds();
        self.introduce();
    }

    /// Tells the protocol who we are.
    fn introduce(&mut self) {
        let Identity { kind, metadata, .. } = &self.config.identity;
        let (incarnation, client_id) = (self.ids.incarnation(), self.ids.own_client_id());
        self.protocol.introduce(&Who { incarnation, client_id, kind, metadata });
    }

    /// The same, with the credential to log in with.
    #[must_use]
    pub fn with_credential(mut self, credential: Secret) -> Self {
        self.credentials.set(Some(credential));
        self
    }

    /// The same, with the endpoints to dial, in turn: the next at the floor after the one before has failed, and only
    /// when all have failed a longer wait. A dialer gets the address in [`Attempt::endpoint`]; `{client_id}` in it
    /// stands for the client id. An empty list is the dialer's own endpoint. In a session that is recorded this is the
    /// first command instead: [`Command::Endpoints`].
    ///
    /// # Errors
    ///
    /// What is wrong with the list.
    pub fn with_endpoints(mut self, list: Vec<Text>) -> Result<Self, BadEndpoints> {
        self.endpoints.set(self.last_now, list)?;
        Ok(self)
    }

    /// The protocol.
    pub const fn protocol(&self) -> &P {
        &self.protocol
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The last changes of phase, oldest first; how many is [`Config::history`].
    pub fn history(&self) -> impl Iterator<Item = &Change> {
        self.history.iter()
    }

    /// Counts since the session was made.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Moves out the messages that ended in the last turn. Those that nobody takes are dropped at the start of the
    /// next turn; a driver that runs turns under a lock takes them, to drop them after it.
    #[inline]
    pub fn take_dead(&mut self, into: &mut Vec<P::Message>) {
        let dead = self.outbox.dead();
        if !dead.is_empty() {
            into.append(dead);
        }
    }

    /// Gives back the memory of the last burst: the core keeps its buffers, so that a message in a busy session costs no
    /// allocation. A driver does this now and then while nothing happens; it changes nothing else.
    #[cold]
    pub fn shrink_to_fit(&mut self) {
        self.outbox.shrink();
        [&mut self.link, &mut self.next, &mut self.leaving].into_iter().flatten().for_each(|link| link.shrink());
        self.heard.shrink_to_fit();
        self.frames.shrink_to_fit();
    }

    fn slot(&mut self, place: Place) -> &mut Option<Box<LinkOf<P>>> {
        slot_of(&mut self.link, &mut self.next, &mut self.leaving, place)
    }

    fn place_of(&self, id: LinkId) -> Option<Place> {
        let is =
            |link: &Option<Box<LinkOf<P>>>| link.as_ref().is_some_and(|link| link.id == id && link.has_transport());
        match () {
            () if is(&self.link) => Some(Place::Link),
            () if is(&self.next) => Some(Place::Next),
            () if is(&self.leaving) => Some(Place::Leaving),
            () => None,
        }
    }

    /// Brings what is wanted and what is the case together.
    #[inline(always)]
    fn settle(&mut self, now: Timestamp, out: &mut Actions<P>) {
        match self.stir {
            Stir::Nothing => {}
            Stir::Queue => {
                self.settle_queue(now, out);
                if self.stir == Stir::All {
                    self.settle_all(now, out);
                }
            }
            Stir::All => self.settle_all(now, out),
        }
    }

    #[inline]
    fn settle_queue(&mut self, now: Timestamp, out: &mut Actions<P>) {
        self.writes(now, out);
        if let Some(high) = self.outbox.take_crossing(&self.config.queue) {
            self.on_crossing(now, high, out);
        }
        if self.outbox.take_room(&self.config.queue) {
            out.push(Action::Emit(Event::Room));
        }
    }

    /// Until nothing more comes of it; one thing leads to another at most so often.
    #[inline(never)]
    fn settle_all(&mut self, now: Timestamp, out: &mut Actions<P>) {
        const ROUNDS: usize = 4;
        for _ in 0..ROUNDS {
            let before = (out.len(), self.taken.len());
            self.lifecycle(now, out);
            self.end_restore(now, out);
            self.settle_queue(now, out);
            if (out.len(), self.taken.len()) == before {
                break;
            }
        }
        self.outbox.drop_volatile(&mut tell(&mut self.stats, &mut self.dedup, out));
        self.announce(now, out);
        self.tell_level(now, out);
        self.tell_phase(now, out);
        // Whoever sleeps is woken by any message.
        let sleeps = self.activity.is_asleep();
        self.not_before = if sleeps { Timestamp::ZERO } else { self.earliest().unwrap_or(Timestamp::MAX) };
    }
}

impl<P: Protocol> Machine for Session<P> {
    type Input = Input<P::Message, P::Topic>;
    type Action = Action<P::Incoming, P::Topic>;
    type Answer = Answer<P::Message>;

    // The caller knows which input it hands in: where this is inlined, nothing else is left of it. For that it is to be
    // asked before anything else happens, and the input that is many is to be told apart here.
    #[inline(always)]
    fn handle(&mut self, now: Timestamp, input: Self::Input, actions: &mut Vec<Self::Action>) -> Self::Answer {
        match input {
            Input::Command(Command::Send { message, options }) => {
                let now = self.begin(now, Stir::by_send(&options));
                let answer = self.accept(now, message, options, actions);
                self.finish(now, actions);
                answer
            }
            Input::Command(command) => {
                let now = self.begin(now, Stir::by_command(&command));
                let answer = self.command(now, command, actions);
                self.finish(now, actions);
                answer
            }
            Input::Report(link, Report::Frame(frame)) => {
                let now = self.begin(now, Stir::by_frame(&frame));
                let is_known = self.report_frame(now, link, frame, actions);
                self.finish(now, actions);
                if is_known { Answer::Done } else { Answer::Stale }
            }
            Input::Report(link, report) => {
                let now = self.begin(now, Stir::by_report(&report));
                let is_known = self.report(now, link, report, actions);
                self.finish(now, actions);
                if is_known { Answer::Done } else { Answer::Stale }
            }
            Input::Wake => {
                let now = self.begin(now, Stir::All);
                self.finish(now, actions);
                Answer::Done
            }
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let earliest = self.earliest();
        debug_assert!(self.not_before <= earliest.unwrap_or(Timestamp::MAX), "no deadline moves up unsettled");
        earliest
    }
}

#[cfg(test)]
mod tests;
