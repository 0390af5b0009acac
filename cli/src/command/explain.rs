//! `steadfast explain`: a trace as a timeline, for people.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use super::printable::printable;
use crate::{
    Failure,
    trace::{Story, load},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trace: what a session was told and did, a turn a line
    file: PathBuf,
    /// Show values of any length
    #[arg(long)]
    long: bool,
}

/// Tells what happened, one line each, with times since the first turn.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let text = load(&args.file)?;
    let story = Story::of(&args.file, &text)?;
    let mut output = BufWriter::new(io::stdout().lock());
    // Whoever closes the pipe has read enough.
    let _ = story
        .lines(args.long)
        .try_for_each(|line| writeln!(output, "{}", printable(&line)))
        .and_then(|()| output.flush());
    Ok(ExitCode::SUCCESS)
}
