//! tungstenite over a runtime's own sockets, without a session.

use std::net::SocketAddr;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::{Error, Message};

use super::{PAYLOAD, Sample, Stopwatch, WINDOW};
use crate::{Outcome, host};

/// What tokio-tungstenite and async-tungstenite have in common.
pub(crate) trait Socket: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin {}

impl<S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin> Socket for S {}

/// With so many in flight.
pub(crate) async fn coalesced(mut socket: impl Socket, messages: u64, window: u64) -> Outcome<Sample> {
    let (mut sent, mut echoed) = (0, 0);
    let watch = Stopwatch::start();
    while echoed < messages {
        while sent < messages && sent - echoed < window {
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

/// On tokio.
pub(crate) async fn open(server: SocketAddr) -> Outcome<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
    Ok(socket)
}

/// Waits for an echo and takes what else has come; how many there were.
async fn burst(socket: &mut impl Socket) -> Outcome<u64> {
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
