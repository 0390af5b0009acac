//! Are two runs the same?

use std::fmt::{self, Debug, Write};

/// A 64-bit digest (FNV-1a) of everything that was added, in order: to compare the traces of two runs
/// without keeping them.
///
/// ```
/// use steadfast_sim::Digest;
///
/// let (mut a, mut b) = (Digest::default(), Digest::default());
/// a.add(&("one", 2));
/// b.add(&("one", 3));
/// assert_ne!(a, b);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds a value, by what its `Debug` prints.
    pub fn add(&mut self, value: &impl Debug) {
        write!(self, "{value:?};").expect("writing into a digest cannot fail");
    }

    /// The digest as a number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
