//! What is promised about time, in numbers. Every test here would take between seconds and a month in real time.

use std::time::Duration;

use steadfast::{AskWhy, CloseCode, Code, Kind, Outcome, Phase, StopCause, Timestamp};
use steadfast_sim::{Door, Fault, Faults, Gives, Host, Scenario, Script, Story, Then, World, each_seed};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario and asserts that no promise was broken.
fn run(scenario: Scenario) -> Story {
    let story = World::new(scenario).run();
    assert_eq!(story.violations, Vec::<String>::new());
    story
}

/// A world that goes on to its end, settled or not.
fn lasting(seed: u64, lasts: Duration) -> Scenario {
    let mut scenario = Scenario::new(seed);
    scenario.lasts = lasts;
    scenario.until_settled = false;
    scenario
}

fn since_start(at: Timestamp) -> Duration {
    at.since(Timestamp::from_millis(1))
}

#[test]
fn accept_then_drop_is_no_storm() {
    each_seed("accept_then_drop_is_no_storm", 1..=1_000, |seed| {
        let mut scenario = lasting(seed, 5 * SECOND);
        let millis = u32::try_from(seed % 200).expect("below 200");
        scenario.script.then = Then::Drop(millis * MILLI);
        let story = run(scenario);
        assert!((2..=8).contains(&story.dials.len()), "{} connects in 5 s", story.dials.len());
        let was_online = story.phases.iter().any(|change| change.to == Phase::Online);
        assert!(was_online || millis < 150, "it opens and logs in before it is dropped");
    });
}

#[test]
fn a_server_that_asks_to_wait_is_not_dialled_earlier() {
    each_seed("a_server_that_asks_to_wait_is_not_dialled_earlier", 1..=100, |seed| {
        for seconds in [7, 60] {
            let asked = Duration::from_secs(seconds);
            let mut scenario = lasting(seed, 10 * asked);
            scenario.script.door = Door::Http { status: 503, retry_after: Some(asked) };
            let story = run(scenario);
            assert!(story.dials.len() >= 8, "it comes back");
            for (pair, (_, error)) in story.dials.windows(2).zip(&story.errors) {
                assert_eq!((error.kind, &error.code), (Kind::ServiceUnavailable, &Some(Code::Http(503))));
                let waited = pair[1].since(pair[0]);
                assert!(asked <= waited && waited <= asked + asked / 10 + SECOND, "waited {waited:?}");
            }
        }
    });
}

#[test]
fn the_same_credential_refused_twice_stops() {
    each_seed("the_same_credential_refused_twice_stops", 1..=100, |seed| {
        let mut scenario = lasting(seed, 600 * SECOND);
        scenario.script.password = "another";
        scenario.app.messages = 10;
        scenario.app.every = MILLI;
        let story = run(scenario);
        assert_eq!(story.dials.len(), 2);
        assert_eq!(story.phase, Phase::Stopped(StopCause::Failed));
        assert_eq!(story.errors.last().map(|(_, error)| error.kind), Some(Kind::AuthenticationFailed));
        assert_eq!((story.outcomes.len(), story.received.len()), (10, 0));
    });
}

/// A black hole after some seconds online, with or without a socket that takes writes.
fn black_hole(seed: u64, blocked: bool) -> (Duration, Story) {
    let hole = Duration::from_millis(2_000 + 37 * seed);
    let mut scenario = lasting(seed, hole + 80 * SECOND);
    scenario.app.messages = u64::MAX;
    scenario.app.every = 50 * MILLI;
    scenario.faults = Faults(vec![(hole, Fault::BlackHole)]);
    if blocked {
        scenario.faults.0.push((hole, Fault::Block(Duration::from_secs(1_000_000))));
    }
    (hole, run(scenario))
}

#[test]
fn a_black_hole_is_found_while_the_application_sends() {
    each_seed("a_black_hole_is_found_while_the_application_sends", 1..=100, |seed| {
        for blocked in [false, true] {
            let (hole, story) = black_hole(seed, blocked);
            let found = since_start(story.aborts[0]) - hole;
            assert!(found <= (25 + 10) * SECOND + 100 * MILLI, "found after {found:?}");
            assert_eq!(story.errors[0].1.kind, Kind::Timeout);
            assert_eq!(story.phase, Phase::Online, "and it is online again");
        }
    });
}

#[test]
fn a_blocked_write_that_moves_is_a_sign_of_life() {
    each_seed("a_blocked_write_that_moves_is_a_sign_of_life", 1..=100, |seed| {
        let mut scenario = lasting(seed, 120 * SECOND);
        (scenario.app.messages, scenario.app.every) = (3, 500 * MILLI);
        // The last message is blocked, and leaves after 30 s; what the peer says takes another 20 s.
        scenario.faults = Faults(vec![(SECOND, Fault::Block(30 * SECOND)), (SECOND, Fault::Freeze(50 * SECOND))]);
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.aborts.len(), story.phase), (1, 0, Phase::Online));
    });
}

#[test]
fn a_peer_that_talks_or_answers_is_never_declared_dead() {
    for streams in [None, Some(SECOND), Some(24 * SECOND), Some(34 * SECOND)] {
        let mut scenario = lasting(5, 3_600 * SECOND);
        scenario.script.streams = streams;
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.aborts.len(), story.errors.len()), (1, 0, 0), "{streams:?}");
    }
}

#[test]
fn a_server_that_wants_signs_of_life_while_it_streams_keeps_the_session() {
    let mut scenario = lasting(3, 3_600 * SECOND);
    scenario.script = Script { needs_life: Some(30 * SECOND), streams: Some(SECOND), ..Script::default() };
    let mut without = scenario.clone();
    let story = run(scenario);
    assert_eq!((story.dials.len(), story.phase), (1, Phase::Online));

    without.config.heartbeat.keepalive = Duration::MAX;
    assert!(run(without).dials.len() > 10, "without keepalive such a server drops us");
}

#[test]
fn a_close_code_counts_though_writes_were_blocked_before_it() {
    let mut scenario = lasting(3, 60 * SECOND);
    (scenario.app.messages, scenario.app.every, scenario.app.at_least_once) = (2_000, MILLI, 0);
    // For a tenth of a second messages are handed over and not flushed.
    let closed = (SECOND + 100 * MILLI, Fault::Close(CloseCode(4_401)));
    scenario.faults = Faults(vec![(SECOND, Fault::Block(600 * SECOND)), closed]);
    let story = run(scenario);
    let (_, error) = &story.errors[0];
    assert_eq!((error.kind, &error.code), (Kind::AuthenticationFailed, &Some(Code::Close(CloseCode(4_401)))));
    assert!(
        story.outcomes.values().all(|outcome| *outcome == Outcome::Written),
        "none may have left and not been flushed"
    );
    assert!(story.received.windows(2).all(|pair| pair[0] < pair[1]), "in order, and none twice");
    assert_eq!((story.outcomes.len(), story.received.last()), (2_000, story.accepted.last()));
}

#[test]
fn a_month_of_outage_has_only_legal_delays() {
    let month = Duration::from_secs(30 * 86_400);
    let mut scenario = lasting(11, month);
    scenario.script.door = Door::Shut;
    let story = run(scenario);
    assert!(story.dials.len() > 86_400, "every 15 s on average: {}", story.dials.len());
    assert_eq!(story.delays.len(), story.errors.len(), "each failure says when the next attempt is made");
    assert!(story.delays.iter().all(|delay| (100 * MILLI..=30 * SECOND).contains(delay)));
    assert!(story.dials.windows(2).all(|pair| pair[1].since(pair[0]) >= 100 * MILLI));
}

#[test]
fn two_clients_do_not_come_back_together() {
    let dials = |seed| {
        let mut scenario = lasting(seed, 7_200 * SECOND);
        scenario.script.door = Door::Shut;
        let mut dials = run(scenario).dials;
        dials.truncate(200);
        dials
    };
    let (a, b) = (dials(1), dials(2));
    assert_eq!((a.len(), b.len()), (200, 200));
    let close = |x: &&Timestamp| b.iter().any(|y| x.since(*y).max(y.since(**x)) <= 10 * MILLI);
    let pairs = a.iter().filter(close).count();
    assert!(pairs < 5, "{pairs} pairs");
}

#[test]
fn a_hundred_thousand_messages_accepted_before_the_link_arrive_in_order() {
    let mut scenario = Scenario::new(1);
    scenario.config.queue.max_messages = 100_000;
    scenario.config.queue.max_bytes = 1 << 30;
    scenario.app.ahead = 100_000;
    let story = run(scenario);
    assert_eq!((story.refused, story.received.len()), (0, 100_000));
    assert_eq!(story.received, story.accepted);
}

#[test]
fn a_driver_that_is_an_hour_late_kills_nothing() {
    each_seed("a_driver_that_is_an_hour_late_kills_nothing", 1..=100, |seed| {
        let mut scenario = lasting(seed, 3 * 3_600 * SECOND);
        scenario.faults = Faults(vec![(Duration::from_millis(500 + 777 * seed), Fault::Sleep(3_600 * SECOND))]);
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.aborts.len(), story.phase), (1, 0, Phase::Online));
    });
}

#[test]
fn a_probe_that_the_computer_slept_through_is_sent_again() {
    each_seed("a_probe_that_the_computer_slept_through_is_sent_again", 1..=100, |seed| {
        let mut scenario = lasting(seed, 7_200 * SECOND);
        // The probe goes out between 22 and 26 s, and the way is free again half a second after the sleep.
        let frozen = Fault::Freeze(3_606 * SECOND + 500 * MILLI);
        scenario.faults = Faults(vec![(20 * SECOND, frozen), (26 * SECOND, Fault::Sleep(3_600 * SECOND))]);
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.aborts.len(), story.phase), (1, 0, Phase::Online));
    });
}

#[test]
fn a_driver_that_sleeps_through_the_backoff_dials_when_it_wakes() {
    let mut scenario = lasting(7, 3_700 * SECOND);
    scenario.faults = Faults(vec![(SECOND, Fault::Cut), (SECOND, Fault::Sleep(3_600 * SECOND))]);
    let story = run(scenario);
    assert_eq!((story.dials.len(), story.phase), (2, Phase::Online));
    assert_eq!(since_start(story.dials[1]), 3_601 * SECOND);
}

/// The token has expired while the computer was off: a host with a cache is told so, and the server sees it once.
#[test]
fn an_expired_token_is_shown_once_by_a_host_that_is_asked() {
    each_seed("an_expired_token_is_shown_once_by_a_host_that_is_asked", 1..=100, |seed| {
        let mut scenario = Scenario::new(seed);
        scenario.config.credentials.asked = true;
        (scenario.credential, scenario.script.challenges) = (Some("expired".into()), 2);
        scenario.host = Host { takes: 300 * MILLI, gives: Gives::Cached };
        (scenario.app.ahead, scenario.config.errors.tell_server) = (10, true);
        let story = run(scenario);
        let why: Vec<_> = story.asks.iter().map(|(_, why)| *why).collect();
        assert_eq!((why, story.dials.len()), (vec![AskWhy::First, AskWhy::Refused], 2));
        assert_eq!(story.shown, ["expired", "right", "right", "right"], "one refusal, then a login in three steps");
        assert_eq!((story.phase, story.errors.len()), (Phase::Online, 1));
    });
}

#[test]
fn logins_of_ten_minutes_are_renewed_for_hours_on_one_link() {
    each_seed("logins_of_ten_minutes_are_renewed_for_hours_on_one_link", 1..=20, |seed| {
        let mut scenario = lasting(seed, 3 * 3_600 * SECOND);
        scenario.config.credentials.asked = true;
        scenario.script.expires = Some(600 * SECOND);
        scenario.host = Host { takes: SECOND, gives: Gives::Cached };
        let same = run(scenario.clone());
        // The server takes a new password every five minutes, and the old one holds until it expires.
        let passwords = ["alpha", "bravo", "charlie", "delta", "echoes"];
        let change = |n: u32| {
            let password = passwords[n as usize % passwords.len()];
            (n * 300 * SECOND, Fault::Script(Script { password, ..scenario.script.clone() }))
        };
        scenario.faults = Faults((1..36).map(change).collect());
        let story = run(scenario);
        assert_eq!((story.dials.len(), story.errors.len(), story.phase), (1, 0, Phase::Online));
        assert!((18..=24).contains(&story.asks.len()), "{} questions in three hours", story.asks.len());
        assert!(
            same.errors.iter().all(|(_, error)| error.kind == Kind::AuthenticationFailed),
            "nothing fresh, and lost"
        );
    });
}
