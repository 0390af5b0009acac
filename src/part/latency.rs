//! How far away is the peer?

use core::time::Duration;

use super::samples::{Percentiles, Samples};

/// The times from probes to their answers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Latency {
    last: Option<Duration>,
    smoothed: Option<Duration>,
    samples: Samples,
    uneven: bool,
}

impl Latency {
    /// A probe was answered after so long.
    pub(crate) fn on_answered(&mut self, took: Duration) {
        self.last = Some(took);
        // The average of RFC 6298 section 2.
        let smooth = |old: Duration| old.saturating_mul(7).saturating_add(took) / 8;
        self.smoothed = Some(self.smoothed.map_or(took, smooth));
        self.samples.push(took);
        self.uneven = self.is_noticed();
    }

    pub(crate) const fn last(&self) -> Option<Duration> {
        self.last
    }

    pub(crate) const fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// Of the last 64.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        self.samples.percentiles()
    }

    /// Whether answers come so much later than usual, and so late, that people notice.
    pub(crate) const fn is_uneven(&self) -> bool {
        self.uneven
    }

    fn is_noticed(&self) -> bool {
        const NOTICED: Duration = Duration::from_millis(250);
        const TIMES: u32 = 4;
        const ENOUGH: usize = 8;
        let (Some(smoothed), Some(found)) = (self.smoothed, self.percentiles()) else { return false };
        self.samples.len() >= ENOUGH && found.p99 >= NOTICED && found.p99 > smoothed.saturating_mul(TIMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(millis: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for took in millis {
            latency.on_answered(Duration::from_millis(*took));
        }
        latency
    }

    #[test]
    fn the_average_moves_by_an_eighth() {
        let latency = latency(&[80, 160]);
        assert_eq!(latency.last(), Some(Duration::from_millis(160)));
        assert_eq!(latency.smoothed(), Some(Duration::from_millis(90)));
        assert_eq!(Latency::default().smoothed(), None);
    }

    #[test]
    fn uneven_is_late_and_later_than_usual() {
        for (name, millis, uneven) in [
            ("steady", &[30; 20][..], false),
            ("slow but steady", &[2_000; 20], false),
            ("quick, with a jump that nobody notices", &[2, 2, 2, 90, 90, 2, 2, 2, 2, 2], false),
            ("one outlier", &[30, 30, 30, 900, 30, 30, 30, 30, 30, 30], false),
            ("two of them", &[30, 30, 30, 900, 900, 30, 30, 30, 30, 30, 30, 30], true),
            ("too few to say", &[30, 900, 900, 30], false),
        ] {
            assert_eq!(latency(millis).is_uneven(), uneven, "{name}");
        }
    }
}
