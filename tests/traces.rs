//! Traces: what was recorded replays here, and no secret is in it.
//!
//! `STEADFAST_BLESS=1 cargo test -p steadfast --all-features --test traces` writes the stories in `tests/traces` anew;
//! the difference is then for people to read and to commit.
#![cfg(all(feature = "json", feature = "trace"))]

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use steadfast::{
    Action, Cause, Class, CloseCode, Command, Commands, Config, Down, Frame, Handshake, HttpAnswer, Input, LinkId,
    Machine, Never, OpId, Plain, Protocol, Recovery, Report, Secret, SendOptions, Session, Text, Timestamp,
    protocol::json::{Json, Login, Message},
    trace::{Aspect, Difference, Header, Reader, Recorder, Redaction, Replayed, Tape, replay},
};
use steadfast_sim::{Faults, Scenario, World, each_seed};

/// What must not be found anywhere: credentials, and what people said.
const SECRETS: [&str; 10] = [
    "first-token-of-the-day",
    "second-token/with\"quotes",
    "second-token",
    "with\\\"quotes",
    "session-key-from-the-server",
    "cookie-of-the-balancer",
    "Mrs. Miller",
    "two coffees",
    "4711",
    "no entry for Miller",
];

type Lines = Rc<RefCell<Vec<String>>>;
type Sink = Box<dyn FnMut(&str)>;

fn sink(lines: &Lines) -> Sink {
    let lines = Rc::clone(lines);
    Box::new(move |line| lines.borrow_mut().push(line.to_owned()))
}

fn read(lines: &[String]) -> Reader<std::slice::Iter<'_, String>> {
    Reader::new(lines).expect("a header")
}

/// A session of the `json` protocol whose life is recorded.
struct Story {
    recorder: Recorder<Session<Json>, Sink>,
    lines: Lines,
    now: Timestamp,
    link: LinkId,
    /// Frames handed to the present link.
    handed: u64,
    /// All that could be seen of it otherwise.
    shown: String,
}

impl Story {
    fn new(payloads: bool) -> Self {
        let protocol = Json::new(7).login(Login::default()).acks(true);
        let header = Header::new("json", &protocol, 7, Config::default());
        let mut redaction = Redaction::default();
        redaction.payloads = payloads;
        let lines = Lines::default();
        let recorder = Recorder::session(protocol, &header, redaction, sink(&lines)).expect("a sound configuration");
        let now = Timestamp::from_millis(1_795_168_800_000);
        Self { recorder, lines, now, link: LinkId(0), handed: 0, shown: String::new() }
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_millis(millis)).expect("far from the end");
        self
    }

    fn command(&mut self, command: Command<Message, Text>) -> &mut Self {
        self.turn(Input::Command(command))
    }

    fn authenticate(&mut self, secret: &str) -> &mut Self {
        self.command(Command::Authenticate(Some(Secret::from(secret))))
    }

    fn send(&mut self, class: Class, guest: &str, order: &str) -> &mut Self {
        let data = serde_json::json!({"guest": guest, "order": order, "room": 4711, "pin_token": 17});
        let message = Message::new("order", &data).expect("JSON").on("kitchen");
        let mut options = SendOptions::default();
        (options.class, options.tracked) = (class, true);
        self.command(Command::Send { message, options })
    }

    fn report(&mut self, report: Report) -> &mut Self {
        self.turn(Input::Report(self.link, report))
    }

    fn up(&mut self) -> &mut Self {
        let mut handshake = Handshake::default();
        handshake.headers = vec![
            ("Set-Cookie".into(), "balancer=cookie-of-the-balancer; Path=/".into()),
            ("Server".into(), "nginx".into()),
        ];
        self.report(Report::Up(Box::new(handshake)))
    }

    fn hear(&mut self, text: &str) -> &mut Self {
        self.report(Report::Frame(Frame::from(text)))
    }

    fn flushed(&mut self) -> &mut Self {
        let frames = self.handed;
        self.report(Report::Flushed { frames })
    }

    fn down(&mut self, cause: Cause, verdict: Option<Recovery>) -> &mut Self {
        let left = self.handed;
        self.report(Report::Down(Box::new(Down { cause, left, verdict })))
    }

    fn wake(&mut self) -> &mut Self {
        self.now = self.recorder.next_deadline().expect("something is waited for");
        self.turn(Input::Wake)
    }

    fn turn(&mut self, input: Input<Message, Text>) -> &mut Self {
        let mut actions = Vec::new();
        self.recorder.handle(self.now, input, &mut actions);
        for action in &actions {
            if let Action::Connect(attempt) = action {
                (self.link, self.handed) = (attempt.link, 0);
            }
            self.handed += u64::from(matches!(action, Action::Send { .. }));
            // What the application says is shown to it, and so is what the peer says. What we say of ourselves is not.
            if matches!(action, Action::Connect(_) | Action::Send { secret: true, .. }) {
                self.shown += &format!("{action:?}\n");
            }
        }
        self.shown += &format!("{:?}\n", self.recorder);
        self
    }

    /// Two refusals, a host that knows better, a ping, a message each way.
    fn run(&mut self) {
        self.authenticate("first-token-of-the-day");
        self.send(Class::AtLeastOnce, "Mrs. Miller", "two coffees");
        self.command(Command::Connect).after(30).up().after(1).flushed();
        let refusal = r#"{"type":"error","data":{"code":"expired","message":"first-token-of-the-day is too old"}}"#;
        self.after(20).hear(refusal).after(5).down(closed(1000, ""), None);
        self.after(100).authenticate("second-token/with\"quotes");
        let forbidden = HttpAnswer {
            status: 403,
            headers: vec![("set-cookie".into(), "balancer=cookie-of-the-balancer".into())],
            body: r#"{"reason":"no entry for Miller, second-token/with\"quotes"}"#.into(),
            ..HttpAnswer::default()
        };
        // The table would stop here; the host knows that its gateway says so for a moment after each deploy.
        let verdict = Some(Recovery::RetryAfter(Duration::from_secs(3)));
        self.wake().after(12).down(Cause::Http(Box::new(forbidden)), verdict);
        self.wake().after(31).up().flushed().after(25);
        self.hear(concat!(
            r#"{"type":"connected","timestamp":"2026-11-20T10:00:00.120Z","#,
            r#""data":{"client_id":"c-17","session_key_token":"session-key-from-the-server"}}"#
        ));
        self.after(2).flushed().after(20).hear(r#"{"type":"ack","id":"7-1"}"#);
        self.hear(r#"{"type":"order","id":"s-1","channel":"kitchen","data":{"guest":"Mrs. Miller","room":4711}}"#);
        self.command(Command::Taken { id: "s-1".into() }).flushed();
        self.send(Class::AtMostOnce, "Mrs. Miller", "two coffees").hear(r#"{"type":17}"#).hear("two coffees");
        self.flushed().wake().wake().flushed().after(30).report(Report::Frame(pong(1)));
        self.after(500).down(closed(4401, "second-token/with\"quotes was taken back"), None);
        self.send(Class::AtMostOnce, "Mrs. Miller", "two coffees").after(3).command(Command::Cancel(OpId(3)));
        self.command(Command::Stop);
    }
}

fn closed(code: u16, reason: &str) -> Cause {
    Cause::Closed { code: CloseCode(code), reason: reason.into() }
}

fn pong(number: u64) -> Frame {
    Frame::Pong(number.to_be_bytes().to_vec().into())
}

fn recorded(payloads: bool) -> (Vec<String>, String) {
    let mut story = Story::new(payloads);
    story.run();
    assert_eq!(story.recorder.tape().strayed(), 0, "what was taken out changed nothing");
    let lines = story.lines.borrow().clone();
    (lines, story.shown)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces")
}

/// Compares with what was read and committed.
fn compare(name: &str, lines: &[String]) {
    let (path, text) = (folder().join(name).with_extension("jsonl"), lines.join("\n") + "\n");
    if std::env::var_os("STEADFAST_BLESS").is_some() {
        fs::write(&path, &text).expect("the trace can be written");
    }
    let committed = fs::read_to_string(&path).expect("a trace; STEADFAST_BLESS=1 writes it");
    let differs = committed.lines().zip(text.lines()).position(|(was, is)| was != is);
    let now = differs.and_then(|at| text.lines().nth(at)).unwrap_or_default();
    assert!(committed == text, "{name}: differs from line {:?} on\n{now}", differs.map(|at| at + 1));
}

/// Replays with a session made as the header says.
fn replayed<L: Iterator>(mut reader: Reader<L>) -> Replayed
where
    L::Item: AsRef<str>,
{
    let Header { protocol, parameters, seed, config, .. } = reader.header().clone();
    match protocol.as_str() {
        "json" => {
            let json: Json = serde_json::from_value(parameters).expect("the parameters of json");
            replay(&mut reader, &mut session(json, config, seed)).expect("a readable trace")
        }
        "plain" => replay(&mut reader, &mut session(Plain, config, seed)).expect("a readable trace"),
        other => panic!("no protocol {other}"),
    }
}

fn session<P: Protocol>(protocol: P, config: Config, seed: u64) -> Session<P> {
    Session::new(protocol, config, seed).expect("a sound configuration")
}

fn first_difference(lines: &[String]) -> Difference {
    match replayed(read(lines)) {
        Replayed::Differs(difference) => *difference,
        Replayed::Same { turns } => panic!("{turns} turns and no difference"),
    }
}

#[test]
fn the_story_of_a_login_is_as_it_was_read() {
    compare("login", &recorded(true).0);
}

#[test]
fn the_story_of_bytes_is_as_it_was_read() {
    let lines = Lines::default();
    let mut config = Config::default();
    config.queue.max_messages = 2;
    let header = Header::new("plain", &(), 11, config);
    let mut recorder = Recorder::session(Plain, &header, Redaction::default(), sink(&lines)).expect("sound");
    let (mut now, mut actions, link) = (Timestamp::from_millis(5), Vec::new(), LinkId(1));
    for byte in 0..3_u8 {
        // The third is one too many, and comes back.
        let _ = recorder.send(now, Frame::from(vec![byte, 0xff, b'a']), &mut actions);
    }
    recorder.connect(now, &mut actions);
    for report in [
        Report::Up(Box::default()),
        Report::Flushed { frames: 1 },
        Report::Frame(Frame::from("text")),
        Report::Frame(Frame::from(vec![0, 159, 146, 150])),
        Report::Paused,
        Report::Progress,
        Report::Resumed,
        Report::Flushed { frames: 2 },
        Report::Frame(Frame::Ping("alive?".into())),
        Report::Down(Box::new(Down { cause: Cause::Broken("reset by peer".into()), left: 2, verdict: None })),
        Report::Frame(Frame::from("too late")),
    ] {
        now = now.after(Duration::from_micros(1_500)).expect("far from the end");
        recorder.report(now, link, report, &mut actions);
    }
    recorder.drain(now, Duration::from_secs(2), &mut actions);
    compare("bytes", &lines.borrow());
}

#[test]
fn the_excerpt_in_the_documentation_is_from_the_story() {
    let docs = fs::read_to_string(folder().join("../../docs/traces.md")).expect("the page");
    let lines = recorded(true).0;
    let excerpt: Vec<&str> = docs.lines().filter(|line| line.starts_with("{\"t")).collect();
    assert!(excerpt.len() > 3);
    for line in excerpt {
        let pieces = || line.split('…').map(|piece| piece.trim_matches([' ', ',']));
        let has_all =
            |text: &&String| pieces().try_fold(0, |from, piece| Some(from + text[from..].find(piece)?)).is_some();
        assert!(lines.iter().find(has_all).is_some(), "{line}");
    }
}

#[test]
fn every_trace_replays() {
    let mut traces = 0;
    for entry in fs::read_dir(folder()).expect("traces") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a trace");
        let replayed = replayed(Reader::new(text.lines()).expect("a header"));
        let Replayed::Same { turns } = replayed else { panic!("{}: {replayed:?}", path.display()) };
        println!("{}: {turns} turns", path.display());
        traces += 1;
    }
    assert!(traces > 0);
}

#[test]
fn no_secret_is_in_a_trace_or_in_what_debug_shows() {
    let (lines, shown) = recorded(true);
    let all = lines.join("\n") + &shown;
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret} in {:?}", all.lines().find(|line| line.contains(secret)));
    }
    assert!(all.contains("secret-1") && all.contains("payload-1"), "stand-ins are there");
}

#[test]
fn without_payloads_credentials_go_all_the_same() {
    let lines = recorded(false).0;
    let all = lines.join("\n");
    for secret in SECRETS.iter().take(6) {
        assert!(!all.contains(secret), "{secret} in {:?}", lines.iter().find(|line| line.contains(secret)));
    }
    assert!(all.contains("Mrs. Miller"));
    assert!(replayed(read(&lines)).is_same());
}

#[test]
fn a_turn_that_is_missing_is_named() {
    let lines = recorded(true).0;
    for gone in 1..lines.len() - 1 {
        let without: Vec<String> =
            lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, l)| l.clone()).collect();
        let Difference { turn, aspect, .. } = first_difference(&without);
        assert_eq!((turn, aspect), (gone as u64, Aspect::Missing));
    }
}

#[test]
fn storms_replay() {
    each_seed("storms_replay", 1..=50, |seed| {
        let mut scenario = Scenario::new(seed);
        scenario.keep_inputs = true;
        (scenario.app.messages, scenario.app.perishable, scenario.app.cancels) = (100, 20, 10);
        scenario.faults = Faults::seeded(seed, 10, Duration::from_secs(60));
        let (toy, config) = (scenario.toy, scenario.config.clone());
        let story = World::new(scenario).run();
        let lines = Lines::default();
        let header = Header::new("toy", &(), seed, config.clone());
        let recorder = Recorder::session(toy, &header, Redaction::default(), sink(&lines));
        let (mut recorder, mut actions) = (recorder.expect("a sound configuration"), Vec::new());
        for (at, input) in story.inputs {
            recorder.handle(at, input, &mut actions);
        }
        assert_eq!(recorder.tape().strayed(), 0);
        assert!(!actions.is_empty() && !lines.borrow().iter().any(|line| line.contains("right")));
        let replayed = replay(&mut read(&lines.borrow()), &mut session(toy, config, seed));
        assert_eq!(replayed, Ok(Replayed::Same { turns: story.turns }));
    });
}

/// Takes a turn out, and numbers the rest anew.
fn without(lines: &[String], gone: usize) -> Vec<String> {
    let kept = lines.iter().enumerate().filter(|(at, _)| *at != gone);
    let renumber = |(new, (old, line)): (usize, (usize, &String))| {
        line.replacen(&format!(r#"{{"turn":{old},"#), &format!(r#"{{"turn":{new},"#), 1)
    };
    kept.enumerate().map(renumber).collect()
}

#[test]
fn a_turn_that_was_taken_out_with_care_is_found_where_it_mattered() {
    let lines = recorded(true).0;
    let mut unnoticed = Vec::new();
    for gone in 1..lines.len() - 1 {
        match replayed(read(&without(&lines, gone))) {
            Replayed::Differs(difference) => assert!(difference.turn >= gone as u64, "{difference}"),
            Replayed::Same { .. } => unnoticed.push(lines[gone].clone()),
        }
    }
    // Nothing came of these: they ended nothing that anybody waited for.
    assert!(unnoticed.len() <= 10, "{unnoticed:#?}");
}

#[test]
fn an_input_that_was_changed_is_named() {
    let lines = recorded(true).0;
    let changes = [
        (r#""input":{"command":"connect"}"#, r#""input":"wake""#),
        (r#"\"code\":\"expired\""#, r#"\"code\":\"retired\""#),
        (r#"{"status":403"#, r#"{"status":503"#),
        (r#"{"retry_after":"3 s"}}"#, r#"{"retry_after":"3001 ms"}}"#),
        (r#""input":{"report":[3,{"flushed":{"frames":2}}]}"#, r#""input":{"report":[3,{"flushed":{"frames":1}}]}"#),
        (r#""input":{"command":{"cancel":3}}"#, r#""input":{"command":{"cancel":2}}"#),
        (r#"\"type\":\"ack\",\"id\":\"7-1\""#, r#"\"type\":\"ack\",\"id\":\"7-2\""#),
    ];
    for (was, is) in changes {
        let at = lines.iter().position(|line| line.contains(was));
        let at = at.unwrap_or_else(|| panic!("{was} is in the story"));
        let mut changed = lines.clone();
        changed[at] = changed[at].replace(was, is);
        let difference = first_difference(&changed);
        println!("{difference}\n");
        assert_eq!(difference.turn, at as u64, "{difference}");
    }
}

#[test]
fn what_differs_is_shown_side_by_side() {
    let mut lines = recorded(true).0;
    let at = lines.iter().position(|line| line.contains(r#"{"emit_error""#)).expect("a failure");
    lines[at] = lines[at].replace(r#""kind":"authentication_failed""#, r#""kind":"network_error""#);
    let shown = first_difference(&lines).to_string();
    let rows: Vec<&str> = shown.lines().map(|row| row.split(' ').take(4).last().unwrap_or_default()).collect();
    assert!(shown.starts_with(&format!("turn {at} (line {}, at ", at + 1)), "{shown}");
    assert!(shown.contains("\n  - recorded") && shown.contains("\n  + replayed"), "{rows:?}");
}

#[test]
fn a_turn_in_which_the_machine_panics_is_on_the_trace() {
    /// A machine that panics at the second turn.
    struct Fragile(Session<Plain>, u32);

    impl Machine for Fragile {
        type Input = Input<Frame>;
        type Action = <Session<Plain> as Machine>::Action;
        type Answer = <Session<Plain> as Machine>::Answer;

        fn handle(&mut self, now: Timestamp, input: Self::Input, actions: &mut Vec<Self::Action>) -> Self::Answer {
            self.1 += 1;
            assert!(self.1 < 2, "it breaks");
            self.0.handle(now, input, actions)
        }

        fn next_deadline(&self) -> Option<Timestamp> {
            self.0.next_deadline()
        }
    }

    let lines = Lines::default();
    let fragile = || Fragile(session(Plain, Config::default(), 7), 0);
    let header = Header::new("plain", &(), 7, Config::default());
    let tape = Tape::new(fragile(), &header, Redaction::default(), sink(&lines));
    let mut recorder = Recorder::new(fragile(), tape);
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let mut actions = Vec::new();
        recorder.connect(Timestamp::ZERO, &mut actions);
        recorder.stop(Timestamp::ZERO, &mut actions);
    }));
    assert!(told.is_err());
    let lines = lines.borrow();
    assert_eq!(lines[2], r#"{"turn":2,"at":0,"input":{"command":"stop"}}"#);
    assert_eq!(replayed(read(&lines)), Replayed::Same { turns: 2 });
}

#[test]
fn a_message_that_means_something_else_without_its_payload_is_marked() {
    // Without its payload this is no longer JSON of the protocol: the type is not among what stays.
    let lines = Lines::default();
    let protocol = Json::new(7);
    let header = Header::new("json", &protocol, 7, Config::default());
    let mut redaction = Redaction::default();
    (redaction.payloads, redaction.keep) = (true, Vec::new());
    let mut recorder = Recorder::session(protocol, &header, redaction, sink(&lines)).expect("a sound configuration");
    let (now, mut actions) = (Timestamp::ZERO, Vec::new());
    recorder.connect(now, &mut actions);
    recorder.report(now, LinkId(1), Report::Up(Box::default()), &mut actions);
    recorder.report(now, LinkId(1), Report::Frame(Frame::from(r#"{"type":"error"}"#)), &mut actions);
    assert_eq!(recorder.tape().strayed(), 1);
    let lines = lines.borrow();
    assert!(lines[3].ends_with(r#","strayed":true}"#), "{}", lines[3]);
    assert!(replayed(read(&lines)).is_same(), "what is written is what the twin did");
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let lines = recorded(true).0;
    let problem = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        let mut reader = match Reader::new(lines.iter()) {
            Ok(reader) => reader,
            Err(error) => return error.to_string(),
        };
        let config = reader.header().config.clone();
        let json: Json = serde_json::from_value(reader.header().parameters.clone()).expect("parameters");
        replay(&mut reader, &mut session(json, config, 7)).expect_err("unreadable").to_string()
    };
    for (change, expected) in [
        ((&|lines: &mut Vec<String>| lines.clear()) as &dyn Fn(&mut Vec<String>), "line 1: there is nothing"),
        (&|lines| lines[0] = "{}".into(), "line 1: this is no trace"),
        (&|lines| lines[0] = r#"{"trace":2}"#.into(), "line 1: a trace of format 2, and this version reads 1"),
        (&|lines| lines[4].truncate(100), "line 5, column 100: EOF while parsing"),
        (&|lines| lines[3] = lines[3].replace("connect", "konnect"), "line 4, column 60: unknown variant `konnect`"),
        (&|lines| lines[3] = lines[3].replace(r#""at""#, r#""et""#), "line 4: there is no `at`"),
        (&|lines| lines[3] = r#"{"spoiled":"the disk"}"#.into(), "line 4: the recording stopped here: the disk"),
    ] {
        let problem = problem(change);
        assert!(problem.starts_with(expected), "{problem}\nand not\n{expected}");
    }
}

#[test]
fn numbers_beyond_what_floats_can_hold_stay_exact() {
    let lines = Lines::default();
    let header = Header::new("plain", &(), u64::MAX - 1, Config::default());
    let mut recorder = Recorder::session(Plain, &header, Redaction::default(), sink(&lines)).expect("sound");
    let at = Timestamp::from_micros((1 << 53) + 1);
    let mut actions = Vec::new();
    recorder.connect(at, &mut actions);
    recorder.report(at, LinkId((1 << 53) + 3), Report::Flushed { frames: u64::MAX - 2 }, &mut actions);
    let lines = lines.borrow();
    let mut reader = read(&lines);
    assert_eq!(reader.header().seed, u64::MAX - 1);
    reader.next_turn().expect("readable").expect("a turn");
    let turn = reader.next_turn().expect("readable").expect("a turn");
    let report = Input::Report(LinkId((1 << 53) + 3), Report::Flushed { frames: u64::MAX - 2 });
    assert_eq!((turn.at, turn.input::<Frame, Never>()), (at, Ok(report)));
}
