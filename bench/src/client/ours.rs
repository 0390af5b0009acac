//! The same through `steadfast`: the driver beside it, as an application has it.

use std::net::SocketAddr;

use futures_util::{FutureExt, Stream, StreamExt};
use steadfast::{Config, Event, Frame, Never, Phase, Plain, StopCause};
use steadfast_driver::{Dialer, Runtime, Socket};
use steadfast_tokio::{Client, Events, Item};
use tokio::{task::JoinHandle, time::sleep};

use super::{PAYLOAD, QUIET, Sample, Stopwatch, WINDOW};
use crate::{Outcome, host};

type Heard = Item<Frame, Never>;

pub(super) async fn on_tokio(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let (client, events, driver) = open(server, Config::default()).await?;
    let sample = echo(&client, events, messages, WINDOW).await;
    driver.abort();
    sample
}

/// With so many in flight.
pub(crate) async fn echo(
    client: &Client<Plain>,
    mut events: Events<Plain>,
    messages: u64,
    window: u64,
) -> Outcome<Sample> {
    let (mut sent, mut echoed) = (0, 0);
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < window {
            client.send(PAYLOAD)?;
            sent += 1;
        }
        echoed += burst(&mut events).await?;
    }
    Ok(watch.stop())
}

/// The same with a session in one piece.
pub(crate) async fn echo_in_one_piece<R: Runtime, D: Dialer>(
    mut socket: Socket<Plain, R, D>,
    messages: u64,
    window: u64,
) -> Outcome<Sample> {
    until_online(&mut socket).await?;
    let (mut sent, mut echoed) = (0, 0);
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < window {
            socket.send(PAYLOAD)?;
            sent += 1;
        }
        echoed += burst(&mut socket).await?;
    }
    Ok(watch.stop())
}

pub(super) async fn idle(server: SocketAddr, connections: u64, messages: u64) -> Outcome<u64> {
    let mut config = Config::default();
    config.heartbeat.interval = QUIET / 4;
    let before = host::resident()?;
    let mut open_ones = Vec::new();
    for _ in 0..connections {
        let (client, mut events, driver) = open(server, config.clone()).await?;
        (0..messages).try_for_each(|_| client.send(PAYLOAD).map(drop))?;
        let mut echoed = 0;
        while echoed < messages {
            echoed += burst(&mut events).await?;
        }
        // Whoever waits for more has lent the driver what it read into.
        if events.next().now_or_never().is_some() {
            return Err("that is no echo".into());
        }
        open_ones.push((client, events, driver));
    }
    // With its first quiet heartbeat a session gives back what it needs no longer.
    sleep(QUIET).await;
    Ok(host::resident()?.saturating_sub(before) / connections)
}

async fn open(server: SocketAddr, config: Config) -> Outcome<(Client<Plain>, Events<Plain>, JoinHandle<StopCause>)> {
    let (client, mut events, driver) = steadfast_tokio::connect(&format!("ws://{server}/")).config(config).build()?;
    let driver = tokio::spawn(driver);
    until_online(&mut events).await?;
    Ok((client, events, driver))
}

pub(crate) async fn until_online(events: &mut (impl Stream<Item = Heard> + Unpin)) -> Outcome<()> {
    while let Some(item) = events.next().await {
        if matches!(&item, Item::Event(Event::Phase(change)) if change.to == Phase::Online) {
            return Ok(());
        }
    }
    Err("the session ended before it was online".into())
}

/// Waits for an echo and takes what else has come; how many there were.
async fn burst(events: &mut (impl Stream<Item = Heard> + Unpin)) -> Outcome<u64> {
    let mut taken = 0;
    let mut next = events.next().await;
    while let Some(item) = next {
        taken += echoes(&item)?;
        match events.next().now_or_never() {
            Some(more) => next = more,
            None if taken > 0 => return Ok(taken),
            None => next = events.next().await,
        }
    }
    Err("the session ended".into())
}

fn echoes(item: &Heard) -> Outcome<u64> {
    if let Item::Event(Event::Message { message, .. }) = item {
        return if message.len() == PAYLOAD.len() { Ok(1) } else { Err("that is no echo".into()) };
    }
    Err(format!("{item:?} in the middle of a run").into())
}
