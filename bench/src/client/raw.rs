//! Frames that were encoded beforehand, over a bare socket.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::client_async;

use super::{PAYLOAD, Sample, Stopwatch, WINDOW};
use crate::{Outcome, host};

/// An echo comes back without the mask: four bytes less than what was sent.
const ECHOED: usize = 4 + PAYLOAD.len();

pub(super) async fn echo(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let mut stream = open(server).await?;
    let burst = frame().repeat(usize::try_from(WINDOW)?);
    let mut echoes = vec![0; ECHOED * usize::try_from(WINDOW)?];
    let watch = Stopwatch::start();
    for _ in 0..messages.div_ceil(WINDOW) {
        stream.write_all(&burst).await?;
        stream.read_exact(&mut echoes).await?;
    }
    Ok(watch.stop())
}

pub(super) async fn idle(server: SocketAddr, connections: u64) -> Outcome<u64> {
    let before = host::resident()?;
    let mut open_ones = Vec::new();
    for _ in 0..connections {
        open_ones.push(open(server).await?);
    }
    Ok(host::resident()?.saturating_sub(before) / connections)
}

async fn open(server: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
    Ok(socket.into_inner())
}

/// A text frame with a mask of zeros, which is allowed and costs nothing (RFC 6455 section 5.3).
fn frame() -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | 126, 0, 128, 0, 0, 0, 0];
    frame.extend_from_slice(PAYLOAD.as_bytes());
    frame
}
