//! Values: `AnyValue` and JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// Receivers read messages within messages to a depth of 100. A log record's own value stands at 5; a list costs two more, an object
/// three. What lies deeper travels as its JSON text.
const DEPTH: u32 = 92;
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

/// The value that a JSON text stands for.
pub(super) fn parse(json: &RawValue) -> AnyValue {
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    // Deeper than the parser goes: the text itself.
    Depth(DEPTH).deserialize(&mut deserializer).unwrap_or_else(|_| text(json.get()))
}

#[derive(Clone, Copy)]
struct Depth(u32);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = AnyValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<AnyValue, D::Error> {
        if self.0 > 3 {
            return deserializer.deserialize_any(self);
        }
        let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
        match raw.get().starts_with(['{', '[']) {
            true => Ok(text(raw.get())),
            false => serde_json::Deserializer::from_str(raw.get()).deserialize_any(self).map_err(D::Error::custom),
        }
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = AnyValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<AnyValue, E> {
        Ok(AnyValue { value: Some(Value::BoolValue(is)) })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<AnyValue, E> {
        Ok(AnyValue { value: Some(Value::IntValue(number)) })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<AnyValue, E> {
        // Beyond what the protocol's integers hold, the digits are kept as a text.
        Ok(i64::try_from(number).map_or_else(|_| text(number.to_string()), |number| AnyValue { value: Some(Value::IntValue(number)) }))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<AnyValue, E> {
        Ok(AnyValue { value: Some(Value::DoubleValue(number)) })
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<AnyValue, E> {
        Ok(text(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<AnyValue, E> {
        Ok(text(value))
    }

    fn visit_unit<E: Error>(self) -> Result<AnyValue, E> {
        Ok(AnyValue { value: None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AnyValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Depth(self.0 - 2))? {
            values.push(value);
        }
        Ok(AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue, A::Error> {
        let mut values = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            values.push(pair(key, map.next_value_seed(Depth(self.0 - 3))?));
        }
        Ok(AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) })
    }
}
