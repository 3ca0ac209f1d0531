//! Making hostile text safe to print.

use std::fmt::Write;

/// The text with control and direction-changing characters as visible escapes, so that nothing in it can drive a terminal
/// or pretend to be another line. Tabs become a space.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(&mut out, character);
    }
    out
}

/// Like [`escaped`], cut where nobody reads on: a message may quote a key of a megabyte.
pub(super) fn sentence(text: &str) -> String {
    const CHARS_MAX: usize = 600;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", escaped(text.get(..end).unwrap_or_default())),
        None => escaped(text),
    }
}

pub(super) fn push_escaped(out: &mut String, character: char) {
    match character {
        '\t' => out.push(' '),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        _ if character.is_control() || is_invisible(character) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
        _ => out.push(character),
    }
}

/// Characters that change the direction of text, break lines or are not seen.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{escaped, sentence};

    #[test]
    fn a_sentence_ends() {
        assert_eq!(sentence("short\n"), "short\\n");
        assert_eq!(sentence(&"é".repeat(5_000)).chars().count(), 601);
    }

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        assert_eq!(escaped("a\u{1b}[31mb\u{9b}c\r\n\0"), "a\\u{1b}[31mb\\u{9b}c\\r\\n\\u{0}");
        assert_eq!(escaped("\u{202e}x\té"), "\\u{202e}x é");
    }
}
