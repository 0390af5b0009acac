//! Topics: who gets what they say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use steadfast::{
    Cause, CloseCode, Config, Event, Frame, Phase, StopCause, SubscribeOptions, TopicNews, TopicState, Why,
};
use steadfast_driver::{Client, Driver, Events, Item, Lagged, Latest, Mailbox, SubscribeError, Subscription, Update};
use world::{Parts, Task, World, build, ended, online_with, take, toy::Toy};

type Topic = Subscription<Toy>;

fn online(world: &World) -> Parts<Toy> {
    online_with(world, world.builder().protocol(Toy::default()))
}

/// Each update in a few letters.
fn shown(update: Update<String>) -> String {
    if let Update::Message { message, .. } = update {
        message
    } else if let Update::Snapshot(message) = update {
        format!("[{message}]")
    } else if let Update::News(news) = update {
        named(&news)
    } else if let Update::Lagged(Lagged { messages, events: 0 }) = update {
        format!("{messages} dropped")
    } else {
        format!("{update:?}")
    }
}

fn named(news: &TopicNews) -> String {
    if let TopicNews::Gap { last } = news {
        format!("gap after {last:?}")
    } else if let TopicNews::Refused { retry_at: Some(_), .. } = news {
        "refused for now".into()
    } else {
        let shown = format!("{news:?}").to_lowercase();
        shown.split(' ').next().unwrap_or_default().to_owned()
    }
}

/// All that is there; a full stop if nothing more comes.
fn heard(topic: &mut Topic) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match topic.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(update)) => all.push(shown(update)),
            Poll::Ready(None) => {
                all.push(".".into());
                return all;
            }
            Poll::Pending => return all,
        }
    }
}

/// The messages among the events.
fn told(events: &mut Events<Toy>) -> Vec<String> {
    take(events).into_iter().filter_map(Item::into_message).collect()
}

/// The news of topics among them.
fn news(events: &mut Events<Toy>) -> Vec<String> {
    let of = |item| {
        let Item::Event(Event::Topic { topic, news }) = item else { return None };
        Some(format!("{topic}: {}", shown(Update::News(news))))
    };
    take(events).into_iter().filter_map(of).collect()
}

fn say<const N: usize>(world: &World, driver: &mut Task<Driver<Toy, World, World>>, frames: [&str; N]) {
    world.say_all(frames.map(Frame::from));
    assert!(driver.run().is_pending());
}

/// Subscribed and confirmed.
fn have(world: &World, client: &Client<Toy>, driver: &mut Task<Driver<Toy, World, World>>, topic: char) -> Topic {
    let mut subscription = client.subscribe(topic).unwrap();
    confirm(world, driver);
    assert_eq!(heard(&mut subscription), ["confirmed"]);
    subscription
}

/// Says yes to the last operation.
fn confirm(world: &World, driver: &mut Task<Driver<Toy, World, World>>) {
    assert!(driver.run().is_pending());
    let link = world.links() - 1;
    let asked = world.left(link).pop().unwrap();
    let op = asked.split(' ').nth(1).unwrap();
    say(world, driver, [&format!("ok {op}")]);
}

/// The link is lost and there is another one.
fn reconnect(world: &World, driver: &mut Task<Driver<Toy, World, World>>) {
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    world.accept();
    world.pass(Duration::from_secs(60));
    assert!(driver.run().is_pending());
}

#[test]
fn what_a_topic_says_goes_to_its_subscriber_and_its_news_to_the_events_too() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let mut a = client.subscribe('a').unwrap();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["sub 1 a"]);
    say(&world, &mut driver, ["ok 1", "a:7 one", "-- none", "b other", "a two"]);
    assert_eq!(heard(&mut a), ["confirmed", "one", "two"]);
    let items = take(&mut events);
    let is_news =
        |item: &Item<_, _>| matches!(item, Item::Event(Event::Topic { topic: 'a', news: TopicNews::Confirmed }));
    assert!(items.iter().any(is_news));
    let messages: Vec<_> = items.into_iter().filter_map(Item::into_message).collect();
    assert_eq!(messages, ["none", "other"], "what has no subscriber goes where it went");
    assert_eq!(client.subscriptions().len(), 1);
    let known = &client.subscriptions()[0];
    assert_eq!((known.topic, known.state, known.count, known.last), ('a', TopicState::Confirmed, 1, Some(7)));
}

#[test]
fn several_share_one_subscription_and_each_gets_everything() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let mut first = have(&world, &client, &mut driver, 'a');
    let mut second = client.subscribe('a').unwrap();
    say(&world, &mut driver, ["a one", "a two"]);
    assert_eq!(
        (heard(&mut first), heard(&mut second)),
        (vec!["one".into(), "two".into()], vec!["confirmed".to_owned(), "one".into(), "two".into()])
    );
    drop(first);
    say(&world, &mut driver, ["a three"]);
    assert_eq!(heard(&mut second), ["three"]);
    assert_eq!(world.left(0), ["sub 1 a"], "one is left");
    drop(second);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["sub 1 a", "unsub 2 a"]);
    confirm(&world, &mut driver);
    assert_eq!(news(&mut events), ["a: confirmed", "a: left"]);
    assert!(client.subscriptions().is_empty());
}

/// What was said of the topic before somebody came is told again if it still holds, and to nobody else.
#[test]
fn one_that_comes_later_is_told_at_once_that_its_topic_is_confirmed() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let mut first = client.subscribe('a').unwrap();
    let mut early = client.subscribe('a').unwrap();
    assert!(driver.run().is_pending());
    assert!(heard(&mut early).is_empty(), "asked for, and not confirmed");
    confirm(&world, &mut driver);
    assert_eq!((heard(&mut first), heard(&mut early)), (vec!["confirmed".into()], vec!["confirmed".to_owned()]));
    let mut late = client.subscribe('a').unwrap();
    assert_eq!(heard(&mut late), ["confirmed"], "before the driver has its turn");
    assert!(driver.run().is_pending());
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    let mut offline = client.subscribe('a').unwrap();
    reconnect(&world, &mut driver);
    assert!(heard(&mut offline).is_empty(), "a topic is confirmed by a link");
    confirm(&world, &mut driver);
    for of in [&mut first, &mut early, &mut late, &mut offline] {
        assert_eq!(heard(of), ["gap after None", "confirmed"]);
    }
    assert_eq!(news(&mut events), ["a: confirmed", "a: gap after None", "a: confirmed"]);
    let (mut local, mut second) = (client.subscribe('#').unwrap(), client.subscribe('#').unwrap());
    assert!(driver.run().is_pending());
    assert_eq!((heard(&mut local), heard(&mut second)), (vec!["confirmed".into()], vec!["confirmed".to_owned()]));
}

#[test]
fn the_last_drop_unsubscribes_and_does_so_once() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let all: Vec<_> = (0..5).map(|_| client.subscribe('a').unwrap()).collect();
    confirm(&world, &mut driver);
    drop(all);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["sub 1 a", "unsub 2 a"]);
}

#[test]
fn one_that_comes_while_another_leaves_gets_the_topic_anew() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let old = have(&world, &client, &mut driver, 'a');
    drop(old);
    let mut new = client.subscribe('a').unwrap();
    say(&world, &mut driver, ["a still"]);
    assert_eq!(world.left(0), ["sub 1 a", "unsub 2 a"]);
    say(&world, &mut driver, ["ok 2"]);
    assert_eq!(world.left(0), ["sub 1 a", "unsub 2 a", "sub 3 a"]);
    say(&world, &mut driver, ["ok 3", "a again"]);
    let heard = heard(&mut new);
    assert_eq!((heard[0].as_str(), heard.last().map(String::as_str)), ("still", Some("again")), "{heard:?}");
    assert!(told(&mut events).is_empty());
}

#[test]
fn one_that_comes_while_another_leaves_and_there_is_no_link_changes_nothing() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let old = have(&world, &client, &mut driver, 'a');
    world.end(Cause::Ended);
    assert!(driver.run().is_pending());
    drop(old);
    let mut new = client.subscribe('a').unwrap();
    world.accept();
    world.pass(Duration::from_secs(60));
    assert!(driver.run().is_pending());
    assert_eq!(world.left(1), ["sub 2 a"]);
    say(&world, &mut driver, ["ok 2", "a again"]);
    let heard = heard(&mut new);
    assert_eq!(heard.last().map(String::as_str), Some("again"));
    assert!(!heard.contains(&"left".to_owned()), "that was said before: {heard:?}");
    assert!(told(&mut events).is_empty());
}

#[test]
fn the_end_of_a_topic_is_not_for_one_that_subscribes_to_it_anew() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut old = have(&world, &client, &mut driver, 'a');
    // The session hears of the end, and before anybody is told of it there is a new one.
    let options = SubscribeOptions::default().snapshot("all of b".to_owned());
    let b = client.subscribe_with('b', options, Mailbox::lag(9, 99)).unwrap();
    assert!(driver.run().is_pending());
    let new = Arc::new(Mutex::new(None));
    let (other, slot) = (client.clone(), Arc::clone(&new));
    world.before_feed(move || *slot.lock().unwrap() = other.subscribe('a').ok());
    say(&world, &mut driver, ["!a", "ok 2"]);
    let mut new = new.lock().unwrap().take().unwrap();
    drop(b);
    assert_eq!(heard(&mut old), ["ended", "."]);
    assert!(heard(&mut new).is_empty(), "that was not for it");
    let asked: Vec<_> = world.left(0).into_iter().filter(|said| said.ends_with(" a")).collect();
    assert_eq!(asked, ["sub 1 a", "sub 4 a"]);
    say(&world, &mut driver, ["ok 4"]);
    say(&world, &mut driver, ["a again"]);
    assert_eq!(heard(&mut new).last().map(String::as_str), Some("again"));
    assert_eq!(heard(&mut old), ["."]);
    let known = client.subscriptions().into_iter().find(|known| known.topic == 'a').unwrap();
    assert_eq!(known.count, 1, "the one that has ended wants nothing");
    drop(new);
    assert!(driver.run().is_pending());
    assert!(world.left(0).last().unwrap().ends_with(" a"), "{:?}", world.left(0));
    drop(old);
}

#[test]
fn a_stream_ends_when_its_topic_is_refused_for_good_and_not_when_it_is_asked_for_again() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let (mut a, mut b) = (client.subscribe('a').unwrap(), client.subscribe('b').unwrap());
    assert!(driver.run().is_pending());
    say(&world, &mut driver, ["again 1", "no 2"]);
    assert_eq!(
        (heard(&mut a), heard(&mut b)),
        (vec!["refused for now".into()], vec!["refused".into(), ".".to_owned()])
    );
    while world.left(0).len() < 3 {
        world.pass_to_timer();
        assert!(driver.run().is_pending());
    }
    assert_eq!(world.left(0), ["sub 1 a", "sub 2 b", "sub 3 a"]);
    say(&world, &mut driver, ["ok 3", "a one"]);
    assert_eq!(heard(&mut a), ["confirmed", "one"]);
    let known: Vec<_> = client.subscriptions().iter().map(|known| known.topic).collect();
    assert_eq!(known, ['a'], "what nobody can have is not wanted");
}

#[test]
fn on_a_new_link_the_gap_comes_first() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut a = have(&world, &client, &mut driver, 'a');
    say(&world, &mut driver, ["a:4 one"]);
    reconnect(&world, &mut driver);
    assert_eq!(world.left(1), ["sub 2 a"]);
    say(&world, &mut driver, ["ok 2", "a:9 two"]);
    assert_eq!(heard(&mut a), ["one", "gap after Some(4)", "confirmed", "two"]);
}

#[test]
fn a_stop_with_a_later_connect_keeps_it_and_the_end_of_the_session_ends_it() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut a = have(&world, &client, &mut driver, 'a');
    client.stop();
    assert!(driver.run().is_pending());
    world.end(Cause::Closed { code: CloseCode::NORMAL, reason: "bye".into() });
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Stopped(StopCause::User));
    assert_eq!(client.subscribe('b').unwrap_err(), SubscribeError::Denied(Why::Stopped));
    assert!(heard(&mut a).is_empty());
    client.connect_now();
    world.accept();
    world.pass(Duration::from_secs(5));
    assert!(driver.run().is_pending());
    confirm(&world, &mut driver);
    say(&world, &mut driver, ["a more"]);
    assert_eq!(heard(&mut a).last().map(String::as_str), Some("more"));
    let mut reader = Task::new(async move { while a.next().await.is_some() {} });
    assert!(reader.poll().is_pending());
    drop(client);
    world.pass(Duration::from_secs(60));
    ended(driver.run());
    assert_eq!(reader.wakes.take(), 1);
    assert!(reader.poll().is_ready());
}

#[test]
fn when_the_driver_is_dropped_every_stream_ends_behind_what_was_said() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut a = have(&world, &client, &mut driver, 'a');
    let mut b = client.watch('b').unwrap();
    say(&world, &mut driver, ["a last words"]);
    drop(driver);
    assert_eq!(heard(&mut a), ["last words", "."]);
    assert!(Task::new(b.changed()).poll() == Poll::Ready(false));
    assert_eq!(client.subscribe('c').unwrap_err(), SubscribeError::Denied(Why::Stopped));
    assert_eq!(client.resync('a'), Err(Why::Stopped));
    drop((a, b));
}

#[test]
fn when_the_protocol_panics_every_stream_ends() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut a = have(&world, &client, &mut driver, 'a');
    world.say("ok panic");
    let panicked = catch_unwind(AssertUnwindSafe(|| driver.run()));
    drop(driver);
    assert!(panicked.is_err());
    assert_eq!(heard(&mut a), ["."]);
    drop((a, client));
}

#[test]
fn a_slow_one_that_lags_is_told_how_many_and_delays_nobody() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let mut quick = have(&world, &client, &mut driver, 'a');
    let mut slow = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::lag(3, 1 << 20)).unwrap();
    for n in 0..10 {
        say(&world, &mut driver, [&format!("a {n}")]);
        assert_eq!(heard(&mut quick), [n.to_string()]);
    }
    say(&world, &mut driver, ["-- none", "-a"]);
    assert_eq!(told(&mut events), ["none"]);
    assert_eq!(heard(&mut slow), ["confirmed", "7 dropped", "7", "8", "9", "lost"], "and news are never lost");
}

#[test]
fn bytes_count_too() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let _a = have(&world, &client, &mut driver, 'a');
    let mut slow = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::lag(100, 10)).unwrap();
    say(&world, &mut driver, ["a 345", "a 345", "a 345", "a more than fits"]);
    assert_eq!(heard(&mut slow), ["confirmed", "3 dropped", "more than fits"]);
}

#[test]
fn a_slow_one_that_pauses_loses_none_and_stops_the_reading() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let _quick = have(&world, &client, &mut driver, 'a');
    let mut slow = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::pause(8, 1 << 20)).unwrap();
    assert_eq!(heard(&mut slow), ["confirmed"]);
    world.say_all((0..100).map(|n| Frame::from(format!("a {n}"))));
    assert!(driver.run().is_pending());
    assert_eq!(world.unread(), 92, "it has no room for more");
    let mut all = heard(&mut slow);
    while all.len() < 100 {
        assert!(driver.wakes.take() > 0, "there is room again");
        assert!(driver.run().is_pending());
        let more = heard(&mut slow);
        assert!((1..=8).contains(&more.len()), "{}", more.len());
        all.extend(more);
    }
    assert_eq!(all, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn one_that_leaves_gives_its_room_back() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let slow = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::pause(2, 1 << 20)).unwrap();
    confirm(&world, &mut driver);
    say(&world, &mut driver, ["a one", "a two", "-- three"]);
    assert_eq!(told(&mut events), [] as [&str; 0]);
    drop(slow);
    assert!(driver.wakes.take() > 0);
    assert!(driver.run().is_pending());
    assert_eq!(told(&mut events), ["three"]);
}

#[test]
fn a_slow_one_delays_no_heartbeat() {
    for mailbox in [Mailbox::lag(1, 1 << 20), Mailbox::pause(1, 1 << 20)] {
        let world = World::new();
        let mut config = Config::default();
        config.heartbeat.keepalive = Duration::from_secs(5);
        let (client, _events, mut driver) =
            online_with(&world, world.builder().protocol(Toy::default()).config(config));
        let _slow = client.subscribe_with('a', SubscribeOptions::default(), mailbox).unwrap();
        confirm(&world, &mut driver);
        say(&world, &mut driver, ["a one", "a two", "a three"]);
        for n in 1..=20 {
            world.pass_to_timer();
            assert!(driver.run().is_pending());
            client.send(n.to_string()).unwrap();
            assert!(driver.run().is_pending());
            if mailbox == Mailbox::lag(1, 1 << 20) {
                say(&world, &mut driver, ["a more"]);
            }
        }
        assert_eq!((client.phase(), world.dials()), (Phase::Online, 1), "{mailbox:?}");
        assert_eq!(world.left(0).len(), 21, "and what is sent leaves");
    }
}

#[test]
fn a_reader_is_woken_once_for_a_round_and_others_are_not() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let (mut a, mut b) = (have(&world, &client, &mut driver, 'a'), have(&world, &client, &mut driver, 'b'));
    let (mut first, mut second) = (Task::new(a.next()), Task::new(b.next()));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    say(&world, &mut driver, ["a one", "a two", "a three"]);
    assert_eq!((first.wakes.take(), second.wakes.take()), (1, 0));
    assert!(first.poll().is_ready());
}

#[test]
fn nothing_is_lost_with_a_future_that_is_dropped() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut a = have(&world, &client, &mut driver, 'a');
    for n in 0..10 {
        assert!(Task::new(a.next()).poll().is_pending());
        say(&world, &mut driver, [&format!("a {n}")]);
        drop(a.next());
        let next = Task::new(a.next()).poll();
        assert!(matches!(next, Poll::Ready(Some(Update::Message { message, .. })) if message == n.to_string()));
    }
    let mut latest = client.watch('a').unwrap();
    assert!(Task::new(latest.changed()).poll().is_pending());
    say(&world, &mut driver, ["a new"]);
    drop(latest.changed());
    assert_eq!(Task::new(latest.changed()).poll(), Poll::Ready(true));
    assert!(Task::new(latest.changed()).poll().is_pending());
}

#[test]
fn the_latest_value_is_never_a_queue() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut price = client.watch('a').unwrap();
    confirm(&world, &mut driver);
    assert_eq!(price.latest(), None);
    let mut reader = Task::new(price.changed());
    assert!(reader.poll().is_pending());
    say(&world, &mut driver, ["a 1", "a 2", "a 3"]);
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.poll(), Poll::Ready(true));
    drop(reader);
    assert_eq!(price.latest().map(String::as_str), Some("3"));
    say(&world, &mut driver, ["a 4"]);
    say(&world, &mut driver, ["a 5"]);
    assert_eq!(price.latest().map(String::as_str), Some("5"));
    assert!(Task::new(price.changed()).poll().is_pending(), "it was seen");
    assert_eq!((price.take().as_deref(), price.latest()), (Some("5"), None));
    say(&world, &mut driver, ["a 6", "!a"]);
    assert_eq!(Task::new(price.changed()).poll(), Poll::Ready(true));
    assert_eq!(Task::new(price.changed()).poll(), Poll::Ready(false));
    assert_eq!(price.latest().map(String::as_str), Some("6"));
}

/// One who polls by hand shows what there is, and waits for what comes.
#[test]
fn who_looks_while_it_waits_is_woken_still() {
    let world = World::new();
    let (client, _events, mut driver) = online(&world);
    let mut price = client.watch('a').unwrap();
    confirm(&world, &mut driver);
    let mut reader = Task::new(poll_fn(|cx| {
        let changed = price.poll_changed(cx);
        let _ = price.latest();
        changed
    }));
    assert!(reader.poll().is_pending());
    say(&world, &mut driver, ["a 1"]);
    assert_eq!((reader.wakes.take(), reader.poll()), (1, Poll::Ready(true)));
}

#[test]
fn an_ack_leaves_when_the_first_subscriber_takes_the_message() {
    let world = World::new();
    let (client, _events, mut driver) = online_with(&world, world.builder().protocol(Toy { acks: true }));
    let (mut first, mut second): (Topic, Topic) = (client.subscribe('a').unwrap(), client.subscribe('a').unwrap());
    confirm(&world, &mut driver);
    say(&world, &mut driver, ["a!m1 one", "a!m2 two"]);
    let acks = || world.left(0).into_iter().filter(|said| said.starts_with("taken")).collect::<Vec<_>>();
    assert!(acks().is_empty());
    assert!(Task::new(second.next()).poll().is_ready() && Task::new(second.next()).poll().is_ready());
    assert!(Task::new(second.next()).poll().is_ready());
    assert!(driver.run().is_pending());
    assert_eq!(acks(), ["taken m1", "taken m2"]);
    assert_eq!(heard(&mut first), ["confirmed", "one", "two"]);
    assert!(driver.run().is_pending());
    assert_eq!(acks().len(), 2, "and once");
}

#[test]
fn what_could_be_dropped_unread_cannot_be_acknowledged() {
    let world = World::new();
    let (client, _events, mut driver) = online_with(&world, world.builder().protocol(Toy { acks: true }));
    let lagging = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::lag(10, 10));
    assert_eq!(lagging.unwrap_err(), SubscribeError::LagWithAcks);
    let nothing = client.subscribe_with('a', SubscribeOptions::default(), Mailbox::pause(0, 10));
    assert_eq!(nothing.unwrap_err(), SubscribeError::NoMailbox);
    // Of the latest value, what was replaced counts as taken.
    let mut latest: Latest<Toy> = client.watch('a').unwrap();
    confirm(&world, &mut driver);
    say(&world, &mut driver, ["a!m1 one", "a!m2 two"]);
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0).last().map(String::as_str), Some("taken m1"));
    assert_eq!(latest.latest().map(String::as_str), Some("two"));
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0).last().map(String::as_str), Some("taken m2"));
}

#[test]
fn a_snapshot_comes_before_what_was_held_for_it_and_again_when_it_is_asked_for() {
    let world = World::new();
    let (client, mut events, mut driver) = online(&world);
    let options = || SubscribeOptions::default().snapshot("all of a".to_owned());
    let mut a = client.subscribe_with('a', options(), Mailbox::lag(10, 1 << 20)).unwrap();
    confirm(&world, &mut driver);
    assert_eq!(world.left(0), ["sub 1 a", "ask 2 all of a"]);
    say(&world, &mut driver, ["a live", "answer 2 state"]);
    assert_eq!(heard(&mut a), ["confirmed", "[state]", "live"]);
    assert_eq!(client.resync('b'), Err(Why::NotSubscribed));
    assert_eq!(client.resync('a'), Ok(()));
    let mut late = client.subscribe('a').unwrap();
    assert!(driver.run().is_pending());
    say(&world, &mut driver, ["answer 3 newer"]);
    let newer = || "[newer]".to_owned();
    assert_eq!((heard(&mut a), heard(&mut late)), (vec![newer()], vec!["confirmed".into(), newer()]));
    let mut later = client.subscribe_with('a', options(), Mailbox::lag(10, 1 << 20)).unwrap();
    assert!(driver.run().is_pending());
    say(&world, &mut driver, ["answer 4 newest"]);
    assert_eq!(heard(&mut later), ["confirmed", "[newest]"], "who asks for one gets one");
    assert!(told(&mut events).is_empty());
}

#[test]
fn it_can_be_subscribed_to_before_the_first_poll() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().protocol(Toy::default()));
    let mut a: Topic = client.subscribe('a').unwrap();
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Restoring);
    confirm(&world, &mut driver);
    assert_eq!(client.phase(), Phase::Online);
    assert_eq!(heard(&mut a), ["confirmed"]);
}
