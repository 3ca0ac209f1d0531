//! Where the value after a secret's name begins and ends, and whether it can be a secret at all. Log formats do not escape
//! values, so the end is a judgement: when in doubt the longer reading is taken.

use std::ops::Range;

use super::bearer::token_end;
use super::named::Strength;
use super::{byte, byte_before, is, is_before, is_blank, run_end};
use crate::kind::Kind;

/// Most blanks between separator and value.
const BLANKS_MAX: usize = 8;
/// Most digits that a weak name may be followed by without being a secret: a status or fault code, an amount.
const PLAIN_DIGITS_MAX: usize = 9;
/// From this length on, letters of both cases are a token, not a word.
const LETTERS_MIN: usize = 20;

/// How the name and its separator were written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// How far the name is trusted.
    pub(super) strength: Strength,
    /// `name: value`, as headers are written and sentences.
    pub(super) prose: bool,
}

/// How many values that overlap are refused before the next one is taken for a secret.
const REFUSALS_MAX: usize = 8;

/// Values that were refused in one text. A value that holds the names of others (`token=token=token=…`) would be read again
/// for each of them, in quadratic time; nobody but an attacker writes that, so it is taken as a secret after a few.
#[derive(Debug, Default)]
pub struct Refusals {
    end: usize,
    count: usize,
}

impl Refusals {
    /// Whether `range` is taken, given whether it looks like a secret.
    pub(super) fn take(&mut self, range: &Range<usize>, is_secret: bool) -> bool {
        if is_secret {
            return true;
        }
        self.count = if range.start < self.end { self.count + 1 } else { 0 };
        self.end = self.end.max(range.end);
        self.count > REFUSALS_MAX
    }
}

/// The secret that follows a separator that ends at `at`.
pub(super) fn find(text: &[u8], at: usize, form: Form, refusals: &mut Refusals) -> Option<Range<usize>> {
    let start = run_end(text, at, is_blank);
    if start - at > BLANKS_MAX {
        return None;
    }
    let (range, form) = match byte(text, start)? {
        quote @ (b'"' | b'\'') => (start + 1..quoted_end(text, start + 1, quote), Form { prose: false, ..form }),
        // A quote of nested JSON that is still escaped: the decoded text is looked at as well.
        b'\\' => return None,
        b'[' | b'{' if is(text, start + 1, |byte| matches!(byte, b'"' | b'\'')) => {
            // Within an array or object of that name everything is secret.
            let strength = if form.strength == Strength::Weak { Strength::Password } else { form.strength };
            (strings_of(text, start)?, Form { strength, prose: false })
        }
        b'[' => {
            let inner = start + 1..run_end(text, start + 1, |byte| byte != b']');
            // What an earlier pass has put there.
            let masked = text.get(start..inner.end + 1).is_some_and(|found| Kind::ALL.iter().any(|kind| kind.label().as_bytes() == found));
            if masked {
                return None;
            }
            (inner, form)
        }
        b'{' => return None,
        _ if form.strength == Strength::Header => (start..header_end(text, start), form),
        _ => (start..word_end(text, start), form),
    };
    let secret = is_secret(text.get(range.clone())?, form);
    refusals.take(&range, secret).then_some(range)
}

/// The end of a quoted value: the next `quote` that is not escaped, or the end of the text.
fn quoted_end(text: &[u8], start: usize, quote: u8) -> usize {
    let mut position = start;
    while let Some(byte) = byte(text, position) {
        match byte {
            b'\\' => position += 2,
            _ if byte == quote => return position,
            _ => position += 1,
        }
    }
    text.len()
}

/// From within the first to within the last string of the array or object at `start`, so that its marks stay.
fn strings_of(text: &[u8], start: usize) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let mut position = start;
    let mut end = start + 2;
    while let Some(byte) = byte(text, position) {
        match byte {
            b'"' | b'\'' => {
                end = quoted_end(text, position + 1, byte);
                position = end;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
        position += 1;
    }
    (end > start + 2).then_some(start + 2..end.min(text.len()))
}

/// The end of a header's value of several words. `Scheme token` is two words; what else there is goes to the end of the line
/// or to where the next pair of a list begins.
fn header_end(text: &[u8], start: usize) -> usize {
    let scheme = run_end(text, start, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let token = run_end(text, scheme, is_blank);
    let is_one_of = |names: &[&[u8]]| text.get(start..scheme).is_some_and(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name)));
    if token > scheme && is_one_of(&[b"bearer", b"basic", b"apikey", b"token"]) {
        return word_end(text, token_end(text, token));
    }
    let quotes = is_one_of(&[b"digest", b"oauth", b"signature", b"hmac"]);
    let mut position = start;
    while let Some(byte) = byte(text, position) {
        match byte {
            b'\n' | b'\r' | b'|' | b'<' => break,
            b'"' | b'\'' if !quotes => break,
            b'\\' if is_line_escape(text, position) => break,
            b',' if !quotes && list_goes_on(text, position + 1) => break,
            b']' | b'}' | b')' if closes(text, position) => break,
            _ => position += 1,
        }
    }
    trim_end(text, start, position)
}

/// The end of a value without blanks.
fn word_end(text: &[u8], start: usize) -> usize {
    let mut position = start;
    while let Some(found) = byte(text, position) {
        match found {
            b'&' | b'|' | b'"' | b'\'' | b'<' => break,
            _ if found.is_ascii_whitespace() => break,
            b'\\' if is_line_escape(text, position) => break,
            b',' | b';'
                if byte(text, position + 1).is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'"' | b'\'' | b','))
                    || pair_follows(text, position + 1) =>
            {
                break;
            }
            b']' | b'}' | b')' if closes(text, position) => break,
            _ => position += 1,
        }
    }
    trim_end(text, start, position)
}

/// A full stop at the end belongs to the sentence.
fn trim_end(text: &[u8], start: usize, end: usize) -> usize {
    let mut end = end;
    while end > start && is_before(text, end, |byte| matches!(byte, b'.' | b' ' | b'\t')) {
        end -= 1;
    }
    end
}

/// `\n`, `\"`, `\u0026` …: an escape that stands for a delimiter. What it stands for is seen in the decoded text.
fn is_line_escape(text: &[u8], at: usize) -> bool {
    match byte(text, at + 1) {
        Some(b'n' | b'r' | b't' | b'"') => true,
        Some(b'u') => text.get(at + 2..at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        _ => false,
    }
}

/// Whether `name=`, `name: ` or the like begins at `at`, blanks before it allowed.
fn pair_follows(text: &[u8], at: usize) -> bool {
    let start = run_end(text, at, is_blank);
    let end = run_end(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'"' | b'\''));
    let separator = run_end(text, end, is_blank);
    end > start && is(text, separator, |byte| matches!(byte, b'=' | b':'))
}

/// Whether the next member of a list of headers or properties begins at `at`: `Name: ` or `NAME = `. Without blanks it may be
/// a part of the header: `Cookie: a=b, c=d`.
fn list_goes_on(text: &[u8], at: usize) -> bool {
    let start = run_end(text, at, is_blank);
    let end = run_end(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let separator = run_end(text, end, is_blank);
    let spaced = is(text, separator + 1, is_blank);
    end > start && spaced && (is(text, separator, |byte| byte == b':') || (separator > end && is(text, separator, |byte| byte == b'=')))
}

/// Whether the bracket at `at` closes something that was open before the value.
fn closes(text: &[u8], at: usize) -> bool {
    byte(text, at + 1).is_none_or(|next| {
        next.is_ascii_whitespace() || matches!(next, b',' | b';' | b'.' | b')' | b']' | b'}' | b'"' | b'\'' | b'|' | b'&' | b'<')
    })
}

/// Whether `value` may be a secret.
pub(super) fn is_secret(value: &[u8], form: Form) -> bool {
    let value = value.trim_ascii();
    let last_word = value.rsplit(|&byte| is_blank(byte)).next().unwrap_or_default();
    if is_nothing(value) || (is_placeholder(last_word)) {
        return false;
    }
    match form.strength {
        Strength::Password => true,
        Strength::Strong | Strength::Header => !(form.prose && value.iter().all(u8::is_ascii_lowercase)),
        Strength::Weak => is_token(value),
    }
}

/// What is written where there is no value, or where one was taken out.
fn is_nothing(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] = [b"null", b"none", b"nil", b"undefined", b"true", b"false", b"bearer", b"basic", b"n/a", b"empty"];
    value.iter().all(|byte| matches!(byte, b'*' | b'-' | b'.'))
        || (value.len() > 2 && value.iter().all(|byte| matches!(byte, b'x' | b'X')))
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// `ACCESS_TOKEN`, `<token>`, `{token}`, `${token}`, `[secret]`.
fn is_placeholder(word: &[u8]) -> bool {
    let constant = word.contains(&b'_') && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let inner = word.strip_prefix(b"$").unwrap_or(word);
    let bracketed = matches!(
        (inner.first(), byte_before(inner, inner.len())),
        (Some(b'<'), Some(b'>')) | (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))
    );
    constant || bracketed
}

/// Whether a value looks like a token rather than a word, a constant or a number: a part of it mixes letters and digits, or
/// it is long and mixes cases.
fn is_token(value: &[u8]) -> bool {
    let mixed = value
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b' '))
        .any(|part| part.iter().any(u8::is_ascii_alphabetic) && part.iter().any(u8::is_ascii_digit));
    let cases = value.iter().any(u8::is_ascii_lowercase) && value.iter().skip(1).any(u8::is_ascii_uppercase);
    let digits = value.iter().all(u8::is_ascii_digit);
    let blank = value.iter().any(|&byte| is_blank(byte));
    value.starts_with(b"eyJ")
        || mixed && !blank
        || (digits && value.len() > PLAIN_DIGITS_MAX)
        || (cases && !blank && value.len() >= LETTERS_MIN)
}
