//! How long did it take, lately?

use alloc::boxed::Box;
use core::time::Duration;

use crate::time::micros;

/// How many are kept.
const KEPT: usize = 64;

/// The last 64 durations, each up to 71 minutes; a longer one counts as that. An idle session has none, and no room
/// for them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Samples {
    micros: Option<Box<[u32; KEPT]>>,
    taken: u64,
}

/// What lies in the middle of them, and what nearly all of them stay below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percentiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        let at = self.taken as usize % KEPT;
        self.micros.get_or_insert_with(|| Box::new([0; KEPT]))[at] = u32::try_from(micros(took)).unwrap_or(u32::MAX);
        self.taken = self.taken.wrapping_add(1);
    }

    /// How many there are, at most 64.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.taken).map_or(KEPT, |taken| taken.min(KEPT))
    }

    /// The percentiles, none of them rounded up: of 64 durations the one outlier lies above the 99th. They are sorted
    /// for it, so this is for those who ask, not for every message.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let mut sorted = **self.micros.as_ref()?;
        let sorted = &mut sorted[..self.len()];
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let at = |percent: usize| Duration::from_micros(sorted[last * percent / 100].into());
        Some(Percentiles { p50: at(50), p99: at(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Option<(u128, u128)> {
        let mut samples = Samples::default();
        for took in millis {
            samples.push(Duration::from_millis(took));
        }
        samples.percentiles().map(|found| (found.p50.as_millis(), found.p99.as_millis()))
    }

    #[test]
    fn the_middle_and_nearly_the_top() {
        assert_eq!(of([]), None);
        assert_eq!(of([7]), Some((7, 7)));
        assert_eq!(of([3, 1, 2]), Some((2, 2)));
        assert_eq!(of(1..=64), Some((32, 63)));
        assert_eq!(of((0..64).map(|n| if n == 9 { 5_000 } else { 10 })), Some((10, 10)), "one outlier is no trend");
        assert_eq!(of((0..64).map(|n| if n < 2 { 5_000 } else { 10 })), Some((10, 5_000)), "two are");
    }

    #[test]
    fn the_oldest_are_forgotten() {
        assert_eq!(of((0..64).map(|_| 9_000).chain((0..64).map(|_| 1))), Some((1, 1)));
        assert_eq!(of((0..200).map(|_| 4)), Some((4, 4)));
    }

    #[test]
    fn the_longest_that_can_be_told() {
        let mut samples = Samples { taken: u64::MAX, ..Samples::default() };
        samples.push(Duration::MAX);
        samples.push(Duration::MAX);
        assert_eq!(samples.len(), 1, "counting goes on");
        assert_eq!(samples.percentiles().map(|found| found.p99), Some(Duration::from_micros(u32::MAX.into())));
    }
}
