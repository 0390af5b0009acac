//! Have we had this lately?
//!
//! What was sent and what has come is remembered by its fingerprint, for a time and up to a number; beyond either the
//! oldest is forgotten. Nothing waits for the time: what is too old goes when somebody looks.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::fingerprint::{Fingerprint, Printer};
use crate::{OpId, Timestamp};

/// For how long something is remembered, and how much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) within: Duration,
    pub(crate) count: u32,
}

/// What was had lately, both ways.
#[derive(Clone, Debug)]
pub(crate) struct Dedup {
    printer: Printer,
    /// Our messages, by their ids.
    sent: Recent<()>,
    /// The peer's messages, in the order in which they came; whether the application has taken them.
    seen: Recent<bool>,
    last_seen: u64,
}

/// What is known of a message of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has not come lately.
    New,
    /// It has. Whether the application has taken it.
    Again { taken: bool },
}

impl Dedup {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { printer: Printer::new(seed), sent: Recent::new(), seen: Recent::new(), last_seen: 0 }
    }

    /// Takes fingerprints of what is sent.
    pub(crate) const fn printer(&self) -> &Printer {
        &self.printer
    }

    /// The message that this one is the same as, if there is one.
    pub(crate) fn twin(&mut self, now: Timestamp, print: Fingerprint, span: Span) -> Option<OpId> {
        self.sent.trim(now, span, 0);
        self.sent.by_print.get(&print).map(|(id, ())| OpId(*id))
    }

    /// A message was accepted that is the same as none before it. Ids only ever grow.
    pub(crate) fn on_accepted(&mut self, now: Timestamp, id: OpId, print: Fingerprint, span: Span) {
        self.sent.insert(now, id.0, print, (), span);
    }

    /// A message ended, and the peer certainly does not have it: the next one like it is sent.
    pub(crate) fn on_never_there(&mut self, id: OpId) {
        self.sent.remove(id.0);
    }

    /// A message of the peer came, with this id.
    pub(crate) fn on_heard(&mut self, now: Timestamp, id: &[u8], span: Span) -> Known {
        let print = self.printer.of(id);
        self.seen.trim(now, span, 0);
        if let Some((_, taken)) = self.seen.by_print.get(&print) {
            return Known::Again { taken: *taken };
        }
        self.last_seen = self.last_seen.saturating_add(1);
        self.seen.insert(now, self.last_seen, print, false, span);
        Known::New
    }

    /// The application has taken the message with this id.
    pub(crate) fn on_taken(&mut self, id: &[u8]) {
        if self.seen.is_empty() {
            return;
        }
        if let Some((_, taken)) = self.seen.by_print.get_mut(&self.printer.of(id)) {
            *taken = true;
        }
    }

    /// From now on less may be remembered, or more: what goes now does not come back.
    pub(crate) fn on_span(&mut self, now: Timestamp, span: Span) {
        self.sent.trim(now, span, 0);
        self.seen.trim(now, span, 0);
    }

    /// Nothing is looked for among ours any more.
    pub(crate) fn forget_sent(&mut self) {
        self.sent = Recent::new();
    }

    /// Nothing is looked for among the peer's any more.
    pub(crate) fn forget_seen(&mut self) {
        self.seen = Recent::new();
    }

    /// How much is remembered: of ours, of the peer's.
    #[cfg(test)]
    fn remembered(&self) -> (usize, usize) {
        (self.sent.by_age.len(), self.seen.by_age.len())
    }
}

/// Fingerprints, by themselves and by their age. Ages only ever grow. Each is in both or in neither.
#[derive(Clone, Debug)]
struct Recent<T> {
    by_print: BTreeMap<Fingerprint, (u64, T)>,
    by_age: BTreeMap<u64, (Timestamp, Fingerprint)>,
}

impl<T> Recent<T> {
    const fn new() -> Self {
        Self { by_print: BTreeMap::new(), by_age: BTreeMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    fn insert(&mut self, now: Timestamp, age: u64, print: Fingerprint, note: T, span: Span) {
        self.trim(now, span, 1);
        if let Some((before, _)) = self.by_print.insert(print, (age, note)) {
            self.by_age.remove(&before);
        }
        self.by_age.insert(age, (now, print));
    }

    fn remove(&mut self, age: u64) {
        if let Some((_, print)) = self.by_age.remove(&age) {
            self.by_print.remove(&print);
        }
    }

    /// Forgets what is too old, and the oldest of what is too much with so many more.
    fn trim(&mut self, now: Timestamp, span: Span, more: usize) {
        let most = usize::try_from(span.count).unwrap_or(usize::MAX);
        while let Some(oldest) = self.by_age.first_entry() {
            let is_old = now.since(oldest.get().0) >= span.within;
            if !is_old && self.by_print.len().saturating_add(more) <= most {
                return;
            }
            let (_, print) = oldest.remove();
            self.by_print.remove(&print);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { within: Duration::from_secs(60), count: 3 };

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Sends messages with keys, as a session does it.
    struct Sender {
        dedup: Dedup,
        last: u64,
    }

    impl Sender {
        fn new() -> Self {
            Self { dedup: Dedup::new(7), last: 0 }
        }

        /// The message that it is the same as.
        fn send(&mut self, millis: u64, key: &str) -> Option<u64> {
            let print = self.dedup.printer().of(key.as_bytes());
            let twin = self.dedup.twin(at(millis), print, SPAN);
            self.last += 1;
            if twin.is_none() {
                self.dedup.on_accepted(at(millis), OpId(self.last), print, SPAN);
            }
            twin.map(|id| id.0)
        }
    }

    #[test]
    fn the_same_within_the_time_is_a_twin_of_the_first() {
        // When, which key, and which message it is the same as.
        let table = [
            (0, "a", None),
            (1, "b", None),
            (59_999, "a", Some(1)),
            // The time is that of the first: a twin does not prolong it.
            (60_000, "a", None),
            (60_000, "b", Some(2)),
            (60_001, "b", None),
            (60_002, "a", Some(4)),
        ];
        let mut sender = Sender::new();
        for (millis, key, twin) in table {
            assert_eq!(sender.send(millis, key), twin, "{key} at {millis} ms");
        }
    }

    #[test]
    fn beyond_the_number_the_oldest_is_forgotten() {
        let mut sender = Sender::new();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(sender.send(0, key), None);
            assert!(sender.dedup.remembered().0 <= 3);
        }
        assert_eq!(["b", "c", "d"].map(|key| sender.send(1, key)), [Some(2), Some(3), Some(4)]);
        assert_eq!(sender.send(2, "a"), None, "it was the oldest");
        assert_eq!(sender.send(3, "b"), None, "and now it was this one");
    }

    #[test]
    fn what_never_got_there_is_forgotten_alone() {
        let mut sender = Sender::new();
        for key in ["a", "b"] {
            sender.send(0, key);
        }
        sender.dedup.on_never_there(OpId(1));
        sender.dedup.on_never_there(OpId(9));
        assert_eq!((sender.send(1, "a"), sender.send(1, "b")), (None, Some(2)));
        // What ended late has made room for nobody else.
        sender.dedup.on_never_there(OpId(1));
        assert_eq!(sender.send(2, "a"), Some(3));
    }

    #[test]
    fn the_peers_are_remembered_with_whether_they_were_taken() {
        let mut dedup = Dedup::new(7);
        let heard = |dedup: &mut Dedup, millis, id: &str| dedup.on_heard(at(millis), id.as_bytes(), SPAN);
        assert_eq!(heard(&mut dedup, 0, "s-1"), Known::New);
        assert_eq!(heard(&mut dedup, 1, "s-1"), Known::Again { taken: false });
        dedup.on_taken(b"s-1");
        dedup.on_taken(b"s-2");
        assert_eq!(heard(&mut dedup, 2, "s-1"), Known::Again { taken: true });
        assert_eq!(heard(&mut dedup, 2, "s-2"), Known::New, "what has not come cannot be taken");
        assert_eq!(heard(&mut dedup, 60_000, "s-1"), Known::New);
        assert_eq!(heard(&mut dedup, 60_000, "s-1"), Known::Again { taken: false }, "it begins anew");
        dedup.forget_seen();
        assert_eq!(heard(&mut dedup, 60_000, "s-1"), Known::New);
    }

    /// A smaller number counts for what is remembered already, at the next look.
    #[test]
    fn less_can_be_remembered_from_now_on() {
        let mut sender = Sender::new();
        for key in ["a", "b", "c"] {
            sender.send(0, key);
        }
        let print = sender.dedup.printer().of(b"b");
        assert_eq!(sender.dedup.twin(at(1), print, Span { count: 1, ..SPAN }), None);
        assert_eq!(sender.dedup.remembered(), (1, 0));
        sender.dedup.forget_sent();
        assert_eq!(sender.dedup.remembered(), (0, 0));
    }

    /// Whatever is done, the two ways to look for something know the same.
    #[test]
    fn both_indexes_hold_the_same() {
        let (mut rng, mut sender, mut millis) = (crate::Rng::new(3), Sender::new(), 0);
        for _ in 0..5_000 {
            millis += rng.up_to(40_000);
            let key = [b'a' + u8::try_from(rng.up_to(6)).expect("small")];
            sender.send(millis, core::str::from_utf8(&key).expect("a letter"));
            if rng.up_to(3) == 0 {
                sender.dedup.on_never_there(OpId(rng.up_to(sender.last)));
            }
            let Recent { by_print, by_age } = &sender.dedup.sent;
            assert_eq!(by_print.len(), by_age.len());
            assert!(by_age.iter().all(|(age, (_, print))| by_print.get(print) == Some(&(*age, ()))));
        }
    }
}
