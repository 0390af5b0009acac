//! Does the checker see what it is there to see? It is told of sessions that break one promise each.

use steadfast::{
    Action, Answer, Command, Config, Frame, Input, LinkId, Machine, Phase, Report, Session, Text, Timestamp,
};
use steadfast_sim::{Checked, Checker, Toy};

const LINK: LinkId = LinkId(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000 * seconds)
}

/// A turn of a session that did this.
fn turn(
    checker: &mut Checker<Toy>,
    now: Timestamp,
    input: Input<Text, Text>,
    actions: &[Action<Text, Text>],
    deadline: Option<Timestamp>,
) {
    let brief = checker.before(&input);
    checker.after(now, brief, &Answer::<Text>::Done, actions, deadline);
}

/// The first dial of any session.
fn dial() -> Action<Text, Text> {
    let session = Session::new(Toy::default(), Config::default(), 1);
    let mut actions = Vec::new();
    session.expect("a sound configuration").handle(at(1), Input::Command(Command::Connect), &mut actions);
    actions.swap_remove(0)
}

/// A checker that has seen a link without a login come up at the first second.
fn online() -> Checker<Toy> {
    let mut checker = Checker::new(Toy { login: false, ..Toy::default() }, Config::default());
    turn(&mut checker, at(1), Input::Command(Command::Connect), &[dial()], Some(at(2)));
    turn(&mut checker, at(1), Input::Report(LINK, Report::Up(Box::default())), &[], Some(at(20)));
    assert_eq!(checker.violations(), [""; 0]);
    checker
}

fn assert_finds(checker: &Checker<Toy>, rule: &str) {
    let violations = checker.violations();
    assert!(violations.len() == 1 && violations[0].contains(rule), "{violations:?}");
}

#[test]
fn a_deadline_behind_the_end_of_silence_is_found() {
    let mut checker = online();
    turn(&mut checker, at(20), Input::Wake, &[], Some(at(36)));
    assert_eq!(checker.violations(), [""; 0], "25 s and 10 s after the first one");
    turn(&mut checker, at(21), Input::Wake, &[], Some(at(37)));
    assert_finds(&checker, "silence: ");
}

#[test]
fn silence_begins_anew_with_each_sign_of_life_and_while_reading_is_held_back() {
    let mut checker = online();
    let reports = [
        (20, Report::Frame(Frame::from("m hello")), Some(at(55))),
        (21, Report::Progress, Some(at(56))),
        (22, Report::Paused, None),
        (1_000, Report::Resumed, Some(at(1_035))),
    ];
    for (second, report, deadline) in reports {
        turn(&mut checker, at(second), Input::Report(LINK, report), &[], deadline);
    }
    assert_eq!(checker.violations(), [""; 0]);
    turn(&mut checker, at(1_001), Input::Wake, &[], None);
    assert_finds(&checker, "silence: ");
}

#[test]
fn a_driver_that_was_late_is_no_silence() {
    let mut checker = online();
    turn(&mut checker, at(3_620), Input::Wake, &[], Some(at(3_630)));
    assert_eq!(checker.violations(), [""; 0]);
}

#[test]
fn a_dial_before_its_announced_time_is_found() {
    let announced = Action::ReconnectAfter { at: at(9), attempt: 1, error: 0 };
    let waiting = || {
        let mut checker = Checker::new(Toy::default(), Config::default());
        turn(&mut checker, at(1), Input::Command(Command::Connect), &[dial()], Some(at(2)));
        turn(&mut checker, at(2), Input::Wake, &[Action::Abort(LINK), announced.clone()], Some(at(9)));
        checker
    };
    let mut checker = waiting();
    turn(&mut checker, at(5), Input::Command(Command::Connect), &[dial()], None);
    assert!(checker.violations().iter().any(|what| what.contains("the time that was announced")));
    let mut checker = waiting();
    turn(&mut checker, at(5), Input::Command(Command::ConnectNow), &[dial()], None);
    assert!(!checker.violations().iter().any(|what| what.contains("the time that was announced")));
}

#[test]
fn answers_beyond_a_window_of_bytes_are_found() {
    let mut config = Config::default();
    config.window.bytes = 10;
    let mut checker = Checker::new(Toy { login: false, ..Toy::default() }, config);
    let pong = |token: &str| Action::Send { link: LINK, frame: Frame::from(format!("pong {token}")), secret: false };
    let first = [pong("of any length"), Action::FlushQueue(LINK)];
    turn(&mut checker, at(1), Input::Command(Command::Connect), &[dial()], Some(at(2)));
    turn(&mut checker, at(1), Input::Report(LINK, Report::Up(Box::default())), &first, Some(at(20)));
    assert_eq!(checker.violations(), [""; 0]);
    turn(&mut checker, at(2), Input::Report(LINK, Report::Progress), &[pong("")], Some(at(20)));
    assert_finds(&checker, "window: ");
}

#[test]
fn an_accepted_login_is_nothing_where_there_is_none() {
    let toy = Toy { hello: true, login: false, ..Toy::default() };
    let session = Session::new(toy, Config::default(), 1).expect("a sound configuration");
    let (mut session, mut actions) = (Checked::new(session, toy, Config::default()), Vec::new());
    session.handle(at(1), Input::Command(Command::Connect), &mut actions);
    session.handle(at(1), Input::Report(LINK, Report::Up(Box::default())), &mut actions);
    session.handle(at(1), Input::Report(LINK, Report::Frame(Frame::from("ok"))), &mut actions);
    assert_eq!(session.checker().phase(), Phase::Authenticating, "the greeting is waited for");
    session.handle(at(1), Input::Report(LINK, Report::Frame(Frame::from("hello"))), &mut actions);
    assert_eq!(session.checker().phase(), Phase::Online);
    session.assert_sound();
}
