//! tokio-tungstenite without a session.

use std::net::SocketAddr;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::Message;

use super::{PAYLOAD, Sample, Stopwatch, WINDOW};
use crate::{Outcome, host};

type Socket = WebSocketStream<TcpStream>;

pub(super) async fn coalesced(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let mut socket = open(server).await?;
    let (mut sent, mut echoed) = (0, 0);
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < WINDOW {
            socket.feed(Message::text(PAYLOAD)).await?;
            sent += 1;
        }
        socket.flush().await?;
        echoed += burst(&mut socket).await?;
    }
    Ok(watch.stop())
}

/// The same loop; only the sending differs.
pub(super) async fn naive(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let mut socket = open(server).await?;
    let (mut sent, mut echoed) = (0, 0);
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < WINDOW {
            socket.send(Message::text(PAYLOAD)).await?;
            sent += 1;
        }
        echoed += burst(&mut socket).await?;
    }
    Ok(watch.stop())
}

pub(super) async fn idle(server: SocketAddr, connections: u64) -> Outcome<u64> {
    let before = host::resident()?;
    let mut open_ones = Vec::new();
    for _ in 0..connections {
        let mut socket = open(server).await?;
        socket.send(Message::text(PAYLOAD)).await?;
        burst(&mut socket).await?;
        open_ones.push(socket);
    }
    Ok(host::resident()?.saturating_sub(before) / connections)
}

async fn open(server: SocketAddr) -> Outcome<Socket> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
    Ok(socket)
}

/// Waits for an echo and takes what else has come; how many there were.
async fn burst(socket: &mut Socket) -> Outcome<u64> {
    let mut taken = 0;
    let mut next = socket.next().await;
    while let Some(message) = next {
        if message?.len() != PAYLOAD.len() {
            return Err("that is no echo".into());
        }
        taken += 1;
        match socket.next().now_or_never() {
            Some(more) => next = more,
            None => return Ok(taken),
        }
    }
    Err("the server left".into())
}
