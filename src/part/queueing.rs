//! How long do messages wait before they have left?
//!
//! One message at a time is watched, from its acceptance until it is flushed, then the next that comes. So an entry of
//! the queue needs no time of its own, and a message costs one comparison.

use core::time::Duration;

use super::samples::{Percentiles, Samples};
use crate::{OpId, Timestamp};

/// The waiting times of some messages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Queueing {
    watched: Option<(OpId, Timestamp)>,
    samples: Samples,
}

impl Queueing {
    /// A message was accepted.
    #[inline]
    pub(crate) fn on_accepted(&mut self, id: OpId, now: Timestamp) {
        if self.watched.is_none() {
            self.watched = Some((id, now));
        }
    }

    /// All messages up to this one have been flushed, or have ended.
    #[inline]
    pub(crate) fn on_flushed(&mut self, last: OpId, now: Timestamp) {
        if self.watched.is_some_and(|(id, _)| id <= last) {
            self.take_sample(now);
        }
    }

    /// Nothing is kept any more: what was watched has ended in some way, and says nothing.
    pub(crate) const fn on_empty(&mut self) {
        self.watched = None;
    }

    /// How long the watched message has waited until now, if one waits: for as long as nothing moves, the samples
    /// alone would say that all is well.
    pub(crate) fn waiting(&self, now: Timestamp) -> Option<Duration> {
        self.watched.map(|(_, since)| now.since(since))
    }

    /// Of the last 64 that were watched.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        self.samples.percentiles()
    }

    #[inline(never)]
    fn take_sample(&mut self, now: Timestamp) {
        if let Some((_, since)) = self.watched.take() {
            self.samples.push(now.since(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn p99(queueing: &Queueing) -> Option<u128> {
        queueing.percentiles().map(|found| found.p99.as_millis())
    }

    #[test]
    fn one_message_at_a_time_is_watched() {
        let mut queueing = Queueing::default();
        queueing.on_accepted(OpId(1), at(10));
        queueing.on_accepted(OpId(2), at(11));
        assert_eq!(queueing.waiting(at(30)), Some(Duration::from_millis(20)));
        queueing.on_flushed(OpId(2), at(30));
        assert_eq!(p99(&queueing), Some(20));
        queueing.on_flushed(OpId(3), at(99));
        assert_eq!(p99(&queueing), Some(20), "nothing was watched");
        queueing.on_accepted(OpId(4), at(100));
        queueing.on_flushed(OpId(3), at(101));
        assert_eq!(queueing.waiting(at(101)), Some(Duration::from_millis(1)), "what was flushed came before it");
    }

    /// A link that is down for ten minutes shows, while it is down and after.
    #[test]
    fn a_message_that_waits_for_a_link_is_seen_waiting() {
        let mut queueing = Queueing::default();
        queueing.on_accepted(OpId(1), at(0));
        assert_eq!(queueing.waiting(at(600_000)), Some(Duration::from_secs(600)));
        queueing.on_flushed(OpId(1), at(600_000));
        assert_eq!((p99(&queueing), queueing.waiting(at(600_000))), (Some(600_000), None));
    }

    #[test]
    fn what_ended_otherwise_is_no_sample() {
        let mut queueing = Queueing::default();
        queueing.on_accepted(OpId(1), at(0));
        queueing.on_empty();
        queueing.on_flushed(OpId(1), at(50));
        assert_eq!(queueing.percentiles(), None);
    }
}
