//! Values from JSON.
//!
//! The text was found to be JSON before, so it is only taken apart here. serde_json's own reading of numbers is exact to the last place but
//! one; these are exact.

use super::value::{pair, text};
use super::wire;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};
use std::borrow::Cow;

/// Receivers read messages within messages to a depth of 100. A log record's own value stands at 5; a list costs two more, an object
/// three. What lies deeper travels as its JSON text.
pub(super) const DEPTH: u32 = 92;
/// The same where the request is JSON: an object costs four levels of it, a list three, and receivers read 127, of which ten lie above a
/// value.
pub(super) const JSON_DEPTH: u32 = 76;
/// What an object costs.
pub(super) const OBJECT: u32 = 3;
/// What a list costs.
const LIST: u32 = 2;

/// The value that a JSON text stands for, where what lies in it may lie so deep.
pub(super) fn value_at(json: &str, depth: u32) -> AnyValue {
    Reader { rest: json }.value(depth)
}

/// Writes the message of that value.
pub(super) fn write(json: &str, depth: u32, out: &mut Vec<u8>) {
    Reader { rest: json }.write(depth, out);
}

/// Writes the message of a value that is a text.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    wire::bytes(out, 1, text.as_bytes());
}

/// Writes the message of a name with a value.
pub(super) fn write_pair(name: &str, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    if !name.is_empty() {
        wire::bytes(out, 1, name.as_bytes());
    }
    wire::message(out, 2, value);
}

/// The members of an object, in their order. `None`: it is none, or a name in it is no text of Unicode.
pub(super) fn members(json: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut members = Vec::new();
    let mut named = true;
    let is_object = each_member(json, |name, value| match name_of(name) {
        Some(name) => members.push((name, value)),
        None => named = false,
    });
    (is_object && named).then_some(members)
}

/// Shows the members of an object, the names as they are written. `false`: it is none.
pub(super) fn each_member<'a>(json: &'a str, mut member: impl FnMut(&'a str, &'a str)) -> bool {
    let mut reader = Reader { rest: json };
    let is_object = reader.next() == Some(b'{');
    if is_object {
        reader.members(|reader, name| member(name, reader.skipped()));
    }
    is_object
}

/// The items of a list, each as it is written. `None`: it is none.
pub(super) fn items(json: &str) -> Option<impl Iterator<Item = &str>> {
    let mut reader = Reader { rest: json };
    (reader.next() == Some(b'[')).then(|| {
        reader.take(1);
        std::iter::from_fn(move || {
            while reader.next() == Some(b',') {
                reader.take(1);
            }
            reader.next().filter(|next| *next != b']').map(|_| reader.skipped())
        })
    })
}

/// A text without its quotation marks; `None`: it is none of Unicode.
fn name_of(quoted: &str) -> Option<Cow<'_, str>> {
    match plain(quoted) {
        Some(plain) => Some(Cow::Borrowed(plain)),
        None => serde_json::from_str(quoted).ok().map(Cow::Owned),
    }
}

/// What cannot be a text of Unicode, such as half a pair of surrogates, stays as it is written.
pub(super) fn unquoted(quoted: &str) -> Cow<'_, str> {
    name_of(quoted).unwrap_or(Cow::Borrowed(quoted))
}

/// What stands between quotation marks, where that is the text.
fn plain(quoted: &str) -> Option<&str> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', inner.as_bytes()).is_none().then_some(inner)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> AnyValue {
        match self.next() {
            Some(b'{' | b'[') if depth <= OBJECT => text(self.nested()),
            Some(b'{') => of(self.object(depth - OBJECT)),
            Some(b'[') => of(self.list(depth - LIST)),
            Some(b'"') => text(unquoted(self.quoted())),
            _ => scalar(self.scalar()),
        }
    }

    fn list(&mut self, depth: u32) -> Value {
        let mut values = Vec::new();
        self.items(|reader| values.push(reader.value(depth)));
        Value::ArrayValue(ArrayValue { values })
    }

    fn object(&mut self, depth: u32) -> Value {
        let mut values = Vec::new();
        self.members(|reader, name| values.push(pair(unquoted(name), reader.value(depth))));
        Value::KvlistValue(KeyValueList { values })
    }

    /// [`Reader::value`], written.
    fn write(&mut self, depth: u32, out: &mut Vec<u8>) {
        match self.next() {
            Some(b'{' | b'[') if depth <= OBJECT => write_text(self.nested(), out),
            Some(b'{') => wire::message(out, 6, |out| {
                self.members(|reader, name| {
                    wire::message(out, 1, |out| write_pair(&unquoted(name), out, |out| reader.write(depth - OBJECT, out)));
                });
            }),
            Some(b'[') => wire::message(out, 5, |out| {
                self.items(|reader| wire::message(out, 1, |out| reader.write(depth - LIST, out)));
            }),
            Some(b'"') => write_text(&unquoted(self.quoted()), out),
            _ => match scalar(self.scalar()).value {
                Some(Value::BoolValue(is)) => wire::number(out, 2, u64::from(is)),
                Some(Value::IntValue(whole)) => wire::number(out, 3, whole.cast_unsigned()),
                Some(Value::DoubleValue(double)) => wire::fixed64(out, 4, double.to_bits()),
                Some(Value::StringValue(digits)) => write_text(&digits, out),
                _ => {}
            },
        }
    }

    /// Reads a list; `item` reads an item.
    fn items(&mut self, mut item: impl FnMut(&mut Self)) {
        self.take(1);
        while let Some(next) = self.next().filter(|next| *next != b']') {
            if next == b',' {
                self.take(1);
            } else {
                item(self);
            }
        }
        self.take(1);
    }

    /// Reads an object; `member` is given a name as it is written, and reads the value.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str)) {
        self.take(1);
        while let Some(next) = self.next().filter(|next| *next != b'}') {
            if next == b',' {
                self.take(1);
                continue;
            }
            let name = self.quoted();
            // The colon.
            self.next();
            self.take(1);
            member(self, name);
        }
        self.take(1);
    }

    /// A value, as it is written.
    fn skipped(&mut self) -> &'a str {
        match self.next() {
            Some(b'{' | b'[') => self.nested(),
            Some(b'"') => self.quoted(),
            _ => self.scalar(),
        }
    }

    /// The first character that is no white space.
    fn next(&mut self) -> Option<u8> {
        if let Some(b' ' | b'\t' | b'\n' | b'\r') = self.rest.as_bytes().first() {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        }
        self.rest.as_bytes().first().copied()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// A text with its quotation marks.
    fn quoted(&mut self) -> &'a str {
        let mut end = 1;
        while let Some(rest) = self.rest.as_bytes().get(end..)
            && let Some(found) = memchr::memchr2(b'"', b'\\', rest)
        {
            end += found + 1;
            if rest.get(found) == Some(&b'"') {
                return self.take(end);
            }
            // What is escaped.
            end += 1;
        }
        self.take(self.rest.len())
    }

    /// An object or a list, as it is written.
    fn nested(&mut self) -> &'a str {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        let end = self.rest.bytes().position(|b| {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        });
        self.take(end.map_or(self.rest.len(), |end| end + 1))
    }

    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self) -> &'a str {
        let ends = |c: char| matches!(c, ',' | ']' | '}' | ' ' | '\t' | '\n' | '\r');
        self.take(self.rest.find(ends).unwrap_or(self.rest.len()).max(1))
    }
}

fn of(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn scalar(digits: &str) -> AnyValue {
    match digits {
        "null" => return AnyValue { value: None },
        "true" => return of(Value::BoolValue(true)),
        "false" => return of(Value::BoolValue(false)),
        _ => {}
    }
    let is_whole = !digits.contains(['.', 'e', 'E']) && digits != "-0";
    // Beyond what the protocol's numbers hold, the digits are kept as a text.
    match (digits.parse(), digits.parse()) {
        (Ok(whole), _) if is_whole => of(Value::IntValue(whole)),
        (_, Ok(double)) if !is_whole && f64::is_finite(double) && (double != 0.0 || is_zero(digits)) => of(Value::DoubleValue(double)),
        _ => text(digits),
    }
}

/// Whether a number is zero as it is written, and not only where a double holds it.
fn is_zero(digits: &str) -> bool {
    !digits.bytes().take_while(|b| !matches!(b, b'e' | b'E')).any(|b| matches!(b, b'1'..=b'9'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::otlp::value::write;
    use proptest::prelude::*;

    fn parsed(json: &str) -> AnyValue {
        let value = value_at(json, DEPTH);
        let mut written = Vec::new();
        super::write(json, DEPTH, &mut written);
        assert!(written == prost::Message::encode_to_vec(&value), "{json}: written as the message is");
        value
    }

    #[test]
    fn values_of_all_kinds() {
        let written = |json: &str| {
            let mut out = Vec::new();
            write(&mut out, Some(&parsed(json)));
            String::from_utf8(out).unwrap()
        };
        for (json, expected) in [
            (r#"{ "a" : [ 1 , -2.5e1 , true , null ] , "b" : { } , "c" : [ ] }"#, r#"{"a":[1,-25.0,true,null],"b":{},"c":[]}"#),
            (r#""a\"\\\u00e9\n,]}""#, r#""a\"\\é\n,]}""#),
            (r#"{"a\"}":"]","":0}"#, r#"{"a\"}":"]","":0}"#),
            ("\"\\ud800\"", r#""\"\\ud800\"""#),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "\"9223372036854775808\""),
            ("123456789012345678901234567890", "\"123456789012345678901234567890\""),
            ("-0", "-0.0"),
            ("1e999", "\"1e999\""),
            ("-1e-400", "\"-1e-400\""),
            ("0.00E5", "0.0"),
            ("1E2", "100.0"),
            ("\t false\n", "false"),
        ] {
            assert_eq!(written(json), expected, "{json}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_its_text() {
        let deep = format!("{}{{\"]\":\"}}\\\"\"}}{}", "[".repeat(60), "]".repeat(60));
        let mut value = parsed(&deep);
        for _ in 0..45 {
            let Some(Value::ArrayValue(mut list)) = value.value else { panic!("{value:?}") };
            value = list.values.remove(0);
        }
        assert_eq!(value, text(&deep[45..deep.len() - 45]));
    }

    proptest! {
        #[test]
        fn doubles_are_exact(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let json = serde_json::to_string(&double).unwrap();
            let Some(Value::DoubleValue(found)) = parsed(&json).value else { panic!("{json}") };
            prop_assert_eq!(found.to_bits(), bits, "{}", json);
        }
    }
}
