//! French telephone numbers (the national numbering plan): `0` and nine digits, or `+33`/`0033`, optionally `(0)`, and nine
//! digits. The first of the nine is not 0, the separator is the same throughout, and nothing beside it makes it a part of
//! something longer.

use std::ops::Range;

use super::{
    Separator, byte, byte_before, continues_after, continues_before, is, is_before, run_end, run_start, separator, separator_before,
};

/// The number whose first digit is at `at`; a `+` before it belongs to it.
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_digit_1_to_9 = |byte: u8| matches!(byte, b'1'..=b'9');
    let (start, first, national) = match byte(text, at)? {
        b'0' if text.get(at..)?.starts_with(b"0033") => (at, international(text, at + 4)?, false),
        b'0' if is(text, at + 1, is_digit_1_to_9) => (at, at + 1, true),
        b'3' if byte_before(text, at) == Some(b'+') && byte(text, at + 1) == Some(b'3') => {
            match is_before(text, at - 1, |byte| byte == b'(') {
                true if byte(text, at + 2) == Some(b')') => (at - 2, international(text, at + 3)?, false),
                _ => (at - 1, international(text, at + 2)?, false),
            }
        }
        _ => return None,
    };
    if !is(text, first, is_digit_1_to_9) || continues_before(text, start) {
        return None;
    }
    let (end, grouping) = subscriber(text, first)?;
    if continues_after(text, end) {
        return None;
    }
    if grouping == Some(Separator::Slash) && is_in_path(text, start, end) {
        return None;
    }
    // Five pairs within a longer row of pairs are not a number: `01 02 03 04 05 06`.
    if let Some(wanted) = grouping
        && (pair_follows(text, end, wanted) || (national && pair_precedes(text, start, wanted)))
    {
        return None;
    }
    Some(start..end)
}

/// The position of the first subscriber digit after the country code: separators, `(0)` or `0` may stand between.
fn international(text: &[u8], at: usize) -> Option<usize> {
    let skip = |at| separator(text, at).map_or(at, |(_, after)| after);
    let mut position = skip(at);
    if text.get(position..)?.starts_with(b"(0)") {
        position = skip(position + 3);
    } else if byte(text, position) == Some(b'0') {
        position += 1;
    }
    Some(position)
}

/// Whether pairs with slashes are steps of a path or a date rather than a number.
fn is_in_path(text: &[u8], start: usize, end: usize) -> bool {
    let number_before = byte_before(text, start) == Some(b'/') && start > 1 && is_before(text, start - 1, |byte| byte.is_ascii_digit());
    number_before || byte(text, end) == Some(b'/')
}

/// The end of nine digits from `first`: all in one, one and four pairs, or threes, with the same separator.
fn subscriber(text: &[u8], first: usize) -> Option<(usize, Option<Separator>)> {
    let run = run_end(text, first, |byte| byte.is_ascii_digit()) - first;
    match run {
        9 => Some((first + 9, None)),
        1 => {
            let (wanted, _) = separator(text, first + 1)?;
            let mut position = first + 1;
            for _ in 0..4 {
                position = pair(text, position, wanted)?;
            }
            Some((position, Some(wanted)))
        }
        3 => {
            let (wanted, _) = separator(text, first + 3)?;
            let position = three(text, first + 3, wanted)?;
            let position = three(text, position, wanted)?;
            (wanted != Separator::Slash).then_some((position, None))
        }
        _ => None,
    }
}

/// The position after a separator and two digits at `at`.
fn pair(text: &[u8], at: usize, wanted: Separator) -> Option<usize> {
    let (found, after) = separator(text, at)?;
    let both = found == wanted && is(text, after, |byte| byte.is_ascii_digit()) && is(text, after + 1, |byte| byte.is_ascii_digit());
    both.then_some(after + 2)
}

/// The position after a separator and three digits, no more, at `at`.
fn three(text: &[u8], at: usize, wanted: Separator) -> Option<usize> {
    let (found, after) = separator(text, at)?;
    let end = run_end(text, after, |byte| byte.is_ascii_digit());
    (found == wanted && end == after + 3).then_some(end)
}

fn pair_follows(text: &[u8], end: usize, wanted: Separator) -> bool {
    pair(text, end, wanted).is_some_and(|after| !is(text, after, |byte| byte.is_ascii_digit()))
}

fn pair_precedes(text: &[u8], start: usize, wanted: Separator) -> bool {
    let Some((found, before)) = separator_before(text, start) else {
        return false;
    };
    let digits = before - run_start(text, before, 3, |byte| byte.is_ascii_digit());
    found == wanted && digits == 2
}

/// Whether a JSON number of these digits may be a telephone number that lost its `+` or `0`: with the country code and a
/// mobile number always, otherwise only under a member named like one.
#[must_use]
pub fn is_number(digits: &[u8], named_phone: bool) -> bool {
    match digits {
        [b'3', b'3', b'6' | b'7', rest @ ..] if rest.len() == 8 => true,
        [b'3', b'3', b'1'..=b'9', rest @ ..] if rest.len() == 8 => named_phone,
        [b'1'..=b'9', rest @ ..] if rest.len() == 8 => named_phone,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        (0..text.len()).find_map(|at| find(text.as_bytes(), at)).and_then(|range| text.get(range))
    }

    #[test]
    fn numbers_are_found_in_every_spelling() {
        for number in [
            "0612345678",
            "01 23 45 67 89",
            "06.12.34.56.78",
            "06-12-34-56-78",
            "06+12+34+56+78",
            "(+33) 6 12 34 56 78",
            "(+33)612345678",
            "+33 612 345 678",
            "0612 345 678",
            "06\u{a0}12\u{a0}34\u{a0}56\u{a0}78",
            "06\u{202f}12\u{202f}34\u{202f}56\u{202f}78",
            "+33612345678",
            "+33 612345678",
            "+33 6 12 34 56 78",
            "+33.6.12.34.56.78",
            "+33 (0)6 12 34 56 78",
            "+33(0)612345678",
            "+33 (0) 6 12 34 56 78",
            "+33 06 12 34 56 78",
            "0033612345678",
            "0033 6 12 34 56 78",
        ] {
            assert_eq!(found(number), Some(number));
            for (before, after) in
                [("tel=", "&x=1"), ("\"", "\","), ("Tel: ", "."), ("(", ")"), ("/", "/"), ("", "|"), ("", ", 3"), ("call ", " now")]
            {
                assert_eq!(found(&format!("{before}{number}{after}")), Some(number), "{before} {after}");
            }
        }
        assert_eq!(found("tel 06/12/34/56/78, x"), Some("06/12/34/56/78"));
        assert_eq!(found("/q/06/12/34/56/78"), Some("06/12/34/56/78"));
        for path in ["/2025/01/02/03/04/05", "/logs/01/02/03/04/05/x"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            "0012345678",
            "061234567",
            "06123456789",
            "10612345678",
            "a0612345678",
            "0612345678a",
            "0.0612345678",
            "0612345678.5",
            "1-0612345678",
            "06 12 34-56 78",
            "06 12.34 56 78",
            "01 02 03 04 05 06",
            "00 01 02 03 04 05",
            "+34612345678",
            "+33012345678901",
            "2025-03-03 11:42:07",
            "20240102030405",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn json_numbers_lose_their_prefix() {
        assert!(is_number(b"33612345678", false));
        assert!(!is_number(b"33112345678", false));
        assert!(is_number(b"33112345678", true));
        assert!(is_number(b"612345678", true));
        assert!(!is_number(b"612345678", false));
        assert!(!is_number(b"6123456789", true));
    }
}
