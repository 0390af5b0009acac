//! The other side: a server on another library, played step by step by the thread of the scenario.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::net::{listen, sockopt::set_socket_linger};
use serde_json::Value;
use tungstenite::{
    Error, Message, WebSocket, accept, accept_with_config,
    protocol::{Role, WebSocketConfig},
};

/// Somewhere to connect to. Each has an address of its own where there are enough of them, so that nobody else takes its
/// port while it is away.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// A network that is nobody else's.
pub(crate) fn own_address() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0x0100);
    if cfg!(target_os = "linux") {
        let [high, low] = NEXT.fetch_add(1, Relaxed).to_be_bytes();
        Ipv4Addr::new(127, 77, high, low).into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    }
}

impl Server {
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind((own_address(), 0)).expect("a free port");
        // A thousand may come at once; what finds no place in the queue would come again only after seconds.
        listen(&listener, 4_096).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/live", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn ip(&self) -> String {
        self.address.ip().to_string()
    }

    /// Stops listening.
    pub(crate) fn away(self) -> Away {
        Away(self.address)
    }

    /// The next connection, of which nothing was read yet.
    pub(crate) fn tcp(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().expect("a client");
        stream.set_nodelay(true).expect("it is open");
        stream
    }

    /// The next connection, after the handshake. One that the client gives up in the middle of it is none.
    pub(crate) fn accept(&self) -> Peer {
        loop {
            // Few bytes for each: there may be a thousand of them.
            let config = WebSocketConfig::default().read_buffer_size(8 << 10);
            if let Ok(socket) = accept_with_config(self.tcp(), Some(config)) {
                return Peer(socket);
            }
        }
    }

    /// The next connection, and what it asks. One that the client gives up before it has asked is none.
    pub(crate) fn request(&self) -> (TcpStream, String) {
        loop {
            let mut stream = self.tcp();
            if let Some(request) = read_request(&mut stream) {
                return (stream, request);
            }
        }
    }

    /// Answers the next request with this status, these headers and a body.
    pub(crate) fn refuse(&self, status: u16, headers: &[(&str, &str)]) {
        let (mut stream, _) = self.request();
        let mut answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n");
        for (name, value) in headers {
            let _ = write!(answer, "{name}: {value}\r\n");
        }
        answer.push_str("\r\nno");
        stream.write_all(answer.as_bytes()).expect("an answer");
    }

    /// Says everything back, in the background, to one client after the other.
    pub(crate) fn echo(self) -> JoinHandle<()> {
        thread::spawn(move || {
            while let Ok((stream, _)) = self.listener.accept() {
                thread::spawn(move || accept(stream).map(Peer).map(Peer::echo).ok());
            }
        })
    }
}

/// Where a server was, and will be again.
pub(crate) struct Away(SocketAddr);

impl Away {
    pub(crate) fn back(self) -> Server {
        Server { listener: TcpListener::bind(self.0).expect("the port is still free"), address: self.0 }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/live", self.0)
    }
}

/// One byte at a time, so that what follows stays unread. `None` if it does not come to its end.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    Some(String::from_utf8(request).expect("a request is text"))
}

/// The answer that a request gets.
pub(crate) fn welcome(request: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Ends with a reset.
pub(crate) fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).expect("it is open");
    drop(stream);
}

/// One client. What it holds is frozen: it neither reads nor answers unless a step says so.
pub(crate) struct Peer<S = TcpStream>(pub(crate) WebSocket<S>);

impl<S: Read + Write> Peer<S> {
    /// After a handshake that was done by hand.
    pub(crate) fn after(stream: S) -> Self {
        Self(WebSocket::from_raw_socket(stream, Role::Server, None))
    }

    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).expect("the client is there");
    }

    /// The next message, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Message, Error> {
        self.0.read()
    }

    /// The next text.
    pub(crate) fn hear(&mut self) -> String {
        loop {
            match self.next().expect("the client is there") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a text was expected: {other:?}"),
            }
        }
    }

    /// The next text, taken for JSON.
    pub(crate) fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear()).expect("JSON")
    }

    /// Waits for the client to say goodbye and to end the connection; the code of it.
    pub(crate) fn goodbye(mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.next() {
                Ok(Message::Close(close)) => code = Some(close.map_or(1005, |close| close.code.into())),
                Ok(_) => {}
                Err(_) => return code,
            }
        }
    }

    /// Bytes as they are: what no library would send.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the client is there");
    }

    /// A Close frame, whatever its code.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let length = u8::try_from(reason.len() + 2).expect("a short reason");
        let mut frame = vec![0x88, length];
        frame.extend(code.to_be_bytes());
        frame.extend(reason.as_bytes());
        self.raw(&frame);
    }

    /// A Close frame without a code.
    pub(crate) fn close_without_code(&mut self) {
        self.raw(&[0x88, 0]);
    }

    /// Says everything back until the client has gone.
    pub(crate) fn echo(mut self) {
        while let Ok(message) = self.next() {
            if (message.is_text() || message.is_binary()) && self.0.send(message).is_err() {
                return;
            }
        }
    }

    /// Takes messages of any size.
    pub(crate) fn unbounded(mut self) -> Self {
        self.0.set_config(|config: &mut WebSocketConfig| {
            (config.max_message_size, config.max_frame_size) = (None, None);
        });
        self
    }
}

impl Peer {
    /// Ends the stream on this side, without a word.
    pub(crate) fn fin(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).expect("it is open");
    }

    /// Ends with a reset.
    pub(crate) fn rst(self) {
        reset(self.0.into_inner());
    }
}

/// A frame of the server's with this first byte, however long.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).expect("it is small")),
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
