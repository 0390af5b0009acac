//! Durations as people write them: `500ms`, `2s`, `1m`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
///
/// It is not a whole number with a unit, or it is zero.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| HOW.to_owned())?;
    let millis = match &text[digits.len()..] {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).ok_or_else(|| HOW.to_owned())
}

const HOW: &str = "write a whole number above zero with its unit, such as 500ms, 2s or 1m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_unit() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse("1m"), Ok(Duration::from_secs(60)));
        for bad in ["", "5", "s", "0s", "-1s", "1.5s", "2 s", "3h", "999999999999999999999s", "18446744073709551615m"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
