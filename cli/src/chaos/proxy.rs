//! The proxy: it listens, forwards, and does to its connections what it is told to.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{broadcast, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    Counts, Fault, Kind,
    line::{Line, Weather, carry, drop_hard},
};

/// Orders that a connection may be late in reading. It reads them at once; more would need as many faults
/// in one moment.
const ORDERS: usize = 64;

/// A TCP proxy that forwards everything to one address, until it is told to break something.
///
/// Dropping it ends all connections and frees the port, as soon as the runtime comes to it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    orders: broadcast::Sender<Fault>,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

/// What can be waited for.
#[derive(Debug, Default)]
struct Seen {
    live: watch::Sender<u64>,
    unreachable: watch::Sender<Option<Unreachable>>,
    hits: Hits,
}

/// What the faults really did, counted where they do it.
#[derive(Debug, Default)]
pub(super) struct Hits(Mutex<Counts>);

impl Hits {
    /// A fault of this kind has ended a connection that was whole, or has held up data.
    pub(super) fn add(&self, kind: Kind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(kind);
    }
}

/// The upstream could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// How often by now.
    pub times: u64,
    /// What the operating system says.
    pub why: String,
}

impl Proxy {
    /// Starts to listen on `listen` (port 0 takes a free one) and to forward to `upstream`.
    ///
    /// # Errors
    ///
    /// What the operating system says when it does not let us listen there.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it has done nothing.
    pub async fn start(listen: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (weather, orders) = (watch::Sender::default(), broadcast::Sender::new(ORDERS));
        let seen = Arc::new(Seen::default());
        let accepting = Accept { upstream, weather: weather.clone(), orders: orders.clone(), seen: Arc::clone(&seen) };
        let accepting = tokio::spawn(accepting.run(listener));
        Ok(Self { address, weather, orders, seen, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks something, at once. What lasts goes on until [`calm`](Self::calm).
    pub fn strike(&self, fault: Fault) {
        self.weather.send_modify(|weather| match fault {
            Fault::Freeze(_) => weather.frozen = true,
            Fault::Refuse(_) => weather.refusing = true,
            Fault::Delay { by, .. } => weather.delay = by,
            Fault::Throttle { rate, .. } => weather.rate = Some(rate),
            Fault::Cut | Fault::Reset | Fault::BlackHole | Fault::HalfClose(_) => {}
        });
        // It fails when there is no connection; then there is nothing to break.
        let _ = self.orders.send(fault);
    }

    /// Ends everything that lasts. Connections that are broken stay so.
    pub fn calm(&self) {
        self.weather.send_replace(Weather::default());
    }

    /// How many connections are up and whole, and every change of it.
    #[must_use]
    pub fn live(&self) -> watch::Receiver<u64> {
        self.seen.live.subscribe()
    }

    /// What the faults really did so far: for each kind, the connections that it ended while they were whole, or
    /// the pieces of data that it held up.
    #[must_use]
    pub fn hits(&self) -> Counts {
        self.seen.hits.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the upstream could not be reached, and every further time.
    #[must_use]
    pub fn unreachable(&self) -> watch::Receiver<Option<Unreachable>> {
        self.seen.unreachable.subscribe()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What the accepting task holds.
struct Accept {
    upstream: SocketAddr,
    weather: watch::Sender<Weather>,
    orders: broadcast::Sender<Fault>,
    seen: Arc<Seen>,
}

impl Accept {
    async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            select! {
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    self.accepted(client, &mut connections);
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// The port stays ours while connections are refused: given back, it could be taken by somebody else,
    /// or by a dial to itself.
    fn accepted(&self, client: TcpStream, connections: &mut JoinSet<()>) {
        if self.weather.borrow().refusing {
            drop_hard(&client);
            return;
        }
        let (weather, orders) = (self.weather.subscribe(), self.orders.subscribe());
        let (upstream, seen) = (self.upstream, Arc::clone(&self.seen));
        connections.spawn(async move {
            match TcpStream::connect(upstream).await {
                Ok(upstream) => {
                    for stream in [&client, &upstream] {
                        // Without it a delay would be the operating system's and not ours.
                        let _ = stream.set_nodelay(true);
                    }
                    let live = Live::new(Arc::clone(&seen));
                    carry(client, upstream, Line { weather, orders, hits: &seen.hits }, live).await;
                }
                Err(error) => {
                    drop_hard(&client);
                    seen.failed(&error);
                }
            }
        });
    }
}

impl Seen {
    fn failed(&self, error: &io::Error) {
        self.unreachable.send_modify(|seen| {
            let times = seen.as_ref().map_or(0, |seen| seen.times) + 1;
            *seen = Some(Unreachable { times, why: error.to_string() });
        });
    }
}

/// Counts a connection for as long as it is whole.
struct Live(Arc<Seen>);

impl Live {
    fn new(seen: Arc<Seen>) -> Self {
        seen.live.send_modify(|live| *live += 1);
        Self(seen)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.send_modify(|live| *live -= 1);
    }
}
