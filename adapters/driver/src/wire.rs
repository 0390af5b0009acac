//! The other end of a stream of bytes, for tests: what is read is scripted, what is written is kept.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, Waker},
};

use crate::Io;

/// A stream of which the test holds the other end. It is "not ready" where the script ends, wakes nobody, and
/// takes as many bytes as there is room for.
#[derive(Debug)]
pub(crate) struct Wire {
    script: VecDeque<Step>,
    /// What was written so far.
    pub(crate) written: Vec<u8>,
    /// How many more bytes are taken; then a write is "not ready".
    pub(crate) room: usize,
    /// How many bytes one write takes at most.
    pub(crate) piece: usize,
    /// What a write fails with from now on.
    pub(crate) write_error: Option<io::ErrorKind>,
    /// How many writes were tried.
    pub(crate) writes: usize,
    /// How many reads were tried.
    pub(crate) reads: usize,
    /// The smallest buffer that a read was offered.
    pub(crate) smallest_read: usize,
}

/// What the next read finds.
#[derive(Debug)]
enum Step {
    Bytes(Vec<u8>),
    Pending,
    End,
    Error(io::ErrorKind),
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            script: VecDeque::new(),
            written: Vec::new(),
            room: usize::MAX,
            piece: usize::MAX,
            write_error: None,
            writes: 0,
            reads: 0,
            smallest_read: usize::MAX,
        }
    }

    /// These bytes arrive in one piece.
    pub(crate) fn arrive(&mut self, bytes: impl Into<Vec<u8>>) {
        self.script.push_back(Step::Bytes(bytes.into()));
    }

    /// These bytes arrive one at a time, with a pause after each.
    pub(crate) fn trickle(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.script.extend([Step::Bytes(vec![*byte]), Step::Pending]);
        }
    }

    pub(crate) fn end(&mut self) {
        self.script.push_back(Step::End);
    }

    pub(crate) fn fail_read(&mut self, kind: io::ErrorKind) {
        self.script.push_back(Step::Error(kind));
    }

    pub(crate) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }
}

impl Io for Wire {
    fn poll_read(&mut self, _cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reads += 1;
        self.smallest_read = self.smallest_read.min(buf.len());
        match self.script.pop_front() {
            None | Some(Step::Pending) => Poll::Pending,
            Some(Step::End) => Poll::Ready(Ok(0)),
            Some(Step::Error(kind)) => Poll::Ready(Err(kind.into())),
            Some(Step::Bytes(mut bytes)) => {
                let count = bytes.len().min(buf.len());
                buf[..count].copy_from_slice(&bytes[..count]);
                let rest = bytes.split_off(count);
                if !rest.is_empty() {
                    self.script.push_front(Step::Bytes(rest));
                }
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_write(&mut self, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes += 1;
        if let Some(kind) = self.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        let count = buf.len().min(self.room).min(self.piece);
        if count == 0 {
            return Poll::Pending;
        }
        self.room -= count;
        self.written.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }
}

/// A context whose waker does nothing.
pub(crate) fn idle() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A frame as a server writes it: not masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length => match u16::try_from(length) {
            Ok(length) => bytes.extend([&[126][..], &length.to_be_bytes()].concat()),
            Err(_) => bytes.extend([&[127][..], &(length as u64).to_be_bytes()].concat()),
        },
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// What a client wrote, taken apart: the first byte and the unmasked payload of each frame.
pub(crate) fn unmasked(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        assert!(length & 0x80 != 0, "a client masks what it sends");
        let (length, rest) = match (length & 0x7f, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (127, [0, 0, 0, 0, rest @ ..]) => {
                let (length, rest) = rest.split_first_chunk().expect("a length");
                (u32::from_be_bytes(*length) as usize, rest)
            }
            (short, rest) => (usize::from(short), rest),
        };
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        frames.push((*first, payload));
        bytes = rest;
    }
    frames
}
