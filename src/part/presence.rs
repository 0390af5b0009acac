//! Is the peer there when it is wanted?
//!
//! Told two levels, whether a link is wanted and whether one is online, it knows how much of the wanted time was
//! served, and when an absence has lasted so long that a host should help itself.

use core::time::Duration;

use crate::{Timestamp, time::micros};

/// How long the peer was wanted, and how long it was there.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Presence {
    standing: Standing,
    since: Timestamp,
    degraded: bool,
    /// Of what is over.
    served: Duration,
    missed: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Standing {
    #[default]
    Unwanted,
    Missing,
    There,
}

/// What a host with something to fall back on should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// It has been missing for too long.
    Degraded,
    /// It is there again.
    Recovered,
}

impl Presence {
    /// How things stand. To be called whenever they may have changed, and when the deadline has come.
    pub(crate) fn update(&mut self, now: Timestamp, wanted: bool, online: bool, patience: Duration) -> Option<Shift> {
        let standing = match (wanted, online) {
            (false, _) => Standing::Unwanted,
            (true, false) => Standing::Missing,
            (true, true) => Standing::There,
        };
        if standing != self.standing {
            (self.served, self.missed) = self.totals(now);
            (self.standing, self.since) = (standing, now);
        }
        match standing {
            Standing::Unwanted => {
                self.degraded = false;
                None
            }
            Standing::Missing if !self.degraded && now.since(self.since) >= patience => {
                self.degraded = true;
                Some(Shift::Degraded)
            }
            Standing::Missing => None,
            Standing::There => core::mem::take(&mut self.degraded).then_some(Shift::Recovered),
        }
    }

    /// Whether it has been missing for too long.
    pub(crate) const fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// When an absence has lasted too long.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Timestamp> {
        let waits = self.standing == Standing::Missing && !self.degraded;
        if waits { self.since.after(patience) } else { None }
    }

    /// How much of the time in which it was wanted it was there, in thousandths, rounded down; `None` if it was never
    /// wanted.
    pub(crate) fn availability(&self, now: Timestamp) -> Option<u32> {
        let (served, missed) = self.totals(now);
        let (served, missed) = (u128::from(micros(served)), u128::from(micros(missed)));
        u32::try_from((served * 1_000).checked_div(served + missed)?).ok()
    }

    fn totals(&self, now: Timestamp) -> (Duration, Duration) {
        let lately = now.since(self.since);
        match self.standing {
            Standing::Unwanted => (self.served, self.missed),
            Standing::Missing => (self.served, self.missed.saturating_add(lately)),
            Standing::There => (self.served.saturating_add(lately), self.missed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_long_absence_is_told_once_and_so_is_its_end() {
        let mut presence = Presence::default();
        let mut told = |second, wanted, online| presence.update(at(second), wanted, online, PATIENCE);
        assert_eq!(told(0, true, false), None);
        assert_eq!(told(29, true, false), None);
        assert_eq!(told(30, true, false), Some(Shift::Degraded));
        assert_eq!(told(31, true, false), None);
        assert_eq!(told(40, true, true), Some(Shift::Recovered));
        assert_eq!(told(50, true, false), None);
        assert_eq!(told(60, true, true), None, "too short to be told");
    }

    #[test]
    fn the_deadline_is_there_for_an_untold_absence() {
        let mut presence = Presence::default();
        assert_eq!(presence.deadline(PATIENCE), None);
        presence.update(at(5), true, false, PATIENCE);
        assert_eq!(presence.deadline(PATIENCE), Some(at(35)));
        assert_eq!(presence.deadline(Duration::MAX), None, "switched off");
        presence.update(at(35), true, false, PATIENCE);
        assert_eq!(presence.deadline(PATIENCE), None);
    }

    #[test]
    fn without_patience_every_absence_is_told_at_once() {
        let mut presence = Presence::default();
        assert_eq!(presence.update(at(5), true, false, Duration::ZERO), Some(Shift::Degraded));
        assert_eq!(presence.deadline(Duration::ZERO), None);
    }

    #[test]
    fn nobody_misses_what_is_not_wanted() {
        let mut presence = Presence::default();
        presence.update(at(0), true, false, PATIENCE);
        presence.update(at(30), true, false, PATIENCE);
        assert_eq!(presence.update(at(31), false, false, PATIENCE), None);
        assert_eq!(presence.update(at(40), true, false, PATIENCE), None, "a new absence");
        assert_eq!(presence.deadline(PATIENCE), Some(at(70)));
    }

    #[test]
    fn availability_is_a_share_of_the_wanted_time() {
        let mut presence = Presence::default();
        assert_eq!(presence.availability(at(9)), None);
        presence.update(at(10), true, false, PATIENCE);
        assert_eq!(presence.availability(at(11)), Some(0));
        presence.update(at(11), true, true, PATIENCE);
        assert_eq!(presence.availability(at(20)), Some(900));
        presence.update(at(20), false, false, PATIENCE);
        assert_eq!(presence.availability(at(9_000)), Some(900));
        presence.update(at(9_000), true, true, PATIENCE);
        assert_eq!(presence.availability(Timestamp::MAX), Some(999), "rounded down");
    }
}
