//! Chance that can be written down: one small seeded generator.

use core::time::Duration;

use crate::time::micros;

/// A seeded generator of chance (`SplitMix64`), good enough to spread delays and to make ids, and of no
/// use for secrets.
///
/// It is part of the crate and its output is pinned by a test, because a recorded session has to replay
/// years later; the crates that offer generators have changed their numbers in minor releases.
///
/// ```
/// use steadfast::Rng;
///
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next(), b.next());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// A generator that yields the same numbers for the same seed, on every target.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most`, both possible.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        ((self.next() as u128 * (most as u128 + 1)) >> 64) as u64
    }

    /// A duration from `low` to `high`, both possible; `low` if they are the wrong way round.
    pub const fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let low = micros(low);
        Duration::from_micros(low.saturating_add(self.up_to(micros(high).saturating_sub(low))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that the generator's authors publish for this seed.
    #[test]
    fn the_numbers_are_pinned() {
        let mut rng = Rng::new(1_234_567);
        let got: [u64; 5] = core::array::from_fn(|_| rng.next());
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn bounds_are_reached_and_kept() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 4];
        for _ in 0..200 {
            seen[usize::try_from(rng.up_to(3)).expect("at most 3")] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(rng.up_to(0), 0);
        let _ = rng.up_to(u64::MAX);
        let (low, high) = (Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(rng.between(low, high), low);
    }
}
