//! French social security numbers (numéro d'inscription au répertoire des personnes physiques): 13 characters that say sex,
//! year, month, department, commune and order, and a key of two digits, `97 - (number mod 97)`. For Corsica the department
//! `2A` counts as 19 and `2B` as 18.

use std::ops::Range;

use super::{Separator, byte, continues_after, continues_before, separator};

/// Characters with the key.
const LENGTH: usize = 15;

/// After how many characters a written number has its separators.
const BOUNDARIES: [usize; 5] = [1, 3, 5, 7, 10];
/// After how many characters the key begins.
const KEY: usize = 13;

/// The number whose first digit is at `at`, in one run or separated as on the card (`1 85 05 78 006 084 36`).
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    if text.len() < at + LENGTH || !matches!(byte(text, at)?, b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    let mut number = [0; LENGTH];
    let grouping = separator(text, at + 1).map(|(found, _)| found);
    let mut position = at;
    for index in 0..LENGTH {
        if BOUNDARIES.contains(&index) {
            position = step(text, position, grouping)?;
        } else if index == KEY {
            position = before_key(text, position, grouping);
        }
        let found = byte(text, position)?.to_ascii_uppercase();
        if !(found.is_ascii_digit() || (index == 6 && matches!(found, b'A' | b'B'))) {
            return None;
        }
        *number.get_mut(index)? = found;
        position += 1;
    }
    (!continues_before(text, at) && !continues_after(text, position) && is_nir(&number)).then_some(at..position)
}

/// The number of a birth in Corsica, from the letter of its department at `letter`.
#[must_use]
pub fn find_corsican(text: &[u8], letter: usize) -> Option<Range<usize>> {
    // `s yy mm 2`: six characters and up to three separators of one to three bytes.
    [6, 9, 12, 15]
        .into_iter()
        .filter_map(|back| letter.checked_sub(back))
        .find_map(|start| find(text, start).filter(|range| range.end > letter))
}

fn step(text: &[u8], at: usize, grouping: Option<Separator>) -> Option<usize> {
    let Some(wanted) = grouping else {
        return Some(at);
    };
    separator(text, at).and_then(|(found, after)| (found == wanted).then_some(after))
}

/// The key may follow directly, after the separator of the others, or after a blank, `-` or `/` of its own.
fn before_key(text: &[u8], at: usize, grouping: Option<Separator>) -> usize {
    match (byte(text, at), separator(text, at)) {
        (Some(b'/'), _) => at + 1,
        (_, Some((found, after))) if grouping.is_none_or(|wanted| wanted == found) => after,
        (_, Some((Separator::Blank | Separator::Hyphen, after))) => after,
        _ => at,
    }
}

fn is_nir(number: &[u8; LENGTH]) -> bool {
    let decimal = |range: Range<usize>| {
        number.get(range)?.iter().try_fold(0_u64, |value, &byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
    };
    // 20: unknown; 30 to 42 and 50 to 99: given where the register of births was incomplete.
    let month = matches!(decimal(3..5), Some(1..=12 | 20 | 30..=42 | 50..=99));
    let [.., d1, d2, c1, c2, c3, _, _, _, _, _] = *number;
    let (corsica, department) = match (d1, d2) {
        (b'2', b'A') => (Some(19), true),
        (b'2', b'B') => (Some(18), true),
        _ => (None, !matches!(decimal(5..7), None | Some(0 | 20 | 96))),
    };
    let commune = [c1, c2, c3] != *b"000";
    let order = decimal(10..13).is_some_and(|order| order > 0);
    let value = match corsica {
        None => decimal(0..13),
        Some(code) => match (decimal(0..5), decimal(7..13)) {
            (Some(head), Some(tail)) => Some((head * 100 + code) * 1_000_000 + tail),
            _ => None,
        },
    };
    let (Some(value), Some(key)) = (value, decimal(13..15)) else {
        return false;
    };
    month && department && commune && order && key == 97 - value % 97
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let bytes = text.as_bytes();
        (0..text.len()).find_map(|at| find(bytes, at).or_else(|| find_corsican(bytes, at))).and_then(|range| text.get(range))
    }

    #[test]
    fn numbers_are_found_in_every_spelling() {
        // 1850578006084 mod 97 is 6, so the key is 91; 2550814168025 mod 97 is 59, so it is 38.
        for number in [
            "185057800608491",
            "255081416802538",
            "1 85 05 78 006 084 91",
            "1.85.05.78.006.084.91",
            "1850578006084 91",
            "1850578006084/91",
            "1\u{a0}85\u{a0}05\u{a0}78\u{a0}006\u{a0}084\u{a0}91",
            "1+85+05+78+006+084+91",
        ] {
            assert_eq!(found(number), Some(number));
        }
        for department in ["2A", "2B", "2a", "2b"] {
            let code = if department.eq_ignore_ascii_case("2a") { 19 } else { 18 };
            let value: u64 = format!("28505{code}006084").parse().expect("digits");
            let key = 97 - value % 97;
            for number in [format!("28505{department}006084{key:02}"), format!("2 85 05 {department} 006 084 {key:02}")] {
                assert_eq!(found(&number), Some(number.as_str()));
                let letter = number.find(['A', 'B', 'a', 'b']).expect("has a letter");
                assert_eq!(find_corsican(number.as_bytes(), letter), Some(0..number.len()));
            }
        }
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            "185057800608492", // key
            "585057800608491", // sex
            "1851378006084",   // no key
            "a185057800608491",
            "185057800608491b",
            "1850578006084911",
            "0.185057800608491",
            "185057800608491.5",
            "1 85 05-78 006 084 91",
            "28505A2006084",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        let with_key = |number: u64| format!("{number}{:02}", 97 - number % 97);
        assert!(found(&with_key(1_850_578_006_084)).is_some());
        assert_eq!(found(&with_key(1_851_378_006_084)), None, "month 13");
        assert_eq!(found(&with_key(1_850_500_006_084)), None, "department 00");
        assert_eq!(found(&with_key(1_850_578_000_084)), None, "commune 000");
        assert_eq!(found(&with_key(1_850_578_006_000)), None, "order 000");
    }
}
