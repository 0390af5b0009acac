//! What others get wrong, as short conversations. tests/plants/BRACKETS.md has the table.

use std::time::Duration;

use steadfast::{
    Action, Cause, Change, Command, Commands, Config, CredentialUse, Down, Event, Frame, Input, Jitter, Limit, LinkId,
    Machine, Never, Phase, Plain, Report, Session, StopCause, Timestamp,
};

type Actions = Vec<Action<Frame, Never>>;

/// A session, what it did so far, and a clock.
struct Talk {
    session: Session<Plain>,
    now: Timestamp,
    actions: Actions,
}

impl Talk {
    fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.retry.jitter = Jitter::None;
        set(&mut config);
        let session = Session::new(Plain, config, 7).expect("sound settings");
        let mut talk = Self { session, now: Timestamp::from_millis(1_000_000), actions: Vec::new() };
        talk.command(Command::Connect);
        talk
    }

    /// What it does about a command.
    fn command(&mut self, command: Command<Frame>) -> Actions {
        let mut actions = Vec::new();
        self.session.handle(self.now, Input::Command(command), &mut actions);
        self.actions.extend(actions.iter().cloned());
        actions
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

fn is_dial(actions: &Actions) -> bool {
    actions.iter().any(|action| matches!(action, Action::Connect(_)))
}

/// partysocket and phoenix do nothing until their wait is over: here 29.95 of 30 s are left.
#[test]
fn connect_now_in_the_middle_of_a_wait_dials_at_the_floor_at_the_latest() {
    let mut talk = Talk::new(|config| config.retry.base = config.retry.cap);
    talk.fails("refused");
    talk.pass(Duration::from_millis(50));
    assert!(!is_dial(&talk.command(Command::ConnectNow)), "not before the floor");
    talk.pass(Duration::from_millis(50));
    assert_eq!(talk.dials(), 2);
    talk.fails("refused");
    talk.pass(Duration::from_secs(10));
    assert_eq!((talk.dials(), talk.session.phase()), (2, Phase::Waiting));
    assert!(is_dial(&talk.command(Command::ConnectNow)), "in the same turn");
}

/// partysocket says nothing after its last attempt, and a later "reconnect" of phoenix is lost.
#[test]
fn giving_up_is_told_once_with_its_first_and_its_last_cause_and_connect_now_begins_anew() {
    let mut talk = Talk::new(|config| config.retry.max_attempts = Some(3));
    for why in ["the first", "the second", "the third"] {
        talk.fails(why);
        talk.pass(Duration::from_secs(30));
    }
    let ends = |talk: &Talk| -> Vec<_> {
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

    assert!(is_dial(&talk.command(Command::ConnectNow)), "it begins anew");
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
    assert!(is_dial(&talk.command(Command::Credential { ask, answer: Ok("fresh".into()) })));
}
