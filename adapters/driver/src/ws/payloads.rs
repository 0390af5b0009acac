//! What does a received message keep alive? A copy of its payload, never the memory it was read into.
//!
//! A small payload shares its allocation with the few that came in the same read right behind it, because an
//! allocation for each costs more than the copies.

use bytes::{Bytes, BytesMut};

/// How much small payloads share: what somebody who keeps one of them keeps at most.
const SHARED: usize = 4 << 10;

/// A payload of more bytes than this has its own allocation.
const SMALL: usize = SHARED / 8;

/// Copies of payloads.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    chunk: BytesMut,
}

impl Payloads {
    /// A copy of a payload. `more` is how many bytes came behind it: about so much is going to be copied.
    pub(super) fn copy(&mut self, payload: &[u8], more: usize) -> Bytes {
        if payload.len() > SMALL {
            return Bytes::copy_from_slice(payload);
        }
        if self.chunk.capacity() < payload.len() {
            if more < payload.len() {
                // It is the last one, so it would share with nobody.
                return Bytes::copy_from_slice(payload);
            }
            self.chunk = BytesMut::with_capacity(SHARED.min(payload.len() + more));
        }
        self.chunk.extend_from_slice(payload);
        self.chunk.split().freeze()
    }

    /// The read is over: what comes later shares with what is copied now no more.
    pub(super) fn end(&mut self) {
        if self.chunk.capacity() > 0 {
            self.chunk = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_share_a_chunk_and_no_more() {
        let mut payloads = Payloads::default();
        let copies: Vec<Bytes> = (0..100_u8).map(|n| payloads.copy(&[n; 100], 60_000)).collect();
        assert!(copies.iter().zip(0..).all(|(copy, n)| copy[..] == [n; 100]));
        let chunks = copies.windows(2).filter(|two| two[0].as_ptr_range().end != two[1].as_ptr()).count() + 1;
        assert_eq!(chunks, 100_usize.div_ceil(SHARED / 100));
    }

    #[test]
    fn a_payload_that_comes_alone_keeps_nothing_else_alive() {
        let mut payloads = Payloads::default();
        for length in [0, 1, 100, SMALL, SMALL + 1, 60_000] {
            let copy = payloads.copy(&vec![7; length], 0);
            assert_eq!(copy, vec![7; length]);
            assert_eq!(payloads.chunk.capacity(), 0, "{length}");
        }
    }

    #[test]
    fn nothing_is_shared_across_reads() {
        let mut payloads = Payloads::default();
        let first = payloads.copy(b"first", 1_000);
        payloads.end();
        let second = payloads.copy(b"second", 1_000);
        assert_ne!(first.as_ptr_range().end, second.as_ptr());
        assert!(first.is_unique() && first.try_into_mut().is_ok(), "nobody else holds its chunk");
    }
}
