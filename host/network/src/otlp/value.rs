//! Values: `AnyValue`, and JSON from it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use std::collections::HashSet;

/// From so many members on, names are looked up in a set.
const FEW: usize = 16;

/// Writes a text as JSON.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// Writes a value as JSON: bytes as Base64, numbers that JSON does not have as texts.
pub(super) fn write(out: &mut Vec<u8>, value: Option<&AnyValue>) {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => out.extend_from_slice(b"null"),
        Some(Value::StringValue(text)) => write_text(out, text),
        Some(Value::BoolValue(is)) => out.extend_from_slice(if *is { b"true" } else { b"false" }),
        Some(Value::IntValue(number)) => out.extend_from_slice(number.to_string().as_bytes()),
        Some(Value::DoubleValue(number)) if number.is_finite() => {
            let _ = serde_json::to_writer(out, number);
        }
        Some(Value::DoubleValue(number)) => write_text(out, not_finite(*number)),
        Some(Value::BytesValue(bytes)) => write_text(out, &BASE64_STANDARD.encode(bytes)),
        Some(Value::KvlistValue(list)) => write_object(out, &list.values),
        Some(Value::ArrayValue(list)) => {
            out.push(b'[');
            for (n, value) in list.values.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(out, Some(value));
            }
            out.push(b']');
        }
    }
}

fn not_finite(number: f64) -> &'static str {
    match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Writes names and values as a JSON object. The protocol forbids a name twice; the first one counts.
pub(super) fn write_object(out: &mut Vec<u8>, members: &[KeyValue]) {
    let mut seen = (members.len() > FEW).then(|| HashSet::with_capacity(members.len()));
    out.push(b'{');
    let begin = out.len();
    for (n, member) in members.iter().enumerate() {
        let is_new = match &mut seen {
            Some(seen) => seen.insert(member.key.as_str()),
            None => members.iter().take(n).all(|other| other.key != member.key),
        };
        if !is_new {
            continue;
        }
        if out.len() > begin {
            out.push(b',');
        }
        write_text(out, &member.key);
        out.push(b':');
        write(out, member.value.as_ref());
    }
    out.push(b'}');
}

/// A text as a value.
pub(super) fn text(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

/// A name with a value.
pub(super) fn pair(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), key_strindex: 0 }
}
