//! What is to be written?
//!
//! The data frames are put together here and not by the framing layer: a header, a mask, a copy. It would do the same
//! through five calls and with a heavier generator for each mask, which is felt with small messages: it was a
//! fifteenth of an echo of 128 bytes, system calls included.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
};

use tungstenite::protocol::frame::{FrameHeader, coding::OpCode};

/// Frames that are to be written.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    masks: Masks,
}

impl Out {
    /// A frame of a client: whole, and masked (RFC 6455 section 5.3).
    pub(super) fn push(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = self.masks.draw();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        header.format(payload.len() as u64, &mut self.bytes).expect("a vector takes all that is written to it");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        cover(&mut self.bytes[start..], mask);
    }

    /// A frame that the framing layer has put together.
    pub(super) fn push_encoded(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// So many bytes have left.
    pub(super) fn on_written(&mut self, count: usize) {
        self.bytes.drain(..count);
    }

    /// Gives the memory of a burst back.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// Lays the mask over the payload, a word at a time.
fn cover(payload: &mut [u8], mask: [u8; 4]) {
    let key = u32::from_ne_bytes(mask);
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        let covered = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) ^ key;
        word.copy_from_slice(&covered.to_ne_bytes());
    }
    words.into_remainder().iter_mut().zip(mask).for_each(|(byte, key)| *byte ^= key);
}

/// Masks that nobody who chooses payloads can foresee (RFC 6455 section 10.3): a keyed hash of a counter, with a key
/// from the operating system.
#[derive(Default)]
struct Masks {
    key: RandomState,
    drawn: u64,
}

impl Masks {
    fn draw(&mut self) -> [u8; 4] {
        self.drawn += 1;
        let [a, b, c, d, ..] = self.key.hash_one(self.drawn).to_ne_bytes();
        [a, b, c, d]
    }
}

impl fmt::Debug for Out {
    /// It holds payloads, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").field("waiting", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tungstenite::protocol::frame::coding::Data;

    use super::*;
    use crate::wire::unmasked;

    #[test]
    fn a_frame_of_any_length_is_whole_and_masked() {
        for length in [0, 1, 3, 4, 5, 125, 126, 127, 65_535] {
            let payload: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let mut out = Out::default();
            out.push(OpCode::Data(Data::Binary), &payload);
            assert!(unmasked(out.bytes()) == [(0x82, payload)], "{length} bytes");
        }
    }

    #[test]
    fn a_frame_of_more_than_64_kib_has_the_long_header() {
        let mut out = Out::default();
        out.push(OpCode::Data(Data::Text), &[b'x'; 65_536]);
        assert_eq!(out.bytes()[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(out.bytes().len(), 10 + 4 + 65_536);
    }

    #[test]
    fn masks_do_not_repeat_from_frame_to_frame_or_from_link_to_link() {
        let (mut one, mut other) = (Masks::default(), Masks::default());
        let drawn: BTreeSet<[u8; 4]> = (0..100).flat_map(|_| [one.draw(), other.draw()]).collect();
        assert!(drawn.len() > 195, "{} of 200", drawn.len());
    }
}
