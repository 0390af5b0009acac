//! Topics: what is asked for on each link, what is told of it, and what waits for it.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use steadfast::{
    Action, Answer, CloseCode, Command, Config, Event, Frame, Input, Kind, LinkId, Machine, Phase, Report, Restore,
    Rng, SendOptions, SubscribeOptions, Text, TopicNews, TopicState, Topics, Why,
};
use steadfast_sim::Toy;
use talk::Talk;

const MANY: Toy = Toy {
    batches: false,
    hello: false,
    login: true,
    acks: true,
    pings: steadfast::Pings::Frames,
    topics: Topics::Many,
    confirms: true,
};

impl Talk {
    fn new(toy: Toy, change: impl FnOnce(&mut Config)) -> Self {
        Self::with(toy, Duration::from_millis(2), change)
    }

    fn say(&mut self, text: &str) {
        assert!(self.send(text, SendOptions::default()).is_ok());
    }

    /// Connects, up to the answer of the login.
    fn log_in(&mut self, answer: &str) {
        self.pass(Duration::from_secs(60));
        self.command(Command::ConnectNow);
        self.up(answer);
    }

    fn lose(&mut self) {
        self.down(Some(CloseCode(1006)), self.frames);
    }

    /// Nothing happens for so long but what the session does by itself; what that was.
    fn idle(&mut self, time: Duration) -> Vec<Action<Text, Text>> {
        let until = self.now.after(time).expect("far from the end");
        let mut all = Vec::new();
        while let Some(at) = self.session.next_deadline().filter(|at| *at <= until) {
            self.now = at;
            self.turn_now(Input::Wake);
            all.append(&mut self.out);
        }
        self.now = until;
        all
    }

    fn many() -> Self {
        Self::new(MANY, |_| {})
    }

    fn subscribe(&mut self, topic: &str) -> Answer<Text> {
        self.subscribe_with(topic, SubscribeOptions::default())
    }

    fn subscribe_with(&mut self, topic: &str, options: SubscribeOptions<Text>) -> Answer<Text> {
        self.turn(Input::Command(Command::Subscribe { topic: topic.into(), options: Box::new(options) }))
    }

    fn unsubscribe(&mut self, topic: &str) -> Answer<Text> {
        self.turn(Input::Command(Command::Unsubscribe { topic: topic.into() }))
    }

    fn resync(&mut self, topic: &str) -> Answer<Text> {
        self.turn(Input::Command(Command::Resync { topic: topic.into() }))
    }

    fn phase(&self) -> Phase {
        self.session.machine().phase()
    }

    /// What was told of topics and their messages in the last turn, as lines.
    fn told(&self) -> Vec<String> {
        told(&self.out)
    }

    fn state(&self, topic: &str) -> Option<TopicState> {
        let mut all = self.session.machine().subscriptions();
        all.find(|known| known.topic.as_str() == topic).map(|known| known.state)
    }
}

fn sent(actions: &[Action<Text, Text>]) -> Vec<&str> {
    let sends = actions.iter().filter_map(|action| match action {
        Action::Send { frame: frame @ Frame::Text(_), .. } => frame.as_str(),
        _ => None,
    });
    sends.collect()
}

fn told(actions: &[Action<Text, Text>]) -> Vec<String> {
    let line = |action: &Action<Text, Text>| match action {
        Action::Emit(Event::Topic { topic, news }) => Some(match news {
            TopicNews::Gap { last } => format!("gap {topic} {}", last.map_or("-".into(), |last| last.to_string())),
            TopicNews::Refused { why, retry_at } => format!("refused {topic} {} {}", why.message, retry_at.is_some()),
            TopicNews::Lost { why, .. } => {
                format!("lost {topic} {}", why.as_ref().map_or("-", |why| why.message.as_str()))
            }
            TopicNews::Ended { .. } => format!("ended {topic}"),
            TopicNews::NoSnapshot { .. } => format!("no snapshot {topic}"),
            other => format!("{other:?} {topic}").to_lowercase(),
        }),
        Action::Emit(Event::Snapshot { topic, message }) => Some(format!("snapshot {topic} {message}")),
        Action::Emit(Event::Restored { topics }) => Some(format!("restored {topics}")),
        Action::Emit(Event::Message { message, topic, .. }) => {
            Some(format!("message {} {message}", topic.as_ref().map_or("-", Text::as_str)))
        }
        _ => None,
    };
    actions.iter().filter_map(line).collect()
}

#[test]
fn a_topic_is_asked_for_confirmed_and_left() {
    let mut talk = Talk::many();
    talk.log_in("ok");
    assert_eq!(talk.phase(), Phase::Online, "there is nothing to restore");
    talk.subscribe("a");
    assert_eq!((talk.sent(), talk.state("a")), (vec!["sub 1 a"], Some(TopicState::Asked)));
    talk.subscribe("a");
    assert_eq!(talk.sent(), [""; 0], "it is on its way");
    talk.hear("sub-ok 1");
    assert_eq!((talk.told(), talk.state("a")), (vec!["confirmed a".into()], Some(TopicState::Confirmed)));
    talk.hear("t a hello");
    assert_eq!(talk.told(), ["message a hello"]);
    talk.unsubscribe("a");
    assert_eq!(talk.sent(), [""; 0], "one more wants it");
    talk.unsubscribe("a");
    assert_eq!((talk.sent(), talk.state("a")), (vec!["unsub 2 a"], Some(TopicState::Leaving)));
    talk.hear("sub-ok 2");
    assert_eq!((talk.told(), talk.state("a")), (vec!["left a".into()], None));
    assert_eq!(talk.unsubscribe("a"), Answer::Denied(Why::NotSubscribed));
}

#[test]
fn what_changes_while_an_answer_is_awaited_is_looked_at_when_it_has_come() {
    let mut talk = Talk::many();
    talk.log_in("ok");
    talk.subscribe("a");
    talk.unsubscribe("a");
    assert_eq!((talk.sent(), talk.told()), (vec![], vec![]), "the server may have it: one operation at a time");
    talk.hear("sub-ok 1");
    assert_eq!((talk.sent(), talk.told()), (vec!["unsub 2 a"], vec![]));
    talk.subscribe("a");
    assert_eq!(talk.sent(), [""; 0]);
    talk.unsubscribe("a");
    talk.subscribe("a");
    talk.hear("sub-ok 2");
    assert_eq!((talk.sent(), talk.told()), (vec!["sub 3 a"], vec![]));
    talk.unsubscribe("a");
    talk.subscribe("a");
    talk.hear("sub-ok 3");
    assert_eq!((talk.sent(), talk.told()), (vec![], vec!["confirmed a".into()]), "cancelled out");
}

#[test]
fn unsubscribe_and_subscribe_while_offline_cancel_out() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.unsubscribe("a");
    assert_eq!((talk.told(), talk.state("a")), (vec!["left a".into()], None));
    talk.log_in("ok");
    assert_eq!((talk.sent(), talk.phase()), (vec![], Phase::Online), "no frame");

    talk.subscribe("b");
    talk.hear("sub-ok 1");
    talk.lose();
    talk.unsubscribe("b");
    talk.subscribe("b");
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.told()), (vec![], vec!["confirmed b".into()]), "it never was out");
    talk.lose();
    talk.unsubscribe("b");
    talk.log_in("kept");
    assert_eq!(talk.sent(), ["unsub 2 b"], "a session that was kept has it still");
    talk.hear("sub-ok 2");
    assert_eq!((talk.state("b"), talk.phase()), (None, Phase::Online));
    talk.lose();
    talk.log_in("ok");
    assert_eq!(talk.sent(), [""; 0]);
}

#[test]
fn the_queue_waits_until_all_topics_are_answered() {
    let mut talk = Talk::many();
    for topic in ["a", "b", "c"] {
        talk.subscribe(topic);
    }
    talk.say("queued");
    talk.log_in("ok");
    assert_eq!((talk.sent(), talk.phase()), (vec!["sub 2 a b c"], Phase::Restoring));
    talk.flushed();
    talk.say("more");
    talk.hear("on b");
    assert_eq!((talk.sent(), talk.phase()), (vec![], Phase::Restoring));
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["confirmed a", "confirmed c", "restored 3"]);
    assert_eq!((talk.sent(), talk.phase()), (vec!["m 1 queued", "m 3 more"], Phase::Online));
}

#[test]
fn alongside_nothing_waits_but_topics_go_first() {
    let mut talk = Talk::new(MANY, |config| config.subscriptions.restore = Restore::Alongside);
    talk.subscribe("a");
    talk.say("queued");
    talk.log_in("ok");
    assert_eq!((talk.sent(), talk.phase()), (vec!["sub 2 a", "m 1 queued"], Phase::Online));
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["confirmed a", "restored 1"]);
}

/// Ten operations one after the other answered, and the next one not: for each of them.
#[test]
fn a_restore_that_stalls_at_any_step_never_reaches_online() {
    const TOPICS: usize = 10;
    for topics in [Topics::One, Topics::Many] {
        for step in 0..TOPICS {
            let mut talk = Talk::new(Toy { topics, ..MANY }, |config| config.subscriptions.batch = 1);
            for topic in 0..TOPICS {
                talk.subscribe(&format!("t{topic}"));
            }
            talk.say("queued");
            talk.log_in("ok");
            assert_eq!(talk.sent().len(), TOPICS);
            let first = 2;
            for answered in 0..TOPICS {
                if answered != step {
                    talk.hear(&format!("sub-ok {}", first + answered));
                    assert_eq!(talk.phase(), Phase::Restoring, "step {step}, {answered} answered");
                }
            }
            talk.flushed();
            let happened = talk.idle(Duration::from_secs(11));
            let errors = happened.iter().filter_map(|action| match action {
                Action::EmitError(error) => Some((error.kind, error.message.as_str())),
                _ => None,
            });
            assert_eq!(errors.collect::<Vec<_>>(), [(Kind::Timeout, "a topic was not answered in time")]);
            assert!(happened.contains(&Action::Abort(LinkId(1))), "step {step}");
            assert!(!sent(&happened).iter().any(|frame| frame.starts_with("m ")), "nothing queued has left");
            assert!(!talk.session.machine().history().any(|change| change.to == Phase::Online));
        }
    }
}

#[test]
fn one_refused_topic_of_five_hundred_stops_none_of_the_others() {
    let mut talk = Talk::new(Toy { topics: Topics::One, ..MANY }, |config| config.window.frames = 1_000);
    for topic in 0..500 {
        talk.subscribe(&format!("t{topic}"));
    }
    talk.log_in("ok");
    for op in 1..=500 {
        assert_eq!(talk.phase(), Phase::Restoring);
        talk.hear(&if op == 250 { format!("sub-no {op} forbidden") } else { format!("sub-ok {op}") });
        if op == 250 {
            assert_eq!(talk.told(), ["refused t249 forbidden false"]);
        }
    }
    assert_eq!((talk.phase(), talk.told().last().map(String::as_str)), (Phase::Online, Some("restored 499")));
    assert_eq!(talk.state("t249"), Some(TopicState::Over));
    talk.lose();
    talk.log_in("ok");
    assert_eq!(talk.sent().len(), 499, "what was refused is not asked for again");
    assert!(!talk.sent().iter().any(|frame| frame.ends_with(" t249")));
}

#[test]
fn of_a_batch_the_refused_is_named_and_the_rest_is_confirmed() {
    let mut talk = Talk::new(MANY, |config| config.subscriptions.batch = 2);
    for topic in ["a", "b", "c"] {
        talk.subscribe(topic);
    }
    talk.log_in("ok");
    assert_eq!(talk.sent(), ["sub 1 a b", "sub 2 c"]);
    talk.hear("off a forbidden");
    assert_eq!(talk.told(), ["refused a forbidden false"]);
    talk.hear("sub-ok 2");
    talk.hear("sub-ok 1");
    assert_eq!(talk.told(), ["confirmed b", "restored 2"]);
    talk.subscribe("a");
    assert_eq!(talk.sent(), ["sub 3 a"], "who wants it anew asks anew");
}

#[test]
fn a_refusal_that_says_so_is_asked_again_after_its_time() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.hear("sub-no 1 30000 busy");
    assert_eq!((talk.told(), talk.phase()), (vec!["refused a busy true".into(), "restored 0".into()], Phase::Online));
    assert_eq!(sent(&talk.idle(Duration::from_secs(29))), [""; 0]);
    assert_eq!(sent(&talk.idle(Duration::from_secs(5))), ["sub 2 a"]);
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["confirmed a"]);
}

#[test]
fn a_session_that_the_peer_kept_is_not_asked_again() {
    let mut talk = Talk::many();
    for topic in ["a", "b"] {
        talk.subscribe(topic);
    }
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.subscribe("c");
    assert_eq!(talk.sent(), ["sub 2 c"]);
    talk.lose();
    talk.subscribe("d");
    talk.unsubscribe("b");
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.phase()), (vec!["unsub 3 b", "sub 4 c d"], Phase::Restoring), "only what changed");
    talk.hear("t a still there");
    assert_eq!(talk.told(), ["message a still there"], "nothing was missed");
    talk.hear("sub-ok 3");
    talk.hear("sub-ok 4");
    assert_eq!((talk.told().last().map(String::as_str), talk.phase()), (Some("restored 3"), Phase::Online));
    talk.lose();
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.told(), talk.phase()), (vec![], vec![], Phase::Online));
}

#[test]
fn a_gap_comes_before_the_first_message_of_each_topic_on_a_new_link() {
    let mut talk = Talk::many();
    for topic in ["a", "b"] {
        talk.subscribe(topic);
    }
    talk.log_in("ok");
    talk.hear("t# 16 a before");
    assert_eq!(talk.told(), ["message a before"], "nothing was missed yet");
    talk.hear("sub-ok 1");
    talk.hear("t# 17 a one");
    talk.lose();
    talk.log_in("ok");
    talk.hear("t# 25 a two");
    assert_eq!(talk.told(), ["gap a 17", "message a two"]);
    talk.hear("t# 26 a three");
    assert_eq!(talk.told(), ["message a three"]);
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["confirmed a", "gap b -", "confirmed b", "restored 2"]);
    talk.hear("t b one");
    assert_eq!((talk.told(), talk.session.machine().health(talk.now).gaps), (vec!["message b one".into()], 2));
    let positions = talk.session.machine().subscriptions().map(|known| known.last).collect::<Vec<_>>();
    assert_eq!(positions, [Some(26), None]);
}

#[test]
fn what_was_given_before_its_confirmation_has_a_gap_on_a_new_link_as_well() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.hear("t# 16 a early");
    talk.lose();
    talk.log_in("ok");
    talk.hear("t# 25 a later");
    assert_eq!(talk.told(), ["gap a 16", "message a later"]);
}

#[test]
fn a_link_that_is_being_left_says_its_first_after_a_gap_as_well() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.hear("t# 17 a one");
    talk.lose();
    talk.log_in("ok");
    talk.turn(Input::Command(Command::Drain { within: Duration::ZERO }));
    assert!(talk.out.iter().any(|action| matches!(action, Action::Close { .. })));
    talk.hear("t# 25 a two");
    assert_eq!(talk.told(), ["gap a 17", "message a two"]);
    talk.hear("t# 26 a three");
    assert_eq!(talk.told(), ["message a three"]);
}

#[test]
fn what_comes_of_a_topic_that_is_out_closes_no_gap() {
    let mut talk = Talk::new(Toy { confirms: false, ..MANY }, |_| {});
    talk.subscribe("a");
    talk.log_in("ok");
    talk.flushed();
    talk.hear("t# 1 a one");
    talk.hear("gone a moved");
    talk.hear("t# 3 a three");
    assert_eq!(talk.told(), ["gap a 1", "message a three"]);
    assert_eq!(sent(&talk.idle(Duration::from_secs(2))), ["sub 2 a"]);
    talk.flushed();
    assert_eq!(talk.told(), ["gap a 3", "confirmed a"], "more may have been missed since");
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["ended a"]);
    talk.hear("t# 5 a five");
    assert_eq!(talk.told(), ["message a five"], "it has ended, and is a stranger's");
    talk.subscribe("a");
    talk.flushed();
    assert_eq!(talk.told(), ["gap a 3", "confirmed a"]);
}

#[test]
fn an_operation_of_a_link_that_is_gone_proves_nothing_of_the_next() {
    let mut talk = Talk::many();
    talk.log_in("ok");
    for text in ["one", "two", "three"] {
        talk.say(text);
    }
    talk.subscribe("a");
    talk.flushed();
    talk.hear("sub-ok 4");
    talk.lose();
    talk.log_in("kept");
    let command = Command::Send { message: "four".into(), options: SendOptions::default().tracked() };
    talk.turn(Input::Command(command));
    talk.hear("sub-no 4 closed");
    let is_outcome = |action: &Action<Text, Text>| matches!(action, Action::Emit(Event::Outcome { .. }));
    assert_eq!((talk.told(), talk.out.iter().any(is_outcome)), (vec!["ended a".into()], false));
}

#[test]
fn a_topic_on_its_way_out_is_left_when_a_link_that_is_left_says_nothing_more() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.subscribe("b");
    talk.log_in("ok");
    talk.flushed();
    talk.hear("sub-ok 1");
    talk.unsubscribe("a");
    talk.told();
    talk.command(Command::Suspend);
    talk.unsubscribe("b");
    talk.hear("t a last");
    assert_eq!(talk.told(), ["message a last"], "it may say something of it until it is gone");
    talk.lose();
    assert_eq!(talk.told(), ["left a", "left b"]);
}

#[test]
fn a_wait_that_ended_without_a_link_is_part_of_the_restore() {
    let mut talk = Talk::new(MANY, |config| config.retry.jitter = steadfast::Jitter::None);
    talk.subscribe("a");
    talk.log_in("ok");
    talk.flushed();
    talk.hear("sub-no 1 2000 busy");
    talk.lose();
    talk.say("queued");
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.phase()), (vec!["sub 3 a"], Phase::Restoring), "the queue waits for it");
    talk.hear("sub-ok 3");
    assert_eq!((talk.sent(), talk.phase()), (vec!["m 2 queued"], Phase::Online));
}

#[test]
fn whoever_answers_too_late_has_read_what_was_said_before() {
    let mut talk = Talk::many();
    talk.log_in("ok");
    let command = Command::Send { message: "one".into(), options: SendOptions::default().tracked() };
    talk.turn(Input::Command(command));
    talk.subscribe("a");
    let unanswered = talk.idle(Duration::from_millis(10_900));
    assert_eq!(told(&unanswered).first().map(String::as_str), Some("lost a -"));
    let is_written = |action: &Action<Text, Text>| {
        matches!(action, Action::Emit(Event::Outcome { outcome: steadfast::Outcome::Written, .. }))
    };
    assert!(!unanswered.iter().any(is_written), "nobody has said that it was flushed");
    talk.hear("sub-no 2 closed");
    assert!(talk.out.iter().any(is_written), "{:?}", talk.out);
}

#[test]
fn a_notification_before_the_reply_finds_its_topic() {
    let mut talk = Talk::new(Toy { topics: Topics::One, ..MANY }, |_| {});
    talk.log_in("ok");
    talk.subscribe("a");
    talk.subscribe("b");
    talk.hear("item 2 early");
    assert_eq!(talk.told(), ["message b early"]);
    talk.hear("sub-ok 2");
    talk.hear("item 2 later");
    assert_eq!(talk.told(), ["message b later"]);
}

#[test]
fn what_the_peer_drops_is_asked_for_again_alone() {
    let mut talk = Talk::many();
    for topic in ["a", "b"] {
        talk.subscribe(topic);
    }
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.flushed();
    talk.hear("t# 3 a three");
    talk.hear("gone a moved");
    assert_eq!(talk.told(), ["lost a moved"]);
    assert_eq!(sent(&talk.idle(Duration::from_secs(2))), ["sub 2 a"]);
    talk.hear("sub-ok 2");
    assert_eq!(talk.told(), ["gap a 3", "confirmed a"]);
    talk.hear("off b");
    assert_eq!((talk.told(), talk.state("b")), (vec!["ended b".into()], Some(TopicState::Over)));
    talk.flushed();
    assert_eq!(sent(&talk.idle(Duration::from_secs(20))), [""; 0], "what has ended is not");
    talk.lose();
    talk.log_in("ok");
    assert_eq!(talk.sent(), ["sub 3 a"]);
    talk.unsubscribe("b");
    assert_eq!((talk.told(), talk.state("b")), (vec!["left b".into()], None));
}

#[test]
fn whoever_leaves_a_topic_that_waits_does_not_end_the_wait_of_the_others() {
    let mut talk = Talk::many();
    for _ in 0..2 {
        talk.subscribe("a");
    }
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.flushed();
    talk.hear("gone a moved");
    talk.unsubscribe("a");
    assert_eq!(sent(&talk.idle(Duration::from_secs(2))), ["sub 2 a"]);
}

#[test]
fn a_topic_that_is_dropped_again_and_again_waits_longer_each_time() {
    let mut talk = Talk::new(MANY, |config| config.retry.jitter = steadfast::Jitter::None);
    talk.subscribe("a");
    talk.log_in("ok");
    let mut waits = Vec::new();
    for op in 1..6 {
        talk.hear(&format!("sub-ok {op}"));
        talk.hear("gone a again");
        let begun = talk.now;
        while talk.sent() != [format!("sub {} a", op + 1)] {
            talk.idle(Duration::from_millis(250));
            let asked = talk.state("a") == Some(TopicState::Asked);
            if asked {
                break;
            }
            talk.hear("m alive");
        }
        waits.push(talk.now.since(begun).as_secs());
        talk.flushed();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16]);
}

#[test]
fn online_a_missing_answer_loses_the_topic_and_nothing_else() {
    let mut talk = Talk::new(MANY, |config| config.retry.jitter = steadfast::Jitter::None);
    talk.log_in("ok");
    talk.subscribe("a");
    talk.flushed();
    let happened = talk.idle(Duration::from_millis(10_900));
    assert_eq!((told(&happened), talk.phase()), (vec!["lost a -".into()], Phase::Online));
    talk.flushed();
    talk.hear("m alive");
    assert_eq!(sent(&talk.idle(Duration::from_secs(2))), ["sub 2 a"]);
    talk.unsubscribe("a");
    talk.flushed();
    let happened = talk.idle(Duration::from_secs(11));
    assert_eq!(sent(&happened), ["unsub 3 a"], "it may have it, so it is told that nobody wants it");
    talk.hear("sub-ok 3");
    assert_eq!(talk.told(), ["left a"]);
}

#[test]
fn a_topic_on_its_way_out_is_left_when_its_link_goes() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.flushed();
    talk.hear("sub-ok 1");
    talk.told();
    talk.unsubscribe("a");
    assert_eq!((talk.sent(), talk.told()), (vec!["unsub 2 a"], vec![]), "it is not answered");
    talk.lose();
    assert_eq!(talk.told(), ["left a"], "it may be the last link");
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.told()), (vec!["unsub 3 a"], vec![]), "the peer may have it still");
    talk.hear("sub-ok 3");
    assert_eq!((talk.told(), talk.state("a")), (vec!["restored 0".into()], None), "it was told before");
}

#[test]
fn without_patience_a_topic_is_stale_a_moment_after_its_confirmation() {
    for patience in [Duration::ZERO, Duration::from_nanos(1)] {
        let mut talk = Talk::many();
        talk.log_in("ok");
        talk.subscribe_with("#own", SubscribeOptions::default().stale_after(patience));
        assert_eq!(talk.told(), ["confirmed #own"]);
        assert!(talk.session.next_deadline().is_some_and(|at| at > talk.now), "nobody spins");
        assert_eq!(told(&talk.idle(Duration::from_secs(1))), ["stale #own"], "once");
    }
}

#[test]
fn what_was_said_when_there_was_room_again_is_answered_in_time() {
    let mut talk = Talk::new(Toy { topics: Topics::One, ..MANY }, |config| config.window.frames = 1);
    talk.log_in("ok");
    talk.subscribe("a");
    talk.flushed();
    talk.hear("sub-ok 1");
    for topic in ["b", "c", "d"] {
        talk.subscribe(topic);
    }
    assert_eq!(talk.sent(), [""; 0], "there is room for two");
    talk.flushed();
    assert_eq!(talk.sent(), ["sub 4 d"]);
    talk.hear("sub-ok 2");
    talk.hear("sub-ok 3");
    talk.now = talk.now.after(Duration::from_millis(10_500)).expect("far from the end");
    talk.hear("t a hello");
    assert_eq!(talk.told(), ["message a hello", "lost d -"]);
}

#[test]
fn an_answer_is_not_missed_while_nobody_reads() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.flushed();
    talk.report(Report::Paused);
    talk.idle(Duration::from_secs(30));
    assert_eq!(talk.phase(), Phase::Restoring);
    talk.report(Report::Resumed);
    talk.idle(Duration::from_secs(9));
    talk.hear("sub-ok 1");
    assert_eq!(talk.phase(), Phase::Online);
}

#[test]
fn a_deadline_that_was_slept_through_is_put_off_once() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.flushed();
    talk.now = talk.now.after(Duration::from_secs(3_600)).expect("far from the end");
    talk.turn(Input::Wake);
    assert_eq!(talk.phase(), Phase::Restoring);
    talk.hear("sub-ok 1");
    assert_eq!(talk.phase(), Phase::Online);
}

#[test]
fn without_confirmations_a_topic_is_confirmed_when_it_is_flushed() {
    let mut talk = Talk::new(Toy { confirms: false, ..MANY }, |_| {});
    talk.subscribe("a");
    talk.log_in("ok");
    assert_eq!((talk.sent(), talk.told(), talk.phase()), (vec!["sub 1 a"], vec![], Phase::Restoring));
    talk.flushed();
    assert_eq!((talk.told(), talk.phase()), (vec!["confirmed a".into(), "restored 1".into()], Phase::Online));
    talk.unsubscribe("a");
    talk.flushed();
    assert_eq!(talk.told(), ["left a"]);
    talk.subscribe("b");
    talk.flushed();
    talk.hear("sub-no 3 forbidden");
    assert_eq!(talk.told(), ["refused b forbidden false"], "an objection comes later");
    talk.subscribe("c");
    talk.flushed();
    talk.hear("sub-ok 4");
    assert_eq!(talk.told(), ["ended c"], "its stream is over");
}

#[test]
fn local_topics_need_no_frame() {
    let mut talk = Talk::many();
    talk.subscribe("#prices");
    talk.log_in("ok");
    assert_eq!((talk.sent(), talk.phase()), (vec![], Phase::Online));
    assert_eq!(talk.told(), ["confirmed #prices", "restored 1"]);
    talk.unsubscribe("#prices");
    assert_eq!((talk.sent(), talk.told()), (vec![], vec!["left #prices".into()]));
}

#[test]
fn a_local_topic_waits_for_no_room() {
    let mut talk = Talk::new(Toy { topics: Topics::One, ..MANY }, |config| config.window.frames = 1);
    talk.log_in("ok");
    for topic in ["a", "b", "#prices"] {
        talk.subscribe(topic);
    }
    assert_eq!((talk.sent(), talk.told()), (vec![], vec!["confirmed #prices".into()]));
    assert_eq!(talk.state("b"), Some(TopicState::Wanted), "the link is full");
}

#[test]
fn a_snapshot_comes_before_what_was_held_for_it() {
    let mut talk = Talk::many();
    let options = || SubscribeOptions::default().snapshot("all of a".into());
    talk.subscribe_with("a", options());
    talk.log_in("ok");
    talk.hear("t# 1 a one");
    assert_eq!(talk.told(), [""; 0], "held, also before the confirmation");
    talk.hear("sub-ok 1");
    assert_eq!((talk.sent(), talk.phase()), (vec!["req 2 all of a"], Phase::Online));
    talk.hear("t# 2 a two");
    assert_eq!(talk.told(), [""; 0]);
    talk.hear("item 2 the state");
    assert_eq!(talk.told(), ["snapshot a the state", "message a one", "message a two"]);
    talk.hear("sub-ok 2");
    assert_eq!(talk.session.machine().stats().unexpected, 0);
    talk.hear("t# 3 a three");
    assert_eq!(talk.told(), ["message a three"]);
    talk.resync("a");
    assert_eq!(talk.sent(), ["req 3 all of a"]);
    talk.hear("t# 4 a four");
    talk.hear("deny 3 not now");
    assert_eq!(talk.told(), ["no snapshot a", "gap a 3", "message a four"]);
    talk.resync("a");
    talk.hear("t# 5 a five");
    talk.flushed();
    let happened = talk.idle(Duration::from_secs(11));
    assert_eq!(told(&happened), ["no snapshot a", "gap a 4", "message a five"], "and no answer is none");
    talk.hear("item 4 too late");
    assert_eq!(talk.told(), [""; 0], "what comes late is nobody's");
}

#[test]
fn a_topic_that_nobody_had_to_ask_for_gets_its_snapshot_as_well() {
    let options = || SubscribeOptions::default().snapshot("all of it".into());
    let mut talk = Talk::many();
    talk.subscribe_with("#prices", options());
    talk.subscribe_with("a", options());
    talk.log_in("ok");
    assert_eq!(talk.sent(), ["sub 1 a", "req 2 all of it"], "a local one is confirmed at once");
    talk.hear("item 2 the state");
    assert_eq!(talk.told(), ["snapshot #prices the state"]);
    talk.hear("gone a moved");
    talk.hear("on a");
    assert_eq!(talk.told(), ["confirmed a"]);
    assert_eq!(talk.sent(), ["req 3 all of it"], "the peer confirmed it of its own accord");
}

/// Whoever wants the state of a topic is given it, however far the topic is.
#[test]
fn who_comes_later_gets_a_snapshot_too() {
    let options = || SubscribeOptions::default().snapshot("all of a".into());
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    assert_eq!(talk.sent(), ["sub 1 a"]);
    talk.subscribe_with("a", options());
    talk.hear("t# 1 a one");
    talk.hear("sub-ok 1");
    assert_eq!(talk.sent(), ["req 2 all of a"], "it had been asked for without");
    talk.hear("item 2 the state");
    assert_eq!(talk.told(), ["snapshot a the state", "message a one"]);
    talk.subscribe_with("a", options());
    assert_eq!(talk.sent(), ["req 3 all of a"]);
    talk.subscribe_with("a", options());
    assert_eq!(talk.sent(), [""; 0], "one for both");
    talk.hear("item 3 the state");
    assert_eq!(talk.told(), ["snapshot a the state"]);
    talk.subscribe("a");
    assert_eq!(talk.sent(), [""; 0], "and none for those who want none");
}

#[test]
fn at_the_bound_the_oldest_held_is_dropped_and_a_gap_says_so() {
    let mut talk = Talk::new(MANY, |config| config.subscriptions.held_max = 2);
    talk.subscribe_with("a", SubscribeOptions::default().snapshot("all of a".into()));
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    for position in 1..=3 {
        talk.hear(&format!("t# {position} a text"));
    }
    talk.hear("item 2 the state");
    assert_eq!(talk.told(), ["snapshot a the state", "gap a -", "message a text", "message a text"]);
}

#[test]
fn what_is_held_when_the_link_goes_is_a_gap_on_the_next() {
    let mut talk = Talk::many();
    talk.subscribe_with("a", SubscribeOptions::default().snapshot("all of a".into()));
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.hear("t# 1 a one");
    talk.lose();
    talk.log_in("kept");
    assert_eq!((talk.sent(), talk.told()), (vec!["req 3 all of a"], vec![]), "kept, it is only asked for again");
    talk.hear("item 3 the state");
    assert_eq!(talk.told(), ["snapshot a the state", "message a one"]);
    talk.resync("a");
    talk.hear("t# 2 a two");
    talk.lose();
    talk.log_in("ok");
    talk.hear("sub-ok 5");
    assert_eq!(
        (talk.told(), talk.sent()),
        (vec!["gap a 1".into(), "confirmed a".into(), "restored 1".into()], vec!["req 6 all of a"])
    );
}

#[test]
fn what_a_link_says_while_it_is_left_does_not_overtake_what_is_held() {
    let mut talk = Talk::many();
    talk.subscribe_with("a", SubscribeOptions::default().snapshot("all of a".into()));
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.hear("t# 1 a one");
    talk.turn(Input::Command(Command::Suspend));
    talk.hear("t# 2 a two");
    assert_eq!(talk.told(), [""; 0]);
    talk.lose();
    talk.log_in("kept");
    talk.hear("item 3 the state");
    assert_eq!(talk.told(), ["snapshot a the state", "message a one", "message a two"]);
}

#[test]
fn a_silent_topic_is_called_stale_once() {
    let mut talk = Talk::many();
    talk.subscribe_with("a", SubscribeOptions::default().stale_after(Duration::from_secs(5)));
    talk.subscribe("b");
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.flushed();
    assert_eq!(told(&talk.idle(Duration::from_secs(4))), [""; 0]);
    talk.hear("t a text");
    assert_eq!(told(&talk.idle(Duration::from_millis(4_900))), [""; 0], "counted from the last message");
    assert_eq!(told(&talk.idle(Duration::from_secs(10))), ["stale a"]);
    talk.hear("t a text");
    assert_eq!(told(&talk.idle(Duration::from_secs(6))), ["stale a"], "again, after something came");
}

#[test]
fn what_cannot_be_had_is_denied() {
    let mut talk = Talk::new(MANY, |config| config.subscriptions.max_topics = 1);
    assert_eq!(talk.resync("a"), Answer::Denied(Why::NotSubscribed));
    assert_eq!(talk.subscribe("a"), Answer::Done);
    assert_eq!(talk.subscribe("b"), Answer::Denied(Why::TooManyTopics { limit: 1 }));
    assert_eq!(talk.resync("a"), Answer::Denied(Why::NoSnapshot));
    talk.turn(Input::Command(Command::Connect));
    talk.turn(Input::Command(Command::Stop));
    assert_eq!(talk.subscribe("a"), Answer::Denied(Why::Stopped));
    assert_eq!(Talk::new(Toy::default(), |_| {}).subscribe("a"), Answer::Denied(Why::NoTopics));
}

#[test]
fn what_is_wanted_outlives_a_stop() {
    let mut talk = Talk::many();
    talk.subscribe("a");
    talk.log_in("ok");
    talk.hear("sub-ok 1");
    talk.turn(Input::Command(Command::Stop));
    talk.lose();
    assert_eq!(talk.state("a"), Some(TopicState::Wanted));
    talk.log_in("ok");
    assert_eq!(talk.sent(), ["sub 2 a"]);
}

#[test]
fn a_lazy_session_dials_for_a_topic_and_does_not_sleep_while_it_has_one() {
    let mut talk = Talk::new(MANY, |config| {
        (config.connect.lazy, config.connect.idle_close) = (true, Duration::from_secs(60));
    });
    talk.turn(Input::Command(Command::Connect));
    assert_eq!(talk.phase(), Phase::Idle);
    talk.subscribe("a");
    assert_eq!(talk.phase(), Phase::Connecting);
}

#[test]
fn what_was_left_is_a_stranger_again() {
    let mut talk = Talk::many();
    talk.log_in("ok");
    talk.subscribe("a");
    talk.hear("sub-ok 1");
    talk.unsubscribe("a");
    talk.hear("sub-ok 2");
    talk.hear("t a unasked");
    assert_eq!(talk.told(), ["message a unasked"], "it is passed on, as from a server that sends what it likes");
    talk.hear("on a");
    assert_eq!((talk.told(), talk.session.machine().stats().unexpected), (vec![], 1));
}

/// A server that does what it is told, in its own time, and forgets with each link unless it keeps the session.
#[derive(Default)]
struct Server {
    has: BTreeSet<String>,
    /// What it was asked and has not answered: the operation, whether it is to subscribe, and the topics.
    open: Vec<(String, bool, Vec<String>)>,
    /// Topics that were asked for on this link and nothing is known of from the last one.
    asked: BTreeMap<String, u32>,
}

impl Server {
    fn take(&mut self, frames: &[&str]) {
        for frame in frames {
            let mut words = frame.split(' ').map(str::to_owned);
            let (verb, op) = (words.next(), words.next().unwrap_or_default());
            let topics: Vec<_> = words.collect();
            match verb.as_deref() {
                Some("sub") => {
                    for topic in &topics {
                        assert!(!self.has.contains(topic), "{topic} is asked for, and is there");
                        *self.asked.entry(topic.clone()).or_default() += 1;
                    }
                    self.open.push((op, true, topics));
                }
                Some("unsub") => self.open.push((op, false, topics)),
                _ => {}
            }
        }
    }

    /// Carries out one of its operations: the answer.
    fn answer(&mut self, which: u64) -> Option<String> {
        if self.open.is_empty() {
            return None;
        }
        let (op, subscribes, topics) = self.open.remove(which as usize % self.open.len());
        // It never lets anybody have this one.
        if subscribes && topics.iter().any(|topic| topic == "no") {
            return Some(format!("sub-no {op} forbidden"));
        }
        for topic in topics {
            let was_there = if subscribes { !self.has.insert(topic.clone()) } else { !self.has.remove(&topic) };
            assert!(!was_there, "{topic}: nothing is done twice");
        }
        Some(format!("sub-ok {op}"))
    }
}

/// Whatever is wanted and lost in whatever order: when all is answered the server has what is wanted, without what it
/// refused, and was asked for each once.
#[test]
fn after_every_restore_the_server_has_what_is_wanted() {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "no"];
    for seed in 0..if cfg!(debug_assertions) { 60 } else { 2_000 } {
        let mut rng = Rng::new(seed);
        let mut talk =
            Talk::new(Toy { topics: if seed % 2 == 0 { Topics::One } else { Topics::Many }, ..MANY }, |config| {
                config.subscriptions.batch = 3;
                config.subscriptions.restore = if seed % 3 == 0 { Restore::Alongside } else { Restore::Before };
            });
        let (mut server, mut wanted) = (Server::default(), BTreeMap::<&str, u32>::new());
        let mut is_up = false;
        for _ in 0..200 {
            match rng.up_to(9) {
                0..=2 => {
                    let name = NAMES[rng.up_to(5) as usize];
                    // Alone, so that one refusal is not for others.
                    assert_eq!(talk.subscribe(name), Answer::Done);
                    *wanted.entry(name).or_default() += 1;
                }
                3..=5 => {
                    let name = NAMES[rng.up_to(5) as usize];
                    let known = wanted.get_mut(name).filter(|count| **count > 0);
                    assert_eq!(talk.unsubscribe(name) == Answer::Done, known.is_some());
                    known.into_iter().for_each(|count| *count -= 1);
                }
                6 | 7 if is_up => {
                    if let Some(line) = server.answer(rng.up_to(99)) {
                        talk.hear(&line);
                    }
                }
                8 if is_up => {
                    talk.lose();
                    is_up = false;
                    server.open.clear();
                }
                _ if !is_up => {
                    server.has.clear();
                    server.asked.clear();
                    talk.log_in("ok");
                    is_up = true;
                }
                _ => talk.flushed(),
            }
            server.take(&talk.sent());
            while is_up && rng.up_to(3) == 0 {
                let Some(line) = server.answer(rng.up_to(99)) else { break };
                assert!(talk.phase() != Phase::Restoring || !talk.sent().iter().any(|frame| frame.starts_with("m ")));
                talk.hear(&line);
                server.take(&talk.sent());
            }
        }
        if !is_up {
            server.has.clear();
            talk.log_in("ok");
            server.take(&talk.sent());
        }
        while let Some(line) = server.answer(0) {
            talk.hear(&line);
            server.take(&talk.sent());
        }
        let expected: BTreeSet<_> =
            wanted.iter().filter(|(_, count)| **count > 0).map(|(name, _)| (*name).to_owned()).collect();
        let refused: BTreeSet<_> = (talk.session.machine().subscriptions())
            .filter(|known| known.state == TopicState::Over)
            .map(|known| known.topic.to_string())
            .collect();
        let known: BTreeSet<_> = talk.session.machine().subscriptions().map(|known| known.topic.to_string()).collect();
        assert_eq!(server.has, expected.difference(&refused).cloned().collect(), "seed {seed}");
        assert_eq!(known, expected, "seed {seed}: nothing is forgotten, and nothing stays behind");
        assert_eq!(talk.phase(), Phase::Online);
    }
}
