//! What does a received message keep alive? A copy of its payload, never the memory it was read into.
//!
//! Small payloads share a copy of what stands next to them in the same read, because an allocation for each costs more
//! than copying a few headers.

use std::mem::take;

use bytes::{Buf, Bytes};

/// How much is copied at once: what somebody who keeps one small payload keeps at most.
const SHARED: usize = 4 << 10;

/// A payload of more bytes than this has its own allocation.
const SMALL: usize = SHARED / 8;

/// Copies of payloads.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    /// A copy of the head of the input, as far as it goes.
    copied: Bytes,
}

impl Payloads {
    /// The payload of the frame at the head of the input: a header of `header` bytes, then `length` bytes.
    pub(super) fn take(&mut self, input: &[u8], header: usize, length: usize) -> Bytes {
        let frame = header + length;
        if self.copied.len() < frame {
            // The last one would share with nobody.
            if length > SMALL || frame == input.len() {
                self.forget();
                return Bytes::copy_from_slice(&input[header..frame]);
            }
            self.copied = Bytes::copy_from_slice(&input[..SHARED.min(input.len())]);
        }
        self.copied.advance(header);
        self.copied.split_to(length)
    }

    /// The head of the input is another one.
    pub(super) fn forget(&mut self) {
        drop(take(&mut self.copied));
    }
}

// What is small fits into a copy, with its header.
const _: () = assert!(SMALL + 14 < SHARED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_share_a_copy_and_no_more() {
        let (mut payloads, mut input) = (Payloads::default(), vec![0; 100 * 102]);
        input.chunks_mut(102).zip(0..).for_each(|(frame, n)| frame[2..].fill(n));
        let taken: Vec<Bytes> = (0..100).map(|n| payloads.take(&input[102 * n..], 2, 100)).collect();
        assert!(taken.iter().zip(0..).all(|(payload, n)| payload[..] == [n; 100]));
        let shared = |two: &[Bytes]| two[0].as_ptr().wrapping_add(102) == two[1].as_ptr();
        let copies = taken.windows(2).filter(|two| !shared(two)).count() + 1;
        assert_eq!(copies, 100_usize.div_ceil(SHARED / 102));
    }

    #[test]
    fn a_payload_that_is_large_or_comes_alone_keeps_nothing_else_alive() {
        for (length, more) in [(0, 0), (1, 0), (SMALL, 0), (SMALL + 1, 0), (SMALL + 1, 9_000), (60_000, 9_000)] {
            let mut payloads = Payloads::default();
            let payload = payloads.take(&vec![7; 4 + length + more], 4, length);
            assert_eq!(payload, vec![7; length]);
            assert!(payload.is_empty() || payload.is_unique());
            assert!(payloads.copied.is_empty(), "{length} and {more}");
        }
    }

    #[test]
    fn a_large_one_between_small_ones_disturbs_nothing() {
        let mut payloads = Payloads::default();
        let input: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
        let mut at = 0;
        for length in [100, 9_000, 50, 3, 600, 0, 7] {
            assert_eq!(payloads.take(&input[at..], 2, length), input[at + 2..at + 2 + length]);
            at += 2 + length;
        }
    }
}
