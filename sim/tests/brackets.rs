//! What others get wrong, in their numbers. tests/plants/BRACKETS.md has the table.

use std::time::Duration;

use steadfast::{Bucket, Kind, Phase, Timestamp};
use steadfast_sim::{Door, Fault, Faults, Scenario, Script, Story, World, each_seed};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario and asserts that no promise was broken.
fn run(scenario: Scenario) -> Story {
    let story = World::new(scenario).run();
    assert_eq!(story.violations, Vec::<String>::new());
    story
}

fn lasting(seed: u64, lasts: Duration) -> Scenario {
    let mut scenario = Scenario::new(seed);
    scenario.lasts = lasts;
    scenario.until_settled = false;
    scenario
}

fn since_start(at: Timestamp) -> Duration {
    at.since(Timestamp::from_millis(1))
}

/// SignalR, Azure's client and graphql-ws make one attempt and then none: their retries are for links that were lost.
#[test]
fn a_first_attempt_that_fails_is_tried_again_like_any_other() {
    each_seed("a_first_attempt_that_fails_is_tried_again_like_any_other", 1..=100, |seed| {
        let doors = [Door::Shut, Door::Hang, Door::Http { status: 503, retry_after: None }];
        for door in doors {
            let mut scenario = lasting(seed, 120 * SECOND);
            scenario.script.door = door;
            scenario.faults = Faults(vec![(60 * SECOND, Fault::Script(Script::default()))]);
            let story = run(scenario);
            assert!(story.dials.len() >= 3, "{} dials, {door:?}", story.dials.len());
            assert_eq!(story.phase, Phase::Online, "{door:?}");
        }
    });
}

/// nautilus #5012: a bucket of ten tokens that is refilled with ten a second sends ten at once and nine more before the
/// second is over, up to twice what the venue allows within any second.
#[test]
fn a_rolling_limit_is_kept_where_a_bucket_of_tokens_lets_twice_as_much_pass() {
    each_seed("a_rolling_limit_is_kept_where_a_bucket_of_tokens_lets_twice_as_much_pass", 1..=100, |seed| {
        let mut scenario = Scenario::new(seed);
        scenario.limit = Some((10, SECOND));
        scenario.config.pacing.buckets = vec![Bucket::new(10, SECOND).reserve(1)];
        (scenario.app.ahead, scenario.app.messages, scenario.app.every) = (10, 50, 20 * MILLI);
        let story = run(scenario.clone());
        assert_eq!((story.limited.len(), story.dials.len(), story.pending), (0, 1, 0));
        // A login and sixty messages, of which nine can leave within a second.
        let took = story.ended_at.since(Timestamp::from_millis(1));
        assert!(took < 8 * SECOND, "as fast as it may: {took:?}");

        scenario.config.pacing.buckets.clear();
        scenario.lasts = 5 * SECOND;
        assert_ne!(run(scenario).limited.len(), 0, "without it the server closes");
    });
}

/// ezsockets with an interval and a timeout of 2 s had not noticed a peer that vanished after 40 s.
#[test]
fn a_peer_that_vanishes_is_found_within_interval_and_timeout() {
    each_seed("a_peer_that_vanishes_is_found_within_interval_and_timeout", 1..=100, |seed| {
        let hole = 5 * SECOND + 31 * MILLI * u32::try_from(seed).expect("below 100");
        let mut scenario = lasting(seed, hole + 40 * SECOND);
        (scenario.config.heartbeat.interval, scenario.config.heartbeat.timeout) = (2 * SECOND, 2 * SECOND);
        scenario.faults = Faults(vec![(hole, Fault::BlackHole)]);
        let story = run(scenario);
        let found = story.aborts.first().map(|at| since_start(*at).saturating_sub(hole));
        assert!(found.is_some_and(|found| found <= 4 * SECOND + 100 * MILLI), "found after {found:?}");
        assert_eq!(story.errors[0].1.kind, Kind::Timeout);
        assert_eq!(story.phase, Phase::Online, "and it is online again");
    });
}

/// socket.io cuts the jitter off with the delay: from the fourth attempt on every client waits for exactly 5,000 ms.
#[test]
fn at_the_cap_no_two_of_a_hundred_clients_wait_equally_long() {
    let at_the_cap = |seed| {
        let mut scenario = lasting(seed, 300 * SECOND);
        scenario.config.retry.cap = 5 * SECOND;
        scenario.config.retry.jitter = steadfast::Jitter::Additive(SECOND);
        scenario.script.door = Door::Shut;
        run(scenario).delays[4]
    };
    let mut delays: Vec<_> = (1..=100).map(at_the_cap).collect();
    assert!(delays.iter().all(|delay| (5 * SECOND..=6 * SECOND).contains(delay)), "{delays:?}");
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 95, "{} different ones", delays.len());
}
