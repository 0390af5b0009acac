//! How does a packet look on the wire? One function writes it, for counting and for sending alike.

use alloc::{string::ToString, vec::Vec};

use bytes::Bytes;

use super::{Fields, Raw, Stamps, stamp};
use crate::{Frame, Text, Timestamp};

/// Where JSON is written to.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what would be written, so that a frame is allocated once and fits.
#[derive(Default)]
pub(super) struct Count(pub(super) usize);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

/// A packet that borrows all that it says.
#[derive(Clone, Copy, Default)]
pub(super) struct Draft<'a> {
    pub(super) kind: &'a str,
    pub(super) channel: Option<&'a str>,
    pub(super) data: Option<&'a Raw>,
    pub(super) messages: Option<&'a Raw>,
    pub(super) id: Option<&'a str>,
    pub(super) reply_to: Option<&'a str>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) client_id: Option<&'a str>,
    pub(super) others: Option<&'a Raw>,
}

/// How packets are written: the names of the fields, the form of timestamps.
#[derive(Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) fields: &'a Fields,
    pub(super) stamps: Stamps,
}

impl Draft<'_> {
    /// Writes the packet as one JSON object.
    pub(super) fn write(&self, style: Style<'_>, sink: &mut impl Sink) {
        let fields = style.fields;
        let mut object = Object::open(sink);
        object.text(&fields.kind, Some(self.kind));
        object.text(&fields.channel, self.channel);
        object.raw(&fields.data, self.data);
        object.raw(&fields.messages, self.messages);
        object.text(&fields.id, self.id);
        object.text(&fields.reply_to, self.reply_to);
        if let Some(at) = self.timestamp.filter(|_| style.stamps != Stamps::None) {
            object.name(&fields.timestamp);
            style.stamps.write(at, object.sink);
        }
        object.text(&fields.client_id, self.client_id);
        object.members(self.others);
        object.close();
    }

    /// How many bytes it takes.
    pub(super) fn size(&self, style: Style<'_>) -> usize {
        let mut count = Count::default();
        self.write(style, &mut count);
        count.0
    }

    /// As text, in one allocation.
    pub(super) fn text(&self, style: Style<'_>) -> Text {
        let mut out = Vec::with_capacity(self.size(style));
        self.write(style, &mut out);
        text(out)
    }

    /// As a frame, in one allocation.
    pub(super) fn frame(&self, style: Style<'_>) -> Frame {
        Frame::Text(self.text(style))
    }
}

/// What a sink was filled with. It is UTF-8, because it was made of strings.
pub(super) fn text(out: Vec<u8>) -> Text {
    Text::claimed(Bytes::from(out))
}

/// A JSON object that is being written.
pub(super) struct Object<'a, S> {
    sink: &'a mut S,
    empty: bool,
}

impl<'a, S: Sink> Object<'a, S> {
    pub(super) fn open(sink: &'a mut S) -> Self {
        sink.put(b"{");
        Self { sink, empty: true }
    }

    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            write_string(value, self.sink);
        }
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.sink.put(value.to_string().as_bytes());
    }

    /// A member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, value: Option<&Raw>) {
        if let Some(value) = value {
            self.name(name);
            self.sink.put(value.as_text().as_bytes());
        }
    }

    /// All members of another object.
    fn members(&mut self, object: Option<&Raw>) {
        if let Some(inner) = object.and_then(Raw::inside_object) {
            self.comma();
            self.sink.put(inner);
        }
    }

    pub(super) fn close(self) {
        self.sink.put(b"}");
    }

    fn name(&mut self, name: &str) {
        self.comma();
        write_string(name, self.sink);
        self.sink.put(b":");
    }

    fn comma(&mut self) {
        if !core::mem::take(&mut self.empty) {
            self.sink.put(b",");
        }
    }
}

/// Writes a JSON string: only what must be escaped is (RFC 8259 section 7).
pub(super) fn write_string(text: &str, sink: &mut impl Sink) {
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    sink.put(b"\"");
    for (at, &byte) in bytes.iter().enumerate().filter(|(_, byte)| needs_escape(**byte)) {
        sink.put(&bytes[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => sink.put(b"\\\""),
            b'\\' => sink.put(b"\\\\"),
            0x08 => sink.put(b"\\b"),
            0x0c => sink.put(b"\\f"),
            b'\n' => sink.put(b"\\n"),
            b'\r' => sink.put(b"\\r"),
            b'\t' => sink.put(b"\\t"),
            _ => sink.put(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), b"0123456789abcdef"[usize::from(byte & 15)]]),
        }
    }
    sink.put(&bytes[plain_from..]);
    sink.put(b"\"");
}

pub(super) const fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\')
}

/// Writes the id of one of our messages: the incarnation, a dash, a number.
pub(super) struct IdBuffer([u8; Self::LEN], usize);

impl IdBuffer {
    /// Thirteen digits of base 36, a dash, twenty of base 10.
    const LEN: usize = 34;

    pub(super) fn new(prefix: &str, op: crate::OpId) -> Self {
        let mut buffer = Self([0; Self::LEN], 0);
        buffer.put(prefix.as_bytes());
        stamp::write_digits(op.0, 1, &mut buffer);
        buffer
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0[..self.1]).expect("a prefix and digits are ASCII")
    }
}

impl Sink for IdBuffer {
    fn put(&mut self, bytes: &[u8]) {
        self.0[self.1..self.1 + bytes.len()].copy_from_slice(bytes);
        self.1 += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn strings_are_escaped_as_any_reader_expects() {
        fn law(text: String) -> bool {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            serde_json::from_slice::<String>(&out).is_ok_and(|read| read == text)
        }
        QuickCheck::new().tests(3_000).rng(Gen::from_size_and_seed(60, 3)).quickcheck(law as fn(String) -> bool);
        assert!(law((0..=0x7f_u8).map(char::from).collect()));
    }

    #[test]
    fn the_longest_id_fits() {
        let id = IdBuffer::new("3w5e11264sgsf-", crate::OpId(u64::MAX));
        assert_eq!(id.as_str(), "3w5e11264sgsf-18446744073709551615");
        assert_eq!(id.as_str().len(), IdBuffer::LEN);
        assert_eq!(IdBuffer::new("k3v9-", crate::OpId(0)).as_str(), "k3v9-0");
    }
}
