//! Records to try a plugin with: those of its cases with a value changed, and made-up ones.

use serde_json::{Map, Value};
use tamis_record::{Field, Kind, Path, Segment};

/// Stands for a value until its text is put in: a value that no JSON library would write can then be any text.
const PLACE: &str = "@tamis:value@";
/// Elements that an array is filled up to, so that one behind them can be set.
const ELEMENTS_MAX: u32 = 1024;

/// A record that has every field, each with a value of its kind.
pub(super) fn sample(fields: &[Field]) -> Vec<u8> {
    let mut record = Value::Object(Map::new());
    for field in fields {
        let value = match field.kind {
            Kind::Text => Value::from("made up"),
            Kind::Integer => Value::from(42),
            Kind::Float => Value::from(4.5),
            Kind::Boolean => Value::from(true),
            Kind::Json => Value::from(vec![1, 2]),
        };
        set(&mut record, field.path.segments(), value);
    }
    record.to_string().into_bytes()
}

/// The record with the text `value` in a field (for the whole record: in a new member); the record itself when it is not an object.
pub(super) fn with(record: &[u8], path: &Path, value: &str) -> Vec<u8> {
    let Ok(mut parsed @ Value::Object(_)) = serde_json::from_slice(record) else { return record.to_vec() };
    if path.is_root() {
        set(&mut parsed, &[Segment::Key("value".into())], PLACE.into());
    } else {
        set(&mut parsed, path.segments(), PLACE.into());
    }
    parsed.to_string().replace(&format!("\"{PLACE}\""), value).into_bytes()
}

/// The record without a field; for the whole record, an empty one.
pub(super) fn without(record: &[u8], path: &Path) -> Vec<u8> {
    let Ok(mut parsed @ Value::Object(_)) = serde_json::from_slice(record) else { return record.to_vec() };
    if let Some((last, parents)) = path.segments().split_last() {
        let parent = parents.iter().try_fold(&mut parsed, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key.as_ref()),
            Segment::Index(index) => value.get_mut(*index as usize),
        });
        match (parent, last) {
            (Some(Value::Object(members)), Segment::Key(key)) => {
                members.remove(key.as_ref());
            }
            (Some(Value::Array(elements)), Segment::Index(index)) => {
                if let Some(element) = elements.get_mut(*index as usize) {
                    *element = Value::Null;
                }
            }
            _ => {}
        }
        return parsed.to_string().into_bytes();
    }
    b"{}".to_vec()
}

fn set(value: &mut Value, segments: &[Segment], new: Value) {
    let Some((first, rest)) = segments.split_first() else {
        if !new.is_array() {
            *value = new;
        }
        return;
    };
    match first {
        Segment::Key(key) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Some(members) = value.as_object_mut() {
                let member = members.entry(key.as_ref()).or_insert(Value::Null);
                if rest.is_empty() { *member = new } else { set(member, rest, new) }
            }
        }
        Segment::Index(index) => {
            if !value.is_array() {
                *value = Value::Array(Vec::new());
            }
            if let Some(elements) = value.as_array_mut() {
                let place = (*index).min(ELEMENTS_MAX) as usize;
                while elements.len() <= place {
                    elements.push(Value::Null);
                }
                if let Some(element) = elements.get_mut(place) {
                    if rest.is_empty() { *element = new } else { set(element, rest, new) }
                }
            }
        }
    }
}

/// Texts of the values in a record that tell of somebody: strings and numbers of `chars_min` characters and more.
pub(super) fn values(record: &[u8], chars_min: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut next: Vec<Value> = serde_json::from_slice(record).into_iter().collect();
    while let Some(value) = next.pop() {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Array(elements) => {
                next.extend(elements);
                continue;
            }
            Value::Object(members) => {
                next.extend(members.into_iter().map(|(_, value)| value));
                continue;
            }
            Value::Bool(_) | Value::Null => continue,
        };
        if text.chars().count() >= chars_min {
            found.push(text);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().expect("a path")
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn values_are_put_into_records_and_taken_out() {
        assert_eq!(text(with(b"{\"a\":1}", &path("b.c"), "1e999")), r#"{"a":1,"b":{"c":1e999}}"#);
        assert_eq!(text(with(b"{\"a\":1}", &path("a[1]"), "\"\\ud800\"")), r#"{"a":[null,"\ud800"]}"#);
        assert_eq!(text(with(b"{}", &Path::root(), "[]")), r#"{"value":[]}"#);
        assert_eq!(text(with(b"[]", &path("a"), "1")), "[]");
        assert_eq!(text(without(b"{\"a\":{\"b\":1,\"c\":2}}", &path("a.b"))), r#"{"a":{"c":2}}"#);
        assert_eq!(text(without(b"{\"a\":[1,2]}", &path("a[0]"))), r#"{"a":[null,2]}"#);
        assert_eq!(text(without(b"{\"a\":1}", &path("x.y"))), r#"{"a":1}"#);
        assert_eq!(text(without(b"{\"a\":1}", &Path::root())), "{}");
    }

    #[test]
    fn a_sample_has_every_field() {
        let field = |text: &str, kind| Field { path: path(text), kind };
        let sample = sample(&[field("a.b", Kind::Text), field("a.c", Kind::Integer), field("d[0]", Kind::Boolean), field(".", Kind::Json)]);
        assert_eq!(text(sample), r#"{"a":{"b":"made up","c":42},"d":[true]}"#);
        assert_eq!(values(br#"{"a":["123456",{"b":1234567,"c":"xy"}],"d":true}"#, 6).len(), 2);
    }
}
