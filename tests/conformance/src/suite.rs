//! What every adapter does alike: each scenario is one function over any adapter, and plays a real server against a real
//! session, over real sockets. Nothing sleeps: what is waited for is an event, and a watchdog ends what never comes.
//!
//! `cargo test -p steadfast-conformance` runs all of them and prints a table, scenario x adapter. Behind `--`: parts of
//! names (`smol`, `closing`, `tokio::closing::twice`) choose some of them, `--list` names them, `--times N` runs them
//! over and over.

#![expect(clippy::unwrap_used, reason = "a scenario may panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a scenario waits for one thing of many")]

mod adapters;
mod app;
mod auto_traits;
mod pipe;
mod process;
mod runner;
mod scenarios;
mod secure;
mod server;

use std::{process::ExitCode, sync::Arc};

use adapters::{Adapter, AsyncStd, Blocking, Smol, Tokio};

fn main() -> ExitCode {
    let adapters = [jobs::<Tokio>(), jobs::<Smol>(), jobs::<AsyncStd>(), jobs::<Blocking>()];
    runner::run(adapters.into_iter().flatten().collect())
}

fn jobs<A: Adapter>() -> Vec<runner::Job> {
    scenarios::all::<A>()
        .into_iter()
        .map(|(scenario, play)| runner::Job { adapter: A::NAME, scenario, play: Arc::new(move || play(&A::start())) })
        .collect()
}
