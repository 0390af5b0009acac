//! Are these the same bytes, without keeping them?
//!
//! `SipHash-2-4` with 128 bits of output, by its authors' reference (Aumasson and Bernstein, 2012): short, fast for
//! short inputs, and with a key that nobody outside knows nobody can make two inputs that look alike.

use crate::Rng;

/// Sets our draws apart from the session's delays and ids, which are pinned by what has been recorded.
const OWN_STREAM: u64 = 0x6669_6e67_6572_7072;

/// What stands for a row of bytes. Two that differ have the same by a chance of one in 2^128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u64, u64);

/// Takes fingerprints that are of use to one session only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printer {
    key: [u64; 2],
}

impl Printer {
    /// The seed is the key.
    pub(crate) const fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ OWN_STREAM);
        Self { key: [rng.next(), rng.next()] }
    }

    /// Of one piece.
    pub(crate) fn of(&self, bytes: &[u8]) -> Fingerprint {
        let mut hash = SipHash::new(self.key);
        hash.write(bytes);
        hash.finish()
    }

    /// Of all pieces that are fed, in their order. Where one ends and the next begins counts.
    #[inline(never)]
    pub(crate) fn of_pieces(&self, feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Fingerprint {
        let mut hash = SipHash::new(self.key);
        feed(&mut |piece| {
            hash.write(&(piece.len() as u64).to_le_bytes());
            hash.write(piece);
        });
        hash.finish()
    }
}

struct SipHash {
    v: [u64; 4],
    /// The bytes that do not fill a word yet.
    rest: u64,
    length: u64,
}

impl SipHash {
    const fn new([k0, k1]: [u64; 2]) -> Self {
        let v = [
            k0 ^ 0x736f_6d65_7073_6575,
            // The output of 128 bits is set apart.
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { v, rest: 0, length: 0 }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while let Some((byte, after)) = bytes.split_first().filter(|_| self.length % 8 != 0) {
            self.push(*byte);
            bytes = after;
        }
        let words = bytes.chunks_exact(8);
        let tail = words.remainder();
        for word in words {
            self.absorb(word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
            self.length = self.length.wrapping_add(8);
        }
        tail.iter().for_each(|byte| self.push(*byte));
    }

    const fn push(&mut self, byte: u8) {
        self.rest |= (byte as u64) << (self.length % 8 * 8);
        self.length = self.length.wrapping_add(1);
        if self.length % 8 == 0 {
            self.absorb(self.rest);
            self.rest = 0;
        }
    }

    const fn absorb(&mut self, word: u64) {
        self.v[3] ^= word;
        self.rounds(2);
        self.v[0] ^= word;
    }

    const fn finish(mut self) -> Fingerprint {
        self.absorb(self.rest | self.length << 56);
        self.v[2] ^= 0xee;
        self.rounds(4);
        let first = self.folded();
        self.v[1] ^= 0xdd;
        self.rounds(4);
        Fingerprint(first, self.folded())
    }

    const fn folded(&self) -> u64 {
        let [a, b, c, d] = self.v;
        a ^ b ^ c ^ d
    }

    const fn rounds(&mut self, mut count: u32) {
        let [mut a, mut b, mut c, mut d] = self.v;
        while count > 0 {
            a = a.wrapping_add(b);
            b = b.rotate_left(13) ^ a;
            a = a.rotate_left(32);
            c = c.wrapping_add(d);
            d = d.rotate_left(16) ^ c;
            a = a.wrapping_add(d);
            d = d.rotate_left(21) ^ a;
            c = c.wrapping_add(b);
            b = b.rotate_left(17) ^ c;
            c = c.rotate_left(32);
            count -= 1;
        }
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The vectors that the authors publish (`vectors_sip128`): key 00 to 0f, inputs empty, 00, 00 01, and so on.
    const VECTORS: [u128; 64] = [
        0xa3817f04ba25a8e66df67214c7550293,
        0xda87c1d86b99af44347659119b22fc45,
        0x8177228da4a45dc7fca38bdef60affe4,
        0x9c70b60c5267a94e5f33b6b02985ed51,
        0xf88164c12d9c8faf7d0f6e7c7bcd5579,
        0x1368875980776f8854527a07690e9627,
        0x14eeca338b208613485ea0308fd7a15e,
        0xa1f1ebbed8dbc153c0b84aa61ff08239,
        0x3b62a9ba6258f5610f83e264f31497b4,
        0x264499060ad9baabc47f8b02bb6d71ed,
        0x00110dc378146956c95447d3f3d0fbba,
        0x0151c568386b6677a2b4dc6f81e5dc18,
        0xd626b266905ef35882634df68532c125,
        0x9869e247e9c08b10d029934fc4b952f7,
        0x31fcefac66d7de9c7ec7485fe4494902,
        0x5493e99933b0a8117e08ec0f97cfc3d9,
        0x6ee2a4ca67b054bbfd3315bf85230577,
        0x473d06e8738db89854c066c47ae47740,
        0xa426e5e423bf4885294da481feaef723,
        0x78017731cf65fab074d5208952512eb1,
        0x9e25fc833f2290733e9344a5e83839eb,
        0x568e495abe525a218a2214cd3e071d12,
        0x4a29b54552d16b9a469c10528eff0aae,
        0xc9d184ddd5a9f5e0cf8ce29a9abf691c,
        0x2db479ae78bd50d8882a8a178a6132ad,
        0x8ece5f042d5e447b5051b9eacb8d8f6f,
        0x9c0b53b4b3c307e87eaee08678141f66,
        0xabf248af69a6eae4bfd3eb2f129eeb94,
        0x0664da1668574b88b935f3027358aef4,
        0xaa4b9dc4bf337de90cd4fd3c467c6ab7,
        0xea5c7f471faf6bde2b1ad7d4686d2287,
        0x2939b0183223fafc1723de4f52c43d35,
        0x7c3956ca5eeafc3e363e9d556546eb68,
        0x77c6077146f01c32b6b69d5f4ea9ffcf,
        0x37a6986cb8847edf0925f0f1309b54de,
        0xa705f0e69da9a8f907241a2e923c8cc8,
        0x3dc47d1f29c448461e9e76ed904f6711,
        0x0d62bf01e6fc0e1a0d3c4751c5d3692b,
        0x8c03468bca7c669ee4fd5e084bbee7b5,
        0x528a5bb93baf2c9c4473cce5d0d22bd9,
        0xdf6a301e95c95dad97ae0cc8c6913bd8,
        0x801189902c857f39e73591285e70b6db,
        0xe617346ac9c231bb3650ae34ccca0c5b,
        0x27d93437efb721aa401821dcec5adf89,
        0x89237d9ded9c5e78d8b1c9b166cc7342,
        0x4a6d8091bf5e7d651189fa94a250b14c,
        0x0e33f96055e7ae893ffc0e3dcf492902,
        0xe61c432b720b19d18ec8d84bdc63151b,
        0xf7e5aef549f782cf379055a608269b16,
        0x438d030fd0b7a54fa837f2ad201a6403,
        0xa590d3ee4fbf04e3247e0d27f286423f,
        0x5fe2c1a172fe93c4b15cd37caef9f538,
        0x2c97325cbd06b36eb2133dd08b3a017c,
        0x92c814227a6bca949ff0659f002ad39e,
        0xdce850110bd8328cfbd50841d6911d87,
        0x67f14984c7da791248e32bb5922583da,
        0x1938f2cf72d54ee97e94166fa91d2a36,
        0x74481e9646ed49fe0f6224301604698e,
        0x57fca5de98a9d6d8006438d0583d8a1d,
        0x9fecde1cefdc1cbed4763674d9575359,
        0xe3040c00eb28f15366ca73cbd872e740,
        0x7697009a6a831dfecca91c5993670f7a,
        0x5853542321f567a005d547a4f04759bd,
        0x5150d1772f50834a503e069a973fbd7c,
    ];

    fn reference() -> Printer {
        let word = |from| u64::from_le_bytes(core::array::from_fn(|at| from + at as u8));
        Printer { key: [word(0), word(8)] }
    }

    fn in_words(print: Fingerprint) -> u128 {
        u128::from(print.0.swap_bytes()) << 64 | u128::from(print.1.swap_bytes())
    }

    #[test]
    fn the_vectors_of_the_authors() {
        let input: Vec<u8> = (0..64).collect();
        for (length, expected) in VECTORS.into_iter().enumerate() {
            assert_eq!(in_words(reference().of(&input[..length])), expected, "{length} bytes");
        }
    }

    #[test]
    fn how_bytes_come_in_does_not_matter() {
        let input: Vec<u8> = (0..63).collect();
        for cut in 0..=input.len() {
            let mut hash = SipHash::new(reference().key);
            hash.write(&input[..cut]);
            hash.write(&input[cut..]);
            assert_eq!(in_words(hash.finish()), VECTORS[63], "cut at {cut}");
        }
    }

    #[test]
    fn pieces_do_not_run_into_each_other() {
        let printer = Printer::new(7);
        let of = |pieces: &[&str]| printer.of_pieces(|feed| pieces.iter().for_each(|piece| feed(piece.as_bytes())));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        let different = [&["ab", "c"][..], &["a", "bc"], &["abc"], &["abc", ""], &["", "abc"], &[]];
        for (at, pieces) in different.iter().enumerate() {
            assert!(different[..at].iter().all(|before| of(before) != of(pieces)), "{pieces:?}");
        }
    }

    /// Who knows the fingerprints of one session knows nothing of those of another.
    #[test]
    fn the_seed_is_the_key() {
        assert_eq!(Printer::new(7).of(b"order 17"), Printer::new(7).of(b"order 17"));
        assert_ne!(Printer::new(7).of(b"order 17"), Printer::new(8).of(b"order 17"));
    }
}
