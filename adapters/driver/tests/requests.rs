//! Requests: every one ends, and once.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
    time::Duration,
};

use steadfast::{
    Cause, Config, Dropped, Event, Frame, OpId, Rejected, RequestOptions, RequestRetry, RetryOn, SubscribeOptions, Why,
};
use steadfast_driver::{Driver, Item, Request, RequestError};
use world::{Parts, Task, World, build, online_with, take, toy::Toy};

type Answer = Result<Option<String>, RequestError<String>>;

fn online(world: &World) -> Parts<Toy> {
    online_with(world, world.builder().protocol(Toy::default()))
}

fn say<const N: usize>(world: &World, driver: &mut Task<Driver<Toy, World, World>>, frames: [&str; N]) {
    world.say_all(frames.map(Frame::from));
    assert!(driver.run().is_pending());
}

fn text(text: &str) -> Poll<Answer> {
    Poll::Ready(Ok(Some(text.into())))
}

fn failed(error: RequestError<String>) -> Poll<Answer> {
    Poll::Ready(Err(error))
}

/// Whether an event is the end of a request.
fn is_reply(item: &Item<String, char>) -> bool {
    matches!(item, Item::Event(Event::Reply(_)))
}

#[test]
fn each_gets_its_own_answer_and_the_events_hear_nothing_of_it() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let (mut a, mut b): (Task<Request<Toy>>, _) = (Task::new(client.request("a")), Task::new(client.request("b")));
    let mut empty = Task::new(client.request("c"));
    assert!(a.poll().is_pending() && b.poll().is_pending());
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["ask 1 a", "ask 2 b", "ask 3 c"]);
    say(&world, &mut driver, ["answer 2 of b"]);
    assert_eq!((a.wakes.take(), b.wakes.take()), (0, 1));
    assert_eq!(b.poll(), text("of b"));
    say(&world, &mut driver, ["answer 1 of a", "ok 3"]);
    assert_eq!((a.poll(), empty.poll()), (text("of a"), Poll::Ready(Ok(None))));
    assert!(!take(&mut events).iter().any(is_reply));
}

#[test]
fn it_is_asked_at_once_and_in_order_with_what_is_sent() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().protocol(Toy::default()));
    client.send("first").unwrap();
    let request = client.request("second");
    client.send("third").unwrap();
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["say 1 first", "ask 2 second", "say 3 third"]);
    assert_eq!(request.id(), Some(OpId(2)));
}

#[test]
fn why_there_is_no_answer_is_told_apart() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut no = Task::new(client.request("a"));
    say(&world, &mut driver, ["no 1"]);
    assert_eq!(no.poll(), failed(RequestError::Failed(Box::default())));

    let mut late = Task::new(client.request("b"));
    assert!(driver.run().is_pending());
    world.pass(Duration::from_secs(10));
    assert!(driver.run().is_pending());
    assert_eq!(late.poll(), failed(RequestError::InDoubt), "the peer may have it");
    say(&world, &mut driver, ["answer 2 too late"]);

    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    let soon = RequestOptions::default().deadline(Duration::from_millis(1));
    let mut early = Task::new(client.request_with("c", soon));
    let mut cancelled = Task::new(client.request("d"));
    let (id, mut dropped) = (cancelled.future.id().unwrap(), Task::new(client.request("e")));
    assert_eq!(client.cancel(id).as_deref(), Some("d"));
    world.pass(Duration::from_millis(2));
    assert!(driver.run().is_pending());
    assert_eq!(early.poll(), failed(RequestError::Expired));
    assert_eq!(cancelled.poll(), failed(RequestError::Cancelled));
    client.stop();
    assert!(driver.run().is_pending());
    assert_eq!(dropped.poll(), failed(RequestError::Dropped(Dropped::Stopped)));
    let Poll::Ready(Err(RequestError::Refused(refused))) = Task::new(client.request("f")).poll() else {
        panic!("it is refused");
    };
    assert_eq!((refused.why, refused.message.as_str()), (Why::Stopped, "f"));
}

#[test]
fn a_lost_link_leaves_it_in_doubt_unless_it_does_no_harm_twice() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut once = Task::new(client.request("once"));
    let mut twice = Task::new(client.request_with("twice", RequestOptions::default().idempotent()));
    assert!(driver.run().is_pending());
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    assert_eq!(once.poll(), failed(RequestError::InDoubt));
    assert!(twice.poll().is_pending());
    world.accept();
    world.pass(Duration::from_secs(5));
    assert!(driver.run().is_pending());
    assert_eq!(world.left(1), ["ask 2 twice"]);
    say(&world, &mut driver, ["answer 2 done"]);
    assert_eq!(twice.poll(), text("done"));
}

#[test]
fn a_no_can_be_asked_again() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let options = RequestOptions::default().retry(RequestRetry::default().on(RetryOn::Any));
    let mut asked = Task::new(client.request_with("a", options));
    say(&world, &mut driver, ["no 1"]);
    while world.left(0).len() < 2 {
        world.pass_to_timer();
        assert!(driver.run().is_pending());
    }
    assert!(asked.poll().is_pending());
    say(&world, &mut driver, ["answer 1 after all"]);
    assert_eq!(asked.poll(), text("after all"));
}

#[test]
fn dropping_it_cancels_and_what_comes_of_that_is_told_to_nobody() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    world.block(true);
    let mut polled = Task::new(client.request("polled"));
    assert!(polled.poll().is_pending());
    drop(polled);
    drop(client.request("never polled"));
    drop(client.request("before the driver saw it"));
    assert!(driver.run().is_pending());
    drop(client.request("on its way"));
    world.block(false);
    assert!(driver.run().is_pending());
    let asked = world.left(0);
    say(&world, &mut driver, ["answer 1 late", "answer 4 late"]);
    let mut kept = Task::new(client.request("kept"));
    assert!(driver.run().is_pending());
    assert!(world.left(0).len() > asked.len());
    say(&world, &mut driver, ["answer 5 here"]);
    assert_eq!(kept.poll(), text("here"));
    assert!(!take(&mut events).iter().any(is_reply));
}

#[test]
fn one_that_was_answered_can_be_dropped_unread() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let request = client.request("a");
    assert!(driver.run().is_pending());
    say(&world, &mut driver, ["answer 1 unread"]);
    drop(request);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["ask 1 a"]);
    assert!(!take(&mut events).iter().any(is_reply));
}

#[test]
fn while_there_is_no_link_a_dropped_one_leaves_the_queue() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().protocol(Toy::default()));
    let (request, other) = (client.request("a"), client.request("b"));
    drop(request);
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["ask 2 b"]);
    drop(other);
}

#[test]
fn when_the_driver_is_dropped_every_request_ends_and_nothing_hangs() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut asked = Task::new(client.request("asked"));
    assert!(driver.run().is_pending());
    let mut fresh = Task::new(client.request("fresh"));
    assert!(asked.poll().is_pending() && fresh.poll().is_pending());
    drop(driver);
    assert_eq!((asked.wakes.take(), fresh.wakes.take()), (1, 1));
    assert_eq!(asked.poll(), failed(RequestError::InDoubt));
    assert!(matches!(fresh.poll(), Poll::Ready(Err(RequestError::InDoubt | RequestError::Dropped(_)))));
    let refused = Task::new(client.request("too late")).poll();
    assert!(matches!(refused, Poll::Ready(Err(RequestError::Refused(refused))) if refused.message == "too late"));
}

#[test]
fn when_the_protocol_panics_every_request_ends_in_doubt() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let (mut asked, unpolled) = (Task::new(client.request("asked")), client.request("unpolled"));
    assert!(asked.poll().is_pending());
    assert!(driver.run().is_pending());
    world.say("ok panic");
    let panicked = catch_unwind(AssertUnwindSafe(|| driver.run()));
    drop(driver);
    assert!(panicked.is_err());
    assert_eq!(asked.poll(), failed(RequestError::InDoubt));
    drop(unpolled);
}

#[test]
fn a_socket_gets_everything_by_the_one_stream() {
    let world = World::new();
    let mut socket = world.builder().protocol(Toy::default()).into_stream().unwrap();
    socket.subscribe('a', SubscribeOptions::default()).unwrap();
    let id = socket.request("what", RequestOptions::default()).unwrap();
    world.accept();
    let mut items = Vec::new();
    while let Poll::Ready(Some(item)) = Task::new(socket.next()).run() {
        items.push(item);
    }
    assert_eq!(world.left(0), ["sub 2 a"], "the topic is restored before the queue");
    world.say("ok 2");
    while let Poll::Ready(Some(item)) = Task::new(socket.next()).run() {
        items.push(item);
    }
    assert_eq!(world.left(0).len(), 2);
    world.say_all([Frame::from(format!("answer {id} this")), Frame::from("a one")]);
    items.clear();
    while let Poll::Ready(Some(item)) = Task::new(socket.next()).run() {
        items.push(item);
    }
    assert!(matches!(&items[0], Item::Event(Event::Reply(reply)) if reply.id == id));
    assert!(matches!(&items[1], Item::Event(Event::Message { topic: Some('a'), .. })));
    socket.unsubscribe('a').unwrap();
    assert_eq!(socket.unsubscribe('b'), Err(Why::NotSubscribed));
}

#[test]
fn the_settings_say_how_long_an_answer_may_take() {
    let world = World::new();
    let mut config = Config::default();
    config.requests.deadline = Duration::from_secs(1);
    let (client, _events, mut driver) = online_with(&world, world.builder().protocol(Toy::default()).config(config));
    let mut asked = Task::new(client.request("a"));
    assert!(driver.run().is_pending());
    world.pass(Duration::from_secs(1));
    assert!(driver.run().is_pending());
    assert_eq!(asked.poll(), failed(RequestError::InDoubt));
}

#[test]
fn a_call_of_the_peer_is_answered_on_its_link() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    say(&world, &mut driver, ["--?c1 what", "--?c2 who"]);
    let calls: Vec<_> = take(&mut events)
        .into_iter()
        .filter_map(|item| {
            let Item::Event(Event::Message { mark, link, .. }) = item else { return None };
            Some((link, mark.marks()?.call.clone()?))
        })
        .collect();
    client.reply(calls[0].0, &calls[0].1, Ok("this".into())).unwrap();
    client.reply(calls[1].0, &calls[1].1, Err(Rejected::default())).unwrap();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["reply c1 this", "reply c2 no"]);
    drop(driver);
    let refused = client.reply(calls[0].0, &calls[0].1, Ok("that".into()));
    assert_eq!(refused, Err((Why::Stopped, Some("that".into()))));
}
