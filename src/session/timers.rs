//! What waits for a time, and what happens then.

use super::{Action, Actions, LinkId, Session, Stage, lifecycle::Parting, tell};
use crate::{Protocol, Timestamp, error::Failure, part::Pulse, time::earlier};

/// All that can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// The wait before the next attempt is over.
    Dial,
    /// The transport is not open yet.
    Connect,
    /// The login is not answered yet.
    Login,
    /// The peer has been silent for a while, or we have.
    Heartbeat,
    /// The link has held long enough to count as stable.
    Stable,
    /// The peer did not answer our Close.
    Close,
    /// Draining has taken long enough.
    Drain,
    /// A message has waited for too long.
    Expiry,
}

impl Timer {
    const ALL: [Self; 8] =
        [Self::Connect, Self::Login, Self::Heartbeat, Self::Stable, Self::Close, Self::Drain, Self::Expiry, Self::Dial];
}

impl<P: Protocol> Session<P> {
    /// The next timer, and when it is due.
    pub fn next_timer(&self) -> Option<(Timestamp, Timer)> {
        Timer::ALL.into_iter().filter_map(|timer| Some((self.due_at(timer)?, timer))).min()
    }

    /// When the next timer is due.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        Timer::ALL.into_iter().fold(None, |first, timer| earlier(first, self.due_at(timer)))
    }

    /// Fires each timer that is due, once.
    pub(super) fn fire_due(&mut self, now: Timestamp, out: &mut Actions<P>) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        for timer in Timer::ALL {
            if self.due_at(timer).is_some_and(|due| due <= now) {
                self.fire(timer, now, out);
            }
        }
    }

    fn due_at(&self, timer: Timer) -> Option<Timestamp> {
        let stage = self.link.as_ref().map(|link| &link.stage);
        match (timer, stage) {
            (Timer::Dial, None) => self.dial_at().filter(|at| *at < Timestamp::MAX),
            (Timer::Connect, Some(Stage::Dialing { deadline })) => *deadline,
            (Timer::Login, Some(Stage::LoggingIn(login))) => login.deadline(),
            (Timer::Heartbeat, Some(Stage::Online { heartbeat, .. })) => heartbeat.deadline(),
            (Timer::Stable, Some(Stage::Online { since, stable: false, .. })) => since.after(self.config.stable_for),
            (Timer::Close, _) => match self.leaving.as_ref().map(|link| &link.stage) {
                Some(Stage::Closing { deadline }) => *deadline,
                Some(Stage::Dialing { .. } | Stage::LoggingIn(_) | Stage::Online { .. }) | None => None,
            },
            (Timer::Drain, _) => self.wants.end.filter(|end| !end.at_once)?.by.filter(|by| *by < Timestamp::MAX),
            (Timer::Expiry, _) => self.outbox.deadline(),
            (Timer::Dial | Timer::Connect | Timer::Login | Timer::Heartbeat | Timer::Stable, _) => None,
        }
    }

    fn fire(&mut self, timer: Timer, now: Timestamp, out: &mut Actions<P>) {
        match timer {
            // Settling dials.
            Timer::Dial => {}
            Timer::Connect => self.lose(now, Failure::ConnectTimeout, None, Parting::Abort, out),
            Timer::Login => self.lose(now, Failure::LoginTimeout, None, Parting::Abort, out),
            Timer::Heartbeat => self.on_heartbeat(now, out),
            Timer::Stable => self.note_stability(now),
            Timer::Close => {
                out.extend(self.leaving.as_ref().map(|link| Action::Abort(link.id)));
                self.end_leaving(u64::MAX, out);
            }
            Timer::Drain => {
                if let Some(end) = &mut self.wants.end {
                    end.at_once = true;
                }
            }
            Timer::Expiry => self.outbox.on_due(now, &mut tell(&mut self.stats, out)),
        }
    }

    fn on_heartbeat(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        match link.heartbeat().and_then(|heartbeat| heartbeat.on_due(now)) {
            Some(Pulse::Ping) => link.owed.ping = true,
            Some(Pulse::Dead) => {
                self.stats.silent += 1;
                self.lose(now, Failure::Silent, None, Parting::Abort, out);
            }
            None => {}
        }
    }

    /// A link that has been online for `stable_for` ends the row of failures. Nothing else does.
    pub(super) fn note_stability(&mut self, now: Timestamp) {
        if let Some(Stage::Online { since, stable, .. }) = self.link.as_mut().map(|link| &mut link.stage) {
            if !*stable && now.since(*since) >= self.config.stable_for {
                *stable = true;
                self.backoff.reset();
                self.facts.violations = 0;
            }
        }
    }

    /// Whether this link has been online for `stable_for`.
    pub(super) fn is_stable(&self, id: LinkId) -> bool {
        let link = self.link.as_ref().filter(|link| link.id == id);
        matches!(link.map(|link| &link.stage), Some(Stage::Online { stable: true, .. }))
    }
}
