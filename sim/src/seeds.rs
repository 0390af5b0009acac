//! Which seeds, and how is a failure replayed?

use std::ops::RangeInclusive;

/// Runs a test once for every seed of a range, or only for the one in the environment variable
/// `STEADFAST_SEED`. A run that panics says how to replay it alone.
///
/// ```
/// steadfast_sim::each_seed("some_test", 1..=3, |seed| assert!(seed > 0));
/// ```
///
/// # Panics
///
/// If `run` does, or if `STEADFAST_SEED` is no number.
pub fn each_seed(test: &'static str, seeds: RangeInclusive<u64>, mut run: impl FnMut(u64)) {
    let alone = std::env::var("STEADFAST_SEED").ok().map(|seed| seed.parse().expect("STEADFAST_SEED is a number"));
    let seeds = alone.map_or(seeds, |seed| seed..=seed);
    for seed in seeds {
        let _replay = Replay { test, seed };
        run(seed);
    }
}

struct Replay {
    test: &'static str,
    seed: u64,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
            eprintln!("replay: STEADFAST_SEED={} cargo test -p {package} {}", self.seed, self.test);
        }
    }
}
