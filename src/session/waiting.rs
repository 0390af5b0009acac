//! How long is waited before the next dial, and who asked for it?

use core::time::Duration;

use super::{Session, Stage};
use crate::{
    Protocol, Recovery, RetryPolicy, Timestamp,
    part::{Round, Wait, directed},
};

impl<P: Protocol> Session<P> {
    /// When the next dial is to be made, if one is wanted and nothing is in the way. [`Timestamp::MAX`] is never.
    pub(super) fn dial_at(&self) -> Option<Timestamp> {
        if self.leaving.is_some() { None } else { self.retry_at() }
    }

    /// When the next dial is wanted: after the wait, and never closer than the floor to the last one. While the last
    /// link is still leaving it can come later, by `close_timeout` at most.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        if self.link.is_some() || !self.wants_link() {
            return None;
        }
        let at = self.facts.retry_at.unwrap_or(Timestamp::ZERO);
        let at = self.network.dial_at(if self.facts.is_asked { Wait::Asked(at) } else { Wait::Own(at) })?;
        // Last, so that nothing that is said to us brings two dials closer together.
        let floor = self.facts.last_dial.map(|last| last.after(self.config.retry.floor).unwrap_or(Timestamp::MAX));
        Some(floor.unwrap_or(at).max(at))
    }

    /// What this end means for the round, and how long to wait if the next endpoint has asked for it. Of several waits
    /// that this one asked for the longest counts.
    pub(super) fn end_of_attempt(
        &mut self,
        now: Timestamp,
        asked: Option<Duration>,
        recovery: Recovery,
    ) -> (Round, Option<Duration>) {
        // That the host has no credential is nobody's failure but its own.
        if self.link.as_ref().is_some_and(|link| matches!(link.stage, Stage::Asking(_))) {
            return (Round::Over, asked);
        }
        let own = match recovery {
            Recovery::RetryAfter(given) => asked.map(|asked| asked.max(given)),
            Recovery::Retry | Recovery::Reauthenticate | Recovery::Fatal => asked,
        };
        // To come back at once is asked for, too: it is the floor.
        let RetryPolicy { floor, directed_cap, .. } = self.config.retry;
        let at = |wait: Duration| now.after(wait.max(floor).min(directed_cap)).unwrap_or(Timestamp::MAX);
        let until = own.map(at);
        let round = self.endpoints.on_failed(now, until);
        match round {
            Round::Held(at) if Some(at) == until => (round, own),
            Round::Held(at) => (round, Some(at.since(now))),
            Round::GoesOn | Round::Over => (round, None),
        }
    }

    /// The wait before the next attempt begins, or nothing more is tried.
    pub(super) fn schedule(&mut self, now: Timestamp, recovery: Recovery, wait: Option<Duration>, round: Round) {
        if recovery == Recovery::Fatal {
            // Whoever connects again finds a server that still wants to be left alone.
            self.stay_away(now, wait);
        }
        self.network.on_failed();
        let (policy, rng) = (&self.config.retry, &mut self.rng);
        let delay = match (recovery, wait) {
            (Recovery::Fatal, _) => return self.give_up(),
            (Recovery::RetryAfter(wait), _) | (Recovery::Retry | Recovery::Reauthenticate, Some(wait)) => {
                self.backoff.on_directed(wait, policy, rng)
            }
            // The next endpoint, at the floor.
            (Recovery::Retry | Recovery::Reauthenticate, None) if round == Round::GoesOn => Duration::ZERO,
            (Recovery::Retry | Recovery::Reauthenticate, None) => self.backoff.on_failure(policy, rng),
        };
        self.facts.retry_at = Some(now.after(delay).unwrap_or(Timestamp::MAX));
        self.facts.is_asked = wait.is_some() || matches!(recovery, Recovery::RetryAfter(_));
    }

    /// The server wants us back after so long: that holds for those who leave before it does, and for those who give up,
    /// too; not for those who go elsewhere.
    pub(super) fn stay_away(&mut self, now: Timestamp, asked: Option<Duration>) {
        let Some(asked) = asked.filter(|_| !self.wants.elsewhere) else { return };
        let delay = directed(asked, &self.config.retry, &mut self.rng);
        let at = now.after(delay).unwrap_or(Timestamp::MAX);
        self.facts.retry_at =
            Some(self.facts.retry_at.filter(|_| self.facts.is_asked).map_or(at, |before| before.max(at)));
        self.facts.is_asked = true;
    }
}

/// The recovery with the wait that the next endpoint has asked for. Where the one before had a wait for itself alone, there
/// is none.
pub(super) const fn with_wait(recovery: Recovery, of_its_own: bool, wait: Option<Duration>) -> Recovery {
    match (recovery, wait) {
        (Recovery::Retry | Recovery::RetryAfter(_), Some(wait)) => Recovery::RetryAfter(wait),
        (Recovery::RetryAfter(_), None) if of_its_own => Recovery::Retry,
        (recovery, _) => recovery,
    }
}
