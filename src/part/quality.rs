//! How good is it?
//!
//! One of three levels, for a light in a user interface. It gets worse at once and better only when it has been better
//! for a while, so that it does not flicker.

use core::{fmt, time::Duration};

use crate::Timestamp;

/// How long a failure is held against the peer.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How many failures within that time are bad.
const BAD: usize = 3;

/// How long it must have been better before that is told.
const HELD: Duration = Duration::from_secs(10);

/// How good it is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Level {
    /// Nothing to complain of.
    #[default]
    Good,
    /// A failure within the last minute, answers that come unevenly, or a queue that is nearly full.
    Shaky,
    /// Three failures within the last minute; or degraded, given up, or two of the others at once.
    Bad,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Shaky => "shaky",
            Self::Bad => "bad",
        })
    }
}

/// What can be seen from outside, as it stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Signs {
    /// The peer has been missing for too long, or was given up.
    pub(crate) degraded: bool,
    /// The answers to probes come unevenly.
    pub(crate) uneven: bool,
    /// The queue is above its high watermark.
    pub(crate) crowded: bool,
}

/// The level, and what speaks for another.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Quality {
    level: Level,
    better: Option<Better>,
    /// When the last failures were.
    failures: [Option<Timestamp>; BAD],
}

/// It is better than told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Better {
    since: Timestamp,
    /// The worst it has been since then.
    level: Level,
}

impl Quality {
    pub(crate) const fn level(&self) -> Level {
        self.level
    }

    /// A link was lost, or an attempt has failed.
    pub(crate) fn on_failed(&mut self, now: Timestamp) {
        self.failures.rotate_right(1);
        self.failures[0] = Some(now);
    }

    /// How things stand. To be called whenever they may have changed, and when the deadline has come. Yields the level
    /// if it has changed.
    pub(crate) fn update(&mut self, now: Timestamp, signs: Signs) -> Option<Level> {
        if *self == Self::default() && signs == Signs::default() {
            return None;
        }
        let seen = self.judge(now, signs);
        if seen >= self.level {
            self.better = None;
            let worse = seen > self.level;
            self.level = seen;
            return worse.then_some(seen);
        }
        let better = self.better.get_or_insert(Better { since: now, level: seen });
        better.level = better.level.max(seen);
        if now.since(better.since) < HELD {
            return None;
        }
        self.level = better.level;
        self.better = (seen < self.level).then_some(Better { since: now, level: seen });
        Some(self.level)
    }

    /// When it may be better without anything happening.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.better {
            Some(better) => better.since.after(HELD),
            None => self.failures.iter().flatten().min().and_then(|at| at.after(REMEMBERED)),
        }
    }

    fn judge(&mut self, now: Timestamp, signs: Signs) -> Level {
        for failure in &mut self.failures {
            *failure = failure.filter(|at| now.since(*at) < REMEMBERED);
        }
        let failures = self.failures.iter().flatten().count();
        let troubles = [failures > 0, signs.uneven, signs.crowded].into_iter().filter(|trouble| *trouble).count();
        match troubles {
            _ if signs.degraded || failures >= BAD => Level::Bad,
            0 => Level::Good,
            1 => Level::Shaky,
            _ => Level::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Signs = Signs { degraded: false, uneven: false, crowded: false };
    const CROWDED: Signs = Signs { crowded: true, ..WELL };

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn what_speaks_for_which_level() {
        for (degraded, uneven, crowded, failures, level) in [
            (false, false, false, 0, Level::Good),
            (false, false, false, 1, Level::Shaky),
            (false, false, false, 2, Level::Shaky),
            (false, false, false, 3, Level::Bad),
            (false, true, false, 0, Level::Shaky),
            (false, false, true, 0, Level::Shaky),
            (false, true, true, 0, Level::Bad),
            (false, false, true, 1, Level::Bad),
            (true, false, false, 0, Level::Bad),
        ] {
            let mut quality = Quality::default();
            (0..failures).for_each(|_| quality.on_failed(at(1)));
            let changed = quality.update(at(1), Signs { degraded, uneven, crowded });
            assert_eq!(changed, (level != Level::Good).then_some(level));
            assert_eq!(quality.level(), level);
        }
    }

    #[test]
    fn a_failure_is_held_against_it_for_a_minute_and_a_little() {
        let mut quality = Quality::default();
        quality.on_failed(at(0));
        assert_eq!(quality.update(at(0), WELL), Some(Level::Shaky));
        assert_eq!(quality.deadline(), Some(at(60)));
        assert_eq!(quality.update(at(60), WELL), None);
        assert_eq!(quality.deadline(), Some(at(70)));
        assert_eq!(quality.update(at(70), WELL), Some(Level::Good));
        assert_eq!(quality.deadline(), None, "nothing wakes an idle session");
    }

    /// A queue that crosses its watermark ten times a second.
    #[test]
    fn what_flickers_is_told_once() {
        let mut quality = Quality::default();
        let changes = (0..1_000).filter_map(|tenth| {
            let signs = if tenth % 2 == 0 { CROWDED } else { WELL };
            quality.update(Timestamp::from_millis(tenth * 100), signs)
        });
        assert_eq!(changes.count(), 1);
    }

    #[test]
    fn it_gets_better_to_the_worst_that_it_was_meanwhile() {
        let mut quality = Quality::default();
        quality.update(at(0), Signs { degraded: true, ..WELL });
        assert_eq!(quality.update(at(1), WELL), None);
        assert_eq!(quality.update(at(5), CROWDED), None);
        assert_eq!(quality.update(at(11), WELL), Some(Level::Shaky));
        assert_eq!(quality.update(at(20), WELL), None);
        assert_eq!(quality.update(at(21), WELL), Some(Level::Good));
    }

    #[test]
    fn it_gets_worse_at_once_also_while_it_is_getting_better() {
        let mut quality = Quality::default();
        quality.update(at(0), CROWDED);
        assert_eq!(quality.update(at(5), WELL), None);
        assert_eq!(quality.update(at(6), Signs { degraded: true, ..WELL }), Some(Level::Bad));
        assert_eq!(quality.update(at(11), WELL), None, "and starts to get better anew");
    }

    #[test]
    fn the_deadline_is_always_ahead() {
        let mut quality = Quality::default();
        for second in [0, 1, 2, 40] {
            quality.on_failed(at(second));
            quality.update(at(second), WELL);
        }
        let mut now = at(40);
        let mut told = alloc::vec::Vec::new();
        while let Some(due) = quality.deadline() {
            assert!(due > now, "{due} after {now}");
            now = due;
            told.extend(quality.update(now, WELL));
        }
        assert_eq!(told, [Level::Shaky, Level::Good]);
    }
}
