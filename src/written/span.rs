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

#[cfg(feature = "serde")]
pub(crate) use serde_impl::{deserialize, option, serialize};

#[cfg(feature = "serde")]
mod serde_impl {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::{Duration, Span, UNITS, fmt};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        Span(*span).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Span::deserialize(from).map(|span| span.0)
    }

    /// The same where there may be none.
    pub(crate) mod option {
        use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, Span};

        #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
        pub(crate) fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            span.map(Span).serialize(to)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<Span>::deserialize(from)?.map(|span| span.0))
        }
    }

    impl Serialize for Span {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Span {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_str(Written)
        }
    }

    struct Written;

    impl de::Visitor<'_> for Written {
        type Value = Span;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(
                "a duration as a whole number with its unit (h, min, s, ms, us, ns), such as \"25 s\", or \"never\"",
            )
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
            read(text).map(Span).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    fn read(text: &str) -> Option<Duration> {
        if text == "never" {
            return Some(Duration::MAX);
        }
        let (number, name) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name.trim_start())?;
        let nanos = number.parse::<u128>().ok()?.checked_mul(*unit)?;
        let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
        Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, rest))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use alloc::string::ToString;

        #[test]
        fn what_is_written_is_read_as_it_was() {
            let odd = Duration::new(3_601, 1);
            let all = [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(1_500), odd, Duration::MAX];
            for span in all.into_iter().chain((0..200).map(|n| Duration::from_nanos(7_u64.saturating_pow(n)))) {
                assert_eq!(read(&Span(span).to_string()), Some(span), "{}", Span(span));
            }
        }

        #[test]
        fn only_a_whole_number_with_a_unit_is_a_duration() {
            assert_eq!(read("25s"), Some(Duration::from_secs(25)));
            for bad in ["", "25", "s", "1.5 s", "-1 s", "25 m", "25 seconds", "Never", "99999999999999999999 h"] {
                assert_eq!(read(bad), None, "{bad}");
            }
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
