//! When there is a link, and what it is opened with, walked beside a plain model of its own: asleep or awake, with or
//! without a greeting, with a credential that was given or is asked for, in the login, at the dial or in both.

#![expect(clippy::wildcard_enum_match_arm, reason = "a model of connecting looks at what concerns it")]

use std::time::Duration;

use steadfast::{
    Action, Cause, Command, Config, CredentialUse, Down, Event, Frame, Input, Jitter, LinkId, Machine, Outcome, Phase,
    Report, Secret, SendOptions, Session, StopCause, Text, Timestamp,
};
use steadfast_sim::{Checked, Toy};

use super::walk::{self, Walk, one_of};

/// What a path is made of. What makes no sense where it stands is no step there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    ConnectNow,
    Stop,
    Send,
    /// Another credential.
    Authenticate,
    /// The host answers: with another credential, with the last one, with none.
    AnswerNew,
    AnswerSame,
    AnswerNone,
    Up,
    Hello,
    LoginOk,
    LoginRefused,
    Hear,
    Flushed,
    Down,
    Due,
    Second,
}

/// How this walk differs from others.
#[derive(Clone, Copy, Debug)]
struct Rules {
    lazy: bool,
    /// A link that is idle is closed.
    idle: bool,
    keep_on_stop: bool,
    /// The server speaks first.
    hello: bool,
    when: CredentialUse,
    asked: bool,
}

const IDLE: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(7);
const ATTEMPT: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_secs(2);
const STABLE: Duration = Duration::from_secs(5);
const FLOOR: Duration = Duration::from_millis(100);
const QUEUE: usize = 3;

fn config(rules: Rules) -> Config {
    let mut config = Config::default();
    (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    (config.connect.lazy, config.retry.jitter) = (rules.lazy, Jitter::None);
    config.connect.idle_close = if rules.idle { IDLE } else { Duration::MAX };
    config.keep_on_stop = rules.keep_on_stop;
    let credentials = &mut config.credentials;
    (credentials.when, credentials.asked, credentials.answer_timeout) = (rules.when, rules.asked, ANSWER);
    config
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offline,
    Asking,
    Dialing,
    Greeting,
    LoggingIn,
    Online,
}

/// What a turn did, or should have done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Did {
    asked: bool,
    dialled: bool,
    /// What went to the dialer, and what into the login.
    at_dial: Option<u64>,
    login: Option<String>,
    messages: usize,
    closed: bool,
    aborted: bool,
    /// Messages that ended without having left, and others that did.
    dropped: usize,
    errors: usize,
    phase: Phase,
}

#[derive(Clone, Debug)]
struct Model {
    rules: Rules,
    wanted: bool,
    ends: Option<StopCause>,
    stopped: Option<StopCause>,
    asleep: bool,
    stage: Stage,
    /// When the stage has taken too long.
    until: Timestamp,
    /// Until when a link may say goodbye.
    leaving: Option<Timestamp>,
    waiting: usize,
    /// With the transport.
    away: usize,
    credential: Option<u64>,
    /// What the present link is opened with, what was refused last, and what has worked.
    used: Option<u64>,
    refused: Option<u64>,
    proven: Option<u64>,
    failures: u32,
    retry_at: Timestamp,
    dialled_at: Option<Timestamp>,
    /// When a message last passed.
    quiet_since: Timestamp,
    online_at: Timestamp,
    did: Did,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            wanted: false,
            ends: None,
            stopped: None,
            asleep: rules.lazy,
            stage: Stage::Offline,
            until: Timestamp::MAX,
            leaving: None,
            waiting: 0,
            away: 0,
            credential: None,
            used: None,
            refused: None,
            proven: None,
            failures: 0,
            retry_at: Timestamp::ZERO,
            dialled_at: None,
            quiet_since: Timestamp::ZERO,
            online_at: Timestamp::ZERO,
            did: Did::default(),
        }
    }

    const fn at_login(&self) -> bool {
        matches!(self.rules.when, CredentialUse::AtLogin | CredentialUse::Both)
    }

    const fn at_dial(&self) -> bool {
        matches!(self.rules.when, CredentialUse::AtDial | CredentialUse::Both)
    }

    fn connect(&mut self, now: bool) {
        (self.wanted, self.ends, self.stopped) = (true, None, None);
        if now {
            (self.asleep, self.retry_at) = (false, Timestamp::ZERO);
        }
        self.asleep &= self.rules.lazy;
    }

    fn stop(&mut self) {
        if self.stopped.is_none() {
            self.ends.get_or_insert(StopCause::User);
        }
    }

    fn send(&mut self) {
        self.waiting += 1;
        self.asleep = false;
    }

    fn enter(&mut self, now: Timestamp, stage: Stage, within: Duration) {
        (self.stage, self.until) = (stage, later(now, within));
    }

    fn answer(&mut self, now: Timestamp, credential: Option<u64>) {
        match credential {
            Some(_) => {
                self.credential = credential;
                self.refused = self.refused.filter(|refused| Some(*refused) == credential);
                self.dial(now);
            }
            None => self.fail(now),
        }
    }

    fn dial(&mut self, now: Timestamp) {
        self.enter(now, Stage::Dialing, ATTEMPT);
        (self.dialled_at, self.used) = (Some(now), self.credential);
        (self.did.dialled, self.did.at_dial) = (true, self.used.filter(|_| self.at_dial()));
    }

    fn up(&mut self, now: Timestamp) {
        if self.rules.hello {
            self.enter(now, Stage::Greeting, ATTEMPT);
        } else {
            self.log_in(now);
        }
    }

    fn log_in(&mut self, now: Timestamp) {
        self.enter(now, Stage::LoggingIn, ATTEMPT);
        if !self.rules.asked {
            self.used = self.credential;
        }
        let shown = self.used.filter(|_| self.at_login()).map(|number| format!("secret{number}"));
        self.did.login = Some(shown.unwrap_or_default());
    }

    fn login_ok(&mut self, now: Timestamp) {
        self.enter(now, Stage::Online, Duration::MAX);
        (self.online_at, self.quiet_since) = (now, now);
        self.proven = self.used;
        self.refused = self.refused.filter(|_| self.used != self.credential);
    }

    /// The same credential is refused once.
    fn login_refused(&mut self, now: Timestamp) {
        let is_present = self.used == self.credential;
        let again = is_present && self.refused.is_some() && self.refused == self.used;
        if is_present {
            self.refused = self.used;
        }
        if again {
            self.did.errors += 1;
            self.ends = Some(StopCause::Failed);
        } else {
            self.fail(now);
        }
        self.leave(now);
    }

    fn fail(&mut self, now: Timestamp) {
        self.note_stable(now);
        self.did.errors += 1;
        let wait = Duration::from_secs(1).saturating_mul(1 << self.failures.min(8)).min(Duration::from_secs(30));
        (self.failures, self.retry_at) = (self.failures + 1, later(now, wait));
        if self.stage == Stage::Online {
            self.doze();
        }
        (self.stage, self.until) = (Stage::Offline, Timestamp::MAX);
    }

    /// The link is gone, and what was with it has left.
    fn down(&mut self, now: Timestamp) {
        self.did.dropped += std::mem::take(&mut self.away);
        if self.leaving.take().is_none() {
            self.fail(now);
        }
    }

    /// Whoever dials only when there is something to send sleeps.
    fn doze(&mut self) {
        self.asleep |= self.rules.lazy && self.waiting + self.away == 0;
    }

    fn leave(&mut self, now: Timestamp) {
        match std::mem::replace(&mut self.stage, Stage::Offline) {
            Stage::Offline if self.did.closed => {}
            Stage::Asking | Stage::Dialing => self.did.aborted = true,
            Stage::Offline | Stage::Greeting | Stage::LoggingIn | Stage::Online => {
                (self.did.closed, self.leaving) = (true, Some(later(now, GOODBYE)));
            }
        }
        self.until = Timestamp::MAX;
    }

    fn idle_at(&self) -> Option<Timestamp> {
        let is_idle = self.rules.idle && self.stage == Stage::Online && self.waiting + self.away == 0;
        is_idle.then(|| later(self.quiet_since, IDLE))
    }

    fn dial_at(&self) -> Option<Timestamp> {
        let wants = self.wanted && self.stopped.is_none() && self.ends.is_none() && !self.asleep;
        let floor = self.dialled_at.map_or(Timestamp::ZERO, |at| later(at, FLOOR));
        let is_free = self.stage == Stage::Offline && self.leaving.is_none();
        (wants && is_free).then(|| self.retry_at.max(floor))
    }

    fn note_stable(&mut self, now: Timestamp) {
        if self.stage == Stage::Online && now.since(self.online_at) >= STABLE {
            self.failures = 0;
        }
    }

    fn let_time_pass(&mut self, now: Timestamp) {
        self.note_stable(now);
        if self.until <= now {
            self.did.aborted = true;
            self.fail(now);
        }
        if self.leaving.is_some_and(|until| until <= now) {
            (self.leaving, self.did.aborted) = (None, true);
            self.did.dropped += std::mem::take(&mut self.away);
        }
        if self.idle_at().is_some_and(|at| at <= now) {
            self.asleep = true;
            self.leave(now);
        }
    }

    fn act(&mut self, now: Timestamp) {
        self.let_time_pass(now);
        if let Some(cause) = self.ends {
            if !self.rules.keep_on_stop {
                self.did.dropped += std::mem::take(&mut self.waiting);
            }
            if self.stage != Stage::Offline {
                self.leave(now);
            }
            if self.leaving.is_none() {
                (self.wanted, self.ends, self.stopped) = (false, None, Some(cause));
                self.retry_at = Timestamp::ZERO;
                self.doze();
            }
        }
        if self.dial_at().is_some_and(|at| at <= now) {
            self.retry_at = Timestamp::ZERO;
            if self.rules.asked {
                (self.did.asked, self.dialled_at) = (true, Some(now));
                self.enter(now, Stage::Asking, ANSWER);
            } else {
                self.dial(now);
            }
        }
        if self.stage == Stage::Online {
            self.did.messages = self.waiting;
            self.away += std::mem::take(&mut self.waiting);
        }
    }

    fn phase(&self) -> Phase {
        match (self.stopped, self.ends, self.stage) {
            (Some(cause), ..) => Phase::Stopped(cause),
            (None, Some(_), _) => Phase::Draining,
            (None, None, Stage::Asking | Stage::Dialing) => Phase::Connecting,
            (None, None, Stage::Greeting | Stage::LoggingIn) => Phase::Authenticating,
            (None, None, Stage::Online) => Phase::Online,
            (None, None, Stage::Offline) if self.wanted && !self.asleep => Phase::Waiting,
            (None, None, Stage::Offline) => Phase::Idle,
        }
    }

    fn deadline(&self) -> Timestamp {
        let all = [Some(self.until), self.leaving, self.idle_at(), self.dial_at()];
        all.into_iter().flatten().min().unwrap_or(Timestamp::MAX)
    }
}

/// The session and the model, after the same inputs.
#[derive(Clone)]
struct Pair {
    session: Checked<Session<Toy>, Toy>,
    model: Model,
    now: Timestamp,
    link: Option<LinkId>,
    leaving: Option<LinkId>,
    frames: u64,
    ask: u64,
    credentials: u64,
}

impl Pair {
    fn new(rules: Rules) -> Self {
        let toy = Toy { hello: rules.hello, ..Toy::default() };
        let session = Session::new(toy, config(rules), 1).expect("a sound configuration");
        let session = Checked::new(session, toy, config(rules));
        let (now, link, leaving) = (Timestamp::from_millis(1), None, None);
        Self { session, model: Model::new(rules), now, link, leaving, frames: 0, ask: 0, credentials: 0 }
    }

    fn input(&self, step: Step) -> Option<Input<Text, Text>> {
        let (model, link) = (&self.model, self.link);
        let at = |stage| link.filter(|_| model.stage == stage);
        let line = |link, line: &'static str| Input::Report(link, Report::Frame(Frame::from(line)));
        let secret = |number: u64| Secret::from(format!("secret{number}"));
        let answer = |answer| Some(Input::Command(Command::Credential { ask: self.ask, answer }));
        let command = match step {
            Step::Connect => Command::Connect,
            Step::ConnectNow => Command::ConnectNow,
            Step::Stop => Command::Stop,
            Step::Send => {
                let may = model.waiting + model.away < QUEUE && model.stopped.is_none() && model.ends.is_none();
                let options = SendOptions::default();
                return may.then(|| Input::Command(Command::Send { message: "text".into(), options }));
            }
            Step::Authenticate if model.rules.asked => return None,
            Step::Authenticate => Command::Authenticate(Some(secret(self.credentials + 1))),
            Step::AnswerNew | Step::AnswerSame | Step::AnswerNone if model.stage != Stage::Asking => return None,
            Step::AnswerNew => return answer(Ok(secret(self.credentials + 1))),
            Step::AnswerSame if self.credentials == 0 => return None,
            Step::AnswerSame => return answer(Ok(secret(self.credentials))),
            Step::AnswerNone => return answer(Err("none".into())),
            Step::Up => return Some(Input::Report(at(Stage::Dialing)?, Report::Up(Box::default()))),
            Step::Hello => return at(Stage::Greeting).map(|link| line(link, "hello")),
            Step::LoginOk => return at(Stage::LoggingIn).map(|link| line(link, "ok")),
            // What has worked is forgiven for a while, which is the other model's matter.
            Step::LoginRefused => {
                let may = model.at_login() && model.used.is_some() && model.used != model.proven;
                return at(Stage::LoggingIn).filter(|_| may).map(|link| line(link, "no bad password"));
            }
            Step::Hear => return at(Stage::Online).map(|link| line(link, "m hello")),
            Step::Flushed => {
                let link = link.filter(|_| !matches!(model.stage, Stage::Offline | Stage::Asking | Stage::Dialing))?;
                return Some(Input::Report(link, Report::Flushed { frames: self.frames }));
            }
            Step::Down => {
                let link = self.leaving.or(link.filter(|_| !matches!(model.stage, Stage::Offline | Stage::Asking)))?;
                let down = Down { cause: Cause::Ended, left: self.frames, verdict: None };
                return Some(Input::Report(link, Report::Down(Box::new(down))));
            }
            Step::Due | Step::Second => return Some(Input::Wake),
        };
        Some(Input::Command(command))
    }

    fn tell_model(&mut self, step: Step) {
        let now = self.now;
        self.credentials += u64::from(matches!(step, Step::Authenticate | Step::AnswerNew));
        let (model, last) = (&mut self.model, self.credentials);
        match step {
            Step::Connect => model.connect(false),
            Step::ConnectNow => model.connect(true),
            Step::Stop => model.stop(),
            Step::Send => model.send(),
            Step::Authenticate => {
                model.credential = Some(last);
                model.refused = None;
            }
            Step::AnswerNew | Step::AnswerSame => model.answer(now, Some(last)),
            Step::AnswerNone => model.answer(now, None),
            Step::Up => model.up(now),
            Step::Hello => model.log_in(now),
            Step::LoginOk => model.login_ok(now),
            Step::LoginRefused => model.login_refused(now),
            Step::Hear => model.quiet_since = now,
            Step::Flushed => {
                if std::mem::take(&mut model.away) > 0 {
                    model.quiet_since = now;
                }
            }
            Step::Down => model.down(now),
            Step::Due | Step::Second => {}
        }
    }

    fn follow(&mut self, step: Step, actions: &[Action<Text, Text>]) -> Did {
        let mut did = Did { phase: self.session.machine().phase(), ..Did::default() };
        if step == Step::Down && self.leaving.take().is_none() {
            self.link = None;
        }
        for action in actions {
            match action {
                Action::AskCredential { ask, link, .. } => {
                    (self.ask, self.link, did.asked) = (*ask, Some(*link), true);
                }
                Action::Connect(attempt) => {
                    (self.link, self.frames, did.dialled) = (Some(attempt.link), 0, true);
                    did.at_dial = attempt.credential.as_ref().map(number);
                }
                Action::Send { frame, .. } => {
                    self.frames += 1;
                    let line = frame.as_str().unwrap_or_default();
                    did.messages += usize::from(line.starts_with("m "));
                    did.login = did.login.or(line.strip_prefix("login ").map(str::to_owned));
                }
                Action::Close { link, .. } => (self.link, self.leaving, did.closed) = (None, Some(*link), true),
                Action::Abort(link) => {
                    did.aborted = true;
                    let place = if self.leaving == Some(*link) { &mut self.leaving } else { &mut self.link };
                    *place = None;
                }
                Action::EmitError(_) => did.errors += 1,
                Action::Emit(Event::Outcome { outcome: Outcome::Dropped(_) | Outcome::InDoubt, .. }) => {
                    did.dropped += 1;
                }
                _ => {}
            }
        }
        did
    }
}

impl walk::Pair for Pair {
    type Step = Step;

    fn step(&mut self, step: Step) -> Result<bool, String> {
        let Some(input) = self.input(step) else { return Ok(false) };
        self.now = match step {
            Step::Due => self.session.next_deadline().unwrap_or(self.now).max(self.now),
            Step::Second => later(self.now, Duration::from_secs(1)),
            _ => later(self.now, Duration::from_millis(10)),
        };
        let mut actions = Vec::new();
        self.session.handle(self.now, input, &mut actions);
        let did = self.follow(step, &actions);
        self.tell_model(step);
        self.model.act(self.now);
        let phase = self.model.phase();
        let expected = Did { phase, ..std::mem::take(&mut self.model.did) };
        if did != expected {
            let rules = self.model.rules;
            return Err(format!("{rules:?} at {}\n  expected {expected:?}\n  but did  {did:?}", self.now));
        }
        let (due, deadline) = (self.model.deadline(), self.session.next_deadline());
        if due < deadline.unwrap_or(Timestamp::MAX) {
            return Err(format!("something is due at {due}, and the session sleeps until {deadline:?}"));
        }
        self.session.checker().violations().first().map_or(Ok(true), |violation| Err(violation.clone()))
    }

    fn audit(&mut self) {
        self.session.audit(self.now);
        self.session.assert_sound();
    }
}

fn number(secret: &Secret) -> u64 {
    let text = std::str::from_utf8(secret.expose()).unwrap_or_default();
    text.trim_start_matches("secret").parse().expect("one of ours")
}

fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.after(wait).unwrap_or(Timestamp::MAX)
}

const STEPS: [Step; 17] = [
    Step::Connect,
    Step::ConnectNow,
    Step::Stop,
    Step::Send,
    Step::Authenticate,
    Step::AnswerNew,
    Step::AnswerSame,
    Step::AnswerNone,
    Step::Up,
    Step::Hello,
    Step::LoginOk,
    Step::LoginRefused,
    Step::Hear,
    Step::Flushed,
    Step::Down,
    Step::Due,
    Step::Second,
];

/// What leads on, so that long paths come to a link often enough.
const ON: [Step; 7] =
    [Step::ConnectNow, Step::AnswerNew, Step::Up, Step::Hello, Step::LoginOk, Step::Flushed, Step::Second];

const PLAIN: Rules =
    Rules { lazy: false, idle: false, keep_on_stop: false, hello: false, when: CredentialUse::AtLogin, asked: false };

const RULES: [Rules; 8] = [
    Rules { keep_on_stop: true, ..PLAIN },
    Rules { lazy: true, idle: true, ..PLAIN },
    Rules { lazy: true, keep_on_stop: true, hello: true, ..PLAIN },
    Rules { idle: true, hello: true, when: CredentialUse::Both, ..PLAIN },
    Rules { when: CredentialUse::AtDial, ..PLAIN },
    Rules { asked: true, ..PLAIN },
    Rules { asked: true, when: CredentialUse::Both, lazy: true, ..PLAIN },
    Rules { asked: true, when: CredentialUse::AtDial, idle: true, keep_on_stop: true, ..PLAIN },
];

const DEPTH: usize = if cfg!(debug_assertions) { 3 } else { 5 };
const LEAST: u64 = if cfg!(debug_assertions) { 5_000 } else { 400_000 };

#[test]
fn every_path_to_a_link_is_as_its_model_says() {
    let mut walk = Walk::default();
    for rules in RULES {
        walk.all(&STEPS, Pair::new(rules), &[], DEPTH);
        walk.all(&STEPS, Pair::new(rules), &[Step::Send, Step::ConnectNow], DEPTH);
    }
    walk.end("on the way to a link", LEAST);
}

#[test]
fn long_random_paths_to_links_are_as_their_model_says() {
    let (mut walk, steps) = (Walk::default(), [&STEPS[..], &ON[..]].concat());
    let paths = if cfg!(debug_assertions) { 200 } else { 4_000 };
    walk.random(paths, |path| Pair::new(RULES[path % RULES.len()]), |rng| one_of(rng, &steps));
    walk.end("on long ways to links", LEAST);
}
