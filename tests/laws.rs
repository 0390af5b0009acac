//! What holds for every machine that takes a session's inputs, whatever it is told, in whatever order.
//!
//! Sequences of inputs come from quickcheck. Most of them no driver would ever say: reports in the wrong stage, of
//! links that never were, time that stands still, jumps for hours or goes backwards. A failure prints the shortest
//! sequence that was found and what the machine did with it. `STEADFAST_SEED` chooses other sequences,
//! `STEADFAST_LAWS` their number.

use std::fmt::{self, Debug, Write as _};
use std::time::Duration;

use quickcheck::{Arbitrary, Gen, QuickCheck};
use steadfast::{
    Action, Alike, Answer, Bucket, CallReply, Cause, Class, CloseCode, Command, Config, CredentialUse, Down,
    FirstAttempt, Frame, Handshake, Health, HttpAnswer, Input, Jitter, LinkId, Machine, Never, OpId, Overflow, Plain,
    Queued, Recovery, Report, RequestOptions, RequestRetry, Restore, RetryOn, Secret, SendOptions, Session,
    SubscribeOptions, Text, Timestamp, Topics,
};
use steadfast_sim::{Checked, Toy};

/// How many sequences each law sees, of up to so many inputs.
const SEQUENCES: u64 = if cfg!(debug_assertions) { 300 } else { 10_000 };
const LONGEST: usize = 120;

/// One input, and the time before it.
#[derive(Clone, Debug)]
struct Step {
    pass: Pass,
    what: What,
}

/// How time passes.
#[derive(Clone, Copy, Debug)]
enum Pass {
    Not,
    Micros(u16),
    Millis(u16),
    Hours(u8),
    ToDeadline,
    PastDeadline(u16),
    Back(u32),
    ToTheEnd,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
enum What {
    Wake,
    Connect,
    ConnectNow,
    Stop,
    Drain(u16),
    Send {
        how: How,
        ttl: Option<u16>,
        long: bool,
    },
    /// Each bit says how something is asked.
    Request(u8),
    /// A call is answered, with a message or a no.
    Reply(Which, bool),
    TakeQueued,
    Cancel(u8),
    Authenticate(bool),
    /// The host answers the last question, or one before: with a credential of this number, or with none.
    Answer(u8, Option<u8>),
    Taken,
    /// The list of this number, and whether what waits comes back.
    Endpoints(u8, bool),
    NetworkLost,
    NetworkBack,
    Suspend,
    Resume,
    /// Each bit is a setting, and some are more than one.
    Configure(u16),
    /// The transport is open, and has ping frames or not.
    Up(Which, bool),
    /// The peer says the line of this number.
    Hear(Which, u8),
    Flushed(Which, u8),
    Progress(Which),
    Paused(Which),
    Resumed(Which),
    Down(Which, u8, u8),
    Subscribe(u8),
    Unsubscribe(u8),
    Resync(u8),
}

/// How something is sent.
#[derive(Clone, Copy, Debug)]
struct How {
    class: Class,
    key: Option<u8>,
    tracked: bool,
    secret: bool,
    labelled: bool,
    /// How many slots it takes, and whether of the bucket with a name.
    weight: u32,
    few: bool,
}

/// Which link.
#[derive(Clone, Copy, Debug)]
enum Which {
    Last,
    Before,
    Never,
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        Self { pass: Pass::arbitrary(g), what: What::arbitrary(g) }
    }
}

impl Arbitrary for Pass {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) {
            0..=99 => Self::Not,
            100..=119 => Self::Micros(u16::arbitrary(g)),
            120..=179 => Self::Millis(u16::arbitrary(g)),
            180..=229 => Self::ToDeadline,
            230..=239 => Self::PastDeadline(u16::arbitrary(g)),
            240..=245 => Self::Hours(u8::arbitrary(g)),
            246..=253 => Self::Back(u32::arbitrary(g)),
            254..=255 => Self::ToTheEnd,
        }
    }
}

impl Arbitrary for What {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 41 {
            36 => Self::Subscribe(u8::arbitrary(g)),
            37 if u8::arbitrary(g) < 60 => Self::Resync(u8::arbitrary(g)),
            37 => Self::Unsubscribe(u8::arbitrary(g)),
            38 | 39 => Self::Request(u8::arbitrary(g)),
            40 => Self::Reply(Which::arbitrary(g), bool::arbitrary(g)),
            0..=2 => Self::Wake,
            32 => Self::Endpoints(u8::arbitrary(g) % 4, bool::arbitrary(g)),
            33 if bool::arbitrary(g) => Self::NetworkLost,
            33 => Self::NetworkBack,
            34 if u8::arbitrary(g) < 60 => Self::Suspend,
            34 => Self::Resume,
            35 => Self::Configure(u16::arbitrary(g)),
            3 | 4 => Self::Connect,
            5 => Self::ConnectNow,
            6 if bool::arbitrary(g) => Self::Stop,
            6 => Self::Drain(u16::arbitrary(g)),
            7..=12 => {
                let long = u8::arbitrary(g) < 60;
                Self::Send { how: How::arbitrary(g), ttl: Option::arbitrary(g), long }
            }
            13 if u8::arbitrary(g) < 50 => Self::TakeQueued,
            13 => Self::Cancel(u8::arbitrary(g) % 8),
            14 => Self::Authenticate(bool::arbitrary(g)),
            15 if bool::arbitrary(g) => Self::Taken,
            15 => Self::Answer(u8::arbitrary(g) % 8, Option::arbitrary(g)),
            16..=18 => Self::Up(Which::arbitrary(g), u8::arbitrary(g) % 8 > 0),
            19..=24 => Self::Hear(Which::arbitrary(g), u8::arbitrary(g)),
            25..=27 => Self::Flushed(Which::arbitrary(g), u8::arbitrary(g)),
            28 => Self::Progress(Which::arbitrary(g)),
            29 if bool::arbitrary(g) => Self::Paused(Which::arbitrary(g)),
            29 => Self::Resumed(Which::arbitrary(g)),
            _ => Self::Down(Which::arbitrary(g), u8::arbitrary(g), u8::arbitrary(g)),
        }
    }
}

impl Arbitrary for How {
    fn arbitrary(g: &mut Gen) -> Self {
        let class = match u8::arbitrary(g) % 8 {
            0 => Class::Volatile,
            1 | 2 => Class::Latest,
            3 | 4 => Class::AtMostOnce,
            5 | 6 => Class::AtLeastOnce,
            _ => Class::Bypass,
        };
        let (tracked, secret, labelled) = (bool::arbitrary(g), bool::arbitrary(g), bool::arbitrary(g));
        let (weight, few) = ([1, 1, 1, 1, 2, 3, 4, 9][usize::from(u8::arbitrary(g) % 8)], u8::arbitrary(g) % 8 == 0);
        let key = Some(u8::arbitrary(g) % 8).filter(|key| *key < 3);
        Self { class, key, tracked, secret, labelled, weight, few }
    }
}

impl How {
    fn options(self, ttl: Option<u16>) -> SendOptions {
        let mut options = SendOptions::new(self.class).weight(self.weight);
        if self.few {
            options = options.bucket("few");
        }
        (options.tracked, options.secret) = (self.tracked, self.secret);
        if let Some(key) = self.key {
            options = options.key(["a", "b", "c"][usize::from(key)]);
        }
        if self.labelled {
            options = options.label("a note");
        }
        match ttl {
            Some(millis) => options.ttl(Duration::from_millis(millis.into())),
            None => options,
        }
    }
}

impl Arbitrary for Which {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 16 {
            0 => Self::Never,
            1 | 2 => Self::Before,
            _ => Self::Last,
        }
    }
}

/// A machine that the laws are tried on: how it is made, and what is said to it and by its peer.
trait Subject {
    type Message: Clone + Debug;
    type Incoming: Debug;
    type Topic: Clone + Debug;
    type Machine: Machine<
            Input = Input<Self::Message, Self::Topic>,
            Action = Action<Self::Incoming, Self::Topic>,
            Answer = Answer<Self::Message>,
        >;

    fn make() -> Self::Machine;
    fn message(long: bool) -> Self::Message;
    /// The topic of this number, if there are any.
    fn topic(_: u8) -> Option<Self::Topic> {
        None
    }
    fn line(number: u8, last_op: u64) -> Frame;
    fn settings(bits: u16) -> Config {
        settings(config(), bits)
    }

    /// How the machine says it does at any time.
    fn health(machine: &Self::Machine, now: Timestamp) -> Health;

    /// What the machine itself finds fault with.
    fn fault(_: &mut Self::Machine, _: Timestamp) -> Option<String> {
        None
    }
}

/// Small bounds, so that they are met.
fn config() -> Config {
    let mut config = Config::default();
    (config.queue.max_messages, config.queue.max_bytes) = (12, 1_000);
    (config.window.frames, config.window.bytes) = (4, 300);
    config
}

const TWO_SECONDS: Duration = Duration::from_secs(2);
/// How something is asked, each bit one way.
fn request(bits: u8) -> RequestOptions {
    let on = |bit: u8| bits & 1 << bit != 0;
    let mut options = RequestOptions::default();
    options.deadline = [None, Some(50), Some(3_000), Some(u64::MAX)][usize::from(bits % 4)].map(Duration::from_millis);
    (options.idempotent, options.secret) = (on(2), on(6));
    options.retry = on(3).then(|| RequestRetry::default().on(RetryOn::Any));
    options.answered_by = on(4).then(|| "a".into());
    options.failed_by = on(5).then(|| "b".into());
    options.bucket = (bits % 7 == 3).then(|| "few".into());
    options.weight(u32::from(bits % 5))
}

/// Other settings, each bit one or more.
fn settings(mut config: Config, bits: u16) -> Config {
    let on = |bit: u16| bits & 1 << bit != 0;
    config.connect.lazy = on(0);
    config.connect.idle_close = if on(1) { Duration::from_secs(7) } else { Duration::MAX };
    config.retry.max_attempts = on(2).then_some(3);
    config.retry.max_elapsed = on(3).then_some(Duration::from_secs(40));
    config.keep_on_stop = on(4);
    config.retry.floor = Duration::from_millis(if on(5) { 500 } else { 100 });
    config.queue.max_messages = if on(6) { 6 } else { 12 };
    config.pacing.buckets =
        if on(7) { vec![Bucket::new(5, TWO_SECONDS), Bucket::new(2, TWO_SECONDS).named("few")] } else { vec![] };
    config.pacing.gap = Duration::from_millis(if on(7) && on(1) { 30 } else { 0 });
    config.pacing.per_link = on(2);
    config.batching.enabled = on(5);
    (config.batching.count, config.batching.bytes) = (3, 250);
    config.batching.linger = Duration::from_millis(40);
    config.retry.first = if bits & 255 == 255 { FirstAttempt::FailFast } else { FirstAttempt::Retry };
    config.heartbeat.pong_only = on(8);
    if on(9) {
        (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::from_secs(6), Duration::MAX);
    }
    let second = Duration::from_secs(1);
    let jitters = [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::Additive(second), Jitter::None];
    config.retry.jitter = jitters[usize::from(bits >> 10) % jitters.len()];
    (config.errors.strict, config.long_lived, config.connect.follow_goaway) = (on(12), on(13), !on(14));
    config.connect.network_wait = Duration::from_secs(if on(12) { 0 } else { 60 });
    (config.requests.deadline, config.requests.grace) = (second * if on(13) { 2 } else { 10 }, second);
    config.errors.tell_server = on(14);
    config.degraded_after = Duration::from_secs(if on(15) { 5 } else { 30 });
    config
}

struct OfPlain;

impl Subject for OfPlain {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Machine = Session<Plain>;

    fn make() -> Session<Plain> {
        Session::new(Plain, config(), 7).expect("a sound configuration")
    }

    fn message(long: bool) -> Frame {
        if long { Frame::from(vec![0; 400]) } else { Frame::from("short") }
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.health(now)
    }

    fn line(number: u8, _: u64) -> Frame {
        match number % 4 {
            0 => Frame::Ping(vec![number].into()),
            1 => Frame::Pong(vec![0, 0, 0, 0, 0, 0, 0, number].into()),
            2 => Frame::from(vec![number]),
            _ => Frame::from("text"),
        }
    }
}

struct OfToy;

impl Subject for OfToy {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Machine = Session<Toy>;

    fn make() -> Session<Toy> {
        Session::new(Toy::default(), Self::settings(0), 7).expect("a sound configuration")
    }

    fn settings(bits: u16) -> Config {
        let mut config = settings(config(), bits);
        config.queue.overflow = Overflow::DropOldest;
        config
    }

    fn message(long: bool) -> Text {
        if long { "long".repeat(100).into() } else { "short".into() }
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.health(now)
    }

    fn line(number: u8, last_op: u64) -> Frame {
        let op = last_op.saturating_sub(u64::from(number / 32));
        match number % 19 {
            0..=4 => "ok".into(),
            15 => format!("re {op} yes").into(),
            16 => if number < 128 { format!("re {op} yes") } else { "call call who?".into() }.into(),
            17 => ["done", "busy"].map(|word| Frame::from(format!("{word} {op} 50")))[usize::from(number % 2)].clone(),
            18 => if number < 128 { "m a yes" } else { "m b no" }.into(),
            5..=7 => format!("got {op}").into(),
            8 => format!("deny {op} no").into(),
            9 => format!("got {}", u64::MAX - last_op).into(),
            10 => "m! id text".into(),
            11 => "ping token".into(),
            12 => Frame::Pong(vec![0, 0, 0, 0, 0, 0, 0, number].into()),
            13 => ["no", "lost", "hello", "pong", "trouble", "bye", "", "ok"][usize::from(number / 32)].into(),
            14 => format!("away {} soon", u64::from(number) * 1_000).into(),
            _ => {
                if number < 128 {
                    Frame::from("junk")
                } else {
                    Frame::from(vec![number])
                }
            }
        }
    }
}

/// Checked, and with this policy for a full queue.
struct OfChecked<const POLICY: usize = 1>;

const POLICIES: [Overflow; 5] =
    [Overflow::Refuse, Overflow::DropOldest, Overflow::DropNewest, Overflow::DropLowest, Overflow::ReplaceByKey];

impl<const POLICY: usize> Subject for OfChecked<POLICY> {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Machine = Checked<Session<Toy>, Toy>;

    fn make() -> Self::Machine {
        let (mut config, toy) = (config(), Toy { batches: true, ..Toy::default() });
        config.queue.overflow = POLICIES[POLICY];
        let session = Session::new(toy, config.clone(), 7).expect("a sound configuration");
        Checked::new(session, toy, config)
    }

    fn settings(bits: u16) -> Config {
        OfToy::settings(bits)
    }

    fn message(long: bool) -> Text {
        OfToy::message(long)
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.machine().health(now)
    }

    fn line(number: u8, last_op: u64) -> Frame {
        OfToy::line(number, last_op)
    }

    fn fault(machine: &mut Self::Machine, now: Timestamp) -> Option<String> {
        machine.audit(now);
        machine.checker().violations().first().cloned()
    }
}

/// The host is asked before each dial, and the server asks for more and lets logins run out.
struct OfAsked;

impl Subject for OfAsked {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Machine = Checked<Session<Toy>, Toy>;

    fn make() -> Self::Machine {
        let config = Self::settings(0);
        let session = Session::new(Toy::default(), config.clone(), 7).expect("a sound configuration");
        Checked::new(session, Toy::default(), config)
    }

    fn settings(bits: u16) -> Config {
        let mut config = settings(config(), bits);
        let uses = [CredentialUse::Both, CredentialUse::AtLogin, CredentialUse::AtDial, CredentialUse::Never];
        (config.credentials.asked, config.credentials.when) = (true, uses[usize::from(bits >> 8) % uses.len()]);
        (config.credentials.refresh_before, config.errors.tell_server) = (Duration::from_secs(2), true);
        config
    }

    fn message(long: bool) -> Text {
        OfToy::message(long)
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.machine().health(now)
    }

    fn line(number: u8, last_op: u64) -> Frame {
        match number % 16 {
            0..=2 => "challenge nonce".into(),
            3 => format!("ok {}", u64::from(number) * 1_000).into(),
            _ => OfToy::line(number, last_op),
        }
    }

    fn fault(machine: &mut Self::Machine, now: Timestamp) -> Option<String> {
        <OfChecked>::fault(machine, now)
    }
}

/// The same message twice is one, both ways, for a while.
struct OfTwins;

impl Subject for OfTwins {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Machine = Checked<Session<Toy>, Toy>;

    fn make() -> Self::Machine {
        let config = Self::settings(0);
        let session = Session::new(Toy::default(), config.clone(), 7).expect("a sound configuration");
        Checked::new(session, Toy::default(), config)
    }

    fn settings(bits: u16) -> Config {
        let mut config = settings(config(), bits);
        let on = |bit: u16| bits & 1 << bit != 0;
        config.queue.overflow = Overflow::DropLowest;
        config.dedup.outgoing = if on(0) && on(1) { Alike::ByContent } else { Alike::ByKey };
        config.dedup.incoming = !(on(2) && on(3));
        (config.dedup.within, config.dedup.count) = (Duration::from_secs(40), if on(4) { 1 } else { 2 });
        config
    }

    fn message(long: bool) -> Text {
        OfToy::message(long)
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.machine().health(now)
    }

    fn line(number: u8, last_op: u64) -> Frame {
        match number % 8 {
            0 => format!("m! id{} text", ["", "a", "b", "c"][usize::from(number / 64)]).into(),
            _ => OfToy::line(number, last_op),
        }
    }

    fn fault(machine: &mut Self::Machine, now: Timestamp) -> Option<String> {
        <OfChecked>::fault(machine, now)
    }
}

/// With topics, in operations of several.
struct OfTopics;

impl Subject for OfTopics {
    type Message = Text;
    type Incoming = Text;
    type Topic = Text;
    type Machine = Checked<Session<Toy>, Toy>;

    fn make() -> Self::Machine {
        let toy = Toy { topics: Topics::Many, ..Toy::default() };
        let session = Session::new(toy, Self::settings(0), 7).expect("a sound configuration");
        Checked::new(session, toy, Self::settings(0))
    }

    fn settings(bits: u16) -> Config {
        let mut config = settings(config(), bits);
        (config.subscriptions.batch, config.subscriptions.held_max) = (2, 2);
        config.subscriptions.max_topics = 4;
        config.subscriptions.restore = if bits & 1 == 0 { Restore::Before } else { Restore::Alongside };
        config
    }

    fn message(long: bool) -> Text {
        if long { OfToy::message(true) } else { "!all".into() }
    }

    fn topic(number: u8) -> Option<Text> {
        Some(["a", "b", "c", "#local", "e"][usize::from(number % 5)].into())
    }

    fn health(machine: &Self::Machine, now: Timestamp) -> Health {
        machine.machine().health(now)
    }

    fn line(number: u8, last_op: u64) -> Frame {
        let op = last_op.saturating_sub(u64::from(number / 64));
        let topic = ["a", "b", "c", "#local"][usize::from(number / 64)];
        match number % 16 {
            0 | 1 => "ok".into(),
            2 => "kept".into(),
            3..=5 => format!("sub-ok {op}").into(),
            6 => format!("sub-no {op} no").into(),
            7 => format!("sub-no {op} 900 later").into(),
            8 => format!("item {op} text").into(),
            9 => format!("on {topic}").into(),
            10 => format!("off {topic} why").into(),
            11 => format!("gone {topic} why").into(),
            12 | 13 => format!("t# {number} {topic} text").into(),
            _ => OfToy::line(number, last_op),
        }
    }

    /// What is wanted is there, once, and counted.
    fn fault(machine: &mut Self::Machine, now: Timestamp) -> Option<String> {
        let mut seen = std::collections::BTreeSet::new();
        let twice = machine
            .machine()
            .subscriptions()
            .find(|known| !seen.insert(known.topic.clone()))
            .map(|known| known.topic.clone());
        if let Some(topic) = twice {
            return Some(format!("{topic} is there twice"));
        }
        if seen.len() > 4 {
            return Some("more topics than there may be".into());
        }
        <OfChecked>::fault(machine, now)
    }
}

/// A machine on its way through a sequence.
struct Run<S: Subject> {
    machine: S::Machine,
    now: Timestamp,
    /// The latest time there was: a clock that was set back stands still until then.
    latest: Timestamp,
    last_link: u64,
    last_op: u64,
    last_ask: u64,
    trace: String,
}

/// What a turn came to.
#[derive(PartialEq)]
struct Turn {
    text: String,
    actions: usize,
    deadline: Option<Timestamp>,
    is_stale: bool,
}

impl<S: Subject> Run<S> {
    fn new() -> Self {
        Self {
            machine: S::make(),
            now: Timestamp::from_millis(1),
            latest: Timestamp::ZERO,
            last_link: 0,
            last_op: 0,
            last_ask: 0,
            trace: String::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Turn {
        self.now = self.later(step.pass);
        let input = self.input(step.what);
        self.turn(input)
    }

    fn turn(&mut self, input: Input<S::Message, S::Topic>) -> Turn {
        let said = format!("{} {input:?}", self.now);
        self.latest = self.latest.max(self.now);
        let mut actions = Vec::new();
        let answer = self.machine.handle(self.now, input, &mut actions);
        for action in &actions {
            if let Action::Connect(attempt) = action {
                self.last_link = attempt.link.0;
            } else if let Action::AskCredential { ask, .. } = action {
                self.last_ask = *ask;
            }
        }
        if let Answer::Accepted(id) = answer {
            self.last_op = id.0;
        }
        let deadline = self.machine.next_deadline();
        let text = format!("{said}\n    -> {answer:?} {actions:?} until {deadline:?}");
        let _ = writeln!(self.trace, "  {text}");
        Turn { text, actions: actions.len(), deadline, is_stale: matches!(answer, Answer::Stale) }
    }

    fn later(&self, pass: Pass) -> Timestamp {
        let wait = |wait| self.now.after(wait).unwrap_or(Timestamp::MAX);
        match pass {
            Pass::Not => self.now,
            Pass::Micros(n) => wait(Duration::from_micros(n.into())),
            Pass::Millis(n) => wait(Duration::from_millis(n.into())),
            Pass::Hours(n) => wait(Duration::from_secs(3_600 * u64::from(n))),
            Pass::ToDeadline => self.machine.next_deadline().unwrap_or(self.now),
            Pass::PastDeadline(n) => {
                let due = self.machine.next_deadline().unwrap_or(self.now);
                due.after(Duration::from_millis(n.into())).unwrap_or(Timestamp::MAX)
            }
            Pass::Back(micros) => Timestamp::from_micros(self.now.as_micros().saturating_sub(micros.into())),
            Pass::ToTheEnd => Timestamp::MAX,
        }
    }

    fn link(&self, which: Which) -> LinkId {
        LinkId(match which {
            Which::Last => self.last_link,
            Which::Before => self.last_link.saturating_sub(1),
            Which::Never => u64::MAX,
        })
    }

    fn input(&self, what: What) -> Input<S::Message, S::Topic> {
        let (which, report) = match what {
            What::Wake => return Input::Wake,
            What::Connect => return Input::Command(Command::Connect),
            What::ConnectNow => return Input::Command(Command::ConnectNow),
            What::Stop => return Input::Command(Command::Stop),
            What::Drain(millis) => {
                return Input::Command(Command::Drain { within: Duration::from_millis(millis.into()) });
            }
            What::Send { how, ttl, long } => {
                return Input::Command(Command::Send { message: S::message(long), options: how.options(ttl) });
            }
            What::Request(bits) => {
                let (message, options) = (S::message(bits & 128 != 0), Box::new(request(bits)));
                return Input::Command(Command::Request { message, options });
            }
            What::Reply(which, good) => {
                let answer = if good { Ok(S::message(false)) } else { Err(Box::default()) };
                let reply = CallReply { link: self.link(which), call: "call".into(), answer };
                return Input::Command(Command::Reply(Box::new(reply)));
            }
            What::TakeQueued => return Input::Command(Command::TakeQueued),
            What::Cancel(back) => {
                return Input::Command(Command::Cancel(OpId(self.last_op.saturating_sub(back.into()))));
            }
            What::Endpoints(number, back) => {
                let list =
                    ["ws://a", "ws://b", "ws://c"][..usize::from(number)].iter().map(|to| Text::from(*to)).collect();
                let queued = if back { Queued::ComeBack } else { Queued::GoAlong };
                return Input::Command(Command::Endpoints { list, queued });
            }
            What::NetworkLost => return Input::Command(Command::NetworkLost),
            What::NetworkBack => return Input::Command(Command::NetworkBack),
            What::Suspend => return Input::Command(Command::Suspend),
            What::Resume => return Input::Command(Command::Resume),
            What::Configure(bits) => return Input::Command(Command::Configure(Box::new(S::settings(bits)))),
            What::Authenticate(known) => {
                return Input::Command(Command::Authenticate(known.then(|| Secret::from("secret"))));
            }
            What::Answer(back, number) => {
                let secret = |number| Secret::from(format!("secret{}", number % 3));
                let answer = number.map(secret).ok_or(Text::from_static("none"));
                let ask = self.last_ask.saturating_sub(u64::from(back / 6));
                return Input::Command(Command::Credential { ask, answer });
            }
            What::Taken => return Input::Command(Command::Taken { id: vec![b'i', b'd'].into() }),
            What::Subscribe(number) => {
                let Some(topic) = S::topic(number) else { return Input::Wake };
                let mut options = SubscribeOptions::default();
                options.snapshot = (number & 8 > 0).then(|| S::message(false));
                options.stale_after = (number & 16 > 0).then(|| Duration::from_millis(700));
                return Input::Command(Command::Subscribe { topic, options: Box::new(options) });
            }
            What::Unsubscribe(number) => {
                return S::topic(number).map_or(Input::Wake, |topic| Input::Command(Command::Unsubscribe { topic }));
            }
            What::Resync(number) => {
                return S::topic(number).map_or(Input::Wake, |topic| Input::Command(Command::Resync { topic }));
            }
            What::Up(which, pings) => {
                let mut handshake = Handshake::default();
                handshake.pings = pings;
                (which, Report::Up(Box::new(handshake)))
            }
            What::Hear(which, number) => (which, Report::Frame(S::line(number, self.last_op))),
            What::Flushed(which, frames) => (which, Report::Flushed { frames: frames.into() }),
            What::Progress(which) => (which, Report::Progress),
            What::Paused(which) => (which, Report::Paused),
            What::Resumed(which) => (which, Report::Resumed),
            What::Down(which, cause, left) => (which, Report::Down(Box::new(down(cause, left)))),
        };
        Input::Report(self.link(which), report)
    }
}

fn down(cause: u8, left: u8) -> Down {
    let text = Text::from_static("lost");
    let verdict = if cause < 250 { None } else { Some(Recovery::RetryAfter(Duration::MAX)) };
    let codes = [1_000, 1_001, 1_002, 1_003, 1_008, 1_009, 4_401, 4_999];
    let cause = match cause % 16 {
        0..=3 => Cause::Ended,
        4 | 5 => Cause::Broken(text),
        6 => Cause::Unreachable(text),
        7..=12 => Cause::Closed { code: CloseCode(codes[usize::from(cause / 32)]), reason: text },
        13 => Cause::Tls { certificate: cause > 200, message: text },
        14 => {
            let status = 400 + u16::from(cause);
            Cause::Http(Box::new(HttpAnswer {
                status,
                retry_after: Some(Duration::from_secs(7)),
                ..HttpAnswer::default()
            }))
        }
        _ => Cause::Violation { code: CloseCode::PROTOCOL, message: text },
    };
    Down { cause, left: left.into(), verdict }
}

/// Why a law does not hold, and the trace that shows it.
struct Broken(String);

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Subject> Run<S> {
    fn broken(&self, why: &str) -> Broken {
        Broken(format!("{why}, after\n{}", self.trace))
    }

    fn check(&self, holds: bool, why: &str) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(self.broken(why)) }
    }
}

type Law = fn(Vec<Step>) -> Result<(), Broken>;

fn hold(name: &str, laws: &[Law]) {
    let number = |name, or| std::env::var(name).ok().map_or(or, |text| text.parse().expect("a number"));
    let (seed, sequences) = (number("STEADFAST_SEED", 20_260_101), number("STEADFAST_LAWS", SEQUENCES));
    println!("{name}: {sequences} sequences, STEADFAST_SEED={seed}");
    for law in laws {
        QuickCheck::new().tests(sequences).rng(Gen::from_size_and_seed(LONGEST, seed)).quickcheck(*law);
    }
}

/// Two machines that are told the same say the same.
fn determinism<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let (mut one, mut other) = (Run::<S>::new(), Run::<S>::new());
    for step in &steps {
        let (a, b) = (one.step(step), other.step(step));
        one.check(a == b, &format!("the other one said {}", b.text))?;
    }
    Ok(())
}

/// A deadline lies in the future, and waking at each goes on for ever without standing still.
fn deadlines<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let mut run = Run::<S>::new();
    for step in &steps {
        let turn = run.step(step);
        run.check(turn.deadline.is_none_or(|at| at > run.now), "the deadline is not later than now")?;
    }
    for _ in 0..100 {
        let Some(at) = run.machine.next_deadline() else { break };
        run.check(at > run.now, "waking at the deadline did not advance")?;
        run.now = at;
        run.turn(Input::Wake);
    }
    Ok(())
}

/// Reports of links that are not there change nothing, whatever comes later.
fn stale_reports<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let (mut with, mut without) = (Run::<S>::new(), Run::<S>::new());
    for step in &steps {
        let (a, b) = (with.step(step), without.step(step));
        with.check(a == b, &format!("without stale reports: {}", b.text))?;
        for report in [Report::Flushed { frames: 1 }, Report::Down(Box::new(down(0, 0))), Report::Frame(S::line(0, 1))]
        {
            let turn = with.turn(Input::Report(LinkId(u64::MAX), report));
            with.check(turn.actions == 0 && turn.deadline == b.deadline, "a stale report changed something")?;
        }
    }
    Ok(())
}

/// Waking before the deadline changes nothing: what a turn leaves behind is settled.
fn early_wakes<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let (mut with, mut without) = (Run::<S>::new(), Run::<S>::new());
    for step in &steps {
        let (a, b) = (with.step(step), without.step(step));
        with.check(a == b, &format!("without early wakes: {}", b.text))?;
        let turn = with.turn(Input::Wake);
        with.check(turn.actions == 0 && turn.deadline == b.deadline, "an early wake changed something")?;
    }
    Ok(())
}

/// Asking how it does changes nothing, whatever time it is for whoever asks, and two who ask hear the same.
fn looking<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let (mut with, mut without) = (Run::<S>::new(), Run::<S>::new());
    for step in &steps {
        let (a, b) = (with.step(step), without.step(step));
        with.check(a == b, &format!("nobody asked the other one: {}", b.text))?;
        for now in [Timestamp::ZERO, with.now, Timestamp::MAX] {
            let health = S::health(&with.machine, now);
            with.check(health == S::health(&with.machine, now), "asking changed what is said")?;
        }
        with.check(with.machine.next_deadline() == b.deadline, "asking moved the deadline")?;
    }
    let latest = with.latest;
    with.check(S::health(&with.machine, latest) == S::health(&without.machine, latest), "asking left something behind")
}

/// A turn says at most so much: it can end what is kept, hand over a window, and tell what one frame said.
fn bounded_turns<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let (mut run, config) = (Run::<S>::new(), config());
    let most = (config.queue.max_messages + 2 * config.window.frames + 16) as usize;
    for step in &steps {
        let turn = run.step(step);
        run.check(turn.actions <= most, "one turn said too much")?;
    }
    Ok(())
}

/// Whatever happened before, a link on which nothing more comes is gone within its time: silence while dialling, while
/// logging in, while online, or after our goodbye. The driver only wakes the machine at its deadlines. Without ping
/// frames the protocols here cannot ask, and silence means nothing.
fn silence<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let mut run = Run::<S>::new();
    for mut step in steps {
        if let What::Up(_, pings) = &mut step.what {
            *pings = true;
        }
        run.step(&step);
    }
    run.now = run.latest;
    let (link, heartbeat) = (run.link(Which::Last), config().heartbeat);
    let Some(until) = run.now.after(heartbeat.interval + heartbeat.timeout) else { return Ok(()) };
    run.turn(Input::Report(link, Report::Resumed));
    while let Some(at) = run.machine.next_deadline().filter(|at| *at <= until) {
        run.now = at;
        run.turn(Input::Wake);
    }
    run.now = until;
    let turn = run.turn(Input::Report(link, Report::Progress));
    run.check(turn.is_stale, "nothing came for as long as a link may be silent, and it is still there")
}

/// A machine that watches itself finds nothing.
fn no_fault<S: Subject>(steps: Vec<Step>) -> Result<(), Broken> {
    let mut run = Run::<S>::new();
    for step in &steps {
        run.step(step);
        if let Some(fault) = S::fault(&mut run.machine, run.now) {
            return Err(run.broken(&fault));
        }
    }
    Ok(())
}

#[test]
fn the_same_inputs_give_the_same_actions() {
    hold(
        "determinism",
        &[
            determinism::<OfPlain>,
            determinism::<OfToy>,
            determinism::<OfChecked>,
            determinism::<OfAsked>,
            determinism::<OfTopics>,
            determinism::<OfTwins>,
        ],
    );
}

#[test]
fn a_deadline_is_later_than_now_and_waking_advances() {
    hold(
        "deadlines",
        &[
            deadlines::<OfPlain>,
            deadlines::<OfToy>,
            deadlines::<OfChecked>,
            deadlines::<OfAsked>,
            deadlines::<OfTopics>,
        ],
    );
}

#[test]
fn stale_reports_change_nothing() {
    hold(
        "stale reports",
        &[
            stale_reports::<OfPlain>,
            stale_reports::<OfToy>,
            stale_reports::<OfChecked>,
            stale_reports::<OfAsked>,
            stale_reports::<OfTopics>,
        ],
    );
}

#[test]
fn waking_early_changes_nothing() {
    hold(
        "early wakes",
        &[
            early_wakes::<OfPlain>,
            early_wakes::<OfToy>,
            early_wakes::<OfChecked>,
            early_wakes::<OfAsked>,
            early_wakes::<OfTopics>,
            early_wakes::<OfTwins>,
        ],
    );
}

#[test]
fn asking_how_it_does_changes_nothing() {
    hold("looking", &[looking::<OfPlain>, looking::<OfToy>, looking::<OfChecked>, looking::<OfTopics>]);
}

#[test]
fn a_turn_is_bounded() {
    hold(
        "bounded turns",
        &[
            bounded_turns::<OfPlain>,
            bounded_turns::<OfToy>,
            bounded_turns::<OfChecked>,
            bounded_turns::<OfAsked>,
            bounded_turns::<OfTopics>,
        ],
    );
}

#[test]
fn silence_ends_every_link() {
    hold("silence", &[silence::<OfPlain>, silence::<OfToy>, silence::<OfChecked>, silence::<OfAsked>]);
}

#[test]
fn no_promise_is_broken() {
    hold("no fault", &[no_fault::<OfChecked<0>>, no_fault::<OfChecked<1>>, no_fault::<OfChecked<2>>]);
    hold("no fault", &[no_fault::<OfChecked<3>>, no_fault::<OfChecked<4>>]);
    hold("no fault", &[no_fault::<OfAsked>, no_fault::<OfTwins>, no_fault::<OfTopics>]);
}
