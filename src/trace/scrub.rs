//! A JSON text in which some values are replaced and nothing else changes: not its length, not its shape.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::de::IgnoredAny;

/// What becomes of the value of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It stays.
    Keep,
    /// It is secret, with all that is in it.
    Secret,
    /// It is payload.
    Payload,
}

/// Decides, and replaces.
pub(super) trait Pen {
    /// What becomes of the values of members with this name.
    fn rule(&self, name: &str) -> Rule;
    /// What stands in for the inside of a string. (It is as long.)
    fn replace(&mut self, rule: Rule, inside: &str) -> Option<Vec<u8>>;
    /// Whether digits are blotted out.
    fn blots(&self, rule: Rule) -> bool;
}

/// Goes through a text with a pen. `None` if it is no JSON, or neither object nor array.
pub(super) fn scrub(text: &str, pen: &mut impl Pen) -> Option<Vec<u8>> {
    let first = text.trim_ascii_start().as_bytes().first()?;
    if !matches!(first, b'{' | b'[') || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut scrubber = Scrubber { text, at: 0, out: Vec::with_capacity(text.len()), levels: Vec::new(), pen };
    scrubber.run();
    Some(scrubber.out)
}

/// An object or array that is open.
struct Level {
    is_object: bool,
    /// The next string is the name of a member.
    wants_name: bool,
    /// What becomes of the next value in it.
    rule: Rule,
    /// Everything in it is secret.
    is_secret: bool,
}

struct Scrubber<'a, P> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
    levels: Vec<Level>,
    pen: &'a mut P,
}

impl<P: Pen> Scrubber<'_, P> {
    /// The text is known to be JSON, so each byte outside of strings says what it is.
    fn run(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at).copied() {
            match byte {
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                _ => {
                    self.structure(byte);
                    self.out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn structure(&mut self, byte: u8) {
        let rule = self.rule();
        match (byte, self.levels.last_mut()) {
            (b'{' | b'[', _) => {
                let is_object = byte == b'{';
                let is_secret = rule == Rule::Secret;
                self.levels.push(Level { is_object, wants_name: is_object, rule, is_secret });
            }
            (b'}' | b']', _) => drop(self.levels.pop()),
            (b',', Some(level)) => level.wants_name = level.is_object,
            (b':', Some(level)) => level.wants_name = false,
            _ => {}
        }
    }

    fn rule(&self) -> Rule {
        self.levels.last().map_or(Rule::Payload, |level| level.rule)
    }

    fn string(&mut self) {
        let from = self.at + 1;
        let inside = &self.text[from..from + inside_of_string(&self.text[from..])];
        self.at = from + inside.len() + 1;
        let rule = self.rule();
        let replaced = match self.levels.last_mut().filter(|level| level.wants_name) {
            Some(level) => {
                level.rule = if level.is_secret { Rule::Secret } else { self.pen.rule(&unescaped(inside)) };
                None
            }
            None => self.pen.replace(rule, inside),
        };
        self.out.push(b'"');
        self.out.extend_from_slice(replaced.as_deref().unwrap_or(inside.as_bytes()));
        self.out.push(b'"');
    }

    fn number(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let is_part = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = rest.iter().take_while(is_part).count();
        let blots = self.pen.blots(self.rule());
        let blot = |byte: &u8| if blots && byte.is_ascii_digit() { b'1' } else { *byte };
        self.out.extend(rest[..length].iter().map(blot));
        self.at += length;
    }
}

/// How far it is to the closing quote.
fn inside_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    let closes = |byte: u8| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    };
    text.bytes().position(closes).unwrap_or(text.len())
}

fn unescaped(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    serde_json::from_str::<String>(&alloc::format!("\"{inside}\"")).map_or(Cow::Borrowed(inside), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces strings by stars, and digits.
    struct Stars;

    impl Pen for Stars {
        fn rule(&self, name: &str) -> Rule {
            match name {
                "id" => Rule::Keep,
                "token" => Rule::Secret,
                _ => Rule::Payload,
            }
        }

        fn replace(&mut self, rule: Rule, inside: &str) -> Option<Vec<u8>> {
            let star = if rule == Rule::Secret { b'$' } else { b'*' };
            (rule != Rule::Keep).then(|| inside.bytes().map(|_| star).collect())
        }

        fn blots(&self, rule: Rule) -> bool {
            rule != Rule::Keep
        }
    }

    fn scrubbed(text: &str) -> Option<String> {
        scrub(text, &mut Stars).map(|out| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn only_values_change() {
        for (text, expected) in [
            (r#"{"id":"a-1","x":"secret","n":-12.5e3}"#, r#"{"id":"a-1","x":"******","n":-11.1e1}"#),
            (
                r#"{"x":{"id":7,"y":[7,"z",{"id":"k"}]},"id":[1,"b"]}"#,
                r#"{"x":{"id":7,"y":[1,"*",{"id":"k"}]},"id":[1,"b"]}"#,
            ),
            (r#"{"token":{"id":"in it","n":[10]},"id":1}"#, r#"{"token":{"id":"$$$$$","n":[11]},"id":1}"#),
            (r#" [ "a\"]" , true , null ] "#, r#" [ "****" , true , null ] "#),
            (r#"{"\u0069d":"a","i\"d":"b"}"#, r#"{"\u0069d":"a","i\"d":"*"}"#),
        ] {
            assert_eq!(scrubbed(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_object_is_left_to_others() {
        for text in ["", "hello", "\"hello\"", "17", "{", "{}{}", "{'a':1}"] {
            assert_eq!(scrubbed(text), None, "{text}");
        }
    }
}
