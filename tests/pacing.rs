//! Pacing: what leaves when, if somebody limits it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::time::Duration;

use steadfast::{
    Action, Answer, Bucket, CloseCode, Command, Config, Frame, Input, OpId, Outcome, Phase, Report, RequestOptions,
    RequestRetry, SendOptions, StopCause, Timer, Why,
};
use steadfast_sim::Toy;
use talk::Talk;

const SECOND: Duration = Duration::from_secs(1);

impl Talk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(Toy::default(), Duration::ZERO, change)
    }

    fn online(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::new(change);
        talk.command(Command::Connect);
        talk.go_online();
        talk
    }

    fn ask(&mut self, text: &str, options: RequestOptions) -> Result<OpId, Why> {
        match self.command(Command::Request { message: text.into(), options: Box::new(options) }) {
            Answer::Accepted(id) => Ok(id),
            Answer::Refused(why, _) => Err(why),
            other => panic!("{other:?}"),
        }
    }
}

/// Limits of so many a second, without slack.
fn limits<const N: usize>(buckets: [Bucket; N]) -> impl FnOnce(&mut Config) {
    move |config| config.pacing.buckets = buckets.map(|bucket| bucket.slack(Duration::from_millis(50))).to_vec()
}

/// Five a second, none of them in reserve.
fn five() -> Bucket {
    Bucket::new(5, SECOND).reserve(0)
}

#[test]
fn what_waits_leaves_in_order_as_slots_become_free() {
    let mut talk = Talk::online(limits([five()]));
    for number in 2..=8 {
        talk.send(&number.to_string(), SendOptions::default()).expect("the queue has room");
    }
    assert_eq!((talk.sent().len(), talk.session.machine().health(talk.now).queued), (0, 7), "the login took one");
    talk.pass(Duration::from_millis(400));
    talk.flushed();
    assert_eq!(talk.sent().len(), 0, "flushed is not over");
    // The login was flushed at once, the messages after 400 ms.
    talk.wakes(Timer::Pacing, 650);
    assert_eq!(talk.sent(), ["m 5 6"]);
    talk.pass(Duration::from_millis(30));
    talk.flushed();
    talk.wakes(Timer::Pacing, 370);
    assert_eq!(talk.sent(), ["m 6 7", "m 7 8"]);
    let (_, timer) = talk.session.machine().next_timer().expect("the heart beats");
    assert_ne!(timer, Timer::Pacing, "nothing waits any more");
}

/// What the transport holds is with nobody, for as long as it likes.
#[test]
fn what_is_never_flushed_frees_nothing() {
    let mut talk = Talk::online(limits([Bucket::new(1, SECOND)]));
    talk.pass(Duration::from_millis(1_050));
    talk.send("first", SendOptions::default()).expect("room");
    assert_eq!(talk.sent(), ["m 1 first"]);
    talk.pass(Duration::from_millis(9_000));
    talk.send("second", SendOptions::default()).expect("room");
    assert_eq!(talk.sent().len(), 0);
    assert_ne!(talk.session.machine().next_timer().map(|(_, timer)| timer), Some(Timer::Pacing));
    talk.flushed();
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["m 2 second"]);
}

#[test]
fn answers_may_use_the_reserve_and_messages_not() {
    let mut talk = Talk::online(limits([Bucket::new(6, SECOND).reserve(4)]));
    for text in ["one", "two", "three"] {
        talk.send(text, SendOptions::default()).expect("the queue has room");
    }
    assert_eq!(talk.session.machine().health(talk.now).queued, 3);
    for id in ["a", "b", "c", "d"] {
        talk.command(Command::Taken { id: id.into() });
    }
    assert_eq!(talk.session.machine().stats().sent, 1, "login and one message; four are reserved");
    assert_eq!(talk.sent().len(), 0, "of the reserve half is for signs of life");
    talk.hear("ping now");
    talk.hear("ping again");
    assert_eq!((talk.sent(), talk.session.machine().stats().unpaced), (vec!["pong again"], 0));
    talk.hear("ping more");
    assert_eq!((talk.sent(), talk.session.machine().stats().unpaced), (vec!["pong more"], 1), "it goes anyway");
    talk.flushed();
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["ack c", "ack d"], "answers first, and what they leave is reserved");
}

/// No limit keeps the heart from beating, and a dead peer from being found.
#[test]
fn liveness_waits_for_no_slot() {
    let mut talk = Talk::online(|config| {
        config.pacing.buckets = vec![Bucket::new(2, Duration::from_secs(3_600)).reserve(0)];
        config.pacing.gap = Duration::from_secs(600);
        config.heartbeat.keepalive = Duration::MAX;
    });
    talk.send("one", SendOptions::default()).expect("room");
    talk.send("two", SendOptions::default()).expect("room");
    let (at, timer) = talk.session.machine().next_timer().expect("the link is to become stable");
    assert_eq!((timer, at.since(talk.now)), (Timer::Stable, 5 * SECOND));
    talk.now = at;
    talk.turn(Input::Wake);
    let (at, timer) = talk.session.machine().next_timer().expect("the heart beats");
    assert_eq!(timer, Timer::Heartbeat);
    talk.now = at;
    talk.turn(Input::Wake);
    assert!(matches!(talk.out[0], Action::Send { frame: Frame::Ping(_), .. }), "{:?}", talk.out);
    talk.wakes(Timer::Heartbeat, 10_000);
    assert!(talk.out.iter().any(|action| matches!(action, Action::Abort(_))));
}

#[test]
fn a_login_waits_for_its_slot_and_its_time_begins_then() {
    let mut talk = Talk::online(|config| {
        config.pacing.buckets = vec![Bucket::new(2, Duration::from_secs(20)).reserve(1).slack(SECOND)];
        config.login_timeout = Duration::from_secs(3);
        config.close_timeout = Duration::from_secs(1);
    });
    talk.pass(Duration::from_millis(100));
    talk.down(None, 1);
    for _ in 0..2 {
        talk.pass(Duration::from_millis(2_000));
        talk.command(Command::ConnectNow);
        talk.report(Report::Up(Box::default()));
        if talk.sent() == ["login "] {
            talk.flushed();
            talk.down(None, 1);
        }
    }
    assert_eq!((talk.sent().len(), talk.session.machine().phase()), (0, Phase::Authenticating));
    talk.wakes(Timer::Pacing, 21_000 - 4_100);
    assert_eq!(talk.sent(), ["login "]);
    talk.wakes(Timer::Login, 3_000);
}

#[test]
fn volatile_needs_a_slot_now() {
    let mut talk = Talk::online(limits([Bucket::new(4, SECOND).reserve(1)]));
    for text in ["one", "two"] {
        talk.send(text, SendOptions::volatile()).expect("there is a slot");
        assert_eq!(talk.sent().len(), 1);
    }
    assert_eq!(talk.send("three", SendOptions::volatile()), Err(Why::NotNow));
    talk.flushed();
    talk.pass(Duration::from_millis(1_050));
    assert_eq!(talk.send("heavy", SendOptions::volatile().weight(3)).map(|id| id.0), Ok(3));
    assert_eq!(talk.sent(), ["m 3 heavy"]);
}

#[test]
fn what_can_never_leave_is_refused_when_it_is_sent() {
    let mut talk = Talk::online(limits([Bucket::new(9, SECOND), Bucket::new(4, SECOND).named("orders")]));
    let order = || SendOptions::at_least_once().bucket("orders");
    assert_eq!(talk.send("to nowhere", SendOptions::default().bucket("ordres")), Err(Why::NoBucket));
    assert_eq!(talk.send("heavy", order().weight(5)), Err(Why::TooHeavy { weight: 5, limit: 4 }));
    assert_eq!(talk.send("heavy", SendOptions::default().weight(8)), Err(Why::TooHeavy { weight: 8, limit: 7 }));
    assert_eq!(talk.send("well", order().weight(4)).map(|id| id.0), Ok(1));
    assert_eq!(talk.sent(), ["m 1 well"]);
    let mut talk = Talk::online(|_| {});
    assert_eq!(talk.send("to nowhere", order()), Err(Why::NoBucket), "nothing is limited, and there is no such bucket");
    assert_eq!(talk.send("heavy", SendOptions::default().weight(1_000)).map(|id| id.0), Ok(1));
}

/// Each time that it is asked a request draws what a message of its weight would, and is refused like one.
#[test]
fn a_request_draws_on_limits_each_time_that_it_is_asked() {
    let mut talk = Talk::online(limits([Bucket::new(9, SECOND), Bucket::new(4, 2 * SECOND).named("orders")]));
    let order = || RequestOptions::default().bucket("orders").deadline(60 * SECOND);
    assert_eq!(talk.ask("to nowhere", RequestOptions::default().bucket("ordres")), Err(Why::NoBucket));
    assert_eq!(talk.ask("heavy", order().weight(5)), Err(Why::TooHeavy { weight: 5, limit: 4 }));
    assert_eq!(talk.ask("two", order().weight(2).retry(RequestRetry::default())).map(|id| id.0), Ok(1));
    assert_eq!(talk.sent(), ["req 1 two"]);
    talk.flushed();
    assert_eq!(talk.ask("three", order().idempotent().weight(3)).map(|id| id.0), Ok(2));
    assert_eq!(talk.sent().len(), 0, "two slots are left");
    talk.hear("busy 1 1000");
    talk.wakes(Timer::Expiry, 1_000);
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["req 2 three"], "the one that is asked again is behind it");
    talk.flushed();
    talk.wakes(Timer::Pacing, 2_050);
    assert_eq!(talk.sent(), ["req 1 two"]);
}

/// One queue: what draws on a bucket that is empty holds back what would not.
#[test]
fn the_head_of_the_queue_holds_back_those_behind_it() {
    let mut talk = Talk::online(limits([five(), Bucket::new(1, 60 * SECOND).named("orders")]));
    for (text, options) in [
        ("order", SendOptions::default().bucket("orders")),
        ("order", SendOptions::default().bucket("orders")),
        ("talk", SendOptions::default()),
    ] {
        talk.send(text, options).expect("the queue has room");
    }
    assert_eq!((talk.sent().len(), talk.session.machine().stats().sent), (0, 1));
    talk.flushed();
    talk.pass(Duration::from_millis(5_000));
    talk.send("bypass", SendOptions::bypass()).expect("a link is open");
    assert_eq!(talk.sent(), ["m 4 bypass"], "it overtakes");
    talk.command(Command::Cancel(OpId(2)));
    assert_eq!(talk.sent(), ["m 3 talk"]);
}

#[test]
fn a_bypass_without_a_slot_waits_in_front_of_the_queue() {
    let mut talk = Talk::online(limits([Bucket::new(2, SECOND).reserve(0)]));
    talk.send("first", SendOptions::default()).expect("room");
    talk.send("queued", SendOptions::default()).expect("room");
    talk.send("bypass", SendOptions::bypass()).expect("a link is open");
    assert_eq!(talk.sent().len(), 0);
    talk.flushed();
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["m 3 bypass", "m 2 queued"]);
}

#[test]
fn what_was_said_on_a_lost_link_counts_and_what_has_not_left_does_not() {
    let mut talk = Talk::online(|config| {
        config.pacing.buckets = vec![Bucket::new(5, 10 * SECOND).reserve(0).slack(SECOND)];
        config.window.frames = 4;
    });
    for text in ["one", "two", "three"] {
        talk.send(text, SendOptions::default().tracked()).expect("room");
    }
    talk.pass(Duration::from_millis(1_000));
    talk.down(None, 2);
    assert_eq!(talk.ended(), [(1, Outcome::InDoubt)]);
    talk.pass(Duration::from_millis(2_000));
    talk.command(Command::ConnectNow);
    talk.go_online();
    // Two logins, the one that may have left, and the two that had not.
    assert_eq!(talk.sent(), Vec::<&str>::new());
    assert_eq!(talk.session.machine().stats().sent, 5);
    talk.send("four", SendOptions::default()).expect("room");
    talk.wakes(Timer::Stable, 5_000);
    talk.flushed();
    // The first login was flushed at once: its slot is the first.
    talk.wakes(Timer::Pacing, 3_000);
    assert_eq!(talk.sent(), ["m 4 four"]);
}

#[test]
fn a_limit_of_the_connection_begins_anew_with_it() {
    for (per_link, sent) in [(false, 2), (true, 4)] {
        let mut talk = Talk::online(|config| {
            config.pacing.buckets = vec![Bucket::new(3, 60 * SECOND).reserve(0)];
            config.pacing.per_link = per_link;
        });
        for text in ["one", "two", "three", "four"] {
            talk.send(text, SendOptions::default()).expect("room");
        }
        talk.flushed();
        talk.down(None, 3);
        talk.pass(Duration::from_millis(2_000));
        talk.command(Command::ConnectNow);
        talk.report(Report::Up(Box::default()));
        assert_eq!(talk.sent().len(), usize::from(per_link));
        talk.hear("ok");
        assert_eq!(talk.session.machine().stats().sent, sent, "{per_link}");
    }
}

#[test]
fn other_settings_count_at_once_and_forget_nothing() {
    let mut talk = Talk::online(limits([five()]));
    for number in 1..=9 {
        talk.send(&number.to_string(), SendOptions::default()).expect("room");
    }
    talk.flushed();
    let mut config = Config::default();
    config.pacing.buckets = vec![Bucket::new(7, SECOND).reserve(0)];
    talk.command(Command::Configure(Box::new(config)));
    assert_eq!(talk.sent().len(), 2, "two more, and the five are not forgotten");
    talk.command(Command::Configure(Box::default()));
    assert_eq!(talk.sent(), ["m 7 7", "m 8 8", "m 9 9"], "nothing is limited any more");
}

#[test]
fn a_drain_sends_what_waits_at_its_pace() {
    let mut talk = Talk::online(limits([Bucket::new(2, SECOND).reserve(0)]));
    for text in ["one", "two"] {
        talk.send(text, SendOptions::default().tracked()).expect("room");
    }
    talk.flushed();
    talk.command(Command::Drain { within: Duration::from_secs(9) });
    assert_eq!(talk.sent().len(), 0);
    talk.wakes(Timer::Pacing, 1_050);
    assert_eq!(talk.sent(), ["m 2 two"]);
    talk.flushed();
    assert_eq!(talk.sent(), ["bye"], "a goodbye waits for nothing");
    talk.down(Some(CloseCode::NORMAL), 9);
    assert_eq!(talk.session.machine().phase(), Phase::Stopped(StopCause::User));
}
