//! Batching: what waits for more, and what leaves together.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::time::Duration;

use steadfast::{Action, Bucket, Command, Config, OpId, Outcome, Pings, Report, SendOptions, Timer, Topics, Why};
use steadfast_sim::{App, Fault, Faults, Scenario, Toy, World, each_seed};
use talk::Talk;

const TOY: Toy = Toy {
    batches: true,
    hello: false,
    login: true,
    acks: true,
    pings: Pings::Frames,
    topics: Topics::None,
    confirms: true,
};

impl Talk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(TOY, Duration::ZERO, change)
    }

    fn online(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::new(change);
        talk.command(Command::Connect);
        talk.go_online();
        talk
    }
}

/// Batches of three or 100 ms.
fn threes(config: &mut Config) {
    (config.batching.enabled, config.batching.count) = (true, 3);
}

fn some() -> SendOptions {
    SendOptions::default().tracked()
}

impl Talk {
    fn waits(&self) -> u64 {
        self.session.machine().health(self.now).queued
    }
}

#[test]
fn three_leave_as_one_and_each_has_its_outcome() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.send("two", SendOptions::at_least_once().tracked()).expect("room");
    assert_eq!((talk.sent().len(), talk.waits()), (0, 2));
    talk.send("three", some()).expect("room");
    assert_eq!(talk.sent(), ["b 1:one|2:two|3:three"]);
    assert_eq!(talk.frames, 2, "the login, and one for the three");
    talk.flushed();
    assert_eq!(talk.ended(), [(1, Outcome::Written), (3, Outcome::Written)]);
    talk.hear("got 2");
    assert_eq!(talk.ended(), [(2, Outcome::Acked)]);
}

#[test]
fn the_oldest_waits_for_a_tenth_of_a_second() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.pass(Duration::from_millis(60));
    talk.send("two", some()).expect("room");
    assert_eq!(talk.sent().len(), 0);
    talk.wakes(Timer::Linger, 40);
    assert_eq!(talk.sent(), ["b 1:one|2:two"]);
    talk.send("alone", some()).expect("room");
    talk.wakes(Timer::Linger, 100);
    assert_eq!(talk.sent(), ["m 3 alone"], "a single one leaves bare");
}

#[test]
fn enough_bytes_leave_at_once_and_what_does_not_fit_begins_another() {
    let mut talk = Talk::online(|config| {
        threes(config);
        config.batching.bytes = 150;
    });
    talk.send(&"x".repeat(60), some()).expect("room");
    talk.send(&"y".repeat(60), some()).expect("room");
    assert_eq!(talk.sent(), [format!("m 1 {}", "x".repeat(60))], "the two together are more than 150");
    talk.send(&"z".repeat(44), some()).expect("room");
    assert_eq!(talk.sent(), [format!("b 2:{}|3:{}", "y".repeat(60), "z".repeat(44))]);
}

#[test]
fn volatile_and_a_drain_end_the_wait() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.send("now", SendOptions::volatile()).expect("it can leave with what waits");
    assert_eq!(talk.sent(), ["b 1:one|2:now"]);
    talk.send("two", some()).expect("room");
    talk.command(Command::Drain { within: Duration::from_secs(9) });
    assert_eq!(talk.sent(), ["m 3 two"]);
}

#[test]
fn volatile_that_cannot_leave_with_what_waits_is_refused() {
    let mut talk = Talk::online(|config| {
        threes(config);
        config.pacing.buckets = vec![Bucket::new(2, Duration::from_secs(1)).reserve(0)];
    });
    talk.send("one", some()).expect("room");
    let heavy = SendOptions::volatile().weight(2);
    assert_eq!(talk.send("heavy", heavy), Err(Why::NotNow), "it would leave by itself, behind the other");
    talk.send("now", SendOptions::volatile()).expect("one slot is free");
    talk.send("two", some()).expect("room");
    assert_eq!(talk.send("later", SendOptions::volatile()), Err(Why::NotNow), "and now none is");
}

/// A batch takes one slot, and what has a weight of its own is no member.
#[test]
fn a_batch_is_one_thing_for_pacing() {
    let mut talk = Talk::online(|config| {
        threes(config);
        config.pacing.buckets = vec![Bucket::new(4, Duration::from_secs(1)).reserve(0)];
    });
    for text in ["1", "2", "3", "4", "5"] {
        talk.send(text, some()).expect("room");
    }
    talk.send("heavy", some().weight(2)).expect("room");
    assert_eq!(talk.sent(), ["b 4:4|5:5"], "what comes after it is no member, so nobody waits for more");
    talk.flushed();
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["m 6 heavy"]);
}

/// What waits for its batch waits in the queue: a link that dies takes nothing with it. And what a batch has taken along
/// is sorted as if each member had been the frame.
#[test]
fn a_batch_cannot_be_lost_at_link_death() {
    for (left, in_doubt) in [(1, false), (2, true)] {
        let mut talk = Talk::online(threes);
        talk.send("one", some()).expect("room");
        talk.send("two", SendOptions::at_least_once().tracked()).expect("room");
        talk.send("three", some()).expect("room");
        talk.send("four", some()).expect("room");
        talk.down(None, left);
        let doubt = [(1, Outcome::InDoubt), (3, Outcome::InDoubt)];
        assert_eq!(talk.ended(), if in_doubt { &doubt[..] } else { &[] });
        talk.pass(Duration::from_millis(5_000));
        talk.command(Command::ConnectNow);
        talk.report(Report::Up(Box::default()));
        talk.hear("ok");
        let expected = if in_doubt { &["b 2:two|4:four"][..] } else { &["b 1:one|2:two|3:three", "m 4 four"] };
        assert_eq!(talk.sent(), expected, "what has waited for long leaves at once");
        talk.flushed();
        talk.hear("got 2");
        assert_eq!(talk.waits(), 0);
    }
}

#[test]
fn what_waits_can_be_taken_back() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.send("two", some()).expect("room");
    talk.command(Command::Cancel(OpId(1)));
    assert_eq!(talk.ended(), [(1, Outcome::Cancelled)]);
    talk.wakes(Timer::Linger, 100);
    assert_eq!(talk.sent(), ["m 2 two"]);
}

#[test]
fn one_secret_member_makes_the_batch_secret() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.send("pin", some().secret()).expect("room");
    talk.send("three", some()).expect("room");
    assert!(matches!(talk.out[0], Action::Send { secret: true, .. }));
}

#[test]
fn other_settings_end_the_wait() {
    let mut talk = Talk::online(threes);
    talk.send("one", some()).expect("room");
    talk.command(Command::Configure(Box::default()));
    assert_eq!(talk.sent(), ["m 1 one"]);
}

/// Links that are cut in the middle of batches: the checker knows each member, and the server what it has got.
#[test]
fn storms_lose_no_member() {
    each_seed("storms_lose_no_member", 1..=100, |seed| {
        let mut scenario = Scenario::new(seed);
        scenario.toy.batches = true;
        (scenario.config.batching.enabled, scenario.config.batching.count) = (true, 1 + (seed % 5) as u32);
        scenario.network.write = Duration::from_millis(30);
        let every = Duration::from_millis(9);
        scenario.app = App { ahead: 9, messages: 300, every, perishable: 10, cancels: 10, ..App::default() };
        scenario.faults = Faults((1..9).map(|at| (Duration::from_millis(at * 333), Fault::Cut)).collect());
        let story = World::new(scenario).run();
        assert_eq!(story.violations, Vec::<String>::new());
        assert_eq!((story.accepted.len(), story.pending), (story.outcomes.len(), 0));
    });
}
