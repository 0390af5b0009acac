//! Sending in all its ways: what leaves when, what makes room for what, what comes back, and what is told of it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::time::{Duration, Instant};

use steadfast::{
    Action, Answer, Class, CloseCode, Command, Commands, Config, Dropped, Event, Frame, Input, Level, Machine, OpId,
    Outcome, Overflow, Phase, Report, SendOptions, Session, Text, Timer, Timestamp, Why,
};
use steadfast_sim::Toy;
use talk::Talk;

impl Talk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(Toy::default(), Duration::from_millis(2), change)
    }

    fn online(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::new(change);
        talk.command(Command::Connect);
        talk.go_online();
        talk
    }

    fn again(&mut self) {
        self.pass(Duration::from_secs(60));
        self.command(Command::ConnectNow);
        self.up("ok");
    }

    fn suspects(&self) -> Vec<u64> {
        self.all(|action| match action {
            Action::Emit(Event::Phase(change)) => Some(change.suspect),
            _ => None,
        })
    }

    fn levels(&self) -> Vec<Level> {
        self.all(|action| match action {
            Action::Emit(Event::Level(level)) => Some(*level),
            _ => None,
        })
    }

    fn marks(&self) -> Vec<bool> {
        self.all(|action| match action {
            Action::Emit(Event::Watermark { high }) => Some(*high),
            _ => None,
        })
    }
}

fn dropped(id: u64, why: Dropped) -> (u64, Outcome) {
    (id, Outcome::Dropped(why))
}

#[test]
fn volatile_leaves_in_its_turn_or_comes_back() {
    let mut talk = Talk::new(|config| config.window.frames = 2);
    assert_eq!(talk.send("offline", SendOptions::volatile()), Err(Why::NotNow));
    talk.command(Command::Connect);
    talk.report(Report::Up(Box::default()));
    assert_eq!(talk.send("not logged in", SendOptions::volatile()), Err(Why::NotNow));
    talk.hear("ok");
    talk.flushed();
    for text in ["one", "two"] {
        let id = talk.send(text, SendOptions::volatile()).expect("there is room");
        assert_eq!(talk.sent(), [format!("m {id} {text}")]);
    }
    assert_eq!(talk.send("three", SendOptions::volatile()), Err(Why::NotNow), "the window is full");
    talk.send("waits", SendOptions::default()).expect("the queue has room");
    talk.flushed();
    assert_eq!(talk.sent(), ["m 3 waits"]);
}

#[test]
fn volatile_that_did_not_leave_ends_with_its_link() {
    let mut talk = Talk::online(|_| {});
    for text in ["left", "stayed", "stayed too"] {
        talk.send(text, SendOptions::volatile()).expect("there is room");
    }
    talk.down(None, 2);
    let gone = Dropped::LinkGone;
    assert_eq!(talk.ended(), [(1, Outcome::InDoubt), dropped(2, gone), dropped(3, gone)]);
}

/// A hundred prices while offline are one frame, where the first of them stood.
#[test]
fn the_latest_price_stands_where_the_first_stood() {
    let mut talk = Talk::new(|_| {});
    for price in 0..100 {
        talk.send(&format!("price {price}"), SendOptions::latest("EURUSD").tracked()).expect("accepted");
        if price > 0 {
            let before = if price == 1 { 1 } else { u64::from(price as u32) + 1 };
            assert_eq!(talk.ended(), [dropped(before, Dropped::Replaced)]);
        } else {
            talk.send("an order", SendOptions::default()).expect("accepted");
        }
    }
    talk.command(Command::Connect);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    assert_eq!(talk.sent(), ["m 101 price 99", "m 2 an order"]);
    talk.send("price 100", SendOptions::latest("EURUSD").tracked()).expect("accepted");
    assert_eq!((talk.sent(), talk.ended()), (vec!["m 102 price 100"], vec![]), "what was handed over is not replaced");
    talk.hear("got 101");
    assert_eq!(talk.ended(), [(101, Outcome::Written)], "it is found by its own id");
    assert_eq!(talk.send("no key", SendOptions::new(Class::Latest)), Err(Why::NoKey));
}

/// Another class may use the key for what it is about, and hides nothing.
#[test]
fn the_latest_price_is_found_behind_a_newer_message_of_another_class_with_its_key() {
    let mut talk = Talk::new(|_| {});
    talk.send("price 1", SendOptions::latest("k").tracked()).expect("accepted");
    talk.send("order", SendOptions::default().key("k")).expect("accepted");
    talk.send("price 2", SendOptions::latest("k").tracked()).expect("accepted");
    assert_eq!(talk.ended(), [dropped(1, Dropped::Replaced)]);
    talk.command(Command::Connect);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    assert_eq!(talk.sent(), ["m 3 price 2", "m 2 order"]);
}

/// A window of one frame, and a ping that is due in the turn that takes the message.
#[test]
fn volatile_that_was_taken_leaves_before_what_became_due_since() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    while talk.session.machine().next_timer().map(|(_, timer)| timer) != Some(Timer::Heartbeat) {
        talk.now = talk.session.next_deadline().expect("a probe");
        talk.turn(Input::Wake);
    }
    talk.now = talk.session.next_deadline().expect("a probe");
    talk.send("cursor", SendOptions::volatile().tracked()).expect("accepted");
    assert_eq!((talk.sent(), talk.ended()), (vec!["m 1 cursor"], vec![]));
    assert!(talk.out.iter().any(|action| matches!(action, Action::Send { frame: Frame::Ping(_), .. })));
}

#[test]
fn bypass_overtakes_the_queue_and_even_the_login() {
    let mut talk = Talk::new(|config| config.window.frames = 2);
    assert_eq!(talk.send("too early", SendOptions::bypass()), Err(Why::NoLink));
    for _ in 0..4 {
        talk.send("queued", SendOptions::default()).expect("accepted");
    }
    talk.command(Command::Connect);
    assert_eq!(talk.send("still dialing", SendOptions::bypass()), Err(Why::NoLink));
    talk.report(Report::Up(Box::default()));
    talk.send("hello", SendOptions::bypass().tracked()).expect("a link is open");
    assert_eq!(talk.sent(), ["m 5 hello"]);
    talk.hear("ok");
    assert_eq!(talk.sent(), [] as [&str; 0], "the window is full of the login and the greeting");
    talk.send("urgent", SendOptions::bypass().tracked()).expect("a link is open");
    assert_eq!(talk.sent(), ["m 6 urgent"], "it has room of its own");
    talk.flushed();
    assert_eq!(talk.ended(), [(5, Outcome::Written), (6, Outcome::Written)]);
    assert_eq!(talk.sent(), ["m 1 queued", "m 2 queued"]);
}

#[test]
fn bypass_never_sees_another_link() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    for text in ["left", "stayed", "waits"] {
        talk.send(text, SendOptions::bypass()).expect("a link is open");
    }
    assert_eq!(talk.frames, 3, "two are handed over");
    talk.down(None, 2);
    let gone = Dropped::LinkGone;
    assert_eq!(talk.ended(), [dropped(3, gone), (1, Outcome::InDoubt), dropped(2, gone)]);
    talk.again();
    assert_eq!(talk.sent(), [] as [&str; 0]);
}

#[test]
fn each_policy_does_what_it_says_when_the_queue_is_full() {
    let sent = |overflow, options: fn(u32) -> SendOptions| {
        let mut talk = Talk::new(|config| (config.queue.max_messages, config.queue.overflow) = (3, overflow));
        let answers: Vec<_> = (1..=4).map(|n| talk.send("text", options(n)).map(|id| id.0)).collect();
        (answers[3].clone(), talk.ended())
    };
    let plain = |_| SendOptions::default();
    assert_eq!(sent(Overflow::Refuse, plain), (Err(Why::Full), vec![]));
    assert_eq!(sent(Overflow::DropOldest, plain), (Ok(4), vec![dropped(1, Dropped::Overflow)]));
    assert_eq!(sent(Overflow::DropNewest, plain), (Ok(4), vec![dropped(4, Dropped::Overflow)]));
    let second_is_low = |n| if n == 2 { SendOptions::latest("k") } else { SendOptions::default() };
    assert_eq!(sent(Overflow::DropLowest, second_is_low), (Ok(4), vec![dropped(2, Dropped::Overflow)]));
    let last_is_low = |n| if n == 4 { SendOptions::latest("k") } else { SendOptions::default() };
    assert_eq!(sent(Overflow::DropLowest, last_is_low), (Err(Why::Full), vec![]));
    let keyed = |n: u32| if n == 2 || n == 4 { SendOptions::default().key("k") } else { SendOptions::default() };
    assert_eq!(sent(Overflow::ReplaceByKey, keyed), (Ok(4), vec![dropped(2, Dropped::Replaced)]));
    assert_eq!(sent(Overflow::ReplaceByKey, plain), (Err(Why::Full), vec![]));
}

#[test]
fn the_marks_are_told_once_for_each_crossing() {
    let mut talk = Talk::new(|config| config.queue.max_messages = 10);
    let mut told = Vec::new();
    for _ in 0..10 {
        talk.send("text", SendOptions::default()).expect("there is room");
        told.push(talk.marks());
    }
    let high = told.iter().position(|marks| marks == &[true]);
    assert_eq!((high, told.iter().flatten().count()), (Some(7), 1), "with the eighth of ten");
    for id in 1..=4 {
        talk.command(Command::Cancel(OpId(id)));
        assert_eq!(talk.marks(), [] as [bool; 0], "six are no news, neither up nor down");
    }
    talk.command(Command::Cancel(OpId(5)));
    assert_eq!(talk.marks(), [false]);
    for _ in 0..3 {
        talk.send("text", SendOptions::default()).expect("there is room");
    }
    assert_eq!(talk.marks(), [true]);
}

#[test]
fn a_queue_that_is_high_is_shaky_and_one_that_is_low_is_good_after_a_while() {
    let mut talk = Talk::online(|config| (config.queue.max_messages, config.window.frames) = (10, 1));
    for told in [&[][..], &[], &[], &[], &[], &[], &[], &[Level::Shaky], &[]] {
        talk.send("waits", SendOptions::at_least_once()).expect("accepted");
        assert_eq!(talk.levels(), told);
    }
    talk.command(Command::TakeQueued);
    assert_eq!((talk.marks(), talk.levels()), (vec![false], vec![]), "better is told later");
    let since = talk.now;
    while talk.levels().is_empty() {
        talk.now = talk.session.next_deadline().expect("a level that gets better");
        talk.turn(Input::Wake);
    }
    assert_eq!(talk.levels(), [Level::Good]);
    assert!(talk.now.since(since) <= Duration::from_millis(10_010), "{:?}", talk.now.since(since));
}

#[test]
fn who_was_refused_hears_of_a_bound_that_was_raised() {
    let mut talk = Talk::new(|config| config.queue.max_messages = 2);
    for _ in 0..2 {
        talk.send("waits", SendOptions::default()).expect("accepted");
    }
    assert_eq!(talk.send("one more", SendOptions::default()), Err(Why::Full));
    let mut config = talk.session.machine().config().clone();
    for (most, room) in [(2, 0), (1_000, 1), (2_000, 0)] {
        config.queue.max_messages = most;
        talk.command(Command::Configure(Box::new(config.clone())));
        let told = talk.out.iter().filter(|action| matches!(action, Action::Emit(Event::Room))).count();
        assert_eq!(told, room, "{most}");
    }
}

#[test]
fn all_that_has_not_left_comes_back_and_nothing_else() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    talk.send("on its way", SendOptions::default()).expect("accepted");
    let before = talk.now;
    talk.send("waits", SendOptions::at_least_once().label("order 17")).expect("accepted");
    let Answer::CameBack(back) = talk.command(Command::TakeQueued) else { panic!("it comes back") };
    assert_eq!(back.len(), 1);
    let one = &back[0];
    assert_eq!((one.id, one.class, one.message.as_str()), (OpId(2), Class::AtLeastOnce, "waits"));
    assert_eq!((one.attempts, one.label.as_ref().map(Text::as_str)), (0, Some("order 17")));
    assert!(one.enqueued_at >= before && one.enqueued_at <= talk.now, "{}", one.enqueued_at);
    assert_eq!(talk.ended(), [(2, Outcome::Cancelled)]);
    talk.flushed();
    assert_eq!(talk.sent(), [] as [&str; 0]);
}

/// Five are told written. The pong proves that two of them were read, so three are suspect.
#[test]
fn what_no_pong_has_proven_is_suspect() {
    let mut talk = Talk::online(|_| {});
    for _ in 0..2 {
        talk.send("read", SendOptions::default()).expect("accepted");
    }
    talk.flushed();
    let ping = loop {
        talk.now = talk.session.next_deadline().expect("a probe");
        talk.turn(Input::Wake);
        let pings = talk.out.iter().filter_map(|action| match action {
            Action::Send { frame: Frame::Ping(number), .. } => Some(number.clone()),
            _ => None,
        });
        if let Some(ping) = pings.last() {
            break ping;
        }
    };
    for _ in 0..3 {
        talk.send("written", SendOptions::default()).expect("accepted");
    }
    talk.flushed();
    talk.report(Report::Frame(Frame::Pong(ping)));
    talk.send("in flight", SendOptions::default()).expect("accepted");
    talk.down(None, u64::MAX);
    let change = talk.out.iter().find_map(|action| match action {
        Action::Emit(Event::Phase(change)) if change.to == Phase::Waiting => Some(change.suspect),
        _ => None,
    });
    assert_eq!((change, talk.ended()), (Some(3), vec![(6, Outcome::InDoubt)]));
}

/// RFC 6455 section 5.5.3 lets a server send pongs as a heartbeat of its own, before it has read anything.
#[test]
fn a_pong_that_nobody_asked_for_proves_nothing() {
    let mut talk = Talk::online(|_| {});
    for _ in 0..3 {
        talk.send("written", SendOptions::default()).expect("accepted");
    }
    talk.flushed();
    while !talk.out.iter().any(|action| matches!(action, Action::Send { frame: Frame::Ping(_), .. })) {
        talk.now = talk.session.next_deadline().expect("a probe");
        talk.turn(Input::Wake);
    }
    for beat in ["", "a beat", "beat-now", "a long beat of theirs"] {
        talk.report(Report::Frame(Frame::Pong(beat.as_bytes().into())));
    }
    assert_eq!(talk.session.machine().health(talk.now).latency, None);
    talk.down(None, u64::MAX);
    assert_eq!(talk.suspects(), [3]);
}

/// Three that end written after the goodbye, and a peer that never answers it, or does.
#[test]
fn what_was_written_after_our_goodbye_is_suspect_unless_the_peer_answers_it() {
    for (answers, suspect) in [(false, 3), (true, 0)] {
        for command in [Command::Stop, Command::Suspend] {
            let mut talk = Talk::online(|_| {});
            for _ in 0..3 {
                talk.send("written", SendOptions::default()).expect("accepted");
            }
            talk.command(command.clone());
            let mut told = talk.suspects();
            talk.flushed();
            if answers {
                talk.down(Some(CloseCode::NORMAL), u64::MAX);
            } else {
                talk.now = talk.session.next_deadline().expect("the goodbye takes too long");
                talk.turn(Input::Wake);
            }
            told.append(&mut talk.suspects());
            talk.command(Command::ConnectNow);
            told.append(&mut talk.suspects());
            assert_eq!(told.iter().sum::<u64>(), suspect, "{answers} {command:?}: {told:?}");
        }
    }
}

#[test]
fn a_secret_is_marked_and_shown_nowhere() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    talk.send("plain", SendOptions::default()).expect("accepted");
    let input =
        || Input::Command(Command::Send { message: "hunter2".into(), options: SendOptions::default().secret() });
    let mut shown = format!("{:?}", input());
    let answer = talk.turn(input());
    shown += &format!("{answer:?} {:?}", talk.out);
    talk.flushed();
    assert!(talk.out.iter().any(|action| matches!(action, Action::Send { secret: true, .. })), "{:?}", talk.out);
    shown += &format!("{:?}", talk.out);
    talk.down(None, 0);
    let back = talk.command(Command::TakeQueued);
    assert!(matches!(&back, Answer::CameBack(back) if back[0].message.as_str() == "hunter2"));
    shown += &format!("{back:?} {:?} {:?}", talk.out, talk.session.machine());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_label_comes_back_with_the_outcome() {
    let mut talk = Talk::online(|_| {});
    talk.send("text", SendOptions::default().tracked().label("order 17")).expect("accepted");
    talk.flushed();
    let label = talk.out.iter().find_map(|action| match action {
        Action::Emit(Event::Outcome { label, .. }) => label.clone(),
        _ => None,
    });
    assert_eq!(label.as_ref().map(Text::as_str), Some("order 17"));
}

/// Without this the message ends every link for ever: replayed, closed with 1007, replayed.
#[test]
fn what_takes_three_links_down_is_not_sent_again() {
    let mut talk = Talk::online(|_| {});
    talk.send("poison", SendOptions::at_least_once()).expect("accepted");
    for links in 1..=3 {
        talk.down(Some(CloseCode::INVALID), u64::MAX);
        let failed = matches!(talk.ended()[..], [(1, Outcome::Failed(_))]);
        assert_eq!(failed, links == 3, "after {links}: {:?}", talk.ended());
        if links < 3 {
            talk.again();
            assert_eq!(talk.sent(), ["m 1 poison"]);
        }
    }
}

#[test]
fn of_what_was_too_large_the_largest_goes_at_once() {
    let mut talk = Talk::online(|_| {});
    for length in [10, 1_000, 100] {
        talk.send(&"x".repeat(length), SendOptions::at_least_once()).expect("accepted");
    }
    talk.flushed();
    talk.down(Some(CloseCode::TOO_BIG), u64::MAX);
    let failed = talk.ended();
    let [(2, Outcome::Failed(why))] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(why.code.as_ref().map(Text::as_str), Some("poison"));
}

/// Two hundred thousand come when there is no room; each costs about the same, or this takes hours.
#[test]
fn a_full_queue_of_a_hundred_thousand_is_as_quick_as_a_short_one() {
    const MOST: u32 = 100_000;
    for overflow in [Overflow::DropOldest, Overflow::DropLowest, Overflow::ReplaceByKey] {
        let mut config = Config::default();
        (config.queue.max_messages, config.queue.max_bytes) = (MOST, u64::MAX);
        config.queue.overflow = overflow;
        let mut session = Session::new(Toy::default(), config, 7).expect("a sound configuration");
        let (now, mut actions) = (Timestamp::from_millis(1), Vec::new());
        for n in 0..3 * MOST {
            let key = format!("k{}", n % MOST);
            let options = if n % 2 == 0 { SendOptions::at_least_once() } else { SendOptions::default().key(key) };
            drop(session.send_with(now, Text::from_static("text"), options, &mut actions));
            actions.clear();
        }
        assert_eq!(session.health(now).queued, u64::from(MOST), "{overflow:?}");
    }
}

/// What cannot be had is not looked for again each time.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_refusal_costs_the_same_however_much_waits() {
    let mut took = Vec::new();
    for most in [1_000_u32, 100_000] {
        let mut config = Config::default();
        (config.queue.max_messages, config.queue.max_bytes) = (u32::MAX, u64::from(most) * 33 + 30);
        config.queue.overflow = Overflow::DropLowest;
        let mut session = Session::new(Toy::default(), config, 7).expect("a sound configuration");
        let (now, mut actions) = (Timestamp::from_millis(1), Vec::new());
        session.send_with(now, "".into(), SendOptions::latest("k"), &mut actions).expect("accepted");
        for _ in 0..most {
            session.send_with(now, "0123456789".into(), SendOptions::at_least_once(), &mut actions).expect("accepted");
        }
        let mut refused = || {
            let large = "x".repeat(100).into();
            session.send_with(now, large, SendOptions::at_most_once(), &mut actions).expect_err("it does not fit");
        };
        refused();
        // The quickest of ten: a busy machine only makes it slower.
        let round = |_| {
            let from = Instant::now();
            (0..200).for_each(|_| refused());
            from.elapsed()
        };
        took.extend((0..10).map(round).min());
    }
    assert!(took[1] < 20 * took[0], "a hundred times as much waits: {took:?}");
}
