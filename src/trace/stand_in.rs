//! What stands in for what must not be seen: as long, in the same places as odd, and the same for the same.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

/// Stand-ins of one kind, numbered in the order of their first appearance.
#[derive(Clone, Debug)]
pub(super) struct StandIns {
    word: &'static str,
    count: u64,
    /// For what is too short for word and number: a count for each length.
    short: [u64; SHORT],
    /// What was seen lately, by its fingerprint, and what a while ago. Two generations bound the memory: equality is
    /// kept over the last few thousand different ones.
    young: BTreeMap<u128, Name>,
    old: BTreeMap<u128, Name>,
}

/// No word with a number has so many letters that more would be short.
const SHORT: usize = 32;
/// How many are remembered in each generation.
const GENERATION: usize = 8_192;

/// What stands in for something, before it is given its shape.
#[derive(Clone, Copy, Debug)]
enum Name {
    Long(u64),
    Short(u64),
}

/// A piece of the shape of a text.
enum Unit<'a> {
    /// One byte, to be replaced.
    Letter,
    /// What says little and counts much: quotes, backslashes, control characters, escapes.
    Kept(&'a [u8]),
    /// One character of more bytes, or an escape.
    Wide(&'static str),
}

impl StandIns {
    pub(super) const fn new(word: &'static str) -> Self {
        Self { word, count: 0, short: [0; SHORT], young: BTreeMap::new(), old: BTreeMap::new() }
    }

    /// For text, or for what may be: written into JSON it takes as many bytes as the original.
    pub(super) fn plain(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.dress(bytes, &plain_units(bytes))
    }

    /// For what stands between the quotes of a JSON string.
    pub(super) fn quoted(&mut self, inside: &str) -> Vec<u8> {
        self.dress(inside.as_bytes(), &quoted_units(inside))
    }

    /// For bytes of which nothing shall stay.
    pub(super) fn opaque(&mut self, bytes: &[u8]) -> Vec<u8> {
        let units: Vec<Unit<'_>> = bytes.iter().map(|_| Unit::Letter).collect();
        self.dress(bytes, &units)
    }

    /// What stood in for this text before, if it was seen lately.
    pub(super) fn again(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let print = fingerprint(bytes);
        let is_known = self.young.contains_key(&print) || self.old.contains_key(&print);
        is_known.then(|| self.plain(bytes))
    }

    fn dress(&mut self, original: &[u8], units: &[Unit<'_>]) -> Vec<u8> {
        let letters = units.iter().filter(|unit| matches!(unit, Unit::Letter)).count();
        let name = self.name(original, letters);
        let script = self.script(name, letters);
        let mut script = script.bytes();
        let mut dressed = Vec::with_capacity(original.len());
        for unit in units {
            match unit {
                Unit::Letter => dressed.push(script.next().unwrap_or(b'.')),
                Unit::Kept(bytes) => dressed.extend_from_slice(bytes),
                Unit::Wide(text) => dressed.extend_from_slice(text.as_bytes()),
            }
        }
        dressed
    }

    fn name(&mut self, original: &[u8], letters: usize) -> Name {
        let print = fingerprint(original);
        let known = self.young.get(&print).or_else(|| self.old.get(&print)).copied();
        let name = known.unwrap_or_else(|| self.next_name(letters));
        if self.young.len() >= GENERATION {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(print, name);
        name
    }

    fn next_name(&mut self, letters: usize) -> Name {
        if long(self.word, self.count + 1).len() <= letters {
            self.count += 1;
            return Name::Long(self.count);
        }
        let count = &mut self.short[letters.min(SHORT - 1)];
        *count += 1;
        Name::Short(*count)
    }

    /// The letters that are written. Beyond `36^letters` different short ones some look alike.
    fn script(&self, name: Name, letters: usize) -> String {
        match name {
            Name::Long(number) => long(self.word, number),
            Name::Short(number) => {
                let mut rest = number;
                let digits = (0..letters).map(|_| {
                    let digit =
                        if rest == 0 { b'-' } else { b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize] };
                    rest /= 36;
                    char::from(digit)
                });
                let digits: Vec<char> = digits.collect();
                digits.into_iter().rev().collect()
            }
        }
    }
}

fn long(word: &str, number: u64) -> String {
    format!("{word}-{number}")
}

fn plain_units(bytes: &[u8]) -> Vec<Unit<'_>> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().char_indices().map(|(at, letter)| match letter {
            '"' | '\\' | '\0'..='\x1f' => Unit::Kept(&chunk.valid().as_bytes()[at..=at]),
            letter => by_width(letter),
        }));
        units.extend(chunk.invalid().iter().map(|_| Unit::Kept(b"\xff")));
    }
    units
}

fn by_width(letter: char) -> Unit<'static> {
    match letter.len_utf8() {
        1 => Unit::Letter,
        2 => Unit::Wide("é"),
        3 => Unit::Wide("€"),
        _ => Unit::Wide("😀"),
    }
}

fn quoted_units(inside: &str) -> Vec<Unit<'_>> {
    let (mut units, mut rest) = (Vec::with_capacity(inside.len()), inside);
    while let Some(letter) = rest.chars().next() {
        let (unit, length) = match (letter, rest.as_bytes().get(1)) {
            ('\\', Some(b'u')) => (by_code(rest), 6),
            ('\\', _) => (Unit::Kept(rest.get(..2).unwrap_or(rest).as_bytes()), 2),
            _ => (by_width(letter), letter.len_utf8()),
        };
        units.push(unit);
        rest = rest.get(length..).unwrap_or_default();
    }
    units
}

/// An escape by number, at the beginning of this text. Halves of a pair stay what they are.
fn by_code(text: &str) -> Unit<'_> {
    let digits = text.get(2..6).unwrap_or_default();
    match u32::from_str_radix(digits, 16).unwrap_or_default() {
        ..0x20 => Unit::Kept(text.get(..6).unwrap_or(text).as_bytes()),
        0x20..0x80 => Unit::Wide("\\u0078"),
        0x80..0x800 => Unit::Wide("\\u00e9"),
        0xd800..0xdc00 => Unit::Wide("\\ud83d"),
        0xdc00..0xe000 => Unit::Wide("\\ude00"),
        0x800.. => Unit::Wide("\\u20ac"),
    }
}

/// 128 bits of FNV-1a: enough to tell texts apart, and nothing of them is kept.
fn fingerprint(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(stand_ins: &mut StandIns, text: &str) -> String {
        String::from_utf8(stand_ins.plain(text.as_bytes())).expect("text")
    }

    #[test]
    fn equal_stays_equal_and_different_different() {
        let mut secrets = StandIns::new("secret");
        assert_eq!(plain(&mut secrets, "hunter2-hunter2"), "secret-1.......");
        assert_eq!(plain(&mut secrets, "correct horse"), "secret-2.....");
        assert_eq!(plain(&mut secrets, "hunter2-hunter2"), "secret-1.......");
        assert_eq!((plain(&mut secrets, "abc"), plain(&mut secrets, "abd")), ("--1".into(), "--2".into()));
        assert_eq!((plain(&mut secrets, "abcd"), plain(&mut secrets, "")), ("---1".into(), String::new()));
        let all: alloc::collections::BTreeSet<String> =
            (0..1_000).map(|n| plain(&mut secrets, &format!("{n:03}"))).collect();
        assert_eq!(all.len(), 1_000);
    }

    #[test]
    fn a_stand_in_takes_as_many_bytes_in_json() {
        let odd = "a\"b\\c\n\té€😀 and some more";
        let stand_in = plain(&mut StandIns::new("secret"), odd);
        assert_eq!(stand_in, "s\"e\\c\n\té€😀ret-1.........");
        let sizes = [odd, &stand_in].map(|text| (text.len(), serde_json::to_string(text).expect("JSON").len()));
        assert_eq!(sizes[0], sizes[1]);
    }

    #[test]
    fn a_quoted_stand_in_is_quoted_alike() {
        let mut payloads = StandIns::new("payload");
        for inside in ["plain words here", r"a\n\u0041\u00e4\u20ac\ud83d\ude00\u0001é€😀", r"\\", r"\u0022\/", ""]
        {
            let quoted = String::from_utf8(payloads.quoted(inside)).expect("text");
            let read = |inside: &str| serde_json::from_str::<String>(&format!("\"{inside}\"")).expect("JSON");
            assert_eq!((quoted.len(), read(&quoted).len()), (inside.len(), read(inside).len()), "{quoted}");
        }
    }

    #[test]
    fn of_bytes_nothing_stays() {
        assert_eq!(StandIns::new("payload").opaque(b"\xff\"\n\xff\xff\xff\xff\xff\xff\xff"), b"payload-1.");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut payloads = StandIns::new("payload");
        for n in 0..3 * GENERATION {
            payloads.plain(format!("message number {n}").as_bytes());
        }
        assert!(payloads.young.len() <= GENERATION && payloads.old.len() <= GENERATION);
        let last = format!("message number {}", 3 * GENERATION - 1);
        assert_eq!(payloads.plain(last.as_bytes()), payloads.plain(last.as_bytes()));
    }
}
