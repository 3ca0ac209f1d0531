//! Lists whose members hold a name and a value apart: `{"name":"Authorization","value":"…"}`, as headers stand in HAR, and
//! `{"key":…,"value":…}`, as attributes do in OTLP; `name="…" value="…"` of XML. In text, where members that are read lie in
//! a row; whole records are read by [`crate::json::pairs`].

use std::ops::Range;

use super::names::{Names, Strength, is_name};
use super::{byte, byte_before, is, run_end, run_start};

/// Members looked at on either side.
const MEMBERS_MAX: usize = 4;
/// Longest member's value that is passed over before `value`, and after it.
const BEFORE_MAX: usize = 128;
/// See [`BEFORE_MAX`].
const AFTER_MAX: usize = 2048;

/// Whether a member of this name says what another's value is.
#[must_use]
pub fn is_naming(name: &[u8]) -> bool {
    [&b"name"[..], b"key", b"header"].iter().any(|naming| name.eq_ignore_ascii_case(naming))
}

/// Whether a member of this name holds the value that another names.
#[inline]
#[must_use]
pub fn is_value(name: &[u8]) -> bool {
    matches!(name.len(), 5 | 6) && (name.eq_ignore_ascii_case(b"value") || name.eq_ignore_ascii_case(b"values"))
}

/// How far the name in a member beside `own`, whose separator is at `at`, is trusted to name a secret.
#[must_use]
pub fn sibling(text: &[u8], own: &Range<usize>, at: usize, names: &Names) -> Option<Strength> {
    if !is_value(text.get(own.clone())?) {
        return None;
    }
    before(text, own.start, names).or_else(|| after(text, at + 1, names))
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// A blank, or a form's `+`.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'+'
}

/// What stands between members.
fn is_between(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b';' | b'&')
}

/// What a value may hold that stands without quotes.
fn is_word(byte: u8) -> bool {
    byte == b'+' || !(is_between(byte) || is_quote(byte) || matches!(byte, b'=' | b'}' | b'{'))
}

fn before(text: &[u8], start: usize, names: &Names) -> Option<Strength> {
    let mut at = start - usize::from(byte_before(text, start).is_some_and(is_quote));
    for _ in 0..MEMBERS_MAX {
        at = run_start(text, at, BEFORE_MAX, is_between);
        let value = match byte_before(text, at)? {
            quote if is_quote(quote) => run_start(text, at - 1, BEFORE_MAX, |byte| byte != quote)..at - 1,
            _ => run_start(text, at, BEFORE_MAX, is_name)..at,
        };
        if value.is_empty() {
            return None;
        }
        at = value.start - usize::from(byte_before(text, value.start).is_some_and(is_quote));
        at = run_start(text, at, MEMBERS_MAX, is_blank);
        if !matches!(byte_before(text, at)?, b':' | b'=') {
            return None;
        }
        at = run_start(text, at - 1, MEMBERS_MAX, is_blank);
        at -= usize::from(byte_before(text, at).is_some_and(is_quote));
        let name = run_start(text, at, BEFORE_MAX, is_name)..at;
        at = name.start - usize::from(byte_before(text, name.start).is_some_and(is_quote));
        if is_naming(text.get(name)?) {
            return names.strength(text.get(value)?);
        }
    }
    None
}

fn after(text: &[u8], start: usize, names: &Names) -> Option<Strength> {
    let mut at = value(text, start)?.end;
    for _ in 0..MEMBERS_MAX {
        at += usize::from(is(text, at, is_quote));
        let between = run_end(text, at, is_between);
        at = between + usize::from(is(text, between, is_quote));
        let name = at..run_end(text.get(..text.len().min(at + BEFORE_MAX))?, at, is_name);
        at = name.end + usize::from(is(text, name.end, is_quote));
        at = run_end(text.get(..text.len().min(at + MEMBERS_MAX))?, at, is_blank);
        if !is(text, at, |byte| matches!(byte, b':' | b'=')) {
            return None;
        }
        let value = value(text, at + 1)?;
        at = value.end;
        if is_naming(text.get(name)?) {
            return names.strength(text.get(value)?);
        }
    }
    None
}

/// The value that begins at or behind `at`: what is between quotes, or a word.
fn value(text: &[u8], at: usize) -> Option<Range<usize>> {
    let text = text.get(..text.len().min(at + AFTER_MAX))?;
    let start = run_end(text, at, is_blank);
    match byte(text, start)? {
        quote if is_quote(quote) => {
            let length = memchr::memchr(quote, text.get(start + 1..)?)?;
            Some(start + 1..start + 1 + length)
        }
        b'{' | b'[' => None,
        _ => Some(start..run_end(text, start, is_word)),
    }
}
