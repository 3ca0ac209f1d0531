//! International bank account numbers (ISO 13616): the country's length as in the registry that SWIFT keeps, and
//! ISO 7064 mod 97-10.

use std::ops::Range;

use super::{byte, is, is_before, run_end, separator};

/// Length of the whole number by country.
const LENGTHS: [(&[u8; 2], u8); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The account number whose country code begins at `at`: in one run, or in groups of four.
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    let country = [byte(text, at)?.to_ascii_uppercase(), byte(text, at + 1)?.to_ascii_uppercase()];
    if !(is(text, at + 2, |byte| byte.is_ascii_digit()) && is(text, at + 3, |byte| byte.is_ascii_digit()))
        || is_before(text, at, |byte| byte.is_ascii_alphanumeric())
    {
        return None;
    }
    let length = usize::from(LENGTHS.iter().find(|(code, _)| **code == country).map(|(_, length)| *length)?);
    let end = match separator(text, at + 4) {
        None => {
            let end = at + length;
            (run_end(text, at, |byte| byte.is_ascii_alphanumeric()) == end).then_some(end)?
        }
        Some(_) => grouped(text, at, length)?,
    };
    let goes_on = is(text, end, |byte| byte.is_ascii_alphanumeric());
    let number = text.get(at..end)?;
    (!goes_on && !is_hexadecimal(country, number) && remainder(number) == Some(1)).then_some(at..end)
}

/// Whether a number of a country whose code could be hexadecimal has a letter where its format has digits, as hashes do: the
/// account numbers of AE, BA, BE, DE and EE are digits only, those of AD begin with eight.
fn is_hexadecimal(country: [u8; 2], number: &[u8]) -> bool {
    let digits = match &country {
        b"AD" => 8,
        [b'A'..=b'F', b'A'..=b'F'] => usize::MAX,
        _ => return false,
    };
    number.iter().filter(|byte| byte.is_ascii_alphanumeric()).skip(4).take(digits).any(u8::is_ascii_alphabetic)
}

fn grouped(text: &[u8], at: usize, length: usize) -> Option<usize> {
    let (wanted, _) = separator(text, at + 4)?;
    let mut position = at;
    let mut left = length;
    loop {
        let group = left.min(4);
        let end = position + group;
        if !text.get(position..end)?.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        left -= group;
        if left == 0 {
            return Some(end);
        }
        let (found, after) = separator(text, end)?;
        if found != wanted {
            return None;
        }
        position = after;
    }
}

/// The number, its first four characters moved to the end and letters read as 10 to 35, modulo 97. `None` for letters of
/// both cases, which nobody writes. Anything that is not a letter or digit is passed over.
fn remainder(number: &[u8]) -> Option<u32> {
    let letters = || number.iter().filter(|byte| byte.is_ascii_alphabetic());
    if letters().any(u8::is_ascii_lowercase) && letters().any(u8::is_ascii_uppercase) {
        return None;
    }
    let (head, tail) = number.split_at_checked(4)?;
    let value = tail.iter().chain(head).fold(0, |sum, &byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
        b'a'..=b'z' => (sum * 100 + u32::from(byte - b'a') + 10) % 97,
        _ => sum,
    });
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        (0..text.len()).find_map(|at| find(text.as_bytes(), at)).and_then(|range| text.get(range))
    }

    #[test]
    fn numbers_are_found_compact_and_grouped() {
        for number in [
            "FR7630006000011234567890189",
            "FR1420041010050500013M02606",
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "NO9386011117947",
            "AD1200012030200359100100",
            "BE68539007547034",
            "MT84MALT011000012345MTLCAST001S",
            "FR76 3000 6000 0112 3456 7890 189",
            "FR76-3000-6000-0112-3456-7890-189",
            "FR76+3000+6000+0112+3456+7890+189",
            "fr7630006000011234567890189",
        ] {
            assert_eq!(found(number), Some(number));
            for (before, after) in [("iban=", "&x"), ("\"", "\","), (" ", "."), ("/", "/x"), ("", " est"), ("", "|"), ("", ", 1")] {
                assert_eq!(found(&format!("{before}{number}{after}")), Some(number), "{before} {after}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_an_account_is_not() {
        for text in [
            "FR7630006000011234567890188",  // check digits
            "FR763000600001123456789018",   // a digit short
            "FR76300060000112345678901890", // one too many
            "XX7630006000011234567890189",  // no such country
            "AFR7630006000011234567890189",
            "Fr7630006000011234567890189",
            "FR76 3000 6000 0112-3456 7890 189",
            "ad74db4333c13c444f33db12", // a hash that passes mod 97
            "FR76",
            "FR76 ",
            "de12",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_plausible() {
        assert!(LENGTHS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(LENGTHS.iter().all(|(_, length)| (15..=34).contains(length)));
    }
}
