//! `steadfast demo`: a session in a hostile network, and the proof that every message is accounted for.

mod check;
mod client;
mod course;
mod journal;
mod plan;
mod report;
mod sender;
mod view;

use std::{
    env, fs,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{self, ExitCode},
    sync::Arc,
    time::SystemTime,
};

use tokio::{select, signal::ctrl_c};

use self::{
    check::{Class, Evidence, check},
    client::Adapter,
    course::Course,
    plan::Plan,
    report::Report,
};
use super::number;
use crate::{
    Failure,
    chaos::Proxy,
    server::{self, Identity, Server},
    trace::Recording,
};

/// The exit code if a message is unaccounted for.
const UNACCOUNTED: u8 = 1;
/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// How many messages are sent
    #[arg(long, default_value_t = 20_000, value_name = "N", allow_hyphen_values = true, value_parser = number::within(1..=10_000_000))]
    messages: u64,
    /// How many faults strike
    #[arg(long, default_value_t = 30, value_name = "N", allow_hyphen_values = true, value_parser = number::within(0..=100_000))]
    faults: u64,
    /// What determines the faults, and the chance that the client takes
    #[arg(long, default_value_t = 1, value_name = "N", allow_hyphen_values = true, value_parser = number::within(0..=u64::MAX))]
    seed: u64,
    /// What is promised for each message
    #[arg(long, default_value = "at-least-once")]
    class: Class,
    /// What the client runs on
    #[arg(long, default_value = "tokio")]
    adapter: Adapter,
    /// Which server
    #[arg(long, default_value = "embedded")]
    server: server::Kind,
    /// Inside of TLS, with a certificate authority made on the fly; the faults strike below it
    #[arg(long)]
    tls: bool,
    /// Write down all that the client's session is told and does: see 'replay' and 'explain'
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The settings that the crate has by default, instead of quick ones; takes many minutes
    #[arg(long)]
    defaults: bool,
}

/// Runs the demo.
pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let plan = Plan::new(&args);
    let log = Log::new();
    let identity = args.tls.then(Identity::new).transpose()?;
    let server = Server::start(args.server, &log.0, plan.class == Class::AtLeastOnce, identity.as_ref())?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let proxy = Proxy::start(any, server.address()).await;
    let proxy = proxy.map_err(|error| Failure::new(format!("cannot start the proxy: {error}")))?;
    let proxy = Arc::new(proxy);
    let recording = args.record.as_deref().map(|path| Recording::start("--record", path, false)).transpose()?;
    say(&plan.to_string());
    if args.tls {
        say("inside of TLS, with a certificate authority made for this run");
    }
    let course = select! {
        course = course::run(&plan, &proxy, identity.as_ref(), recording.as_ref()) => course?,
        _ = ctrl_c() => {
            eprintln!("steadfast: interrupted; nothing was judged");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    drop((proxy, server));
    recording.map_or(Ok(()), Recording::finish)?;
    let report = judge(&plan, course, &log)?;
    say(&report.to_string());
    if report.is_good() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("steadfast: what the server received stands in {}", log.keep().display());
    Ok(ExitCode::from(UNACCOUNTED))
}

/// Compares what the client was told with what the server wrote down.
fn judge(plan: &Plan, course: Course, log: &Log) -> Result<Report, Failure> {
    let Course { accepted, refused, counts, hits, outages, took, cut_short, last_error } = course;
    let (class, window) = (plan.class, u64::from(plan.config.window.frames));
    let received = server::read(&log.0)?;
    let findings = check(&Evidence { class, accepted, refused, received, window, faults: counts.total() });
    Ok(Report { findings, counts, hits, outages, took, cut_short, last_error })
}

/// The file that the server writes to; removed at the end unless it is kept.
#[derive(Debug)]
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        Self(env::temp_dir().join(format!("steadfast-demo-{}-{nanos}.log", process::id())))
    }

    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // It may not have been made yet.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// A line for people. If nobody reads it any more, the exit code still tells.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
