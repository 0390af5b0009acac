//! What can meet?

use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use loom::{future::block_on, thread::JoinHandle};
use steadfast::{Attempt, Config, OpId, Outcome, SendOptions, StopCause, SubscribeOptions};
use steadfast_driver::{Client, Dial, Drain, Events, Mailbox, Subscription, Update};

use crate::{
    toy::Toy,
    world::{START, World, drive, in_every_order, poll, spawn},
};

const SOON: Duration = Duration::from_secs(1);
/// A reader of these holds up the driver with one message.
const ONE: Mailbox = Mailbox::pause(1, 1_000);

/// A queue that is full with one message.
fn narrow() -> Config {
    let mut config = Config::default();
    config.queue.max_messages = 1;
    config
}

/// Waits for the next message.
fn hear(events: &mut Events<Toy>) -> String {
    block_on(async {
        loop {
            let item = events.next().await.expect("the session has not ended");
            if let Some(text) = item.into_message() {
                return text;
            }
        }
    })
}

/// Waits for the next message of a topic.
fn hear_of(topic: &mut Subscription<Toy>) -> String {
    block_on(async {
        loop {
            let update = topic.next().await.expect("the topic has not ended");
            if let Update::Message { message, .. } = update {
                return message;
            }
        }
    })
}

fn send_when_ready(client: &Client<Toy>, text: &'static str) -> JoinHandle<OpId> {
    let client = client.clone();
    spawn(move || block_on(client.send_when_ready(text)).unwrap())
}

#[test]
fn an_outcome_and_its_ticket() {
    in_every_order(3, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false));
        let driver = drive(driver);
        let ticket = client.send_tracked("hello", SendOptions::default()).unwrap();
        assert_eq!(block_on(ticket), Outcome::Written);
        drop(client);
        assert_eq!(driver.join().unwrap(), StopCause::User);
    });
}

#[test]
fn an_answer_and_its_request() {
    in_every_order(3, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false));
        let driver = drive(driver);
        drop(client.request("nothing, after all"));
        assert_eq!(block_on(client.request("what")), Ok(Some("this".to_owned())));
        drop(client);
        driver.join().unwrap();
    });
}

#[test]
fn room_and_two_who_wait_for_it() {
    in_every_order(1, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false).config(narrow()));
        client.send("first").unwrap();
        let driver = drive(driver);
        let other = send_when_ready(&client, "second");
        block_on(client.send_when_ready("third")).unwrap();
        other.join().unwrap();
        drop(client);
        driver.join().unwrap();
        assert_eq!(world.said().len(), 3);
    });
}

#[test]
fn room_and_one_who_gives_up_waiting() {
    in_every_order(2, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false).config(narrow()));
        client.send("first").unwrap();
        let mut given_up = Box::pin(client.send_when_ready("second"));
        assert!(poll(&mut given_up).is_pending());
        let driver = drive(driver);
        let other = send_when_ready(&client, "third");
        drop(given_up);
        other.join().unwrap();
        drop(client);
        driver.join().unwrap();
        assert_eq!(world.said().len(), 2);
    });
}

#[test]
fn a_full_mailbox_and_its_reader() {
    in_every_order(2, || {
        let world = World::default();
        let (client, mut events, driver) = world.online(world.builder(false).mailbox(ONE));
        let driver = drive(driver);
        world.say(["-- one", "-- two"]);
        assert_eq!([hear(&mut events), hear(&mut events)], ["one", "two"]);
        drop(client);
        driver.join().unwrap();
    });
}

#[test]
fn a_topic_and_one_who_subscribes_while_another_leaves() {
    in_every_order(2, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false));
        let driver = drive(driver);
        let leaving = client.subscribe('a').unwrap();
        let other = spawn(move || drop(leaving));
        assert_eq!(hear_of(&mut client.subscribe('b').unwrap()), "news");
        other.join().unwrap();
        drop(client);
        driver.join().unwrap();
    });
}

#[test]
fn a_full_tray_and_its_subscriber_who_leaves() {
    in_every_order(2, || {
        let world = World::default();
        let (client, mut events, mut driver) = world.online(world.builder(false));
        let leaving = client.subscribe_with('a', SubscribeOptions::default(), ONE).unwrap();
        assert!(poll(&mut driver).is_pending());
        world.say(["a more", "-- done"]);
        let driver = drive(driver);
        drop(leaving);
        // What came after it had left is told here.
        while hear(&mut events) != "done" {}
        drop(client);
        driver.join().unwrap();
    });
}

#[test]
fn a_message_and_two_subscribers_who_take_it() {
    in_every_order(2, || {
        let world = World::default();
        let (client, _events, mut driver) = world.online(world.builder(true));
        let (mut one, mut two) = (client.subscribe('a').unwrap(), client.subscribe('a').unwrap());
        assert!(poll(&mut driver).is_pending());
        world.said();
        let other = spawn(move || {
            hear_of(&mut one);
            one
        });
        hear_of(&mut two);
        let one = other.join().unwrap();
        assert!(poll(&mut driver).is_pending());
        assert_eq!(world.said(), ["taken m7"]);
        drop((one, two));
    });
}

#[test]
fn a_timer_and_an_earlier_deadline() {
    in_every_order(3, || {
        let world = World::default();
        let builder = world.builder(false).dialer(|_: Attempt| pending::<Dial<World>>());
        let (client, _events, mut driver) = builder.build().unwrap();
        let other = spawn(move || {
            client.send_with("hello", SendOptions::default().ttl(SOON)).unwrap();
            client
        });
        let at = START.after(SOON);
        block_on(poll_fn(|cx| {
            assert!(pin!(&mut driver).poll(cx).is_pending());
            if world.armed() == at { Poll::Ready(()) } else { Poll::Pending }
        }));
        drop(driver);
        other.join().unwrap();
    });
}

#[test]
fn two_handles_and_the_end() {
    in_every_order(2, || {
        let world = World::default();
        let (client, _events, driver) = world.online(world.builder(false));
        let driver = drive(driver);
        let clone = client.clone();
        let other = spawn(move || clone.send("one").unwrap());
        client.send("two").unwrap();
        drop(client);
        other.join().unwrap();
        assert_eq!(driver.join().unwrap(), StopCause::User);
        assert_eq!(world.said().len(), 2);
    });
}

#[test]
fn two_who_close_and_the_end() {
    in_every_order(1, || {
        let world = World::default();
        let (client, mut events, driver) = world.online(world.builder(false));
        let driver = drive(driver);
        let clone = client.clone();
        let other = spawn(move || block_on(clone.close(Drain::within(SOON))));
        assert_eq!(block_on(client.close(Drain::within(SOON))), StopCause::User);
        while block_on(events.next()).is_some() {}
        other.join().unwrap();
        driver.join().unwrap();
    });
}

#[test]
fn a_driver_that_is_dropped_and_all_who_wait() {
    in_every_order(2, || {
        let world = World::default();
        let (client, mut events, driver) = world.online(world.builder(false));
        let sender = spawn({
            let client = client.clone();
            move || match client.send_tracked("hello", SendOptions::default()) {
                Ok(ticket) => drop(block_on(ticket)),
                Err(refused) => assert_eq!(refused.message, "hello"),
            }
        });
        let reader = spawn(move || while block_on(events.next()).is_some() {});
        drop(driver);
        sender.join().unwrap();
        reader.join().unwrap();
        assert_eq!(block_on(client.close(Drain::within(SOON))), StopCause::User);
    });
}
