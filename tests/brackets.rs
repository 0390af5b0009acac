//! What others get wrong, as short conversations. tests/plants/BRACKETS.md has the table.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

use std::time::Duration;

use steadfast::{
    Action, Answer, Cause, Change, Class, Command, Commands, Config, CredentialUse, Down, Event, Frame, Input, Jitter,
    Limit, LinkId, Machine, OpId, Outcome, Phase, Plain, Protocol, Report, SendOptions, Session, StopCause, Text,
    Timestamp,
};
use steadfast_sim::Toy;

type Actions<P> = Vec<Action<<P as Protocol>::Incoming, <P as Protocol>::Topic>>;

/// A session, what it did so far, and a clock.
struct Talk<P: Protocol> {
    session: Session<P>,
    now: Timestamp,
    actions: Actions<P>,
}

impl Talk<Plain> {
    fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut talk = Self::of(Plain, set);
        talk.command(Command::Connect);
        talk
    }
}

impl Talk<Toy> {
    /// With acknowledgements and without a login; not connected yet.
    fn with_acks() -> Self {
        Self::of(Toy { login: false, ..Toy::default() }, |_| {})
    }

    fn send(&mut self, text: &str, options: SendOptions) -> OpId {
        let message = Text::from(text.to_owned());
        self.session.send_with(self.now, message, options.tracked(), &mut self.actions).expect("there is room")
    }

    fn cancel(&mut self, id: OpId) -> Option<Text> {
        match self.session.handle(self.now, Input::Command(Command::Cancel(id)), &mut self.actions) {
            Answer::Cancelled(message) => message,
            answer => panic!("{answer:?}"),
        }
    }

    fn up(&mut self) {
        self.report(Report::Up(Box::default()));
    }

    fn hear(&mut self, line: &str) {
        self.report(Report::Frame(Frame::from(line.to_owned())));
    }

    fn flushed(&mut self) {
        let (link, is_ours) = (self.last_link(), |frame: &(LinkId, String), link| frame.0 == link);
        let frames = self.frames().iter().filter(|frame| is_ours(frame, link)).count() as u64;
        self.report(Report::Flushed { frames });
    }

    /// The link is lost; so many of the frames it was given may have left.
    fn lost(&mut self, left: u64) {
        self.report(Report::Down(Box::new(Down { cause: Cause::Ended, left, verdict: None })));
    }

    fn report(&mut self, report: Report) {
        let link = self.last_link();
        self.session.report(self.now, link, report, &mut self.actions);
    }

    /// What was handed over, and to which link.
    fn frames(&self) -> Vec<(LinkId, String)> {
        let frame = |action: &Action<_, _>| match action {
            Action::Send { link, frame: Frame::Text(text), .. } => Some((*link, text.as_str().to_owned())),
            Action::Send { link, .. } => Some((*link, String::new())),
            _ => None,
        };
        self.actions.iter().filter_map(frame).collect()
    }

    /// How often a message was handed over.
    fn times(&self, text: &str) -> usize {
        self.frames().iter().filter(|(_, frame)| frame.ends_with(&format!(" {text}"))).count()
    }

    /// The outcomes so far, each with the message that it is of.
    fn outcomes(&self) -> Vec<(u64, Outcome)> {
        let outcome = |action: &Action<_, _>| match action {
            Action::Emit(Event::Outcome { id, outcome, .. }) => Some((id.0, outcome.clone())),
            _ => None,
        };
        self.actions.iter().filter_map(outcome).collect()
    }
}

impl<P: Protocol> Talk<P> {
    fn of(protocol: P, set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.retry.jitter = Jitter::None;
        set(&mut config);
        let session = Session::new(protocol, config, 7).expect("sound settings");
        Self { session, now: Timestamp::from_millis(1_000_000), actions: Vec::new() }
    }

    /// What it does about a command: how often it dials.
    fn command(&mut self, command: Command<P::Message, P::Topic>) -> usize {
        let before = self.dials();
        self.session.handle(self.now, Input::Command(command), &mut self.actions);
        self.dials() - before
    }

    /// The attempt that is under way fails.
    fn fails(&mut self, why: &str) {
        let link = self.last_link();
        let down = Down { cause: Cause::Unreachable(why.into()), left: 0, verdict: None };
        self.session.report(self.now, link, Report::Down(Box::new(down)), &mut self.actions);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time).expect("within time");
        self.session.wake(self.now, &mut self.actions);
    }

    fn dials(&self) -> usize {
        self.actions.iter().filter(|action| matches!(action, Action::Connect(_))).count()
    }

    fn last_link(&self) -> LinkId {
        let dial = |action: &Action<_, _>| if let Action::Connect(dial) = action { Some(dial.link) } else { None };
        self.actions.iter().rev().find_map(dial).expect("it has dialled")
    }

    /// The number of the question for a credential that was asked last.
    fn question(&self) -> u64 {
        let ask =
            |action: &Action<_, _>| if let Action::AskCredential { ask, .. } = action { Some(*ask) } else { None };
        self.actions.iter().rev().find_map(ask).expect("it has asked")
    }
}

/// partysocket and phoenix do nothing until their wait is over: here 29.95 of 30 s are left.
#[test]
fn connect_now_in_the_middle_of_a_wait_dials_at_the_floor_at_the_latest() {
    let mut talk = Talk::new(|config| config.retry.base = config.retry.cap);
    talk.fails("refused");
    talk.pass(Duration::from_millis(50));
    assert_eq!(talk.command(Command::ConnectNow), 0, "not before the floor");
    talk.pass(Duration::from_millis(50));
    assert_eq!(talk.dials(), 2);
    talk.fails("refused");
    talk.pass(Duration::from_secs(10));
    assert_eq!((talk.dials(), talk.session.phase()), (2, Phase::Waiting));
    assert_eq!(talk.command(Command::ConnectNow), 1, "in the same turn");
}

/// partysocket says nothing after its last attempt, and a later "reconnect" of phoenix is lost.
#[test]
fn giving_up_is_told_once_with_its_first_and_its_last_cause_and_connect_now_begins_anew() {
    let mut talk = Talk::new(|config| config.retry.max_attempts = Some(3));
    for why in ["the first", "the second", "the third"] {
        talk.fails(why);
        talk.pass(Duration::from_secs(30));
    }
    let ends = |talk: &Talk<Plain>| -> Vec<_> {
        let is_end = |change: &Change| change.to == Phase::Stopped(StopCause::Failed);
        let end = |action: &Action<_, _>| {
            if let Action::Emit(Event::Phase(change)) = action { Some(change.clone()) } else { None }
        };
        talk.actions.iter().filter_map(end).filter(|change| is_end(change)).collect()
    };
    talk.pass(Duration::from_secs(3_600));
    let told = ends(&talk);
    assert_eq!((talk.dials(), told.len()), (3, 1));
    let gave_up = told[0].gave_up.as_ref().expect("it says why");
    assert_eq!(gave_up.limit, Some(Limit::Attempts));
    assert_eq!((gave_up.first.message.as_str(), gave_up.last.message.as_str()), ("the first", "the third"));
    assert_eq!(told[0].retry_at, None);

    assert_eq!(talk.command(Command::ConnectNow), 1, "it begins anew");
    talk.fails("the first of the next life");
    talk.pass(Duration::from_secs(30));
    assert_eq!((talk.dials(), ends(&talk).len()), (5, 1), "and counts anew");
}

/// reconnecting-websocket is locked for ever once its provider of URLs has thrown.
#[test]
fn a_host_that_cannot_say_what_to_dial_with_has_failed_one_attempt() {
    let mut talk = Talk::new(|config| {
        config.credentials.when = CredentialUse::AtDial;
        config.credentials.asked = true;
    });
    for _ in 0..3 {
        let ask = talk.question();
        talk.command(Command::Credential { ask, answer: Err("the vault is sealed".into()) });
        assert_eq!((talk.dials(), talk.session.phase()), (0, Phase::Waiting));
        talk.pass(Duration::from_secs(30));
        assert_eq!(talk.question(), ask + 1, "asked again");
    }
    let ask = talk.question();
    assert_eq!(talk.command(Command::Credential { ask, answer: Ok("fresh".into()) }), 1);
}

/// nats.rs #182: a publish was `Ok` and 0 of the messages arrived. Here 100 are given to a link that takes 60 of them and dies:
/// 60 may have arrived and 40 certainly have not, and those leave with the next one.
#[test]
fn what_a_dying_link_took_is_in_doubt_and_the_rest_leaves_with_the_next_one() {
    let mut talk = Talk::with_acks();
    talk.command(Command::Connect);
    talk.up();
    for number in 1..=100 {
        talk.send(&format!("no. {number}"), SendOptions::new(Class::AtMostOnce));
    }
    assert_eq!((talk.frames().len(), talk.outcomes()), (100, Vec::new()), "given to the link is not written");
    talk.lost(60);
    assert_eq!(talk.outcomes(), (1..=60).map(|id| (id, Outcome::InDoubt)).collect::<Vec<_>>());
    talk.pass(Duration::from_secs(30));
    talk.up();
    talk.flushed();
    let written: Vec<_> = talk.outcomes().split_off(60);
    assert_eq!(written, (61..=100).map(|id| (id, Outcome::Written)).collect::<Vec<_>>());
    assert_eq!((talk.times("no. 60"), talk.times("no. 61")), (1, 2));
}

/// socket.io and phoenix: an acknowledgement that is on its way when the link is lost never comes, and after the reconnect
/// nothing ever does: 0 outcomes. Here each of 4 messages has one.
#[test]
fn an_acknowledgement_that_was_lost_with_its_link_is_asked_for_again_and_ends_in_time() {
    let mut talk = Talk::with_acks();
    talk.command(Command::Connect);
    talk.up();
    for name in ["acknowledged later", "never"] {
        talk.send(name, SendOptions::new(Class::AtLeastOnce).ttl(Duration::from_secs(60)));
    }
    talk.send("once", SendOptions::new(Class::AtMostOnce));
    talk.send("without end", SendOptions::new(Class::AtLeastOnce));
    talk.lost(4);
    assert_eq!(talk.outcomes(), [(3, Outcome::InDoubt)]);
    talk.pass(Duration::from_secs(30));
    talk.up();
    talk.flushed();
    assert_eq!((talk.times("acknowledged later"), talk.times("never"), talk.times("once")), (2, 2, 1));
    talk.hear("got 1");
    talk.pass(Duration::from_secs(3_600));
    talk.command(Command::Stop);
    talk.pass(Duration::from_secs(60));
    let all = [(3, Outcome::InDoubt), (1, Outcome::Acked), (2, Outcome::InDoubt), (4, Outcome::InDoubt)];
    assert_eq!(talk.outcomes(), all);
}

/// ably #2115: a message was reported as failed and sent all the same after the reconnect. Here what is said not to have left
/// never leaves, and what may have left is not said to come back.
#[test]
fn what_came_back_or_expired_never_leaves_and_what_may_have_left_does_not_come_back() {
    let mut talk = Talk::with_acks();
    let cancelled = talk.send("cancelled", SendOptions::new(Class::AtLeastOnce));
    talk.send("expired", SendOptions::new(Class::AtLeastOnce).ttl(Duration::from_secs(5)));
    assert_eq!(talk.cancel(cancelled).as_ref().map(Text::as_str), Some("cancelled"));
    talk.pass(Duration::from_secs(5));
    assert_eq!(talk.outcomes(), [(1, Outcome::Cancelled), (2, Outcome::Expired)]);
    talk.command(Command::Connect);
    talk.up();
    let delivered = talk.send("delivered", SendOptions::new(Class::AtLeastOnce));
    talk.flushed();
    talk.lost(1);
    assert_eq!(talk.cancel(delivered), None, "it may have arrived, so it is not said to have failed");
    talk.pass(Duration::from_secs(30));
    talk.up();
    talk.hear("got 3");
    assert_eq!(talk.outcomes().split_off(2), [(3, Outcome::Acked)]);
    assert_eq!((talk.times("cancelled"), talk.times("expired"), talk.times("delivered")), (0, 0, 2));
}
