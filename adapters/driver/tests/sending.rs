//! Tickets, and waiting for room.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::task::Poll;

use steadfast::{Cause, Config, Dropped, Event, Frame, OpId, Outcome, Overflow, SendOptions, Text, Why};
use steadfast_driver::{Client, Item};
use world::{Parts, Task, World, build, online, online_with, take};

/// A session whose queue holds four messages, and that is full.
fn full(world: &World) -> Parts {
    let mut config = Config::default();
    config.queue.max_messages = 4;
    world.block(true);
    let parts = online_with(world, world.builder().config(config));
    fill(&parts.0);
    parts
}

fn fill(client: &Client<steadfast::Plain>) {
    while client.send("filler").is_ok() {}
}

#[test]
fn a_ticket_tells_when_its_message_is_written() {
    let world = World::new();
    world.block(true);
    let (client, mut events, mut driver) = online(&world);
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    assert!(ticket.poll().is_pending());
    assert!(driver.run().is_pending());
    assert!(ticket.poll().is_pending());
    world.block(false);
    assert!(driver.run().is_pending());
    assert_eq!(ticket.wakes.take(), 1);
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Written));
    assert!(take(&mut events).is_empty(), "who has a ticket is not told twice");
}

#[test]
fn a_ticket_need_not_be_polled_early() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Written));
}

#[test]
fn a_tracked_message_without_a_ticket_is_told_as_an_event() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let id = client.send_with("hello", SendOptions::default().tracked()).unwrap();
    assert!(driver.run().is_pending());
    assert_eq!(take(&mut events), [Item::Event(Event::Outcome { id, outcome: Outcome::Written, label: None })]);
}

#[test]
fn of_a_dropped_ticket_only_bad_news_are_told() {
    let world = World::new();
    world.block(true);
    let (client, mut events, mut driver) = online(&world);
    drop(client.send_tracked("written", SendOptions::default()).unwrap());
    assert!(driver.run().is_pending());
    world.block(false);
    assert!(driver.run().is_pending());
    assert!(take(&mut events).is_empty());

    world.block(true);
    let ticket = client.send_tracked("in doubt", SendOptions::default()).unwrap();
    let id = ticket.id();
    drop(ticket);
    assert!(driver.run().is_pending());
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    // Nothing of it had left, so it waits for the next link; a stop ends it.
    client.stop();
    assert!(driver.run().is_pending());
    let outcome = Outcome::Dropped(Dropped::Stopped);
    assert!(take(&mut events).contains(&Item::Event(Event::Outcome { id, outcome, label: None })));
}

#[test]
fn a_cancelled_message_comes_back_and_its_ticket_knows() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    let mut ticket = Task::new(client.send_tracked("hello", SendOptions::default()).unwrap());
    let id = OpId(1);
    assert_eq!(client.cancel(id), Some(Frame::from("hello")));
    assert_eq!(client.cancel(id), None);
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Cancelled));
}

#[test]
fn those_who_wait_for_room_are_served_in_order() {
    let world = World::new();
    let (client, mut events, mut driver) = full(&world);
    let mut waiting: Vec<_> = (0..10).map(|n| Task::new(client.send_when_ready(n.to_string()))).collect();
    waiting.iter_mut().for_each(|task| assert!(task.poll().is_pending()));
    world.block(false);
    for _ in 0..20 {
        assert!(driver.run().is_pending());
        for task in &mut waiting {
            if task.wakes.take() > 0 {
                let _ = task.poll();
            }
        }
    }
    let left: Vec<_> = world.left(0).into_iter().filter(|text| text != "filler").collect();
    assert_eq!(left, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let rooms = take(&mut events).into_iter().filter(|item| matches!(item, Item::Event(Event::Room))).count();
    assert_eq!(rooms, 0, "room that somebody waits for is no event");
}

#[test]
fn one_that_gives_up_after_its_call_calls_the_next() {
    let world = World::new();
    let (client, _events, mut driver) = full(&world);
    let mut first = Task::new(client.send_when_ready("first"));
    let mut second = Task::new(client.send_when_ready("second"));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    world.block(false);
    assert!(driver.run().is_pending());
    assert_eq!((first.wakes.take(), second.wakes.take()), (1, 0));
    drop(first);
    assert_eq!(second.wakes.take(), 1);
    assert!(matches!(second.poll(), Poll::Ready(Ok(_))));
    assert!(driver.run().is_pending());
    assert!(!world.left(0).contains(&"first".to_owned()));
}

#[test]
fn one_that_finds_the_room_taken_keeps_its_place() {
    let world = World::new();
    let (client, _events, mut driver) = full(&world);
    let mut first = Task::new(client.send_when_ready("first"));
    let mut second = Task::new(client.send_when_ready("second"));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    world.block(false);
    assert!(driver.run().is_pending());
    world.block(true);
    fill(&client);
    assert!(first.poll().is_pending(), "others were faster");
    world.block(false);
    assert!(driver.run().is_pending());
    assert_eq!((first.wakes.take(), second.wakes.take()), (1, 0));
    assert!(first.poll().is_ready());
}

#[test]
fn a_newcomer_does_not_overtake_those_who_wait() {
    let world = World::new();
    let (client, _events, mut driver) = full(&world);
    let mut first = Task::new(client.send_when_ready("first"));
    assert!(first.poll().is_pending());
    world.block(false);
    assert!(driver.run().is_pending());
    let mut newcomer = Task::new(client.send_when_ready("newcomer"));
    assert!(newcomer.poll().is_pending(), "the first was called and has not answered yet");
    assert_eq!(newcomer.wakes.take(), 0);
    assert!(first.poll().is_ready());
    assert_eq!(newcomer.wakes.take(), 1);
    assert!(newcomer.poll().is_ready());
}

#[test]
fn waiting_for_room_ends_when_the_session_stops() {
    let world = World::new();
    let (client, _events, mut driver) = full(&world);
    let mut waiting = Task::new(client.send_when_ready("too late"));
    let mut behind = Task::new(client.send_when_ready("behind"));
    assert!(waiting.poll().is_pending() && behind.poll().is_pending());
    client.stop();
    assert!(driver.run().is_pending());
    for task in [&mut waiting, &mut behind] {
        assert!(task.wakes.take() > 0);
        let Poll::Ready(Err(refused)) = task.poll() else { panic!("it was not refused") };
        assert_eq!(refused.why, Why::Stopped);
    }
}

#[test]
fn what_is_too_large_does_not_wait() {
    let world = World::new();
    let mut config = Config::default();
    config.max_message = 10;
    let (client, _events, _driver) = online_with(&world, world.builder().config(config));
    let mut task = Task::new(client.send_when_ready(Text::from("longer than ten bytes")));
    let Poll::Ready(Err(refused)) = task.poll() else { panic!("it waits") };
    assert!(matches!(refused.why, Why::TooBig { .. }));
}

#[test]
fn without_waiters_room_is_an_event() {
    let world = World::new();
    let (_client, mut events, mut driver) = full(&world);
    take(&mut events);
    world.block(false);
    assert!(driver.run().is_pending());
    assert!(take(&mut events).contains(&Item::Event(Event::Room)));
}

#[test]
fn what_made_room_for_others_is_told() {
    let world = World::new();
    let mut config = Config::default();
    config.queue.max_messages = 2;
    config.queue.overflow = Overflow::DropOldest;
    let (client, mut events, mut driver) = build(world.builder().config(config));
    let ids: Vec<_> = (0..5).map(|n| client.send(n.to_string()).unwrap()).collect();
    assert!(driver.run().is_pending());
    let told = take(&mut events);
    for id in &ids[..3] {
        let outcome = Outcome::Dropped(Dropped::Overflow);
        assert!(told.contains(&Item::Event(Event::Outcome { id: *id, outcome, label: None })), "{told:?}");
    }
}

#[test]
fn what_waits_is_taken_back_and_its_tickets_know() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    let mut ticket = Task::new(client.send_tracked("one", SendOptions::default().label("order 17")).unwrap());
    client.send("two").unwrap();
    let back: Vec<_> = client.take_queued().into_iter().map(|one| (one.id, one.label, one.message)).collect();
    let label = Some(Text::from("order 17"));
    assert_eq!(back, [(OpId(1), label, Frame::from("one")), (OpId(2), None, Frame::from("two"))]);
    assert!(client.take_queued().is_empty());
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Cancelled));
}

#[test]
fn the_ticket_of_what_was_replaced_says_so() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    let price = |text: &str| client.send_tracked(text, SendOptions::latest("EURUSD")).unwrap();
    let (mut old, mut new) = (Task::new(price("1.08")), Task::new(price("1.09")));
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(old.poll(), Poll::Ready(Outcome::Dropped(Dropped::Replaced)));
    assert_eq!((new.poll(), world.left(0)), (Poll::Ready(Outcome::Written), vec!["1.09".to_owned()]));
}

#[test]
fn what_cannot_leave_now_comes_back_and_what_was_of_a_link_ends_with_it() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    for (options, expected) in [(SendOptions::volatile(), Why::NotNow), (SendOptions::bypass(), Why::NoLink)] {
        let refused = client.send_tracked("now or never", options).map(|ticket| ticket.id()).unwrap_err();
        assert_eq!((refused.why, refused.message), (expected, Frame::from("now or never")));
    }
    world.block(true);
    world.accept();
    assert!(driver.run().is_pending());
    let mut ticket = Task::new(client.send_tracked("of this link", SendOptions::bypass()).unwrap());
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Dropped(Dropped::LinkGone)));
}
