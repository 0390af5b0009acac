//! Requests, and messages that are the same as others, walked beside a plain model of their own.
//!
//! The model does not say when a link is made: that is the other model's matter, and is read from the actions. It says
//! what is handed over on it, in which order, and how each request and each message ends: once.

#![expect(clippy::wildcard_enum_match_arm, reason = "a model of requests looks at what concerns them")]

use std::{collections::BTreeSet, time::Duration};

use steadfast::{
    Action, Alike, Answer, Cause, Command, Config, Down, Dropped, Event, Frame, LinkId, Machine, OpId, Outcome,
    Rejected, Report, RequestOptions, RequestRetry, RetryOn, Rng, SendOptions, Session, Text, Timestamp,
};
use steadfast_sim::{Checked, Toy};

use super::walk::{self, Walk, one_of};

/// What a path is made of. What makes no sense where it stands is no step there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Ask,
    AskIdempotent,
    AskRetrying,
    Send,
    SendSame,
    CancelFirst,
    CancelLast,
    /// A dial, or the end of one.
    Link,
    AnswerFirst,
    AnswerLast,
    /// An answer to what this link was not given, or does not know any more.
    AnswerOther,
    Deny,
    Busy,
    Flushed,
    DownHalf,
    DownUnsent,
    Due,
    Second,
    Stop,
    /// The peer answers those by a name, and says no to them by another.
    AskNamed,
    HearDone,
    HearFull,
}

const STEPS: [Step; 19] = [
    Step::Ask,
    Step::AskIdempotent,
    Step::AskRetrying,
    Step::Send,
    Step::SendSame,
    Step::CancelFirst,
    Step::CancelLast,
    Step::Link,
    Step::AnswerFirst,
    Step::AnswerLast,
    Step::AnswerOther,
    Step::Deny,
    Step::Busy,
    Step::Flushed,
    Step::DownHalf,
    Step::DownUnsent,
    Step::Due,
    Step::Second,
    Step::Stop,
];

/// Names, and what they meet.
const NAMED: [Step; 12] = [
    Step::AskNamed,
    Step::HearDone,
    Step::HearFull,
    Step::Ask,
    Step::CancelFirst,
    Step::Link,
    Step::AnswerLast,
    Step::AnswerOther,
    Step::Deny,
    Step::DownHalf,
    Step::Due,
    Step::Second,
];

const WINDOW: usize = 3;
const QUEUE: usize = 4;
/// How long a request waits for its answer, and how long a message is remembered.
const PATIENCE: Duration = Duration::from_secs(4);
const REMEMBERED: Duration = Duration::from_secs(3);
/// How long such a message may wait, and how long a request that ended keeps its place by name.
const FRESH: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(2);
const BUSY: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 3;

fn config() -> Config {
    let mut config = Config::default();
    (config.queue.max_messages, config.window.frames) = (QUEUE as u32, WINDOW as u32);
    (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    (config.requests.deadline, config.requests.grace) = (PATIENCE, GRACE);
    (config.dedup.outgoing, config.dedup.within) = (Alike::ByKey, REMEMBERED);
    config
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message { same: bool },
    Plain,
    Idempotent,
    Retrying { failures: u32 },
    Named,
}

/// What was accepted and has not ended.
#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    kind: Kind,
    until: Timestamp,
    /// The present link was given it.
    given: bool,
    /// It may have left on an earlier link.
    doubtful: bool,
    /// The peer said no: it is asked again then, behind all others.
    rests: Option<Timestamp>,
    /// It said so on the present link, where an answer may still come.
    refused: bool,
}

/// What a turn did, or should have done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Did {
    accepted: Option<u64>,
    refused: bool,
    returned: bool,
    /// A message was told.
    heard: bool,
    frames: Vec<String>,
    /// How something ended; an answer has no outcome.
    ended: Vec<(u64, Option<Outcome>)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    queue: Vec<Entry>,
    last: u64,
    /// Everything handed over on the present link, if it is online, and how much of it is flushed.
    frames: Option<Vec<String>>,
    flushed: usize,
    /// Every request there was.
    asked: BTreeSet<u64>,
    /// Who waits for the one name and the other, and for how long.
    names: [Vec<(u64, Timestamp)>; 2],
    /// Requests whose answer nobody wants any more, of which the peer was not told.
    unwanted: Vec<u64>,
    /// The first of those that are the same, and since when.
    first: Option<(u64, Timestamp)>,
    stopped: bool,
    did: Did,
}

impl Model {
    fn ask(&mut self, now: Timestamp, kind: Kind) {
        let same = kind == Kind::Message { same: true };
        let is_twin = |(_, at): &(u64, Timestamp)| same && now.since(*at) < REMEMBERED;
        if self.first.filter(is_twin).is_some() {
            self.let_time_pass(now);
        }
        let twin = self.first.filter(is_twin);
        if self.stopped || (twin.is_none() && self.queue.len() == QUEUE) {
            self.did.refused = true;
            return;
        }
        self.last += 1;
        self.did.accepted = Some(self.last);
        if let Some((twin, _)) = twin {
            self.did.ended.push((self.last, Some(Outcome::Duplicate(OpId(twin)))));
            return;
        }
        if same {
            self.first = Some((self.last, now));
        }
        let until = match kind {
            Kind::Message { same: false } => None,
            Kind::Message { same: true } => now.after(FRESH),
            Kind::Plain | Kind::Idempotent | Kind::Retrying { .. } | Kind::Named => now.after(PATIENCE),
        };
        let until = until.unwrap_or(Timestamp::MAX);
        if !matches!(kind, Kind::Message { .. }) {
            self.asked.insert(self.last);
        }
        self.queue.push(Entry {
            id: self.last,
            kind,
            until,
            given: false,
            doubtful: false,
            rests: None,
            refused: false,
        });
    }

    fn cancel(&mut self, now: Timestamp, id: u64) {
        let Some(entry) = self.queue.iter().find(|entry| entry.id == id).cloned() else { return };
        let is_message = matches!(entry.kind, Kind::Message { .. });
        if !entry.given && !entry.doubtful {
            self.did.returned = true;
            self.end(|entry| entry.id == id, &Some(Outcome::Cancelled));
        } else if !is_message {
            if entry.given && !self.stopped {
                self.unwanted.push(id);
            }
            let until = now.after(GRACE).expect("far from the end");
            let of = self.names.iter_mut().flatten().filter(|(who, _)| *who == id);
            of.for_each(|(_, at)| *at = until.min(*at));
            self.end(|entry| entry.id == id, &Some(Outcome::InDoubt));
        }
    }

    /// An answer proves that the peer has the request, and all that was handed over before it.
    fn answered(&mut self, now: Timestamp, id: u64, no: Option<(&Rejected, Duration)>) {
        self.did.heard = no.is_none() && !self.asked.contains(&id);
        let frames = self.frames.as_deref().unwrap_or_default();
        let at = frames.iter().rposition(|frame| *frame == format!("req {id}") || *frame == format!("m {id}"));
        self.flushed = self.flushed.max(at.map_or(0, |at| at + 1));
        let (is_stopped, is_written) = (self.stopped, no.is_none());
        if is_written {
            self.written();
        }
        let is = |entry: &&mut Entry| entry.id == id && (entry.given || (entry.refused && is_written));
        let given = self.queue.iter_mut().find(is);
        if given.is_some() {
            self.names.iter_mut().for_each(|row| row.retain(|(who, _)| *who != id));
        }
        match (given, no) {
            (None, _) => {}
            (Some(entry), None) if matches!(entry.kind, Kind::Message { .. }) => {}
            (Some(_), None) => self.end(|entry| entry.id == id, &None),
            (Some(entry), Some((why, wait))) => {
                let again = now.after(wait).expect("far from the end");
                let may = matches!(entry.kind, Kind::Retrying { failures } if failures + 1 < ATTEMPTS);
                if may && again < entry.until && !is_stopped {
                    let Kind::Retrying { failures } = &mut entry.kind else { unreachable!() };
                    *failures += 1;
                    (entry.given, entry.rests, entry.refused) = (false, Some(again), true);
                } else {
                    self.end(|entry| entry.id == id, &Some(Outcome::Failed(Box::new(why.clone()))));
                }
            }
        }
        self.written();
    }

    /// It is the oldest's who waits for that name, even if that one has ended since.
    fn hear_name(&mut self, now: Timestamp, is_no: bool) {
        let row = &mut self.names[usize::from(is_no)];
        row.retain(|(_, until)| *until > now);
        if row.is_empty() {
            self.did.heard = true;
            return;
        }
        let (id, _) = row.remove(0);
        if !self.queue.iter().any(|entry| entry.id == id) {
            return;
        }
        self.names[usize::from(!is_no)].retain(|(who, _)| *who != id);
        let why = Rejected { message: "full".into(), ..Rejected::default() };
        self.end(|entry| entry.id == id, &is_no.then(|| Outcome::Failed(Box::new(why))));
    }

    fn written(&mut self) {
        let frames = self.frames.as_deref().unwrap_or_default();
        let written = frames[..self.flushed].to_vec();
        let is = |entry: &Entry| entry.given && written.contains(&format!("m {}", entry.id));
        self.end(is, &Some(Outcome::Written));
    }

    /// The link is gone; what stands behind the first `left` frames has not left.
    fn lose(&mut self, left: usize) {
        let frames = self.frames.take().unwrap_or_default();
        let left = left.max(self.flushed);
        for entry in self.queue.iter_mut().filter(|entry| entry.given) {
            let at = frames.iter().rposition(|frame| frame.ends_with(&format!(" {}", entry.id)));
            (entry.given, entry.doubtful) = (false, entry.doubtful || at.is_some_and(|at| at < left));
        }
        self.queue.iter_mut().for_each(|entry| entry.refused = false);
        (self.flushed, self.unwanted, self.names) = (0, Vec::new(), Default::default());
        self.end(|entry| entry.doubtful && entry.kind != Kind::Idempotent, &Some(Outcome::InDoubt));
    }

    /// Nothing more is said, but what has been asked may still be answered until the link is gone.
    fn wind_down(&mut self) {
        if !self.stopped {
            return;
        }
        self.end(|entry| !entry.given && !entry.doubtful, &Some(Outcome::Dropped(Dropped::Stopped)));
        if self.frames.is_none() {
            self.end(|_| true, &Some(Outcome::InDoubt));
        }
    }

    fn let_time_pass(&mut self, now: Timestamp) {
        let is_due = |entry: &&Entry| entry.rests.is_some_and(|at| at <= now);
        // Whoever has rested for longest goes first.
        while let Some(first) = self.queue.iter().filter(is_due).min_by_key(|entry| (entry.rests, entry.id)) {
            let id = first.id;
            let at = self.queue.iter().position(|entry| entry.id == id).expect("it is there");
            let entry = self.queue.remove(at);
            self.last += 1;
            self.queue.push(Entry { rests: None, ..entry });
        }
        self.end(|entry| entry.until <= now && (entry.given || entry.doubtful), &Some(Outcome::InDoubt));
        self.end(|entry| entry.until <= now, &Some(Outcome::Expired));
    }

    /// What nobody wants any more is said first, and then what waits, in order, while there is room.
    fn write(&mut self) {
        let Some(frames) = self.frames.as_mut().filter(|_| !self.stopped) else { return };
        let before = frames.len();
        while !self.unwanted.is_empty() && frames.len() - self.flushed < 2 * WINDOW {
            frames.push(format!("cancel {}", self.unwanted.remove(0)));
        }
        for entry in self.queue.iter_mut().filter(|entry| !entry.given && entry.rests.is_none()) {
            if frames.len() - self.flushed >= WINDOW {
                break;
            }
            let verb = if matches!(entry.kind, Kind::Message { .. }) { "m" } else { "req" };
            entry.given = true;
            if entry.kind == Kind::Named {
                let until = entry.until.after(GRACE).expect("far from the end");
                self.names.iter_mut().for_each(|row| row.push((entry.id, until)));
            }
            frames.push(format!("{verb} {}", entry.id));
        }
        self.did.frames.extend_from_slice(&frames[before..]);
    }

    fn end(&mut self, which: impl Fn(&Entry) -> bool, outcome: &Option<Outcome>) {
        let ended = self.queue.iter().filter(|entry| which(entry)).map(|entry| (entry.id, outcome.clone()));
        self.did.ended.extend(ended);
        self.queue.retain(|entry| !which(entry));
        let is_never_there = !matches!(outcome, None | Some(Outcome::Written | Outcome::InDoubt | Outcome::Acked));
        let first = self.first.map(|(first, _)| first);
        if is_never_there && self.did.ended.iter().any(|(id, how)| Some(*id) == first && how == outcome) {
            self.first = None;
        }
    }
}

/// The session and the model, after the same inputs.
#[derive(Clone)]
struct Pair {
    session: Checked<Session<Toy>, Toy>,
    model: Model,
    now: Timestamp,
    /// The present link, and whether it is dialed only.
    link: Option<(LinkId, bool)>,
}

impl Pair {
    fn new() -> Self {
        let toy = Toy { login: false, ..Toy::default() };
        let session = Session::new(toy, config(), 1).expect("a sound configuration");
        let session = Checked::new(session, toy, config());
        Self { session, model: Model::default(), now: Timestamp::from_millis(1), link: None }
    }

    fn online(&self) -> Option<LinkId> {
        self.link.filter(|(_, dials)| !dials).map(|(id, _)| id)
    }

    /// Which request an answer is for.
    fn answered(&self, step: Step) -> Option<u64> {
        let is_asked = |entry: &&Entry| entry.given && !matches!(entry.kind, Kind::Message { .. });
        let mut asked = self.model.queue.iter().filter(is_asked).map(|entry| entry.id);
        match step {
            Step::AnswerLast => asked.next_back(),
            Step::AnswerOther => {
                let is_asked = |id: &u64| self.model.queue.iter().all(|entry| entry.id != *id || !entry.given);
                (1..=self.model.last).rev().find(is_asked)
            }
            _ => asked.next(),
        }
    }

    // A table: an arm for each step.
    fn input(&self, step: Step) -> Option<steadfast::Input<Text, Text>> {
        let text = || Text::from_static("text");
        let ask = |options| Command::Request { message: text(), options: Box::new(options) };
        let send = |mut options: SendOptions| {
            options.tracked = true;
            Command::Send { message: text(), options }
        };
        let line = |line: String| Some(Report::Frame(Frame::from(line)));
        let command = match step {
            Step::Ask => ask(RequestOptions::default()),
            Step::AskIdempotent => ask(RequestOptions::default().idempotent()),
            Step::AskRetrying => {
                let retry = RequestRetry::default().attempts(ATTEMPTS).on(RetryOn::Any);
                ask(RequestOptions::default().retry(retry.backoff(Duration::ZERO, Duration::ZERO)))
            }
            Step::AskNamed => ask(RequestOptions::default().answered_by("done!").failed_by("full")),
            Step::Send => send(SendOptions::at_most_once()),
            Step::SendSame => send(SendOptions::at_most_once().key("same").ttl(FRESH)),
            Step::CancelFirst => Command::Cancel(OpId(self.model.queue.first()?.id)),
            Step::CancelLast => Command::Cancel(OpId(self.model.queue.last()?.id)),
            Step::Stop => Command::Stop,
            Step::Due | Step::Second => return Some(steadfast::Input::Wake),
            Step::Link if self.link.is_none() && !self.model.stopped => Command::ConnectNow,
            Step::Link => {
                let (id, _) = self.link.filter(|(_, dials)| *dials)?;
                return Some(steadfast::Input::Report(id, Report::Up(Box::default())));
            }
            _ => {
                let id = self.online()?;
                let report = match step {
                    Step::AnswerFirst | Step::AnswerLast | Step::AnswerOther => {
                        line(format!("re {} yes", self.answered(step)?))
                    }
                    Step::Deny => line(format!("deny {} no", self.answered(step)?)),
                    Step::Busy => line(format!("busy {} {}", self.answered(step)?, BUSY.as_millis())),
                    Step::HearDone => line("m done!".into()),
                    Step::HearFull => line("m full".into()),
                    Step::Flushed => Some(Report::Flushed { frames: self.left(step) as u64 }),
                    _ => {
                        let left = self.left(step) as u64;
                        Some(Report::Down(Box::new(Down { cause: Cause::Ended, left, verdict: None })))
                    }
                };
                return Some(steadfast::Input::Report(id, report?));
            }
        };
        Some(steadfast::Input::Command(command))
    }

    /// How many frames have left.
    fn left(&self, step: Step) -> usize {
        let (all, flushed) = (self.model.frames.as_ref().map_or(0, Vec::len), self.model.flushed);
        match step {
            Step::DownUnsent => flushed,
            Step::DownHalf => flushed + (all - flushed).div_ceil(2),
            _ => all,
        }
    }

    fn tell_model(&mut self, step: Step) {
        let (now, left, answered) = (self.now, self.left(step), self.answered(step));
        let model = &mut self.model;
        let id = answered.unwrap_or_default();
        let why = |message: &str| Rejected { message: message.to_owned().into(), ..Rejected::default() };
        match step {
            Step::Ask => model.ask(now, Kind::Plain),
            Step::AskIdempotent => model.ask(now, Kind::Idempotent),
            Step::AskNamed => model.ask(now, Kind::Named),
            Step::HearDone => model.hear_name(now, false),
            Step::HearFull => model.hear_name(now, true),
            Step::AskRetrying => model.ask(now, Kind::Retrying { failures: 0 }),
            Step::Send => model.ask(now, Kind::Message { same: false }),
            Step::SendSame => model.ask(now, Kind::Message { same: true }),
            Step::CancelFirst => model.cancel(now, model.queue[0].id),
            Step::CancelLast => model.cancel(now, model.queue[model.queue.len() - 1].id),
            Step::Link if self.link.is_some() => model.frames = Some(Vec::new()),
            Step::AnswerFirst | Step::AnswerLast | Step::AnswerOther => model.answered(now, id, None),
            Step::Deny => model.answered(now, id, Some((&why("no"), Duration::ZERO))),
            Step::Busy => {
                let why = Rejected { retry_after: Some(BUSY), ..why("busy") };
                model.answered(now, id, Some((&why, BUSY)));
            }
            Step::Flushed => {
                model.flushed = left;
                model.written();
            }
            Step::DownHalf | Step::DownUnsent => model.lose(left),
            Step::Stop => model.stopped = true,
            Step::Link | Step::Due | Step::Second => {}
        }
    }

    /// Links are made and given up as the session says.
    fn follow(&mut self, step: Step, actions: &[Action<Text, Text>]) {
        match step {
            Step::Link => self.link = self.link.map(|(id, _)| (id, false)),
            Step::DownHalf | Step::DownUnsent => self.link = None,
            _ => {}
        }
        for action in actions {
            match action {
                Action::Connect(attempt) => self.link = Some((attempt.link, true)),
                Action::Abort(_) => {
                    self.link = None;
                    self.model.lose(usize::MAX);
                }
                _ => {}
            }
        }
    }
}

impl walk::Pair for Pair {
    type Step = Step;

    fn step(&mut self, step: Step) -> Result<bool, String> {
        let after = |at: Timestamp, millis| at.after(Duration::from_millis(millis)).expect("far from the end");
        let now = match step {
            Step::Due => self.session.next_deadline().unwrap_or(self.now).max(self.now),
            Step::Second | Step::Link => after(self.now, 1_000),
            _ => after(self.now, 10),
        };
        let Some(input) = self.input(step) else { return Ok(false) };
        self.now = now;
        let mut actions = Vec::new();
        let answer = self.session.handle(now, input, &mut actions);
        self.tell_model(step);
        self.model.let_time_pass(now);
        self.follow(step, &actions);
        self.model.wind_down();
        self.model.write();
        let (mut did, mut expected) = (did(&answer, &actions), std::mem::take(&mut self.model.did));
        did.ended.sort_by_key(|(id, _)| *id);
        expected.ended.sort_by_key(|(id, _)| *id);
        if did != expected {
            return Err(format!("at {now}\n  expected {expected:?}\n  but did  {did:?}"));
        }
        self.session.checker().violations().first().map_or(Ok(true), |violation| Err(violation.clone()))
    }

    fn audit(&mut self) {
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

fn did(answer: &Answer<Text>, actions: &[Action<Text, Text>]) -> Did {
    let mut did = Did::default();
    match answer {
        Answer::Accepted(id) => did.accepted = Some(id.0),
        Answer::Refused(..) => did.refused = true,
        Answer::Cancelled(message) => did.returned = message.is_some(),
        _ => {}
    }
    for action in actions {
        match action {
            Action::Send { frame, .. } => {
                let mut words = frame.as_str().unwrap_or_default().split(' ');
                let (verb, id) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                if verb != "bye" {
                    did.frames.push(format!("{verb} {id}"));
                }
            }
            Action::Emit(Event::Message { .. }) => did.heard = true,
            Action::Emit(Event::Outcome { id, outcome, .. }) => did.ended.push((id.0, Some(outcome.clone()))),
            Action::Emit(Event::Reply(reply)) => did.ended.push((reply.id.0, reply.result.clone().err())),
            _ => {}
        }
    }
    did
}

/// Where a walk begins: before anything, and with a request of each kind on its way.
const MIDDLES: [&[Step]; 3] =
    [&[], &[Step::Link, Step::Link], &[Step::Ask, Step::AskIdempotent, Step::AskRetrying, Step::Link, Step::Link]];

/// The first link was given four that do no harm twice; the second is full with three of them.
const AGAIN: [Step; 10] = [
    Step::Link,
    Step::Link,
    Step::AskIdempotent,
    Step::AskIdempotent,
    Step::AskIdempotent,
    Step::Flushed,
    Step::AskIdempotent,
    Step::DownHalf,
    Step::Link,
    Step::Link,
];

const DEPTH: usize = if cfg!(debug_assertions) { 4 } else { 5 };
const LEAST: u64 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };

#[test]
fn every_path_of_requests_is_as_their_model_says() {
    let mut walk = Walk::default();
    MIDDLES.iter().for_each(|middle| walk.all(&STEPS, Pair::new(), middle, DEPTH));
    [MIDDLES[1], &AGAIN[..]].iter().for_each(|middle| walk.all(&NAMED, Pair::new(), middle, DEPTH));
    walk.end("with requests", LEAST);
}

#[test]
fn long_random_paths_of_requests_are_as_their_model_says() {
    let (mut walk, steps) = (Walk::default(), [&STEPS[..], &NAMED[..]].concat());
    let draw = |rng: &mut Rng| {
        // A stop is the end, so there are few.
        let step = one_of(rng, &steps);
        if step == Step::Stop && rng.up_to(9) > 0 { Step::Second } else { step }
    };
    walk.random(if cfg!(debug_assertions) { 300 } else { 6_000 }, |_| Pair::new(), draw);
    walk.end("with requests on long paths", LEAST);
}
