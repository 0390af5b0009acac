//! Which mask has the next frame? One that nobody who chooses payloads can foresee (RFC 6455 section 10.3).
//!
//! They come from the generator that the framing layer uses too, many at a time.

/// So many are drawn at once.
const DRAWN: usize = 16;

/// Masks that were drawn and not used yet.
#[derive(Default)]
pub(super) struct Masks {
    drawn: [[u8; 4]; DRAWN],
    left: usize,
}

impl Masks {
    pub(super) fn draw(&mut self) -> [u8; 4] {
        if self.left == 0 {
            rand::fill(self.drawn.as_flattened_mut());
            self.left = DRAWN;
        }
        self.left -= 1;
        self.drawn[self.left]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn masks_do_not_repeat_from_frame_to_frame_or_from_link_to_link() {
        let (mut one, mut other) = (Masks::default(), Masks::default());
        let drawn: BTreeSet<[u8; 4]> = (0..100).flat_map(|_| [one.draw(), other.draw()]).collect();
        assert!(drawn.len() > 195, "{} of 200", drawn.len());
    }
}
