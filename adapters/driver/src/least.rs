//! How little room has the tightest of many mailboxes?

/// A bag of numbers that knows its least one, down to the power of two below it. Nothing in it grows with how many
/// there are.
#[derive(Debug)]
pub(crate) struct Least {
    /// How many numbers have so many digits.
    counts: [u32; 65],
    /// Which of these are not zero.
    used: u128,
}

impl Least {
    pub(crate) const fn new() -> Self {
        Self { counts: [0; 65], used: 0 }
    }

    pub(crate) fn insert(&mut self, number: u64) {
        let digits = digits(number);
        self.counts[digits] += 1;
        self.used |= 1 << digits;
    }

    /// A number that was inserted.
    pub(crate) fn remove(&mut self, number: u64) {
        let digits = digits(number);
        self.counts[digits] -= 1;
        if self.counts[digits] == 0 {
            self.used &= !(1 << digits);
        }
    }

    /// No number is less than this, and the least one is less than twice as much.
    pub(crate) fn get(&self) -> Option<u64> {
        match self.used.trailing_zeros() {
            128 => None,
            0 => Some(0),
            digits => Some(1 << (digits - 1)),
        }
    }
}

const fn digits(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_too_much_and_less_than_half_is_given_away() {
        let mut bag = Least::new();
        assert_eq!(bag.get(), None);
        for (number, least) in [(u64::MAX, 1 << 63), (1_000, 512), (512, 512), (3, 2), (1, 1), (0, 0)] {
            bag.insert(number);
            assert_eq!(bag.get(), Some(least), "{number}");
        }
        for (number, least) in [(0, Some(1)), (1, Some(2)), (3, Some(512)), (1_000, Some(512)), (512, Some(1 << 63))] {
            bag.remove(number);
            assert_eq!(bag.get(), least, "{number}");
        }
        bag.remove(u64::MAX);
        assert_eq!(bag.get(), None);
    }
}
