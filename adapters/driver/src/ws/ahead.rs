//! How much is read at once?
//!
//! The framing layer's buffer is small, because every idle link keeps one, and because whoever keeps a message keeps
//! the whole buffer it came in. But a flood in small reads costs a system call for every few messages. So while
//! reads come back full, they are made into a larger buffer, and handed on from there in pieces.

use std::{
    fmt, io,
    task::{Context, Poll, ready},
};

use crate::Io;

/// How much is read at once in a flood. A call costs as much as reading this, so more gains little.
const FLOOD: usize = 32 << 10;

/// What was read beyond what was asked for.
#[derive(Default)]
pub(super) struct Ahead {
    /// Empty, or as long as what is read in a flood.
    buffer: Vec<u8>,
    /// What of it is still to be handed on.
    start: usize,
    end: usize,
    /// Whether the last read came back full.
    is_flood: bool,
}

impl Ahead {
    /// Hands on what is there, or else reads.
    pub(super) fn poll_read(
        &mut self,
        io: &mut impl Io,
        cx: &mut Context<'_>,
        piece: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.start == self.end {
            if !self.is_flood {
                let count = ready!(io.poll_read(cx, piece))?;
                self.is_flood = count == piece.len();
                return Poll::Ready(Ok(count));
            }
            self.buffer.resize(FLOOD, 0);
            (self.start, self.end) = (0, 0);
            self.end = ready!(io.poll_read(cx, &mut self.buffer))?;
            self.is_flood = self.end >= piece.len();
        }
        let count = piece.len().min(self.end - self.start);
        piece[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        Poll::Ready(Ok(count))
    }

    /// Gives the memory of a flood back once it has passed.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end {
            self.buffer = Vec::new();
        }
    }
}

impl fmt::Debug for Ahead {
    /// It holds payloads, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").field("waiting", &(self.end - self.start)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, idle};

    fn read(ahead: &mut Ahead, wire: &mut Wire) -> Option<Vec<u8>> {
        let mut piece = [0; 4 << 10];
        match ahead.poll_read(wire, &mut idle(), &mut piece) {
            Poll::Ready(count) => Some(piece[..count.expect("the script holds no error")].to_vec()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_flood_is_handed_on_whole_and_in_order() {
        let (mut ahead, mut wire) = (Ahead::default(), Wire::new());
        let flood: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        wire.arrive(flood.clone());
        let got: Vec<u8> = std::iter::from_fn(|| read(&mut ahead, &mut wire)).flatten().collect();
        assert!(got == flood);
        assert_eq!(ahead.buffer.len(), FLOOD);
        ahead.shrink();
        assert_eq!(ahead.buffer.capacity(), 0);
    }

    #[test]
    fn small_reads_take_no_memory() {
        let (mut ahead, mut wire) = (Ahead::default(), Wire::new());
        for _ in 0..10 {
            wire.arrive([7; 4_000]);
            assert_eq!(read(&mut ahead, &mut wire), Some(vec![7; 4_000]));
        }
        assert_eq!(ahead.buffer.capacity(), 0);
    }

    #[test]
    fn what_waits_to_be_handed_on_is_not_given_back() {
        let (mut ahead, mut wire) = (Ahead::default(), Wire::new());
        wire.arrive([7; 20_000]);
        read(&mut ahead, &mut wire);
        read(&mut ahead, &mut wire);
        ahead.shrink();
        let rest: Vec<u8> = std::iter::from_fn(|| read(&mut ahead, &mut wire)).flatten().collect();
        assert_eq!(rest.len(), 20_000 - 2 * (4 << 10));
    }
}
