//! The session walked beside a plain model of it: every path of a few inputs from several beginnings, every shorter one
//! of the other inputs, and long random paths of all. After each turn both must have done the same, and the shared
//! checker must have found nothing.
//!
//! `STEADFAST_DEPTH` sets the depth, `STEADFAST_SEED` the random paths. A failure prints the path.

mod connecting;
mod model;
mod pacing;
mod plan;
mod requests;
mod sight;
mod topics;
mod walk;

use std::time::Duration;

use model::{Blame, Did, Input, Link, Model, Promise, Saw, Stage};
use steadfast::{
    Action, Answer, Cause, Command, Config, Down, Event, Frame, HttpAnswer, LinkId, Machine, OpId, Overflow, Queued,
    Recovery, Report, SendOptions, Session, Text, Timestamp,
};
use steadfast_sim::{Checked, Toy};
use walk::{Walk, number, one_of};

/// All that a path is made of. What makes no sense where it stands (a dial that succeeds twice) is no step there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Stop,
    ConnectNow,
    Drain,
    SendAtMostOnce,
    SendAtLeastOnce,
    SendPerishable,
    Cancel,
    Up,
    Refused,
    RefusedForGood,
    LoginOk,
    LoginRefused,
    Message,
    Acked,
    Denied,
    AckedUnsent,
    FlushedOne,
    FlushedAll,
    Paused,
    DownHalf,
    DownUnsent,
    Stale,
    WakeAtDeadline,
    WakeHourLate,
    SendVolatile,
    SendLatest,
    SendLatestOther,
    SendBypass,
    TakeQueued,
    DownRetry,
    DownLater,
    DownFatal,
    Suspend,
    Resume,
    NetworkLost,
    NetworkBack,
    EndpointsAlong,
    EndpointsBack,
    Configure,
    Authenticate,
    Taken,
}

const STEPS: [Step; 25] = [
    Step::Start,
    Step::Stop,
    Step::ConnectNow,
    Step::Drain,
    Step::SendAtMostOnce,
    Step::SendAtLeastOnce,
    Step::SendPerishable,
    Step::Cancel,
    Step::Up,
    Step::Refused,
    Step::RefusedForGood,
    Step::LoginOk,
    Step::LoginRefused,
    Step::Message,
    Step::Acked,
    Step::Denied,
    Step::AckedUnsent,
    Step::FlushedOne,
    Step::FlushedAll,
    Step::Paused,
    Step::DownHalf,
    Step::DownUnsent,
    Step::Stale,
    Step::WakeAtDeadline,
    Step::WakeHourLate,
];

/// What else the long paths are made of, and the short ones of the second walk.
const MORE: [Step; 17] = [
    Step::SendVolatile,
    Step::SendLatest,
    Step::SendLatestOther,
    Step::SendBypass,
    Step::TakeQueued,
    Step::DownRetry,
    Step::DownLater,
    Step::DownFatal,
    Step::Suspend,
    Step::Resume,
    Step::NetworkLost,
    Step::NetworkBack,
    Step::EndpointsAlong,
    Step::EndpointsBack,
    Step::Configure,
    Step::Authenticate,
    Step::Taken,
];

/// What the second walk needs beside that.
const BASE: [Step; 8] = [
    Step::Start,
    Step::Drain,
    Step::SendAtLeastOnce,
    Step::Up,
    Step::LoginOk,
    Step::FlushedAll,
    Step::DownHalf,
    Step::WakeAtDeadline,
];

/// What leads on, so that long paths come to a link often enough.
const ON: [Step; 6] =
    [Step::ConnectNow, Step::Resume, Step::Up, Step::LoginOk, Step::WakeAtDeadline, Step::SendAtLeastOnce];

/// Small bounds, so that a few steps meet them; and no heartbeat, which has tests of its own.
fn config(overflow: Overflow) -> Config {
    let mut config = Config::default();
    (config.queue.max_messages, config.window.frames, config.queue.overflow) = (4, 3, overflow);
    (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    config
}

/// The session and the model, after the same inputs.
#[derive(Clone)]
struct Pair {
    session: Checked<Session<Toy>, Toy>,
    model: Model,
    now: Timestamp,
    deadline: Option<Timestamp>,
}

impl Pair {
    fn new(overflow: Overflow) -> Self {
        let config = config(overflow);
        let session = Session::new(Toy::default(), config.clone(), 1).expect("a sound configuration");
        Self {
            session: Checked::new(session, Toy::default(), config.clone()),
            model: Model::new(config),
            now: Timestamp::from_millis(1),
            deadline: None,
        }
    }

    /// The input of a step, if it makes sense here.
    // A table: an arm for each step.
    fn input(&self, step: Step) -> Option<Input> {
        let link = self.model.link.as_ref();
        let at = |stage| link.filter(|link| link.stage == stage).map(|link| link.id);
        let heard = |saw: &dyn Fn(&Link) -> Option<Saw>| {
            let link =
                link.filter(|link| matches!(link.stage, Stage::Online { .. })).or(self.model.leaving.as_ref())?;
            Some(Input::Report(link.id, saw(link)?))
        };
        let send = |promise, tracked, ttl| Some(Input::Send { promise, tracked, ttl });
        let any = link.or(self.model.leaving.as_ref()).map(|link| (link.id, link.frames.len() as u64));
        let down = |blame| any.map(|(id, left)| Input::Report(id, Saw::Down { left: left / 2, blame }));
        let handed = self.model.messages.iter().find(|message| message.on.is_some()).map(|message| message.id);
        let waits = self.model.messages.iter().find(|message| message.on.is_none()).map(|message| message.id);
        match step {
            Step::Start => Some(Input::Connect),
            Step::Stop => Some(Input::Stop),
            Step::ConnectNow => Some(Input::ConnectNow),
            Step::Drain => Some(Input::Drain(Duration::from_secs(3))),
            Step::SendAtMostOnce => send(Promise::AtMostOnce, true, None),
            Step::SendAtLeastOnce => send(Promise::AtLeastOnce, true, None),
            Step::SendPerishable => {
                let promises = [Promise::AtLeastOnce, Promise::AtMostOnce];
                send(promises[(self.model.accepted % 2) as usize], false, Some(Duration::from_secs(1)))
            }
            Step::Cancel => Some(Input::Cancel(self.model.accepted)),
            Step::Up => at(Stage::Dialing).map(|id| Input::Report(id, Saw::Up)),
            Step::Refused => {
                at(Stage::Dialing).map(|id| Input::Report(id, Saw::Down { left: 0, blame: Blame::Network }))
            }
            Step::RefusedForGood => {
                at(Stage::Dialing).map(|id| Input::Report(id, Saw::Down { left: 0, blame: Blame::ForGood }))
            }
            Step::LoginOk => at(Stage::LoggingIn).map(|id| Input::Report(id, Saw::LoginOk)),
            Step::LoginRefused => at(Stage::LoggingIn).map(|id| Input::Report(id, Saw::LoginRefused)),
            Step::Message => heard(&|_| Some(Saw::Nothing)),
            Step::Acked => heard(&|_| handed.map(Saw::Acked)),
            Step::Denied => heard(&|_| handed.map(Saw::Denied)),
            Step::AckedUnsent => heard(&|_| Some(Saw::Acked(waits.unwrap_or(self.model.accepted + 1)))),
            Step::FlushedOne => heard(&|link| {
                let more = link.flushed + 1;
                (more < link.frames.len()).then_some(Saw::Flushed(more as u64))
            }),
            Step::FlushedAll => heard(&|link| Some(Saw::Flushed(link.frames.len() as u64))),
            Step::Paused => heard(&|_| Some(Saw::Nothing)),
            Step::DownHalf => heard(&|link| {
                let left = link.flushed + (link.frames.len() - link.flushed) / 2;
                Some(Saw::Down { left: left as u64, blame: Blame::Network })
            }),
            Step::DownUnsent => heard(&|_| Some(Saw::Down { left: 0, blame: Blame::Network })),
            Step::Stale => Some(Input::Report(LinkId(u64::MAX), Saw::Flushed(1))),
            Step::WakeAtDeadline | Step::WakeHourLate => self.deadline.map(|_| Input::Wake),
            Step::SendVolatile => send(Promise::Volatile, true, None),
            Step::SendLatest => send(Promise::Latest('a'), true, None),
            Step::SendLatestOther => send(Promise::Latest('b'), false, None),
            Step::SendBypass => send(Promise::Bypass, true, None),
            Step::TakeQueued => Some(Input::TakeQueued),
            Step::DownRetry => down(Blame::HostRetry),
            Step::DownLater => down(Blame::HostLater(Duration::from_secs(7))),
            Step::DownFatal => down(Blame::HostFatal),
            Step::Suspend => Some(Input::Suspend),
            Step::Resume => Some(Input::Resume),
            Step::NetworkLost => Some(Input::NetworkLost),
            Step::NetworkBack => Some(Input::NetworkBack),
            Step::EndpointsAlong => Some(Input::Endpoints { come_back: false }),
            Step::EndpointsBack => Some(Input::Endpoints { come_back: true }),
            Step::Configure => Some(Input::Configure { max_messages: 6 - self.model.queue().max_messages }),
            Step::Authenticate => Some(Input::Authenticate(self.model.credential % 2 + 1)),
            Step::Taken => Some(Input::Taken),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "time is the matter of two steps alone")]
    fn time(&self, step: Step) -> Timestamp {
        let due = self.deadline.map_or(self.now, |at| at.max(self.now));
        let after = |at: Timestamp, wait| at.after(wait).expect("far from the end");
        match step {
            Step::WakeAtDeadline => due,
            Step::WakeHourLate => after(due, Duration::from_secs(3_600)),
            _ => after(self.now, Duration::from_millis(10)),
        }
    }
}

impl walk::Pair for Pair {
    type Step = Step;

    fn step(&mut self, step: Step) -> Result<bool, String> {
        let Some(input) = self.input(step) else { return Ok(false) };
        self.now = self.time(step);
        let mut actions = Vec::new();
        let answer = self.session.handle(self.now, real(input, step, &self.model), &mut actions);
        self.deadline = self.session.next_deadline();
        let mut did = did(&answer, &actions);
        did.deadline = self.deadline;
        let mut expected = self.model.turn(self.now, input, &did);
        expected.ended.sort_by_key(|(id, _)| *id);
        did.ended.sort_by_key(|(id, _)| *id);
        if did != expected {
            return Err(format!("at {} {input:?}\n  expected {expected:?}\n  but did  {did:?}", self.now));
        }
        match self.session.checker().violations().first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(true),
        }
    }

    fn audit(&mut self) {
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

/// The input as the session knows it.
fn real(input: Input, step: Step, model: &Model) -> steadfast::Input<Text, Text> {
    steadfast::Input::Command(match input {
        Input::Wake => return steadfast::Input::Wake,
        Input::Report(link, saw) => return steadfast::Input::Report(link, report(saw, step)),
        Input::Connect => Command::Connect,
        Input::ConnectNow => Command::ConnectNow,
        Input::Stop => Command::Stop,
        Input::Drain(within) => Command::Drain { within },
        Input::Cancel(id) => Command::Cancel(OpId(id)),
        Input::TakeQueued => Command::TakeQueued,
        Input::Suspend => Command::Suspend,
        Input::Resume => Command::Resume,
        Input::NetworkLost => Command::NetworkLost,
        Input::NetworkBack => Command::NetworkBack,
        Input::Endpoints { come_back } => {
            let list = if model.is_elsewhere { Vec::new() } else { vec![Text::from_static("wss://elsewhere")] };
            Command::Endpoints { list, queued: if come_back { Queued::ComeBack } else { Queued::GoAlong } }
        }
        Input::Configure { max_messages } => {
            let mut config = config(model.queue().overflow);
            config.queue.max_messages = max_messages;
            Command::Configure(Box::new(config))
        }
        Input::Authenticate(number) => Command::Authenticate(Some(format!("credential {number}").into())),
        Input::Taken => Command::Taken { id: "taken".into() },
        Input::Send { promise, tracked, ttl } => {
            let mut options = match promise {
                Promise::Volatile => SendOptions::volatile(),
                Promise::Latest(key) => SendOptions::latest(key.to_string()),
                Promise::AtMostOnce => SendOptions::at_most_once(),
                Promise::AtLeastOnce => SendOptions::at_least_once(),
                Promise::Bypass => SendOptions::bypass(),
            };
            options.tracked = tracked;
            let options = ttl.map_or(options.clone(), |ttl| options.ttl(ttl));
            Command::Send { message: Text::from_static("text"), options }
        }
    })
}

fn report(saw: Saw, step: Step) -> Report {
    let line = |line: String| Report::Frame(Frame::from(line));
    match saw {
        Saw::Up => Report::Up(Box::default()),
        Saw::LoginOk => line("ok".into()),
        Saw::LoginRefused => line("no bad password".into()),
        Saw::Acked(id) => line(format!("got {id}")),
        Saw::Denied(id) => line(format!("deny {id} no")),
        Saw::Flushed(frames) => Report::Flushed { frames },
        Saw::Nothing if step == Step::Paused => Report::Paused,
        Saw::Nothing => line("m hello".into()),
        Saw::Down { left, blame } => Report::Down(Box::new(down(left, blame))),
    }
}

/// The host does not mind what the cause is.
fn down(left: u64, blame: Blame) -> Down {
    let gone = HttpAnswer { status: 410, ..HttpAnswer::default() };
    let gone = Cause::Http(Box::new(gone));
    let (cause, verdict) = match blame {
        Blame::Network => (Cause::Ended, None),
        Blame::ForGood => (gone, None),
        Blame::HostRetry => (gone, Some(Recovery::Retry)),
        Blame::HostLater(wait) => (Cause::Ended, Some(Recovery::RetryAfter(wait))),
        Blame::HostFatal => (Cause::Ended, Some(Recovery::Fatal)),
    };
    Down { cause, left, verdict }
}

/// What a turn did, in the words of the model.
fn did(answer: &Answer<Text>, actions: &[Action<Text, Text>]) -> Did {
    let mut did = Did::default();
    match answer {
        Answer::Done | Answer::Cancelled(None) => {}
        Answer::Stale => did.stale = true,
        Answer::Accepted(id) => did.accepted = Some(id.0),
        Answer::Refused(..) | Answer::Cancelled(Some(_)) => did.returned = true,
        Answer::CameBack(messages) => did.came_back = messages.iter().map(|message| message.id.0).collect(),
        Answer::BadEndpoints(bad) => panic!("{bad}"),
        Answer::BadConfig(bad) => panic!("{bad}"),
        Answer::Denied(why) => panic!("{why}"),
    }
    for action in actions {
        match action {
            Action::Connect(attempt) => {
                (did.dialled, did.elsewhere) = (Some(attempt.link), attempt.endpoint.is_some());
            }
            Action::Send { frame, .. } => did.frames.push(message_in(frame)),
            Action::FlushQueue(link) => did.flushed.push(*link),
            Action::Close { link, .. } => did.closed.push(*link),
            Action::Abort(link) => did.aborted.push(*link),
            Action::ReconnectAfter { at, .. } => did.announced = Some(*at),
            Action::EmitError(_) => did.errors += 1,
            Action::Emit(Event::Phase(change)) => did.phase = Some(change.to),
            Action::Emit(Event::Outcome { id, outcome, .. }) => did.ended.push((id.0, outcome.clone())),
            Action::Emit(Event::Degraded) => did.degraded = Some(true),
            Action::Emit(Event::Recovered) => did.degraded = Some(false),
            Action::Emit(Event::Level(level)) => did.level = Some(*level),
            Action::AskCredential { .. } | Action::Emit(_) => {}
        }
    }
    did
}

fn message_in(frame: &Frame) -> u64 {
    let mut words = frame.as_str().unwrap_or_default().split(' ');
    if words.next() == Some("m") { words.next().and_then(|id| id.parse().ok()).expect("an id") } else { 0 }
}

/// Where a walk begins in the middle of things: online; with messages on their way; online again after a loss.
const MIDDLES: [&[Step]; 3] = [
    &[Step::Start, Step::Up, Step::LoginOk, Step::FlushedAll],
    &[Step::SendAtMostOnce, Step::SendAtLeastOnce, Step::SendPerishable, Step::Start, Step::Up, Step::LoginOk],
    &[
        Step::SendAtLeastOnce,
        Step::Start,
        Step::Up,
        Step::LoginOk,
        Step::FlushedAll,
        Step::DownUnsent,
        Step::ConnectNow,
    ],
];

/// With a window that is full, with something that may have left before, with a queue that is full.
const FULL: [&[Step]; 2] = [
    &[
        Step::Start,
        Step::Up,
        Step::LoginOk,
        Step::FlushedAll,
        Step::SendLatest,
        Step::SendBypass,
        Step::SendAtLeastOnce,
        Step::SendLatest,
        Step::SendAtMostOnce,
    ],
    &[
        Step::SendAtLeastOnce,
        Step::SendLatest,
        Step::Start,
        Step::Up,
        Step::LoginOk,
        Step::DownHalf,
        Step::SendLatestOther,
        Step::SendPerishable,
        Step::NetworkLost,
    ],
];

/// What becomes of what does not fit.
const OVERFLOWS: [Overflow; 5] =
    [Overflow::Refuse, Overflow::DropOldest, Overflow::DropNewest, Overflow::DropLowest, Overflow::ReplaceByKey];

/// How many steps the paths have, and how many turns each test takes at least. In release it is 5,440,320 turns on
/// 5,068,439 short paths, 1,136,720 on 1,079,948 shorter ones of the other steps, and 2,000,000 on long ones.
const DEPTH: usize = if cfg!(debug_assertions) { 4 } else { 6 };
const OTHER_DEPTH: usize = if cfg!(debug_assertions) { 3 } else { 4 };
const LEAST: u64 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };

#[test]
fn every_path_of_a_few_steps_is_as_the_model_says() {
    let depth = number("STEADFAST_DEPTH", DEPTH as u64) as usize;
    let mut walk = Walk::default();
    walk.all(&STEPS, Pair::new(Overflow::Refuse), &[], depth);
    MIDDLES.iter().for_each(|middle| walk.all(&STEPS, Pair::new(Overflow::Refuse), middle, depth - 1));
    walk.end(&format!("of {depth} steps"), if depth < DEPTH { 0 } else { LEAST });
}

#[test]
fn every_shorter_path_of_the_other_steps_is_as_the_model_says() {
    let depth = number("STEADFAST_DEPTH", DEPTH as u64) as usize;
    let depth = (OTHER_DEPTH + depth).saturating_sub(DEPTH);
    let (steps, mut walk) = ([&BASE[..], &MORE[..]].concat(), Walk::default());
    walk.all(&steps, Pair::new(Overflow::Refuse), &[], depth);
    MIDDLES.iter().chain(&FULL).for_each(|middle| walk.all(&steps, Pair::new(Overflow::Refuse), middle, depth));
    for overflow in OVERFLOWS {
        FULL.iter().for_each(|middle| walk.all(&steps, Pair::new(overflow), middle, depth - 1));
    }
    walk.end(&format!("of {depth} other steps"), if depth < OTHER_DEPTH { 0 } else { LEAST });
}

#[test]
fn long_random_paths_are_as_the_model_says() {
    let steps = [&STEPS[..], &MORE[..], &ON[..], &ON[..]].concat();
    let (paths, mut walk) = (if cfg!(debug_assertions) { 300 } else { 10_000 }, Walk::default());
    walk.random(paths, |path| Pair::new(OVERFLOWS[path % OVERFLOWS.len()]), |rng| one_of(rng, &steps));
    walk.end("on long paths", LEAST);
}
