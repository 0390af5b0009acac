//! Does the session keep its promises?

mod absorb;
mod arrivals;
mod asks;
mod brief;
mod checked;
mod ledger;
mod link;
mod look;
mod pace;
mod perform;
mod requests;
mod silence;
mod speaking;
mod spy;
mod topics;
mod twins;
mod wishes;

use std::fmt::Debug;
use std::time::Duration;

use steadfast::{Action, Answer, Config, Health, Input, OpId, Phase, Stats, Text, Timestamp};

pub use brief::Brief;
pub use checked::Checked;
pub use spy::{Got, Sent, Spy};

use asks::Asks;
use brief::What;
use ledger::Ledger;
use link::Links;
use look::Look;
use pace::Pace;
use perform::is_the_end;
use topics::Topics;
use twins::Twins;
use wishes::Wishes;

/// The invariants of a session, checked after every turn, in constant time.
///
/// It sees only what a driver sees: inputs, answers, actions and the next deadline. What it finds is kept as
/// sentences in [`violations`](Self::violations); it never panics, so that a harness can add what it knows.
/// [`Checked`] feeds it by itself.
///
/// | rule | what is checked |
/// |---|---|
/// | `one outcome` | each accepted message ends once, as it can have ended, and each request with a reply or without; nothing is owed after a turn; after a stop nothing is pending |
/// | `order` | what is handed over is always the oldest that waits; nothing goes out whose time has passed |
/// | `one link` | one link is dialled or live, one leaves and says nothing but its Close |
/// | `stale` | a report of any other link is answered so, and changes nothing |
/// | `login first` | nothing but the login goes out before the peer has accepted it |
/// | `window` | what is with the transport stays in its bounds; what is sent is flushed; one flush is outstanding |
/// | `bounds` | what is kept stays in its bounds, and so does a turn's output |
/// | `pace` | delays are legal, dials keep the floor, the count starts anew only after a stable link; a wait that a goodbye asked for is in the failure of its link; one that the only server asked for is kept, unless the host overrules it |
/// | `deadline` | none, or later than now |
/// | `silence` | a silent peer is found within interval and timeout; time in which reading was held back or the driver slept is put aside |
/// | `asks` | the host is asked once at a time and only if it is to be; a credential goes to the dialer or into a secret frame, as the policy says, and is shown nowhere |
/// | `phase` | changes are a chain; errors are numbered; a fatal one stops, and the stop names the first and the last; after a stop there are only answers |
/// | `degraded` | a long absence of the peer is told once and in time, and so is its end |
/// | `level` | each is told once; it gets better only after a while |
/// | `hints` | nothing is dialled, and no link stays, while suspended; nothing is dialled while the network is lost |
/// | `topics` | each topic that is wanted, and none that is not, is asked for, once on a link unless its answer is overdue; nothing queued leaves before the restore ends, which is told once and with the right count; a gap comes before what follows it; what the peer says of a topic is told, and nothing else; whatever is wanted no longer is called left, once |
/// | `peer` | acknowledged is only what the peer got; what ended unsent it never gets ([`arrived`](Self::arrived)) |
#[derive(Clone, Debug)]
pub struct Checker<S> {
    spy: S,
    config: Config,
    /// As it was when the present link was dialled.
    on_link: Config,
    /// The largest bounds there were: a smaller queue drops nothing.
    most: (u32, u64),
    endpoints: Vec<Text>,
    /// What was accepted up to this one was for another destination.
    elsewhere: OpId,
    turns: u64,
    now: Timestamp,
    deadline: Option<Timestamp>,
    phase: Phase,
    errors: u64,
    fatal: bool,
    over: bool,
    going_away: bool,
    /// How long the peer wants us to stay away after the present link.
    goodbye: Option<Duration>,
    is_high: bool,
    links: Links,
    ledger: Ledger,
    twins: Twins,
    topics: Topics,
    pace: Pace,
    wishes: Wishes,
    look: Look,
    /// What this turn told: degraded, or no longer.
    shift: Option<bool>,
    asks: Asks,
    violations: Vec<String>,
}

/// The most violations that are kept: the first ones tell, the rest follow from them.
const KEPT: usize = 8;

impl<S: Spy> Checker<S> {
    /// A checker for a new session with this configuration.
    #[must_use]
    pub fn new(spy: S, config: Config) -> Self {
        Self {
            look: Look::new(config.degraded_after),
            shift: None,
            spy,
            on_link: config.clone(),
            most: (config.queue.max_messages, config.queue.max_bytes),
            config,
            endpoints: Vec::new(),
            elsewhere: OpId(0),
            turns: 0,
            now: Timestamp::ZERO,
            deadline: None,
            phase: Phase::Idle,
            errors: 0,
            fatal: false,
            over: false,
            going_away: false,
            goodbye: None,
            is_high: false,
            links: Links::default(),
            ledger: Ledger::default(),
            twins: Twins::default(),
            topics: Topics::default(),
            pace: Pace::default(),
            wishes: Wishes::default(),
            asks: Asks::default(),
            violations: Vec::new(),
        }
    }

    /// What was found, oldest first; empty if all is well.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// How many turns were checked.
    #[must_use]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// How many messages are accepted and have not ended.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.ledger.len()
    }

    /// The topics that are wanted of the peer, and that it has not refused or ended.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.topics.wanted()
    }

    /// The phase that the session's events add up to.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// To be called before the session takes the input.
    #[must_use]
    pub fn before<M, T: Debug>(&mut self, input: &Input<M, T>) -> Brief {
        self.asks.learn(input);
        Brief::of(input, &self.spy)
    }

    /// To be called after the turn, with what [`before`](Self::before) gave, the actions of this turn alone
    /// and the machine's next deadline.
    pub fn after<M, I: Debug, T: Debug>(
        &mut self,
        now: Timestamp,
        brief: Brief,
        answer: &Answer<M>,
        actions: &[Action<I, T>],
        deadline: Option<Timestamp>,
    ) {
        // Time that goes backwards stands still, for the session and so for us.
        let now = now.max(self.now);
        self.turns += 1;
        let Brief { what, options, request, answers, change, topics } = brief;
        self.check_quiet(now, what, answer, actions.len(), deadline);
        self.absorb(now, what, options, answer);
        self.absorb_topics(now, what, &topics, answer);
        if let (Some(link), Answer::Accepted(id)) = (answers, answer) {
            let verdict = self.ledger.answer_call(now, *id, link);
            self.note(verdict);
        }
        if let (Some(request), Answer::Accepted(id)) = (request, answer) {
            let verdict = self.ledger.ask(now, *id, &request, self.config.requests.deadline);
            self.note(verdict);
        }
        if let Some(change) = change {
            self.adopt(now, change, answer);
        }
        self.over |= actions.iter().any(is_the_end);
        let room = self.most_actions();
        self.check(actions.len() <= room, || format!("bounds: {} actions in one turn", actions.len()));
        for action in actions {
            self.perform(now, what, action);
        }
        self.close_turn(now, deadline);
    }

    /// The harness knows that the peer has received this message: now, for the first time or again.
    pub fn arrived(&mut self, id: OpId) {
        let verdict = self.ledger.arrived(id);
        self.note(verdict);
    }

    /// From now on `Acked` is checked against what [`arrived`](Self::arrived).
    pub fn watch_arrivals(&mut self) {
        self.ledger.watch_arrivals();
    }

    /// Compares what was seen with what the session says of itself. Costs more than a turn; meant for every
    /// thousandth one and for the end.
    pub fn audit(&mut self, health: &Health, stats: &Stats, history: usize) {
        let limit = self.config.history as usize;
        self.check(history <= limit, || format!("bounds: {history} changes are kept and the limit is {limit}"));
        let queued = self.ledger.len() as u64;
        self.check(health.queued == queued, || {
            format!("one outcome: {queued} messages are pending and the session says {}", health.queued)
        });
        let limit = u64::from(self.most.0);
        let kept = self.ledger.kept() as u64;
        self.check(kept <= limit, || format!("bounds: {kept} messages are kept and the limit is {limit}"));
        let (bytes, limit) = (health.queued_bytes, self.most.1);
        self.check(bytes <= limit || kept < queued, || {
            format!("bounds: {bytes} bytes are kept and the limit is {limit}")
        });
        let phase = self.phase;
        self.check(health.phase == phase, || format!("phase: the events say {phase}, the session {}", health.phase));
        let level = self.look.level();
        self.check(health.level == level, || format!("level: the events say {level}, the session {}", health.level));
        let accepted = self.ledger.accepted();
        self.check(stats.accepted == accepted, || {
            format!("one outcome: {accepted} messages were accepted and the session counts {}", stats.accepted)
        });
    }

    /// Nothing but answers after a stop, and nothing at all for a report of a link that is gone.
    fn check_quiet<M>(
        &mut self,
        now: Timestamp,
        what: What,
        answer: &Answer<M>,
        actions: usize,
        deadline: Option<Timestamp>,
    ) {
        let stopped = matches!(self.phase, Phase::Stopped(_)) && self.links.is_empty();
        // What is kept over a stop can still be taken back.
        let takes_back = self.config.keep_on_stop
            && matches!(what, What::Cancel(_) | What::TakeQueued | What::Endpoints { back: true } | What::Configure);
        if stopped && !takes_back && !matches!(what, What::Connect { .. }) {
            self.check(actions == 0 && deadline.is_none(), || format!("phase: {what:?} did something after the stop"));
        }
        let is_stale = matches!(answer, Answer::Stale);
        let should = self.should_be_stale(what);
        self.check(is_stale == should, || {
            format!("stale: {what:?} was answered as if the link were {}", alive(should))
        });
        let due = self.deadline.is_some_and(|at| at <= now);
        if should && !due {
            self.check(actions == 0, || format!("stale: {what:?} of a dead link led to {actions} actions"));
            let before = self.deadline;
            self.check(deadline == before, || format!("stale: {what:?} moved the deadline {before:?} to {deadline:?}"));
        }
    }

    /// Whether it is of a link that is gone, or answers what is no longer asked.
    fn should_be_stale(&self, what: What) -> bool {
        match what {
            What::Report(link, _) => !self.links.knows(link),
            What::Credential(ask) => !self.asks.is_open(ask),
            What::Wake
            | What::Connect { .. }
            | What::Stop
            | What::Send
            | What::Request
            | What::Reply
            | What::Cancel(_)
            | What::TakeQueued
            | What::Endpoints { .. }
            | What::Configure
            | What::Lost
            | What::Back
            | What::Suspend(_)
            | What::Subscribe
            | What::Unsubscribe
            | What::Other => false,
        }
    }

    fn close_turn(&mut self, now: Timestamp, deadline: Option<Timestamp>) {
        self.check(deadline.is_none_or(|at| at > now), || format!("deadline: {deadline:?} is not later than {now}"));
        let owed = self.ledger.close_turn(self.links.up());
        self.note(owed);
        let untold = self.twins.close_turn(&self.config.dedup);
        self.note(untold);
        let looks = self.look.close_turn(now, self.shift.take());
        self.note(looks);
        let unasked = self.asks.close_turn(deadline);
        self.note(unasked);
        let unflushed = self.links.close_turn();
        self.note(unflushed);
        self.close_topics(now, deadline);
        let ends_by = |config: &Config| self.links.watched().and_then(|silence| silence.ends_by(&config.heartbeat));
        let found = ends_by(&self.on_link).and_then(|by| Some(by.max(ends_by(&self.config)?)));
        self.check(found.is_none_or(|by| deadline.is_some_and(|at| at <= by)), || {
            format!("silence: it has to be found by {found:?}, and the deadline is {deadline:?}")
        });
        let due = self.look.due();
        self.check(due.is_none_or(|by| deadline.is_some_and(|at| at <= by)), || {
            format!("degraded: it has to be told by {due:?}, and the deadline is {deadline:?}")
        });
        let (phase, pending) = (self.phase, self.ledger.len());
        self.check(!self.pace.is_suspended() || !self.links.has_link(), || {
            "hints: a link is there while suspended".into()
        });
        if matches!(phase, Phase::Stopped(_)) && self.links.is_empty() && !self.config.keep_on_stop {
            self.check(pending == 0, || format!("one outcome: {pending} messages are pending after the stop"));
        }
        let (kept, policy) = (self.ledger.kept(), &self.config.queue);
        let (limit, high) = (self.most.0 as usize, policy.high as usize);
        let is_told = self.is_high || high == 0 || kept * 100 < high * policy.max_messages as usize;
        self.check(kept <= limit, || format!("bounds: {kept} messages are kept and the limit is {limit}"));
        self.check(is_told, || format!("bounds: {kept} of {limit} messages are kept, and nobody was told"));
        self.now = now;
        self.deadline = deadline;
    }

    /// A turn can end all that is pending, hand over a window, and tell what one frame said.
    fn most_actions(&self) -> usize {
        self.ledger.len() + 2 * (self.on_link.window.frames + self.on_link.heard_max) as usize + 32
    }

    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.note(Err(otherwise()));
        }
    }

    fn note(&mut self, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            if self.violations.len() < KEPT {
                self.violations.push(format!("turn {} at {}: {what}", self.turns, self.now));
            }
        }
    }
}

const fn alive(gone: bool) -> &'static str {
    if gone { "there, and it is gone" } else { "gone, and it is there" }
}
