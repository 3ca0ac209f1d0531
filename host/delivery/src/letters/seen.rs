//! What a step was shown of a record, in a dead letter.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Bytes of values of one record that a letter holds beside the record itself.
pub const SEEN_BYTES_MAX: usize = 1 << 20;

/// A field as the step was shown it.
#[derive(Debug, Deserialize)]
pub struct Seen<'a> {
    /// Its path.
    #[serde(borrow)]
    pub field: Cow<'a, str>,
    /// `text`, `integer`, `float`, `boolean` or `json`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Its value as JSON, `null` when it was not there; none when it stands in the letter's record as it was shown.
    #[serde(borrow, default, deserialize_with = "there")]
    pub value: Option<&'a RawValue>,
    /// Bytes of a value that was left out, for it was longer than [`SEEN_BYTES_MAX`] allows.
    #[serde(default)]
    pub left_out: Option<u64>,
}

/// A member that is there, `null` too: a field that was not there is not one that the record tells.
fn there<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Writes what a step was shown, for [`crate::DeadLetter::seen`].
#[derive(Debug, Default)]
pub struct SeenWriter {
    out: Vec<u8>,
    values: usize,
}

/// The value of a field, as far as a letter tells it.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// The letter's record has it.
    InRecord,
    /// The field was not there.
    Absent,
    /// Text.
    Text(&'a str),
    /// Anything else, as JSON.
    Json(&'a [u8]),
}

impl SeenWriter {
    /// The next field, in the order of the step's columns.
    pub fn push(&mut self, field: &str, kind: &str, shown: Shown<'_>) {
        self.out.extend_from_slice(if self.out.is_empty() { b"[{\"field\":" } else { b",{\"field\":" });
        // Writing texts into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.out, field);
        self.out.extend_from_slice(b",\"kind\":\"");
        self.out.extend_from_slice(kind.as_bytes());
        self.out.push(b'"');
        let bytes = match shown {
            Shown::InRecord | Shown::Absent => 0,
            Shown::Text(text) => text.len(),
            Shown::Json(json) => json.len(),
        };
        if self.values.saturating_add(bytes) > SEEN_BYTES_MAX {
            self.out.extend_from_slice(format!(",\"left_out\":{bytes}}}").as_bytes());
            return;
        }
        self.values += bytes;
        match shown {
            Shown::InRecord => {}
            Shown::Absent => self.out.extend_from_slice(b",\"value\":null"),
            Shown::Text(text) => {
                self.out.extend_from_slice(b",\"value\":");
                let _ = serde_json::to_writer(&mut self.out, text);
            }
            Shown::Json(json) => {
                self.out.extend_from_slice(b",\"value\":");
                self.out.extend_from_slice(json);
            }
        }
        self.out.push(b'}');
    }

    /// All of it: a list as JSON.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.out.is_empty() { b"[]" } else { b"]" });
        self.out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = SeenWriter::default();
        writer.push("a.\"b\"", "text", Shown::Text("\"\n\u{7}é"));
        writer.push("b", "json", Shown::Json(br#"{"x":1e999}"#));
        writer.push("c", "text", Shown::InRecord);
        writer.push("d", "integer", Shown::Absent);
        let bytes = writer.finish();
        let seen: Vec<Seen<'_>> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(seen.iter().map(|s| &*s.field).collect::<Vec<_>>(), ["a.\"b\"", "b", "c", "d"]);
        assert_eq!(serde_json::from_str::<String>(seen[0].value.unwrap().get()).unwrap(), "\"\n\u{7}é");
        assert_eq!(seen[1].value.unwrap().get(), r#"{"x":1e999}"#);
        assert!(seen[2].value.is_none() && seen[3].value.is_some_and(|v| v.get() == "null"));
        assert_eq!(SeenWriter::default().finish(), b"[]");
    }

    #[test]
    fn it_is_bounded() {
        let (mut writer, long) = (SeenWriter::default(), "x".repeat(SEEN_BYTES_MAX - 1));
        for field in ["a", "b", "c"] {
            writer.push(field, "text", Shown::Text(if field == "c" { "y" } else { &long }));
        }
        let bytes = writer.finish();
        assert!(bytes.len() < SEEN_BYTES_MAX + 200);
        let seen: Vec<Seen<'_>> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(seen.iter().map(|s| s.left_out).collect::<Vec<_>>(), [None, Some(SEEN_BYTES_MAX as u64 - 1), None]);
    }
}
