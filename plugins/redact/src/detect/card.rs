//! Payment card numbers: issuer prefix and length (ISO/IEC 7812, the ranges the schemes publish), the Luhn check digit, and
//! neighbours, since one number of 16 digits in ten passes Luhn by chance.

use std::ops::Range;

use super::{Separator, digit, run_end, separator, stands_alone};

/// Shortest number.
const DIGITS_MIN: usize = 13;
/// Longest number.
const DIGITS_MAX: usize = 19;

/// How the groups of a number may be cut.
const LAYOUTS: [&[usize]; 7] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 3], &[4, 4, 4, 2], &[4, 4, 4, 1]];

/// The card number whose first digit is at `at`, in one run or in groups separated by blanks, `-` or `.`.
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    if text.len() < at + DIGITS_MIN || !matches!(text.get(at)?, b'2'..=b'6') {
        return None;
    }
    let first = run_end(text, at, |byte| byte.is_ascii_digit()) - at;
    match first {
        DIGITS_MIN..=DIGITS_MAX => {
            let end = at + first;
            let digits = text.get(at..end)?;
            (stands_alone(text, at, end) && is_card(digits)).then_some(at..end)
        }
        4 => grouped(text, at),
        _ => None,
    }
}

fn grouped(text: &[u8], at: usize) -> Option<Range<usize>> {
    let (wanted, _) = separator(text, at + 4)?;
    if wanted == Separator::Slash {
        return None;
    }
    let mut digits = [0; DIGITS_MAX];
    LAYOUTS.iter().find_map(|layout| {
        let mut position = at;
        let mut count = 0;
        for (index, &group) in layout.iter().enumerate() {
            if index > 0 {
                let (found, after) = separator(text, position)?;
                if found != wanted {
                    return None;
                }
                position = after;
            }
            let end = position + group;
            if run_end(text, position, |byte| byte.is_ascii_digit()) != end {
                return None;
            }
            digits.get_mut(count..count + group)?.copy_from_slice(text.get(position..end)?);
            count += group;
            position = end;
        }
        (stands_alone(text, at, position) && is_card(digits.get(..count)?)).then_some(at..position)
    })
}

/// Whether these digits are a card number: prefix, length and Luhn.
#[must_use]
pub fn is_card(digits: &[u8]) -> bool {
    is_issued(digits) && luhn(digits)
}

fn is_issued(digits: &[u8]) -> bool {
    let prefix = |count: usize| (0..count).try_fold(0, |value, index| Some(value * 10 + digit(digits, index)?));
    let (Some(two), Some(three), Some(four), Some(six)) = (prefix(2), prefix(3), prefix(4), prefix(6)) else {
        return false;
    };
    match digits.len() {
        // Visa
        13 => two / 10 == 4,
        // Diners Club
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39),
        // American Express
        15 => matches!(two, 34 | 37),
        length => {
            let visa = two / 10 == 4 && matches!(length, 16 | 19);
            let mastercard = length == 16 && (matches!(two, 51..=55) || matches!(four, 2221..=2720));
            let discover = four == 6011 || two == 65 || matches!(three, 644..=649);
            let union_pay = two == 62;
            let jcb = matches!(four, 3528..=3589);
            let maestro = matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) || matches!(six, 676_770 | 676_774);
            visa || mastercard || discover || union_pay || jcb || maestro
        }
    }
}

/// The Luhn check (ISO/IEC 7812-1, annex B).
#[must_use]
pub fn luhn(digits: &[u8]) -> bool {
    let sum: Option<u32> = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, _)| {
            let value = digit(digits, digits.len() - 1 - index)?;
            Some(match index % 2 {
                0 => value,
                _ if value > 4 => value * 2 - 9,
                _ => value * 2,
            })
        })
        .sum();
    sum.is_some_and(|sum| sum % 10 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        (0..text.len()).find_map(|at| find(text.as_bytes(), at)).and_then(|range| text.get(range))
    }

    #[test]
    fn numbers_of_every_issuer_are_found() {
        for number in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6011111111111117",
            "6500000000000002",
            "3530111333300000",
            "30569309025904",
            "6200000000000005",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111+1111+1111+1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "3782 822463 10005",
            "3782 8224 6310 005",
            "4111.1111.1111.1111",
        ] {
            assert_eq!(found(number), Some(number));
            for (before, after) in
                [("card=", "&x=1"), ("\"", "\","), ("pan: ", "|"), ("(", ")."), ("", ". Then"), ("\"", ".\""), ("<p>", ".</p>"), ("/", "/")]
            {
                assert_eq!(found(&format!("{before}{number}{after}")), Some(number), "{before} {after}");
            }
        }
        assert_eq!(found("4111 1111 1111 1111 123"), Some("4111 1111 1111 1111"));
    }

    #[test]
    fn what_only_looks_like_a_card_is_not() {
        for text in [
            "4111111111111112", // Luhn
            "1111111111111117", // no issuer
            "0000000000000000",
            "4111111111111", // 13 digits, Luhn fails
            "a4111111111111111",
            "4111111111111111a",
            "4111111111111111.5",
            "3.4111111111111111",
            "x-4111111111111111",
            "4111111111111111-1",
            "14111111111111111",
            "41111111111111110",
            "4111 1111-1111 1111", // mixed separators
            "4111/1111/1111/1111",
            "1.4111.1111.1111.1111",
            "4111.1111.1111.1111.2",
            "41 11 11 11 11 11 11 11",
            "1700000000000",       // milliseconds
            "1700000000000000000", // nanoseconds
            "2025-03-03 11:42:07,381",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
