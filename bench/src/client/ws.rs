//! `Ws` without a session: what the transport leaves of the wire's speed, driven as the driver does it.

use std::{future::poll_fn, net::SocketAddr, task::Poll};

use steadfast::{Action, Attempt, Command, Config, Frame, Input, Machine, Plain, Session, Timestamp};
use steadfast_driver::{Dialer, Transport};
use steadfast_tokio::Tcp;

use super::{PAYLOAD, Sample, Stopwatch, WINDOW};
use crate::{Outcome, host};

/// A round of the driver's.
const FRAMES: usize = 512;
/// What waits is flushed when it is so many bytes, so that the server works in the meantime.
const ENOUGH: usize = 32 << 10;

/// The link that `steadfast-tokio` opens.
type Link = <Tcp as Dialer>::Transport;

pub(super) async fn echo(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let mut link = open(server).await?;
    let (mut sent, mut echoed) = (0, 0);
    let mut frames = Vec::new();
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < WINDOW {
            link.feed(Frame::from(PAYLOAD));
            sent += 1;
            if link.pending() >= ENOUGH {
                flush(&mut link).await;
            }
        }
        flush(&mut link).await;
        echoed += burst(&mut link, &mut frames).await?;
    }
    Ok(watch.stop())
}

pub(super) async fn idle(server: SocketAddr, connections: u64) -> Outcome<u64> {
    let before = host::resident()?;
    let mut open_ones = Vec::new();
    for _ in 0..connections {
        let mut link = open(server).await?;
        link.feed(Frame::from(PAYLOAD));
        flush(&mut link).await;
        burst(&mut link, &mut Vec::new()).await?;
        open_ones.push(link);
    }
    Ok(host::resident()?.saturating_sub(before) / connections)
}

async fn open(server: SocketAddr) -> Outcome<Link> {
    match Tcp::to(&format!("ws://{server}/"))?.dial(attempt()?).await {
        Ok((link, _)) => Ok(link),
        Err(cause) => Err(format!("{cause:?}").into()),
    }
}

/// An attempt as a session makes it.
fn attempt() -> Outcome<Attempt> {
    let mut session = Session::new(Plain, Config::default(), 1)?;
    let mut actions = Vec::new();
    session.handle(Timestamp::ZERO, Input::Command(Command::Connect), &mut actions);
    let dialled = |action| if let Action::Connect(attempt) = action { Some(*attempt) } else { None };
    actions.into_iter().find_map(dialled).ok_or_else(|| "connect does not dial".into())
}

/// One try: what does not leave now leaves later.
async fn flush(link: &mut Link) {
    let _ = poll_fn(|cx| Poll::Ready(link.poll_flush(cx))).await;
}

/// Waits for an echo and takes what else has come; how many there were.
async fn burst(link: &mut Link, frames: &mut Vec<Frame>) -> Outcome<u64> {
    let mut taken = 0;
    loop {
        let polled = poll_fn(|cx| {
            let _ = link.poll_flush(cx);
            let polled = link.poll_read(cx, frames, FRAMES);
            if polled.is_pending() && taken > 0 { Poll::Ready(Ok(())) } else { polled }
        });
        polled.await.map_err(|cause| format!("{cause:?}"))?;
        if frames.is_empty() {
            return Ok(taken);
        }
        for frame in frames.drain(..) {
            if frame.len() != PAYLOAD.len() {
                return Err("that is no echo".into());
            }
            taken += 1;
        }
    }
}
