//! Values from JSON.
//!
//! The text was found to be JSON before, so it is only taken apart here. serde_json's own reading of numbers is exact to the last place but
//! one; these are exact.

use super::value::{pair, text};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValueList};
use serde_json::value::RawValue;

/// Receivers read messages within messages to a depth of 100. A log record's own value stands at 5; a list costs two more, an object
/// three. What lies deeper travels as its JSON text.
const DEPTH: u32 = 92;

/// The value that a JSON text stands for.
pub(super) fn value(json: &RawValue) -> AnyValue {
    Reader { rest: json.get() }.value(DEPTH)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> AnyValue {
        match self.next() {
            Some(b'{' | b'[') if depth <= 3 => text(self.nested()),
            Some(b'{') => of(self.object(depth - 3)),
            Some(b'[') => of(self.list(depth - 2)),
            Some(b'"') => text(unquoted(self.quoted())),
            _ => scalar(self.scalar()),
        }
    }

    fn list(&mut self, depth: u32) -> Value {
        let mut values = Vec::new();
        self.take(1);
        while let Some(next) = self.next().filter(|next| *next != b']') {
            if next == b',' {
                self.take(1);
            } else {
                values.push(self.value(depth));
            }
        }
        self.take(1);
        Value::ArrayValue(ArrayValue { values })
    }

    fn object(&mut self, depth: u32) -> Value {
        let mut values = Vec::new();
        self.take(1);
        while let Some(next) = self.next().filter(|next| *next != b'}') {
            if next == b',' {
                self.take(1);
                continue;
            }
            let name = unquoted(self.quoted());
            // The colon.
            self.next();
            self.take(1);
            values.push(pair(name, self.value(depth)));
        }
        self.take(1);
        Value::KvlistValue(KeyValueList { values })
    }

    /// The first character that is no white space.
    fn next(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.bytes().next()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// A text with its quotation marks.
    fn quoted(&mut self) -> &'a str {
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        });
        self.take(end.map_or(self.rest.len(), |end| end + 2))
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

/// What cannot be a text of Unicode, such as half a pair of surrogates, stays as it is written.
fn unquoted(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
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
        (_, Ok(double)) if !is_whole && f64::is_finite(double) => of(Value::DoubleValue(double)),
        _ => text(digits),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::otlp::value::write;
    use proptest::prelude::*;

    fn parsed(json: &str) -> AnyValue {
        value(serde_json::from_str(json).unwrap())
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
