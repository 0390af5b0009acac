//! Resident memory of an idle connection.

use std::{env, process::Command};

use tokio::runtime::Builder;

use crate::{
    Outcome,
    client::{Contender, QUIET, WINDOW},
    server::Server,
};

/// The argument that makes this program measure one contender, in a process that did nothing before.
pub(crate) const WORD: &str = "idle-one";
/// What a connection may keep, in bytes.
const GATE: u64 = 12 << 10;

/// Prints the table; whether the gate was kept.
pub(crate) fn run(quick: bool) -> Outcome<bool> {
    let connections = if quick { 1_000 } else { 10_000 };
    let server = Server::start()?;
    println!("idle connection, resident bytes in the client, {connections} connections");
    for who in [Contender::Raw, Contender::Coalesced, Contender::Link] {
        println!("{:>11}  {}", ask(who, &server, connections, 1)?, who.name());
    }
    let mut is_small = true;
    for burst in [1, WINDOW] {
        let ours = ask(Contender::Steadfast, &server, connections, burst)?;
        println!("{ours:>11}  {}, {burst} echoed and {QUIET:?} of heartbeats", Contender::Steadfast.name());
        is_small &= ours <= GATE;
    }
    println!("{} idle connection, also after a burst (gate {GATE})", if is_small { "ok  " } else { "MISS" });
    if !is_small {
        println!(
            "     what was given back and is resident still is the allocator's: measure it with one that gives back, too,"
        );
        println!("     by LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0");
    }
    Ok(is_small)
}

/// Has a new process measure it.
fn ask(who: Contender, server: &Server, connections: u64, burst: u64) -> Outcome<u64> {
    let (address, connections, burst) = (server.address.to_string(), connections.to_string(), burst.to_string());
    let output = Command::new(env::current_exe()?)
        .args([WORD, who.name(), &address, &connections, &burst])
        // What a burst needed goes back to the system, where otherwise glibc would keep it for the next.
        .env("MALLOC_MMAP_THRESHOLD_", "16384")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr)?.into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The other end of [`ask`].
pub(crate) fn measure(who: &str, address: &str, connections: u64, burst: u64) -> Outcome<()> {
    let who = Contender::ALL.into_iter().find(|contender| contender.name() == who).ok_or("no such contender")?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("{}", who.idle(&runtime, address.parse()?, connections, burst)?);
    Ok(())
}
