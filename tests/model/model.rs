//! What an observer may expect of a session, restated plainly.
//!
//! It knows nothing of the session's parts: a list of messages, one link and one that leaves, a few times. It is slow
//! and simple on purpose. Only the length of a delay is not predicted; it is learnt from the announcement, after a
//! look whether it is legal.

use std::time::Duration;

use steadfast::{Config, Dropped, Level, LinkId, Outcome, Phase, Rejected, StopCause, Timestamp};

use super::sight::Sight;

/// What happens to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Wake,
    Connect,
    ConnectNow,
    Stop,
    Drain(Duration),
    Send { at_least_once: bool, tracked: bool, ttl: Option<Duration> },
    Cancel(u64),
    Report(LinkId, Saw),
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
        fatal: bool,
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
    refused_before: bool,
    /// Some link was online: what speaks against the endpoint or the credential is forgiven for a while.
    proven: bool,
    forgiven: u32,
    forgiven_at: Option<Timestamp>,
    failures: u32,
    links: u64,
    dialled_at: Option<Timestamp>,
    wait: Wait,
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
    at_least_once: bool,
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

/// When the next dial may be made.
#[derive(Clone, Copy, Debug)]
enum Wait {
    No,
    Until(Timestamp),
    /// It was chosen, and not told yet.
    Between(Timestamp, Timestamp),
}

impl Link {
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
            refused_before: false,
            proven: false,
            forgiven: 0,
            forgiven_at: None,
            failures: 0,
            links: 0,
            dialled_at: None,
            wait: Wait::No,
            announced: None,
            phase: Phase::Idle,
            did: Did::default(),
        }
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
        self.sight.kept(self.messages.len() as u32 * 100 / queue.max_messages, queue.high, queue.low);
        (self.did.degraded, self.did.level) = self.sight.turn(now, self.online, online, self.stopped);
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
                if self.stopped.take().is_some() || input == Input::ConnectNow {
                    self.wait = Wait::No;
                }
            }
            Input::Stop => self.end_by(None),
            Input::Drain(within) => self.end_by(now.after(within)),
            Input::Send { at_least_once, tracked, ttl } => {
                if self.stopped.is_some() || self.end.is_some() || self.messages.len() == self.most_messages() {
                    self.did.returned = true;
                    return;
                }
                self.accepted += 1;
                self.did.accepted = Some(self.accepted);
                let until = ttl.and_then(|ttl| now.after(ttl));
                let id = self.accepted;
                self.messages.push(Message { id, at_least_once, tracked, until, on: None, doubtful: false });
            }
            Input::Cancel(id) => {
                let waits = |message: &Message| message.id == id && message.on.is_none() && !message.doubtful;
                self.did.returned = self.messages.iter().any(waits);
                self.end_those(waits, &Outcome::Cancelled);
            }
            Input::Report(id, saw) => self.hear(now, id, saw),
        }
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
                (self.refused_before, self.proven) = (false, true);
            }
            Saw::LoginRefused => {
                let again = std::mem::replace(&mut self.refused_before, true);
                self.fail(now, again);
                self.leave(now);
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
            Saw::Down { left, fatal } => {
                if self.link.as_ref().is_some_and(|link| link.id == id) {
                    self.fail(now, fatal);
                }
                self.lose(id, left as usize);
            }
        }
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
        self.end_those(|message| is_written(message) && !message.at_least_once, &Outcome::Written);
    }

    /// A failure of the present link: counted, and then waited for or the end.
    fn fail(&mut self, now: Timestamp, fatal: bool) {
        self.note_stable(now);
        self.did.errors += 1;
        self.sight.failed(now);
        if fatal && !self.forgive(now) {
            self.end = Some(End { cause: StopCause::Failed, by: None });
            return;
        }
        let retry = &self.config.retry;
        let longest = retry.base.saturating_mul(retry.factor.saturating_pow(self.failures)).min(retry.cap);
        let (least, most) = if fatal { (retry.cap, retry.cap + retry.cap / 10) } else { (retry.floor, longest) };
        self.wait = Wait::Between(later(now, least), later(now, most.max(retry.floor)));
        self.failures += 1;
    }

    /// What has worked before may fail for some time; failures that are close together count once.
    fn forgive(&mut self, now: Timestamp) -> bool {
        let policy = &self.config.errors;
        if self.forgiven_at.is_none_or(|at| now.since(at) >= policy.proven_gap) && self.proven {
            if self.forgiven == policy.proven_limit {
                return false;
            }
            (self.forgiven, self.forgiven_at) = (self.forgiven + 1, Some(now));
        }
        self.proven
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
        let place =
            if self.link.as_ref().is_some_and(|link| link.id == id) { &mut self.link } else { &mut self.leaving };
        let Some(link) = place.take() else { return };
        let left = left.max(link.flushed).min(link.frames.len());
        for message in self.messages.iter_mut().filter(|message| message.on == Some(id)) {
            message.on = None;
            message.doubtful |= link.frames[..left].contains(&message.id);
        }
        self.end_those(|message| message.doubtful && !message.at_least_once, &Outcome::InDoubt);
    }

    /// Says goodbye; an attempt is only dropped.
    fn leave(&mut self, now: Timestamp) {
        let Some(mut link) = self.link.take() else { return };
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
            self.fail(now, false);
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
        let stays = |message: &Message| message.on.is_none() && !message.doubtful;
        self.end_those(|message| too_late(message) && stays(message), &Outcome::Expired);
        self.end_those(too_late, &Outcome::InDoubt);
    }

    /// One thing that is to be done; false if there was none.
    fn act(&mut self, now: Timestamp, seen: &Did) -> bool {
        self.wind_down(now) || self.dial(now, seen) || self.say(0, Stage::LoggingIn) || self.hand_over() || self.flush()
    }

    fn wind_down(&mut self, now: Timestamp) -> bool {
        let Some(end) = self.end else { return false };
        if end.by.is_none() || !self.online {
            self.end_those(|message| message.on.is_none() && !message.doubtful, &Outcome::Dropped(Dropped::Stopped));
        } else if !self.messages.is_empty() {
            return false;
        }
        self.end = Some(End { by: None, ..end });
        if self.link.is_some() {
            self.leave(now);
        } else if self.leaving.is_none() {
            self.end_those(|_| true, &Outcome::InDoubt);
            (self.online, self.end, self.wait, self.stopped) = (false, None, Wait::No, Some(end.cause));
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
            (self.dialled_at, self.wait, self.did.dialled) = (Some(now), Wait::No, Some(id));
            let stage = Stage::Dialing;
            self.link =
                Some(Link { id, stage, until, frames: Vec::new(), flushed: 0, is_flushing: false, was_spared: false });
        }
        due
    }

    /// A link that still leaves is in the way of the dial, but not of the plan.
    fn dial_between(&self) -> Option<(Timestamp, Timestamp)> {
        self.planned_between().filter(|_| self.leaving.is_none())
    }

    fn planned_between(&self) -> Option<(Timestamp, Timestamp)> {
        let at_once = self.end.is_some_and(|end| end.by.is_none());
        if !self.online || self.stopped.is_some() || at_once || self.link.is_some() {
            return None;
        }
        let floor = self.dialled_at.map_or(Timestamp::ZERO, |last| later(last, self.config.retry.floor));
        Some(match self.wait {
            Wait::No => (floor, floor),
            Wait::Until(at) => (at.max(floor), at.max(floor)),
            Wait::Between(low, high) => (low.max(floor), high.max(floor)),
        })
    }

    /// The login goes out once, as the first frame of its link.
    fn say(&mut self, frame: u64, stage: Stage) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| link.stage == stage && link.frames.is_empty()) else {
            return false;
        };
        link.frames.push(frame);
        self.did.frames.push(frame);
        true
    }

    /// The oldest message that waits, if the window has room.
    fn hand_over(&mut self) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| matches!(link.stage, Stage::Online { .. })) else {
            return false;
        };
        let has_room = link.frames.len() - link.flushed < self.config.window.frames as usize;
        let Some(message) = self.messages.iter_mut().find(|message| message.on.is_none()).filter(|_| has_room) else {
            return false;
        };
        message.on = Some(link.id);
        link.frames.push(message.id);
        self.did.frames.push(message.id);
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
        if let (Wait::Between(..), Some((low, high)), Some(at)) = (self.wait, self.planned_between(), seen.announced) {
            if low <= at && at <= high {
                self.wait = Wait::Until(at);
            }
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

    fn most_messages(&self) -> usize {
        self.config.queue.max_messages as usize
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
