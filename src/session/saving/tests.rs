use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use super::*;
use crate::{
    Action, BadKeepsake, Bucket, Cause, Commands, Config, Down, Event, Frame, HttpAnswer, LinkId, Machine, Overflow,
    Phase, Plain, Report, SendOptions,
    protocol::json::{Json, Message},
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new(seed: u64) -> Session<Json> {
    Session::new(Json::default().acks(true), Config::default(), seed).expect("sound")
}

fn body(message: &Message) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(message.name().as_bytes()))
}

fn message(body: &Bytes) -> Option<Message> {
    core::str::from_utf8(body).ok().map(|name| Message::new(name, &1).expect("JSON"))
}

fn recalled(seed: u64, now: Timestamp, keepsake: &Keepsake) -> Session<Json> {
    let bytes = keepsake.to_bytes();
    let mut session = new(seed);
    assert!(session.recall(now, &Keepsake::from_bytes(bytes).expect("as it was written"), message));
    session
}

fn sent(session: &mut Session<Json>, now: Timestamp, link: u64) -> Vec<alloc::string::String> {
    let mut out = vec![];
    Commands::report(session, now, LinkId(link), Report::Up(Box::default()), &mut out);
    let text = |action| {
        let Action::Send { frame: Frame::Text(text), .. } = action else { return None };
        Some(text.as_str().into())
    };
    out.into_iter().filter_map(text).collect()
}

#[test]
fn a_wait_and_its_level_outlive_the_process() {
    let (mut session, mut out) = (new(7), vec![]);
    session.connect(at(0), &mut out);
    let answer = HttpAnswer { status: 503, retry_after: Some(Duration::from_secs(600)), ..HttpAnswer::default() };
    let down = Down { cause: Cause::Http(answer.into()), left: 0, verdict: None };
    Commands::report(&mut session, at(0), LinkId(1), Report::Down(down.into()), &mut out);
    let until = session.health(at(0)).retry_at.expect("a wait");
    let mut next = recalled(8, at(1_000), &session.save(body));
    assert_eq!((next.backoff.failures(), next.health(at(1_000)).retry_at), (1, None), "nobody wants to connect yet");
    out.clear();
    next.connect(at(1_000), &mut out);
    assert_eq!((next.phase(), next.health(at(1_000)).retry_at), (Phase::Waiting, Some(until)));
    next.wake(until, &mut out);
    assert_eq!(next.phase(), Phase::Connecting);
    let mut later =
        recalled(8, at(0), &Keepsake { retry_at: Some(Timestamp::from_micros(1 << 60)), ..Keepsake::default() });
    later.connect(at(0), &mut out);
    assert_eq!(later.health(at(0)).retry_at, Some(at(3_600_000)), "a clock that was wrong costs an hour, not a life");
}

/// What a server asked for is asked of the next process too: no hint cuts it short. A wait of our own is no promise.
#[test]
fn a_wait_that_was_asked_for_is_not_cut_short_by_a_hint_in_the_next_process() {
    for (retry_after, is_asked) in [(Some(Duration::from_secs(600)), true), (None, false)] {
        let (mut session, mut out) = (new(7), vec![]);
        session.connect(at(0), &mut out);
        let answer = HttpAnswer { status: 503, retry_after, ..HttpAnswer::default() };
        let down = Down { cause: Cause::Http(answer.into()), left: 0, verdict: None };
        Commands::report(&mut session, at(0), LinkId(1), Report::Down(down.into()), &mut out);
        session.facts.retry_at = session.facts.retry_at.max(Some(at(60_000)));
        let until = session.health(at(0)).retry_at.expect("a wait");
        let mut next = recalled(8, at(1_000), &session.save(body));
        next.connect(at(1_000), &mut out);
        next.network_lost(at(1_100), &mut out);
        next.network_back(at(1_200), &mut out);
        let at_last = next.health(at(1_200)).retry_at.expect("a wait");
        assert_eq!(at_last == until, is_asked, "{at_last}, and before {until}");
        assert!(is_asked || at_last <= at(2_200), "{at_last}");
        next.connect_now(at(1_300), &mut out);
        assert_eq!(next.phase(), Phase::Connecting, "the user's word counts in any case");
    }
}

#[test]
fn messages_go_on_with_their_ids_and_new_ones_are_above_them() {
    let (mut session, mut out) = (new(7), vec![]);
    let options = |class| SendOptions { class, ..SendOptions::default() };
    session.connect(at(0), &mut out);
    let names = [("left", Class::AtMostOnce), ("unacked", Class::AtLeastOnce)];
    for (name, class) in names {
        session.send_with(at(0), Message::new(name, &1).expect("JSON"), options(class), &mut out).expect("room");
    }
    let first = sent(&mut session, at(0), 1);
    assert_eq!(first.len(), 2);
    Commands::report(
        &mut session,
        at(0),
        LinkId(1),
        Report::Down(Down { cause: Cause::Ended, left: 2, verdict: None }.into()),
        &mut out,
    );
    let last = session.send(at(0), Message::new("waits", &1).expect("JSON"), &mut out).expect("room");
    let keepsake = session.save(body);
    let mut next = recalled(8, at(0), &keepsake);
    let new_one = next.send(at(0), Message::new("new", &1).expect("JSON"), &mut out).expect("room");
    assert!(new_one.0 > last.0 + (1 << 20), "{new_one} after {last}");
    next.connect_now(at(0), &mut out);
    let again = sent(&mut next, at(5), 1);
    let id = |line: &str| {
        line.split(r#""id":""#).nth(1).and_then(|rest| rest.split('"').next().map(alloc::string::String::from))
    };
    assert_eq!(again.len(), 3, "{again:?}");
    assert_eq!(id(&again[0]), id(&first[1]), "the same id, so that the server knows it again");
    assert!(again[1].contains("waits") && again[2].contains("new"));
    assert_eq!(next.stats().resent, 1);
    let mut other = recalled(9, at(0), &keepsake);
    let other_one = other.send(at(0), Message::new("new", &1).expect("JSON"), &mut out).expect("room");
    assert_ne!(new_one, other_one, "recalled twice, the ids differ");
}

#[test]
fn without_messages_a_new_process_has_new_ids() {
    let (mut session, mut out) = (new(7), vec![]);
    let last = session.send(at(0), Message::new("a", &1).expect("JSON"), &mut out).expect("room");
    let keepsake = session.save(|_| None);
    let mut next = recalled(8, at(0), &keepsake);
    assert_ne!(next.save(|_| None).incarnation, keepsake.incarnation);
    assert!(next.send(at(0), Message::new("a", &1).expect("JSON"), &mut out).expect("room") > last);
}

#[test]
fn the_client_id_is_recalled_by_the_session_and_the_protocol() {
    let keepsake = Keepsake { client_id: Some("c-17".into()), protocol: Some("c-17".into()), ..Keepsake::default() };
    let next = recalled(8, at(0), &keepsake);
    assert_eq!((next.health(at(0)).client_id, next.protocol().known_as()), (Some("c-17".into()), Some("c-17")));
}

#[test]
fn a_session_that_has_begun_recalls_nothing() {
    let mut session = Session::new(Plain, Config::default(), 7).expect("sound");
    session.connect(at(0), &mut vec![]);
    assert!(!session.recall(at(0), &Keepsake { failures: 9, ..Keepsake::default() }, |_| None));
    assert_eq!(session.backoff.failures(), 0);
    assert_eq!(Keepsake::from_bytes(Bytes::from_static(b"SFks\x01junk-junk")), Err(BadKeepsake::Damaged));
}

fn json(config: Config) -> Session<Json> {
    Session::new(Json::default().acks(true), config, 8).expect("sound")
}

/// Three of three words, into a queue for two.
#[test]
fn what_does_not_fit_any_more_is_left_out_and_nothing_gives_way_for_it() {
    let (mut session, mut out) = (new(7), vec![]);
    for name in ["first", "second", "third"] {
        session.send(at(0), Message::new(name, &1).expect("JSON"), &mut out).expect("room");
    }
    let keepsake = session.save(body);
    for overflow in [Overflow::Refuse, Overflow::DropOldest, Overflow::DropLowest, Overflow::DropNewest] {
        let mut config = Config::default();
        (config.queue.max_messages, config.queue.overflow) = (2, overflow);
        let mut next = json(config);
        assert!(next.recall(at(0), &keepsake, message));
        let (accepted, dropped) = (next.stats().accepted, next.stats().dropped);
        assert_eq!((accepted, dropped, next.health(at(0)).queued), (2, 0, 2), "{overflow:?}");
        out.clear();
        let names: Vec<_> = next.take_queued(at(0), &mut out).iter().map(|back| back.message.name().len()).collect();
        assert_eq!(names, ["first".len(), "second".len()], "{overflow:?}");
        assert!(!out.contains(&Action::Emit(Event::Room)), "nobody was refused: {out:?}");
    }
}

#[test]
fn a_recalled_message_expires_though_nothing_else_happens() {
    let (mut session, mut out) = (new(7), vec![]);
    let options = SendOptions::default().ttl(Duration::from_secs(5));
    session.send_with(at(0), Message::new("quick", &1).expect("JSON"), options, &mut out).expect("room");
    let mut next = recalled(8, at(2_000), &session.save(body));
    assert_eq!(next.next_deadline(), Some(at(5_000)));
    next.wake(at(5_000), &mut out);
    assert_eq!((next.stats().expired, next.next_deadline()), (1, None));
}

#[test]
fn a_wait_is_recalled_also_where_no_cap_shortens_it() {
    let mut config = Config::default();
    config.retry.directed_cap = Duration::MAX;
    let (mut next, mut out) = (json(config), vec![]);
    assert!(next.recall(at(0), &Keepsake { retry_at: Some(at(600_000)), ..Keepsake::default() }, message));
    next.connect(at(0), &mut out);
    assert_eq!((next.phase(), next.health(at(0)).retry_at), (Phase::Waiting, Some(at(600_000))));
}

/// The third has taken the place of the first, and leaves before the second. In the keepsake it stands after it.
#[test]
fn doubt_is_recalled_of_what_may_have_left_and_of_nothing_else() {
    let mut config = Config::default();
    (config.queue.max_messages, config.queue.overflow) = (2, Overflow::ReplaceByKey);
    let (mut session, mut out) = (json(config), vec![]);
    let mut send = |name, options| session.send_with(at(0), Message::new(name, &1).expect("JSON"), options, &mut out);
    send("replaced", SendOptions::default().key("k")).expect("room");
    let waits = send("waits", SendOptions::default()).expect("room");
    let left = send("left", SendOptions::at_least_once().key("k")).expect("room");
    session.connect(at(0), &mut out);
    assert_eq!(sent(&mut session, at(0), 1).len(), 2);
    let down = Down { cause: Cause::Ended, left: 1, verdict: None };
    Commands::report(&mut session, at(0), LinkId(1), Report::Down(down.into()), &mut out);
    let mut next = recalled(8, at(0), &session.save(body));
    assert!(next.cancel(at(0), left, &mut out).is_none(), "the peer may have it");
    assert!(next.cancel(at(0), waits, &mut out).is_some(), "it has not left, whatever has left after it");
}

/// The peer counts on: what was accepted for a limit is held to it in the next process, too.
#[test]
fn what_draws_on_a_limit_does_so_in_the_next_process() {
    let order = |name| (Message::bare(name), SendOptions::at_least_once().bucket("orders").weight(2));
    let paced = |limit| {
        let mut config = Config::default();
        config.pacing.buckets = vec![Bucket::new(limit, Duration::from_secs(60)).named("orders").reserve(0)];
        Session::new(Json::default().acks(true), config, 7).expect("sound")
    };
    let (mut session, mut out) = (paced(3), vec![]);
    for (message, options) in [order("a"), order("b"), (Message::bare("c"), SendOptions::default())] {
        session.send_with(at(0), message, options, &mut out).expect("there is room");
    }
    let bytes = session.save(body).to_bytes();
    for (mut next, leave) in [(paced(3), &["a"][..]), (paced(1), &["c"]), (new(7), &["a", "b", "c"])] {
        assert!(next.recall(at(0), &Keepsake::from_bytes(bytes.clone()).expect("as it was written"), message));
        next.connect(at(0), &mut out);
        let sent = sent(&mut next, at(0), 1);
        assert_eq!(sent.len(), leave.len(), "{sent:?}");
        assert!(sent.iter().zip(leave).all(|(sent, name)| sent.contains(&alloc::format!("\"{name}\""))), "{sent:?}");
    }
}
