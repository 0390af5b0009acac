//! What a handle changes while the session runs: endpoints, settings, hints; and what is kept over a stop.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
    time::Duration,
};

use steadfast::{
    BadEndpoints, Cause, Config, Dropped, Event, Frame, Keepsake, OpId, Outcome, Phase, Queued, SendOptions, StopCause,
};
use steadfast_driver::{BuildError, Drain, Item};
use world::{Parts, Task, World, build, ended, online, online_with, take};

const LONG: Duration = Duration::from_secs(60);

fn lost(world: &World, (_, _, driver): &mut Parts) {
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
}

#[test]
fn endpoints_are_dialed_in_turn() {
    let world = World::new();
    let (_client, _events, mut driver) = build(world.builder().endpoints(["ws://a", "ws://b"]));
    for _ in 0..3 {
        world.refuse(Cause::Ended);
        assert!(driver.run().is_pending());
        world.pass(LONG);
    }
    assert_eq!(world.endpoints(), ["ws://a", "ws://b", "ws://a"]);
}

#[test]
fn what_waited_for_another_place_comes_back() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().endpoints(["ws://a"]));
    let mut ticket = Task::new(client.send_tracked("for a", SendOptions::default()).unwrap());
    assert!(driver.run().is_pending());
    let back = client.endpoints(["ws://b"], Queued::ComeBack).unwrap();
    let back: Vec<_> = back.into_iter().map(|one| (one.id, one.message)).collect();
    assert_eq!(back, [(OpId(1), Frame::from("for a"))]);
    assert_eq!(driver.wakes.take(), 1);
    world.accept();
    assert!(driver.run().is_pending());
    world.pass(LONG);
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Cancelled));
    assert_eq!(world.endpoints(), ["ws://a", "ws://b"]);
    assert!(world.left(0).is_empty());
}

#[test]
fn a_list_that_is_too_long_is_refused_and_nothing_has_changed() {
    let world = World::new();
    let many = || (0..1_000).map(|n| format!("ws://{n}"));
    let built = world.builder().endpoints(many()).build();
    assert_eq!(built.err(), Some(BuildError::Endpoints(BadEndpoints::TooMany)));
    let (client, _events, mut driver) = online(&world);
    assert_eq!(client.endpoints(many(), Queued::ComeBack), Err(BadEndpoints::TooMany));
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Online);
}

#[test]
fn a_lost_network_is_not_dialed_and_one_that_is_back_is() {
    let world = World::new();
    let mut parts = online(&world);
    parts.0.network_lost();
    lost(&world, &mut parts);
    let (client, _events, mut driver) = parts;
    world.pass(Duration::from_secs(30));
    assert!(driver.run().is_pending());
    assert_eq!((world.dials(), client.phase()), (1, Phase::Waiting));
    client.network_back();
    world.accept();
    world.pass(Duration::from_secs(1));
    assert!(driver.run().is_pending());
    assert_eq!((world.dials(), client.phase()), (2, Phase::Online));
}

#[test]
fn a_suspended_session_keeps_its_queue_and_goes_on() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    client.suspend();
    assert_eq!(driver.wakes.take(), 1);
    assert!(driver.run().is_pending());
    assert!(world.closed(0).is_some());
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    client.send("for later").unwrap();
    world.pass(LONG);
    assert!(driver.run().is_pending());
    assert_eq!((world.dials(), client.phase()), (1, Phase::Suspended));
    client.resume();
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!((client.phase(), world.left(1)), (Phase::Online, vec!["for later".to_owned()]));
}

#[test]
fn settings_change_while_it_runs_if_they_make_sense() {
    let world = World::new();
    let (client, _events, _driver) = online(&world);
    let mut config = client.config();
    config.queue.max_messages = 0;
    assert!(client.configure(config.clone()).is_err());
    assert_ne!(client.config().queue.max_messages, 0);
    config.queue.max_messages = 1;
    client.configure(config).unwrap();
    client.send("one").unwrap();
    assert!(client.send("two").is_err());
}

/// A session that keeps what it has over a stop, one message of which has a ticket and one has not.
fn keeping(world: &World) -> (Parts, Task<steadfast_driver::Ticket<steadfast::Plain>>, OpId) {
    let mut config = Config::default();
    config.keep_on_stop = true;
    world.block(true);
    let mut parts = online_with(world, world.builder().config(config));
    lost(world, &mut parts);
    let (client, _, driver) = &mut parts;
    let ticket = Task::new(client.send_tracked("with a ticket", SendOptions::default()).unwrap());
    let id = client.send("without").unwrap();
    client.stop();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
    world.block(false);
    (parts, ticket, id)
}

fn is_dropped(items: &[Item<Frame, steadfast::Never>], message: OpId) -> bool {
    items.iter().any(|item| {
        matches!(item, Item::Event(Event::Outcome { id, outcome: Outcome::Dropped(Dropped::Stopped), .. }) if *id == message)
    })
}

#[test]
fn a_ticket_of_a_kept_message_resolves_after_the_next_start() {
    let world = World::new();
    let ((client, _events, mut driver), mut ticket, _) = keeping(&world);
    assert!(ticket.poll().is_pending());
    world.pass(LONG);
    client.connect_now();
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Written));
    assert_eq!(world.left(1), ["with a ticket", "without"]);
}

#[test]
fn nothing_is_kept_when_a_stopped_session_is_closed() {
    let world = World::new();
    let ((client, mut events, mut driver), mut ticket, untold) = keeping(&world);
    let mut closing = Task::new(client.close(Drain::within(LONG)));
    assert!(closing.poll().is_pending());
    ended(driver.run());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Dropped(Dropped::Stopped)));
    assert!(is_dropped(&take(&mut events), untold));
}

#[test]
fn nothing_is_kept_when_the_driver_is_dropped() {
    let world = World::new();
    let ((_client, mut events, driver), mut ticket, untold) = keeping(&world);
    drop(driver);
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Dropped(Dropped::Stopped)));
    assert!(is_dropped(&take(&mut events), untold));
}

#[test]
fn what_is_asked_of_a_session_that_is_gone_does_nothing() {
    let world = World::new();
    let (client, _events, driver) = online(&world);
    drop(driver);
    assert_eq!(client.endpoints(["ws://b"], Queued::ComeBack), Ok(vec![]));
    assert_eq!(client.configure(Config::default()), Ok(()));
    client.network_lost();
    client.network_back();
    client.suspend();
    client.resume();
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
}

#[test]
fn what_was_saved_is_sent_by_the_next_process() {
    let world = World::new();
    let (client, _events, driver) = build(world.builder());
    for text in ["one", "forgotten", "two"] {
        client.send(text).unwrap();
    }
    let keepsake = client.save(|frame| {
        let text = frame.as_str().filter(|text| *text != "forgotten")?;
        Some(text.to_owned().into())
    });
    drop(driver);
    let stored = keepsake.to_bytes();
    let keepsake = Keepsake::from_bytes(stored).unwrap();
    let text = |body: &bytes::Bytes| String::from_utf8(body.to_vec()).ok().map(Frame::from);
    let (_client, _events, _driver) = online_with(&world, world.builder().recall(keepsake, text));
    assert_eq!(world.left(0), ["one", "two"]);
}

#[test]
fn a_panic_while_saving_is_the_callers() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    client.send("hello").unwrap();
    let saving = AssertUnwindSafe(|| client.save(|_| panic!("a planned panic")));
    assert!(catch_unwind(saving).is_err());
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!((client.phase(), world.left(0)), (Phase::Online, vec!["hello".to_owned()]));
}
