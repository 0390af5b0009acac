//! How it ends: by a handle, by the last handle, by dropping the driver, by a panic.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    fmt::Debug,
    future::{Future, Ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use steadfast::{
    Abilities, Attempt, Cause, CloseCode, Config, Dropped, Event, Frame, Heard, Never, OpId, Outcome, Phase, Plain,
    Protocol, Say, SendOptions, StopCause, Timestamp, Unfit, Why,
};
use steadfast_driver::{
    Client, Dial, Dialer, Drain, Driver, Events, Item, LAST_DRAIN, Mailbox, Runtime, Socket, Ticket,
};
use world::{End, Task, World, build, ended, online, online_with, take};

fn closed() -> Cause {
    Cause::Closed { code: CloseCode::NORMAL, reason: "bye".into() }
}

#[test]
fn closing_sends_what_was_accepted_and_ends_the_driver() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    client.send("last words").unwrap();
    let mut closing = Task::new(client.close(Drain::within(Duration::from_secs(2))));
    assert!(closing.poll().is_pending());
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["last words"]);
    assert_eq!(world.closed(0).map(|(code, _)| code), Some(CloseCode::NORMAL));
    assert!(closing.poll().is_pending());
    world.end(closed());
    assert_eq!(ended(driver.run()), StopCause::User);
    assert_eq!(closing.wakes.take(), 1);
    assert_eq!(closing.poll(), Poll::Ready(StopCause::User));
    take(&mut events);
    assert_eq!(Task::new(events.next()).poll(), Poll::Ready(None));
    assert_eq!(client.send("too late").map_err(|refused| refused.why), Err(Why::Stopped));
}

#[test]
fn closing_is_for_good() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    assert!(Task::new(client.close(Drain::within(Duration::from_secs(2)))).poll().is_pending());
    client.connect_now();
    assert!(driver.run().is_pending());
    assert!(world.closed(0).is_some());
    world.end(closed());
    ended(driver.run());
}

#[test]
fn closing_what_has_stopped_ends_it() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    client.stop();
    assert!(driver.run().is_pending());
    let mut closing = Task::new(client.close(Drain::within(Duration::ZERO)));
    assert!(closing.poll().is_pending());
    assert_eq!(driver.wakes.take(), 1);
    ended(driver.run());
    assert!(closing.poll().is_ready());
}

#[test]
fn a_stopped_session_can_be_started_again() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    client.stop();
    assert!(driver.run().is_pending());
    world.end(closed());
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
    client.connect_now();
    world.accept();
    assert!(driver.run().is_pending());
    world.pass(Duration::from_secs(1));
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Online);
    assert!(!take(&mut events).is_empty());
}

#[test]
fn a_session_that_failed_can_be_started_again() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    world.refuse(Cause::Impossible("no such place".into()));
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Stopped(StopCause::Failed));
    world.pass(Duration::from_secs(1));
    client.connect_now();
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Online);
}

#[test]
fn the_last_handle_drains_and_ends_it() {
    let world = World::new();
    let (client, mut events, mut driver) = build(world.builder());
    let clone = client.clone();
    client.send("before the first poll").unwrap();
    drop(client);
    assert!(driver.run().is_pending());
    assert_eq!(clone.phase(), Phase::Connecting, "there is another handle");
    drop(clone);
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["before the first poll"]);
    world.end(closed());
    ended(driver.run());
    take(&mut events);
    assert_eq!(Task::new(events.next()).poll(), Poll::Ready(None));
}

#[test]
fn what_was_sent_before_anything_was_polled_is_drained_too() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    client.send("hello").unwrap();
    drop(client);
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["hello"]);
}

#[test]
fn the_last_drain_has_an_end() {
    let world = World::new();
    let (client, mut events, mut driver) = build(world.builder());
    let id = client.send("nobody is there").unwrap();
    assert!(driver.run().is_pending());
    drop(client);
    assert!(driver.run().is_pending());
    world.pass(LAST_DRAIN);
    ended(driver.run());
    let outcome = Outcome::Dropped(Dropped::Stopped);
    assert!(take(&mut events).contains(&Item::Event(Event::Outcome { id, outcome, label: None })));
}

#[test]
fn the_last_handle_of_a_stopped_session_ends_it_at_once() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    client.stop();
    assert!(driver.run().is_pending());
    drop(client);
    assert_eq!(driver.wakes.take(), 1);
    ended(driver.run());
}

#[test]
fn dropping_the_driver_gives_each_message_its_outcome() {
    let world = World::new();
    let mut config = Config::default();
    (config.queue.max_messages, config.window.frames) = (3, 1);
    world.block(true);
    let (client, mut events, mut driver) = online_with(&world, world.builder().config(config));
    let mut tickets = ["one", "two"].map(|text| Task::new(client.send_tracked(text, SendOptions::default()).unwrap()));
    let untold = client.send("three").unwrap();
    let mut waiting = Task::new(client.send_when_ready("four"));
    let mut closing = Task::new(client.close(Drain::within(Duration::MAX)));
    assert!(waiting.poll().is_pending() && closing.poll().is_pending());
    tickets.iter_mut().for_each(|ticket| assert!(ticket.poll().is_pending()));
    assert!(driver.run().is_pending());
    drop(driver);
    let stopped = Outcome::Dropped(Dropped::Stopped);
    // Nothing had left: the transport takes nothing.
    for ticket in &mut tickets {
        assert_eq!(ticket.wakes.take(), 1);
        assert_eq!(ticket.poll(), Poll::Ready(stopped.clone()));
    }
    let Poll::Ready(Err(refused)) = waiting.poll() else { panic!("it still waits") };
    assert_eq!((refused.why, refused.message), (Why::Stopped, Frame::from("four")));
    assert_eq!(closing.poll(), Poll::Ready(StopCause::User));
    assert!(take(&mut events).contains(&Item::Event(Event::Outcome { id: untold, outcome: stopped, label: None })));
    assert_eq!(Task::new(events.next()).poll(), Poll::Ready(None));
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
    assert_eq!(client.send("five").map_err(|refused| refused.why), Err(Why::Stopped));
    client.connect_now();
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
}

/// Whoever is woken by the end may act at once: start the session again, and send.
#[test]
fn what_is_sent_while_the_driver_is_dropped_is_refused() {
    struct Sender(Client<Plain>, Mutex<Vec<Result<OpId, Why>>>);
    impl Wake for Sender {
        fn wake(self: Arc<Self>) {
            self.0.connect_now();
            self.1.lock().unwrap().push(self.0.send("now").map_err(|refused| refused.why));
        }
    }
    let world = World::new();
    world.block(true);
    let (client, mut events, mut driver) = online(&world);
    let mut ticket = client.send_tracked("hello", SendOptions::default()).unwrap();
    let sender = Arc::new(Sender(client, Mutex::default()));
    let waker = Waker::from(Arc::clone(&sender));
    assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(driver.run().is_pending());
    drop(driver);
    assert_eq!(*sender.1.lock().unwrap(), [Err(Why::Stopped)]);
    let stopped = |item: &Item<_, _>| matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Stopped(StopCause::User));
    assert!(take(&mut events).last().is_some_and(stopped));
}

#[test]
fn a_driver_that_was_never_polled_ends_all_too() {
    let world = World::new();
    let (client, mut events, driver) = build(world.builder());
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    drop(driver);
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Dropped(Dropped::Stopped)));
    take(&mut events);
    assert_eq!(Task::new(events.next()).poll(), Poll::Ready(None));
}

/// Panics at what the peer says.
#[derive(Debug)]
struct Fragile;

impl Protocol for Fragile {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
        assert_ne!(message.as_str(), Some("panic"), "a planned panic");
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), _: Frame, _: &mut Vec<Heard<Frame, Never>>) {
        panic!("a planned panic");
    }

    fn encode(&mut self, (): &mut (), now: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        Plain.encode(&mut (), now, say, frames);
    }
}

#[test]
fn a_panic_in_a_turn_of_the_driver_ends_everything() {
    let world = World::new();
    world.block(true);
    let mut config = Config::default();
    config.queue.max_messages = 1;
    let (client, mut events, mut driver) = online_with(&world, world.builder().config(config).protocol(Fragile));
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    let mut waiting = Task::new(client.send_when_ready("no room"));
    assert!(ticket.poll().is_pending() && waiting.poll().is_pending());
    world.say("anything");
    assert!(catch_unwind(AssertUnwindSafe(|| driver.run())).is_err());
    drop(driver);
    assert_eq!((ticket.wakes.take(), waiting.wakes.take()), (1, 1));
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::InDoubt));
    assert!(matches!(waiting.poll(), Poll::Ready(Err(refused)) if refused.why == Why::Stopped));
    assert_eq!(client.phase(), Phase::Stopped(StopCause::Failed));
    assert!(client.send("more").is_err());
    assert_failed(take(&mut events).last());
    assert_eq!(Task::new(events.next()).poll(), Poll::Ready(None));
}

fn assert_failed<I: Debug, T: Debug>(last: Option<&Item<I, T>>) {
    let Some(Item::Event(Event::Phase(change))) = last else { panic!("not the end: {last:?}") };
    assert_eq!((change.from, change.to), (Phase::Online, Phase::Stopped(StopCause::Failed)));
}

#[test]
fn a_panic_in_a_turn_of_a_handle_ends_everything() {
    let world = World::new();
    let (client, mut events, mut driver) = online_with(&world, world.builder().protocol(Fragile));
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    driver.wakes.take();
    assert!(driver.run().is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| client.send("panic"))).is_err());
    assert_eq!(driver.wakes.take(), 1);
    assert_eq!(ended(driver.run()), StopCause::Failed);
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Written), "what was known before stays known");
    assert!(client.send("more").is_err());
    assert_failed(take(&mut events).last());
    drop(client);
}

#[test]
fn a_panic_in_a_dialer_ends_everything_in_order() {
    let world = World::new();
    let dialer = |_: Attempt| -> Ready<Dial<End>> { panic!("a planned panic") };
    let (client, _events, driver) = world.builder().dialer(dialer).build().unwrap();
    let mut driver = Task::new(driver);
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    assert!(catch_unwind(AssertUnwindSafe(|| driver.run())).is_err());
    drop(driver);
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Dropped(Dropped::Stopped)));
}

#[test]
fn frames_that_came_with_the_end_come_before_it() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    world.say_all(["one", "two"].map(Frame::from));
    world.end(closed());
    assert!(driver.run().is_pending());
    let items = take(&mut events);
    assert_eq!(items[0].clone().into_message(), Some(Frame::from("one")));
    assert_eq!(items[1].clone().into_message(), Some(Frame::from("two")));
    assert!(matches!(items[2], Item::Error(_)), "{items:?}");
    assert!(!client.history().is_empty());
}

/// The driver hands the frame to the link before it learns of the end, and flushes it: the message counts as
/// written, and at most once means that it is not sent again.
#[test]
fn what_is_sent_before_the_end_is_known_is_written_once() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    world.end(Cause::Ended);
    let mut one = Task::new(client.send_tracked("one", SendOptions::default()).unwrap());
    assert!(driver.run().is_pending());
    assert_eq!(one.poll(), Poll::Ready(Outcome::Written));
    let mut two = Task::new(client.send_tracked("two", SendOptions::default()).unwrap());
    assert!(two.poll().is_pending());
    reconnect(&world, &mut driver);
    assert_eq!(two.poll(), Poll::Ready(Outcome::Written));
    assert_eq!((world.left(0), world.left(1)), (vec!["one".to_owned()], vec!["two".to_owned()]));
}

#[test]
fn what_did_not_leave_on_a_link_that_ended_leaves_on_the_next() {
    let world = World::new();
    world.block(true);
    let (client, _events, mut driver) = online(&world);
    world.end(Cause::Ended);
    let mut one = Task::new(client.send_tracked("one", SendOptions::default()).unwrap());
    assert!(driver.run().is_pending());
    assert!(one.poll().is_pending());
    world.block(false);
    reconnect(&world, &mut driver);
    assert_eq!(one.poll(), Poll::Ready(Outcome::Written));
    assert_eq!((world.left(0), world.left(1)), (vec![], vec!["one".to_owned()]));
}

fn reconnect(world: &World, driver: &mut Task<Driver<Plain, World, World>>) {
    world.accept();
    while world.dials() < 2 {
        world.pass_to_timer();
        assert!(driver.run().is_pending());
    }
}

#[test]
fn one_owner_needs_no_driver_of_its_own() {
    let world = World::new();
    let mut socket = world.builder().mailbox(Mailbox::pause(10, 1 << 20)).into_stream().unwrap();
    socket.send("hello").unwrap();
    world.accept();
    let mut phases = Vec::new();
    while !matches!(phases.last(), Some(Phase::Online)) {
        let Poll::Ready(Some(item)) = Task::new(socket.next()).run() else { panic!("nothing happens") };
        if let Item::Event(Event::Phase(change)) = item {
            phases.push(change.to);
        }
    }
    let mut next = Task::new(socket.next());
    assert!(next.run().is_pending());
    world.say_all((0..100).map(|n| Frame::from(n.to_string())));
    assert_eq!(next.wakes.take(), 1);
    drop(next);
    for n in 0..100 {
        let Poll::Ready(Some(item)) = Task::new(socket.next()).run() else { panic!("{n} is missing") };
        assert_eq!(item.into_message(), Some(Frame::from(n.to_string())));
    }
    assert_eq!(world.left(0), ["hello"]);
    let mut close = Task::new(socket.close(Drain::within(Duration::from_secs(1))));
    assert!(close.run().is_pending());
    world.end(closed());
    assert!(close.run().is_ready());
}

/// A driver is `Send` where its parts are, and handles can be shared.
#[test]
fn what_can_be_sent_and_shared() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn all<R, D>()
    where
        R: Runtime,
        R::Sleep: Send,
        D: Dialer + Send,
        D::Dial: Send,
        D::Transport: Send,
    {
        send::<Driver<Plain, R, D>>();
        send::<Socket<Plain, R, D>>();
    }
    all::<World, World>();
    send::<Client<Plain>>();
    sync::<Client<Plain>>();
    send::<Events<Plain>>();
    send::<Ticket<Plain>>();
}
