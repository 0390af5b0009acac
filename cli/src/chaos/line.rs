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

use super::{Fault, Side};

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
pub(super) async fn carry<L>(
    mut client: TcpStream,
    mut upstream: TcpStream,
    weather: watch::Receiver<Weather>,
    orders: broadcast::Receiver<Fault>,
    live: L,
) {
    let (up, down) = (watch::Sender::new(Fate::Forward), watch::Sender::new(Fate::Forward));
    let (client_in, client_out) = client.split();
    let (upstream_in, upstream_out) = upstream.split();
    let upwards = direction(client_in, upstream_out, weather.clone(), up.subscribe());
    let downwards = direction(upstream_in, client_out, weather, down.subscribe());
    let ended = select! {
        _ = async { join!(upwards, downwards) } => true,
        () = obey(orders, &up, &down, live) => false,
    };
    if !ended {
        drop_hard(&client);
        drop_hard(&upstream);
    }
}

/// Does what is ordered, until it is a reset or nobody is left to give orders.
async fn obey<L>(
    mut orders: broadcast::Receiver<Fault>,
    up: &watch::Sender<Fate>,
    down: &watch::Sender<Fate>,
    live: L,
) {
    let mut live = Some(live);
    loop {
        match orders.recv().await {
            Ok(Fault::Reset | Fault::Refuse(_)) | Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(_)) => {}
            Ok(fault) => {
                if let Some((upwards, downwards)) = fates(fault) {
                    live.take();
                    up.send_replace(upwards);
                    down.send_replace(downwards);
                }
            }
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
async fn direction(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    weather: watch::Receiver<Weather>,
    mut fate: watch::Receiver<Fate>,
) {
    let ended = select! {
        _ = forward(&mut from, &mut to, weather) => None,
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
async fn forward(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, weather: watch::Receiver<Weather>) -> io::Result<()> {
    let (queue, queued) = mpsc::channel(CHUNKS);
    let reading = read(from, queue, weather.clone());
    let mut writing = pin!(write(to, queued, weather));
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

async fn write(
    to: &mut WriteHalf<'_>,
    mut queued: mpsc::Receiver<Due>,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    while let Some((due, chunk)) = queued.recv().await {
        sleep_until(due).await;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            thawed(&mut weather).await;
            let rate = weather.borrow().rate;
            let most = rate.map_or(rest.len(), |rate| (rate / PIECES).max(1) as usize).min(rest.len());
            let (piece, later) = rest.split_at(most);
            to.write_all(piece).await?;
            rest = later;
            if let Some(rate) = rate {
                sleep(Duration::from_secs_f64(most as f64 / f64::from(rate.max(1)))).await;
            }
        }
    }
    Ok(())
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
