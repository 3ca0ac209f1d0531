//! Values without quotes: which are numbers, truth values or times, and which stay text.

use super::cursor::{Bad, Result};
use super::json;
use super::object::{Object, string};
use super::time::{LocalTime, Stamp};
use tamis_config::Zone;

/// Digits of a number that every reader of JSON keeps exactly.
const EXACT_DIGITS: usize = 15;

/// How the values of fields whose names the line says are read.
#[derive(Debug)]
pub(crate) struct Shape {
    text: Vec<Box<[u8]>>,
    times: Vec<Box<[u8]>>,
    pub(crate) clock: LocalTime,
}

impl Shape {
    pub(crate) fn new(text: &[String], times: &[String], zone: Zone) -> Self {
        let names = |names: &[String]| names.iter().map(|name| name.as_bytes().into()).collect();
        Self { text: names(text), times: names(times), clock: LocalTime::new(zone) }
    }

    /// Writes a member. `at` is the value's place in the line, for the error of what should be a time and is none.
    #[inline]
    pub(crate) fn write(&mut self, object: &mut Object<'_>, name: &[u8], value: &[u8], at: usize) -> Result<()> {
        if !self.times.is_empty() && self.times.iter().any(|known| **known == *name) && !is_null(value) {
            return self.time(object, name, value, at);
        }
        if is_version(name) || self.text.iter().any(|known| **known == *name) {
            object.text(name, value);
        } else {
            scalar(object.member(name), value);
        }
        Ok(())
    }

    /// Writes a member whose value must be a time.
    pub(crate) fn time(&mut self, object: &mut Object<'_>, name: &[u8], value: &[u8], at: usize) -> Result<()> {
        let Some(stamp) = Stamp::any(value) else {
            return Err(Bad::new(at, "a time such as `2025-03-03 11:42:07,381` or `03/Mar/2025:11:42:07 +0100`"));
        };
        self.clock.write(&stamp, object.member(name));
        Ok(())
    }
}

/// Whether a field holds a version: `1.10` is not `1.1`.
fn is_version(name: &[u8]) -> bool {
    name.len() >= 7 && name.get(name.len() - 7..).is_some_and(|end| end.eq_ignore_ascii_case(b"version"))
}

/// What Java and others print for nothing.
fn is_null(value: &[u8]) -> bool {
    value == b"null"
}

/// Appends a value: a number, `true`, `false` or `null` where it is one, else a text.
///
/// A number is one as JSON writes it, without an exponent and with 15 digits at most: `007`, `+1`, `1e5` and what is longer (an
/// id, a telephone number) stay text, so that nothing is lost.
#[inline]
pub(crate) fn scalar(out: &mut Vec<u8>, value: &[u8]) {
    match value {
        b"true" | b"false" | b"null" => out.extend_from_slice(value),
        [b'0'..=b'9' | b'-', ..] if is_number(value) => out.extend_from_slice(value),
        _ => string(out, value),
    }
}

fn is_number(value: &[u8]) -> bool {
    value.len() <= EXACT_DIGITS + 2
        && value.iter().filter(|byte| byte.is_ascii_digit()).count() <= EXACT_DIGITS
        && !value.iter().any(|byte| matches!(byte, b'e' | b'E'))
        && json::number(value) == value.len()
}

/// A whole number of 18 digits at most.
pub(crate) fn whole(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let fits = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number = fits.then(|| digits.iter().fold(0i64, |all, byte| all * 10 + i64::from(byte - b'0')))?;
    Some(if digits.len() < value.len() { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_number() {
        for (text, expected) in [
            ("200", "200"),
            ("-1", "-1"),
            ("0.25", "0.25"),
            ("0", "0"),
            ("true", "true"),
            ("null", "null"),
            ("True", "\"True\""),
            ("", "\"\""),
            ("-", "\"-\""),
            ("007", "\"007\""),
            ("0612345678", "\"0612345678\""),
            ("1e5", "\"1e5\""),
            ("1.", "\"1.\""),
            ("1.0.0", "\"1.0.0\""),
            ("123456789012345", "123456789012345"),
            ("1234567890123456", "\"1234567890123456\""),
            ("NaN", "\"NaN\""),
        ] {
            let mut out = Vec::new();
            scalar(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        }
        assert!(is_version(b"ApiVersion") && is_version(b"version") && !is_version(b"ersion"));
        assert_eq!(
            (whole(b"-12"), whole(b"+1"), whole(b""), whole(b"-"), whole(b"1234567890123456789")),
            (Some(-12), None, None, None, None)
        );
    }
}
