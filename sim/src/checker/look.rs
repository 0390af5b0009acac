//! Does the session say in time how it does, and not more often than it should?

use std::time::Duration;

use steadfast::{Level, Phase, Timestamp};

/// How long it has to be better before that is told, and how long a failure is held against the peer.
const HELD: Duration = Duration::from_secs(10);
const REMEMBERED: Duration = Duration::from_secs(60);

/// What the session has told of its state, beside what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Look {
    patience: Duration,
    /// Since when the peer may have been missing, and since when it certainly has been.
    perhaps: Option<Timestamp>,
    surely: Option<Timestamp>,
    degraded: bool,
    /// It may have been taken back in silence: nobody misses a peer whose session ends, or is suspended.
    forgotten: bool,
    level: Level,
    changed: Option<Timestamp>,
    failed: Option<Timestamp>,
}

impl Look {
    pub(super) const fn new(patience: Duration) -> Self {
        let level = Level::Good;
        Self {
            patience,
            perhaps: None,
            surely: None,
            degraded: false,
            forgotten: false,
            level,
            changed: None,
            failed: None,
        }
    }

    /// From now on so long.
    pub(super) const fn adopt(&mut self, patience: Duration) {
        self.patience = patience;
    }

    pub(super) const fn level(&self) -> Level {
        self.level
    }

    pub(super) const fn failed(&mut self, now: Timestamp) {
        self.failed = Some(now);
    }

    /// While it ends, no phase tells that it is suspended.
    pub(super) const fn suspend(&mut self, suspended: bool) {
        self.forgotten |= suspended;
    }

    pub(super) fn phase(&mut self, now: Timestamp, to: Phase) {
        match to {
            Phase::Online => (self.perhaps, self.surely) = (None, None),
            Phase::Idle | Phase::Suspended | Phase::Stopped(_) => {
                (self.perhaps, self.surely, self.degraded) = (None, None, false);
            }
            // It is not told whether there is a link.
            Phase::Draining => {
                (self.perhaps, self.surely) = (self.perhaps.or(Some(now)), None);
                self.forgotten = true;
            }
            Phase::Connecting | Phase::Authenticating | Phase::Restoring | Phase::Waiting => {
                self.perhaps = self.perhaps.or(Some(now));
                self.surely = self.surely.or(Some(now));
            }
        }
    }

    pub(super) fn level_told(&mut self, now: Timestamp, level: Level) -> Result<(), String> {
        let (was, changed) = (std::mem::replace(&mut self.level, level), self.changed.replace(now));
        let ago = |at: Option<Timestamp>| at.map_or(Duration::MAX, |at| now.since(at));
        match level {
            _ if level == was => Err(format!("level: {level} is told twice")),
            _ if level < was && ago(changed) < HELD => Err(format!("level: {was} and {level} within ten seconds")),
            Level::Good if ago(self.failed) < REMEMBERED => Err("level: good within a minute after a failure".into()),
            Level::Good | Level::Shaky | Level::Bad => Ok(()),
        }
    }

    /// By when it has to be told that the peer has been missing for too long, if nothing happens.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.surely.filter(|_| !self.degraded).and_then(|since| since.after(self.patience))
    }

    /// At the end of a turn: what it told of the peer's absence, `Some(true)` if it is degraded.
    pub(super) fn close_turn(&mut self, now: Timestamp, told: Option<bool>) -> Result<(), String> {
        let lasts = |since: Option<Timestamp>| since.is_some_and(|since| now.since(since) >= self.patience);
        let was = self.degraded;
        self.degraded = told.unwrap_or(was);
        if self.forgotten && (told.is_some() || self.perhaps.is_none()) {
            (self.forgotten, self.degraded) = (false, told.unwrap_or(false));
            return Ok(());
        }
        match told {
            Some(told) if told == was => Err("degraded: told twice".into()),
            Some(true) if !lasts(self.perhaps) => Err("degraded: told too early".into()),
            Some(false) if self.surely.is_some() => Err("degraded: recovered without a link".into()),
            None if !was && lasts(self.surely) => Err("degraded: not told".into()),
            None if was && self.perhaps.is_none() => Err("degraded: not told that it has recovered".into()),
            Some(_) | None => Ok(()),
        }
    }
}
