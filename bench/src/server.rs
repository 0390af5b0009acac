//! An echo server that is never the bottleneck: a process of its own, one thread a connection, and a
//! codec of twenty lines that turns a whole read around in place and writes it back at once.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{self, Child, Command, Stdio},
    thread,
};

use crate::{
    Outcome,
    host::{self, Core},
};

/// The argument that makes this program a server.
pub(crate) const WORD: &str = "serve";

/// What a connection may hold in flight without blocking its writer.
const BUFFER: usize = 256 << 10;
/// Enough for a loop without recursion; a thousand of them shall not cost gigabytes.
const STACK: usize = 128 << 10;

/// A running server; it ends with this value, or with its parent.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Outcome<Self> {
        let mut process =
            Command::new(env::current_exe()?).arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("the server has no output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until standard input ends, which it does with the parent. Says its address on standard output.
pub(crate) fn serve() -> Outcome<()> {
    host::pin(Core::Last);
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::Builder::new().stack_size(STACK).spawn(move || echo(stream))?;
    }
    Ok(())
}

fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tungstenite::accept(stream).map_err(io::Error::other)?.into_inner();
    let mut buffer = vec![0; BUFFER];
    let mut answer = Vec::new();
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let used = turn_around(&mut buffer[..filled], &mut answer);
        stream.write_all(&answer)?;
        answer.clear();
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// Appends the echo of every whole frame to `answer`; how many bytes they took. (RFC 6455 section 5.2;
/// lengths beyond 64 KiB and fragments do not occur here.)
fn turn_around(mut input: &mut [u8], answer: &mut Vec<u8>) -> usize {
    let before = input.len();
    while let Some((header, length)) = measure(input) {
        let (frame, rest) = input.split_at_mut(header + 4 + length);
        let (head, payload) = frame.split_at_mut(header + 4);
        answer.push(if head[0] == 0x89 { 0x8a } else { head[0] });
        answer.push(head[1] & 0x7f);
        answer.extend_from_slice(&head[2..header]);
        let mask = u32::from_ne_bytes([head[header], head[header + 1], head[header + 2], head[header + 3]]);
        unmask(payload, mask);
        answer.extend_from_slice(payload);
        input = rest;
    }
    before - input.len()
}

/// The lengths of header and payload of the first frame, if all of it is there.
fn measure(input: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match input.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*input.get(2)?, *input.get(3)?]))),
        short => (2, usize::from(short)),
    };
    (input.len() >= header + 4 + length).then_some((header, length))
}

/// RFC 6455 section 5.3, a word at a time.
fn unmask(payload: &mut [u8], mask: u32) {
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        let clear = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ mask;
        word.copy_from_slice(&clear.to_ne_bytes());
    }
    words.into_remainder().iter_mut().zip(mask.to_ne_bytes()).for_each(|(byte, key)| *byte ^= key);
}
