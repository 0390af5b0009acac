//! Which fault comes when: a row of strikes that its seed determines.

use std::time::Duration;

use steadfast::Rng;

use super::{Fault, Kind, Side};

/// A fault, and how long a connection has to have been up before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// How long.
    pub after: Duration,
    /// The fault.
    pub fault: Fault,
}

/// A row of strikes. The same seed gives the same row.
///
/// The kinds come in shuffled rounds, so that after eight strikes each kind has been seen once.
///
/// ```
/// use std::time::Duration;
/// use steadfast_cli::chaos::Schedule;
///
/// let row = || Schedule::new(7, Duration::from_millis(400), Some(30));
/// assert_eq!(row().count(), 30);
/// assert!(row().eq(row()));
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    rng: Rng,
    every: Duration,
    left: Option<u64>,
    round: Vec<Kind>,
}

impl Schedule {
    /// A row of `faults` strikes, or one without end; `every` is the mean time between them, while a
    /// connection is up. Faults that last, last about as long.
    #[must_use]
    pub const fn new(seed: u64, every: Duration, faults: Option<u64>) -> Self {
        Self { rng: Rng::new(seed), every, left: faults, round: Vec::new() }
    }

    fn kind(&mut self) -> Kind {
        if self.round.is_empty() {
            self.round = Kind::ALL.to_vec();
        }
        let at = self.rng.up_to(self.round.len() as u64 - 1) as usize;
        self.round.swap_remove(at)
    }

    fn fault(&mut self, kind: Kind) -> Fault {
        match kind {
            Kind::Cut => Fault::Cut,
            Kind::Reset => Fault::Reset,
            Kind::Freeze => Fault::Freeze(self.about(2)),
            Kind::Refuse => Fault::Refuse(self.about(1)),
            Kind::BlackHole => Fault::BlackHole,
            Kind::HalfClose if self.rng.up_to(1) == 0 => Fault::HalfClose(Side::Client),
            Kind::HalfClose => Fault::HalfClose(Side::Upstream),
            Kind::Delay => Fault::Delay { by: self.about(1) / 4, lasts: self.about(2) },
            Kind::Throttle => Fault::Throttle { rate: 8_000 << self.rng.up_to(3), lasts: self.about(2) },
        }
    }

    /// From half to one and a half times so many intervals, in whole milliseconds.
    fn about(&mut self, intervals: u32) -> Duration {
        let mean = self.every.saturating_mul(intervals);
        let exact = self.rng.between(mean / 2, mean.saturating_add(mean / 2));
        Duration::from_millis(u64::try_from(exact.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

impl Iterator for Schedule {
    type Item = Strike;

    fn next(&mut self) -> Option<Strike> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let after = self.about(1);
        let kind = self.kind();
        Some(Strike { after, fault: self.fault(kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::Counts;

    const EVERY: Duration = Duration::from_millis(400);

    fn row(seed: u64, faults: u64) -> Vec<Strike> {
        Schedule::new(seed, EVERY, Some(faults)).collect()
    }

    #[test]
    fn the_seed_determines_the_row() {
        assert_eq!(row(1, 50), row(1, 50));
        assert_ne!(row(1, 50), row(2, 50));
    }

    #[test]
    fn a_round_has_each_kind_once() {
        let mut counts = Counts::default();
        row(3, 16).iter().for_each(|strike| counts.add(strike.fault.kind()));
        assert!(Kind::ALL.into_iter().all(|kind| counts.of(kind) == 2), "{counts}");
        assert_eq!(counts.total(), 16);
    }

    #[test]
    fn times_stay_near_the_interval_and_above_zero() {
        for strike in row(4, 500) {
            assert!((EVERY / 2..=EVERY * 3 / 2).contains(&strike.after), "{strike:?}");
            assert!(strike.fault.lasts() <= EVERY * 3, "{strike:?}");
        }
        assert!(Schedule::new(5, Duration::ZERO, Some(9)).all(|strike| strike.after > Duration::ZERO));
    }

    #[test]
    fn without_a_number_it_does_not_end() {
        assert_eq!(Schedule::new(6, EVERY, None).take(1_000).count(), 1_000);
    }
}
