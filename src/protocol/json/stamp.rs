//! What does a peer's clock say? Points in time, read as ISO 8601 or as milliseconds, written as one of them.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::{Raw, write::Sink};
use crate::Timestamp;

/// How points in time are written. All forms are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Stamps {
    /// `"2026-11-20T10:00:00.120Z"`: ISO 8601 in UTC, with milliseconds.
    #[default]
    Iso,
    /// `1795168800120`: milliseconds since 1970.
    Millis,
    /// Not at all.
    None,
}

impl Stamps {
    /// Writes a point in time as a JSON value.
    pub(super) fn write(self, at: Timestamp, sink: &mut impl Sink) {
        match self {
            Self::Iso => {
                sink.put(b"\"");
                write_iso(at, sink);
                sink.put(b"\"");
            }
            Self::Millis => write_digits(at.as_micros() / 1_000, 1, sink),
            Self::None => sink.put(b"null"),
        }
    }
}

/// Reads a timestamp out of a JSON value: ISO 8601, a number of milliseconds, or `null`, which is none.
pub(super) struct ReadStamp;

impl<'de> DeserializeSeed<'de> for ReadStamp {
    type Value = Option<Timestamp>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ReadStamp {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ISO 8601 date and time, or milliseconds")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Self::Value, E> {
        Ok(Some(Timestamp::from_millis(millis)))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Self::Value, E> {
        Ok(Some(Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))))
    }

    fn visit_f64<E: Error>(self, millis: f64) -> Result<Self::Value, E> {
        // The cast saturates at both ends; clocks of scripts do count in fractions.
        Ok(Some(Timestamp::from_micros((millis * 1_000.0) as u64)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        read_iso(text).map(Some).ok_or_else(|| E::custom("a timestamp is neither ISO 8601 nor milliseconds"))
    }
}

/// Reads a timestamp out of a value that nobody has parsed yet.
pub(super) fn read(value: &Raw) -> Option<Timestamp> {
    ReadStamp.deserialize(&mut serde_json::Deserializer::from_str(value.as_str())).ok().flatten()
}

/// Reads `2026-11-20T10:00:00.120Z`: seconds, fraction and zone may be missing (no zone is UTC), a space may
/// stand for the `T`, the time may be missing altogether, and a year may have a sign and six digits. A time
/// before 1970 is read as 1970: it is what some languages write for "none".
pub(super) fn read_iso(text: &str) -> Option<Timestamp> {
    let mut rest = Cursor(text.as_bytes());
    let days = rest.date()?;
    let mut micros = i128::from(days) * 86_400_000_000;
    if rest.take(b"Tt ").is_some() {
        micros += i128::from(rest.time()?) - i128::from(rest.zone()?) * 60_000_000;
    }
    let micros = u64::try_from(micros.max(0)).unwrap_or(u64::MAX);
    rest.0.is_empty().then_some(Timestamp::from_micros(micros))
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// A date as days since 1970.
    fn date(&mut self) -> Option<i64> {
        let year = match self.take(b"+-") {
            Some(b'-') => -self.digits(6)?,
            Some(_) => self.digits(6)?,
            None => self.digits(4)?,
        };
        self.take(b"-")?;
        let month = self.digits(2)?;
        self.take(b"-")?;
        let day = self.digits(2)?;
        let fits = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        fits.then(|| days_before(year) + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1)
    }

    /// A time of day in microseconds. A leap second is read as the second after it.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        self.take(b":")?;
        let minute = self.digits(2).filter(|minute| *minute < 60)?;
        let second = match self.take(b":") {
            Some(_) => self.digits(2).filter(|second| *second <= 60)?,
            None => 0,
        };
        let micros = if self.take(b".,").is_some() { self.fraction()? } else { 0 };
        Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
    }

    /// A fraction of a second in microseconds; finer digits are left out.
    fn fraction(&mut self) -> Option<i64> {
        let (mut micros, mut unit) = (self.digits(1)? * 100_000, 10_000);
        while let Some(digit) = self.digits(1) {
            micros += digit * unit;
            unit /= 10;
        }
        Some(micros)
    }

    /// The offset from UTC in minutes; none is UTC.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.take(b"Zz+-") {
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) | None => return Some(0),
        };
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        let colon = self.take(b":").is_some();
        let minutes = if colon || !self.0.is_empty() { self.digits(2).filter(|minutes| *minutes < 60)? } else { 0 };
        Some(sign * (hours * 60 + minutes))
    }

    fn take(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| any.contains(first))?;
        self.0 = rest;
        Some(*first)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.0.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        self.0 = &self.0[count..];
        Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }
}

fn write_iso(at: Timestamp, sink: &mut impl Sink) {
    let millis = at.as_micros() / 1_000;
    let (year, month, day) = date_of(i64::try_from(millis / 86_400_000).unwrap_or(i64::MAX));
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    if year > 9_999 {
        sink.put(b"+");
    }
    write_digits(unsigned(year), if year > 9_999 { 6 } else { 4 }, sink);
    for (before, value, width) in [
        (b"-", unsigned(month), 2),
        (b"-", unsigned(day), 2),
        (b"T", millis / 3_600_000 % 24, 2),
        (b":", millis / 60_000 % 60, 2),
        (b":", millis / 1_000 % 60, 2),
        (b".", millis % 1_000, 3),
    ] {
        sink.put(before);
        write_digits(value, width, sink);
    }
    sink.put(b"Z");
}

/// Writes a number with at least `width` digits.
pub(super) fn write_digits(value: u64, width: usize, sink: &mut impl Sink) {
    let (mut digits, mut from, mut rest) = ([b'0'; 20], 20, value);
    while rest > 0 {
        from -= 1;
        digits[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    sink.put(&digits[from.min(20 - width)..]);
}

/// The date of a day counted from 1970. The year is guessed from the mean length of years, and put right.
fn date_of(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day.saturating_mul(400) / 146_097;
    while days_before(year) > day {
        year -= 1;
    }
    while days_before(year + 1) <= day {
        year += 1;
    }
    let (mut month, mut rest) = (1, day - days_before(year));
    while rest >= days_in(year, month) {
        rest -= days_in(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

/// Days from 1970 to the first day of a year.
fn days_before(year: i64) -> i64 {
    let leap_days = |last: i64| last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400);
    365 * (year - 1970) + leap_days(year - 1) - leap_days(1969)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use quickcheck::{Gen, QuickCheck};

    use super::*;

    fn written(at: Timestamp) -> String {
        let mut out = Vec::new();
        write_iso(at, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn known_dates_in_both_directions() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("1972-02-29T23:59:59.000Z", 68_255_999),
            ("1999-12-31T23:59:59.000Z", 946_684_799),
            ("2000-02-29T12:00:00.000Z", 951_825_600),
            ("2000-03-01T00:00:00.000Z", 951_868_800),
            ("2026-11-20T10:00:00.000Z", 1_795_168_800),
            ("2100-02-28T00:00:00.000Z", 4_107_456_000),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400),
            ("9999-12-31T23:59:59.000Z", 253_402_300_799),
            ("+010000-01-01T00:00:00.000Z", 253_402_300_800),
        ] {
            let at = Timestamp::from_millis(seconds * 1_000);
            assert_eq!(read_iso(text), Some(at), "{text}");
            assert_eq!(written(at), text);
        }
    }

    #[test]
    fn the_same_moment_in_many_spellings() {
        let at = Some(Timestamp::from_micros(1_795_168_800_120_000));
        for text in [
            "2026-11-20T10:00:00.12Z",
            "2026-11-20 10:00:00.120000",
            "2026-11-20t10:00:00,120000999z",
            "2026-11-20T12:30:00.12+02:30",
            "2026-11-20T12:30:00.12+0230",
            "2026-11-20T05:00:00.12-05",
            "2026-11-19T23:00:00.12-11:00",
        ] {
            assert_eq!(read_iso(text), at, "{text}");
        }
        assert_eq!(read_iso("2026-11-20T10:00"), Some(Timestamp::from_millis(1_795_168_800_000)));
        assert_eq!(read_iso("2016-12-31T23:59:60Z"), read_iso("2017-01-01T00:00:00Z"));
        assert_eq!(read_iso("2026-11-20"), read_iso("2026-11-20T00:00:00Z"));
    }

    #[test]
    fn what_was_before_the_epoch_or_lies_beyond_all_measure_saturates() {
        for text in ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "-000001-01-01", "1970-01-01T00:00+23:59"] {
            assert_eq!(read_iso(text), Some(Timestamp::ZERO), "{text}");
        }
        assert_eq!(read_iso("+999999-12-31T23:59:59-23:59"), Some(Timestamp::MAX));
        assert_eq!(written(Timestamp::MAX), "+586524-01-19T08:01:49.551Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Z",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "2026-11-20T",
            "2026-11-20T24:00",
            "2026-11-20T10:60",
            "2026-11-20T10:00:61",
            "2026-11-20T10:00:00.",
            "2026-11-20T10:00+",
            "2026-11-20T10:00+24",
            "2026-11-20T10:00+02:",
            "2026-11-20T10:00Zulu",
            "2026-11-20x10:00",
            "+2026-11-20",
            "2026-11-20Z",
            "２０２６-11-20",
            "2026-11-20T10:00:00.12é",
        ] {
            assert_eq!(read_iso(text), None, "{text}");
        }
    }

    #[test]
    fn every_millisecond_comes_back() {
        fn law(micros: u64) -> bool {
            let at = Timestamp::from_micros(micros / 1_000 * 1_000);
            read_iso(&written(at)) == Some(at)
        }
        QuickCheck::new().tests(3_000).rng(Gen::from_size_and_seed(120, 1)).quickcheck(law as fn(u64) -> bool);
        for day in 0..150_000 {
            assert!(law(day * 86_400_000_000), "{day}");
        }
    }

    #[test]
    fn no_text_makes_it_stumble() {
        fn law(text: String) -> bool {
            read_iso(&text);
            read_iso(&format!("2026-11-20T{text}"));
            true
        }
        QuickCheck::new().tests(3_000).rng(Gen::from_size_and_seed(40, 2)).quickcheck(law as fn(String) -> bool);
    }

    #[test]
    fn numbers_are_milliseconds() {
        let read = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            ReadStamp.deserialize(&mut json).map_err(|error| format!("{error}"))
        };
        assert_eq!(read("1795168800120"), Ok(Some(Timestamp::from_millis(1_795_168_800_120))));
        assert_eq!(read("1795168800120.25"), Ok(Some(Timestamp::from_micros(1_795_168_800_120_250))));
        assert_eq!(read("-5"), Ok(Some(Timestamp::ZERO)));
        assert_eq!(read("-5.5"), Ok(Some(Timestamp::ZERO)));
        assert_eq!(read("1e300"), Ok(Some(Timestamp::MAX)));
        assert_eq!(read("18446744073709551615"), Ok(Some(Timestamp::MAX)));
        assert_eq!(read("null"), Ok(None));
        assert!(read("true").is_err() && read("[]").is_err() && read("\"soon\"").is_err());
    }
}
