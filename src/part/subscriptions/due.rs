//! When does a link look after its topics?

use super::{Standings, TopicNo};
use crate::{OpId, Timestamp};

impl<I> Standings<I> {
    /// Looks at this time whether the topic is stale.
    pub(crate) fn watch(&mut self, no: TopicNo, at: Option<Timestamp>) {
        self.silence.extend(at.map(|at| (at, no)));
    }

    /// The next topic to be looked at.
    pub(crate) fn take_silent(&mut self, now: Timestamp) -> Option<TopicNo> {
        let (_, no) = *self.silence.first().filter(|(at, _)| *at <= now)?;
        self.silence.pop_first();
        Some(no)
    }

    /// The next operation whose answer is overdue.
    pub(crate) fn overdue(&self, now: Timestamp) -> Option<(Timestamp, OpId)> {
        self.due.first().copied().filter(|(by, _)| *by <= now && *by < Timestamp::MAX)
    }

    /// All answers get until then at least.
    pub(crate) fn put_off(&mut self, until: Option<Timestamp>) {
        let until = until.unwrap_or(Timestamp::MAX);
        while let Some((_, op)) = self.due.first().copied().filter(|(by, _)| *by < until) {
            self.due.pop_first();
            self.due.insert((until, op));
            if let Some(known) = self.ops.get_mut(&op) {
                known.by = Some(until);
            }
        }
    }

    /// When something of this is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(at, _)| *at);
        crate::time::earlier(due, self.silence.first().map(|(at, _)| *at))
    }
}
