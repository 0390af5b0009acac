//! Where the session stands, and how that is told.

use alloc::boxed::Box;

use super::{Action, Actions, Change, Event, GaveUp, Phase, Session, Stage, StopCause};
use crate::{Protocol, Timestamp};

impl<P: Protocol> Session<P> {
    /// Where the session stands. Derived, never stored.
    pub fn phase(&self) -> Phase {
        if let Some(cause) = self.facts.ended {
            return Phase::Stopped(cause);
        }
        if self.wants.end.is_some() {
            return Phase::Draining;
        }
        match self.link.as_ref().map(|link| &link.stage) {
            Some(Stage::Asking(_) | Stage::Dialing { .. }) => Phase::Connecting,
            Some(Stage::LoggingIn(_)) => Phase::Authenticating,
            Some(Stage::Restoring { .. }) => Phase::Restoring,
            Some(Stage::Online { .. } | Stage::Closing { .. }) => Phase::Online,
            None if !self.wants.online => Phase::Idle,
            None if self.network.is_suspended() => Phase::Suspended,
            None if self.activity.is_asleep() => Phase::Idle,
            None => Phase::Waiting,
        }
    }

    /// Tells a change of phase, once the turn has settled.
    pub(super) fn tell_phase(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let (from, to) = (self.told, self.phase());
        if from == to {
            return;
        }
        self.told = to;
        let after_failure = match to {
            // Idle without waiting is who lost its link and is lazy.
            Phase::Waiting | Phase::Idle | Phase::Stopped(StopCause::Failed) => true,
            // The wait was none.
            Phase::Connecting => matches!(from, Phase::Authenticating | Phase::Restoring | Phase::Online),
            Phase::Authenticating
            | Phase::Restoring
            | Phase::Online
            | Phase::Suspended
            | Phase::Draining
            | Phase::Stopped(StopCause::User) => false,
        };
        let change = Change {
            from,
            to,
            at: now,
            link: self.link.as_ref().map(|link| link.id).or(self.facts.last_link),
            attempt: self.link.as_ref().map_or(self.backoff.failures(), |link| link.attempt),
            error: after_failure.then_some(self.facts.failure).filter(|number| *number > 0),
            cause: self.facts.last_error.clone().filter(|_| after_failure && self.facts.failure > 0),
            retry_at: self.retry_at().filter(|at| *at < Timestamp::MAX),
            resumed: self.facts.resumed,
            suspect: core::mem::take(&mut self.facts.suspect),
            gave_up: if to == Phase::Stopped(StopCause::Failed) { self.gave_up() } else { None },
        };
        self.history.push(change.clone());
        out.push(Action::Emit(Event::Phase(Box::new(change))));
    }

    fn gave_up(&self) -> Option<Box<GaveUp>> {
        let (first, last) = self.patience.blames();
        let (first, last) = (first?.clone(), last?.clone());
        Some(Box::new(GaveUp { limit: self.facts.limit, first, last }))
    }

    /// Says when the next dial comes, once for each time it changes.
    pub(super) fn announce(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let at = self.retry_at().filter(|at| *at > now && *at < Timestamp::MAX);
        if at == self.facts.announced {
            return;
        }
        self.facts.announced = at;
        let attempt = self.backoff.failures().saturating_add(1);
        out.extend(at.map(|at| Action::ReconnectAfter { at, attempt, error: self.facts.failure }));
    }
}
