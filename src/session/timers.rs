//! What waits for a time, and what happens then.

use super::{Action, Actions, Session, Stage, lifecycle::Parting};
use crate::{
    Protocol, Timestamp,
    error::Failure,
    part::{LATE, Pulse, Refresh},
};

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
    /// The server has not greeted, or the login is not answered yet.
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
    /// No message has passed for a long time.
    Idle,
    /// Trying again has gone on for long enough.
    GiveUp,
    /// The peer has been missing for too long.
    Degraded,
    /// The level may be better than it was.
    Level,
    /// An answer about a topic is missing, a topic is to be asked for again, or it may be stale.
    Topic,
    /// Something waits to be said, because too much was said lately: see [`PacingPolicy`](super::PacingPolicy).
    Pacing,
    /// What waits to leave with more has waited for long enough: see [`BatchPolicy`](super::BatchPolicy).
    Linger,
}

/// The timer of a stage, that of its heart, of its stability, of its idleness.
type LinkTimers = ((Timer, Option<Timestamp>), Option<Timestamp>, Option<Timestamp>, Option<Timestamp>);

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
        self.wake_for_messages();
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
    fn timers(&self) -> [(Timer, Option<Timestamp>); 13] {
        let (stage, heartbeat, stable, idle) = self.link_timers();
        let close = match self.leaving.as_ref().map(|link| &link.stage) {
            Some(Stage::Closing { deadline, .. }) => *deadline,
            Some(
                Stage::Asking(_)
                | Stage::Dialing { .. }
                | Stage::LoggingIn(_)
                | Stage::Restoring { .. }
                | Stage::Online { .. },
            )
            | None => None,
        };
        let (degraded, level) = self.seeing_deadlines();
        let expiry = if self.facts.ended.is_some() { None } else { self.expiry() };
        let waits = self.link.is_none() && self.wants_link();
        let give_up = if waits { self.patience.deadline(&self.config.retry) } else { None };
        [
            stage,
            (Timer::Heartbeat, heartbeat),
            (Timer::Stable, stable),
            (Timer::Close, close),
            (Timer::Drain, self.wants.end.and_then(|end| if end.at_once { None } else { end.by })),
            (Timer::Expiry, expiry),
            (Timer::Idle, idle),
            (Timer::GiveUp, give_up),
            (Timer::Degraded, degraded),
            (Timer::Level, level),
            (Timer::Topic, self.topics_deadline()),
            self.hold(),
            (Timer::Dial, self.dial_at()),
        ]
    }

    /// Those of the present link.
    #[inline]
    fn link_timers(&self) -> LinkTimers {
        // While nobody reads, no answer is late.
        let paused = self.link.as_ref().is_some_and(|link| link.paused);
        let due = |refresh: &Refresh| if paused && refresh.is_logging_in() { None } else { refresh.deadline() };
        match self.link.as_ref().map(|link| &link.stage) {
            Some(Stage::Asking(ask)) => ((Timer::Ask, ask.deadline()), None, None, None),
            Some(Stage::Dialing { deadline }) => ((Timer::Connect, *deadline), None, None, None),
            Some(Stage::LoggingIn(_)) if paused => ((Timer::Login, None), None, None, None),
            Some(Stage::LoggingIn(login)) => ((Timer::Login, login.deadline()), None, None, None),
            Some(Stage::Online { heartbeat, stable_at, refresh, .. }) => {
                let idle = self.activity.deadline(self.config.connect.idle_close);
                let refresh = refresh.as_deref().and_then(due);
                ((Timer::Refresh, refresh), heartbeat.deadline(), *stable_at, idle)
            }
            Some(Stage::Restoring { heartbeat, refresh }) => {
                let refresh = refresh.as_deref().and_then(due);
                ((Timer::Refresh, refresh), heartbeat.deadline(), None, None)
            }
            Some(Stage::Closing { .. }) | None => ((Timer::Connect, None), None, None, None),
        }
    }

    fn fire(&mut self, timer: Timer, now: Timestamp, out: &mut Actions<P>) {
        match timer {
            // Settling dials and writes, and looks anew how it all does.
            Timer::Dial | Timer::Degraded | Timer::Level | Timer::Pacing | Timer::Linger => {}
            Timer::Refresh => self.on_refresh(now, out),
            Timer::Ask => self.on_overdue(now, Failure::CredentialTimeout, out),
            Timer::Connect => self.on_overdue(now, Failure::ConnectTimeout, out),
            Timer::Login => self.on_overdue(now, self.late_login(), out),
            Timer::Heartbeat => self.on_heartbeat(now, out),
            Timer::Stable => self.note_stability(now),
            Timer::Close => {
                out.extend(self.leaving.as_ref().map(|link| Action::Abort(link.id)));
                self.end_leaving(now, u64::MAX, false, out);
            }
            Timer::Drain => {
                if let Some(end) = &mut self.wants.end {
                    end.at_once = true;
                }
            }
            Timer::Idle => self.on_idle(now),
            Timer::GiveUp => self.look_at_patience(now),
            Timer::Expiry => self.expire(now, out),
            Timer::Topic => self.on_topics_due(now, out),
        }
    }

    /// What the server owes us while we log in.
    fn late_login(&self) -> Failure {
        match self.link.as_ref().map(|link| &link.stage) {
            Some(Stage::LoggingIn(login)) if login.waits_for_greeting() => Failure::GreetingTimeout,
            Some(_) | None => Failure::LoginTimeout,
        }
    }

    /// The attempt has taken too long.
    fn on_overdue(&mut self, now: Timestamp, failure: Failure, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        let due = match &mut link.stage {
            Stage::Asking(ask) => ask.deadline_mut(),
            Stage::Dialing { deadline } => deadline,
            Stage::LoggingIn(login) => login.deadline_mut(),
            Stage::Restoring { .. } | Stage::Online { .. } | Stage::Closing { .. } => return,
        };
        if due.is_some_and(|due| link.mercy.spares(due, now)) {
            *due = now.after(LATE);
        } else {
            self.lose(now, failure, None, Parting::Abort, out);
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
                self.endpoints.on_stable();
                self.proof.on_stable();
                self.patience.on_stable();
                self.facts.violations = 0;
            }
        }
    }
}
