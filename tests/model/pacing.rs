//! What leaves when, if somebody limits it, walked beside a plain model of its own: a list of all that was handed over.
//!
//! Nothing leaves earlier than the limits allow, and nothing that may leave stays.

#![expect(clippy::wildcard_enum_match_arm, reason = "a model of pacing looks at what concerns it")]

use std::{collections::VecDeque, time::Duration};

use steadfast::{
    Action, Answer, Bucket, Cause, Command, Config, Down, Frame, Input, LinkId, Machine, Report, SendOptions, Session,
    Text, Timestamp,
};
use steadfast_sim::{Checked, Toy};

use super::walk::{self, Walk, one_of};

/// What a path is made of. What makes no sense where it stands is no step there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Send,
    /// It takes two slots, of two limits.
    SendHeavy,
    SendVolatile,
    SendBypass,
    /// A message of the peer's was taken, and is to be acknowledged.
    Taken,
    /// The peer asks for a sign of life, of us or of the transport.
    Ping,
    Echo,
    /// A link is there, up to its login.
    Dial,
    LoginOk,
    FlushedOne,
    FlushedAll,
    Down,
    DownHalf,
    DownUnsent,
    Due,
    /// A look in between.
    Moment,
}

/// How this walk differs from others.
#[derive(Clone, Copy, Debug)]
struct Rules {
    gap: u64,
    /// How many limits there are.
    limits: usize,
    per_link: bool,
}

/// Three for messages, one more for ourselves, and one for signs of life.
const LIMIT: u32 = 5;
const KEPT: u32 = 2;
const KEPT_FOR_LIFE: u32 = 1;
const HOLDS: Duration = Duration::from_millis(1_100);
/// Those that name it.
const FEW: u32 = 2;
const FEW_HOLD: Duration = Duration::from_millis(2_200);

const QUEUE: usize = 5;

fn config(rules: Rules) -> Config {
    let mut config = Config::default();
    (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    let bucket = |limit, holds: Duration| Bucket::new(limit, holds * 10 / 11).slack(holds / 11);
    let all = [bucket(LIMIT, HOLDS).reserve(KEPT), bucket(FEW, FEW_HOLD).named("few")];
    config.pacing.buckets = all[..rules.limits].to_vec();
    (config.pacing.gap, config.pacing.per_link) = (Duration::from_millis(rules.gap), rules.per_link);
    config
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Login,
    Ack,
    /// A sign of life.
    Life,
    Message {
        heavy: bool,
    },
    Volatile,
    Bypass,
}

impl Kind {
    const fn slots(self) -> u32 {
        if self.is_heavy() { 2 } else { 1 }
    }

    const fn is_heavy(self) -> bool {
        matches!(self, Self::Message { heavy: true })
    }

    /// How much of the limit for all it may use.
    const fn most(self) -> u32 {
        match self {
            Self::Life => LIMIT,
            Self::Login | Self::Ack => LIMIT - KEPT_FOR_LIFE,
            Self::Message { .. } | Self::Volatile | Self::Bypass => LIMIT - KEPT,
        }
    }
}

/// Something that was said.
#[derive(Clone, Copy, Debug)]
struct Said {
    kind: Kind,
    /// Which frame of the present link; none of one that is gone.
    frame: Option<usize>,
    /// From then on its slots are on their way to be free.
    left_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Model {
    rules: Rules,
    said: Vec<Said>,
    last: Option<Timestamp>,
    queue: VecDeque<Kind>,
    passing: usize,
    acks: usize,
    /// The peer has asked for a sign of life.
    owes_life: bool,
    stage: Stage,
    /// Frames of the present link, and how many of them are flushed.
    frames: usize,
    flushed: usize,
    /// Until when something waits; for ever if something has to be flushed first.
    waits: Option<Timestamp>,
    did: Did,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offline,
    Dialing,
    /// The login is to be said, or was.
    Up,
    LoggingIn,
    Online,
}

/// What a turn did, or should have done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Did {
    refused: bool,
    frames: Vec<&'static str>,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            said: Vec::new(),
            last: None,
            queue: VecDeque::new(),
            passing: 0,
            acks: 0,
            owes_life: false,
            stage: Stage::Offline,
            frames: 0,
            flushed: 0,
            waits: None,
            did: Did::default(),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Up | Stage::LoggingIn | Stage::Online)
    }

    /// How many slots are taken then, if nothing more is flushed.
    fn taken(&self, at: Timestamp, few: bool) -> u32 {
        let holds = if few { FEW_HOLD } else { HOLDS };
        let is_taken = |said: &&Said| said.left_at.is_none_or(|left| later(left, holds) > at);
        let drawn = self.said.iter().filter(|said| !few || said.kind.is_heavy());
        drawn.filter(is_taken).map(|said| said.kind.slots()).sum()
    }

    /// From when on it may leave; never, if something has to be flushed first.
    fn may_leave_at(&self, now: Timestamp, kind: Kind) -> Timestamp {
        let fits = |at: &Timestamp| {
            (self.rules.limits < 1 || self.taken(*at, false) + kind.slots() <= kind.most())
                && (self.rules.limits < 2 || !kind.is_heavy() || self.taken(*at, true) + kind.slots() <= FEW)
        };
        let lefts = self.said.iter().filter_map(|said| said.left_at);
        let ends = lefts.flat_map(|left| [later(left, HOLDS), later(left, FEW_HOLD)]);
        let first = std::iter::once(now).chain(ends.filter(|at| *at > now)).filter(fits).min();
        let gap = self.last.map_or(now, |last| later(last, Duration::from_millis(self.rules.gap)));
        first.map_or(Timestamp::MAX, |at| at.max(gap))
    }

    /// Whether it may leave now; if not, it waits, and all that comes after it waits behind it.
    fn may_leave(&mut self, now: Timestamp, kind: Kind) -> bool {
        if self.waits.is_none() {
            self.waits = Some(self.may_leave_at(now, kind)).filter(|at| *at > now);
        }
        self.waits.is_none()
    }

    fn say(&mut self, now: Timestamp, kind: Kind) {
        self.frames += 1;
        self.last = Some(now);
        self.said.push(Said { kind, frame: Some(self.frames), left_at: None });
        self.did.frames.push(match kind {
            Kind::Login => "login",
            Kind::Ack => "ack",
            Kind::Life => "pong",
            Kind::Message { .. } | Kind::Volatile | Kind::Bypass => "m",
        });
    }

    fn send(&mut self, kind: Kind) {
        if self.queue.len() == QUEUE {
            self.did.refused = true;
        } else {
            self.queue.push_back(kind);
        }
    }

    fn send_volatile(&mut self, now: Timestamp) {
        let may_leave = self.stage == Stage::Online && self.queue.is_empty() && self.waits.is_none();
        if may_leave && self.may_leave_at(now, Kind::Volatile) <= now {
            self.queue.push_back(Kind::Volatile);
        } else {
            self.did.refused = true;
        }
    }

    fn send_bypass(&mut self) {
        if self.is_open() {
            self.passing += 1;
        } else {
            self.did.refused = true;
        }
    }

    fn up(&mut self) {
        self.stage = Stage::Up;
        (self.frames, self.flushed) = (0, 0);
        if self.rules.per_link {
            self.said.clear();
        }
    }

    fn flush(&mut self, now: Timestamp, frames: usize) {
        self.flushed = self.flushed.max(frames);
        for said in self.said.iter_mut().filter(|said| said.frame.is_some_and(|frame| frame <= frames)) {
            said.left_at.get_or_insert(now);
        }
    }

    /// The link is gone: what has not left took nothing, and may wait again; of the rest nobody will say more.
    fn lose(&mut self, now: Timestamp, left: usize) {
        let left = left.max(self.flushed);
        let (said, unsent) = self.said.drain(..).partition(|said| said.frame.is_none_or(|frame| frame <= left));
        let _: &Vec<Said> = &unsent;
        self.said = said;
        let back = unsent.into_iter().map(|said| said.kind).filter(|kind| matches!(kind, Kind::Message { .. }));
        back.rev().for_each(|kind| self.queue.push_front(kind));
        for said in &mut self.said {
            said.left_at.get_or_insert(now);
            said.frame = None;
        }
        (self.stage, self.passing) = (Stage::Offline, 0);
        self.queue.retain(|kind| *kind != Kind::Volatile);
    }

    /// All that may leave: our own first, what passes the others by, and then the queue in its order.
    fn write(&mut self, now: Timestamp) {
        self.waits = None;
        if self.stage == Stage::Up && self.may_leave(now, Kind::Login) {
            self.say(now, Kind::Login);
            self.stage = Stage::LoggingIn;
        }
        if std::mem::take(&mut self.owes_life) && self.is_open() {
            self.say(now, Kind::Life);
            if self.waits.take().is_some() {
                self.may_leave(now, Kind::Login);
            }
        }
        let is_online = self.stage == Stage::Online;
        while is_online && self.acks > 0 && self.may_leave(now, Kind::Ack) {
            self.acks -= 1;
            self.say(now, Kind::Ack);
        }
        while self.is_open() && self.passing > 0 && self.may_leave(now, Kind::Bypass) {
            self.passing -= 1;
            self.say(now, Kind::Bypass);
        }
        while let Some(kind) = self.queue.front().copied().filter(|_| is_online) {
            if !self.may_leave(now, kind) {
                break;
            }
            self.queue.pop_front();
            self.say(now, kind);
        }
    }
}

/// The session and the model, after the same inputs.
#[derive(Clone)]
struct Pair {
    session: Checked<Session<Toy>, Toy>,
    model: Model,
    now: Timestamp,
    link: Option<LinkId>,
    /// When what waits may leave is known exactly.
    is_exact: bool,
}

impl Pair {
    fn new(rules: Rules) -> Self {
        let (toy, mut config) = (Toy::default(), config(rules));
        config.queue.max_messages = 100;
        let session = Session::new(toy, config.clone(), 1).expect("a sound configuration");
        let session = Checked::new(session, toy, config);
        Self { session, model: Model::new(rules), now: Timestamp::from_millis(1), link: None, is_exact: true }
    }

    fn input(&self, step: Step) -> Option<Input<Text, Text>> {
        let (model, link) = (&self.model, self.link);
        let open = link.filter(|_| model.is_open());
        let send = |options| Some(Input::Command(Command::Send { message: "text".into(), options }));
        let line = |link, line: &'static str| Input::Report(link, Report::Frame(Frame::from(line)));
        match step {
            Step::Send | Step::SendHeavy if model.queue.len() == QUEUE => None,
            Step::Send => send(SendOptions::default()),
            Step::SendHeavy if model.rules.limits < 2 => None,
            Step::SendHeavy => send(SendOptions::default().weight(2).bucket("few")),
            Step::SendVolatile => send(SendOptions::volatile()),
            Step::SendBypass => send(SendOptions::bypass()),
            Step::Taken => Some(Input::Command(Command::Taken { id: "id".into() })).filter(|_| model.acks < 3),
            Step::Ping => open.map(|link| line(link, "ping now")),
            Step::Echo => open.map(|link| Input::Report(link, Report::Frame(Frame::Ping("now".into())))),
            Step::LoginOk => link.filter(|_| model.stage == Stage::LoggingIn).map(|link| line(link, "ok")),
            Step::FlushedOne | Step::FlushedAll => {
                let frames = self.left(step) as u64;
                Some(Input::Report(open.filter(|_| model.frames > model.flushed)?, Report::Flushed { frames }))
            }
            Step::Down | Step::DownHalf | Step::DownUnsent => {
                let down = Down { cause: Cause::Ended, left: self.left(step) as u64, verdict: None };
                Some(Input::Report(open?, Report::Down(Box::new(down))))
            }
            Step::Due | Step::Moment => Some(Input::Wake),
            Step::Dial => None,
        }
    }

    fn left(&self, step: Step) -> usize {
        let (frames, flushed) = (self.model.frames, self.model.flushed);
        match step {
            Step::FlushedOne => flushed + 1,
            Step::DownHalf => flushed + (frames - flushed) / 2,
            Step::DownUnsent => flushed,
            _ => frames,
        }
    }

    fn tell_model(&mut self, step: Step) {
        let (now, left) = (self.now, self.left(step));
        let model = &mut self.model;
        match step {
            Step::Send => model.send(Kind::Message { heavy: false }),
            Step::SendHeavy => model.send(Kind::Message { heavy: true }),
            Step::SendVolatile => model.send_volatile(now),
            Step::SendBypass => model.send_bypass(),
            Step::Taken => model.acks += 1,
            Step::Ping => model.owes_life = true,
            Step::Echo => model.said.push(Said { kind: Kind::Life, frame: None, left_at: Some(now) }),
            Step::LoginOk => model.stage = Stage::Online,
            Step::FlushedOne | Step::FlushedAll => model.flush(now, left),
            Step::Down | Step::DownHalf | Step::DownUnsent => {
                model.lose(now, left);
                self.link = None;
            }
            Step::Dial | Step::Due | Step::Moment => {}
        }
    }

    fn turn(&mut self, input: Input<Text, Text>, tell: impl FnOnce(&mut Self)) -> Result<(), String> {
        let mut actions = Vec::new();
        let answer = self.session.handle(self.now, input, &mut actions);
        tell(self);
        for action in &actions {
            match action {
                Action::Connect(attempt) => (self.link, self.model.stage) = (Some(attempt.link), Stage::Dialing),
                Action::Abort(_) => {
                    self.link = None;
                    self.model.lose(self.now, usize::MAX);
                }
                _ => {}
            }
        }
        self.model.write(self.now);
        let (did, expected) = (did(&answer, &actions), std::mem::take(&mut self.model.did));
        if did != expected {
            return Err(format!("{:?} at {}\n  expected {expected:?}\n  but did  {did:?}", self.model.rules, self.now));
        }
        let (due, deadline) = (self.model.waits.filter(|_| self.is_exact), self.session.next_deadline());
        if due.is_some_and(|due| due < Timestamp::MAX && deadline.is_none_or(|at| due < at)) {
            return Err(format!("something may leave at {due:?}, and the session sleeps until {deadline:?}"));
        }
        self.session.checker().violations().first().map_or(Ok(()), |violation| Err(violation.clone()))
    }

    fn dial(&mut self) -> Result<bool, String> {
        if self.model.is_open() {
            return Ok(false);
        }
        if self.link.is_none() {
            self.now = later(self.now, Duration::from_millis(200));
            self.turn(Input::Command(Command::ConnectNow), |_| {})?;
        }
        let Some(link) = self.link else { return Ok(false) };
        self.now = later(self.now, Duration::from_millis(10));
        self.turn(Input::Report(link, Report::Up(Box::default())), |pair| pair.model.up())?;
        Ok(true)
    }
}

impl walk::Pair for Pair {
    type Step = Step;

    fn step(&mut self, step: Step) -> Result<bool, String> {
        if step == Step::Dial {
            return self.dial();
        }
        let Some(input) = self.input(step) else { return Ok(false) };
        self.now = match step {
            Step::Due => self.session.next_deadline().unwrap_or(self.now).max(self.now),
            Step::Moment => later(self.now, Duration::from_millis(300)),
            _ => later(self.now, Duration::from_millis(10)),
        };
        let has_slot = self.model.taken(self.now, false) < LIMIT;
        if matches!(step, Step::Ping | Step::Echo) && !has_slot && self.model.rules.limits > 0 {
            // It goes anyway. Beyond the limit such are counted together, so that is looked at aside.
            let mut aside = Self { is_exact: false, ..self.clone() };
            aside.turn(input, |pair| pair.tell_model(step))?;
        } else {
            self.turn(input, |pair| pair.tell_model(step))?;
        }
        Ok(true)
    }

    fn audit(&mut self) {
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

fn did(answer: &Answer<Text>, actions: &[Action<Text, Text>]) -> Did {
    let mut did = Did { refused: matches!(answer, Answer::Refused(..)), ..Did::default() };
    for action in actions {
        if let Action::Send { frame, .. } = action {
            let word = frame.as_str().and_then(|line| line.split(' ').next());
            did.frames.extend(["login", "ack", "pong", "m"].into_iter().find(|known| word == Some(known)));
        }
    }
    did
}

fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.after(wait).unwrap_or(Timestamp::MAX)
}

const STEPS: [Step; 16] = [
    Step::Send,
    Step::SendHeavy,
    Step::SendVolatile,
    Step::SendBypass,
    Step::Taken,
    Step::Ping,
    Step::Echo,
    Step::Dial,
    Step::LoginOk,
    Step::FlushedOne,
    Step::FlushedAll,
    Step::Down,
    Step::DownHalf,
    Step::DownUnsent,
    Step::Due,
    Step::Moment,
];

/// What leads on, so that long paths come to a limit often enough.
const ON: [Step; 6] = [Step::Dial, Step::LoginOk, Step::Send, Step::Due, Step::Due, Step::FlushedAll];

const ONLINE: [Step; 3] = [Step::Dial, Step::LoginOk, Step::FlushedAll];
const BUSY: [Step; 6] = [Step::Dial, Step::LoginOk, Step::Send, Step::Send, Step::Send, Step::Taken];

const RULES: [Rules; 4] = [
    Rules { gap: 0, limits: 1, per_link: false },
    Rules { gap: 50, limits: 2, per_link: false },
    Rules { gap: 0, limits: 2, per_link: true },
    Rules { gap: 400, limits: 0, per_link: false },
];

const DEPTH: usize = if cfg!(debug_assertions) { 3 } else { 5 };
const LEAST: u64 = if cfg!(debug_assertions) { 10_000 } else { 500_000 };

#[test]
fn every_path_of_what_is_paced_is_as_its_model_says() {
    let mut walk = Walk::default();
    for rules in RULES {
        for middle in [&[][..], &ONLINE, &BUSY] {
            walk.all(&STEPS, Pair::new(rules), middle, DEPTH);
        }
    }
    walk.end("with limits", LEAST);
}

#[test]
fn long_random_paths_of_what_is_paced_are_as_their_model_says() {
    let (mut walk, steps) = (Walk::default(), [&STEPS[..], &ON[..]].concat());
    let paths = if cfg!(debug_assertions) { 200 } else { 2_000 };
    walk.random(paths, |path| Pair::new(RULES[path % RULES.len()]), |rng| one_of(rng, &steps));
    walk.end("with limits on long paths", 20_000);
}
