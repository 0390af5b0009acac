//! Whoever watches a session sees every turn, and no secret leaves it by another way.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use steadfast::{
    Answer, Cause, CloseCode, Command, Frame, Input, Machine, MessageLog, Plain, Secret, SendOptions, Session,
    Timestamp, Watch, Way,
    protocol::json::{Json, Login},
};
use steadfast_driver::{Drain, Kept};
use tracing::{Event, Metadata, Subscriber, field, span, subscriber::with_default};
use world::{Task, World, build, ended, online_with, take};

/// What was seen, a line each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Watch<Session<Plain>> for Seen {
    fn before(&mut self, _: Timestamp, input: &Input<Frame>) {
        let what = match input {
            Input::Command(Command::Authenticate(_)) => "authenticate",
            Input::Command(Command::Connect) => "connect",
            Input::Command(Command::Send { .. }) => "send",
            Input::Command(_) => "another command",
            Input::Report(..) => "report",
            Input::Wake => "wake",
        };
        self.note(what.into());
    }

    fn after(
        &mut self,
        _: Timestamp,
        session: &Session<Plain>,
        answer: &<Session<Plain> as Machine>::Answer,
        actions: &[<Session<Plain> as Machine>::Action],
    ) {
        let is_done = if *answer == Answer::Done { ", done" } else { "" };
        self.note(format!("{}, {} actions{is_done}", session.phase(), actions.len()));
    }
}

#[test]
fn every_turn_is_seen_before_and_after_from_the_first_on() {
    let (world, seen) = (World::new(), Seen::default());
    let (client, _events, mut driver) = build(world.builder().credential("x").watch(seen.clone()));
    client.send("early").unwrap();
    assert!(driver.run().is_pending());
    assert_eq!(
        seen.all(),
        ["authenticate", "idle, 0 actions, done", "send", "idle, 0 actions", "connect", "connecting, 2 actions, done"]
    );
    client.send("late").unwrap();
    assert_eq!(seen.all()[6..], ["send", "connecting, 0 actions"], "and not what was done before");
}

#[test]
fn a_watch_that_panics_ends_the_session_in_order() {
    struct Fragile;

    impl Watch<Session<Plain>> for Fragile {
        fn before(&mut self, _: Timestamp, input: &Input<Frame>) {
            assert!(!matches!(input, Input::Report(..)), "it breaks");
        }

        fn after(
            &mut self,
            _: Timestamp,
            _: &Session<Plain>,
            _: &<Session<Plain> as Machine>::Answer,
            _: &[<Session<Plain> as Machine>::Action],
        ) {
        }
    }

    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().watch(Fragile));
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    world.accept();
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.run()));
    assert!(broken.is_err());
    ended(driver.run());
    assert!(ticket.poll().is_ready());
    assert!(client.send("too late").is_err());
}

/// Keeps all that is logged, at every level.
struct Log(Seen);

struct Line(String);

impl field::Visit for Line {
    fn record_debug(&mut self, field: &field::Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.note(line.0);
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn no_credential_is_in_a_log_an_event_or_what_debug_shows() {
    let log = Seen::default();
    let shown = log.clone();
    with_default(Log(log.clone()), move || {
        let world = World::new();
        let builder = world.builder().protocol(Json::new(7).login(Login::default())).credential("first-credential");
        shown.note(format!("{builder:?}"));
        let (client, mut events, mut driver) = build(builder);
        world.accept();
        assert!(driver.run().is_pending());
        assert!(world.left(0)[0].contains("first-credential"), "the server gets it");
        world.say(r#"{"type":"error","data":{"code":"expired","message":"too old"}}"#);
        assert!(driver.run().is_pending());
        client.authenticate(Secret::from("second-credential"));
        world.end(Cause::Closed { code: CloseCode::NORMAL, reason: "".into() });
        world.accept();
        assert!(driver.run().is_pending());
        world.pass_to_timer();
        assert!(driver.run().is_pending());
        assert!(world.left(1)[0].contains("second-credential"), "and the next one");
        world.say(r#"{"type":"connected"}"#);
        assert!(driver.run().is_pending());
        assert_eq!(client.phase(), steadfast::Phase::Online);
        shown.note(format!("{:?} {client:?} {events:?}", take(&mut events)));
        shown.note(format!("{:?} {:?} {:?}", client.health(), client.history(), client.stats()));
        assert!(Task::new(client.close(Drain::within(Duration::from_secs(1)))).poll().is_pending());
        assert!(driver.run().is_pending());
    });
    let lines = log.all();
    assert!(lines.iter().any(|line| line.contains("too old")), "failures are told: {lines:#?}");
    let leak = lines.iter().find(|line| line.contains("first-cred") || line.contains("second-cred"));
    assert_eq!(leak, None);
}

#[test]
fn a_log_of_messages_can_be_read_while_the_session_goes_on() {
    let (world, log) = (World::new(), Kept::new(MessageLog::new(10)));
    let both = (log.clone(), Seen::default());
    let (client, _events, mut driver) = online_with(&world, world.builder().watch(both.clone()));
    client.send_with("hello", SendOptions::default().tracked()).unwrap();
    assert!(driver.run().is_pending());
    world.say("good day");
    assert!(driver.run().is_pending());
    let told =
        log.look(|log| log.entries().map(|entry| (entry.way, entry.bytes, entry.ended.is_some())).collect::<Vec<_>>());
    assert_eq!(told, [(Way::Out, 5, true), (Way::In, 8, false)]);
    assert!(both.1.all().len() > 4, "and the other one sees them too");
}

/// The builder is whole before and after.
#[test]
fn a_protocol_that_is_set_later_is_not_watched_as_another() {
    let (world, seen) = (World::new(), Seen::default());
    let builder = world.builder().watch(seen.clone()).protocol(Plain);
    let (client, _events, _driver) = online_with(&world, builder);
    client.send("hello").unwrap();
    assert_eq!(seen.all(), Vec::<String>::new());
}
