//! A deploy goes wrong: a server that has worked says for a while that there is nothing here.

use std::time::Duration;

use steadfast::{CloseCode, Code, Kind, Phase, Recovery, StopCause, Timestamp};
use steadfast_sim::{Door, Fault, Faults, Scenario, Script, Story, World, each_seed};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// When the deploy begins: by then every session is online and stable.
const BEGINS: Duration = Duration::from_secs(20);

fn run(scenario: Scenario) -> Story {
    let story = World::new(scenario).run();
    assert_eq!(story.violations, Vec::<String>::new());
    story
}

/// A server that answers 404, for this long.
fn deploy(seed: u64, lasts: Duration) -> Scenario {
    let mut scenario = Scenario::new(seed);
    scenario.lasts = BEGINS + lasts + 10 * MINUTE;
    scenario.until_settled = false;
    let gone = Script { door: Door::Http { status: 404, retry_after: None }, ..Script::default() };
    scenario.faults = Faults(vec![
        (BEGINS, Fault::Script(gone)),
        (BEGINS, Fault::Close(CloseCode::RESTART)),
        (BEGINS + lasts, Fault::Script(Script::default())),
    ]);
    scenario
}

fn since_start(at: Timestamp) -> Duration {
    at.since(Timestamp::from_millis(1))
}

#[test]
fn ten_minutes_of_404_stop_none_of_a_thousand_sessions_that_have_worked() {
    let mut dials = 0;
    each_seed("ten_minutes_of_404_stop_none", 1..=1_000, |seed| {
        let story = run(deploy(seed, 10 * MINUTE));
        assert_eq!(story.phase, Phase::Online);
        assert!(story.errors.iter().all(|(_, error)| error.recovery != Recovery::Fatal));
        let (_, last) = story.errors.last().expect("the deploy was noticed");
        assert_eq!((last.kind, &last.code), (Kind::ProtocolError, &Some(Code::Http(404))));
        let (first, back) = (story.dials[1], story.dials[story.dials.len() - 1]);
        assert!(back.since(first) <= 10 * MINUTE + 33 * SECOND, "back within one wait at the cap");
        dials += story.dials.len();
    });
    // Each comes 20 or 21 times: at the cap, and not in step.
    assert!(dials <= 1_000 * 23, "{dials} dials");
}

#[test]
fn a_path_that_never_worked_stops_at_once() {
    each_seed("a_path_that_never_worked_stops_at_once", 1..=100, |seed| {
        let mut scenario = deploy(seed, 10 * MINUTE);
        scenario.script.door = Door::Http { status: 404, retry_after: None };
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.phase), (1, Phase::Stopped(StopCause::Failed)));
    });
}

#[test]
fn a_path_that_works_no_more_stops_within_half_an_hour() {
    each_seed("a_path_that_works_no_more_stops_within_half_an_hour", 1..=100, |seed| {
        let story = run(deploy(seed, 60 * MINUTE));
        assert_eq!(story.phase, Phase::Stopped(StopCause::Failed));
        let stopped = story.phases.last().expect("it stopped").at;
        let lasted = since_start(stopped) - BEGINS;
        assert!(25 * MINUTE <= lasted && lasted <= 30 * MINUTE, "after {lasted:?}");
    });
}

#[test]
fn whoever_wants_the_plain_table_stops_at_once() {
    each_seed("whoever_wants_the_plain_table_stops_at_once", 1..=100, |seed| {
        let mut scenario = deploy(seed, 10 * MINUTE);
        scenario.config.errors.strict = true;
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.phase), (2, Phase::Stopped(StopCause::Failed)));
    });
}
