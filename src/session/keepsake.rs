//! What lets the next process go on where this one stopped?

use alloc::vec::Vec;
use core::{fmt, num::NonZeroU32};

use bytes::{BufMut, Bytes};

use crate::{OpId, Rng, Text, Timestamp, shown_address};

/// What a session remembers beyond its process: how its last attempts went, where and who it was, what its protocol
/// wants to know again, and, if it was asked to, the messages that have not ended.
///
/// As bytes it is one small value with a version and a checksum. What the protocol keeps can be as good as a
/// credential (a resume token), and messages are messages: store it accordingly. It is never printed.
///
/// The bytes, all numbers big-endian:
///
/// ```text
/// "SFks"  version: 1  failures: u64  incarnation: u64  last_op: u64
/// has: u8 of 1 retry_at, 2 endpoint, 4 client_id, 8 protocol, 16 somebody asked for that wait; those of them that are there:
///     retry_at: u64 microseconds   endpoint, client_id, protocol: u32 length, bytes
/// messages: u32, each of them:
///     op: u64  is: u8 of 1 at_least_once, 2 may_have_left, 4 expires, 8 secret, 16 bucket, 32 weight; then, if so,
///     expires: u64   bucket: u32 length, bytes   weight: u32   and always body: u32 length, bytes
/// checksum: u64, FNV-1a of all before it
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Keepsake {
    /// Failures since the last link that held: the level of the backoff.
    pub(crate) failures: u64,
    /// No dial before this. A server that asked for an hour did not ask only this process.
    pub(crate) retry_at: Option<Timestamp>,
    /// Somebody asked for that wait, so that no hint cuts it short.
    pub(crate) is_asked: bool,
    /// The endpoint that last held.
    pub(crate) endpoint: Option<Text>,
    /// Who the server says we are.
    pub(crate) client_id: Option<Text>,
    /// What began the ids of the messages.
    pub(crate) incarnation: u64,
    /// The last number that was given to a message.
    pub(crate) last_op: u64,
    /// What the protocol keeps.
    pub(crate) protocol: Option<Bytes>,
    /// In the order of their ids.
    pub(super) messages: Vec<Kept>,
    /// What the messages take.
    pub(super) bytes: usize,
}

/// A message that had not ended.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its number; not above `last_op`.
    pub(crate) op: OpId,
    /// It was to be kept until it is acknowledged.
    pub(crate) at_least_once: bool,
    /// It may have left.
    pub(crate) may_have_left: bool,
    /// No log and no trace may show it.
    pub(crate) secret: bool,
    /// When it is worth nothing any more.
    pub(crate) expires: Option<Timestamp>,
    /// What it draws on beside what all do.
    pub(crate) bucket: Option<Text>,
    /// How many slots it takes.
    pub(crate) slots: NonZeroU32,
    /// The message, in whatever form its host can read again.
    pub(crate) body: Bytes,
}

/// Why bytes are not a keepsake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadKeepsake {
    /// They are something else.
    Foreign,
    /// They are of a version that we do not read.
    Version(u8),
    /// They are not as they were written.
    Damaged,
    /// They have a checksum that is right and make no sense all the same.
    Malformed,
}

const MAGIC: &[u8; 4] = b"SFks";
const VERSION: u8 = 1;

/// Four times what a session keeps by default.
const MOST_MESSAGES: usize = 1 << 16;
const MOST_BYTES: usize = 64 << 20;

/// The longest endpoint, client id and piece of the protocol, in bytes.
const LONGEST_ENDPOINT: usize = 2_048;
const LONGEST_CLIENT_ID: usize = 256;
const LONGEST_PROTOCOL: usize = 64 << 10;

/// All of it.
const LONGEST: usize = MOST_BYTES + (128 << 10);

/// How many bytes a message takes beside its body and its bucket, at most.
const MESSAGE_OVERHEAD: usize = 8 + 1 + 8 + 4 + 4 + 4;

impl Keepsake {
    /// Keeps a message, after those with a lower number. `false` if it is not kept: because there are too many, or
    /// they are too long, or its number is not the next.
    pub(crate) fn keep(&mut self, kept: Kept) -> bool {
        let follows = self.messages.last().is_none_or(|last| last.op < kept.op) && kept.op.0 <= self.last_op;
        let own = MESSAGE_OVERHEAD + kept.bucket.as_ref().map_or(0, Text::len);
        let bytes = self.bytes.saturating_add(own).saturating_add(kept.body.len());
        let keeps = follows && self.messages.len() < MOST_MESSAGES && bytes <= MOST_BYTES;
        if keeps {
            self.bytes = bytes;
            self.messages.push(kept);
        }
        keeps
    }

    /// The messages, oldest first.
    pub(crate) fn messages(&self) -> &[Kept] {
        &self.messages
    }

    /// The incarnation to go on as, and the number after which new messages are counted; nothing if no message has to
    /// keep its id, and then a new incarnation is better.
    ///
    /// The numbers leap by chance. The old process may have gone on after this was saved, and this may be recalled
    /// more than once, after a crash; a server that remembers ids would take new messages for those of another time.
    pub(crate) fn resume(&self, rng: &mut Rng) -> Option<(u64, OpId)> {
        const APART: u32 = 20;
        let leap = (rng.up_to((1 << 20) - 1) + 1) << APART;
        (!self.messages.is_empty()).then_some((self.incarnation, OpId(self.last_op.saturating_add(leap))))
    }

    /// As bytes. What is too long to be read again is left out; nothing that a session keeps is.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let endpoint = self.endpoint.as_ref().map(Text::as_bytes).filter(|bytes| bytes.len() <= LONGEST_ENDPOINT);
        let client_id = self.client_id.as_ref().map(Text::as_bytes).filter(|bytes| bytes.len() <= LONGEST_CLIENT_ID);
        let protocol = self.protocol.as_ref().filter(|bytes| bytes.len() <= LONGEST_PROTOCOL);
        let mut out = Vec::new();
        out.put_slice(MAGIC);
        out.put_u8(VERSION);
        for number in [self.failures, self.incarnation, self.last_op] {
            out.put_u64(number);
        }
        let is_asked = self.is_asked && self.retry_at.is_some();
        let has = [self.retry_at.is_some(), endpoint.is_some(), client_id.is_some(), protocol.is_some(), is_asked];
        out.put_u8(packed(&has));
        out.extend(self.retry_at.map(|at| at.as_micros().to_be_bytes()).into_iter().flatten());
        for bytes in [endpoint, client_id, protocol].into_iter().flatten() {
            put_bytes(bytes, &mut out);
        }
        out.put_u32(self.messages.len() as u32);
        for kept in &self.messages {
            kept.write(&mut out);
        }
        out.put_u64(checksum(&out));
        out.into()
    }

    /// From bytes. Whatever they are, this neither panics nor takes much more memory than they do.
    ///
    /// # Errors
    ///
    /// Says in what way they are no keepsake.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, BadKeepsake> {
        if !bytes.starts_with(MAGIC) || bytes.len() > LONGEST {
            return Err(BadKeepsake::Foreign);
        }
        match bytes.get(MAGIC.len()) {
            Some(&VERSION) => {}
            Some(&other) => return Err(BadKeepsake::Version(other)),
            None => return Err(BadKeepsake::Damaged),
        }
        let (all, sum) = bytes.split_last_chunk().ok_or(BadKeepsake::Damaged)?;
        if checksum(all) != u64::from_be_bytes(*sum) {
            return Err(BadKeepsake::Damaged);
        }
        let mut rest = Reader(bytes.slice(MAGIC.len() + 1..all.len()));
        rest.keepsake().filter(|_| rest.0.is_empty()).ok_or(BadKeepsake::Malformed)
    }
}

impl Kept {
    fn write(&self, out: &mut Vec<u8>) {
        out.put_u64(self.op.0);
        let (expires, weight) = (self.expires, Some(self.slots).filter(|slots| *slots > NonZeroU32::MIN));
        let draws = [self.bucket.is_some(), weight.is_some()];
        out.put_u8(packed(&[
            self.at_least_once,
            self.may_have_left,
            expires.is_some(),
            self.secret,
            draws[0],
            draws[1],
        ]));
        out.extend(expires.map(|at| at.as_micros().to_be_bytes()).into_iter().flatten());
        if let Some(bucket) = &self.bucket {
            put_bytes(bucket.as_bytes(), out);
        }
        out.extend(weight.map(|slots| slots.get().to_be_bytes()).into_iter().flatten());
        put_bytes(&self.body, out);
    }
}

/// What is left to read.
struct Reader(Bytes);

impl Reader {
    fn keepsake(&mut self) -> Option<Keepsake> {
        let (failures, incarnation, last_op) = (self.u64()?, self.u64()?, self.u64()?);
        let [retry_at, endpoint, client_id, protocol, is_asked] = self.flags()?;
        if is_asked && !retry_at {
            return None;
        }
        let mut keepsake = Keepsake {
            failures,
            incarnation,
            last_op,
            is_asked,
            retry_at: self.if_any(retry_at, Self::timestamp)?,
            endpoint: self.if_any(endpoint, |rest| rest.text(LONGEST_ENDPOINT))?,
            client_id: self.if_any(client_id, |rest| rest.text(LONGEST_CLIENT_ID))?,
            protocol: self.if_any(protocol, |rest| rest.bytes(LONGEST_PROTOCOL))?,
            ..Keepsake::default()
        };
        for _ in 0..self.u32()? {
            let kept = self.kept()?;
            keepsake.keep(kept).then_some(())?;
        }
        Some(keepsake)
    }

    fn kept(&mut self) -> Option<Kept> {
        let op = OpId(self.u64()?);
        let [at_least_once, may_have_left, expires, secret, bucket, weight] = self.flags()?;
        let expires = self.if_any(expires, Self::timestamp)?;
        let bucket = self.if_any(bucket, |rest| rest.text(LONGEST))?;
        let slots = self.if_any(weight, Self::weight)?.unwrap_or(NonZeroU32::MIN);
        Some(Kept { op, at_least_once, may_have_left, secret, expires, bucket, slots, body: self.bytes(LONGEST)? })
    }

    /// One that is no more than that of any message is not written.
    fn weight(&mut self) -> Option<NonZeroU32> {
        NonZeroU32::new(u32::from_be_bytes(self.array()?)).filter(|slots| *slots > NonZeroU32::MIN)
    }

    fn if_any<T>(&mut self, is_there: bool, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if is_there { read(self).map(Some) } else { Some(None) }
    }

    fn text(&mut self, most: usize) -> Option<Text> {
        Text::from_utf8(self.bytes(most)?).ok()
    }

    fn bytes(&mut self, most: usize) -> Option<Bytes> {
        let length = self.u32()?;
        (length <= most.min(self.0.len())).then(|| self.0.split_to(length))
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_micros)
    }

    fn flags<const N: usize>(&mut self) -> Option<[bool; N]> {
        let [flags] = self.array()?;
        (flags >> N == 0).then(|| core::array::from_fn(|bit| flags >> bit & 1 == 1))
    }

    fn u32(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.0.first_chunk()?;
        self.0 = self.0.slice(N..);
        Some(array)
    }
}

fn packed(flags: &[bool]) -> u8 {
    flags.iter().rev().fold(0, |packed, flag| packed << 1 | u8::from(*flag))
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

/// FNV-1a, which notices every change of a single byte. It is there for bad disks, not for enemies.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl fmt::Debug for Keepsake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keepsake")
            .field("failures", &self.failures)
            .field("retry_at", &self.retry_at)
            .field("is_asked", &self.is_asked)
            .field("endpoint", &self.endpoint.as_ref().map(|endpoint| shown_address(endpoint.as_str())))
            .field("client_id", &self.client_id)
            .field("last_op", &self.last_op)
            .field("protocol_bytes", &self.protocol.as_ref().map(Bytes::len))
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for BadKeepsake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("these bytes are no keepsake"),
            Self::Version(version) => write!(f, "a keepsake of version {version}, and {VERSION} is what can be read"),
            Self::Damaged => f.write_str("a keepsake that is not as it was written: start without it"),
            Self::Malformed => f.write_str("a keepsake that makes no sense: start without it"),
        }
    }
}

impl core::error::Error for BadKeepsake {}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec};

    use quickcheck::{Arbitrary, Gen, QuickCheck};

    use super::*;

    impl Arbitrary for Keepsake {
        fn arbitrary(g: &mut Gen) -> Self {
            let text = |g: &mut Gen| Option::<String>::arbitrary(g).map(Text::from);
            let mut keepsake = Self {
                failures: u64::arbitrary(g),
                retry_at: Option::<u64>::arbitrary(g).map(Timestamp::from_micros),
                is_asked: bool::arbitrary(g),
                endpoint: text(g),
                client_id: text(g).map(|id| id.cut(LONGEST_CLIENT_ID)),
                incarnation: u64::arbitrary(g),
                last_op: u64::arbitrary(g),
                protocol: Option::<Vec<u8>>::arbitrary(g).map(Bytes::from),
                ..Self::default()
            };
            keepsake.is_asked &= keepsake.retry_at.is_some();
            for op in Vec::<u64>::arbitrary(g) {
                keepsake.keep(Kept {
                    op: OpId(op),
                    at_least_once: bool::arbitrary(g),
                    may_have_left: bool::arbitrary(g),
                    secret: bool::arbitrary(g),
                    expires: Option::<u64>::arbitrary(g).map(Timestamp::from_micros),
                    bucket: text(g),
                    slots: NonZeroU32::arbitrary(g),
                    body: Vec::<u8>::arbitrary(g).into(),
                });
            }
            keepsake
        }
    }

    fn laws() -> QuickCheck {
        QuickCheck::new().tests(2_000).rng(Gen::from_size_and_seed(40, 3))
    }

    /// Something with all that there can be.
    fn full() -> Keepsake {
        let mut keepsake = Keepsake {
            failures: 3,
            retry_at: Some(Timestamp::from_millis(5)),
            is_asked: true,
            endpoint: Some("wss://a".into()),
            client_id: Some("ü".into()),
            incarnation: 36,
            last_op: 9,
            protocol: Some(Bytes::from_static(b"hunter2")),
            ..Keepsake::default()
        };
        for (op, expires) in [(4, None), (9, Some(Timestamp::from_millis(7)))] {
            let body = Bytes::from_static(b"swordfish");
            assert!(keepsake.keep(Kept {
                op: OpId(op),
                at_least_once: true,
                may_have_left: op == 4,
                secret: false,
                expires,
                bucket: (op == 9).then(|| "b".into()),
                slots: NonZeroU32::new(if op == 9 { 3 } else { 1 }).expect("more than none"),
                body
            }));
        }
        keepsake
    }

    fn sealed(mut bytes: Vec<u8>) -> Bytes {
        let at = bytes.len() - 8;
        let sum = checksum(&bytes[..at]);
        bytes[at..].copy_from_slice(&sum.to_be_bytes());
        bytes.into()
    }

    #[test]
    fn what_was_written_is_read() {
        fn law(keepsake: Keepsake) -> bool {
            Keepsake::from_bytes(keepsake.to_bytes()) == Ok(keepsake)
        }
        assert!(law(Keepsake::default()) && law(full()));
        laws().quickcheck(law as fn(Keepsake) -> bool);
    }

    /// Stored by one version of this crate, read by another.
    #[test]
    fn the_form_is_pinned() {
        let pinned: [&[u8]; 9] = [
            b"SFks\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x24\0\0\0\0\0\0\0\x09",
            b"\x1f\0\0\0\0\0\0\x13\x88",
            b"\0\0\0\x07wss://a",
            b"\0\0\0\x02\xc3\xbc",
            b"\0\0\0\x07hunter2",
            b"\0\0\0\x02",
            b"\0\0\0\0\0\0\0\x04\x03\0\0\0\x09swordfish",
            b"\0\0\0\0\0\0\0\x09\x35\0\0\0\0\0\0\x1b\x58\0\0\0\x01b\0\0\0\x03\0\0\0\x09swordfish",
            b"\0\0\0\0\0\0\0\0",
        ];
        assert_eq!(full().to_bytes(), sealed(pinned.concat()));
    }

    #[test]
    fn every_change_of_one_byte_and_every_cut_is_noticed() {
        let bytes = full().to_bytes();
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] ^= flip;
                assert!(Keepsake::from_bytes(changed.into()).is_err(), "byte {at} ^ {flip}");
            }
            assert!(Keepsake::from_bytes(bytes.slice(..at)).is_err(), "cut at {at}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(Keepsake::from_bytes(longer.into()), Err(BadKeepsake::Damaged));
    }

    /// With a right checksum, so that the reader itself is put to the test.
    #[test]
    fn whatever_is_read_is_written_the_same() {
        fn law(keepsake: Keepsake, changes: Vec<(usize, u8)>, cut: usize) -> bool {
            let mut bytes = keepsake.to_bytes().to_vec();
            let length = bytes.len();
            for (at, value) in changes.into_iter().take(4) {
                bytes[5 + at % (length - 5)] = value;
            }
            bytes.truncate((length - cut % 4).max(13));
            let bytes = sealed(bytes);
            Keepsake::from_bytes(bytes.clone()).is_ok_and(|read| read.to_bytes() == bytes)
                || Keepsake::from_bytes(bytes) == Err(BadKeepsake::Malformed)
        }
        laws().quickcheck(law as fn(Keepsake, Vec<(usize, u8)>, usize) -> bool);
    }

    #[test]
    fn what_is_no_keepsake_is_told_apart() {
        let mut newer = full().to_bytes().to_vec();
        newer[4] = 2;
        for (bytes, bad) in [
            (vec![], BadKeepsake::Foreign),
            (b"{\"failures\":3}".to_vec(), BadKeepsake::Foreign),
            (b"SFks".to_vec(), BadKeepsake::Damaged),
            (b"SFks\x01\0\0".to_vec(), BadKeepsake::Damaged),
            (newer, BadKeepsake::Version(2)),
        ] {
            assert_eq!(Keepsake::from_bytes(bytes.into()), Err(bad), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let whole = full().to_bytes().to_vec();
        let op = whole.len() - 8 - 39;
        for (what, at, value) in [
            ("an unknown field", 29, 0x3f),
            ("a wait that was asked for and is none", 29, 0x1e),
            ("a text that is none", 53, 0xff),
            ("a message out of order", op + 7, 4),
            ("a message that was never accepted", op + 7, 10),
            ("an unknown kind of message", op + 8, 0x75),
            ("a weight that is none", op + 25, 0),
            ("a length beyond the end", op + 26, 0xff),
        ] {
            let mut changed = whole.clone();
            changed[at] = value;
            assert_eq!(Keepsake::from_bytes(sealed(changed)), Err(BadKeepsake::Malformed), "{what}");
        }
    }

    #[test]
    fn each_field_has_a_limit() {
        for (has, most) in [(2, LONGEST_ENDPOINT), (4, LONGEST_CLIENT_ID), (8, LONGEST_PROTOCOL)] {
            let read = |length: usize| {
                let mut bytes = [&b"SFks\x01"[..], &[0; 24], &[has]].concat();
                put_bytes(&vec![b'x'; length], &mut bytes);
                bytes.extend([0; 4 + 8]);
                Keepsake::from_bytes(sealed(bytes)).is_ok()
            };
            assert!(read(most) && !read(most + 1), "{has}: {most}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let mut keepsake = full();
        let kept = |op, length| Kept {
            op: OpId(op),
            at_least_once: false,
            may_have_left: false,
            secret: false,
            expires: None,
            bucket: None,
            slots: NonZeroU32::MIN,
            body: vec![0; length].into(),
        };
        assert!(!keepsake.keep(kept(9, 0)), "not after the last");
        assert!(!keepsake.keep(kept(10, 0)), "never accepted");
        keepsake.last_op = u64::MAX;
        assert!(!keepsake.keep(kept(11, MOST_BYTES)));
        assert!(keepsake.keep(kept(11, 0)));
        keepsake.protocol = Some(vec![0; LONGEST_PROTOCOL + 1].into());
        keepsake.endpoint = Some("x".repeat(LONGEST_ENDPOINT + 1).into());
        let read = Keepsake::from_bytes(keepsake.to_bytes()).expect("what is too long is left out");
        assert_eq!(read.messages().len(), 3);
        assert_eq!((read.protocol, read.endpoint), (None, None));
    }

    #[test]
    fn old_ids_are_kept_only_for_old_messages() {
        let mut rng = Rng::new(1);
        assert_eq!(Keepsake { incarnation: 5, last_op: 9, ..Keepsake::default() }.resume(&mut rng), None);
        let mut after = || full().resume(&mut rng).expect("there are messages");
        let ((incarnation, first), (_, second)) = (after(), after());
        assert_eq!(incarnation, 36);
        assert!(first.0.abs_diff(9) >= 1 << 20 && first.0.abs_diff(second.0) >= 1 << 20, "{first} {second}");
    }

    #[test]
    fn it_is_never_printed() {
        let shown = format!("{:?}", full());
        assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
    }
}
