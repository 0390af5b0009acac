//! `steadfast chaos`: the proxy alone.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpStream, lookup_host},
    select,
    signal::ctrl_c,
};

use super::{number, span};
use crate::{
    Failure,
    chaos::{Fault, Proxy, Schedule, Storm},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen, as host:port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: String,
    /// Where to forward to, as host:port
    #[arg(long, value_name = "ADDRESS")]
    upstream: String,
    /// What determines the faults and their times
    #[arg(long, default_value_t = 1, value_name = "N", allow_hyphen_values = true, value_parser = number::within(0..=u64::MAX))]
    seed: u64,
    /// Forward without faults after so many; without it faults come for ever
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = number::within(0..=u64::MAX))]
    faults: Option<u64>,
    /// The mean time from fault to fault while a connection is up
    #[arg(long, default_value = "5s", value_parser = span::parse, value_name = "TIME")]
    every: Duration,
    /// Allow addresses that are not of this machine alone
    #[arg(long)]
    allow_remote: bool,
}

/// Runs until Ctrl-C.
pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let listen = args.address("--listen", &args.listen).await?;
    let upstream = args.address("--upstream", &args.upstream).await?;
    try_out(upstream).await?;
    let proxy = Proxy::start(listen, upstream).await.map_err(|error| cannot_listen(listen, &error))?;
    let proxy = Arc::new(proxy);
    say(&format!(
        "listening on {}, forwarding to {upstream}; seed {}, a fault about every {} ms; Ctrl-C ends it",
        proxy.address(),
        args.seed,
        args.every.as_millis(),
    ));
    let mut storm = Storm::new(Arc::clone(&proxy), Schedule::new(args.seed, args.every, args.faults));
    select! {
        () = rage(&mut storm) => {}
        () = watch(&proxy, upstream) => {}
        _ = ctrl_c() => {}
    }
    say(&format!("{} faults: {}", storm.counts().total(), storm.counts()));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The address that a text means, if it is allowed.
    async fn address(&self, name: &str, text: &str) -> Result<SocketAddr, Failure> {
        let found = lookup_host(text).await.map(|mut found| found.next());
        let Ok(Some(address)) = found else {
            return Err(Failure::new(format!(
                "{name} {text}: no such address; write host:port, such as 127.0.0.1:9000"
            )));
        };
        if self.allow_remote || address.ip().is_loopback() {
            Ok(address)
        } else {
            Err(Failure::new(format!(
                "{name} {text} is not of this machine alone; use 127.0.0.1 or add --allow-remote"
            )))
        }
    }
}

/// A proxy before a server that is not there would only puzzle.
async fn try_out(upstream: SocketAddr) -> Result<(), Failure> {
    match TcpStream::connect(upstream).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::new(format!(
            "cannot reach the upstream {upstream} ({error}); start the server first or correct --upstream"
        ))),
    }
}

fn cannot_listen(listen: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(format!("cannot listen on {listen} ({error}); choose another port, or end the program that has it"))
}

/// Says each fault, and goes on without any when they are done.
async fn rage(storm: &mut Storm) {
    let start = Instant::now();
    while let Some(fault) = storm.next().await {
        say(&struck(start.elapsed(), storm.counts().total(), fault));
    }
    say("all faults are done; forwarding goes on");
    std::future::pending().await
}

fn struck(after: Duration, number: u64, fault: Fault) -> String {
    format!("{:9.3} s  #{number} {fault}", after.as_secs_f64())
}

/// Says when the upstream is not there any more.
async fn watch(proxy: &Proxy, upstream: SocketAddr) {
    let mut unreachable = proxy.unreachable();
    while unreachable.changed().await.is_ok() {
        if let Some(unreachable) = unreachable.borrow_and_update().clone() {
            let (times, why) = (unreachable.times, unreachable.why);
            eprintln!(
                "steadfast: the upstream {upstream} could not be reached ({why}), {times} times by now; start it again"
            );
        }
    }
}

/// A line for people. If nobody reads it any more, the proxy goes on.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
