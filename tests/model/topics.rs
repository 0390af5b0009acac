//! Topics, walked beside a plain model of their own.
//!
//! The model does not say when a link is made: that is the other model's matter, and is read from the actions. It says
//! what is asked for on it and in which order, what the application is told, and where each topic stands.

#![expect(clippy::wildcard_enum_match_arm, reason = "a model of topics looks at what concerns them")]

mod model;

use std::time::Duration;

use model::{Did, Errand, Known, Model, Reply, Rules, Topic};
use steadfast::{
    Action, Answer, Cause, Command, Config, Down, Event, Frame, Input, Jitter, LinkId, Machine, Phase, Report, Restore,
    SendOptions, Session, SubscribeOptions, Text, Timestamp, TopicNews, Topics,
};
use steadfast_sim::{Checked, Toy};

use super::walk::{self, Walk, one_of};

/// What a path is made of. What makes no sense where it stands is no step there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Subscribe(Topic),
    /// And its state is wanted first.
    SubscribeWhole(Topic),
    Unsubscribe(Topic),
    Resync(Topic),
    Send,
    /// A link is there, and logs in with the answer that its session is new, or as it was.
    Fresh,
    Kept,
    /// The same, up to the login.
    Dial,
    /// The peer answers the oldest operation that waits, or the newest, or one that it has answered before.
    YesFirst,
    YesLast,
    YesAgain,
    NoFirst,
    NoLater,
    NoAgain,
    /// What it says by name.
    On(Topic),
    Off(Topic),
    Gone(Topic),
    Hear(Topic),
    Flushed,
    Down,
    DownUnsent,
    /// Goodbye, and then another link.
    Leave,
    Due,
}

const LATER: Duration = Duration::from_millis(1_500);

fn config(rules: Rules) -> Config {
    let mut config = Config::default();
    config.window.frames = model::WINDOW as u32;
    (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    let topics = &mut config.subscriptions;
    (topics.answer_timeout, topics.batch, topics.held_max) = (model::ANSWER, model::BATCH as u32, model::HELD as u32);
    topics.restore = if rules.before { Restore::Before } else { Restore::Alongside };
    config.retry.jitter = Jitter::None;
    config
}

/// The session and the model, after the same inputs.
#[derive(Clone)]
struct Pair {
    session: Checked<Session<Toy>, Toy>,
    model: Model,
    now: Timestamp,
    /// The present link, and what it waits for.
    link: Option<(LinkId, Stage)>,
    leaving: Option<LinkId>,
    /// Messages of topics have positions.
    position: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialing,
    LoggingIn,
    Online,
}

impl Pair {
    fn new(rules: Rules) -> Self {
        let topics = if rules.many { Topics::Many } else { Topics::One };
        let toy = Toy { topics, confirms: rules.confirms, ..Toy::default() };
        let session = Session::new(toy, config(rules), 1).expect("a sound configuration");
        let session = Checked::new(session, toy, config(rules));
        let (now, position) = (Timestamp::from_millis(1), 0);
        Self { session, model: Model::new(rules), now, link: None, leaving: None, position }
    }

    fn online(&self) -> Option<LinkId> {
        self.link.filter(|(_, stage)| *stage == Stage::Online).map(|(id, _)| id)
    }

    /// Which operation the peer speaks of.
    fn op(&self, step: Step) -> Option<(u64, Errand)> {
        let ops = &self.model.link.as_ref()?.ops;
        let mut open = ops.iter().filter(|op| !op.waiting.is_empty());
        let op = match step {
            Step::YesFirst | Step::NoFirst | Step::NoLater => open.next(),
            Step::YesLast => open.skip(1).last(),
            _ => ops.iter().rfind(|op| op.waiting.is_empty()),
        };
        op.map(|op| (op.id, op.errand))
    }

    /// What a step says to the session.
    fn input(&self, step: Step) -> Option<Input<Text, Text>> {
        let subscribe = |topic: Topic, options| {
            Some(Input::Command(Command::Subscribe { topic: topic.into(), options: Box::new(options) }))
        };
        match step {
            Step::Subscribe(topic) => subscribe(topic, SubscribeOptions::default()),
            Step::SubscribeWhole(topic) => subscribe(topic, SubscribeOptions::default().snapshot("all".into())),
            Step::Unsubscribe(topic) => Some(Input::Command(Command::Unsubscribe { topic: topic.into() })),
            Step::Resync(topic) => Some(Input::Command(Command::Resync { topic: topic.into() })),
            Step::Send if self.model.waiting() > 2 => None,
            Step::Send => {
                Some(Input::Command(Command::Send { message: "text".into(), options: SendOptions::default() }))
            }
            Step::Due => Some(Input::Wake),
            Step::Leave => Some(Input::Command(Command::Suspend)).filter(|_| self.online().is_some()),
            Step::Down | Step::DownUnsent => {
                let left = self.left(step) as u64;
                let down = Down { cause: Cause::Ended, left, verdict: None };
                Some(Input::Report(self.online().or(self.leaving)?, Report::Down(Box::new(down))))
            }
            Step::Flushed => Some(Input::Report(self.online()?, Report::Flushed { frames: self.left(step) as u64 })),
            _ => Some(Input::Report(self.online().or(self.leaving)?, Report::Frame(Frame::from(self.line(step)?)))),
        }
    }

    /// How many frames have left.
    fn left(&self, step: Step) -> usize {
        match &self.model.link {
            _ if step == Step::DownUnsent => 0,
            Some(link) => link.frames.len(),
            None => usize::MAX,
        }
    }

    /// What the peer says.
    fn line(&self, step: Step) -> Option<String> {
        Some(match step {
            Step::On(topic) => format!("on {topic}"),
            Step::Off(topic) => format!("off {topic} why"),
            Step::Gone(topic) => format!("gone {topic} why"),
            Step::Hear(topic) => format!("t# {} {topic} text", self.position + 1),
            _ => {
                let (op, errand) = self.op(step)?;
                match (step, errand) {
                    (Step::YesFirst | Step::YesLast | Step::YesAgain, Errand::Snapshot) => format!("item {op} all"),
                    (Step::YesFirst | Step::YesLast | Step::YesAgain, _) => format!("sub-ok {op}"),
                    (Step::NoLater, _) => format!("sub-no {op} {} why", LATER.as_millis()),
                    _ => format!("sub-no {op} why"),
                }
            }
        })
    }

    fn tell_model(&mut self, step: Step) {
        let (now, left, op) = (self.now, self.left(step), self.op(step));
        let model = &mut self.model;
        match step {
            Step::Subscribe(topic) => model.subscribe(topic, false),
            Step::SubscribeWhole(topic) => model.subscribe(topic, true),
            Step::Unsubscribe(topic) => model.unsubscribe(topic),
            Step::Resync(topic) => model.resync(topic),
            Step::Send => model.send(),
            Step::Flushed => model.flush(now, left),
            Step::Down | Step::DownUnsent => model.lose(left),
            Step::On(topic) => model.confirmed(now, topic),
            Step::Off(topic) => model.off(topic),
            Step::Gone(topic) => model.gone(now, topic),
            Step::Hear(topic) => {
                self.position += 1;
                model.message(topic, self.position);
            }
            Step::Due | Step::Leave | Step::Dial | Step::Fresh | Step::Kept => {}
            Step::YesFirst | Step::YesLast | Step::YesAgain => {
                op.into_iter().for_each(|(op, _)| model.answered(now, op, Reply::Yes));
            }
            Step::NoFirst | Step::NoAgain => op.into_iter().for_each(|(op, _)| model.answered(now, op, Reply::No)),
            Step::NoLater => op.into_iter().for_each(|(op, _)| model.answered(now, op, Reply::Later(LATER))),
        }
    }

    /// One turn of both.
    fn turn(&mut self, input: Input<Text, Text>, tell: impl FnOnce(&mut Self)) -> Result<(), String> {
        let mut actions = Vec::new();
        let answer = self.session.handle(self.now, input, &mut actions);
        let mut did = self.did(&answer, &actions);
        self.model.seen.clone_from(&did.known);
        tell(self);
        self.model.let_time_pass(self.now);
        did.failed = self.follow(&actions);
        self.model.write(self.now);
        let expected = self.model.end();
        if did != expected {
            return Err(format!("at {}\n  expected {expected:?}\n  but did  {did:?}", self.now));
        }
        let (due, deadline) = (self.model.deadline(), self.session.next_deadline());
        if due.is_some_and(|due| deadline.is_none_or(|at| due < at)) {
            return Err(format!("something is due at {due:?}, and the session sleeps until {deadline:?}"));
        }
        self.session.checker().violations().first().map_or(Ok(()), |violation| Err(violation.clone()))
    }

    /// Links are made and given up as the session says. Whether one that was logged in is given up.
    fn follow(&mut self, actions: &[Action<Text, Text>]) -> bool {
        let mut failed = false;
        for action in actions {
            match action {
                Action::Connect(attempt) => self.link = Some((attempt.link, Stage::Dialing)),
                Action::Abort(id) if self.leaving == Some(*id) => {
                    self.leaving = None;
                    self.model.lose(usize::MAX);
                }
                Action::Abort(_) => failed = self.link.take().is_some_and(|(_, stage)| stage == Stage::Online),
                Action::Close { link, .. } => {
                    (self.link, self.leaving) = (None, Some(*link));
                    self.model.part();
                }
                _ => {}
            }
        }
        failed
    }

    fn did(&self, answer: &Answer<Text>, actions: &[Action<Text, Text>]) -> Did {
        let mut did = Did { denied: matches!(answer, Answer::Denied(_)), ..Did::default() };
        for action in actions {
            match action {
                Action::Send { frame, .. } => did.frames.extend(frame.as_str().and_then(frame_of)),
                Action::Emit(event) => did.told.extend(told(event)),
                _ => {}
            }
        }
        let session = self.session.machine();
        did.known = session
            .subscriptions()
            .map(|known| Known {
                topic: known.topic.as_str().into(),
                state: known.state,
                count: known.count,
                last: known.last,
                retry_at: known.retry_at,
            })
            .collect();
        did.restoring = session.phase() == Phase::Restoring;
        did
    }

    /// A link is made, or the one that is dialed; up to its login.
    fn dial(&mut self) -> Result<bool, String> {
        if self.leaving.is_some() || self.online().is_some() {
            return Ok(false);
        }
        if self.link.is_none() {
            self.now = after(self.now, 1_000);
            self.turn(Input::Command(Command::ConnectNow), |_| {})?;
        }
        let Some((id, Stage::Dialing)) = self.link else { return Ok(self.link.is_some()) };
        self.now = after(self.now, 10);
        self.link = Some((id, Stage::LoggingIn));
        self.turn(Input::Report(id, Report::Up(Box::default())), |_| {})?;
        Ok(true)
    }

    fn log_in(&mut self, is_kept: bool) -> Result<bool, String> {
        if !self.dial()? {
            return Ok(false);
        }
        let Some((id, _)) = self.link else { return Ok(false) };
        self.now = after(self.now, 10);
        self.link = Some((id, Stage::Online));
        let line = Frame::from(if is_kept { "kept" } else { "ok" });
        self.turn(Input::Report(id, Report::Frame(line)), |pair| pair.model.log_in(pair.now, is_kept))?;
        Ok(true)
    }
}

impl walk::Pair for Pair {
    type Step = Step;

    fn step(&mut self, step: Step) -> Result<bool, String> {
        match step {
            Step::Dial => return self.dial(),
            Step::Fresh => return self.log_in(false),
            Step::Kept => return self.log_in(true),
            _ => {}
        }
        let Some(input) = self.input(step) else { return Ok(false) };
        self.now = match step {
            Step::Due => self.session.next_deadline().unwrap_or(self.now).max(self.now),
            _ => after(self.now, 10),
        };
        self.turn(input, |pair| {
            pair.tell_model(step);
            match step {
                Step::Down | Step::DownUnsent if pair.leaving.take().is_none() => pair.link = None,
                _ => {}
            }
        })?;
        if step == Step::Leave {
            self.turn(Input::Command(Command::Resume), |_| {})?;
        }
        Ok(true)
    }

    fn audit(&mut self) {
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

fn after(at: Timestamp, millis: u64) -> Timestamp {
    at.after(Duration::from_millis(millis)).expect("far from the end")
}

/// A frame in the words of the model, if it knows of it.
fn frame_of(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    match words.next() {
        Some("sub" | "unsub") => Some(line.into()),
        Some(verb @ ("m" | "req")) => Some(format!("{verb} {}", words.next().unwrap_or_default())),
        _ => None,
    }
}

fn told(event: &Event<Text, Text>) -> Option<String> {
    let when = |at: &Option<Timestamp>| at.map_or("-".into(), |at| at.to_string());
    Some(match event {
        Event::Topic { topic, news } => match news {
            TopicNews::Gap { last } => format!("gap {topic} {}", last.map_or("-".into(), |last| last.to_string())),
            TopicNews::Refused { retry_at, .. } => format!("refused {topic} {}", when(retry_at)),
            TopicNews::Lost { why, retry_at } => {
                let why = why.as_ref().map_or("-", |why| why.message.as_str());
                format!("lost {topic} {why} {}", when(retry_at))
            }
            TopicNews::Ended { .. } => format!("ended {topic}"),
            TopicNews::NoSnapshot { .. } => format!("no snapshot {topic}"),
            other => format!("{other:?} {topic}").to_lowercase(),
        },
        Event::Snapshot { topic, .. } => format!("snapshot {topic}"),
        Event::Restored { topics } => format!("restored {topics}"),
        Event::Message { topic, mark, .. } => {
            let position = mark.marks().and_then(|marks| marks.position);
            format!("message {} {}", topic.as_ref().map_or("-", Text::as_str), position.unwrap_or_default())
        }
        _ => return None,
    })
}

const A: Topic = "a";
const B: Topic = "b";
const OWN: Topic = "#own";

/// Asked, answered, lost and asked again.
const STEPS: [Step; 17] = [
    Step::Subscribe(A),
    Step::Subscribe(B),
    Step::Unsubscribe(A),
    Step::Send,
    Step::Fresh,
    Step::Kept,
    Step::YesFirst,
    Step::YesLast,
    Step::NoFirst,
    Step::NoLater,
    Step::On(A),
    Step::Off(A),
    Step::Gone(A),
    Step::Hear(A),
    Step::Flushed,
    Step::Down,
    Step::Due,
];

/// Those with a state that is asked for, and those of our own.
const WHOLE: [Step; 14] = [
    Step::SubscribeWhole(A),
    Step::Subscribe(A),
    Step::SubscribeWhole(OWN),
    Step::Unsubscribe(A),
    Step::Resync(A),
    Step::Fresh,
    Step::Kept,
    Step::YesFirst,
    Step::NoFirst,
    Step::Gone(A),
    Step::Hear(A),
    Step::Flushed,
    Step::Down,
    Step::Due,
];

/// What else there is, on long paths.
const MORE: [Step; 10] = [
    Step::SubscribeWhole(B),
    Step::Unsubscribe(B),
    Step::Unsubscribe(OWN),
    Step::Dial,
    Step::YesAgain,
    Step::NoAgain,
    Step::Hear(B),
    Step::DownUnsent,
    Step::Leave,
    Step::Hear(OWN),
];

const ASKED: [Step; 3] = [Step::Subscribe(A), Step::Subscribe(B), Step::Fresh];
const HAD: [Step; 5] = [Step::Subscribe(A), Step::Subscribe(B), Step::Fresh, Step::YesFirst, Step::Hear(A)];
const HELD: [Step; 5] = [Step::SubscribeWhole(A), Step::Fresh, Step::YesFirst, Step::Flushed, Step::Hear(A)];

const RULES: [Rules; 4] = [
    Rules { confirms: true, many: true, before: true },
    Rules { confirms: true, many: false, before: false },
    Rules { confirms: false, many: true, before: true },
    Rules { confirms: false, many: false, before: false },
];

const DEPTH: usize = if cfg!(debug_assertions) { 3 } else { 5 };
const LEAST: u64 = if cfg!(debug_assertions) { 10_000 } else { 500_000 };

#[test]
fn every_path_of_topics_is_as_their_model_says() {
    let mut walk = Walk::default();
    for rules in RULES {
        // Where the queue waits for the topics there is more to get wrong.
        let depth = if rules.before { DEPTH } else { DEPTH - 1 };
        for middle in [&[][..], &ASKED, &HAD] {
            walk.all(&STEPS, Pair::new(rules), middle, depth);
        }
        for middle in [&[][..], &HELD] {
            walk.all(&WHOLE, Pair::new(rules), middle, depth);
        }
    }
    walk.end("with topics", LEAST);
}

#[test]
fn long_random_paths_of_topics_are_as_their_model_says() {
    let mut walk = Walk::default();
    // In which order a full link asks for the states of local topics and for others is not promised.
    let simpler = |step| if step == Step::SubscribeWhole(OWN) { Step::Subscribe(OWN) } else { step };
    let steps: Vec<_> = STEPS.into_iter().chain(WHOLE).chain(MORE).map(simpler).collect();
    let paths = if cfg!(debug_assertions) { 200 } else { 5_000 };
    walk.random(paths, |path| Pair::new(RULES[path % RULES.len()]), |rng| one_of(rng, &steps));
    walk.end("with topics on long paths", LEAST);
}
