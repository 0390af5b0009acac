//! When was a message accepted? Messages of one millisecond share a note, so the answer costs them nothing.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::Place;
use crate::Timestamp;

/// How exact the answer is.
const GRAIN: Duration = Duration::from_millis(1);

/// When messages were accepted: from which place on at what time.
#[derive(Clone, Debug)]
pub(super) struct Times {
    runs: VecDeque<(Place, Timestamp)>,
    /// When the last of them ends.
    until: Timestamp,
}

impl Times {
    pub(super) const fn new() -> Self {
        Self { runs: VecDeque::new(), until: Timestamp::ZERO }
    }

    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// A message takes this place, behind the others; the oldest of them stands there.
    #[inline]
    pub(super) fn on_pushed(&mut self, now: Timestamp, place: Place, oldest: impl FnOnce() -> Option<Place>) {
        if now >= self.until {
            self.begin(now, place, oldest());
        }
    }

    #[cold]
    fn begin(&mut self, now: Timestamp, place: Place, oldest: Option<Place>) {
        match oldest {
            None => self.runs.clear(),
            Some(oldest) => self.forget_before(oldest),
        }
        self.runs.push_back((place, now));
        self.until = now.after(GRAIN).unwrap_or(Timestamp::MAX);
    }

    fn forget_before(&mut self, oldest: Place) {
        while self.runs.get(1).is_some_and(|(first, _)| *first <= oldest) {
            self.runs.pop_front();
        }
    }

    /// When the message at this place was accepted; up to a millisecond before that.
    pub(super) fn at(&self, place: Place) -> Timestamp {
        let after = self.runs.partition_point(|(first, _)| *first <= place);
        after.checked_sub(1).and_then(|at| self.runs.get(at)).map_or(Timestamp::ZERO, |(_, at)| *at)
    }

    /// Only these places, in order, are still taken: notes of others go.
    pub(super) fn keep(&mut self, places: impl Iterator<Item = Place>) {
        let mut kept = VecDeque::new();
        let mut runs = core::mem::take(&mut self.runs).into_iter().peekable();
        let mut run = runs.next();
        for place in places {
            while runs.peek().is_some_and(|(first, _)| *first <= place) {
                run = runs.next();
            }
            kept.extend(run.take());
        }
        // The last goes on until its time is over.
        kept.extend(runs.last().or(run));
        self.runs = kept;
    }

    #[cfg(test)]
    pub(super) fn notes(&self) -> usize {
        self.runs.len()
    }
}
