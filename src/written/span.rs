//! Durations as people write them: `250 ms`, `25 s`, `never`.

use core::{fmt, time::Duration};

/// The units, from long to short, in nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A duration that is written as a whole number of the longest unit that fits, and `Duration::MAX` as `never`.
/// Nothing is rounded.
#[derive(Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match UNITS.iter().find(|(_, unit)| nanos != 0 && nanos % unit == 0) {
            _ if self.0 == Duration::MAX => f.write_str("never"),
            Some((name, unit)) => write!(f, "{} {name}", nanos / unit),
            None => f.write_str("0 s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_longest_unit_that_needs_no_rounding() {
        let written = [0, 999, 1_500_000, 90_000_000_000, 60_000_000_000, 7_200_000_000_000]
            .map(|nanos| Span(Duration::from_nanos(nanos)).to_string());
        assert_eq!(written, ["0 s", "999 ns", "1500 us", "90 s", "1 min", "2 h"]);
        assert_eq!(Span(Duration::MAX).to_string(), "never");
    }
}
