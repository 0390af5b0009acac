//! Where do the bytes of a message live?
//!
//! An application makes its messages one by one, and they end in crowds, with the flush that wrote them. That is what
//! an allocator does worst. So with the feature `std` each thread keeps a piece of memory that small messages are cut
//! from, thirty to a piece: it is gone when the last of them is. What is kept for longer than a message has storage of
//! its own.

use alloc::vec::Vec;

use bytes::Bytes;

/// What is larger shares its storage as it is, or has one of its own.
const SMALL: usize = 256;

/// A copy for a message, which ends soon. (Inlined, as far as that goes, because on its way through a return value a
/// message is written in other pieces than it is read in, and waited for.)
#[inline]
#[cfg(feature = "std")]
pub(super) fn passing(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() || bytes.len() > SMALL {
        return copied(bytes);
    }
    // Where a thread ends, its piece may be gone before its last message.
    piece::PIECE.try_with(|piece| piece::cut(&mut piece.borrow_mut(), bytes)).unwrap_or_else(|_| copied(bytes))
}

/// A copy for a message.
#[cfg(not(feature = "std"))]
pub(super) fn passing(bytes: &[u8]) -> Bytes {
    copied(bytes)
}

/// The same of bytes that are given away.
pub(super) fn passing_from(bytes: Vec<u8>) -> Bytes {
    if bytes.len() <= SMALL { passing(&bytes) } else { shared(bytes) }
}

/// A copy that may be kept.
pub(super) fn copied(bytes: &[u8]) -> Bytes {
    small(bytes).unwrap_or_else(|| {
        let mut copy = Vec::with_capacity(bytes.len() + 1);
        copy.extend_from_slice(bytes);
        shared(copy)
    })
}

/// The same of bytes that are given away.
pub(super) fn copied_from(bytes: Vec<u8>) -> Bytes {
    small(&bytes).unwrap_or_else(|| shared(bytes))
}

/// `Bytes` puts off the allocation of its counter to the first clone where a vector is exactly full.
/// Sending clones every message once (it may have to go back to the queue), inside a turn, which
/// shall not allocate; so the counter is made here, in the application's own time.
fn shared(mut bytes: Vec<u8>) -> Bytes {
    if bytes.len() == bytes.capacity() {
        bytes.reserve_exact(1);
    }
    Bytes::from(bytes)
}

/// A copy of a few bytes beside their counter: one allocation, where a vector and its counter are two.
fn small(bytes: &[u8]) -> Option<Bytes> {
    Some(match bytes.len() {
        0 => Bytes::new(),
        1..=32 => padded::<32>(bytes),
        33..=64 => padded::<64>(bytes),
        65..=96 => padded::<96>(bytes),
        97..=128 => padded::<128>(bytes),
        129..=192 => padded::<192>(bytes),
        193..=SMALL => padded::<SMALL>(bytes),
        _ => return None,
    })
}

fn padded<const ROOM: usize>(bytes: &[u8]) -> Bytes {
    let mut room = [0; ROOM];
    room[..bytes.len()].copy_from_slice(bytes);
    let mut copy = Bytes::from_owner(room);
    copy.truncate(bytes.len());
    copy
}

#[cfg(feature = "std")]
mod piece {
    use core::cell::RefCell;

    use bytes::{Bytes, BytesMut};

    /// A page, with what an allocator adds to it.
    const SIZE: usize = 4096 - 64;

    std::thread_local! {
        /// What is left of this thread's piece.
        pub(super) static PIECE: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    }

    /// Copies into what is left of the piece, or else into a new one.
    #[inline]
    pub(super) fn cut(piece: &mut BytesMut, bytes: &[u8]) -> Bytes {
        if piece.capacity() < bytes.len() {
            *piece = BytesMut::with_capacity(SIZE);
        }
        piece.extend_from_slice(bytes);
        piece.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_was_copied_however_long_it_is() {
        let all: Vec<u8> = (0..SMALL + 50).map(|n| (n % 251) as u8).collect();
        for length in 0..=all.len() {
            let bytes = &all[..length];
            assert_eq!(copied(bytes), bytes);
            assert_eq!(copied_from(bytes.to_vec()), bytes);
            assert_eq!(passing(bytes), bytes);
            assert_eq!(passing_from(bytes.to_vec()), bytes);
        }
    }

    #[test]
    fn messages_lie_side_by_side_and_do_not_touch() {
        let messages: Vec<Bytes> = (0..200_u8).map(|n| passing(&[n; 100])).collect();
        for (n, message) in (0..200_u8).zip(messages) {
            assert_eq!(message, [n; 100].as_slice());
        }
    }
}
