//! One carried connection: two directions, and the orders that end them.

use std::{io, pin::pin};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    join,
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, watch,
    },
    time::{Duration, Instant, sleep, sleep_until},
};

use super::{Fault, Kind, Side, proxy::Hits};

/// What is read at once. Small, so that a throttled line is not one long pause.
const CHUNK: usize = 16 << 10;
/// Chunks between reader and writer of a direction: what a delayed line holds in flight.
const CHUNKS: usize = 64;
/// A throttled line writes so many pieces per second.
const PIECES: u32 = 50;

/// How the line is just now, for every connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Weather {
    /// Nothing is forwarded.
    pub(super) frozen: bool,
    /// New connections are reset.
    pub(super) refusing: bool,
    /// How much later everything arrives.
    pub(super) delay: Duration,
    /// Bytes per second and direction.
    pub(super) rate: Option<u32>,
}

/// What a connection hears of the proxy, and where it says what was done to it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) weather: watch::Receiver<Weather>,
    pub(super) orders: broadcast::Receiver<Fault>,
    pub(super) hits: &'a Hits,
}

/// What is to become of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Bytes are forwarded.
    Forward,
    /// The receiver is told that nothing more comes; what still comes is swallowed.
    Finish,
    /// What comes is swallowed, and the receiver is told nothing until the sender has finished.
    Swallow,
}

/// Carries bytes between two streams until both directions have ended or an order resets them. `live` is
/// dropped as soon as the connection is no longer whole.
pub(super) async fn carry<L>(mut client: TcpStream, mut upstream: TcpStream, line: Line<'_>, live: L) {
    let Line { weather, orders, hits } = line;
    let (up, down) = (watch::Sender::new(Fate::Forward), watch::Sender::new(Fate::Forward));
    let (client_in, client_out) = client.split();
    let (upstream_in, upstream_out) = upstream.split();
    let upwards = direction(client_in, upstream_out, Sky { weather: weather.clone(), hits }, up.subscribe());
    let downwards = direction(upstream_in, client_out, Sky { weather, hits }, down.subscribe());
    let ended = select! {
        _ = async { join!(upwards, downwards) } => true,
        () = obey(orders, hits, &up, &down, live) => false,
    };
    if !ended {
        drop_hard(&client);
        drop_hard(&upstream);
    }
}

/// Does what is ordered, until it is a reset or nobody is left to give orders.
async fn obey<L>(
    mut orders: broadcast::Receiver<Fault>,
    hits: &Hits,
    up: &watch::Sender<Fate>,
    down: &watch::Sender<Fate>,
    live: L,
) {
    let mut live = Some(live);
    loop {
        let fault = match orders.recv().await {
            Ok(fault) => fault,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let fates = fates(fault);
        let resets = matches!(fault, Fault::Reset | Fault::Refuse(_));
        if (resets || fates.is_some()) && live.is_some() {
            // First the count: whoever sees that the connection is gone may ask for it.
            hits.add(fault.kind());
            live = None;
        }
        if resets {
            return;
        }
        if let Some((upwards, downwards)) = fates {
            up.send_replace(upwards);
            down.send_replace(downwards);
        }
    }
}

/// Makes the close that follows a reset (RST).
pub(super) fn drop_hard(stream: &TcpStream) {
    // It fails only for a socket that has no connection any more; then there is nothing to reset.
    let _ = stream.set_zero_linger();
}

/// What a fault does to the two directions of a connection (upwards, downwards), if it ends any.
const fn fates(fault: Fault) -> Option<(Fate, Fate)> {
    match fault {
        Fault::Cut => Some((Fate::Finish, Fate::Finish)),
        Fault::HalfClose(Side::Client) => Some((Fate::Forward, Fate::Finish)),
        Fault::HalfClose(Side::Upstream) => Some((Fate::Finish, Fate::Forward)),
        Fault::BlackHole => Some((Fate::Swallow, Fate::Swallow)),
        Fault::Reset | Fault::Refuse(_) | Fault::Freeze(_) | Fault::Delay { .. } | Fault::Throttle { .. } => None,
    }
}

/// One direction, from its first byte to its end. Whatever ends it, the receiver learns at last that it is
/// over, so that no peer waits for ever for one that has gone.
async fn direction(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, sky: Sky<'_>, mut fate: watch::Receiver<Fate>) {
    let ended = select! {
        _ = forward(&mut from, &mut to, sky) => None,
        fate = async { fate.wait_for(|fate| *fate != Fate::Forward).await.map(|fate| *fate) } => fate.ok(),
    };
    if ended == Some(Fate::Finish) {
        let _ = to.shutdown().await;
    }
    if ended.is_some() {
        swallow(&mut from).await;
    }
    let _ = to.shutdown().await;
}

/// Forwards until the sender has finished or one of the two is gone.
async fn forward(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, sky: Sky<'_>) -> io::Result<()> {
    let (queue, queued) = mpsc::channel(CHUNKS);
    let reading = read(from, queue, sky.weather.clone());
    let mut writing = pin!(write(to, queued, sky));
    // A writer that fails ends it all; a reader that ends leaves the writer its queue.
    select! {
        done = &mut writing => done,
        () = reading => writing.await,
    }
}

/// A chunk, and when it may arrive.
type Due = (Instant, Vec<u8>);

async fn read(from: &mut ReadHalf<'_>, queue: mpsc::Sender<Due>, mut weather: watch::Receiver<Weather>) {
    loop {
        thawed(&mut weather).await;
        let mut chunk = Vec::with_capacity(CHUNK);
        match from.read_buf(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let due = Instant::now() + weather.borrow().delay;
        if queue.send((due, chunk)).await.is_err() {
            return;
        }
    }
}

async fn write(to: &mut WriteHalf<'_>, mut queued: mpsc::Receiver<Due>, mut sky: Sky<'_>) -> io::Result<()> {
    while let Some((due, chunk)) = queued.recv().await {
        sky.arrival(due).await;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            sky.thaw().await;
            let rate = sky.weather.borrow().rate;
            let most = rate.map_or(rest.len(), |rate| (rate / PIECES).max(1) as usize).min(rest.len());
            let (piece, later) = rest.split_at(most);
            to.write_all(piece).await?;
            rest = later;
            if let Some(rate) = rate {
                sky.hits.add(Kind::Throttle);
                sleep(Duration::from_secs_f64(most as f64 / f64::from(rate.max(1)))).await;
            }
        }
    }
    Ok(())
}

/// What one direction has over it.
struct Sky<'a> {
    weather: watch::Receiver<Weather>,
    hits: &'a Hits,
}

impl Sky<'_> {
    /// Waits until data that is late may arrive.
    async fn arrival(&self, due: Instant) {
        if due > Instant::now() {
            self.hits.add(Kind::Delay);
            sleep_until(due).await;
        }
    }

    /// Waits until data that is there may go on.
    async fn thaw(&mut self) {
        if self.weather.borrow().frozen {
            self.hits.add(Kind::Freeze);
        }
        thawed(&mut self.weather).await;
    }
}

/// Waits until the line is not frozen. Without a proxy nothing is.
async fn thawed(weather: &mut watch::Receiver<Weather>) {
    let _ = weather.wait_for(|weather| !weather.frozen).await;
}

/// Reads to the end and forgets.
async fn swallow(from: &mut ReadHalf<'_>) {
    let mut bytes = vec![0; CHUNK];
    while from.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}
