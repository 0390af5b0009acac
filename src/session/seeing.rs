//! What is noted for those who look on. Two of its judgements are told as events; nothing else comes of it.

use super::{Action, Actions, Event, Link, LinkId, OpId, Session, Stats, Stir, StopCause};
use crate::{
    Protocol, Timestamp,
    part::{Flow, Latency, Level, Presence, Quality, Queueing, Shift, Signs, Totals},
};

/// All that a session notes beside its counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Seeing {
    pub(super) latency: Latency,
    pub(super) queueing: Queueing,
    pub(super) flow: Flow,
    pub(super) presence: Presence,
    pub(super) quality: Quality,
}

impl<P: Protocol> Session<P> {
    /// The messages that the present link was given and that are not flushed yet: the link, the message, and the number of
    /// its last frame, counted from 1 on that link as in [`Report::Flushed`](crate::Report::Flushed). An
    /// [`Action::Send`] does not say whose frame it is; a driver that logs can tell from this, and nobody else pays for it.
    pub fn in_flight(&self) -> impl Iterator<Item = (LinkId, OpId, u64)> {
        self.link.iter().flat_map(|link| {
            let messages = link.flights.messages().chain(link.lane.messages());
            messages.map(|(id, frame)| (link.id, id, frame))
        })
    }

    /// Takes a picture of the counts when it is time for one: before the turn counts anything.
    #[inline(always)]
    pub(super) fn note_flow(&mut self, now: Timestamp) {
        if self.seeing.flow.is_due(now) {
            self.seeing.flow.on_due(now, self.stats.totals());
        }
    }

    /// Tells whether the peer has been missing for too long, and how good it all is, where either has changed. Before
    /// the phase: after the one that says that the session has stopped nothing comes.
    pub(super) fn tell_level(&mut self, now: Timestamp, out: &mut Actions<P>) {
        if self.outbox.len() == 0 {
            self.seeing.queueing.on_empty();
        }
        let online = self.link.as_deref().is_some_and(Link::is_online);
        let shift = self.seeing.presence.update(now, self.is_missed(), online, self.config.degraded_after);
        out.extend(shift.map(|shift| {
            Action::Emit(match shift {
                Shift::Degraded => Event::Degraded,
                Shift::Recovered => Event::Recovered,
            })
        }));
        let level = self.judge_level(now);
        out.extend(level.map(|level| Action::Emit(Event::Level(level))));
    }

    /// How it all does is seen by the queue, too.
    #[cold]
    pub(super) fn on_crossing(&mut self, now: Timestamp, high: bool, out: &mut Actions<P>) {
        out.push(Action::Emit(Event::Watermark { high }));
        if self.stir != Stir::All {
            self.stir = Stir::All;
            self.settle_all(now, out);
        }
    }

    /// The level, if it has changed. While its user has stopped it, a session keeps the one it had.
    fn judge_level(&mut self, now: Timestamp) -> Option<Level> {
        let given_up = match self.facts.ended {
            Some(StopCause::User) => return None,
            Some(StopCause::Failed) => true,
            None => false,
        };
        let Seeing { latency, presence, quality, .. } = &mut self.seeing;
        let degraded = presence.is_degraded() || given_up;
        let (uneven, crowded) = (latency.is_uneven(), self.outbox.is_high());
        quality.update(now, Signs { degraded, uneven, crowded })
    }

    /// When an absence has lasted too long, and when the level may be better without anything happening.
    pub(super) fn seeing_deadlines(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        if self.facts.ended.is_some() {
            return (None, None);
        }
        (self.seeing.presence.deadline(self.config.degraded_after), self.seeing.quality.deadline())
    }
}

impl Stats {
    /// What rates are made of. An error is a failed attempt or link, a frame that made no sense, or a message that the
    /// peer refused.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            messages_in: self.received,
            bytes_in: self.bytes_in,
            messages_out: self.sent,
            bytes_out: self.bytes_out,
            errors: self.errors.iter().sum::<u64>() + self.bad + self.failed,
        }
    }
}

#[cfg(test)]
mod tests;
