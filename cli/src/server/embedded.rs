//! The server in this process: tokio-tungstenite on a thread and a runtime of its own.

use std::{
    error,
    fs::File,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    thread::{self, JoinHandle},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime, select,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Error, Message, Result as Heard},
};

use super::{Arrival, Identity};

/// The server. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Embedded {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts it on a free port.
    pub(super) fn start(log: &Path, acks: bool, identity: Option<&Identity>) -> Result<Self, Box<dyn error::Error>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let tls = identity.map(Identity::acceptor).transpose()?;
        let mut desk = Desk { log: File::create_new(log)?, acks, connection: 0 };
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("server".into()).spawn(move || {
            runtime.block_on(async {
                select! {
                    _ = stopped => {}
                    _ = desk.serve(listener, tls) => {}
                }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked it has said so; what it wrote is judged all the same.
            let _ = thread.join();
        }
    }
}

/// Where messages are written down.
struct Desk {
    log: File,
    acks: bool,
    connection: u64,
}

impl Desk {
    /// One connection after the other.
    async fn serve(&mut self, listener: TcpListener, tls: Option<TlsAcceptor>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            // How a connection ends is the client's affair: what came before is in the log.
            let _ = match &tls {
                None => self.host(stream).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => self.host(stream).await,
                    Err(error) => Err(error.into()),
                },
            };
        }
    }

    async fn host(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Heard<()> {
        let socket = accept_async(stream).await?;
        self.connection += 1;
        self.talk(socket).await
    }

    async fn talk(&mut self, mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) -> Heard<()> {
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message? else { continue };
            if let Some(answer) = self.heard(&text)? {
                socket.send(Message::from(answer.to_string())).await?;
            }
        }
        Ok(())
    }

    /// Writes a message down and says what to answer. Whoever talks nonsense is hung up on.
    fn heard(&mut self, text: &str) -> Heard<Option<Value>> {
        let message: Value = serde_json::from_str(text).map_err(io::Error::other)?;
        if message["type"] == "ping" {
            return Ok(Some(json!({ "type": "pong" })));
        }
        let (Some(id), Some(seq)) = (message["id"].as_str(), message["data"]["seq"].as_u64()) else {
            return Err(Error::Io(io::Error::other("no id or no sequence number")));
        };
        let arrival = Arrival { connection: self.connection, id: id.to_owned(), seq };
        // The file has no buffer: the line is out of our hands before the acknowledgement is.
        self.log.write_all(format!("{arrival}\n").as_bytes())?;
        Ok(self.acks.then(|| json!({ "type": "ack", "id": id })))
    }
}
