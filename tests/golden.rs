//! The README's stories as transcripts: what is said to a session, when, and what it does.
//!
//! `STEADFAST_BLESS=1 cargo test --test golden` rewrites `tests/golden/*.txt`; the difference is then for people to
//! read and to commit.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use steadfast::{
    Action, Alike, Answer, Bucket, Cause, Change, Class, CloseCode, Command, Config, Down, Event, Frame, HttpAnswer,
    Input, LinkId, Machine, Report, RequestOptions, Secret, SendOptions, Session, SubscribeOptions, Text, Timestamp,
    TopicNews, Topics,
};
use steadfast_sim::{Checked, Toy};

/// A session whose life is written down.
struct Story {
    session: Checked<Session<Toy>, Toy>,
    now: Timestamp,
    link: LinkId,
    /// Frames handed to the present link.
    handed: u64,
    text: String,
    /// What a dashboard shows, if it is to be written down too.
    shown: Option<String>,
}

impl Story {
    fn new(title: &str, config: Config) -> Self {
        Self::with(title, Toy::default(), config)
    }

    fn with(title: &str, toy: Toy, config: Config) -> Self {
        let session = Session::new(toy, config.clone(), 7).expect("a sound configuration");
        let session = session.with_credential(Secret::from("right"));
        let session = Checked::new(session, toy, config);
        let text = format!("{title}\n{}\n", "=".repeat(title.len()));
        Self { session, now: Timestamp::from_millis(0), link: LinkId(0), handed: 0, text, shown: None }
    }

    /// Writes down what a dashboard shows, whenever it has changed.
    fn watched(&mut self) -> &mut Self {
        self.shown = Some(String::new());
        self
    }

    /// Time passes.
    fn after(&mut self, millis: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_millis(millis)).expect("far from the end");
        self
    }

    /// A remark for the reader.
    fn note(&mut self, remark: &str) -> &mut Self {
        let _ = writeln!(self.text, "\n# {remark}");
        self
    }

    fn command(&mut self, said: &str, command: Command<Text, Text>) -> &mut Self {
        self.turn(said, Input::Command(command))
    }

    fn connect(&mut self) -> &mut Self {
        self.command("connect", Command::Connect)
    }

    fn send(&mut self, text: &'static str, class: Class) -> &mut Self {
        self.send_with(text, SendOptions::new(class).tracked())
    }

    fn send_with(&mut self, text: &'static str, options: SendOptions) -> &mut Self {
        let class = if options.class == Class::AtLeastOnce { "at least once" } else { "at most once" };
        let ttl = options.time_to_live().map_or(String::new(), |ttl| format!(", within {:?}", ttl.duration()));
        let said = format!("send \"{text}\", {class}{ttl}");
        self.command(&said, Command::Send { message: Text::from_static(text), options })
    }

    fn keyed(&mut self, text: &'static str, key: &'static str) -> &mut Self {
        let options = SendOptions::default().tracked().key(key);
        self.command(&format!("send \"{text}\" as {key}"), Command::Send { message: text.into(), options })
    }

    fn subscribe(&mut self, topic: &str) -> &mut Self {
        let options = Box::new(SubscribeOptions::default());
        self.command(&format!("subscribe to {topic}"), Command::Subscribe { topic: topic.into(), options })
    }

    fn request(&mut self, text: &'static str, options: RequestOptions) -> &mut Self {
        let again = if options.idempotent { ", which may be asked twice" } else { "" };
        let said = format!("request \"{text}\"{again}");
        self.command(&said, Command::Request { message: Text::from_static(text), options: Box::new(options) })
    }

    fn report(&mut self, said: &str, report: Report) -> &mut Self {
        let said = format!("link {}: {said}", self.link);
        self.turn(&said, Input::Report(self.link, report))
    }

    fn up(&mut self) -> &mut Self {
        self.report("is open", Report::Up(Box::default()))
    }

    /// The peer says a line.
    fn hear(&mut self, line: &str) -> &mut Self {
        self.report(&format!("says \"{line}\""), Report::Frame(Frame::from(line)))
    }

    /// All that was handed over is with the operating system.
    fn flushed(&mut self) -> &mut Self {
        let frames = self.handed;
        self.report(&format!("has flushed {frames}"), Report::Flushed { frames })
    }

    fn down(&mut self, cause: Cause, left: u64) -> &mut Self {
        let why = match &cause {
            Cause::Closed { code, .. } => format!("is closed with {code}"),
            Cause::Ended => "has ended".into(),
            Cause::Broken(why) => format!("is broken: {why}"),
            Cause::Http(answer) => format!("is answered with HTTP {}", answer.status),
            Cause::Unreachable(why)
            | Cause::Unresolved(why)
            | Cause::Denied(why)
            | Cause::Handshake(why)
            | Cause::Impossible(why) => format!("could not be had: {why}"),
            Cause::Tls { message, .. } | Cause::Violation { message, .. } => format!("is lost: {message}"),
        };
        self.report(
            &format!("{why}; {left} frames may have left"),
            Report::Down(Box::new(Down { cause, left, verdict: None })),
        )
    }

    fn closed(&mut self, code: CloseCode) -> &mut Self {
        let left = self.handed;
        self.down(Cause::Closed { code, reason: Text::default() }, left)
    }

    /// The driver wakes the session at its deadline.
    fn wake(&mut self) -> &mut Self {
        let timer = self.session.machine().next_timer().expect("something is waited for");
        self.now = timer.0;
        self.turn(&format!("wake ({:?})", timer.1), Input::Wake)
    }

    fn turn(&mut self, said: &str, input: Input<Text, Text>) -> &mut Self {
        let _ = writeln!(self.text, "\n{} {said}", self.now);
        let mut actions = Vec::new();
        let answer = self.session.handle(self.now, input, &mut actions);
        match answer {
            Answer::Done => {}
            Answer::Accepted(id) => self.line(&format!("accepted as {id}")),
            Answer::Refused(why, _) => self.line(&format!("refused: {why}")),
            Answer::Cancelled(message) => self.line(&format!("came back: {message:?}")),
            Answer::CameBack(messages) => self.line(&format!("came back: {messages:?}")),
            Answer::BadEndpoints(bad) => self.line(&format!("refused: {bad}")),
            Answer::BadConfig(bad) => self.line(&format!("refused: {bad}")),
            Answer::Denied(why) => self.line(&format!("denied: {why}")),
            Answer::Stale => self.line("of a link that is gone"),
        }
        for action in &actions {
            if let Action::Connect(attempt) = action {
                (self.link, self.handed) = (attempt.link, 0);
            }
            self.handed += u64::from(matches!(action, Action::Send { .. }));
            self.line(&told(self.now, action));
        }
        self.show();
        self
    }

    fn show(&mut self) {
        let Some(before) = self.shown.take() else { return };
        let health = self.session.machine().health(self.now);
        let percent = health.availability.map_or(String::new(), |share| format!(", there for {} %", share / 10));
        let error = health.last_error.map_or(String::new(), |error| format!(", last error: {error}"));
        let shown = format!("{}, {}, {} queued{percent}{error}", health.status, health.level, health.queued);
        if shown != before {
            let _ = writeln!(self.text, "    | {shown}");
        }
        self.shown = Some(shown);
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "    {line}");
    }

    /// Compares the transcript with the one that was read and committed.
    fn end(&self, name: &str) {
        self.session.assert_sound();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
        if std::env::var_os("STEADFAST_BLESS").is_some() {
            std::fs::write(&path, &self.text).expect("the transcript can be written");
        }
        let golden = std::fs::read_to_string(&path).expect("a transcript; STEADFAST_BLESS=1 writes it");
        let differs = golden.lines().zip(self.text.lines()).position(|(was, is)| was != is);
        assert!(golden == self.text, "{name}: differs from line {:?} on\n{}", differs.map(|at| at + 1), self.text);
    }
}

fn told(now: Timestamp, action: &Action<Text, Text>) -> String {
    match action {
        Action::Connect(attempt) => {
            let to = attempt.endpoint.as_ref().map_or(String::new(), |endpoint| format!(", to {endpoint}"));
            format!("connect link {}, attempt {}{to}", attempt.link, attempt.attempt)
        }
        Action::Send { link, secret: true, .. } => format!("send on link {link}: (secret)"),
        Action::Send { link, frame: Frame::Text(text), .. } => format!("send on link {link}: {text}"),
        Action::Send { link, frame: Frame::Ping(_), .. } => format!("send on link {link}: ping"),
        Action::Send { link, frame, .. } => format!("send on link {link}: {frame:?}"),
        Action::AskCredential { ask, link, why } => format!("ask the host for link {link}, question {ask}: {why:?}"),
        Action::FlushQueue(link) => format!("flush link {link}"),
        Action::Close { link, code, .. } => format!("close link {link} with {code}"),
        Action::Abort(link) => format!("abort link {link}"),
        Action::ReconnectAfter { at, attempt, .. } => format!("reconnect in {:?}, attempt {attempt}", at.since(now)),
        Action::EmitError(error) => format!("error {}: {error}; {:?}", error.number, error.recovery),
        Action::Emit(Event::Phase(change)) => phase(change),
        Action::Emit(Event::Outcome { id, outcome, .. }) => format!("message {id}: {outcome:?}"),
        Action::Emit(Event::Reply(reply)) => format!("request {}: {:?}", reply.id, reply.result),
        Action::Emit(Event::Topic { topic, news: TopicNews::Refused { why, .. } }) => {
            format!("topic {topic}: refused: {}", why.message)
        }
        Action::Emit(Event::Topic { topic, news }) => format!("topic {topic}: {news:?}"),
        Action::Emit(Event::Restored { topics }) => format!("restored {topics} topics"),
        Action::Emit(Event::Message { message, topic: Some(topic), .. }) => format!("topic {topic}: \"{message}\""),
        Action::Emit(Event::Degraded) => "degraded".into(),
        Action::Emit(Event::Recovered) => "recovered".into(),
        Action::Emit(Event::Level(level)) => format!("level {level}"),
        Action::Emit(event) => format!("event {event:?}"),
    }
}

fn phase(change: &Change) -> String {
    let Change { from, to, error, gave_up, .. } = change;
    let error = error.map_or(String::new(), |error| format!(", error {error}"));
    // A failure that is the end by itself has no limit, and is told as it is.
    let limit = gave_up.as_ref().and_then(|gave_up| {
        let limit = gave_up.limit?;
        Some(format!(", given up by {limit:?}: first {}, last {}", gave_up.first.message, gave_up.last.message))
    });
    format!("phase {from} -> {to}{error}{}", limit.unwrap_or_default())
}

#[test]
fn a_first_connect_with_messages_that_were_sent_before_it() {
    Story::new("Messages are sent before the link is up", Config::default())
        .send("one", Class::AtMostOnce)
        .send("two", Class::AtLeastOnce)
        .connect()
        .after(30)
        .up()
        .after(20)
        .hear("ok")
        .after(1)
        .flushed()
        .after(20)
        .hear("got 2")
        .note("the application is told nothing more: both have ended")
        .after(5_000)
        .hear("m hello")
        .end("first_connect");
}

#[test]
fn a_server_restarts() {
    Story::new("The server restarts while messages are on their way", Config::default())
        .connect()
        .after(30)
        .up()
        .hear("ok")
        .flushed()
        .wake()
        .send("flushed, at most once", Class::AtMostOnce)
        .send("flushed, not acknowledged", Class::AtLeastOnce)
        .flushed()
        .send("may have left", Class::AtMostOnce)
        .send("has not left", Class::AtMostOnce)
        .note("of the last two, the second has certainly not left")
        .down(Cause::Closed { code: CloseCode::RESTART, reason: Text::default() }, 4)
        .send_with("perishable", SendOptions::default().ttl(Duration::from_millis(50)))
        .wake()
        .wake()
        .after(30)
        .up()
        .hear("ok")
        .flushed()
        .hear("got 2")
        .end("server_restarts");
}

#[test]
fn accept_then_drop() {
    let mut story = Story::new("A server accepts every link and drops it", Config::default());
    story.connect();
    for _ in 0..4 {
        story.after(10).up().hear("ok").after(5).down(Cause::Ended, 1).wake();
    }
    story.note("one that holds for five seconds ends the row").after(10).up().hear("ok").wake();
    story.after(10_000).down(Cause::Ended, 1).end("accept_then_drop");
}

#[test]
fn an_expired_credential() {
    Story::new("An expired credential is refused twice", Config::default())
        .send("kept until then", Class::AtMostOnce)
        .connect()
        .up()
        .after(10)
        .hear("no token expired")
        .closed(CloseCode::NORMAL)
        .wake()
        .up()
        .after(10)
        .hear("no token expired")
        .closed(CloseCode::NORMAL)
        .note("nothing happens until somebody does something about it")
        .send("refused", Class::AtMostOnce)
        .after(3_600_000)
        .command("authenticate anew", Command::Authenticate(Some(Secret::from("fresh"))))
        .connect()
        .up()
        .hear("ok")
        .end("expired_credential");
}

#[test]
fn a_black_hole() {
    let mut story = Story::new("The peer is silent, and nobody says so", Config::default());
    story.connect().up().hear("ok").flushed().wake();
    story.note("sending does not keep a dead link alive");
    story.wake().after(4_000).send("into the void", Class::AtLeastOnce).flushed();
    story.note("silence after the probe does not either").wake().wake();
    story.up().hear("ok").after(1).flushed().hear("got 1").end("black_hole");
}

#[test]
fn a_drain() {
    let drain = Command::Drain { within: Duration::from_secs(2) };
    Story::new("What was accepted is finished, then the session stops", Config::default())
        .connect()
        .up()
        .hear("ok")
        .send("must arrive", Class::AtLeastOnce)
        .after(10)
        .command("drain within 2 s", drain)
        .send("too late", Class::AtMostOnce)
        .flushed()
        .after(40)
        .hear("got 1")
        .after(20)
        .closed(CloseCode::NORMAL)
        .end("drain");
}

#[test]
fn a_server_that_is_full() {
    let full = HttpAnswer { status: 503, retry_after: Some(Duration::from_secs(7)), ..HttpAnswer::default() };
    Story::new("The server is full and says when to come back", Config::default())
        .connect()
        .after(30)
        .down(Cause::Http(Box::new(full)), 0)
        .note("the network is back, says the user")
        .after(500)
        .command("connect now", Command::ConnectNow)
        .end("server_full");
}

#[test]
fn a_dashboard_from_start_to_giving_up() {
    let mut story =
        Story::new("What a dashboard shows, from the start over three failures to giving up", Config::dashboard());
    story.watched().connect().after(30).up().after(20).hear("ok").after(1).flushed().wake();
    story.after(55_000).send("an order", Class::AtLeastOnce).after(1).flushed().after(4).hear("got 1");
    story.note("first the link is lost, then the server cannot be reached").after(995).down(Cause::Ended, 2);
    story.send("another order", Class::AtLeastOnce);
    let answer =
        |status, retry_after| Cause::Http(Box::new(HttpAnswer { status, retry_after, ..HttpAnswer::default() }));
    story.wake().after(3).down(Cause::Unreachable(Text::from_static("connection refused")), 0);
    story.wake().after(40).down(answer(503, Some(Duration::from_secs(30))), 0);
    story.note("whoever has another way takes it now").wake();
    story.note("it is back, and does not know us any more").wake().after(40).down(answer(401, None), 0);
    story.end("dashboard");
}

#[test]
fn a_dashboard_from_start_over_three_failures_to_its_limit() {
    let mut config = Config::dashboard();
    config.retry.max_attempts = Some(3);
    let mut story = Story::new("What a dashboard shows of a session that may try three times", config);
    let refused = |why| Cause::Unreachable(Text::from_static(why));
    story.watched().send("an order", Class::AtLeastOnce).connect();
    for why in ["no route to host", "connection refused"] {
        story.after(3).down(refused(why), 0).wake();
    }
    story.note("the third is the last").after(3).down(refused("connection refused, still"), 0);
    story.note("nothing happens until somebody wants it").after(3_600_000).command("connect now", Command::ConnectNow);
    story.after(30).up().after(20).hear("ok").end("dashboard_limit");
}

#[test]
fn a_host_that_is_asked() {
    let mut config = Config::default();
    config.credentials.asked = true;
    let answer = |ask, secret: &str| Command::Credential { ask, answer: Ok(Secret::from(secret)) };
    Story::new("The host is asked, and what it gives first is refused", config)
        .connect()
        .after(200)
        .command("the host answers question 1", answer(1, "stale"))
        .up()
        .after(10)
        .hear("no token expired")
        .closed(CloseCode::NORMAL)
        .wake()
        .note("it knows now that another one is needed")
        .command("the host answers question 1, late", answer(1, "stale"))
        .command("the host answers question 2", answer(2, "fresh"))
        .up()
        .after(10)
        .hear("challenge nonce")
        .after(10)
        .hear("ok")
        .end("asked_credential");
}

#[test]
fn a_login_that_is_renewed() {
    let mut config = Config::default();
    (config.credentials.asked, config.heartbeat.interval, config.heartbeat.keepalive) =
        (true, Duration::MAX, Duration::MAX);
    let answer = |ask, secret: &str| Command::Credential { ask, answer: Ok(Secret::from(secret)) };
    Story::new("A login runs out in an hour, and is renewed on the link that is there", config)
        .connect()
        .command("the host answers question 1", answer(1, "first"))
        .up()
        .hear("ok 3600000")
        .flushed()
        .wake()
        .wake()
        .send("goes on meanwhile", Class::AtLeastOnce)
        .after(100)
        .command("the host answers question 2", answer(2, "second"))
        .flushed()
        .after(20)
        .hear("ok 7200000")
        .hear("got 1")
        .note("the next time the host has nothing; the login holds, and it is asked again")
        .wake()
        .command("the host has nothing", Command::Credential { ask: 3, answer: Err("offline".into()) })
        .wake()
        .end("renewed_login");
}

#[test]
fn topics_over_a_reconnect() {
    let toy = Toy { topics: Topics::One, ..Toy::default() };
    let mut story = Story::with("Topics are wanted for good, and asked for on each link", toy, Config::default());
    story.subscribe("news").subscribe("gossip").send("after them", Class::AtMostOnce);
    story.connect().up().hear("ok").flushed();
    story.note("one is refused, and stops none of the others; then the queue goes on");
    story.hear("sub-no 3 not here").hear("sub-ok 2").hear("t# 17 news one").flushed();
    story.note("what is wanted and left again while there is no link is not asked for");
    story.closed(CloseCode::RESTART).subscribe("rates").subscribe("sports");
    story.command("unsubscribe from sports", Command::Unsubscribe { topic: "sports".into() });
    story.wake().up().hear("ok").flushed().hear("sub-ok 4").hear("sub-ok 5").hear("t# 19 news three");
    story.end("topics");
}

#[test]
fn requests_over_a_reconnect() {
    let mut story = Story::new("A request ends once, whatever becomes of its link", Config::default());
    story.connect().up().hear("ok").flushed();
    let idempotent = RequestOptions::default().idempotent();
    story.request("order", RequestOptions::default()).request("menu?", idempotent).request("table?", idempotent_for(2));
    story.flushed().after(20).hear("re 3 at the window");
    story
        .note("whether the order has arrived nobody knows; the menu can be asked for again")
        .closed(CloseCode::RESTART);
    story.wake().up().hear("ok").flushed().after(30).hear("re 2 soup");
    story.note("too late is too late").hear("re 2 soup, and bread");
    story.request("bill?", idempotent_for(1)).flushed().wake();
    story.end("requests");
}

fn idempotent_for(seconds: u64) -> RequestOptions {
    RequestOptions::default().idempotent().deadline(Duration::from_secs(seconds))
}

#[test]
fn what_leaves_together_and_what_leaves_once() {
    let mut config = Config::default();
    (config.batching.enabled, config.batching.count) = (true, 3);
    (config.dedup.outgoing, config.dedup.incoming) = (Alike::ByKey, true);
    let toy = Toy { batches: true, ..Toy::default() };
    let mut story = Story::with("What is said together leaves as one, and what is said twice leaves once", toy, config);
    story.connect().up().hear("ok").flushed();
    story.send("one", Class::AtMostOnce).keyed("pay", "bill 7").after(20).keyed("pay, please", "bill 7");
    story.note("the third ends the wait").send("three", Class::AtMostOnce).flushed();
    story.note("the next waits for others, but not for long").send("four", Class::AtMostOnce).wake().flushed();
    story.note("on a new link the bill is still the same").closed(CloseCode::RESTART).wake().up().hear("ok").flushed();
    story.keyed("pay!", "bill 7").hear("m! s-1 paid").hear("m! s-1 paid");
    story.end("together");
}

#[test]
fn a_limit_of_the_servers() {
    let mut config = Config::default();
    config.pacing.buckets = vec![Bucket::new(5, Duration::from_secs(1))];
    config.pacing.per_link = false;
    let mut story = Story::new("The server takes five messages a second, on whichever link", config);
    story.connect().up().hear("ok").flushed();
    for text in ["one", "two", "three", "four"] {
        story.send(text, Class::AtMostOnce);
    }
    story.note("of five slots two are kept for what keeps a link alive").after(400).flushed();
    story.note("a slot is free a second after what took it was written, and a little more").wake().flushed();
    story.end("pacing");
}
