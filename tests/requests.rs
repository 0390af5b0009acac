//! Requests: each ends once, with its answer or without, whatever happens to links, time and peer.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod talk;

use std::time::Duration;

use steadfast::{
    Action, Answer, CallReply, Command, Commands, Config, Dropped, Event, Frame, Input, LinkId, Machine, OpId, Outcome,
    Overflow, Phase, Plain, Rejected, Reply, Report, RequestOptions, RequestRetry, RetryOn, SendOptions, Session,
    Stats, StopCause, Text, Timestamp, Why,
};
use steadfast_sim::Toy;
use talk::Talk;

const NEVER: Duration = Duration::MAX;

type End = Result<Option<String>, Outcome>;

impl Talk {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(Toy::default(), Duration::from_millis(2), change)
    }

    fn online(change: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::new(change);
        talk.command(Command::Connect);
        talk.up("ok");
        talk
    }

    fn say(&mut self, text: &str) -> u64 {
        self.send(text, SendOptions::default()).expect("there is room").0
    }

    fn again(&mut self) {
        self.wait(200);
        self.command(Command::ConnectNow);
        self.up("ok");
    }

    fn wait(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
        self.turn_now(Input::Wake);
    }

    /// How the last turn ended requests.
    fn answered(&self) -> Vec<(u64, End)> {
        self.all(|action| match action {
            Action::Emit(Event::Reply(reply)) => Some((reply.id.0, end(reply))),
            _ => None,
        })
    }

    /// How a request has ended so far.
    fn ends(&self, id: u64) -> Vec<End> {
        self.replies.iter().filter(|reply| reply.id.0 == id).map(end).collect()
    }

    fn ask(&mut self, text: &str, options: RequestOptions) -> u64 {
        match self.command(Command::Request { message: text.into(), options: Box::new(options) }) {
            Answer::Accepted(id) => id.0,
            other => panic!("{other:?}"),
        }
    }

    fn stats(&self) -> &Stats {
        self.session.machine().stats()
    }
}

fn plain() -> RequestOptions {
    RequestOptions::default()
}

fn end(reply: &Reply<Text>) -> End {
    reply.result.clone().map(|text| text.map(|text| text.as_str().to_owned()))
}

fn said(text: &str) -> End {
    Ok(Some(text.to_owned()))
}

fn code(end: &End) -> Option<&str> {
    match end {
        Err(Outcome::Failed(why)) => Some(why.message.as_str()),
        _ => None,
    }
}

#[test]
fn an_answer_finds_its_request() {
    let mut talk = Talk::online(|_| {});
    let (menu, table, order) = (talk.ask("menu?", plain()), talk.ask("table?", plain()), talk.ask("order!", plain()));
    assert_eq!(talk.sent(), [format!("req {order} order!")]);
    talk.hear(&format!("re {table} 4"));
    assert_eq!(talk.answered(), [(table, said("4"))]);
    talk.hear(&format!("done {menu}"));
    assert_eq!(talk.answered(), [(menu, Ok(None))]);
    talk.hear(&format!("deny {order} closed"));
    assert_eq!(talk.answered()[0].0, order);
    assert_eq!(code(&talk.answered()[0].1), Some("closed"));
    let stats = talk.stats();
    assert_eq!((stats.requests, stats.answered, stats.failed, stats.late_replies), (3, 2, 1, 0));
}

#[test]
fn the_first_item_answers_and_what_follows_is_late() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("rows?", plain());
    talk.hear(&format!("re {id} first"));
    assert_eq!(talk.answered(), [(id, said("first"))]);
    for (late, line) in [(0, "done"), (1, "re"), (1, "done"), (2, "deny")] {
        talk.hear(&format!("{line} {id} more"));
        assert!(talk.out.is_empty(), "{line}: {:?}", talk.out);
        assert_eq!(talk.stats().late_replies, late, "{line}: the end of an answer is no answer");
    }
}

#[test]
fn a_note_comes_back_with_the_end() {
    let mut talk = Talk::online(|_| {});
    let ids = [talk.ask("a", plain().label("one")), talk.ask("b", plain().label("two"))];
    talk.hear(&format!("re {} x", ids[0]));
    let label = |talk: &Talk| match &talk.out[..] {
        [Action::Emit(Event::Reply(reply))] => reply.label.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(label(&talk).as_ref().map(Text::as_str), Some("one"));
    talk.down(None, 9);
    let told = talk.out.iter().any(|action| {
        matches!(action, Action::Emit(Event::Reply(reply)) if reply.label.as_ref().is_some_and(|label| label.as_str() == "two"))
    });
    assert!(told);
}

#[test]
fn what_answers_a_message_is_a_message() {
    let mut talk = Talk::online(|_| {});
    let id = talk.say("menu?");
    talk.hear(&format!("re {id} coffee"));
    assert_eq!(talk.delivered(), ["coffee"]);
    let asked = talk.ask("menu?", plain());
    talk.hear(&format!("re {} whose?", asked + 7));
    assert!(matches!(talk.out[..], [Action::Emit(Event::Bad(_))]), "no such id was ever given: {:?}", talk.out);
    assert_eq!((talk.stats().late_replies, talk.stats().bad), (0, 1));
}

#[test]
fn a_deadline_that_passes_in_the_queue_is_no_doubt() {
    let mut talk = Talk::new(|config| config.requests.deadline = Duration::from_millis(500));
    let id = talk.ask("offline", plain());
    assert_eq!(talk.session.next_deadline(), talk.now.after(Duration::from_millis(500)));
    talk.wait(500);
    assert_eq!(talk.answered(), [(id, Err(Outcome::Expired))]);
    talk.command(Command::Connect);
    talk.up("ok");
    assert!(talk.sent().is_empty());
}

#[test]
fn a_reply_after_its_deadline_resolves_nothing() {
    let mut talk = Talk::online(|_| {});
    let late = talk.ask("slow?", plain());
    let next = talk.ask("next?", plain().deadline(NEVER));
    talk.wait(9_997);
    assert!(talk.answered().is_empty());
    talk.wait(1);
    assert_eq!(talk.answered(), [(late, Err(Outcome::InDoubt))]);
    talk.hear(&format!("re {late} too late"));
    assert!(talk.out.is_empty(), "neither told nor given to another: {:?}", talk.out);
    assert_eq!((talk.stats().late_replies, talk.stats().answered), (1, 0));
    talk.hear(&format!("re {next} in time"));
    assert_eq!(talk.answered(), [(next, said("in time"))]);
}

#[test]
fn the_deadline_is_kept_over_every_link() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("ping", plain().idempotent().deadline(Duration::from_secs(2)));
    for _ in 0..4 {
        talk.down(None, 9);
        talk.again();
        assert_eq!(talk.sent(), [format!("req {id} ping")], "the same id");
    }
    let passed = talk.now.since(Timestamp::from_millis(1_008));
    assert!(passed < Duration::from_secs(2), "{passed:?}");
    talk.wait(2_000);
    assert_eq!(talk.answered(), [(id, Err(Outcome::InDoubt))]);
}

/// What happens to a request, step by step.
const LIFE: [fn(&mut Talk, u64); 4] = [
    |talk, _| talk.up("ok"),
    |talk, _| talk.flushed(),
    |talk, id| talk.hear(&format!("got {id}")),
    |talk, id| talk.hear(&format!("re {id} yes")),
];

#[test]
fn a_link_lost_at_any_point_ends_a_request_once() {
    for idempotent in [false, true] {
        for steps in 0..=LIFE.len() {
            for left in [0, 1, 2] {
                let mut talk = Talk::new(|_| {});
                talk.command(Command::Connect);
                let mut options = plain().deadline(NEVER);
                options.idempotent = idempotent;
                let id = talk.ask("really?", options);
                LIFE[..steps].iter().for_each(|step| step(&mut talk, id));
                talk.down(None, left);
                // The login is the first frame. What was flushed, acknowledged or answered has left, whatever is said.
                let has_left = steps >= 1 && (left >= 2 || steps >= 2);
                let expected = match (steps, has_left) {
                    (4, _) => said("yes"),
                    (_, true) if !idempotent => Err(Outcome::InDoubt),
                    _ => said("on the second link"),
                };
                talk.again();
                let is_sent = talk.sent().len();
                assert_eq!(is_sent == 1, expected == said("on the second link"), "{idempotent} {steps} {left}");
                talk.hear(&format!("re {id} on the second link"));
                talk.hear(&format!("re {id} again"));
                assert_eq!(talk.ends(id), [expected], "idempotent: {idempotent}, {steps} steps, {left} left");
                talk.command(Command::Stop);
                assert_eq!(talk.ends(id).len(), 1);
            }
        }
    }
}

#[test]
fn replies_of_another_link_never_match() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    talk.flushed();
    let id = talk.ask("first?", plain().idempotent().deadline(NEVER));
    let waits = talk.ask("waits", plain().deadline(NEVER));
    talk.hear(&format!("re {waits} nobody asked"));
    assert!(talk.answered().is_empty(), "it was never sent");
    talk.down(None, 9);
    talk.wait(200);
    talk.command(Command::ConnectNow);
    talk.report(Report::Up(Box::default()));
    talk.hear(&format!("re {id} of the old link"));
    assert!(talk.answered().is_empty(), "this link was not given it yet");
    talk.hear(&format!("deny {id} of the old link"));
    assert!(talk.answered().is_empty());
    assert_eq!(talk.stats().late_replies, 3);
    let old = LinkId(talk.link.0 - 1);
    assert_eq!(talk.turn(Input::Report(old, Report::Frame(format!("re {id} old").into()))), Answer::Stale);
    talk.hear("ok");
    talk.flushed();
    assert_eq!(talk.sent(), [format!("req {id} first?")]);
    talk.hear(&format!("re {id} at last"));
    assert_eq!(talk.answered(), [(id, said("at last"))]);
}

#[test]
fn what_certainly_did_not_leave_is_asked_again_in_its_place() {
    let mut talk = Talk::online(|_| {});
    let ids = [talk.ask("a", plain()), talk.ask("b", plain()), talk.say("c"), talk.ask("d", plain())];
    talk.down(None, 2);
    assert_eq!(talk.answered(), [(ids[0], Err(Outcome::InDoubt))]);
    talk.again();
    assert_eq!(talk.sent(), [format!("req {} b", ids[1]), format!("m {} c", ids[2]), format!("req {} d", ids[3])]);
}

#[test]
fn a_reply_proves_that_what_came_before_was_written() {
    let mut talk = Talk::online(|_| {});
    let message = talk.command(Command::Send { message: "m".into(), options: SendOptions::default().tracked() });
    let id = talk.ask("and?", plain());
    talk.hear(&format!("re {id} yes"));
    let written = |action: &Action<_, _>| matches!(action, Action::Emit(Event::Outcome { id, outcome: Outcome::Written, .. }) if Answer::Accepted(*id) == message);
    assert!(talk.out.iter().any(written));
}

#[test]
fn an_acknowledgement_is_no_answer() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("well?", plain().idempotent());
    talk.hear(&format!("got {id}"));
    assert!(talk.out.is_empty() && talk.stats().unexpected == 0);
    talk.hear(&format!("re {id} well"));
    assert_eq!(talk.answered(), [(id, said("well"))]);
}

#[test]
fn cancelled_before_it_left_it_comes_back() {
    let mut talk = Talk::new(|_| {});
    let id = talk.ask("never mind", plain());
    assert_eq!(talk.command(Command::Cancel(OpId(id))), Answer::Cancelled(Some("never mind".into())));
    assert_eq!(talk.answered(), [(id, Err(Outcome::Cancelled))]);
    let id = talk.ask("nor this", plain());
    let Answer::CameBack(back) = talk.command(Command::TakeQueued) else { panic!("all of it comes back") };
    assert_eq!((back.len(), talk.answered()), (1, vec![(id, Err(Outcome::Cancelled))]));
}

#[test]
fn cancelled_after_it_left_it_is_in_doubt_and_the_peer_is_told() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("slow?", plain());
    assert_eq!(talk.command(Command::Cancel(OpId(id))), Answer::Cancelled(None));
    assert_eq!(talk.answered(), [(id, Err(Outcome::InDoubt))]);
    assert_eq!(talk.sent(), [format!("cancel {id}")]);
    talk.hear(&format!("re {id} late"));
    assert!(talk.out.is_empty() && talk.stats().late_replies == 1);
    talk.command(Command::Cancel(OpId(id)));
    assert!(talk.out.is_empty(), "once");
    // One that waits to be asked again on the next link is not known to that link.
    let id = talk.ask("twice?", plain().idempotent());
    talk.down(None, 9);
    talk.command(Command::Cancel(OpId(id)));
    assert_eq!(talk.answered(), [(id, Err(Outcome::InDoubt))]);
    talk.again();
    assert!(talk.sent().is_empty());
}

fn retry(attempts: u32) -> RequestOptions {
    let backoff = (Duration::from_millis(100), Duration::from_secs(1));
    plain().retry(RequestRetry::default().attempts(attempts).backoff(backoff.0, backoff.1))
}

#[test]
fn a_peer_that_is_busy_is_asked_again_behind_all_others() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("table?", retry(3));
    talk.hear(&format!("busy {id} 300"));
    assert!(talk.answered().is_empty() && talk.sent().is_empty());
    assert_eq!(talk.session.next_deadline(), talk.now.after(Duration::from_millis(300)), "as long as it asks for");
    talk.flushed();
    talk.down(None, 9);
    let message = talk.say("meanwhile");
    talk.wait(300);
    talk.again();
    assert_eq!(talk.sent(), [format!("m {message} meanwhile"), format!("req {id} table?")], "the same id");
    talk.hear(&format!("busy {id} 0"));
    talk.wait(200);
    assert_eq!(talk.sent(), [format!("req {id} table?")]);
    talk.hear(&format!("busy {id} 0"));
    assert_eq!(code(&talk.answered()[0].1), Some("busy"), "three times is enough");
    assert_eq!(talk.stats().asked_again, 2);
}

#[test]
fn only_what_asks_for_it_is_asked_again_and_only_in_time() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("table?", retry(3));
    talk.hear(&format!("deny {id} closed"));
    assert_eq!(code(&talk.answered()[0].1), Some("closed"));
    let id = talk.ask("table?", retry(3).deadline(Duration::from_secs(5)));
    talk.hear(&format!("busy {id} 5000"));
    assert_eq!(code(&talk.answered()[0].1), Some("busy"), "there would be no time left");
    let mut options = retry(2);
    options.retry = options.retry.map(|retry| retry.on(RetryOn::Any));
    let id = talk.ask("table?", options);
    talk.hear(&format!("deny {id} closed"));
    assert!(talk.answered().is_empty());
    talk.wait(100);
    assert_eq!(talk.sent(), [format!("req {id} table?")]);
    talk.hear(&format!("re {id} 4"));
    assert_eq!(talk.answered(), [(id, said("4"))]);
}

/// A no by its name can have been meant for another request.
#[test]
fn an_answer_that_comes_after_the_no_ends_what_is_to_be_asked_again() {
    let mut talk = Talk::online(|config| config.window.frames = 2);
    talk.flushed();
    let mut options = retry(3).label("four of us").failed_by("full");
    options.retry = options.retry.map(|retry| retry.on(RetryOn::Any));
    let (rests, room, lost) =
        (talk.ask("a?", options.clone()), talk.ask("b?", options.clone()), talk.ask("c?", options));
    talk.flushed();
    (0..3).for_each(|_| talk.hear("m full no"));
    assert!(talk.answered().is_empty() && talk.sent().is_empty());
    talk.hear(&format!("re {rests} yes"));
    assert_eq!(talk.answered(), [(rests, said("yes"))], "while it rests");
    for text in ["fills", "the window"] {
        talk.say(text);
    }
    talk.wait(1_000);
    assert!(talk.sent().is_empty(), "there is no room");
    talk.hear(&format!("done {room}"));
    assert_eq!(talk.answered(), [(room, Ok(None))], "while it waits for room");
    talk.down(None, 9);
    talk.again();
    talk.hear(&format!("re {lost} of the old link"));
    talk.flushed();
    assert_eq!(talk.sent(), [format!("req {lost} c?")], "this link was not given it before");
    talk.hear(&format!("re {lost} yes"));
    assert_eq!(talk.ends(lost), [said("yes")]);
    assert_eq!((talk.stats().answered, talk.stats().late_replies), (3, 1));
}

#[test]
fn what_waits_for_its_next_try_ends_like_what_waits() {
    let mut talk = Talk::online(|_| {});
    let busy = |talk: &mut Talk| {
        let id = talk.ask("table?", retry(9));
        talk.hear(&format!("busy {id} 900"));
        id
    };
    let (first, second, third) = (busy(&mut talk), busy(&mut talk), busy(&mut talk));
    assert_eq!(talk.command(Command::Cancel(OpId(second))), Answer::Cancelled(Some("table?".into())));
    let Answer::CameBack(back) = talk.command(Command::TakeQueued) else { panic!("all of it comes back") };
    assert_eq!(back.iter().map(|back| back.id.0).collect::<Vec<_>>(), [first, third]);
    let last = busy(&mut talk);
    assert_eq!(talk.session.machine().health(talk.now).queued, 1);
    talk.command(Command::Stop);
    assert_eq!(talk.answered(), [(last, Err(Outcome::Dropped(Dropped::Stopped)))]);
}

fn named(name: &str) -> RequestOptions {
    plain().answered_by(name.to_owned()).deadline(Duration::from_secs(1))
}

#[test]
fn a_name_answers_in_the_order_of_asking() {
    let mut talk = Talk::online(|config| config.window.frames = 2);
    talk.flushed();
    let ids = [talk.ask("a", named("rates")), talk.ask("b", named("rates")), talk.ask("c", named("rates"))];
    talk.hear("m other news");
    assert_eq!(talk.delivered(), ["other news"]);
    talk.hear("m rates 1");
    assert_eq!(talk.answered(), [(ids[0], said("rates 1"))]);
    talk.hear("m rates 2");
    assert_eq!(talk.answered(), [(ids[1], said("rates 2"))]);
    talk.hear("m rates 3");
    assert_eq!(talk.delivered(), ["rates 3"], "the third was not asked yet, so it is news");
    talk.flushed();
    talk.hear("m rates 4");
    assert_eq!(talk.answered(), [(ids[2], said("rates 4"))]);
    talk.hear("m rates 5");
    assert_eq!(talk.delivered(), ["rates 5"]);
}

#[test]
fn a_late_answer_by_name_is_not_given_to_the_next() {
    let mut talk = Talk::online(|config| config.requests.grace = Duration::from_secs(2));
    let first = talk.ask("a", named("rates"));
    talk.wait(1_000);
    assert_eq!(talk.answered(), [(first, Err(Outcome::InDoubt))]);
    let second = talk.ask("b", named("rates"));
    talk.hear("m rates of the first");
    assert!(talk.out.is_empty(), "late, and nobody's: {:?}", talk.out);
    talk.hear("m rates of the second");
    assert_eq!(talk.answered(), [(second, said("rates of the second"))]);
    // One that never comes is not waited for for ever.
    let third = talk.ask("c", named("rates"));
    talk.wait(3_000);
    assert_eq!(talk.answered(), [(third, Err(Outcome::InDoubt))]);
    let fourth = talk.ask("d", named("rates"));
    talk.hear("m rates of the fourth");
    assert_eq!(talk.answered(), [(fourth, said("rates of the fourth"))]);
    assert_eq!(talk.stats().late_replies, 1);
}

#[test]
fn what_was_cancelled_is_not_waited_for_for_ever_by_its_name() {
    let mut talk = Talk::online(|config| config.requests.grace = Duration::from_secs(2));
    let first = talk.ask("a", named("rates").deadline(NEVER));
    talk.command(Command::Cancel(OpId(first)));
    assert_eq!(talk.answered(), [(first, Err(Outcome::InDoubt))]);
    talk.wait(1_990);
    let second = talk.ask("b", named("rates").deadline(NEVER));
    talk.hear("m rates of the first");
    assert!(talk.out.is_empty(), "late, and nobody's: {:?}", talk.out);
    talk.hear("m rates of the second");
    assert_eq!(talk.answered(), [(second, said("rates of the second"))]);
    let third = talk.ask("c", named("rates").deadline(NEVER));
    talk.command(Command::Cancel(OpId(third)));
    talk.wait(2_000);
    let fourth = talk.ask("d", named("rates").deadline(NEVER));
    talk.hear("m rates of the fourth");
    assert_eq!(talk.answered(), [(fourth, said("rates of the fourth"))]);
}

#[test]
fn an_error_event_fails_the_oldest_that_waits_for_it() {
    let mut talk = Talk::online(|_| {});
    let ids =
        [talk.ask("a", named("rates").failed_by("trouble")), talk.ask("b", named("menu").failed_by("menu_error"))];
    talk.hear("m menu_error no kitchen");
    assert_eq!((talk.answered()[0].0, code(&talk.answered()[0].1)), (ids[1], Some("menu_error no kitchen")));
    talk.hear("m menu of the day");
    assert_eq!(talk.delivered(), ["menu of the day"], "who failed waits no longer");
    talk.hear("trouble no rates");
    assert_eq!((talk.answered()[0].0, code(&talk.answered()[0].1)), (ids[0], Some("no rates")));
    talk.hear("trouble again");
    assert!(matches!(&talk.out[..], [Action::Emit(Event::Trouble(_))]));
}

#[test]
fn names_belong_to_their_link() {
    let mut talk = Talk::online(|_| {});
    let id = talk.ask("a", named("rates").idempotent());
    talk.down(None, 9);
    talk.wait(200);
    talk.command(Command::ConnectNow);
    talk.report(Report::Up(Box::default()));
    talk.hear("ok");
    talk.hear("m rates 1");
    assert_eq!(talk.answered(), [(id, said("rates 1"))]);
    talk.hear("m rates 2");
    assert_eq!(talk.delivered(), ["rates 2"], "it was asked twice, but not on this link");
}

#[test]
fn a_protocol_without_answers_says_so_unless_a_name_is_given() {
    let (now, mut actions) = (Timestamp::ZERO, Vec::new());
    let mut session = Session::new(Plain, Config::default(), 7).expect("a sound configuration");
    let refused = session.request(now, Frame::from("?"), plain(), &mut actions).expect_err("there are no answers");
    assert_eq!((refused.why, refused.message), (Why::NoReplies, Frame::from("?")));
    let mut talk = Talk::new(|_| {});
    talk.command(Command::Stop);
    let request = Command::Request { message: "?".into(), options: Box::default() };
    assert_eq!(talk.command(request), Answer::Refused(Why::Stopped, "?".into()));
}

#[test]
fn requests_count_in_the_bounds_of_the_queue() {
    let mut talk = Talk::new(|config| config.queue.max_messages = 2);
    let full = |talk: &mut Talk| talk.command(Command::Request { message: "?".into(), options: Box::default() });
    talk.ask("a", plain());
    talk.say("b");
    assert_eq!(full(&mut talk), Answer::Refused(Why::Full, "?".into()));
    let mut talk = Talk::new(|config| {
        (config.queue.max_messages, config.queue.overflow) = (2, Overflow::DropOldest);
    });
    let ids = [talk.ask("a", plain()), talk.ask("b", plain().idempotent()), talk.ask("c", plain())];
    assert_eq!(talk.ends(ids[0]), [Err(Outcome::Dropped(Dropped::Overflow))]);
    talk.command(Command::Connect);
    talk.up("ok");
    let full = talk.command(Command::Request { message: "?".into(), options: Box::default() });
    assert_eq!(full, Answer::Refused(Why::Full, "?".into()), "what may be answered gives way to nothing");
    talk.hear(&format!("re {} 1", ids[1]));
    talk.ask("d", plain());
}

#[test]
fn a_drain_waits_for_answers() {
    let mut talk = Talk::online(|_| {});
    let ids = [talk.ask("a", plain().deadline(NEVER)), talk.ask("b", plain().deadline(NEVER))];
    talk.command(Command::Drain { within: Duration::from_secs(30) });
    talk.flushed();
    talk.hear(&format!("re {} in time", ids[0]));
    assert_eq!(talk.answered(), [(ids[0], said("in time"))]);
    assert_eq!(talk.session.machine().phase(), Phase::Draining);
    talk.wait(30_000);
    assert!(talk.out.iter().any(|action| matches!(action, Action::Close { .. })), "until its time is up");
    talk.down(None, 9);
    assert_eq!(talk.answered(), [(ids[1], Err(Outcome::InDoubt))]);
    assert_eq!(talk.session.machine().phase(), Phase::Stopped(StopCause::User));
}

#[test]
fn a_stop_ends_what_is_asked_and_what_waits() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    talk.flushed();
    let ids = [talk.ask("a", plain()), talk.ask("b", plain().idempotent()), talk.ask("c", plain())];
    talk.flushed();
    talk.command(Command::Stop);
    assert_eq!(talk.answered(), [(ids[2], Err(Outcome::Dropped(Dropped::Stopped)))]);
    talk.hear(&format!("re {} while leaving", ids[0]));
    assert_eq!(talk.answered(), [(ids[0], said("while leaving"))]);
    talk.down(None, 9);
    assert_eq!(talk.answered(), [(ids[1], Err(Outcome::InDoubt))]);
}

#[test]
fn no_keepsake_holds_a_request() {
    let mut talk = Talk::online(|_| {});
    talk.ask("a", plain().idempotent());
    talk.down(None, 9);
    talk.ask("b", plain());
    let bytes = |text: &Text| Some(text.as_bytes().clone());
    let kept = talk.session.machine().save(bytes);
    let mut next = Session::new(Toy::default(), Config::default(), 8).expect("a sound configuration");
    assert!(next.recall(talk.now, &kept, |body| Text::from_utf8(body.clone()).ok()));
    assert_eq!(next.health(talk.now).queued, 0);
}

/// Answered in any order, among as many messages: nothing is found by looking through all of them.
#[test]
fn very_many_may_wait_at_once() {
    const MANY: u64 = 100_000;
    let mut config = Config::default();
    (config.queue.max_messages, config.window.frames) = (u32::MAX, u32::MAX);
    (config.queue.max_bytes, config.window.bytes) = (u64::MAX, u32::MAX);
    let (now, mut out) = (Timestamp::from_millis(1), Vec::new());
    let mut session = Session::new(Toy { login: false, ..Toy::default() }, config, 7).expect("a sound configuration");
    session.connect(now, &mut out);
    session.report(now, LinkId(1), Report::Up(Box::default()), &mut out);
    let ids: Vec<OpId> =
        (0..MANY).map(|_| session.request(now, "?".into(), plain(), &mut out).expect("there is room")).collect();
    session.report(now, LinkId(1), Report::Flushed { frames: MANY }, &mut out);
    out.clear();
    for at in 0..MANY {
        // Every id once, far from the one before it.
        let id = ids[(at * 7_919 % MANY) as usize];
        session.report(now, LinkId(1), Report::Frame(format!("re {id} yes").into()), &mut out);
        assert!(matches!(&out[..], [Action::Emit(Event::Reply(reply))] if reply.id == id), "{out:?}");
        out.clear();
    }
    assert_eq!((session.health(now).queued, session.stats().answered), (0, MANY));
}

fn answer(talk: &mut Talk, link: LinkId, call: &'static str, text: &str) -> Answer<Text> {
    let reply = CallReply { link, call: call.into(), answer: Ok(text.into()) };
    talk.command(Command::Reply(Box::new(reply)))
}

fn outcomes(talk: &Talk) -> Vec<(u64, Outcome)> {
    let outcomes = talk.out.iter().filter_map(|action| match action {
        Action::Emit(Event::Outcome { id, outcome, .. }) => Some((id.0, outcome.clone())),
        _ => None,
    });
    outcomes.collect()
}

#[test]
fn a_call_is_answered_on_its_link_and_before_the_queue() {
    let mut talk = Talk::online(|config| config.window.frames = 1);
    talk.flushed();
    talk.hear("call c-1 how are you?");
    let called = talk.out.iter().find_map(|action| match action {
        Action::Emit(Event::Message { message, mark, link, .. }) => Some((message.clone(), mark.clone(), *link)),
        _ => None,
    });
    let (message, mark, link) = called.expect("a call is a message");
    assert_eq!((message.as_str(), link), ("how are you?", talk.link));
    assert_eq!(mark.marks().and_then(|marks| marks.call.clone()).as_deref(), Some(&b"c-1"[..]));
    talk.say("first");
    talk.say("waits");
    assert_eq!(answer(&mut talk, link, "c-1", "well"), Answer::Accepted(OpId(3)));
    assert_eq!(talk.sent(), ["re! c-1 well"]);
    talk.flushed();
    assert_eq!(talk.sent(), ["m 2 waits"]);
    let why = Box::new(Rejected { message: "who asks?".into(), ..Rejected::default() });
    let no = CallReply { link, call: "c-2".into(), answer: Err(why) };
    assert_eq!(talk.command(Command::Reply(Box::new(no))), Answer::Accepted(OpId(4)));
    assert_eq!(talk.sent(), ["no! c-2 who asks?"]);
    talk.flushed();
    assert_eq!((outcomes(&talk), talk.stats().written), (vec![], 4));
}

#[test]
fn an_answer_to_a_call_of_another_link_goes_nowhere() {
    let gone = Outcome::Dropped(Dropped::LinkGone);
    let mut talk = Talk::online(|_| {});
    let first = talk.link;
    talk.hear("call c-1 how are you?");
    talk.down(None, 9);
    assert_eq!(answer(&mut talk, first, "c-1", "well"), Answer::Accepted(OpId(1)));
    assert_eq!(outcomes(&talk), [(1, gone.clone())], "there is no link");
    talk.again();
    assert_eq!(answer(&mut talk, first, "c-1", "well"), Answer::Accepted(OpId(2)));
    assert_eq!((outcomes(&talk), talk.sent()), (vec![(2, gone.clone())], vec![]), "there is another one");
    let link = talk.link;
    answer(&mut talk, link, "c-1", "well");
    talk.down(None, 1);
    assert_eq!(outcomes(&talk), [(3, gone)], "it had not left");
    talk.again();
    let link = talk.link;
    answer(&mut talk, link, "c-2", "well");
    talk.down(None, 9);
    assert_eq!(outcomes(&talk), [(4, Outcome::InDoubt)]);
}

#[test]
fn answers_to_calls_are_bounded_and_stay_when_the_queue_is_taken_back() {
    let mut talk = Talk::online(|config| (config.window.frames, config.window.bytes) = (1, 400));
    talk.flushed();
    let link = talk.link;
    let long = "x".repeat(150);
    for _ in 0..2 {
        assert!(matches!(answer(&mut talk, link, "c", &long), Answer::Accepted(_)));
    }
    assert_eq!(answer(&mut talk, link, "c", &long), Answer::Refused(Why::NotNow, long.as_str().into()));
    let no = CallReply { link, call: "c".into(), answer: Err(Box::default()) };
    assert_eq!(talk.command(Command::Reply(Box::new(no.clone()))), Answer::Denied(Why::NotNow));
    assert_eq!(talk.command(Command::TakeQueued), Answer::CameBack(vec![]));
    talk.command(Command::Stop);
    assert_eq!(talk.command(Command::Reply(Box::new(no))), Answer::Denied(Why::Stopped));
}
