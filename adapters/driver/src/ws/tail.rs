//! Which code did the peer really close with?
//!
//! The framing layer replaces every close code that it does not know by 1002, before anybody can see it.
//! One of them is 1014, "bad gateway", which a client should wait out, whereas 1002 ends in giving up. So the
//! last bytes that came in are kept, and the Close frame is found at their end: nothing follows it.
//! (tungstenite 0.30; its issue 502 asks for the codes as they are.)

use steadfast::{Cause, CloseCode, Text};
use tungstenite::protocol::{CloseFrame, frame::coding};

/// The longest control frame of a server: two bytes of header and 125 of payload (RFC 6455 section 5.5).
const LONGEST: usize = 127;

/// The first byte of a Close frame.
const CLOSE: u8 = 0x88;

/// The last bytes that were read.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: [u8; LONGEST],
}

impl Default for Tail {
    fn default() -> Self {
        Self { bytes: [0; LONGEST] }
    }
}

impl Tail {
    pub(super) fn on_read(&mut self, read: &[u8]) {
        let kept = LONGEST.saturating_sub(read.len());
        self.bytes.copy_within(LONGEST - kept.., 0);
        self.bytes[kept..].copy_from_slice(&read[read.len() - (LONGEST - kept)..]);
    }

    /// The Close as it came, if the framing layer may have replaced it.
    pub(super) fn restore(&self, close: &CloseFrame) -> Option<Cause> {
        if close.code != coding::CloseCode::Protocol {
            return None;
        }
        (0..LONGEST - 3).find_map(|at| match &self.bytes[at..] {
            [CLOSE, length, high, low, reason @ ..] if usize::from(*length) == reason.len() + 2 => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                let reason = std::str::from_utf8(reason).ok()?;
                Some(Cause::Closed { code, reason: Text::from(reason) })
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced() -> CloseFrame {
        CloseFrame { code: coding::CloseCode::Protocol, reason: "Protocol violation".into() }
    }

    fn close(code: u16, reason: &str) -> Vec<u8> {
        let length = u8::try_from(reason.len() + 2).expect("a short reason");
        [&[CLOSE, length][..], &code.to_be_bytes(), reason.as_bytes()].concat()
    }

    #[test]
    fn a_close_is_found_however_it_was_cut() {
        let stream = [&[b'x'; 300][..], &close(1014, "bad gateway")].concat();
        for size in [1, 2, 5, 13, 126, 127, 128, 400] {
            let mut tail = Tail::default();
            stream.chunks(size).for_each(|chunk| tail.on_read(chunk));
            let cause = Cause::Closed { code: CloseCode(1014), reason: "bad gateway".into() };
            assert_eq!(tail.restore(&replaced()), Some(cause), "in pieces of {size}");
        }
    }

    #[test]
    fn the_longest_and_the_shortest_close_are_found() {
        for reason in ["", &"r".repeat(123)] {
            let mut tail = Tail::default();
            tail.on_read(&close(2999, reason));
            assert_eq!(tail.restore(&replaced()), Some(Cause::Closed { code: CloseCode(2999), reason: reason.into() }));
        }
    }

    #[test]
    fn a_code_that_was_not_replaced_is_left_alone() {
        let mut tail = Tail::default();
        tail.on_read(&close(1014, ""));
        let known = CloseFrame { code: coding::CloseCode::Restart, reason: "".into() };
        assert_eq!(tail.restore(&known), None);
    }
}
