//! The core alone, for an instruction counter: `turns out|in|alone N` sends, hears, or sends one by one
//! so many messages of 128 bytes; `turns few|many N` sends as many that differ, and remembers 1 or 4,096 of them;
//! `turns topics|topics-many N` hears as many of one topic, or of ten thousand in turn; `turns requests|requests-many N`
//! asks and is answered as often while one other request waits, or a hundred thousand. See `bench/instructions.sh`.

use std::{env, process::ExitCode, time::Duration};

use steadfast::{
    Action, Alike, Answer, Command, Config, Frame, Input, LinkId, Machine, Never, Plain, Report, SendOptions, Session,
    Text, Timestamp, Topics,
};
use steadfast_sim::Toy;

/// Messages that leave with one flush, or came with one read.
const BURST: u64 = 64;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let [way, count] = words[..] else { return usage() };
    let Ok(count) = count.parse() else { return usage() };
    let mut wire = Wire::online(config(way));
    match way {
        "out" => wire.send(count, BURST, message()),
        "alone" => wire.send(count, 1, message()),
        "few" | "many" => wire.send_different(count),
        "in" => wire.hear(count),
        "topics" => return topics(count, 1),
        "topics-many" => return topics(count, 10_000),
        "requests" => return requests(count, 1),
        "requests-many" => return requests(count, 100_000),
        _ => return usage(),
    }
    println!("{:?}", wire.session.stats());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "turns: say out, in, alone, few, many, topics, topics-many, requests or requests-many, and how many messages"
    );
    ExitCode::from(2)
}

/// Requests that are answered at once, while so many others are not.
fn requests(count: u64, pending: u64) -> ExitCode {
    let toy = Toy { login: false, ..Toy::default() };
    let mut config = Config::default();
    (config.queue.max_messages, config.queue.max_bytes) = (u32::MAX, u64::MAX);
    config.requests.deadline = Duration::from_secs(3_600);
    let mut session = Session::new(toy, config, 7).expect("sound settings");
    let (mut actions, mut now, mut frames) = (Vec::new(), 1_000_000, 0);
    let mut turn = |input, actions: &mut Vec<_>| {
        now += 1;
        session.handle(Timestamp::from_micros(now), input, actions)
    };
    turn(Input::Command(Command::Connect), &mut actions);
    turn(Input::Report(LinkId(1), Report::Up(Box::default())), &mut actions);
    let question = Text::from("x".repeat(100));
    for number in 0..pending + count {
        let asked = Command::Request { message: question.clone(), options: Box::default() };
        let Answer::Accepted(id) = turn(Input::Command(asked), &mut actions) else { return ExitCode::FAILURE };
        frames += 1;
        turn(Input::Report(LinkId(1), Report::Flushed { frames }), &mut actions);
        if number >= pending {
            turn(Input::Report(LinkId(1), Report::Frame(Frame::from(format!("re {id} yes")))), &mut actions);
        }
        actions.clear();
    }
    println!("{:?}", session.stats());
    ExitCode::SUCCESS
}

/// Messages of so many topics in turn.
fn topics(count: u64, topics: u64) -> ExitCode {
    let name = |number: u64| Text::from(format!("instrument-{number:05}"));
    let names: Vec<_> = (0..topics).map(name).collect();
    let toy = Toy { login: false, topics: Topics::Many, confirms: false, ..Toy::default() };
    let mut config = Config::default();
    config.subscriptions.batch = 10_000;
    let mut session = Session::new(toy, config, 7).expect("the defaults are sound");
    let (mut actions, mut now) = (Vec::new(), 1_000_000);
    let mut turn = |input, actions: &mut Vec<_>| {
        now += 1;
        session.handle(Timestamp::from_micros(now), input, actions);
    };
    turn(Input::Command(Command::Connect), &mut actions);
    turn(Input::Report(LinkId(1), Report::Up(Box::default())), &mut actions);
    for topic in &names {
        turn(Input::Command(Command::Subscribe { topic: topic.clone(), options: Box::default() }), &mut actions);
        turn(Input::Report(LinkId(1), Report::Flushed { frames: u64::MAX }), &mut actions);
        actions.clear();
    }
    let lines: Vec<_> = names.iter().map(|name| Frame::from(format!("t {name} {}", "x".repeat(100)))).collect();
    for line in lines.iter().cycle().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        turn(Input::Report(LinkId(1), Report::Frame(line.clone())), &mut actions);
        actions.clear();
    }
    println!("{:?}", session.stats());
    ExitCode::SUCCESS
}

/// A session on a link, and what a driver would keep beside it.
struct Wire {
    session: Session<Plain>,
    actions: Vec<Action<Frame, Never>>,
    link: LinkId,
    now: u64,
    written: u64,
}

impl Wire {
    fn online(config: Config) -> Self {
        let session = Session::new(Plain, config, 7).expect("the defaults are sound");
        let mut wire = Self { session, actions: Vec::new(), link: LinkId(0), now: 1_000_000, written: 0 };
        wire.turn(Input::Command(Command::Connect));
        wire.link = wire.actions.drain(..).find_map(dialled).expect("connect dials");
        wire.turn(Input::Report(wire.link, Report::Up(Box::default())));
        wire.actions.clear();
        wire
    }

    /// Inlined, as in the adapters: whoever hands in an input knows which.
    #[inline(always)]
    fn turn(&mut self, input: Input<Frame>) {
        self.now += 1;
        self.session.handle(Timestamp::from_micros(self.now), input, &mut self.actions);
    }

    #[inline(always)]
    fn send(&mut self, count: u64, burst: u64, message: Frame) {
        self.send_made(count, burst, |_| message.clone());
    }

    /// No two are the same.
    fn send_different(&mut self, count: u64) {
        self.send_made(count, BURST, |number| {
            let mut bytes = [0; 128];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Frame::from(bytes.to_vec())
        });
    }

    #[inline(always)]
    fn send_made(&mut self, count: u64, burst: u64, make: impl Fn(u64) -> Frame) {
        for round in 0..count / burst {
            for number in 0..burst {
                let (message, options) = (make(round * burst + number), SendOptions::default());
                self.turn(Input::Command(Command::Send { message, options }));
            }
            self.written +=
                self.actions.drain(..).map(|action| u64::from(matches!(action, Action::Send { .. }))).sum::<u64>();
            self.turn(Input::Report(self.link, Report::Flushed { frames: self.written }));
        }
    }

    fn hear(&mut self, count: u64) {
        let message = message();
        for _ in 0..count / BURST {
            for _ in 0..BURST {
                self.turn(Input::Report(self.link, Report::Frame(message.clone())));
            }
            self.actions.clear();
        }
    }
}

fn config(way: &str) -> Config {
    let mut config = Config::default();
    if let Some(count) = match way {
        "few" => Some(1),
        "many" => Some(4_096),
        _ => None,
    } {
        (config.dedup.outgoing, config.dedup.count) = (Alike::ByContent, count);
    }
    config
}

fn dialled(action: Action<Frame, Never>) -> Option<LinkId> {
    if let Action::Connect(attempt) = action { Some(attempt.link) } else { None }
}

/// One message that all of them share: what making them costs is the application's.
fn message() -> Frame {
    Frame::from("x".repeat(128))
}
