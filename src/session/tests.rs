//! Conversations with a session, one promise each.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

use alloc::{string::String, vec, vec::Vec};
use core::time::Duration;

use super::*;
use crate::{
    Abilities, Acks, Cause, CloseCode, Commands, HttpAnswer, Limits, Never, Outgoing, Pings, Plain, Say, Tuning,
};

/// A line protocol with everything that a session of this crate uses: `login`, `ok`, `no`, `ack N`, `N text`.
#[derive(Clone, Debug)]
pub(super) struct Lines;

impl Protocol for Lines {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities { login: true, acks: Acks::Each, pings: Pings::Ours, ..Abilities::default() }
    }

    fn up(&mut self, (): &mut (), up: &Handshake, _: Limits) -> Result<(), crate::Complaint> {
        match up.subprotocol.as_ref().map(Text::as_str) {
            Some("other") => Err(crate::Complaint::minor("not the subprotocol that was asked for")),
            _ => Ok(()),
        }
    }

    fn admit(&self, message: &Frame) -> Result<u32, crate::Unfit> {
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        let text = String::from(frame.as_str().unwrap_or_default());
        heard.push(match text.split_once(' ').unwrap_or((&text, "")) {
            ("ok", _) => Heard::LoginOk { resumed: crate::Resumed::Fresh, expires: None, client_id: None },
            ("no", why) => Heard::LoginRefused(crate::Rejected { message: why.into(), ..Default::default() }.into()),
            ("later", _) => {
                let retry_after = Some(Duration::from_secs(60));
                Heard::LoginRefused(crate::Rejected { retry_after, ..Default::default() }.into())
            }
            ("away", _) => Heard::GoAway(
                crate::GoAway { comeback: crate::Comeback::After(Duration::from_secs(60)), ..Default::default() }
                    .into(),
            ),
            ("deny", id) => {
                Heard::Done { op: OpId(id.parse().expect("a number")), result: Err(crate::Rejected::default().into()) }
            }
            ("ack", id) => Heard::Acked { op: OpId(id.parse().expect("a number")) },
            ("pong", _) => Heard::Pong,
            ("ping", _) => Heard::Ping(Bytes::new()),
            ("bad", _) => Heard::Bad(crate::Complaint::major("bad", CloseCode::POLICY)),
            _ => Heard::Message { message: frame, topic: None, mark: crate::Mark::NONE },
        });
    }

    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        match say {
            Say::Login { .. } => frames.push("login".into()),
            Say::Message(Outgoing { message, .. }) => frames.push(message.clone()),
            Say::Ping => frames.push("ping".into()),
            Say::Pong(_) => frames.push("pong".into()),
            Say::AckOf { id } => frames.push(Frame::Binary(id.clone())),
            _ => {}
        }
    }
}

pub(super) struct Talk<P: Protocol<Message = Frame, Incoming = Frame, Topic = Never>> {
    pub(super) session: Session<P>,
    pub(super) now: u64,
    pub(super) out: Vec<Action<Frame, Never>>,
}

impl<P: Protocol<Message = Frame, Incoming = Frame, Topic = Never>> Talk<P> {
    pub(super) fn new(protocol: P) -> Self {
        let session = Session::new(protocol, Config::default(), 1).expect("the defaults are sound");
        let mut talk = Self { session, now: 0, out: Vec::new() };
        talk.command(Command::Connect);
        talk
    }

    pub(super) fn handle(&mut self, input: Input<Frame>) -> Answer<Frame> {
        self.out.clear();
        let answer = self.session.handle(Timestamp::from_millis(self.now), input, &mut self.out);
        assert!(self.session.next_deadline().is_none_or(|at| at > Timestamp::from_millis(self.now)));
        answer
    }

    pub(super) fn command(&mut self, command: Command<Frame>) -> Answer<Frame> {
        self.handle(Input::Command(command))
    }

    pub(super) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = self.session.config().clone();
        change(&mut config);
        assert_eq!(self.command(Command::Configure(config.into())), Answer::Done);
    }

    pub(super) fn send(&mut self, text: &str, class: Class) -> OpId {
        let options = SendOptions::new(class).tracked();
        match self.command(Command::Send { message: text.into(), options }) {
            Answer::Accepted(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn report(&mut self, link: u64, report: Report) {
        assert_ne!(self.handle(Input::Report(LinkId(link), report)), Answer::Stale);
    }

    pub(super) fn up(&mut self, link: u64) {
        self.report(link, Report::Up(Handshake::default().into()));
    }

    pub(super) fn hear(&mut self, link: u64, text: &str) {
        self.report(link, Report::Frame(text.into()));
    }

    pub(super) fn down(&mut self, link: u64, cause: Cause, left: u64) {
        self.report(link, Report::Down(Down { cause, left, verdict: None }.into()));
    }

    /// Goes to the next deadline.
    pub(super) fn wake(&mut self) {
        let at = self.session.next_deadline().expect("something to wait for");
        self.now = at.as_micros().div_ceil(1_000);
        self.handle(Input::Wake);
    }

    /// Goes from deadline to deadline until this timer has fired.
    pub(super) fn wait_for(&mut self, timer: Timer) {
        loop {
            let next = self.session.next_timer().expect("something to wait for").1;
            self.wake();
            if next == timer {
                return;
            }
        }
    }

    pub(super) fn sent(&self) -> Vec<&str> {
        let text = |action: &Action<Frame, Never>| match action {
            Action::Send { frame, .. } => frame.as_str().map(String::from),
            _ => None,
        };
        self.out
            .iter()
            .filter(|action| text(action).is_some())
            .map(|action| match action {
                Action::Send { frame, .. } => frame.as_str().unwrap_or_default(),
                _ => "",
            })
            .collect()
    }

    fn outcomes(&self) -> Vec<(u64, Outcome)> {
        let outcome = |action: &Action<Frame, Never>| match action {
            Action::Emit(Event::Outcome { id, outcome, .. }) => Some((id.0, outcome.clone())),
            _ => None,
        };
        self.out.iter().filter_map(outcome).collect()
    }
}

pub(super) fn refused() -> Cause {
    Cause::Unreachable("refused".into())
}

#[test]
fn what_is_sent_before_the_link_is_up_leaves_in_order_after_the_login() {
    let mut talk = Talk::new(Lines);
    talk.send("1", Class::AtMostOnce);
    talk.send("2", Class::AtMostOnce);
    talk.up(1);
    assert_eq!(talk.sent(), ["login"]);
    assert!(matches!(talk.out[0], Action::Send { secret: true, .. }));
    talk.hear(1, "ok");
    assert_eq!(talk.sent(), ["1", "2"]);
    assert_eq!(talk.session.phase(), Phase::Online);
    talk.report(1, Report::Flushed { frames: 3 });
    assert_eq!(talk.outcomes(), [(1, Outcome::Written), (2, Outcome::Written)]);
}

#[test]
fn when_a_link_dies_each_message_is_what_it_can_be() {
    let mut talk = Talk::new(Plain);
    talk.up(1);
    for text in ["1", "2", "3"] {
        talk.send(text, Class::AtMostOnce);
    }
    talk.report(1, Report::Flushed { frames: 1 });
    talk.down(1, Cause::Ended, 2);
    assert_eq!(talk.outcomes(), [(2, Outcome::InDoubt)]);
    assert_eq!(talk.session.phase(), Phase::Waiting);
    talk.wake();
    talk.up(2);
    assert_eq!(talk.sent(), ["3"], "it had not left");
}

#[test]
fn at_least_once_is_sent_again_until_it_is_acknowledged() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    talk.send("1", Class::AtLeastOnce);
    talk.report(1, Report::Flushed { frames: 2 });
    assert_eq!(talk.outcomes(), []);
    talk.down(1, Cause::Ended, 2);
    talk.wake();
    talk.up(2);
    talk.hear(2, "ok");
    assert_eq!(talk.sent(), ["1"]);
    talk.hear(2, "ack 1");
    assert_eq!(talk.outcomes(), [(1, Outcome::Acked)]);
    talk.hear(2, "ack 1");
    assert_eq!(talk.outcomes(), []);
    assert_eq!(talk.session.stats().unexpected, 1);
}

#[test]
fn the_same_credential_is_tried_twice_and_no_more() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "no");
    assert!(matches!(talk.out[0], Action::EmitError(_)));
    talk.down(1, Cause::Closed { code: CloseCode::NORMAL, reason: Text::default() }, 1);
    talk.wake();
    talk.up(2);
    talk.hear(2, "no");
    talk.down(2, Cause::Ended, 1);
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::Failed));
    assert_eq!(talk.session.next_deadline(), None);
    talk.command(Command::Authenticate(Some("new".into())));
    talk.now += 10_000;
    talk.command(Command::Connect);
    assert!(matches!(talk.out[0], Action::Connect(_)));
}

#[test]
fn a_server_that_says_when_is_not_dialled_earlier() {
    for (seconds, seed) in [(7, 1), (60, 2), (7, 3), (60, 4)] {
        let mut talk = Talk::new(Plain);
        talk.session.rng = Rng::new(seed);
        let answer =
            HttpAnswer { status: 503, retry_after: Some(Duration::from_secs(seconds)), ..HttpAnswer::default() };
        talk.down(1, Cause::Http(answer.into()), 0);
        talk.wait_for(Timer::Dial);
        assert!(talk.now >= seconds * 1_000 && matches!(talk.out[0], Action::Connect(_)), "{}", talk.now);
    }
}

#[test]
fn a_server_that_wants_us_back_at_once_is_dialled_at_the_floor() {
    let mut talk = Talk::new(Plain);
    alloc::sync::Arc::make_mut(&mut talk.session.config).retry.jitter = crate::Jitter::None;
    for link in 1..=8 {
        talk.down(link, Cause::Ended, 0);
        talk.wait_for(Timer::Dial);
    }
    let before = talk.now;
    let answer = HttpAnswer { status: 503, retry_after: Some(Duration::ZERO), ..HttpAnswer::default() };
    talk.down(9, Cause::Http(answer.into()), 0);
    talk.wait_for(Timer::Dial);
    let waited = talk.now - before;
    assert!((100..=1_100).contains(&waited), "{waited} ms, and not the half minute of our own");
}

#[test]
fn only_a_link_that_holds_resets_the_backoff() {
    let mut talk = Talk::new(Plain);
    for link in 1..=6 {
        talk.up(link);
        talk.down(link, Cause::Ended, 0);
        assert_eq!(talk.session.backoff.failures(), link);
        talk.wake();
    }
    talk.up(7);
    talk.wake();
    assert_eq!(talk.session.backoff.failures(), 0);
}

#[test]
fn the_last_attempt_that_can_be_counted_is_made_like_any_other() {
    for failures in [u64::from(u32::MAX) - 1, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        let mut talk = Talk::new(Plain);
        talk.session.backoff = Backoff::after(failures);
        for link in 1..=3 {
            let before = talk.now;
            talk.down(link, refused(), 0);
            let announced = talk.out.iter().any(|action| {
                matches!(action, Action::ReconnectAfter { attempt, .. } if *attempt > failures || *attempt == u64::MAX)
            });
            assert!(announced, "{:?}", talk.out);
            talk.wait_for(Timer::Dial);
            assert!((before + 100..=before + 30_001).contains(&talk.now), "{} after {before}", talk.now);
            assert!(matches!(talk.out[0], Action::Connect(_)));
        }
    }
}

#[test]
fn a_silent_peer_is_dropped_though_the_application_talks() {
    let mut talk = Talk::new(Plain);
    talk.up(1);
    for _ in 0..1_000 {
        talk.now += 50;
        let _ = talk.command(Command::Send { message: "x".into(), options: SendOptions::default() });
        if talk.session.phase() != Phase::Online {
            break;
        }
    }
    assert!(talk.out.contains(&Action::Abort(LinkId(1))));
    assert!(talk.now <= 35_100, "{}", talk.now);
}

#[test]
fn a_late_report_changes_nothing() {
    let mut talk = Talk::new(Plain);
    talk.down(1, refused(), 0);
    let deadline = talk.session.next_deadline();
    let late = Input::Report(LinkId(1), Report::Up(Handshake::default().into()));
    assert_eq!(talk.handle(late.clone()), Answer::Stale);
    assert_eq!((talk.out.len(), talk.session.next_deadline()), (0, deadline));
    talk.now += 3_600_000;
    assert_eq!(talk.handle(late), Answer::Stale);
    assert!(matches!(talk.out[0], Action::Connect(_)), "the time has come all the same");
}

#[test]
fn draining_waits_for_the_acknowledgement_and_stopping_does_not() {
    for drain in [true, false] {
        let mut talk = Talk::new(Lines);
        talk.up(1);
        talk.hear(1, "ok");
        talk.send("1", Class::AtLeastOnce);
        talk.command(if drain { Command::Drain { within: Duration::from_secs(2) } } else { Command::Stop });
        assert_eq!(talk.session.phase(), Phase::Draining);
        assert_eq!(talk.out.iter().any(|action| matches!(action, Action::Close { .. })), !drain);
        assert_eq!(
            talk.session.send(Timestamp::ZERO, "2".into(), &mut vec![]).expect_err("over").why,
            crate::Why::Stopped
        );
        talk.hear(1, "ack 1");
        assert_eq!(talk.outcomes(), [(1, Outcome::Acked)], "the leaving link is still listened to");
        talk.down(1, Cause::Closed { code: CloseCode::NORMAL, reason: Text::default() }, 2);
        assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::User));
        assert_eq!(talk.session.next_deadline(), None);
    }
}

#[test]
fn a_peer_that_does_not_say_goodbye_is_not_waited_for() {
    let mut talk = Talk::new(Plain);
    talk.up(1);
    talk.send("1", Class::AtMostOnce);
    talk.command(Command::Stop);
    talk.wake();
    assert_eq!(talk.out[0], Action::Abort(LinkId(1)));
    assert_eq!(talk.outcomes(), [(1, Outcome::InDoubt)]);
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::User));
}

#[test]
fn connect_now_does_not_wait_and_keeps_the_floor() {
    let mut talk = Talk::new(Plain);
    talk.down(1, refused(), 0);
    talk.command(Command::ConnectNow);
    assert!(!talk.out.iter().any(|action| matches!(action, Action::Connect(_))));
    talk.wake();
    assert_eq!(talk.now, 100);
    assert!(matches!(talk.out[0], Action::Connect(_)));
}

#[test]
fn after_the_end_there_is_nothing_but_answers_until_a_connect() {
    let mut talk = Talk::new(Plain);
    talk.command(Command::Stop);
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::User));
    for command in [Command::Stop, Command::Drain { within: Duration::ZERO }, Command::Cancel(OpId(1))] {
        talk.command(command);
        assert_eq!((talk.out.len(), talk.session.next_deadline()), (0, None));
    }
    talk.now += 100;
    talk.command(Command::Connect);
    assert!(matches!(talk.out[0], Action::Connect(_)));
}

#[test]
fn a_wrong_subprotocol_stops_at_once() {
    let mut talk = Talk::new(Lines);
    let handshake = Handshake { subprotocol: Some("other".into()), ..Handshake::default() };
    talk.report(1, Report::Up(handshake.into()));
    assert!(talk.out.iter().any(|action| matches!(action, Action::Close { .. })));
    talk.down(1, Cause::Ended, 0);
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn a_flood_of_pings_is_answered_within_bounds() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    let mut pongs = 0;
    for _ in 0..10_000 {
        talk.hear(1, "ping");
        pongs += talk.sent().len();
    }
    assert!(pongs <= 2 * talk.session.config().window.frames as usize, "{pongs}");
    talk.report(1, Report::Flushed { frames: u64::MAX });
    assert_eq!(talk.sent(), ["pong"], "the last one is answered when there is room");
}

// What a review found, each as it was found.

fn tuned(every: Option<u64>, limit: Option<u32>) -> Tuning {
    Tuning { ping_every: every.map(Duration::from_millis), max_message: limit, ..Tuning::default() }
}

#[test]
fn a_greeting_that_comes_late_leaves_no_deadline_behind() {
    let mut talk = Talk::new(Greeter(tuned(Some(1_000), None), false));
    talk.up(1);
    talk.now = 3_000;
    talk.hear(1, "hello");
    assert!(talk.session.next_deadline() > Some(Timestamp::from_millis(3_000)));
}

#[test]
fn a_greeting_cannot_make_the_session_spin() {
    let mut talk = Talk::new(Greeter(tuned(Some(0), None), false));
    talk.up(1);
    talk.hear(1, "hello");
    let before = talk.session.stats().pings;
    while talk.now < 10_000 && talk.session.phase() == Phase::Online {
        talk.wake();
    }
    assert!(talk.session.stats().pings - before <= 10);
}

#[test]
fn a_pong_that_moves_a_deadline_up_is_noticed() {
    let mut talk = Talk::new(Plain);
    talk.configure(|config| (config.heartbeat.interval, config.heartbeat.pong_only) = (Duration::from_secs(5), true));
    talk.up(1);
    while talk.session.stats().pings == 0 {
        talk.wake();
    }
    talk.report(1, Report::Frame(Frame::Pong(Bytes::copy_from_slice(&1_u64.to_be_bytes()))));
    let pong_at = talk.now;
    talk.wake();
    assert!(talk.now <= pong_at + 5_000, "the next probe does not wait for the old judgement");
}

#[test]
fn no_action_shows_a_login() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    let shown = alloc::format!("{:?}", talk.out);
    assert!(!shown.contains("login") && shown.contains("5 secret bytes"), "{shown}");
}

#[test]
fn a_refusal_that_says_when_to_come_back_is_a_refusal_all_the_same() {
    let mut talk = Talk::new(Lines);
    for link in 1..=2 {
        talk.up(link);
        talk.hear(link, "later");
        let Some(Action::EmitError(error)) = talk.out.first() else { panic!("{:?}", talk.out) };
        assert_eq!(error.retry_after, Some(Duration::from_secs(60)));
        talk.down(link, Cause::Ended, 1);
        if link == 1 {
            let before = talk.now;
            talk.wait_for(Timer::Dial);
            assert!(talk.now >= before + 60_000);
        }
    }
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn a_credential_that_worked_in_between_was_not_refused_twice() {
    let mut talk = Talk::new(Plain);
    let denied = || Cause::Http(HttpAnswer { status: 401, ..HttpAnswer::default() }.into());
    talk.down(1, denied(), 0);
    talk.wake();
    talk.up(2);
    talk.down(2, Cause::Ended, 0);
    talk.wake();
    talk.down(3, denied(), 0);
    assert_eq!(talk.session.phase(), Phase::Waiting);
}

#[test]
fn of_two_waits_that_were_asked_for_the_longer_counts() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    talk.hear(1, "away");
    talk.down(1, Cause::Closed { code: CloseCode::INTERNAL, reason: Text::default() }, 1);
    let before = talk.now;
    talk.wait_for(Timer::Dial);
    assert!(talk.now >= before + 60_000, "the close alone would ask for 5 s");
}

#[test]
fn a_no_is_told_though_the_transport_has_not_reported_the_flush() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    talk.send("1", Class::AtMostOnce);
    talk.hear(1, "deny 1");
    assert!(matches!(talk.outcomes()[..], [(1, Outcome::Failed(_))]));
    talk.hear(1, "deny 7");
    assert!(talk.out.iter().any(|action| matches!(action, Action::Emit(Event::Trouble(_)))));
}

#[test]
fn what_the_server_does_not_take_is_not_sent_though_it_was_accepted_before() {
    let mut talk = Talk::new(Greeter(tuned(None, Some(3)), true));
    for text in ["abc", "abcd", "ab"] {
        talk.send(text, Class::AtMostOnce);
    }
    talk.up(1);
    talk.hear(1, "hello");
    assert_eq!((talk.sent(), talk.outcomes()), (vec!["abc", "ab"], vec![(2, Outcome::Dropped(Dropped::TooBig))]));
}

/// The id outlives the link. Whoever has one of his own keeps it.
#[test]
fn a_greeting_may_say_who_we_are() {
    let own = ClientId::Given("till-4".into());
    for (choice, expected) in [(ClientId::Assigned, "c-17"), (own, "till-4")] {
        let tuning = Tuning { client_id: Some("c-17".into()), ..Tuning::default() };
        let mut talk = Talk::new(Greeter(tuning, true));
        talk.configure(|config| config.identity.client_id = choice);
        talk.up(1);
        talk.hear(1, "hello");
        let called = |talk: &Talk<Greeter>| talk.session.health(Timestamp::ZERO).client_id;
        assert_eq!(called(&talk), Some(expected.into()));
        talk.down(1, Cause::Ended, 0);
        assert_eq!(called(&talk), Some(expected.into()));
    }
}

#[test]
fn what_can_never_fit_is_not_asked_to_wait() {
    let mut talk = Talk::new(Plain);
    talk.configure(|config| config.queue.max_bytes = 10);
    let message = Frame::from("longer than ten bytes");
    let answer = talk.command(Command::Send { message, options: SendOptions::default() });
    assert!(matches!(answer, Answer::Refused(crate::Why::TooBig { limit: 10, .. }, _)), "{answer:?}");
}

#[test]
fn what_we_found_wrong_with_a_frame_is_forgiven_twice() {
    let mut talk = Talk::new(Lines);
    for link in 1..=3 {
        assert_eq!(talk.session.phase(), Phase::Connecting);
        talk.up(link);
        talk.down(link, Cause::Violation { code: CloseCode::TOO_BIG, message: "too big".into() }, 0);
        if link < 3 {
            talk.wake();
        }
    }
    assert_eq!(talk.session.phase(), Phase::Stopped(StopCause::Failed));
}

#[test]
fn reading_held_back_before_the_login_is_remembered() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.report(1, Report::Paused);
    talk.hear(1, "ok");
    for _ in 0..10 {
        talk.wake();
    }
    assert_eq!(talk.session.phase(), Phase::Online, "silence means nothing while nobody reads");
}

#[test]
fn a_link_that_never_logged_in_brings_no_messages_when_it_leaves() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.command(Command::Stop);
    talk.hear(1, "m");
    assert_eq!(talk.session.stats().received, 0);
}

#[test]
fn the_reason_of_a_close_fits_into_its_frame() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, &alloc::format!("no {}", "x".repeat(1_000)));
    let reason = talk.out.iter().find_map(|action| match action {
        Action::Close { reason, .. } => Some(reason.len()),
        _ => None,
    });
    assert_eq!(reason, Some(123));
}

#[test]
fn answers_to_a_flood_are_bounded_in_bytes() {
    let mut talk = Talk::new(Lines);
    talk.up(1);
    talk.hear(1, "ok");
    let mut bytes = 0;
    for _ in 0..200 {
        talk.command(Command::Taken { id: Bytes::from(vec![b'i'; 1_000]) });
        bytes += talk
            .out
            .iter()
            .map(|action| if let Action::Send { frame, .. } = action { frame.len() } else { 0 })
            .sum::<usize>();
    }
    assert!(bytes <= 2 * talk.session.config().window.bytes as usize, "{bytes}");
    talk.command(Command::Taken { id: Bytes::from(vec![b'i'; 100_000]) });
    assert_eq!(talk.session.stats().unacknowledged, 1);
}

/// Frames, and a greeting that may come at any time; whether it is waited for.
#[derive(Clone, Debug)]
struct Greeter(Tuning, bool);

impl Protocol for Greeter {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities { hello: self.1, ..Abilities::default() }
    }

    fn admit(&self, message: &Frame) -> Result<u32, crate::Unfit> {
        Plain.admit(message)
    }

    fn decode(&mut self, (): &mut (), _: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        heard.push(Heard::Hello(self.0.clone().into()));
    }

    fn encode(&mut self, (): &mut (), now: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        Plain.encode(&mut (), now, say, frames);
    }
}
