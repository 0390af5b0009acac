//! What the logs say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    fmt::{Debug, Write},
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use steadfast::{Cause, ClientId, CloseCode, Config, CredentialUse, HttpAnswer, Secret, SendOptions, Text};
use steadfast_driver::Drain;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::with_default,
};
use world::{Task, World, build, ended, online, online_with};

/// Keeps each line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "steadfast"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The lines of a run, the level before each.
fn lines(run: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    with_default(log.clone(), run);
    let lines = log.0.lock().unwrap();
    lines.iter().map(|(level, line)| format!("{level}{line}")).collect()
}

fn has(lines: &[String], parts: &[&str]) -> bool {
    lines.iter().any(|line| parts.iter().all(|part| line.contains(part)))
}

#[test]
fn a_normal_life_has_no_warnings_and_a_word_for_each_step() {
    let lines = lines(|| {
        let world = World::new();
        let (client, _events, mut driver) = online(&world);
        let mut ticket = Task::new(client.send_tracked("confidential", SendOptions::default()).unwrap());
        assert!(driver.run().is_pending());
        assert!(ticket.poll().is_ready());
        assert!(Task::new(client.close(Drain::within(Duration::from_secs(1)))).poll().is_pending());
        assert!(driver.run().is_pending());
        world.end(Cause::Closed { code: CloseCode::NORMAL, reason: "".into() });
        ended(driver.run());
    });
    for parts in [
        &["DEBUG", "connecting", "attempt=1"][..],
        &["INFO", "phase", "to=online"],
        &["DEBUG", "queued", "id=1"],
        &["TRACE", "sent", "bytes=12"],
        &["TRACE", "flushed", "frames=1"],
        &["DEBUG", "done", "id=1", "Written"],
        &["DEBUG", "closing", "code=1000"],
        &["INFO", "phase", "to=stopped"],
    ] {
        assert!(has(&lines, parts), "{parts:?} in {lines:#?}");
    }
    assert!(!has(&lines, &["WARN"]) && !has(&lines, &["ERROR"]), "{lines:#?}");
    assert!(!has(&lines, &["confidential"]), "payloads are nobody's business");
}

#[test]
fn a_failure_is_told_with_its_code_its_reason_and_the_attempt() {
    let lines = lines(|| {
        let world = World::new();
        let (_client, _events, mut driver) = online(&world);
        world.end(Cause::Closed { code: CloseCode::RESTART, reason: "deploy".into() });
        assert!(driver.run().is_pending());
    });
    assert!(has(&lines, &["WARN", "close 1012", "deploy", "attempt=1", "kind=service_unavailable"]), "{lines:#?}");
    assert!(has(&lines, &["DEBUG", "waiting", "attempt="]), "{lines:#?}");
}

/// Each line of a message has its id, and a close whose it is: of which client, and which attempt.
#[test]
fn a_message_is_followed_by_its_id_and_a_close_by_its_client_and_attempt() {
    let lines = lines(|| {
        let world = World::new();
        let mut config = Config::default();
        config.identity.client_id = ClientId::Given("till-4".into());
        let (client, _events, mut driver) = online_with(&world, world.builder().config(config));
        client.send("nobody asks for this one").unwrap();
        let ticket = client.send_tracked("confidential", SendOptions::default().label("order 17")).unwrap();
        assert!(driver.run().is_pending());
        assert!(Task::new(ticket).poll().is_ready());
        world.end(Cause::Closed { code: CloseCode::RESTART, reason: "deploy".into() });
        assert!(driver.run().is_pending());
        drop(client);
    });
    for word in ["queued", "sent", "flushed"] {
        let line = format!("DEBUG message={word} id=");
        let ids: Vec<_> = lines.iter().filter_map(|at| at.strip_prefix(&line)?.get(..1)).collect();
        assert_eq!(ids, ["1", "2"], "{word} in {lines:#?}");
    }
    assert!(has(&lines, &["DEBUG", "done", "id=2", "Written", "label=\"order 17\""]), "{lines:#?}");
    assert!(has(&lines, &["WARN", "close 1012", "client_id=till-4", "attempt=1"]), "{lines:#?}");
    assert!(!has(&lines, &["confidential"]), "payloads are nobody's business");
}

#[test]
fn our_own_close_is_told_with_client_and_attempt() {
    let lines = lines(|| {
        let world = World::new();
        let mut config = Config::default();
        config.identity.client_id = ClientId::Given("till-4".into());
        let (client, _events, mut driver) = online_with(&world, world.builder().config(config));
        client.stop();
        assert!(driver.run().is_pending());
    });
    assert!(has(&lines, &["DEBUG", "closing", "link=1", "attempt=1", "client_id=till-4", "code=1000"]), "{lines:#?}");
}

/// The host says why it has none, and says it with the one before in it. Only the session knows what that is.
#[test]
fn a_reason_of_the_host_brings_no_credential_into_the_logs() {
    let lines = lines(|| {
        let world = World::new();
        let mut config = Config::default();
        config.credentials.when = CredentialUse::AtDial;
        let mut answers = [Err(Text::from("hunter2 has expired")), Ok(Secret::from("hunter2"))].to_vec();
        let builder = world.builder().config(config).credentials(move |_| ready(answers.pop().unwrap()));
        let (_client, _events, mut driver) = build(builder);
        world.refuse(Cause::Http(Box::new(HttpAnswer { status: 401, ..HttpAnswer::default() })));
        assert!(driver.run().is_pending());
        world.pass(Duration::from_secs(60));
        assert!(driver.run().is_pending());
    });
    assert!(has(&lines, &["WARN", "kind=authentication_failed", "a text that shows the credential"]), "{lines:#?}");
    assert!(!has(&lines, &["hunter2"]), "{lines:#?}");
}
