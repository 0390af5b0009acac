//! Points in time that a test can write down, a trace can hold and a fuzzer can choose.

use core::{fmt, time::Duration};

/// A point in time: microseconds since an epoch of the driver's choosing.
///
/// The core never asks what time it is. Whoever drives a machine says so with every input. Drivers
/// should anchor the epoch at the Unix epoch and count as a wristwatch does, sleep of the computer
/// included, because that is how the peer counts.
///
/// ```
/// use core::time::Duration;
/// use steadfast::Timestamp;
///
/// let start = Timestamp::from_millis(1_000);
/// assert_eq!(start.after(Duration::from_secs(1)), Some(Timestamp::from_millis(2_000)));
/// assert_eq!(start.to_string(), "1.000000s");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// The last point that can be named, some 584,000 years after the epoch.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The point `millis` milliseconds after the epoch; saturates at [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The point `wait` later, or `None` if it cannot be named. A deadline that saturates is no
    /// deadline: `Duration::MAX` as a timeout means "never".
    #[must_use]
    pub const fn after(self, wait: Duration) -> Option<Self> {
        match self.0.checked_add(micros(wait)) {
            Some(u64::MAX) | None => None,
            Some(at) => Some(Self(at)),
        }
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole microseconds, saturating.
pub(crate) const fn micros(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000).saturating_add(d.subsec_micros() as u64)
}

/// The earlier of two deadlines, where `None` is "never".
#[inline]
pub(crate) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, None) => a,
        (None, b) => b,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_saturates_is_none() {
        let now = Timestamp::from_micros(1);
        assert_eq!(now.after(Duration::MAX), None);
        assert_eq!(Timestamp::MAX.after(Duration::ZERO), None);
        assert_eq!(now.after(Duration::from_micros(u64::MAX - 2)), Some(Timestamp(u64::MAX - 1)));
    }

    #[test]
    fn time_that_goes_backwards_counts_as_none_passed() {
        assert_eq!(Timestamp(3).since(Timestamp(9)), Duration::ZERO);
    }

    #[test]
    fn the_earlier_deadline_wins_and_never_loses_to_none() {
        let (a, b) = (Some(Timestamp(1)), Some(Timestamp(2)));
        assert_eq!(earlier(a, b), a);
        assert_eq!(earlier(None, b), b);
        assert_eq!(earlier(None, None), None);
    }
}
