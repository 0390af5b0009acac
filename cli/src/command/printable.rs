//! Text of others, for the terminal.

use std::borrow::Cow;

/// The text with its control characters written out, so that it can neither command the terminal nor look like
/// several lines or like a line of ours. Tabs stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if commands(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Whether a terminal acts on it: control characters, line separators and what turns the direction of writing.
fn commands(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() && c != '\t' || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(printable("\x1b[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(printable("hello\r\nsteadfast: online"), "hello\\r\\nsteadfast: online");
        assert_eq!(printable("\u{9b}2J \u{7f} \u{0}"), "\\u{9b}2J \\u{7f} \\u{0}");
        assert_eq!(printable("a\u{202e}b\u{2028}c"), "a\\u{202e}b\\u{2028}c");
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for text in ["", "plain", "a\tb", "h\u{e9} \u{1f980} \\ \"quoted\""] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }
}
