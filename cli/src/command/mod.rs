//! The command line: what can be asked for, and how it ends.

mod chaos;
mod connect;
mod demo;
mod explain;
mod habit;
mod number;
mod printable;
mod replay;
mod slash;
mod span;
mod token;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use crate::Failure;

/// The exit code for what cannot be done as asked.
const CANNOT: u8 = 2;

/// WebSocket sessions that hold.
#[derive(Debug, Parser)]
#[command(name = "steadfast", version, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch a session survive a hostile network, with every message accounted for
    Demo(demo::Args),
    /// Connect to a server and stay connected: lines in, frames out
    ///
    /// Lines that begin with a slash are for this program: /emit EVENT JSON,
    /// /request EVENT JSON, /subscribe TOPIC, /unsubscribe TOPIC, /health, /history, /retry, /pause (no link,
    /// what is typed waits), /resume, /record FILE (from another session on, which takes along what has not left), /record (no
    /// longer). A text that begins with one is typed with two.
    Connect(Box<connect::Args>),
    /// A TCP proxy that breaks connections, by a seed
    Chaos(chaos::Args),
    /// Hand a recorded session's inputs to a new one, and compare what it does
    Replay(replay::Args),
    /// A recorded session as a timeline
    Explain(explain::Args),
}

/// Runs the command line `args`, the name of the program first, and says how it ended: 0 well, 1 a
/// message is unaccounted for or a replay differs, 2 it cannot be done as asked, 130 interrupted.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Line::try_parse_from(args) {
        Ok(Line { command: Some(command) }) => {
            perform(command).unwrap_or_else(|failure| complain(&failure.to_string()))
        }
        Ok(Line { command: None }) => complain(&no_command()),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{error}");
            ExitCode::SUCCESS
        }
        Err(error) => complain(&in_one_line(&error.to_string())),
    }
}

fn perform(command: Command) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(args).await,
            Command::Connect(args) => connect::run(*args).await,
            Command::Chaos(args) => chaos::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Explain(args) => explain::run(&args),
        }
    });
    runtime.shutdown_background();
    ended
}

fn complain(line: &str) -> ExitCode {
    eprintln!("steadfast: {}", printable::printable(line));
    ExitCode::from(CANNOT)
}

fn no_command() -> String {
    let line = Line::command();
    let names: Vec<&str> = line.get_subcommands().map(clap::Command::get_name).collect();
    format!("which command? There are {}; see 'steadfast --help'", names.join(", "))
}

/// What clap says in several lines, without the usage.
fn in_one_line(error: &str) -> String {
    let lines = error.trim_start_matches("error: ").lines().take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let problem = words.join(" ").replace(" For more information, try '--help'.", "");
    format!("{problem}; see 'steadfast --help' or '--help' behind the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let error = Line::try_parse_from(["steadfast", "chaos"]).expect_err("no addresses").to_string();
        assert!(error.lines().count() > 1);
        let line = in_one_line(&error);
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains("--listen <ADDRESS> --upstream <ADDRESS>") && !line.contains("Usage"), "{line}");
    }
}
