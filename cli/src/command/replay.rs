//! `steadfast replay`: does a session do here what it did there?

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{printable::printable, token};
use crate::{
    Failure,
    trace::{Story, Target, Verdict, again, load, resend},
};

/// The exit code if the session does something else, or a message may not have arrived.
const DIFFERS: u8 = 1;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A trace: what a session was told and did, a turn a line
    file: PathBuf,
    /// Write what this version does with the same inputs to another file
    #[arg(long, value_name = "FILE")]
    rewrite: Option<PathBuf>,
    /// Send the recorded application's messages to this server instead, when they were sent; ws:// or wss://
    #[arg(long, value_name = "URL", conflicts_with = "rewrite")]
    to: Option<String>,
    /// With --to: the credential to log in with; 'env:NAME' takes it from the environment
    #[arg(long, value_name = "TOKEN", requires = "to")]
    token: Option<String>,
    /// With --to: allow a server that is not this machine
    #[arg(long, requires = "to")]
    allow_remote: bool,
}

/// Replays a trace and says whether it is the same, or which turn is not.
pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let text = load(&args.file)?;
    if let Some(url) = &args.to {
        return sent(&args, &text, url).await;
    }
    let verdict = match &args.rewrite {
        Some(target) => rewritten(&args.file, &text, target)?,
        None => again(&args.file, &text, None)?,
    };
    let shown = args.file.display();
    match verdict {
        Verdict::Same { turns } => {
            say(&format!("{shown}: identical, {turns} turns"));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Differs(difference) => {
            say(&format!("{shown}: {difference}"));
            note_version(&args.file, &text)?;
            Ok(ExitCode::from(DIFFERS))
        }
        Verdict::Panicked => {
            say(&format!("{shown}: the session panicked, as told above"));
            Ok(ExitCode::from(DIFFERS))
        }
    }
}

/// The messages once more, to a server.
async fn sent(args: &Args, text: &str, url: &str) -> Result<ExitCode, Failure> {
    let credential = token::read(args.token.as_deref())?;
    let target = Target { url, credential, is_remote_allowed: args.allow_remote };
    let tally = resend(&args.file, text, &target).await?;
    say(&format!("{}: {tally}", args.file.display()));
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// Replays it into a new file.
fn rewritten(file: &Path, text: &str, target: &Path) -> Result<Verdict, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot write {}: {error}", target.display()));
    let mut output = BufWriter::new(File::create_new(target).map_err(failed)?);
    let mut wrote = Ok(());
    let mut sink = |line: &str| {
        if wrote.is_ok() {
            wrote = writeln!(output, "{line}");
        }
    };
    let verdict = again(file, text, Some(&mut sink))?;
    wrote.and_then(|()| output.flush()).map_err(failed)?;
    Ok(verdict)
}

/// A difference between versions is no news.
fn note_version(file: &Path, text: &str) -> Result<(), Failure> {
    let (story, ours) = (Story::of(file, text)?, env!("CARGO_PKG_VERSION"));
    if story.version() != ours {
        say(&format!("it was recorded by version {}, and this is {ours}", printable(story.version())));
    }
    Ok(())
}

/// A line for people. If nobody reads it any more, the exit code still tells.
fn say(text: &str) {
    for line in text.lines() {
        let _ = writeln!(io::stdout(), "{}", printable(line));
    }
}
