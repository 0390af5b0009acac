//! What an observer may expect of a session, restated plainly.
//!
//! It knows nothing of the session's parts: a list of messages, one link and one that leaves, a few times and hints. It
//! is slow and simple on purpose. Only the length of a delay is not predicted; it is learnt from the announcement,
//! after a look whether it is legal.

use std::time::Duration;

use steadfast::{
    Config, Dropped, Level, LinkId, Outcome, Overflow, Phase, QueuePolicy, Rejected, StopCause, Timestamp,
};

use super::{
    plan::{Plan, Span},
    sight::Sight,
};

/// What happens to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Wake,
    Connect,
    ConnectNow,
    Stop,
    Drain(Duration),
    Send {
        promise: Promise,
        tracked: bool,
        ttl: Option<Duration>,
    },
    Cancel(u64),
    TakeQueued,
    Suspend,
    Resume,
    NetworkLost,
    NetworkBack,
    /// Another list of endpoints; whether what waits comes back.
    Endpoints {
        come_back: bool,
    },
    /// Another bound of the queue.
    Configure {
        max_messages: u32,
    },
    /// Another credential.
    Authenticate(u64),
    Taken,
    Report(LinkId, Saw),
}

/// What is promised for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Now or never.
    Volatile,
    /// Only the newest of this key matters.
    Latest(char),
    AtMostOnce,
    AtLeastOnce,
    /// It belongs to its link, and passes the others by.
    Bypass,
}

/// What is said of the end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The network: it is tried again.
    Network,
    /// It cannot work, unless it has worked before.
    ForGood,
    /// The host has the last word: again, after this, never.
    HostRetry,
    HostLater(Duration),
    HostFatal,
}

/// What its transport or its peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    Up,
    LoginOk,
    LoginRefused,
    Acked(u64),
    Denied(u64),
    Flushed(u64),
    Down {
        left: u64,
        blame: Blame,
    },
    /// A message of the peer's, a pause: nothing that changes what is to be done.
    Nothing,
}

/// What a turn did, or should have done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Did {
    pub(crate) stale: bool,
    pub(crate) accepted: Option<u64>,
    pub(crate) returned: bool,
    pub(crate) came_back: Vec<u64>,
    pub(crate) dialled: Option<LinkId>,
    /// And not the driver's own endpoint.
    pub(crate) elsewhere: bool,
    pub(crate) aborted: Vec<LinkId>,
    pub(crate) closed: Vec<LinkId>,
    pub(crate) flushed: Vec<LinkId>,
    /// What was handed to the transport, in order: a message by its number, anything else as zero.
    pub(crate) frames: Vec<u64>,
    pub(crate) ended: Vec<(u64, Outcome)>,
    pub(crate) errors: usize,
    pub(crate) announced: Option<Timestamp>,
    pub(crate) phase: Option<Phase>,
    /// Degraded, or no longer.
    pub(crate) degraded: Option<bool>,
    pub(crate) level: Option<Level>,
    pub(crate) deadline: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    config: Config,
    online: bool,
    end: Option<End>,
    stopped: Option<StopCause>,
    pub(crate) link: Option<Link>,
    pub(crate) leaving: Option<Link>,
    pub(crate) messages: Vec<Message>,
    pub(crate) accepted: u64,
    /// What we log in with, whether it was refused last, and what has led to a link that was online: what speaks
    /// against that is forgiven for a while.
    pub(crate) credential: u64,
    refused_before: bool,
    proven_credential: Option<u64>,
    /// Which of two endpoints is ours, and which of them has led to a link that was online.
    pub(crate) is_elsewhere: bool,
    proven_endpoints: [bool; 2],
    /// The link leads to where we are no longer to be.
    moves: bool,
    /// What was accepted up to this one is not for the next link.
    stays_behind: Option<u64>,
    /// So many messages of the peer's are to be acknowledged.
    taken: usize,
    /// No link is wanted for a while.
    suspended: bool,
    forgiven: u32,
    forgiven_at: Option<Timestamp>,
    failures: u32,
    links: u64,
    dialled_at: Option<Timestamp>,
    plan: Plan,
    announced: Option<Timestamp>,
    phase: Phase,
    sight: Sight,
    did: Did,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) stage: Stage,
    /// When the stage has taken too long; while online, when it counts as stable.
    until: Timestamp,
    /// Everything handed over on it.
    pub(crate) frames: Vec<u64>,
    pub(crate) flushed: usize,
    is_flushing: bool,
    /// What it is logged in with.
    credential: u64,
    /// A deadline that was slept through has been put off.
    was_spared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Dialing,
    LoggingIn,
    Online { stable: bool },
    Leaving,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: u64,
    promise: Promise,
    tracked: bool,
    until: Option<Timestamp>,
    /// The link that has it.
    pub(crate) on: Option<LinkId>,
    /// It may have left on an earlier one.
    doubtful: bool,
}

#[derive(Clone, Copy, Debug)]
struct End {
    cause: StopCause,
    /// `None`: at once.
    by: Option<Timestamp>,
}

impl Link {
    fn new(id: LinkId, until: Timestamp, credential: u64) -> Self {
        let (stage, frames) = (Stage::Dialing, Vec::new());
        Self { id, stage, until, frames, flushed: 0, is_flushing: false, credential, was_spared: false }
    }

    pub(crate) const fn is_online(&self) -> bool {
        matches!(self.stage, Stage::Online { .. })
    }

    fn on_their_way(&self) -> usize {
        self.frames.len() - self.flushed
    }

    /// The driver slept through the deadline: once, what came meanwhile gets a second to be read.
    fn spare(&mut self, now: Timestamp) -> bool {
        const LATE: Duration = Duration::from_secs(1);
        let spared = now.since(self.until) > LATE && !std::mem::replace(&mut self.was_spared, true);
        if spared {
            self.until = later(now, LATE);
        }
        spared
    }
}

impl Promise {
    /// What is dropped first.
    const fn rank(self) -> u8 {
        match self {
            Self::Volatile | Self::Bypass | Self::Latest(_) => 0,
            Self::AtMostOnce => 1,
            Self::AtLeastOnce => 2,
        }
    }
}

impl Message {
    /// It has certainly not left.
    const fn waits(&self) -> bool {
        self.on.is_none() && !self.doubtful
    }

    fn passes(&self) -> bool {
        self.promise == Promise::Bypass
    }

    /// It is sent again until it is acknowledged.
    fn is_kept(&self) -> bool {
        self.promise == Promise::AtLeastOnce
    }
}

impl Model {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            sight: Sight::new(config.degraded_after),
            config,
            online: false,
            end: None,
            stopped: None,
            link: None,
            leaving: None,
            messages: Vec::new(),
            accepted: 0,
            credential: 0,
            refused_before: false,
            proven_credential: None,
            is_elsewhere: false,
            proven_endpoints: [false; 2],
            moves: false,
            stays_behind: None,
            taken: 0,
            suspended: false,
            forgiven: 0,
            forgiven_at: None,
            failures: 0,
            links: 0,
            dialled_at: None,
            plan: Plan::default(),
            announced: None,
            phase: Phase::Idle,
            did: Did::default(),
        }
    }

    pub(crate) const fn queue(&self) -> &QueuePolicy {
        &self.config.queue
    }

    /// What this input should have led to. What was `seen` is only looked at for the delays.
    pub(crate) fn turn(&mut self, now: Timestamp, input: Input, seen: &Did) -> Did {
        self.did = Did::default();
        self.take(now, input);
        self.let_time_pass(now);
        while self.act(now, seen) {}
        self.announce(now, seen);
        let online = self.link.as_ref().is_some_and(|link| matches!(link.stage, Stage::Online { .. }));
        let queue = &self.config.queue;
        self.sight.kept(self.queued() as u32 * 100 / queue.max_messages, queue.high, queue.low);
        let is_missed = self.online && !self.suspended;
        (self.did.degraded, self.did.level) = self.sight.turn(now, is_missed, online, self.stopped);
        let phase = self.phase();
        self.did.phase = (phase != self.phase).then_some(phase);
        self.phase = phase;
        self.did.deadline = self.deadline();
        std::mem::take(&mut self.did)
    }

    fn take(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Wake => {}
            Input::Connect | Input::ConnectNow => {
                (self.online, self.end) = (true, None);
                self.stopped = None;
                if input == Input::ConnectNow {
                    self.plan.at_once();
                    self.suspended = false;
                    self.plan.overrule();
                }
            }
            Input::Stop => self.end_by(None),
            Input::Drain(within) => self.end_by(now.after(within)),
            Input::Send { promise, tracked, ttl } => self.accept(promise, tracked, ttl.and_then(|ttl| now.after(ttl))),
            Input::Cancel(id) => {
                self.did.returned = self.messages.iter().any(|message| message.id == id && message.waits());
                self.end_those(|message| message.id == id && message.waits(), &Outcome::Cancelled);
            }
            Input::TakeQueued => {
                self.come_back(|message| message.waits() && message.promise != Promise::Bypass);
                self.come_back(Message::waits);
            }
            Input::Suspend => self.suspended = true,
            Input::Resume => self.suspended = false,
            Input::NetworkLost => self.plan.network_lost(now, later(now, self.config.connect.network_wait)),
            Input::NetworkBack => self.plan.network_back(now, self.config.retry.base),
            Input::Endpoints { come_back } => self.go_elsewhere(come_back),
            Input::Configure { max_messages } => self.config.queue.max_messages = max_messages,
            Input::Authenticate(credential) => {
                self.refused_before &= credential == self.credential;
                self.credential = credential;
            }
            Input::Taken => self.taken += 1,
            Input::Report(id, saw) => self.hear(now, id, saw),
        }
    }

    /// What waits goes there too, or comes back; then what has left already is not sent again.
    fn go_elsewhere(&mut self, come_back: bool) {
        (self.is_elsewhere, self.moves) = (!self.is_elsewhere, true);
        self.plan.at_once();
        if come_back {
            self.come_back(|message| message.waits() && !message.passes());
            self.end_those(|message| message.on.is_none() && message.doubtful, &Outcome::InDoubt);
            self.stays_behind = Some(self.accepted);
        }
    }

    fn end_what_stays_behind(&mut self) {
        let Some(last) = self.stays_behind.take() else { return };
        self.end_those(|message| message.id <= last && message.waits(), &Outcome::Dropped(Dropped::Elsewhere));
        self.end_those(|message| message.id <= last, &Outcome::InDoubt);
    }

    fn accept(&mut self, promise: Promise, tracked: bool, until: Option<Timestamp>) {
        let id = self.accepted + 1;
        let message = Message { id, promise, tracked, until, on: None, doubtful: false };
        let outdated = |old: &Message| matches!(promise, Promise::Latest(_)) && old.promise == promise && old.waits();
        let outdated = self.messages.iter().rposition(outdated);
        let is_over = self.stopped.is_some() || self.end.is_some();
        if is_over || !(outdated.is_some() || self.has_room(promise) || self.makes_room(promise)) {
            self.did.returned = true;
            return;
        }
        (self.accepted, self.did.accepted) = (id, Some(id));
        match outdated {
            None if !self.has_room(promise) => self.did.ended.push((id, Outcome::Dropped(Dropped::Overflow))),
            Some(at) => {
                let old = std::mem::replace(&mut self.messages[at], message);
                self.did.ended.push((old.id, Outcome::Dropped(Dropped::Replaced)));
            }
            None => self.messages.push(message),
        }
    }

    /// Whether a message may be taken, behind all others or past them.
    fn has_room(&self, promise: Promise) -> bool {
        let fits = self.queued() < self.config.queue.max_messages as usize;
        let stage = self.link.as_ref().map(|link| link.stage);
        match promise {
            Promise::Latest(_) | Promise::AtMostOnce | Promise::AtLeastOnce => fits,
            Promise::Bypass => matches!(stage, Some(Stage::LoggingIn | Stage::Online { .. })),
            Promise::Volatile => {
                let most = self.config.window.frames as usize;
                let may_leave = self.link.as_ref().is_some_and(|link| link.is_online() && link.on_their_way() < most);
                fits && may_leave && self.messages.iter().all(|message| message.on.is_some() || message.passes())
            }
        }
    }

    /// What is full may drop what waits, the lowest first or the oldest, or the new message itself.
    fn makes_room(&mut self, promise: Promise) -> bool {
        let policy = self.config.queue.overflow;
        if matches!(promise, Promise::Volatile | Promise::Bypass) {
            return false;
        }
        if policy == Overflow::DropNewest {
            return true;
        }
        let gives_way = |message: &&Message| match policy {
            Overflow::DropOldest => true,
            Overflow::DropLowest => message.promise.rank() <= promise.rank(),
            Overflow::Refuse | Overflow::DropNewest | Overflow::ReplaceByKey | _ => false,
        };
        let waiting = self.messages.iter().filter(|message| message.waits() && !message.passes());
        let mut victims: Vec<_> =
            waiting.filter(gives_way).map(|message| (message.promise.rank(), message.id)).collect();
        if policy == Overflow::DropLowest {
            victims.sort_by_key(|(rank, _)| *rank);
        }
        let excess = self.queued() + 1 - self.config.queue.max_messages as usize;
        let Some(victims) = victims.get(..excess) else { return false };
        let victims: Vec<u64> = victims.iter().map(|(_, id)| *id).collect();
        self.end_those(|message| victims.contains(&message.id), &Outcome::Dropped(Dropped::Overflow));
        true
    }

    /// What is in the queue, or was.
    fn queued(&self) -> usize {
        self.messages.iter().filter(|message| !message.passes()).count()
    }

    /// Hands messages back to the application.
    fn come_back(&mut self, which: impl Fn(&Message) -> bool) {
        self.did.came_back.extend(self.messages.iter().filter(|message| which(message)).map(|message| message.id));
        self.end_those(which, &Outcome::Cancelled);
    }

    fn end_by(&mut self, by: Option<Timestamp>) {
        if self.stopped.is_none() {
            let end = self.end.get_or_insert(End { cause: StopCause::User, by });
            end.by = end.by.min(by);
        }
    }

    fn hear(&mut self, now: Timestamp, id: LinkId, saw: Saw) {
        let is = |link: &&mut Link| link.id == id;
        let Some(link) = self.link.as_mut().filter(is).or(self.leaving.as_mut().filter(is)) else {
            self.did.stale = true;
            return;
        };
        match saw {
            Saw::Nothing => {}
            Saw::Up => {
                link.stage = Stage::LoggingIn;
                link.until = later(now, self.config.login_timeout);
            }
            Saw::LoginOk => {
                link.stage = Stage::Online { stable: false };
                link.until = later(now, self.config.stable_for);
                self.refused_before &= link.credential != self.credential;
                self.proven_credential = Some(link.credential);
                self.proven_endpoints[usize::from(self.is_elsewhere)] = true;
                self.plan.online();
            }
            Saw::LoginRefused => {
                let credential = link.credential;
                self.refuse_login(now, credential);
            }
            Saw::Flushed(frames) => {
                link.is_flushing = false;
                link.flushed = link.flushed.max(link.frames.len().min(frames as usize));
                self.tell_written(id);
            }
            Saw::Acked(message) => self.answer(id, message, &Outcome::Acked),
            Saw::Denied(message) => {
                let why = Rejected { message: "no".into(), ..Rejected::default() };
                self.answer(id, message, &Outcome::Failed(Box::new(why)));
            }
            Saw::Down { left, blame } => {
                if self.link.as_ref().is_some_and(|link| link.id == id) {
                    self.fail(now, blame, self.proven_endpoints[usize::from(self.is_elsewhere)]);
                }
                self.lose(id, left as usize);
            }
        }
    }

    /// The same credential is refused once. What is said of an older one says nothing of it.
    fn refuse_login(&mut self, now: Timestamp, credential: u64) {
        let is_present = credential == self.credential;
        let again = self.refused_before && is_present;
        self.refused_before |= is_present;
        let is_proven = self.proven_credential == Some(credential);
        self.fail(now, if again { Blame::ForGood } else { Blame::Network }, is_proven);
        self.leave(now);
    }

    /// An answer proves that the message was written, and all that was handed over before it. A "no" says more than
    /// that it was written, so it comes first.
    fn answer(&mut self, id: LinkId, message: u64, outcome: &Outcome) {
        for link in [&mut self.link, &mut self.leaving].into_iter().flatten().filter(|link| link.id == id) {
            let at = link.frames.iter().position(|frame| *frame == message);
            link.flushed = link.flushed.max(at.map_or(0, |at| at + 1));
        }
        let is_no = matches!(outcome, Outcome::Failed(_));
        if !is_no {
            self.tell_written(id);
        }
        self.end_those(|entry| entry.id == message && (entry.on.is_some() || entry.doubtful), outcome);
        if is_no {
            self.tell_written(id);
        }
    }

    fn tell_written(&mut self, id: LinkId) {
        let links = [&self.link, &self.leaving].into_iter().flatten();
        let Some(link) = links.into_iter().find(|link| link.id == id) else { return };
        let written = link.frames[..link.flushed].to_vec();
        let is_written = |message: &Message| message.on == Some(id) && written.contains(&message.id);
        self.end_those(|message| is_written(message) && !message.is_kept(), &Outcome::Written);
    }

    /// A failure of the present link: counted, and then waited for or the end.
    fn fail(&mut self, now: Timestamp, blame: Blame, is_proven: bool) {
        self.note_stable(now);
        self.plan.forget_hints();
        self.did.errors += 1;
        self.sight.failed(now);
        let retry = &self.config.retry;
        let longest = retry.base.saturating_mul(retry.factor.saturating_pow(self.failures)).min(retry.cap);
        let own = (retry.floor, longest.max(retry.floor));
        let directed = |wait: Duration| {
            let most = (wait + (wait / 10).max(Duration::from_secs(1))).min(retry.directed_cap);
            (wait.max(retry.floor), most)
        };
        let between = match blame {
            Blame::Network | Blame::HostRetry => Some((own, false)),
            Blame::HostLater(wait) => Some((directed(wait), true)),
            Blame::ForGood => {
                let at_cap = directed(retry.cap);
                (is_proven && self.forgive(now)).then_some((at_cap, true))
            }
            Blame::HostFatal => None,
        };
        let Some(((least, most), is_asked)) = between else {
            self.end = Some(End { cause: StopCause::Failed, by: None });
            return;
        };
        self.plan.wait((later(now, least), later(now, most)), is_asked);
        self.failures += 1;
    }

    /// What has worked before may fail for some time; failures that are close together count once.
    fn forgive(&mut self, now: Timestamp) -> bool {
        let policy = &self.config.errors;
        if self.forgiven_at.is_none_or(|at| now.since(at) >= policy.proven_gap) {
            if self.forgiven == policy.proven_limit {
                return false;
            }
            (self.forgiven, self.forgiven_at) = (self.forgiven + 1, Some(now));
        }
        true
    }

    fn note_stable(&mut self, now: Timestamp) {
        if let Some(link) = &mut self.link {
            if link.stage == (Stage::Online { stable: false }) && link.until <= now {
                link.stage = Stage::Online { stable: true };
                (self.failures, self.forgiven, self.forgiven_at) = (0, 0, None);
            }
        }
    }

    /// The link is gone; frames after the first `left` have not left.
    fn lose(&mut self, id: LinkId, left: usize) {
        let is_present = self.link.as_ref().is_some_and(|link| link.id == id);
        let place = if is_present { &mut self.link } else { &mut self.leaving };
        let Some(link) = place.take() else { return };
        let left = left.max(link.flushed).min(link.frames.len());
        for message in self.messages.iter_mut().filter(|message| message.on == Some(id)) {
            message.on = None;
            message.doubtful |= link.frames[..left].contains(&message.id);
        }
        self.end_those(|message| message.doubtful && !message.is_kept(), &Outcome::InDoubt);
        let only_here = |message: &Message| matches!(message.promise, Promise::Bypass | Promise::Volatile);
        self.end_those(|message| only_here(message) && message.waits(), &Outcome::Dropped(Dropped::LinkGone));
        if !is_present {
            self.end_what_stays_behind();
        }
    }

    /// Says goodbye; an attempt is only dropped.
    fn leave(&mut self, now: Timestamp) {
        let Some(mut link) = self.link.take() else { return };
        self.end_those(|message| message.passes() && message.waits(), &Outcome::Dropped(Dropped::LinkGone));
        if link.stage == Stage::Dialing {
            self.did.aborted.push(link.id);
            return;
        }
        if matches!(link.stage, Stage::Online { .. }) {
            link.frames.push(0);
            self.did.frames.push(0);
        }
        self.did.closed.push(link.id);
        link.stage = Stage::Leaving;
        link.until = later(now, self.config.close_timeout);
        self.leaving = Some(link);
    }

    fn let_time_pass(&mut self, now: Timestamp) {
        let too_late = |link: &&mut Link| matches!(link.stage, Stage::Dialing | Stage::LoggingIn) && link.until <= now;
        let overdue = self.link.as_mut().filter(too_late).and_then(|link| (!link.spare(now)).then_some(link.id));
        if let Some(id) = overdue {
            self.fail(now, Blame::Network, false);
            self.did.aborted.push(id);
            self.lose(id, usize::MAX);
        }
        self.note_stable(now);
        if let Some(id) = self.leaving.as_ref().filter(|link| link.until <= now).map(|link| link.id) {
            self.did.aborted.push(id);
            self.lose(id, usize::MAX);
        }
        if let Some(end) = &mut self.end {
            end.by = end.by.filter(|at| *at > now);
        }
        let too_late = |message: &Message| message.until.is_some_and(|until| until <= now);
        self.end_those(|message| too_late(message) && message.waits(), &Outcome::Expired);
        self.end_those(too_late, &Outcome::InDoubt);
    }

    /// One thing that is to be done; false if there was none.
    fn act(&mut self, now: Timestamp, seen: &Did) -> bool {
        self.depart(now)
            || self.wind_down(now)
            || self.dial(now, seen)
            || self.log_in()
            || self.acknowledge()
            || self.pass_by()
            || self.hand_over()
            || self.flush()
    }

    /// The link is not wanted any more, though the session may be.
    fn depart(&mut self, now: Timestamp) -> bool {
        let leaves = (std::mem::take(&mut self.moves) || self.suspended) && self.link.is_some();
        if leaves {
            self.leave(now);
        }
        if self.link.is_none() && self.leaving.is_none() {
            self.end_what_stays_behind();
        }
        leaves
    }

    fn wind_down(&mut self, now: Timestamp) -> bool {
        let Some(end) = self.end else { return false };
        let is_stuck = self.suspended && self.link.is_none() && self.leaving.is_none();
        if end.by.is_none() || !self.online || is_stuck {
            let stays = |message: &Message| message.waits() && !message.passes();
            self.end_those(stays, &Outcome::Dropped(Dropped::Stopped));
        } else if !self.messages.is_empty() || self.taken > 0 {
            return false;
        }
        self.end = Some(End { by: None, ..end });
        if self.link.is_some() {
            self.leave(now);
        } else if self.leaving.is_none() {
            self.end_those(|_| true, &Outcome::InDoubt);
            (self.online, self.end, self.stopped) = (false, None, Some(end.cause));
            (self.suspended, self.taken) = (false, 0);
            self.plan.stop();
        } else {
            return false;
        }
        true
    }

    fn dial(&mut self, now: Timestamp, seen: &Did) -> bool {
        let due = match self.dial_between() {
            Some((earliest, latest)) => latest <= now || (earliest <= now && seen.dialled.is_some()),
            None => false,
        };
        if due {
            self.links += 1;
            let id = LinkId(self.links);
            let until = later(now, self.config.connect_timeout);
            (self.dialled_at, self.did.dialled, self.did.elsewhere) = (Some(now), Some(id), self.is_elsewhere);
            self.plan.at_once();
            self.link = Some(Link::new(id, until, self.credential));
        }
        due
    }

    /// A link that still leaves is in the way of the dial, but not of the plan.
    fn dial_between(&self) -> Option<Span> {
        self.planned_between().filter(|_| self.leaving.is_none())
    }

    fn planned_between(&self) -> Option<Span> {
        let at_once = self.end.is_some_and(|end| end.by.is_none());
        let wanted = self.online && !self.suspended && self.stopped.is_none() && !at_once && self.link.is_none();
        wanted.then(|| self.plan.between(self.floor()))
    }

    fn floor(&self) -> Timestamp {
        self.dialled_at.map_or(Timestamp::ZERO, |last| later(last, self.config.retry.floor))
    }

    /// The login goes out once, as the first frame of its link.
    fn log_in(&mut self) -> bool {
        let is_new = |link: &Link| link.stage == Stage::LoggingIn && link.frames.is_empty();
        let Some(link) = self.link.as_mut().filter(|link| is_new(link)) else { return false };
        link.credential = self.credential;
        self.say(0);
        true
    }

    fn acknowledge(&mut self) -> bool {
        let room = 2 * self.config.window.frames as usize;
        let has_room = |link: &Link| link.is_online() && link.on_their_way() < room;
        let due = self.taken > 0 && self.link.as_ref().is_some_and(has_room);
        if due {
            self.taken -= 1;
            self.say(0);
        }
        due
    }

    fn say(&mut self, frame: u64) {
        self.link.iter_mut().for_each(|link| link.frames.push(frame));
        self.did.frames.push(frame);
    }

    /// The oldest message that passes the others by, if there is room for it: twice as much as for the others.
    fn pass_by(&mut self) -> bool {
        let open = |link: &&Link| matches!(link.stage, Stage::LoggingIn | Stage::Online { .. });
        let room = 2 * self.config.window.frames as usize;
        self.link.as_ref().filter(open).is_some_and(|link| link.on_their_way() < room) && self.hand(Message::passes)
    }

    /// The oldest message that waits, if the window has room.
    fn hand_over(&mut self) -> bool {
        let room = self.config.window.frames as usize;
        let has_room = |link: &Link| link.is_online() && link.on_their_way() < room;
        self.link.as_ref().is_some_and(has_room) && self.hand(|message| !message.passes())
    }

    fn hand(&mut self, which: impl Fn(&Message) -> bool) -> bool {
        let mut waiting = self.messages.iter_mut().filter(|message| message.on.is_none() && which(message));
        let Some((message, link)) = waiting.next().zip(self.link.as_ref()) else { return false };
        message.on = Some(link.id);
        let id = message.id;
        self.say(id);
        true
    }

    fn flush(&mut self) -> bool {
        let busy = |link: &&mut Link| link.frames.len() > link.flushed && !link.is_flushing;
        let Some(link) = self.link.as_mut().filter(busy) else { return false };
        link.is_flushing = true;
        self.did.flushed.push(link.id);
        true
    }

    /// The next dial is announced when its time is new.
    fn announce(&mut self, now: Timestamp, seen: &Did) {
        let told = seen.announced.or(self.announced).filter(|at| *at > now);
        if let (Some(_), Some(at)) = (self.planned_between(), told) {
            self.plan.tell(self.floor(), at);
        }
        let at = self.planned_between().map(|(low, _)| low).filter(|at| *at > now);
        if at != self.announced {
            self.did.announced = at;
        }
        self.announced = at;
    }

    fn phase(&self) -> Phase {
        match (self.stopped, self.end, self.link.as_ref().map(|link| link.stage)) {
            (Some(cause), ..) => Phase::Stopped(cause),
            (None, Some(_), _) => Phase::Draining,
            (None, None, Some(Stage::Dialing)) => Phase::Connecting,
            (None, None, Some(Stage::LoggingIn)) => Phase::Authenticating,
            (None, None, Some(Stage::Online { .. } | Stage::Leaving)) => Phase::Online,
            (None, None, None) if self.online && self.suspended => Phase::Suspended,
            (None, None, None) if self.online => Phase::Waiting,
            (None, None, None) => Phase::Idle,
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let link = self.link.as_ref().filter(|link| link.stage != (Stage::Online { stable: true }));
        let links = [link, self.leaving.as_ref()].into_iter().flatten().map(|link| link.until);
        let messages = self.messages.iter().filter_map(|message| message.until);
        let end = self.end.and_then(|end| end.by);
        links
            .chain(messages)
            .chain(end)
            .chain(self.sight.deadlines())
            .chain(self.dial_between().map(|(low, _)| low))
            .min()
    }

    /// Ends all messages of a kind. Good news are only told where they were asked for.
    fn end_those(&mut self, which: impl Fn(&Message) -> bool, outcome: &Outcome) {
        let is_good = matches!(outcome, Outcome::Written | Outcome::Acked);
        let told = self.messages.iter().filter(|message| which(message) && (message.tracked || !is_good));
        self.did.ended.extend(told.map(|message| (message.id, outcome.clone())));
        self.messages.retain(|message| !which(message));
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.after(wait).unwrap_or(Timestamp::MAX)
}
