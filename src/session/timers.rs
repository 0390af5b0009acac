//! What waits for a time, and what happens then.

use super::{Action, Actions, Session, Stage, lifecycle::Parting, tell};
use crate::{Protocol, Timestamp, error::Failure, part::Pulse};

/// All that can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// The wait before the next attempt is over.
    Dial,
    /// The host has not given a credential yet.
    Ask,
    /// The transport is not open yet.
    Connect,
    /// The login is not answered yet.
    Login,
    /// The login runs out soon, or renewing it takes too long.
    Refresh,
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
    /// The peer has been missing for too long.
    Degraded,
    /// The level may be better than it was.
    Level,
}

impl<P: Protocol> Session<P> {
    /// The next timer, and when it is due.
    pub fn next_timer(&self) -> Option<(Timestamp, Timer)> {
        let at_last = |at: &Timestamp| *at < Timestamp::MAX;
        self.timers().into_iter().filter_map(|(timer, at)| Some((at.filter(at_last)?, timer))).min()
    }

    /// When the next timer is due.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        let never = Timestamp::MAX;
        let first = self.timers().into_iter().fold(never, |first, (_, at)| first.min(at.unwrap_or(never)));
        (first < never).then_some(first)
    }

    /// Fires each timer that is due, once.
    pub(super) fn fire_due(&mut self, now: Timestamp, out: &mut Actions<P>) {
        for at in 0..self.timers().len() {
            // Looked up anew: an earlier timer may have ended what this one was for.
            let (timer, due) = self.timers()[at];
            if due.is_some_and(|due| due <= now) {
                self.fire(timer, now, out);
            }
        }
    }

    /// All timers, in the order in which they fire.
    #[inline]
    fn timers(&self) -> [(Timer, Option<Timestamp>); 9] {
        let (stage, heartbeat, stable) = match self.link.as_ref().map(|link| &link.stage) {
            Some(Stage::Asking(ask)) => ((Timer::Ask, ask.deadline()), None, None),
            Some(Stage::Dialing { deadline }) => ((Timer::Connect, *deadline), None, None),
            Some(Stage::LoggingIn(login)) => ((Timer::Login, login.deadline()), None, None),
            Some(Stage::Online { heartbeat, stable_at, refresh, .. }) => {
                let refresh = refresh.as_ref().and_then(|refresh| refresh.deadline());
                ((Timer::Refresh, refresh), heartbeat.deadline(), *stable_at)
            }
            Some(Stage::Closing { .. }) | None => ((Timer::Connect, None), None, None),
        };
        let close = match self.leaving.as_ref().map(|link| &link.stage) {
            Some(Stage::Closing { deadline, .. }) => *deadline,
            Some(Stage::Asking(_) | Stage::Dialing { .. } | Stage::LoggingIn(_) | Stage::Online { .. }) | None => None,
        };
        let (degraded, level) = self.seeing_deadlines();
        [
            stage,
            (Timer::Heartbeat, heartbeat),
            (Timer::Stable, stable),
            (Timer::Close, close),
            (Timer::Drain, self.wants.end.and_then(|end| if end.at_once { None } else { end.by })),
            (Timer::Expiry, self.outbox.deadline()),
            (Timer::Degraded, degraded),
            (Timer::Level, level),
            (Timer::Dial, self.dial_at()),
        ]
    }

    fn fire(&mut self, timer: Timer, now: Timestamp, out: &mut Actions<P>) {
        match timer {
            // Settling dials, and looks anew how it all does.
            Timer::Dial | Timer::Degraded | Timer::Level => {}
            Timer::Ask => self.lose(now, Failure::CredentialTimeout, None, Parting::Abort, out),
            Timer::Refresh => self.on_refresh(now, out),
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
        if let Some(Stage::Online { stable_at, .. }) = self.link.as_mut().map(|link| &mut link.stage) {
            if stable_at.is_some_and(|at| at <= now) {
                *stable_at = None;
                self.backoff.reset();
                self.facts.violations = 0;
                self.proof.on_stable();
            }
        }
    }
}
