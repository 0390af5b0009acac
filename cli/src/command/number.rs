//! Whole numbers within bounds, and what to write instead.

use std::ops::RangeInclusive;

/// A reader of whole numbers within these bounds. What it refuses it answers with the bounds.
pub(super) fn within(bounds: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("write a whole number from {} to {}", bounds.start(), bounds.end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_within_the_bounds_is_answered_with_them() {
        let read = within(1..=20);
        assert_eq!((read("1"), read("20")), (Ok(1), Ok(20)));
        for bad in ["", "0", "21", "-5", "x", "1.5", "99999999999999999999999"] {
            assert_eq!(read(bad), Err("write a whole number from 1 to 20".into()), "{bad:?}");
        }
    }
}
