//! From a value's JSON text to an entry of a column.

use crate::column::{Column, Values, VarValues};
use crate::scan::Slot;

/// Appends the value to the column as the column's kind. `false`: it is `null` or of another kind, and nothing was appended.
///
/// `value` is valid JSON; `escaped` says whether it is a string with escapes.
#[inline]
pub(crate) fn push(value: &[u8], escaped: bool, column: &mut Column) -> bool {
    let first = value.first().copied().unwrap_or(b'n');
    match &mut column.values {
        Values::Text(v) => {
            if first != b'"' {
                return false;
            }
            let inner = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
            if escaped {
                unescape(inner, &mut v.bytes);
                v.close();
            } else {
                v.push(inner);
            }
            true
        }
        Values::Json(v) => push_json(value, first, v),
        Values::Integer(v) => match text(value).parse::<i64>() {
            // `parse` would take `+1`, which is not JSON and so not here.
            Ok(number) => {
                v.push(number);
                true
            }
            Err(_) => false,
        },
        Values::Float(v) => {
            if !matches!(first, b'-' | b'0'..=b'9') {
                return false;
            }
            match text(value).parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    v.push(number);
                    true
                }
                _ => false,
            }
        }
        Values::Boolean(v) => match first {
            b't' => {
                v.push(1);
                true
            }
            b'f' => {
                v.push(0);
                true
            }
            _ => false,
        },
    }
}

/// Appends the text of the string in the slot. `false`: it is no string, and nothing was appended.
#[inline(always)]
pub(crate) fn push_text(text: &[u8], slot: Slot, out: &mut Vec<u8>) -> bool {
    const SHORT: usize = 16;
    let (start, end) = (slot.start as usize, slot.end() as usize);
    if text.get(start) != Some(&b'"') {
        return false;
    }
    let (from, to) = (start + 1, end.saturating_sub(1));
    if slot.is_escaped() {
        unescape(text.get(from..to).unwrap_or_default(), out);
    } else if let (true, Some(front)) = (to.saturating_sub(from) <= SHORT, text.get(from..).and_then(|t| t.first_chunk::<SHORT>())) {
        // A copy of fixed length needs no call; what is too much of it is cut off.
        out.extend_from_slice(front);
        out.truncate(out.len() + to - from - SHORT);
    } else {
        out.extend_from_slice(text.get(from..to).unwrap_or_default());
    }
    true
}

#[inline]
fn push_json(value: &[u8], first: u8, v: &mut VarValues) -> bool {
    if first == b'n' {
        return false;
    }
    v.push(value);
    true
}

#[inline]
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

/// Appends the text that the inside of a JSON string stands for. A surrogate without its partner becomes U+FFFD: UTF-8 has no form for it.
pub fn unescape(inner: &[u8], out: &mut Vec<u8>) {
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        let mut used = at + 2;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let high = hex4(rest, at + 2);
                used = at + 6;
                let c = match high {
                    0xD800..=0xDBFF if rest.get(at + 6..at + 8) == Some(b"\\u") => {
                        let low = hex4(rest, at + 8);
                        if (0xDC00..=0xDFFF).contains(&low) {
                            used = at + 12;
                            char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
                        } else {
                            None
                        }
                    }
                    code => char::from_u32(code),
                };
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn hex4(text: &[u8], at: usize) -> u32 {
    let digits = text.get(at..at + 4).unwrap_or_default();
    digits.iter().fold(0, |n, d| n * 16 + (*d as char).to_digit(16).unwrap_or(0))
}
