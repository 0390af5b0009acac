//! `steadfast` beside its peers: contenders take turns in one run, ratios come first.
//!
//! ```text
//! cargo run --release -p steadfast-bench -- echo [--quick]   messages a second, window 1024
//! cargo run --release -p steadfast-bench -- adapters [--quick]   each adapter beside its runtime's own library
//! cargo run --release -p steadfast-bench -- idle [--quick]   resident memory of an idle connection
//! ```
//!
//! A gate that is missed ends the run with 1. Times belong to the machine and the hour; only the ratios
//! say something, and they too only on a machine that does nothing else.

mod adapters;
mod client;
mod echo;
mod host;
mod idle;
mod server;

use std::{env, error::Error, process::ExitCode};

/// What can go wrong in a benchmark is for a person to read.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--quick").collect();
    match run(&words, quick) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("steadfast-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all gates were kept.
fn run(words: &[&str], quick: bool) -> Outcome<bool> {
    match words {
        [] => Ok(echo::run(quick)? & adapters::run(quick)? & idle::run(quick)?),
        ["echo"] => echo::run(quick),
        ["adapters"] => adapters::run(quick),
        ["idle"] => idle::run(quick),
        ["ours"] => echo::alone(quick).map(|()| true),
        [server::WORD] => server::serve().map(|()| true),
        [idle::WORD, who, address, connections, burst] => {
            idle::measure(who, address, connections.parse()?, burst.parse()?).map(|()| true)
        }
        _ => Err("say echo, adapters, idle or nothing; --quick for a short run".into()),
    }
}

/// One row of a table of gates.
fn gate(what: &str, value: f64, least: f64) -> bool {
    let kept = value >= least;
    println!("{} {what}: {value:.2} (gate {least})", if kept { "ok  " } else { "MISS" });
    kept
}

/// One that is to be small.
fn ceiling(what: &str, value: f64, most: f64) -> bool {
    let kept = value <= most;
    println!("{} {what}: {value:.2} (gate {most})", if kept { "ok  " } else { "MISS" });
    kept
}
