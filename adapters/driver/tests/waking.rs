//! When the driver is woken, and when it is left alone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    sync::{Arc, Barrier},
    task::Poll,
    thread,
    time::Duration,
};

use steadfast::{Cause, Event, Frame, OpId, Outcome, SendOptions};
use steadfast_driver::{Drain, Item};
use world::{Parts, Task, World, build, online, texts};

const SECOND: Duration = Duration::from_secs(1);

fn within(ttl: Duration) -> SendOptions {
    SendOptions::default().ttl(ttl)
}

#[test]
fn what_is_sent_before_the_link_is_up_leaves_in_order() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    client.send("one").unwrap();
    assert!(driver.run().is_pending());
    client.send("two").unwrap();
    world.accept();
    assert_eq!(driver.wakes.take(), 1);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["one", "two"]);
}

#[test]
fn a_burst_wakes_it_once_and_leaves_in_one_poll() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    driver.wakes.take();
    for n in 0..100 {
        client.send(n.to_string()).unwrap();
    }
    assert_eq!(driver.wakes.take(), 1);
    assert!(driver.poll().is_pending());
    assert_eq!(world.left(0).len(), 100);
    assert_eq!(driver.wakes.take(), 0, "it does not wake itself without need");
}

/// A read in vain is a system call on most runtimes.
#[test]
fn a_link_is_read_when_it_has_something_to_read_and_not_when_something_is_sent() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let before = world.reads();
    client.send("one").unwrap();
    assert!(driver.poll().is_pending());
    assert_eq!((world.left(0), world.reads() - before), (vec!["one".into()], 0));
    world.say("two");
    assert!(driver.poll().is_pending());
    assert_eq!(world.reads() - before, 2, "one that brings it, and one that finds no more");
}

/// What a failed write means is told by a read.
#[test]
fn a_link_is_read_with_a_flush_that_waits() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    world.block(true);
    let before = world.reads();
    client.send("one").unwrap();
    assert!(driver.poll().is_pending());
    assert!(world.reads() > before);
}

#[test]
fn a_burst_reads_the_clock_once() {
    let world = World::new();
    let (client, _events, driver) = online(&world);
    driver.wakes.take();
    let before = world.readings();
    for n in 0..5_000 {
        client.send(n.to_string()).unwrap();
    }
    assert_eq!(world.readings() - before, 1);
}

/// A session whose driver was woken three seconds ago and not polled since.
fn behind(world: &World) -> Parts {
    let (client, events, driver) = online(world);
    for n in 0..5_000 {
        client.send(n.to_string()).unwrap();
    }
    world.pass(3 * SECOND);
    (client, events, driver)
}

#[test]
fn a_drain_lasts_from_now_though_the_driver_is_late() {
    let world = World::new();
    let (client, mut events, mut driver) = behind(&world);
    let mut closing = Task::new(client.close(Drain::within(2 * SECOND)));
    assert!(closing.poll().is_pending());
    assert!(driver.run().is_pending());
    let is_outcome = |item: &Item<_, _>| matches!(item, Item::Event(Event::Outcome { .. }));
    assert_eq!(world::take(&mut events).iter().filter(|item| is_outcome(item)).count(), 0);
    assert_eq!(world.left(0).len(), 5_000);
}

#[test]
fn a_time_limit_runs_from_now_though_the_driver_is_late() {
    let world = World::new();
    let (client, _events, mut driver) = behind(&world);
    let mut ticket = Task::new(client.send_tracked("two seconds from now", within(2 * SECOND)).unwrap());
    assert!(driver.run().is_pending());
    assert_eq!(ticket.poll(), Poll::Ready(Outcome::Written));
}

#[test]
fn a_send_that_only_waits_wakes_nobody() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    world.refuse(Cause::Unreachable("nobody".into()));
    assert!(driver.run().is_pending());
    let armed = world.armed();
    client.send("waits").unwrap();
    assert_eq!(driver.wakes.take(), 0);
    client.send_with("waits for long", within(3_600 * SECOND)).unwrap();
    assert_eq!(driver.wakes.take(), 0, "its deadline is later than the timer {armed:?}");
}

#[test]
fn an_earlier_deadline_wakes_it_and_moves_the_timer() {
    let world = World::new();
    let (client, mut events, mut driver) = build(world.builder());
    world.refuse(Cause::Unreachable("nobody".into()));
    assert!(driver.run().is_pending());
    world::take(&mut events);
    let before = world.armed();
    client.send_with("soon too late", within(Duration::from_millis(1))).unwrap();
    assert_eq!(driver.wakes.take(), 1);
    assert!(driver.run().is_pending());
    assert!(world.armed() < before);
    world.pass_to_timer();
    assert_eq!(driver.wakes.take(), 1);
    assert!(driver.run().is_pending());
    let told = format!("{:?}", world::take(&mut events));
    assert!(told.contains("Expired"), "{told}");
    assert_eq!(world.armed(), before, "the timer is back where it was");
}

#[test]
fn a_poll_without_a_reason_does_nothing() {
    let world = World::new();
    let (_client, mut events, mut driver) = online(&world);
    assert!(driver.poll().is_pending());
    assert_eq!(driver.wakes.take(), 0);
    assert!(world::take(&mut events).is_empty());
}

#[test]
fn an_idle_session_wakes_twice_an_interval() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    // Until the link counts as stable.
    world.pass(6 * SECOND);
    assert!(driver.run().is_pending());
    let (start, mut polls) = (world.time(), 0);
    while world.time().since(start) < 250 * SECOND {
        world.pass_to_timer();
        assert!(driver.run().is_pending());
        world.say(Frame::Pong(bytes_of(client.stats().pings)));
        assert!(driver.run().is_pending());
        polls += 2;
    }
    assert_eq!(world.dials(), 1, "the link held");
    assert!(polls <= 2 * 12, "{polls} wake-ups in ten intervals");
}

fn bytes_of(number: u64) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&number.to_be_bytes())
}

#[test]
fn a_deadline_that_a_late_timer_missed_is_seen_by_the_clock() {
    let world = World::new();
    let (_client, _events, mut driver) = build(world.builder());
    world.refuse(Cause::Unreachable("nobody".into()));
    assert!(driver.run().is_pending());
    let (at, dials) = (world.armed().unwrap(), world.dials());
    // It is not due when the turn reads the clock, and is when the driver is about to sleep.
    let tick = Duration::from_micros(1);
    world.delay_timer();
    world.pass(at.since(world.time()) - tick);
    world.tick(tick);
    assert!(driver.run().is_pending());
    assert_eq!(world.dials(), dials + 1);
}

#[test]
fn what_is_sent_just_before_it_sleeps_is_not_forgotten() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let handle = client.clone();
    world.before_sleep(move || assert!(handle.send("just now").is_ok()));
    assert!(driver.poll().is_pending());
    assert_eq!(driver.wakes.take(), 0, "it was awake");
    assert_eq!(world.left(0), ["just now"]);
}

#[test]
fn a_deadline_set_just_before_it_sleeps_is_not_forgotten() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder());
    world.refuse(Cause::Unreachable("nobody".into()));
    assert!(driver.run().is_pending());
    let (before, handle) = (world.armed(), client.clone());
    world.before_sleep(move || assert!(handle.send_with("soon too late", within(Duration::from_millis(1))).is_ok()));
    assert!(driver.poll().is_pending());
    assert!(world.armed() < before);
}

#[test]
fn a_flood_lets_others_run() {
    let world = World::new();
    let (_client, mut events, mut driver) = online(&world);
    world.say_all((0..64 * 512 + 1).map(|_| Frame::from("flood")));
    assert!(driver.poll().is_pending());
    assert_eq!(driver.wakes.take(), 1, "it wakes itself and yields");
    assert!(world.unread() > 0);
    assert!(driver.run().is_pending());
    assert_eq!(world.unread(), 0);
    assert!(!texts(&mut events).is_empty());
}

/// They start each message together, so that their turns alternate on a busy machine too.
#[test]
fn what_several_threads_send_leaves_in_the_order_of_acceptance() {
    const EACH: usize = 2_000;
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let together = Arc::new(Barrier::new(2));
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let (client, together) = (client.clone(), Arc::clone(&together));
            thread::spawn(move || {
                let send = |n| loop {
                    match client.send(format!("{thread} {n}")) {
                        Ok(id) => return (id, format!("{thread} {n}")),
                        Err(_) => thread::yield_now(),
                    }
                };
                let mut accepted: Vec<(OpId, String)> = Vec::new();
                for n in 0..EACH {
                    together.wait();
                    accepted.push(send(n));
                }
                accepted
            })
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        assert!(driver.run().is_pending());
        thread::yield_now();
    }
    assert!(driver.run().is_pending());
    let mut accepted: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    accepted.sort_by_key(|(id, _)| *id);
    assert_eq!(world.left(0), accepted.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
}

/// Four threads send, and the driver is polled only when it was woken. A lost wake-up would leave something
/// in the queue.
#[test]
fn no_wake_up_is_lost() {
    const EACH: usize = 2_000;
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || (0..EACH).filter(|n| client.send(n.to_string()).is_ok()).count())
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        if driver.wakes.take() > 0 {
            assert!(driver.run().is_pending());
        }
    }
    let accepted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    if driver.wakes.take() > 0 {
        assert!(driver.run().is_pending());
    }
    assert_eq!(world.left(0).len(), accepted);
    assert!(accepted > 0);
}
