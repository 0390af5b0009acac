//! A stream of bytes in memory, and frames as they stand in it.

use std::{
    cell::RefCell,
    io::{self, Cursor, Read, Write},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use steadfast_driver::Io;
use tungstenite::protocol::frame::FrameHeader;

/// The server's side of a stream: what was sent and not read, what the client wrote. It takes whatever is written.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) sent: Vec<u8>,
    pub(super) has_ended: bool,
    pub(super) written: Vec<u8>,
}

/// The stream of the transport, of which this case holds the other end.
#[derive(Clone, Debug, Default)]
pub(super) struct Tap(pub(super) Rc<RefCell<Pipe>>);

pub(super) fn idle() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A frame as a server writes it, or should not: masked, or with a longer length than it needs.
pub(super) fn push_frame(sent: &mut Vec<u8>, first: u8, masked: bool, long: bool, payload: &[u8]) {
    let mask = if masked { 0x80 } else { 0 };
    sent.push(first);
    match payload.len() {
        short if short < 126 && !long => sent.push(mask | short as u8),
        middle if middle < 65_536 && !long => {
            sent.push(mask | 126);
            sent.extend((middle as u16).to_be_bytes());
        }
        length => {
            sent.push(mask | 127);
            sent.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        sent.extend([0; 4]);
    }
    sent.extend_from_slice(payload);
}

/// What a client wrote, without the masks, which are random.
pub(super) fn unmasked(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor).expect("a client writes no nonsense");
        let (header, length) = parsed.expect("a client writes whole frames");
        let (head, rest) = bytes.split_at(cursor.position() as usize);
        let (payload, rest) = rest.split_at(length as usize);
        let mask = header.mask.expect("a client masks what it sends");
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        frames.push(head[..head.len() - mask.len()].iter().copied().chain(payload).collect());
        bytes = rest;
    }
    frames
}

impl Read for Pipe {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.sent.is_empty() && !self.has_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = piece.len().min(self.sent.len());
        piece[..count].copy_from_slice(&self.sent[..count]);
        self.sent.drain(..count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Io for Tap {
    fn poll_read(&mut self, _cx: &mut Context<'_>, piece: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0.borrow_mut().read(piece) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        }
    }

    fn poll_write(&mut self, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.borrow_mut().write(bytes))
    }
}
