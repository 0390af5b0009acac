//! The same message twice: what we do not send again, and what of the peer's is not delivered again.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::time::Duration;

use steadfast::{
    Action, Alike, Answer, BadConfig, Command, Config, Dropped, Event, Input, Machine, Never, OpId, Outcome, Overflow,
    Report, SendOptions, Session, SubscribeOptions, Timestamp, Topics, Why,
};
use steadfast_sim::Toy;
use talk::Talk;

impl Talk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::speaking(Toy::default(), change)
    }

    fn speaking(toy: Toy, change: impl FnOnce(&mut Config)) -> Self {
        Self::with(toy, Duration::ZERO, |config| {
            config.dedup.outgoing = Alike::ByKey;
            config.dedup.incoming = true;
            change(config);
        })
    }

    /// A new link, within the time for which things are remembered.
    fn again(&mut self) {
        self.pass(Duration::from_millis(100));
        self.command(Command::ConnectNow);
        self.up("ok");
    }

    fn online(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::new(change);
        talk.command(Command::Connect);
        talk.go_online();
        talk
    }

    /// Its topic `a` is confirmed, and what it says is held until the answer to operation 2, its snapshot.
    fn holding(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::speaking(Toy { topics: Topics::Many, ..Toy::default() }, change);
        let options = Box::new(SubscribeOptions::default().snapshot("all of a".into()));
        talk.command(Command::Subscribe { topic: "a".into(), options });
        talk.command(Command::Connect);
        talk.go_online();
        talk.hear("sub-ok 1");
        assert_eq!(talk.sent(), ["req 2 all of a"]);
        talk
    }

    /// Sends what is named by this key; says what it is the same as.
    fn keyed(&mut self, key: &str) -> Option<u64> {
        self.twin_of(key, SendOptions::default().key(key))
    }

    fn twin_of(&mut self, text: &str, options: SendOptions) -> Option<u64> {
        let OpId(id) = self.send(text, options).expect("there is room");
        let twin = self.ended().into_iter().find(|(ended, _)| *ended == id);
        match twin {
            Some((_, Outcome::Duplicate(OpId(twin)))) => {
                assert_eq!(self.sent(), [""; 0], "it is not sent");
                Some(twin)
            }
            _ => None,
        }
    }

    fn taken(&mut self, id: &'static str) {
        self.command(Command::Taken { id: id.into() });
    }

    /// What was said to have come again in the last turn.
    fn came_again(&self) -> Vec<&[u8]> {
        self.all(|action| match action {
            Action::Emit(Event::Duplicate { id, .. }) => Some(&id[..]),
            _ => None,
        })
    }

    /// How many were the same as another: ours, the peer's.
    fn counted(&self) -> (u64, u64) {
        let health = self.session.machine().health(self.now);
        let stats = self.session.machine().stats();
        assert_eq!((health.duplicates_out, health.duplicates_in), (stats.duplicates_out, stats.duplicates_in));
        (stats.duplicates_out, stats.duplicates_in)
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_key_is_sent_once_and_the_second_is_told_of_the_first() {
    let mut talk = Talk::online(|_| {});
    assert_eq!(talk.keyed("order 17"), None);
    assert_eq!(talk.sent(), ["m 1 order 17"]);
    // It is told once, though nobody asked, and names the one that is on its way.
    let options = SendOptions::default().key("order 17").label("clicked twice");
    assert_eq!(talk.send("order 17, again", options), Ok(OpId(2)));
    let duplicate =
        Event::Outcome { id: OpId(2), outcome: Outcome::Duplicate(OpId(1)), label: Some("clicked twice".into()) };
    assert_eq!(talk.out, [Action::Emit(duplicate)]);
    assert_eq!(talk.keyed("order 18"), None, "another key is another message");
    talk.flushed();
    assert_eq!(talk.keyed("order 17"), Some(1), "the peer may have it");
    assert_eq!((talk.counted(), talk.session.machine().health(talk.now).queued), ((2, 0), 0));
}

#[test]
fn without_a_key_nothing_is_the_same() {
    let mut talk = Talk::online(|_| {});
    let plain = SendOptions::default;
    assert_eq!([talk.twin_of("a", plain()), talk.twin_of("a", plain())], [None, None]);
    let mut off = Talk::online(|config| config.dedup.outgoing = Alike::Off);
    assert_eq!([off.keyed("a"), off.keyed("a")], [None, None], "and nothing at all where it is off");
    assert_eq!(off.counted(), (0, 0));
}

/// 60 seconds from the first, and not from the last that was the same.
#[test]
fn the_window_is_that_of_the_first() {
    let mut talk = Talk::online(|_| {});
    talk.keyed("a");
    talk.flushed();
    talk.pass(ms(59_999));
    assert_eq!(talk.keyed("a"), Some(1));
    talk.pass(ms(1));
    assert_eq!(talk.keyed("a"), None);
    assert_eq!(talk.keyed("a"), Some(3));
}

#[test]
fn beyond_the_count_the_oldest_is_forgotten() {
    let mut talk = Talk::online(|config| config.dedup.count = 3);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(talk.keyed(key), None);
    }
    assert_eq!([talk.keyed("b"), talk.keyed("d")], [Some(2), Some(4)]);
    assert_eq!(talk.keyed("a"), None);
}

#[test]
fn a_key_whose_first_message_expired_is_sent() {
    let mut talk = Talk::new(|_| {});
    let short = || SendOptions::default().key("a").ttl(ms(500));
    assert_eq!(talk.twin_of("first", short()), None);
    assert_eq!(talk.twin_of("second", short()), Some(1), "it still waits");
    talk.pass(ms(500));
    talk.turn(Input::Wake);
    assert_eq!(talk.ended(), [(1, Outcome::Expired)]);
    assert_eq!(talk.twin_of("third", SendOptions::default().key("a")), None);
    talk.command(Command::Connect);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    assert_eq!(talk.sent(), ["m 3 third"]);
}

#[test]
fn a_key_whose_first_message_has_expired_unseen_is_sent() {
    let mut talk = Talk::new(|_| {});
    let short = || SendOptions::default().key("a").ttl(ms(500));
    assert_eq!(talk.twin_of("first", short()), None);
    talk.pass(ms(500));
    assert_eq!(talk.twin_of("second", short()), None, "nobody has woken the session");
}

/// Each way to end without being there. What was refused was never anything.
#[test]
fn a_key_is_free_again_once_the_peer_certainly_does_not_have_it() {
    type End = fn(&mut Talk);
    let ends: [(&str, End); 5] = [
        ("cancelled", |talk| drop(talk.command(Command::Cancel(OpId(1))))),
        ("taken back", |talk| drop(talk.command(Command::TakeQueued))),
        ("dropped for another", |talk| {
            talk.send("b", SendOptions::default()).expect("it makes room");
            assert_eq!(talk.ended(), [(1, Outcome::Dropped(Dropped::Overflow))]);
        }),
        ("stopped", |talk| {
            talk.command(Command::Stop);
            talk.command(Command::Connect);
        }),
        ("denied", |talk| {
            talk.command(Command::Connect);
            talk.report(Report::Up(Box::default()));
            talk.hear("ok");
            talk.hear("deny 1 not now");
            assert!(matches!(talk.ended()[..], [(1, Outcome::Failed(_))]), "{:?}", talk.out);
        }),
    ];
    for (how, end) in ends {
        let mut talk = Talk::new(|config| {
            (config.queue.max_messages, config.queue.overflow) = (1, Overflow::DropOldest);
        });
        assert_eq!(talk.keyed("a"), None, "{how}");
        assert_eq!(talk.keyed("a"), Some(1), "{how}");
        end(&mut talk);
        assert_eq!(talk.keyed("a"), None, "{how}");
    }
    let mut full = Talk::new(|config| config.queue.max_messages = 1);
    full.keyed("a");
    assert_eq!(full.send("b", SendOptions::default().key("b")), Err(Why::Full));
    assert_eq!(full.keyed("a"), Some(1), "the same again needs no room");
    full.command(Command::Cancel(OpId(1)));
    assert_eq!(full.keyed("b"), None, "what was refused is not remembered");
}

/// In doubt: the peer may have it, and who sends it anew shall know that. The host names it anew.
#[test]
fn a_key_in_doubt_stays() {
    let mut talk = Talk::online(|_| {});
    talk.keyed("a");
    talk.down(None, u64::MAX);
    assert_eq!(talk.ended(), [(1, Outcome::InDoubt)]);
    assert_eq!(talk.keyed("a"), Some(1));
    talk.again();
    assert_eq!(talk.sent(), [""; 0]);
    assert_eq!(talk.keyed("a, and sure"), None);
}

/// The session's own resends are no duplicates, and what is the same as one that waits to be sent again is.
#[test]
fn what_is_sent_again_passes_no_filter() {
    let mut talk = Talk::online(|_| {});
    let order = || SendOptions::at_least_once().key("a");
    assert_eq!(talk.twin_of("a", order()), None);
    talk.flushed();
    talk.down(None, u64::MAX);
    assert_eq!(talk.twin_of("a", order()), Some(1));
    talk.again();
    assert_eq!(talk.sent(), ["m 1 a"]);
    talk.hear("got 1");
    assert_eq!(talk.twin_of("a", order()), Some(1), "acknowledged is there");
    assert_eq!(talk.session.machine().stats().resent, 1);
}

#[test]
fn by_content_the_key_does_not_matter() {
    let mut talk = Talk::online(|config| config.dedup.outgoing = Alike::ByContent);
    let plain = SendOptions::default;
    assert_eq!(talk.twin_of("one", plain()), None);
    assert_eq!(talk.twin_of("one", plain().key("a")), Some(1));
    assert_eq!(talk.twin_of("two", plain().key("a")), None);
}

/// A, B and A again: the last one is what counts. And what belongs to its link is said on each.
#[test]
fn latest_and_bypass_are_the_same_as_none() {
    let mut talk = Talk::online(|config| (config.dedup.outgoing, config.window.frames) = (Alike::ByContent, 1));
    let state = || SendOptions::latest("switch");
    assert_eq!(["on", "off", "on"].map(|text| talk.twin_of(text, state())), [None; 3]);
    assert_eq!(["hi", "hi"].map(|text| talk.twin_of(text, SendOptions::bypass())), [None; 2]);
    assert_eq!(talk.counted(), (0, 0));
}

#[test]
fn volatile_is_compared_too() {
    let mut talk = Talk::online(|_| {});
    let cursor = || SendOptions::volatile().key("at 3, 4");
    assert_eq!([talk.twin_of("3 4", cursor()), talk.twin_of("3 4", cursor())], [None, Some(1)]);
}

#[test]
fn a_changed_policy_counts_at_once() {
    let mut talk = Talk::online(|_| {});
    talk.keyed("a");
    let mut config = talk.session.machine().config().clone();
    config.dedup.outgoing = Alike::Off;
    talk.command(Command::Configure(Box::new(config.clone())));
    assert_eq!(talk.keyed("a"), None);
    config.dedup.outgoing = Alike::ByKey;
    talk.command(Command::Configure(Box::new(config.clone())));
    assert_eq!(talk.keyed("a"), None, "what came before has been forgotten");
    config.dedup.within = ms(10);
    talk.command(Command::Configure(Box::new(config)));
    assert_eq!(talk.keyed("a"), Some(3));
    talk.pass(ms(10));
    assert_eq!(talk.keyed("a"), None);
}

/// Found by the laws: a key that no longer counted was known again as soon as more was remembered.
#[test]
fn a_smaller_window_forgets_for_good() {
    let mut talk = Talk::online(|_| {});
    let first = talk.keyed("a");
    assert_eq!((first, talk.keyed("b")), (None, None));
    for count in [1, 100] {
        let mut config = Config::default();
        config.dedup.outgoing = Alike::ByKey;
        config.dedup.count = count;
        assert_eq!(talk.command(Command::Configure(Box::new(config))), Answer::Done);
    }
    assert_eq!((talk.keyed("a"), talk.keyed("b")), (None, Some(2)));
}

/// The server saw no acknowledgement, and sends the message again on the next link.
#[test]
fn what_the_peer_sends_again_after_a_reconnect_is_not_delivered_again() {
    let mut talk = Talk::online(|_| {});
    talk.hear("m! s-1 ready");
    assert_eq!(talk.delivered(), ["ready"]);
    talk.taken("s-1");
    assert_eq!(talk.sent(), ["ack s-1"]);
    talk.down(None, 0);
    talk.again();
    talk.hear("m! s-1 ready");
    assert_eq!((talk.delivered(), talk.came_again()), (vec![], vec![&b"s-1"[..]]));
    assert_eq!(talk.sent(), ["ack s-1"], "it was taken: the first acknowledgement is lost");
    talk.hear("m! s-2 ready");
    assert_eq!((talk.delivered(), talk.came_again().len()), (vec!["ready"], 0), "another id is another message");
    assert_eq!(talk.counted(), (0, 1));
    assert_eq!(talk.session.machine().stats().received, 2);
}

#[test]
fn what_was_not_taken_yet_is_not_acknowledged_because_it_comes_again() {
    let mut talk = Talk::online(|_| {});
    talk.hear("m! s-1 ready");
    talk.hear("m! s-1 ready");
    assert_eq!((talk.delivered().len(), talk.sent().len()), (0, 0));
    talk.taken("s-1");
    assert_eq!(talk.sent(), ["ack s-1"], "the acknowledgement of both");
}

/// It was never delivered, so the one that comes again is no duplicate.
#[test]
fn what_is_lost_while_it_is_held_is_delivered_when_it_comes_again() {
    let mut talk = Talk::holding(|_| {});
    talk.hear("t! s-1 a one");
    assert_eq!(talk.delivered(), [""; 0], "held for the snapshot");
    talk.down(None, 0);
    talk.again();
    talk.hear("sub-ok 3");
    talk.hear("item 4 the state");
    talk.hear("t! s-1 a one");
    assert_eq!((talk.delivered(), talk.came_again().len()), (vec!["one"], 0));
    talk.hear("t! s-1 a one");
    assert_eq!((talk.delivered().len(), talk.came_again().len()), (0, 1), "now it was");

    let mut talk = Talk::holding(|config| config.subscriptions.held_max = 1);
    for line in ["t! s-1 a one", "t! s-2 a two", "item 2 the state"] {
        talk.hear(line);
    }
    assert_eq!(talk.delivered(), ["two"]);
    talk.hear("t! s-1 a one");
    assert_eq!(talk.delivered(), ["one"], "there was no room for it");
}

#[test]
fn what_comes_again_while_it_is_held_is_delivered_once() {
    let mut talk = Talk::holding(|_| {});
    for line in ["t! s-1 a one", "t! s-1 a one", "t! s-2 a two", "item 2 the state"] {
        talk.hear(line);
    }
    assert_eq!((talk.delivered(), talk.came_again()), (vec!["one", "two"], vec![&b"s-1"[..]]));
    assert_eq!((talk.counted(), talk.session.machine().stats().received), ((0, 1), 2));
    talk.taken("s-1");
    assert_eq!(talk.sent(), ["ack s-1"]);
}

#[test]
fn an_id_of_the_peer_is_remembered_for_a_time_and_a_count() {
    let mut talk = Talk::online(|config| config.dedup.count = 2);
    let hear = |talk: &mut Talk, id: &str| {
        talk.hear(&format!("m! {id} x"));
        talk.delivered().len()
    };
    assert_eq!(["a", "b", "a", "c", "b", "a"].map(|id| hear(&mut talk, id)), [1, 1, 0, 1, 0, 1]);
    for line in ["m x", "m x"] {
        talk.hear(line);
        assert_eq!(talk.delivered(), ["x"], "without an id nothing is the same");
    }
    let mut talk = Talk::online(|config| config.heartbeat.interval = Duration::MAX);
    hear(&mut talk, "a");
    talk.pass(ms(59_999));
    assert_eq!(hear(&mut talk, "a"), 0);
    talk.pass(ms(1));
    assert_eq!(hear(&mut talk, "a"), 1);
    let mut off = Talk::online(|config| config.dedup.incoming = false);
    assert_eq!(["a", "a"].map(|id| hear(&mut off, id)), [1, 1]);
}

/// An id as long as a frame neither hides what is different at its end nor fills the log.
#[test]
fn a_long_id_is_compared_as_a_whole_and_told_in_part() {
    let mut talk = Talk::online(|_| {});
    let long = "x".repeat(100_000);
    for end in ["a", "b"] {
        talk.hear(&format!("m! {long}{end} text"));
        assert_eq!(talk.delivered().len(), 1);
    }
    talk.hear(&format!("m! {long}a text"));
    assert_eq!(talk.came_again().iter().map(|id| id.len()).collect::<Vec<_>>(), [1_024]);
}

/// Toy says what its messages are; a protocol that does not is refused where it is made and where settings change.
#[test]
fn by_content_is_refused_where_the_protocol_does_not_know_it() {
    use steadfast::{Abilities, Frame, Heard, Protocol, Say, Unfit};

    struct Mute;

    impl Protocol for Mute {
        type Message = Frame;
        type Incoming = Frame;
        type Topic = Never;
        type Link = ();

        fn abilities(&self) -> Abilities {
            Abilities::default()
        }

        fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
            Ok(message.len().try_into().unwrap_or(u32::MAX))
        }

        fn decode(&mut self, (): &mut (), _: Frame, _: &mut Vec<Heard<Frame, Never>>) {}

        fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
            if let Say::Message(out) = say {
                frames.push(out.message.clone());
            }
        }
    }

    let mut config = Config::default();
    config.dedup.outgoing = Alike::ByContent;
    let bad = |BadConfig { field, .. }| field;
    assert_eq!(Session::new(Mute, config.clone(), 7).err().map(bad), Some("dedup.outgoing"));
    let mut session = Session::new(Mute, Config::default(), 7).expect("the defaults are sound");
    let configure = Input::Command(Command::Configure(Box::new(config)));
    let Answer::BadConfig(refused) = session.handle(Timestamp::ZERO, configure, &mut Vec::new()) else { panic!() };
    assert_eq!((bad(refused), session.config().dedup.outgoing), ("dedup.outgoing", Alike::Off));
}
