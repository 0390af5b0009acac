//! A server that closes with 1008 whoever passes its limit, and a network that holds frames back.

use std::time::Duration;

use steadfast::{Bucket, CloseCode, Pings, Timestamp};
use steadfast_sim::{Fault, Faults, Scenario, Story, Then, World, each_seed};

const SEEDS: u64 = 1_000;
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Five frames in any second, writes that take up to 400 ms, and a burst of messages, half of them at least once.
fn burst(seed: u64) -> Scenario {
    let mut scenario = Scenario::new(seed);
    scenario.limit = Some((5, SECOND));
    scenario.config.pacing.buckets = vec![Bucket::new(5, SECOND)];
    scenario.config.long_lived = true;
    scenario.network.write = 400 * MILLI;
    (scenario.app.ahead, scenario.app.messages, scenario.app.every) = (20, 40, 30 * MILLI);
    scenario.toy.hello = seed % 2 == 0;
    scenario.toy.pings = if seed % 4 == 0 { Pings::Ours } else { Pings::Frames };
    scenario.config.heartbeat.interval = 3 * SECOND;
    scenario.config.heartbeat.timeout = 3 * SECOND;
    scenario
}

/// Links that are cut, closed and dropped in the middle of the burst.
fn with_reconnects(seed: u64) -> Scenario {
    let mut scenario = burst(seed);
    scenario.config.retry.base = 200 * MILLI;
    let script = scenario.script.clone();
    let drops = steadfast_sim::Script { then: Then::Drop(250 * MILLI), ..script.clone() };
    scenario.faults = Faults(vec![
        (700 * MILLI, Fault::Cut),
        (1_900 * MILLI, Fault::Cut),
        (3_000 * MILLI, Fault::Close(CloseCode::RESTART)),
        (4_000 * MILLI, Fault::Script(drops)),
        (4_001 * MILLI, Fault::Cut),
        (8_000 * MILLI, Fault::Script(script)),
        (12_000 * MILLI, Fault::Block(900 * MILLI)),
        (13_000 * MILLI, Fault::Cut),
    ]);
    scenario
}

fn run(scenario: Scenario) -> Story {
    let story = World::new(scenario).run();
    assert_eq!(story.violations, Vec::<String>::new());
    story
}

#[test]
fn a_burst_is_never_closed_for_it() {
    each_seed("a_burst_is_never_closed_for_it", 1..=SEEDS, |seed| {
        let story = run(burst(seed));
        assert_eq!((story.limited.len(), story.dials.len(), story.pending), (0, 1, 0));
        let took = story.ended_at.since(Timestamp::from_millis(1));
        // Three at a time are left to messages, each for a second, its slack and its write.
        assert!(took < 20 * (1_450 * MILLI) + 2 * SECOND, "{took:?}");
    });
}

#[test]
fn nor_over_links_that_come_and_go() {
    let mut dials = 0;
    each_seed("nor_over_links_that_come_and_go", 1..=SEEDS, |seed| {
        let story = run(with_reconnects(seed));
        assert_eq!((story.limited.len(), story.pending), (0, 0), "{:?}", story.limited);
        dials += story.dials.len() as u64;
    });
    assert!(dials > 5 * SEEDS, "{dials}");
}

/// The scenarios are such that it matters.
#[test]
fn without_pacing_the_server_closes() {
    each_seed("without_pacing_the_server_closes", 1..=50, |seed| {
        let mut scenario = burst(seed);
        scenario.config.pacing.buckets.clear();
        scenario.lasts = 5 * SECOND;
        assert_ne!(run(scenario).limited.len(), 0);
    });
}
