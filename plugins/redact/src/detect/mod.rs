//! The detectors. Each one is asked about a position that the [prescan](crate::prescan) marked and answers with the bytes of
//! a valid value there, or nothing. They see one value, decoded, and look at its neighbours themselves.

pub mod bearer;
pub mod card;
pub mod credential;
pub mod email;
pub mod iban;
pub mod ip;
pub mod jwt;
pub mod named;
mod names;
pub mod nir;
pub mod pairs;
pub mod phone;
mod secret_value;
pub mod userinfo;

/// The byte at `at`.
#[inline]
pub(crate) fn byte(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// The byte before `at`.
#[inline]
pub(crate) fn byte_before(text: &[u8], at: usize) -> Option<u8> {
    text.get(at.checked_sub(1)?).copied()
}

/// Whether the byte at `at` satisfies `test`; `false` beyond the end.
#[inline]
pub(crate) fn is(text: &[u8], at: usize, test: impl Fn(u8) -> bool) -> bool {
    byte(text, at).is_some_and(test)
}

/// Whether the byte before `at` satisfies `test`; `false` at the beginning.
#[inline]
pub(crate) fn is_before(text: &[u8], at: usize, test: impl Fn(u8) -> bool) -> bool {
    byte_before(text, at).is_some_and(test)
}

/// The end of the run of bytes from `at` that satisfy `test`.
#[inline]
pub(crate) fn run_end(text: &[u8], at: usize, test: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| !test(byte)).unwrap_or(rest.len())
}

/// The beginning of the run of bytes up to `at` that satisfy `test`, at most `longest` bytes.
#[inline]
pub(crate) fn run_start(text: &[u8], at: usize, longest: usize, test: impl Fn(u8) -> bool) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let run = before.iter().rev().take(longest).take_while(|&&byte| test(byte)).count();
    at - run.min(at)
}

/// Blanks a line can hold.
#[inline]
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What separates the groups of a written number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// A blank, or its spellings: `+` in a form, the non-breaking ones.
    Blank,
    /// `-`
    Hyphen,
    /// `.`
    Dot,
    /// `/`
    Slash,
}

/// The separator at `at` and the position after it.
#[inline]
pub(crate) fn separator(text: &[u8], at: usize) -> Option<(Separator, usize)> {
    match byte(text, at)? {
        b' ' | b'+' => Some((Separator::Blank, at + 1)),
        b'-' => Some((Separator::Hyphen, at + 1)),
        b'.' => Some((Separator::Dot, at + 1)),
        b'/' => Some((Separator::Slash, at + 1)),
        // U+00A0
        0xc2 if byte(text, at + 1) == Some(0xa0) => Some((Separator::Blank, at + 2)),
        // U+202F and U+2009
        0xe2 if byte(text, at + 1) == Some(0x80) && matches!(byte(text, at + 2), Some(0xaf | 0x89)) => Some((Separator::Blank, at + 3)),
        _ => None,
    }
}

/// The separator that ends at `at`, and where it begins.
#[inline]
pub(crate) fn separator_before(text: &[u8], at: usize) -> Option<(Separator, usize)> {
    for width in 1..=3 {
        let start = at.checked_sub(width)?;
        if let Some((found, end)) = separator(text, start)
            && end == at
        {
            return Some((found, start));
        }
    }
    None
}

/// Whether a number that begins at `at` is the tail of something longer: a word, an identifier, a decimal number, a date.
#[inline]
pub(crate) fn continues_before(text: &[u8], at: usize) -> bool {
    match byte_before(text, at) {
        None => false,
        Some(byte) if byte.is_ascii_alphanumeric() => true,
        // A comma is not among them: numbers in a list are more frequent than decimals that look like one.
        Some(b'.' | b'-') => is_before(text, at - 1, |byte| byte.is_ascii_digit()),
        Some(_) => false,
    }
}

/// Whether a number that ends at `at` goes on as something longer.
#[inline]
pub(crate) fn continues_after(text: &[u8], at: usize) -> bool {
    match byte(text, at) {
        None => false,
        Some(byte) if byte.is_ascii_alphanumeric() => true,
        Some(b'.' | b'-') => is(text, at + 1, |byte| byte.is_ascii_digit()),
        Some(_) => false,
    }
}

/// Whether a card or account number stands by itself, as the rule for cards asks: no letter, digit, `.` or `-` beside it. A
/// full stop that ends a sentence does not count.
#[inline]
pub(crate) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let before = is_before(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let after = match byte(text, end) {
        Some(b'.') => is(text, end + 1, |byte| byte.is_ascii_alphanumeric()),
        Some(byte) => byte.is_ascii_alphanumeric() || byte == b'-',
        None => false,
    };
    !before && !after
}

/// The value of an ASCII digit.
#[inline]
pub(crate) fn digit(text: &[u8], at: usize) -> Option<u32> {
    byte(text, at).filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0'))
}
