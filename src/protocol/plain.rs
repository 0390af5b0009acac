//! `plain`: frames in, frames out, nothing else.

use alloc::vec::Vec;

use super::{Abilities, Heard, Mark, Never, Protocol, Say};
use crate::{Frame, Text, Timestamp, Unfit};

/// The protocol for those who only want a link that holds: what the application sends is a frame, and so
/// is what it receives. There is no login, there are no acknowledgements and no topics.
///
/// ```
/// use steadfast::{Config, Plain, Session};
///
/// let session = Session::new(Plain, Config::default(), 7)?;
/// # Ok::<(), steadfast::BadConfig>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Protocol for Plain {
    type Message = Frame;
    type Incoming = Frame;
    type Topic = Never;
    type Link = ();

    fn abilities(&self) -> Abilities {
        Abilities { contents: true, ..Abilities::default() }
    }

    #[inline]
    fn admit(&self, message: &Frame) -> Result<u32, Unfit> {
        match message {
            Frame::Text(_) | Frame::Binary(_) => {
                u32::try_from(message.len()).map_err(|_| Unfit(Text::from_static("longer than 4 GiB")))
            }
            Frame::Ping(_) | Frame::Pong(_) => {
                Err(Unfit(Text::from_static("pings and pongs are the session's; send text or binary")))
            }
        }
    }

    /// The kind of the frame and its payload.
    fn content(&self, message: &Frame, feed: &mut dyn FnMut(&[u8])) {
        let (kind, payload): (&[u8], &[u8]) = match message {
            Frame::Text(text) => (b"text", text.as_bytes()),
            Frame::Binary(payload) => (b"binary", payload),
            // Never sent as messages.
            Frame::Ping(payload) | Frame::Pong(payload) => (b"control", payload),
        };
        feed(kind);
        feed(payload);
    }

    #[inline]
    fn decode(&mut self, (): &mut (), frame: Frame, heard: &mut Vec<Heard<Frame, Never>>) {
        heard.push(Heard::Message { message: frame, topic: None, mark: Mark::NONE });
    }

    #[inline]
    fn encode(&mut self, (): &mut (), _: Timestamp, say: Say<'_, Frame, Never>, frames: &mut Vec<Frame>) {
        if let Say::Message(out) = say {
            frames.push(out.message.clone());
        }
    }

    #[inline]
    fn as_message(&mut self, (): &mut (), frame: Frame) -> Result<Frame, Frame> {
        Ok(frame)
    }

    #[inline]
    fn as_frame(&mut self, (): &mut (), message: &Frame) -> Option<Frame> {
        Some(message.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outgoing;

    #[test]
    fn a_frame_goes_through_as_it_is() {
        let mut frames = Vec::new();
        let message = Frame::from("hello");
        let out = Outgoing { op: crate::OpId(1), message: &message, number: None, ack: false, again: false };
        Plain.encode(&mut (), Timestamp::ZERO, Say::Message(out), &mut frames);
        assert_eq!(frames, core::slice::from_ref(&message));
        let mut heard = Vec::new();
        Plain.decode(&mut (), message.clone(), &mut heard);
        assert_eq!(heard, [Heard::Message { message, topic: None, mark: Mark::NONE }]);
    }

    #[test]
    fn the_short_way_says_the_same() {
        let message = Frame::from("hello");
        assert_eq!(Plain.as_frame(&mut (), &message).as_ref(), Some(&message));
        assert_eq!(Plain.as_message(&mut (), message.clone()), Ok(message));
    }

    #[test]
    fn the_content_is_the_kind_and_the_payload() {
        let pieces = |message: Frame| {
            let mut pieces = Vec::new();
            Plain.content(&message, &mut |piece| pieces.push(piece.to_vec()));
            pieces
        };
        assert_eq!(pieces("abc".into()), [b"text".to_vec(), b"abc".to_vec()]);
        assert_ne!(pieces("abc".into()), pieces(b"abc".to_vec().into()));
    }

    #[test]
    fn what_belongs_to_the_session_is_refused() {
        assert!(Plain.admit(&Frame::Ping(bytes::Bytes::new())).is_err());
        assert_eq!(Plain.admit(&Frame::from("abc")), Ok(3));
    }
}
