//! Is a silent peer found?

use std::time::Duration;

use steadfast::{HeartbeatPolicy, Timestamp};

/// A timer that fires more than this late may put its judgement off by one more probe.
const LATE: Duration = Duration::from_secs(1);

/// How long the peer of one link has been silent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    is_watched: bool,
    is_paused: bool,
    since: Timestamp,
    /// What the driver was late with its turns since then.
    late: Duration,
    /// The last turn that was very late.
    slept_until: Option<Timestamp>,
}

impl Silence {
    pub(super) const fn watch(&mut self, is_watched: bool) {
        self.is_watched = is_watched;
    }

    /// The wait begins: the link is logged in, something came, or reading goes on.
    pub(super) const fn begin(&mut self, now: Timestamp) {
        (self.since, self.late, self.slept_until) = (now, Duration::ZERO, None);
    }

    /// Reading is held back, and silence means nothing; or it goes on.
    pub(super) const fn pause(&mut self, now: Timestamp, is_paused: bool) {
        if self.is_paused && !is_paused {
            self.begin(now);
        }
        self.is_paused = is_paused;
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// A turn came that should have come earlier.
    pub(super) fn overslept(&mut self, now: Timestamp, late: Duration) {
        self.late = self.late.saturating_add(late);
        if late > LATE {
            self.slept_until = Some(now);
        }
    }

    /// The session has to have looked at the link by then, and has to drop it then.
    pub(super) fn ends_by(&self, policy: &HeartbeatPolicy) -> Option<Timestamp> {
        if !self.is_watched || self.is_paused || policy.interval == Duration::MAX {
            return None;
        }
        let judged = self.since.after(policy.interval)?.after(policy.timeout)?.after(self.late)?;
        let again = match self.slept_until {
            Some(at) => at.after(policy.timeout)?,
            None => judged,
        };
        Some(judged.max(again)).filter(|at| *at < Timestamp::MAX)
    }
}
