//! The contenders: each opens a connection of its own and keeps a window of messages in flight.

pub(crate) mod bare;
pub(crate) mod ours;
mod raw;
mod ws;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{Outcome, host};

/// Messages in flight.
pub(crate) const WINDOW: u64 = 1024;
/// What each of them says: 128 bytes of text.
pub(crate) const PAYLOAD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                                  0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// So long an idle session is left alone before it is measured: some heartbeats.
pub(crate) const QUIET: Duration = Duration::from_secs(5);

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// Frames that were encoded beforehand, over a bare socket: the floor.
    Raw,
    /// tokio-tungstenite as those use it who know how: `feed`, and one `flush` a burst.
    Coalesced,
    /// tokio-tungstenite as most use it: `send().await` for each message.
    Naive,
    /// The transport of `steadfast-tokio`, without a session.
    Link,
    /// `client.send()` of `steadfast-tokio`.
    Steadfast,
}

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] = [Self::Raw, Self::Coalesced, Self::Link, Self::Steadfast, Self::Naive];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw TCP, encoded beforehand",
            Self::Coalesced => "tokio-tungstenite, feed + one flush a burst",
            Self::Naive => "tokio-tungstenite, send().await each",
            Self::Link => "Ws of steadfast-tokio alone, no session",
            Self::Steadfast => "steadfast-tokio, client.send()",
        }
    }

    /// Echoes so many messages over a new connection; what the echo alone took.
    pub(crate) fn echo(self, runtime: &Runtime, server: SocketAddr, messages: u64) -> Outcome<Sample> {
        runtime.block_on(async {
            match self {
                Self::Raw => raw::echo(server, messages).await,
                Self::Coalesced => bare::coalesced(bare::open(server).await?, messages, WINDOW).await,
                Self::Naive => bare::naive(server, messages).await,
                Self::Link => ws::echo(server, messages).await,
                Self::Steadfast => ours::on_tokio(server, messages).await,
            }
        })
    }

    /// Opens so many connections and says what each of them keeps resident, in bytes. Ours echoes a burst on each before.
    pub(crate) fn idle(self, runtime: &Runtime, server: SocketAddr, connections: u64, burst: u64) -> Outcome<u64> {
        runtime.block_on(async {
            match self {
                Self::Raw => raw::idle(server, connections).await,
                Self::Coalesced | Self::Naive => bare::idle(server, connections).await,
                Self::Link => ws::idle(server, connections).await,
                Self::Steadfast => ours::idle(server, connections, burst).await,
            }
        })
    }
}

/// Runs while the echo runs.
pub(crate) struct Stopwatch {
    start: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), cpu: host::cpu_time() }
    }

    pub(crate) fn stop(&self) -> Sample {
        Sample { elapsed: self.start.elapsed(), cpu: host::cpu_time().saturating_sub(self.cpu) }
    }
}
