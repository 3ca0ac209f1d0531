//! Credentials after an HTTP authentication scheme wherever it stands in the text: `Bearer` and a token (RFC 6750), `Basic`
//! and `user:password` in base64 (RFC 7617). Both words occur in prose, so what follows has to look the part.

use std::ops::Range;

use super::secret_value::Refusals;
use super::{is_before, run_end};
use crate::base64::decode;

/// Most blanks between the scheme and the credentials.
const BLANKS_MAX: usize = 4;
/// Shortest token with a digit, and without one.
const MIXED_MIN: usize = 8;
const LETTERS_MIN: usize = 20;

/// The credentials after the scheme whose `b` is at `at`; the scheme itself stays. `decoded` is scratch space; `refusals` are
/// those of the same text.
#[must_use]
pub fn find(text: &[u8], at: usize, decoded: &mut Vec<u8>, refusals: &mut Refusals) -> Option<Range<usize>> {
    if is_before(text, at, |byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let bearer = starts_with(text, at, b"bearer");
    let scheme = match bearer {
        true => 6,
        false if starts_with(text, at, b"basic") => 5,
        false => return None,
    };
    let start = run_end(text, at + scheme, |byte| matches!(byte, b' ' | b'\t' | b'+' | b':'));
    let gap = start - (at + scheme);
    if gap == 0 || gap > BLANKS_MAX {
        return None;
    }
    let end = token_end(text, start);
    let token = text.get(start..end)?;
    let valid = match bearer {
        true => is_token(token),
        false => is_credentials(token, decoded),
    };
    refusals.take(&(start..end), valid).then_some(start..end)
}

/// The end of a `token68` (RFC 9110, 11.2) at `start`; dots at the end belong to the sentence.
#[must_use]
pub fn token_end(text: &[u8], start: usize) -> usize {
    let mut end = run_end(text, start, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'));
    while end > start && is_before(text, end, |byte| byte == b'.') {
        end -= 1;
    }
    run_end(text, end, |byte| byte == b'=')
}

fn starts_with(text: &[u8], at: usize, word: &[u8]) -> bool {
    text.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn is_token(token: &[u8]) -> bool {
    let digit = token.iter().any(u8::is_ascii_digit);
    // Beyond the first letter, which begins a sentence's word.
    let upper = token.iter().skip(1).any(u8::is_ascii_uppercase);
    let lower = token.iter().any(u8::is_ascii_lowercase);
    let letter = upper || lower || token.first().is_some_and(u8::is_ascii_uppercase);
    (token.len() >= MIXED_MIN && digit && letter) || (token.len() >= LETTERS_MIN && (digit || (upper && lower)))
}

fn is_credentials(token: &[u8], decoded: &mut Vec<u8>) -> bool {
    token.len() >= 4
        && decode(token, decoded)
        && decoded.contains(&b':')
        && std::str::from_utf8(decoded).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let mut decoded = Vec::new();
        let mut refusals = Refusals::default();
        (0..text.len()).find_map(|at| find(text.as_bytes(), at, &mut decoded, &mut refusals)).and_then(|range| text.get(range))
    }

    #[test]
    fn credentials_are_found() {
        for (scheme, token) in [
            ("Bearer ", "0b5ccc91-30e2-4ee5-9355-d1698075c028"),
            ("bearer ", "d41d8cd98f00b204e9800998ecf8427e"),
            ("BEARER  ", "abc.DEF-ghi_jkl~123/x+y=="),
            ("Bearer ", "mF_9.B5f-4.1JqM"),
            ("Bearer+", "AbCdEfGhIjKlMnOpQrStUv"),
            ("Basic ", "dXNlcjpwYXNzd29yZA=="),
            ("basic ", "dXNlcjpwYXNzd29yZA"),
        ] {
            for (before, after) in [("", ""), ("\"", "\""), ("|", "|"), ("x: ", ", y"), ("", "."), ("(", ")"), ("", "&x")] {
                assert_eq!(found(&format!("{before}{scheme}{token}{after}")), Some(token), "{before}{scheme}{token}{after}");
            }
        }
    }

    #[test]
    fn prose_is_not() {
        for text in [
            "Bearer authentication failed",
            "Bearer token expired",
            "Bearer realm=\"gateway\"",
            "Bearer error=\"invalid_token\"",
            "Bearer ACCESS_TOKEN",
            "Basic authentication",
            "Basic information about it",
            "basics d41d8cd98f00b204e9800998ecf8427e",
            "forbearer d41d8cd98f00b204e9800998ecf8427e",
            "Bearer",
            "Bearer ",
            "Basic AAAA",
            "Bearer: v2",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
