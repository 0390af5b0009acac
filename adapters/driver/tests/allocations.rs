//! In steady state neither a send, nor the driver's work for it, nor a message in allocates anything.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::task::{Context, Waker};

use allocation_counter::measure;
use steadfast::Frame;
use world::{World, online, online_with, toy::Toy};

/// As many as a window holds.
const BURST: usize = 256;

fn burst() -> Vec<Frame> {
    (0..BURST).map(|n| Frame::from(n.to_string())).collect()
}

#[test]
fn nothing_is_allocated_for_a_message() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    world.reserve(16 * BURST);
    let mut round = || {
        let (out, back) = (burst(), burst());
        let sent = measure(|| {
            for frame in out {
                client.send(frame).unwrap();
            }
        });
        let driven = measure(|| assert!(driver.run().is_pending()));
        world.say_all(back);
        let heard = measure(|| {
            assert!(driver.run().is_pending());
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..BURST {
                assert!(events.poll_next(&mut cx).is_ready());
            }
        });
        (sent.count_total, driven.count_total, heard.count_total)
    };
    for _ in 0..8 {
        round();
    }
    assert_eq!(round(), (0, 0, 0));
}

/// Beyond the text of each message, which the protocol makes of its frame.
#[test]
fn nothing_is_allocated_for_a_message_to_one_subscriber() {
    let world = World::new();
    let (client, _events, mut driver) = online_with(&world, world.builder().protocol(Toy::default()));
    let mut topic = client.subscribe('a').unwrap();
    assert!(driver.run().is_pending());
    world.say("ok 1");
    assert!(driver.run().is_pending());
    world.reserve(16 * BURST);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(topic.poll_next(&mut cx).is_ready());
    let mut round = || {
        world.say_all((0..BURST).map(|n| Frame::from(format!("a {n}"))));
        let heard = measure(|| {
            assert!(driver.run().is_pending());
            for _ in 0..BURST {
                assert!(topic.poll_next(&mut cx).is_ready());
            }
        });
        heard.count_total
    };
    for _ in 0..8 {
        round();
    }
    assert_eq!(round(), BURST as u64);
}
