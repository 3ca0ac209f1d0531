//! From a value of VRL to the JSON text of a patch.

use super::read::{DEPTH_MAX, number};
use super::spelling::Spelling;
use vrl::value::Value;

/// Why a value has no JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("the program made a value that nests deeper than {DEPTH_MAX} levels")]
    Depth,
    #[error("the program made a value of more than {0} bytes, the most a record may have")]
    Size(usize),
    #[error("the program made a number that is not finite, for which JSON has no form")]
    Infinite,
}

/// Appends a value as JSON text. Numbers equal to those of `before` at the same place are spelled as there.
///
/// # Errors
/// A value without JSON text, or a text of more than `bytes_max` bytes; `out` then holds a part of it.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value, before: Option<&Spelling<'_>>, bytes_max: usize) -> Result<(), Unwritable> {
    let limit = out.len().saturating_add(bytes_max);
    Writer { out, bytes_max, limit }.value(value, before, 0)
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    bytes_max: usize,
    limit: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, before: Option<&Spelling<'_>>, depth: usize) -> Result<(), Unwritable> {
        if depth > DEPTH_MAX {
            return Err(Unwritable::Depth);
        }
        match value {
            Value::Integer(_) | Value::Float(_) => self.number(value, before)?,
            Value::Object(members) => {
                let before = match before {
                    Some(Spelling::Object(before)) => Some(before),
                    _ => None,
                };
                self.out.push(b'{');
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.string(key.as_str());
                    self.out.push(b':');
                    self.value(value, before.and_then(|before| before.get(key.as_str())), depth + 1)?;
                }
                self.out.push(b'}');
            }
            Value::Array(items) => {
                // Where items went missing the others moved, and places no longer tell which is which.
                let before = match before {
                    Some(Spelling::Array(before)) if before.len() <= items.len() => before.as_slice(),
                    _ => &[],
                };
                self.out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.value(item, before.get(i), depth + 1)?;
                }
                self.out.push(b']');
            }
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bytes(bytes) => self.string(&String::from_utf8_lossy(bytes)),
            Value::String(text) => self.string(text),
            Value::Timestamp(_) | Value::Regex(_) => self.string(&value.to_string_lossy()),
        }
        if self.out.len() > self.limit {
            return Err(Unwritable::Size(self.bytes_max));
        }
        Ok(())
    }

    fn number(&mut self, value: &Value, before: Option<&Spelling<'_>>) -> Result<(), Unwritable> {
        if let Some(Spelling::Number(text)) = before
            && number(text).as_ref() == Some(value)
        {
            self.out.extend_from_slice(text);
            return Ok(());
        }
        match value {
            Value::Float(float) if !float.is_finite() => return Err(Unwritable::Infinite),
            // Writing to a vector cannot fail.
            Value::Float(float) => drop(serde_json::to_writer(&mut *self.out, &float.into_inner())),
            Value::Integer(integer) => drop(serde_json::to_writer(&mut *self.out, integer)),
            _ => {}
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        if text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
            drop(serde_json::to_writer(&mut *self.out, text));
            return;
        }
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::read::{Values, read};
    use super::super::spelling::Spellings;
    use super::*;
    use bytes::Bytes;

    fn rewritten(before: &str, after: &str) -> String {
        let bytes = Bytes::copy_from_slice(after.as_bytes());
        let value = read(&bytes, 0, bytes.len(), &Values { text: &bytes }).unwrap();
        let spelling = read(before.as_bytes(), 0, before.len(), &Spellings { text: before.as_bytes() }).unwrap();
        let mut out = Vec::new();
        write(&mut out, &value, Some(&spelling), 1000).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn equal_numbers_keep_their_spelling() {
        for (before, after, expected) in [
            ("1.50", "1.5", "1.50"),
            ("1e2", "100.0", "1e2"),
            (
                "{\"a\":12345678901234567890123,\"b\":1}",
                "{\"a\":12345678901234567890123,\"b\":2}",
                "{\"a\":12345678901234567890123,\"b\":2}",
            ),
            ("[1.0e0,2.00]", "[1.0,2.0,3.0]", "[1.0e0,2.00,3.0]"),
            ("[1.00,2.00]", "[2.0]", "[2.0]"),
            ("{\"a\":[{\"n\":1E1}]}", "{\"a\":[{\"n\":10.0,\"m\":\"\\u0001\\\"\"}]}", "{\"a\":[{\"m\":\"\\u0001\\\"\",\"n\":1E1}]}"),
            ("1e400", "1e400", "1e400"),
        ] {
            assert_eq!(rewritten(before, after), expected);
        }
    }

    #[test]
    fn refuses_what_json_cannot_hold() {
        let mut out = Vec::new();
        assert_eq!(write(&mut out, &Value::from_f64_or_zero(f64::INFINITY), None, 100), Err(Unwritable::Infinite));
        assert_eq!(write(&mut out, &Value::from("x".repeat(100)), None, 100), Err(Unwritable::Size(100)));
        let deep = (0..DEPTH_MAX + 1).fold(Value::Null, |value, _| Value::Array(vec![value]));
        assert_eq!(write(&mut Vec::new(), &deep, None, 1000), Err(Unwritable::Depth));
    }
}
