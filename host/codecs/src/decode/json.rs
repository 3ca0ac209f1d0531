//! JSON inside of lines: finding where a value ends, its members, and what a string says.

use super::cursor::{Bad, Result};
use super::object::string;

/// How deep JSON inside of a line may be nested.
pub(crate) const DEPTH_MAX: u32 = 64;

/// Passes blanks. A line feed is none: JSON inside of a record stands on one line.
pub(crate) fn blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// One behind the value that begins at `at`. `Err`: it is not JSON (RFC 8259), or nested more than [`DEPTH_MAX`] deep.
pub(crate) fn value(text: &[u8], at: usize) -> Result<usize> {
    // One bit a level: whether it is an object.
    let (mut kinds, mut depth) = (0u64, 0u32);
    let mut at = at;
    loop {
        // A value begins.
        at = blanks(text, at);
        match text.get(at) {
            Some(&open @ (b'{' | b'[')) => {
                if depth >= DEPTH_MAX {
                    return Err(Bad::new(at, "JSON nested at most 64 deep"));
                }
                let is_object = open == b'{';
                at = blanks(text, at + 1);
                if text.get(at) == Some(if is_object { &b'}' } else { &b']' }) {
                    at += 1;
                } else {
                    kinds = (kinds << 1) | u64::from(is_object);
                    depth += 1;
                    if is_object {
                        at = name(text, at)?;
                    }
                    continue;
                }
            }
            Some(b'"') => at = string_end(text, at)?,
            _ => at = plain(text, at)?,
        }
        // A value has ended; so may what it stands in.
        loop {
            if depth == 0 {
                return Ok(at);
            }
            at = blanks(text, at);
            let is_object = kinds & 1 == 1;
            match text.get(at) {
                Some(b',') => {
                    at += 1;
                    if is_object {
                        at = name(text, blanks(text, at))?;
                    }
                    break;
                }
                Some(b'}') if is_object => at += 1,
                Some(b']') if !is_object => at += 1,
                _ => return Err(Bad::new(at, if is_object { "`,` or `}` of JSON" } else { "`,` or `]` of JSON" })),
            }
            kinds >>= 1;
            depth -= 1;
        }
    }
}

/// Passes a member's name and its colon.
fn name(text: &[u8], at: usize) -> Result<usize> {
    if text.get(at) != Some(&b'"') {
        return Err(Bad::new(at, "a member's name in quotes"));
    }
    let at = blanks(text, string_end(text, at)?);
    if text.get(at) == Some(&b':') { Ok(at + 1) } else { Err(Bad::new(at, "`:` behind a member's name")) }
}

/// One behind the closing quote of the string whose quote stands at `at`.
fn string_end(text: &[u8], at: usize) -> Result<usize> {
    let mut at = at + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
            return Err(Bad::new(text.len(), "the closing quote of a JSON string"));
        };
        let before = rest.get(..found).unwrap_or_default();
        if before.iter().any(|byte| *byte < 0x20) {
            let control = before.iter().position(|byte| *byte < 0x20).unwrap_or(0);
            return Err(Bad::new(at + control, "an escape instead of a control character in a JSON string"));
        }
        at += found;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        match text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
            Some(b'u') if hex(text, at + 2).is_some() => at += 6,
            _ => return Err(Bad::new(at, "an escape that JSON knows")),
        }
    }
}

fn hex(text: &[u8], at: usize) -> Option<u16> {
    text.get(at..at + 4)?.iter().try_fold(0u16, |all, byte| Some((all << 4) | (*byte as char).to_digit(16)? as u16))
}

/// `true`, `false`, `null` or a number.
fn plain(text: &[u8], at: usize) -> Result<usize> {
    let rest = text.get(at..).unwrap_or_default();
    for word in [b"true".as_slice(), b"false", b"null"] {
        if rest.starts_with(word) {
            return Ok(at + word.len());
        }
    }
    let length = number(rest);
    if length > 0 { Ok(at + length) } else { Err(Bad::new(at, "a JSON value")) }
}

/// The length of the JSON number at the beginning of `text`; 0 when there is none.
pub(crate) fn number(text: &[u8]) -> usize {
    let digits = |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    match (text.get(at), digits(at)) {
        (_, 0) => return 0,
        (Some(b'0'), _) => at += 1,
        (_, length) => at += length,
    }
    if text.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return 0,
            length => at += 1 + length,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return 0,
            length => at += 1 + sign + length,
        }
    }
    at
}

/// Calls `each` with the name (quotes included), the value and the value's place of every member of the object that begins at
/// `at`. Gives the place behind its brace.
pub(crate) fn members<'a>(text: &'a [u8], at: usize, mut each: impl FnMut(&'a [u8], &'a [u8], usize) -> Result<()>) -> Result<usize> {
    if text.get(at) != Some(&b'{') {
        return Err(Bad::new(at, "a JSON object"));
    }
    let mut at = blanks(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let from = at;
        at = name(text, at)?;
        // What `name` passed: a string, blanks and a colon.
        let quoted = text.get(from..at - 1).unwrap_or_default().trim_ascii_end();
        let start = blanks(text, at);
        at = value(text, start)?;
        each(quoted, text.get(start..at).unwrap_or_default(), start)?;
        at = blanks(text, at);
        match text.get(at) {
            Some(b',') => at = blanks(text, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return Err(Bad::new(at, "`,` or `}` of JSON")),
        }
    }
}

/// Calls `each` with every element of the array `text`, which is valid JSON.
pub(crate) fn elements<'a>(text: &'a [u8], mut each: impl FnMut(&'a [u8]) -> Result<()>) -> Result<()> {
    let mut at = blanks(text, 1);
    if text.get(at) == Some(&b']') {
        return Ok(());
    }
    loop {
        let start = blanks(text, at);
        at = value(text, start)?;
        each(text.get(start..at).unwrap_or_default())?;
        at = blanks(text, at);
        match text.get(at) {
            Some(b',') => at += 1,
            _ => return Ok(()),
        }
    }
}

/// Writes what a valid JSON string (with its quotes) says into `out`, from its beginning. A lone half of a surrogate pair, which
/// no text can hold, becomes U+FFFD.
pub(crate) fn unescape(quoted: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let mut length = 2;
        match rest.get(at + 1) {
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'u') => {
                length = 6;
                let unit = hex(rest, at + 2).unwrap_or(0xFFFD);
                let next = (rest.get(at + 6..at + 8) == Some(b"\\u")).then(|| hex(rest, at + 8)).flatten();
                let character = match (unit, next) {
                    (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                        length = 12;
                        char::from_u32(0x10000 + ((u32::from(unit) - 0xD800) << 10) + (u32::from(low) - 0xDC00))
                    }
                    _ => char::from_u32(u32::from(unit)),
                };
                let mut bytes = [0; 4];
                out.extend_from_slice(character.unwrap_or('\u{FFFD}').encode_utf8(&mut bytes).as_bytes());
            }
            Some(other) => out.push(*other),
            None => {}
        }
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Appends `text` as JSON: as it is where it is an object or an array, else as a string. Says which it was.
pub(crate) fn nested(text: &[u8], out: &mut Vec<u8>) -> bool {
    let inner = text.trim_ascii();
    let is_json = matches!(inner.first(), Some(b'{' | b'[')) && value(inner, 0) == Ok(inner.len());
    if is_json {
        out.extend_from_slice(inner);
    } else {
        string(out, text);
    }
    is_json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_serde_json() {
        let texts = [
            "{}",
            "[]",
            "[1,2]",
            "{\"a\":[{\"b\":null}],\"c\":-1.5e+3}",
            "0",
            "-",
            "01",
            "1.",
            "1e",
            "1e5",
            "-0.0",
            "true",
            "tru",
            "nul",
            "\"",
            "\"a",
            "\"\\\"\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\u1234\"",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" : 1}",
            "{a:1}",
            "{\"a\"}",
            "[1 2]",
            "[}",
            "{]",
            "[[[]]]",
            "[[]",
            "{\"a\":{\"b\":[]}}",
            "\"\u{1}\"",
            " {}",
            "\t[ ]",
            "[ { } , 3 ]",
            "",
        ];
        for text in texts {
            let ours = value(text.as_bytes(), 0) == Ok(text.len());
            assert_eq!(ours, serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!((value(deep(64).as_bytes(), 0), value(deep(65).as_bytes(), 0).is_err()), (Ok(128), true));
        assert!(value(&b"[".repeat(1_000_000), 0).is_err());
        assert!(value(b"[\n1]", 0).is_err(), "one line");
    }

    #[test]
    fn strings_say_what_they_say() {
        for text in [r#""""#, r#""a\"b\\c\/\b\f\n\r\t""#, r#""\u00e9\u20ac\ud83d\ude00x""#, r#""\u003d\u0026""#, r#""é""#] {
            let mut out = b"old".to_vec();
            unescape(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::from_str::<String>(text).unwrap());
        }
        let mut out = Vec::new();
        unescape(br#""\ud83dx\udc00""#, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\u{FFFD}x\u{FFFD}");
    }
}
