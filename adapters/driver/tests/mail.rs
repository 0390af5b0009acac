//! What a slow application gets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{task::Poll, time::Duration};

use bytes::Bytes;
use steadfast::{
    Abilities, Acks, Cause, CloseCode, Config, Event, Frame, Heard, Mark, Marks, Never, Phase, Plain, Protocol, Say,
    SendOptions, Timestamp, Unfit,
};
use steadfast_driver::{BuildError, Item, Lagged, Mailbox};
use world::{Task, World, build, online_with, take, texts};

fn frames(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Frame> {
    numbers.map(|n| Frame::from(n.to_string()))
}

#[test]
fn a_lagging_reader_misses_the_oldest_and_is_told_how_many() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::lag(10, 1 << 20)));
    world.say_all(frames(0..25));
    assert!(driver.run().is_pending());
    let items = take(&mut events);
    assert_eq!(items[0], Item::Lagged(Lagged { messages: 15, events: 0 }));
    let rest: Vec<_> = items.into_iter().filter_map(Item::into_message).collect();
    assert_eq!(rest, frames(15..25).collect::<Vec<_>>());
}

#[test]
fn only_messages_lag() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::lag(1, 1 << 20)));
    world.say_all(frames(0..5));
    world.end(Cause::Closed { code: CloseCode::RESTART, reason: "restart".into() });
    assert!(driver.run().is_pending());
    let items = take(&mut events);
    assert!(matches!(items[0], Item::Lagged(Lagged { messages: 4, events: 0 })));
    assert_eq!(items[1].clone().into_message(), Some(Frame::from("4")));
    assert!(items.iter().any(|item| matches!(item, Item::Error(_))), "{items:?}");
    let left = |item: &Item<_, _>| matches!(item, Item::Event(Event::Phase(change)) if change.from == Phase::Online);
    assert!(items.iter().any(left), "{items:?}");
}

#[test]
fn bytes_are_bounded_too_and_the_newest_always_stays() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::lag(1_000, 100)));
    world.say_all((0..5).map(|n| Frame::from(vec![n; 40])));
    assert!(driver.run().is_pending());
    let items = take(&mut events);
    assert_eq!(items[0], Item::Lagged(Lagged { messages: 3, events: 0 }));
    assert_eq!(items.len(), 3);
    world.say(vec![9; 1_000]);
    assert!(driver.run().is_pending());
    let newest = take(&mut events).pop().and_then(Item::into_message);
    assert_eq!(newest, Some(Frame::from(vec![9; 1_000])));
}

#[test]
fn all_comes_in_the_order_in_which_it_happened() {
    let world = World::new();
    let (client, mut events, mut driver) = online_with(&world, world.builder());
    let options = SendOptions::default().tracked();
    for text in ["one", "two", "three"] {
        world.say(text);
        assert!(driver.run().is_pending());
        client.send_with(text, options.clone()).unwrap();
        assert!(driver.run().is_pending());
    }
    let is_message: Vec<_> = take(&mut events).into_iter().map(|item| item.into_message().is_some()).collect();
    assert_eq!(is_message, [true, false, true, false, true, false]);
}

#[test]
fn a_pausing_mailbox_stops_reading_until_half_of_it_is_taken() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::pause(100, 1 << 20)));
    world.say_all(frames(0..1_000));
    assert!(driver.run().is_pending());
    assert_eq!(world.unread(), 900);
    assert_eq!(driver.wakes.take(), 0);

    let mut reader = Task::new(async {
        let mut got = Vec::new();
        for _ in 0..1_000 {
            got.extend(events.next().await.and_then(Item::into_message));
        }
        got
    });
    let mut pauses = 0;
    let got = loop {
        match reader.run() {
            Poll::Ready(got) => break got,
            Poll::Pending => pauses += 1,
        }
        assert!(driver.wakes.take() > 0, "the reader caught up and the driver was not told");
        assert!(driver.run().is_pending());
    };
    assert_eq!(got, frames(0..1_000).collect::<Vec<_>>());
    assert!(pauses >= 9, "{pauses}");
}

#[test]
fn a_pausing_mailbox_counts_bytes_while_it_reads() {
    let world = World::new();
    let mailbox = Mailbox::pause(100_000, 1_000);
    let (client, mut events, mut driver) = online_with(&world, world.builder().mailbox(mailbox));
    world.say_all((0..1_000).map(|_| Frame::from(vec![0; 10_000])));
    assert!(driver.run().is_pending());
    assert_eq!((client.stats().received, world.unread()), (1, 999));
    assert_eq!(take(&mut events).len(), 1);
    assert!(driver.run().is_pending());
    assert_eq!(world.unread(), 998);
}

#[test]
fn outcomes_that_come_all_at_once_are_all_told() {
    let world = World::new();
    let mut config = Config::default();
    config.queue.max_messages = 100_000;
    let (client, mut events, mut driver) = build(world.builder().config(config));
    world.refuse(Cause::Unreachable("nobody".into()));
    assert!(driver.run().is_pending());
    assert_eq!((0..100_000).filter(|n| client.send(n.to_string()).is_ok()).count(), 100_000);
    client.stop();
    assert!(driver.run().is_pending());
    client.connect_now();
    client.stop();
    assert!(driver.run().is_pending());
    let is_outcome = |item: &Item<_, _>| matches!(item, Item::Event(Event::Outcome { .. }));
    assert_eq!(take(&mut events).iter().filter(|item| is_outcome(item)).count(), 100_000);
}

/// The poll in which a link opens reads too; it must not read more than there is room for.
#[test]
fn a_pausing_mailbox_is_not_overrun_by_links_that_come_and_go() {
    let world = World::new();
    let (client, mut events, mut driver) = build(world.builder().mailbox(Mailbox::pause(10, 1 << 20)));
    world.welcome(frames(0..500), Cause::Ended);
    for _ in 0..20 {
        world.accept();
        assert!(driver.run().is_pending());
        world.pass(Duration::from_secs(60));
        assert!(driver.run().is_pending());
    }
    assert_eq!(client.stats().received, 10);
    assert_eq!(texts(&mut events).len(), 10);
}

#[test]
fn while_reading_is_paused_silence_proves_nothing() {
    let world = World::new();
    let (client, mut events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::pause(1, 1 << 20)));
    world.say("unread");
    assert!(driver.run().is_pending());
    for _ in 0..100 {
        world.pass(Duration::from_secs(10));
        assert!(driver.run().is_pending());
    }
    assert_eq!(client.phase(), Phase::Online);
    assert_eq!(texts(&mut events), ["unread"]);
    assert!(driver.run().is_pending());
    let resumed = world.time();
    while client.phase() == Phase::Online {
        world.pass_to_timer();
        assert!(driver.run().is_pending());
    }
    assert!(world.time().since(resumed) <= Duration::from_secs(35), "and now it does");
}

#[test]
fn without_a_reader_nothing_piles_up_and_nothing_pauses() {
    let world = World::new();
    let (client, events, mut driver) = online_with(&world, world.builder().mailbox(Mailbox::pause(10, 1 << 20)));
    world.say_all(frames(0..100));
    assert!(driver.run().is_pending());
    drop(events);
    assert!(driver.run().is_pending());
    assert_eq!(world.unread(), 0);
    assert_eq!(client.stats().received, 100);
}

#[test]
fn a_reader_is_woken_once_for_all_that_came_at_once() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder());
    let mut reader = Task::new(async move { events.next().await });
    assert!(reader.poll().is_pending());
    world.say_all(frames(0..100));
    assert!(driver.run().is_pending());
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.poll().is_ready());
}

#[test]
fn a_mailbox_without_room_is_refused() {
    let world = World::new();
    assert_eq!(world.builder().mailbox(Mailbox::lag(0, 1)).build().err(), Some(BuildError::NoMailbox));
}

/// Each message is `id text` and wants its id acknowledged.
struct Acking;

impl Protocol for Acking {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities { acks: Acks::Each, ..Abilities::default() }
    }

    fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        let id = Some(frame.payload().clone());
        heard.push(Heard::Message {
            message: frame,
            topic: None,
            mark: Mark::new(Marks { id, ack: true, ..Marks::default() }),
        });
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        if let Say::AckOf { id } = say {
            let text = String::from_utf8(Bytes::clone(id).into()).unwrap();
            frames.push(Frame::from(format!("ack {text}")));
        }
    }
}

#[test]
fn what_could_be_dropped_unread_cannot_be_acknowledged() {
    let world = World::new();
    let lagging = world.builder().protocol(Acking).mailbox(Mailbox::lag(10, 10)).build();
    assert_eq!(lagging.err(), Some(BuildError::LagWithAcks));
    assert!(world.builder().protocol(Acking).build().is_ok(), "the default fits");
}

#[test]
fn only_what_was_taken_is_acknowledged() {
    let world = World::new();
    let (_client, mut events, mut driver) = online_with(&world, world.builder().protocol(Acking));
    world.say_all(["a", "b", "c"].map(Frame::from));
    assert!(driver.run().is_pending());
    assert!(world.left(0).is_empty());
    let mut reader = Task::new(async {
        events.next().await;
        events.next().await;
    });
    assert!(reader.run().is_ready());
    assert!(driver.wakes.take() > 0);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["ack a", "ack b"]);
}
