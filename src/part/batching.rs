//! Is it worth waiting for more, before it all leaves as one?
//!
//! Nothing is gathered here: messages stay in their queue, which is held for a while. So what waits for its batch is lost
//! with a link as little as anything else that waits.

use core::time::Duration;

use crate::{BatchPolicy, Timestamp};

/// What is put around the members of a batch, at most, in bytes.
const ENVELOPE: u32 = 256;

/// How messages are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    count: u32,
    bytes: u32,
    linger: Duration,
}

/// A batch that is put together, from the head of the queue on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    members: u32,
    bytes: u32,
    /// So many members and bytes are enough, and no more go together.
    most: u32,
    most_bytes: u32,
    is_full: bool,
}

impl Batching {
    /// `None` if messages leave one by one.
    pub(crate) fn new(policy: &BatchPolicy) -> Option<Self> {
        let BatchPolicy { enabled, count, bytes, linger } = *policy;
        enabled.then_some(Self { count, bytes, linger })
    }

    /// A batch for a peer that takes messages of up to so many bytes.
    pub(crate) fn begin(&self, max_message: u32) -> Batch {
        let most_bytes = self.bytes.min(max_message.saturating_sub(ENVELOPE));
        Batch { members: 0, bytes: 0, most: self.count, most_bytes, is_full: false }
    }

    /// Until when it is worth waiting for more, if this is what waits and the oldest of it has waited since then. `None`:
    /// it may leave.
    pub(crate) fn lingers(&self, now: Timestamp, batch: &Batch, since: Timestamp) -> Option<Timestamp> {
        if batch.is_full {
            return None;
        }
        // Who would wait for ever leaves at once.
        since.after(self.linger).filter(|until| *until > now)
    }
}

impl Batch {
    /// Whether the next message in the queue is a member: of so many bytes, and one that leaves alone or not. Any first one
    /// is, and one that leaves alone is the only one. Nothing comes after one that is not.
    pub(crate) fn takes(&mut self, bytes: u32, alone: bool) -> bool {
        let total = self.bytes.saturating_add(bytes);
        let fits = self.members == 0 || (!alone && total <= self.most_bytes);
        if self.is_full || !fits {
            self.is_full = true;
            return false;
        }
        (self.members, self.bytes) = (self.members + 1, total);
        self.is_full = alone || self.members >= self.most || total >= self.most_bytes;
        true
    }

    /// How many leave together.
    pub(crate) const fn members(&self) -> u32 {
        self.members
    }

    /// Their bytes.
    pub(crate) const fn bytes(&self) -> u32 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn batching() -> Batching {
        let policy = BatchPolicy { enabled: true, count: 3, bytes: 100, linger: Duration::from_millis(50) };
        Batching::new(&policy).expect("it is enabled")
    }

    /// How many of these leave together, with how many bytes, and until when they wait if all have waited since 1 s.
    fn gather(max_message: u32, waiting: &[(u32, bool)]) -> (u32, u32, Option<u64>) {
        let mut batch = batching().begin(max_message);
        let _ = waiting.iter().take_while(|(bytes, alone)| batch.takes(*bytes, *alone)).count();
        let until = batching().lingers(at(1_010), &batch, at(1_000));
        (batch.members(), batch.bytes(), until.map(|until| until.as_micros() / 1_000))
    }

    #[test]
    fn what_leaves_together_and_what_waits() {
        let (plain, alone) = (|bytes| (bytes, false), |bytes| (bytes, true));
        let wait = Some(1_050);
        type Case<'a> = (u32, &'a [(u32, bool)], (u32, u32, Option<u64>));
        let cases: [Case<'_>; 10] = [
            (1_000, &[plain(10)], (1, 10, wait)),
            (1_000, &[plain(10), plain(10)], (2, 20, wait)),
            (1_000, &[plain(10), plain(10), plain(10), plain(10)], (3, 30, None)),
            (1_000, &[plain(60), plain(40)], (2, 100, None)),
            (1_000, &[plain(60), plain(41)], (1, 60, None)),
            (1_000, &[plain(500), plain(10)], (1, 500, None)),
            (1_000, &[alone(10), plain(10)], (1, 10, None)),
            (1_000, &[plain(10), alone(10), plain(10)], (1, 10, None)),
            (296, &[plain(30), plain(11)], (1, 30, None)),
            (100, &[plain(30), plain(1)], (1, 30, None)),
        ];
        for (max_message, waiting, expected) in cases {
            assert_eq!(gather(max_message, waiting), expected, "{max_message}: {waiting:?}");
        }
    }

    #[test]
    fn the_oldest_waits_for_so_long_and_nobody_for_ever() {
        let mut batch = batching().begin(1_000);
        assert!(batch.takes(1, false));
        assert_eq!(batching().lingers(at(1_049), &batch, at(1_000)), Some(at(1_050)));
        assert_eq!(batching().lingers(at(1_050), &batch, at(1_000)), None);
        let for_ever = Batching { linger: Duration::MAX, ..batching() };
        assert_eq!(for_ever.lingers(at(1_000), &batch, at(1_000)), None);
        assert_eq!(Batching::new(&BatchPolicy::default()), None);
    }
}
