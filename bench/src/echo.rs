//! Messages a second at window 1024, and what of it the client's CPU spends.

use tokio::runtime::{Builder, Runtime};

use crate::{
    Outcome,
    client::{Contender, Sample},
    gate,
    host::{self, Core},
    server::Server,
};

/// How much is run.
struct Plan {
    rounds: usize,
    messages: u64,
}

/// What a contender did in the middle one of its rounds.
struct Row {
    who: Contender,
    per_second: f64,
    cpu_nanos: f64,
}

/// Prints the table; whether the gates were kept.
pub(crate) fn run(quick: bool) -> Outcome<bool> {
    let plan = if quick { Plan { rounds: 3, messages: 100_000 } } else { Plan { rounds: 11, messages: 1_000_000 } };
    // Before this process gives up the core that is the server's.
    let server = Server::start()?;
    host::pin(Core::First);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let rows = take_turns(&plan, &runtime, &server)?;
    Ok(print(&rows))
}

/// Ours alone, for a profiler.
pub(crate) fn alone(quick: bool) -> Outcome<()> {
    let messages = if quick { 1_000_000 } else { 10_000_000 };
    // Before this process gives up the core that is the server's.
    let server = Server::start()?;
    host::pin(Core::First);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let rows =
        row(Contender::Steadfast, messages, vec![Contender::Steadfast.echo(&runtime, server.address, messages)?]);
    println!("{:.0} ns of the client's CPU a message", rows.cpu_nanos);
    Ok(())
}

/// Every round lets each contender run once, so that a slow minute of the machine hits all of them.
fn take_turns(plan: &Plan, runtime: &Runtime, server: &Server) -> Outcome<Vec<Row>> {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); Contender::ALL.len()];
    for _ in 0..plan.rounds {
        for (who, samples) in Contender::ALL.into_iter().zip(&mut samples) {
            samples.push(who.echo(runtime, server.address, messages(plan, who))?);
        }
    }
    Ok(Contender::ALL.into_iter().zip(samples).map(|(who, samples)| row(who, messages(plan, who), samples)).collect())
}

/// The slow one gets fewer, so that all run for about as long.
const fn messages(plan: &Plan, who: Contender) -> u64 {
    match who {
        Contender::Naive => plan.messages / 8,
        Contender::Raw | Contender::Coalesced | Contender::Link | Contender::Steadfast => plan.messages,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn row(who: Contender, messages: u64, mut samples: Vec<Sample>) -> Row {
    let middle = samples.len() / 2;
    samples.sort_by_key(|sample| sample.elapsed);
    let per_second = messages as f64 / samples[middle].elapsed.as_secs_f64();
    samples.sort_by_key(|sample| sample.cpu);
    let cpu_nanos = samples[middle].cpu.as_nanos() as f64 / messages as f64;
    Row { who, per_second, cpu_nanos }
}

fn print(rows: &[Row]) -> bool {
    let rate = |who| rows.iter().find(|row| row.who == who).map_or(f64::NAN, |row| row.per_second);
    let (ours, coalesced) = (rate(Contender::Steadfast), rate(Contender::Coalesced));
    println!("echo, 128 B text, window 1024, medians of interleaved rounds");
    println!("{:>11}  {:>10}  {:>14}", "x coalesced", "msg/s", "client CPU ns");
    for Row { who, per_second, cpu_nanos } in rows {
        println!("{:>11.2}  {per_second:>10.0}  {cpu_nanos:>14.0}  {}", per_second / coalesced, who.name());
    }
    let beside_coalesced = gate("steadfast x coalesced", ours / coalesced, 0.9);
    let naive = rate(Contender::Naive);
    let beside_naive = gate("steadfast x naive", ours / naive, 8.0);
    // How far the two are apart is the operating system's doing, so the second gate asks for more of us on some machines.
    println!("     naive x coalesced: {:.2} (where the gates were found: 0.11)", naive / coalesced);
    beside_coalesced & beside_naive
}
