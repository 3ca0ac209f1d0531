//! From messages of a broker, each a record, to frames.

use serde_json::value::RawValue;
use std::collections::HashMap;
use tamis_codecs::{Decoder, Frame, Rejected};
use tamis_config::Codec;
use tamis_nodes::sources::RunOptions;
use tamis_record::BATCH_BYTES_MAX;

/// Bytes kept of a message that was too long.
const KEPT_OF_TOO_LONG: usize = 64 * 1024;

/// How messages become records.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The field that gets what the broker says of a message.
    pub(crate) metadata: Option<String>,
    pub(crate) record_bytes_max: usize,
    pub(crate) is_json: bool,
    pub(crate) records_max: usize,
    pub(crate) frame_bytes: usize,
}

impl Reading {
    pub(crate) fn new(codec: &Codec, record_bytes_max: usize, metadata: Option<&str>, options: &RunOptions) -> Self {
        Self {
            metadata: metadata.map(str::to_owned),
            record_bytes_max,
            is_json: *codec == Codec::Json,
            records_max: options.records_max,
            frame_bytes: options.frame_bytes,
        }
    }
}

/// Messages on their way into a frame, in the order of their offsets.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    frame: Frame,
    /// What the broker says of messages, as JSON, by offset.
    metadata: HashMap<u64, Vec<u8>>,
    metadata_bytes: usize,
}

impl Gathered {
    /// Adds a message. `metadata` writes what the broker says of it, where it is asked for.
    pub(crate) fn add(&mut self, reading: &Reading, offset: u64, value: &[u8], metadata: impl FnOnce() -> serde_json::Value) {
        let bytes = value.len();
        self.frame.bytes += bytes as u64;
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let reason = if bytes > reading.record_bytes_max {
            Some(format!("the message has {bytes} bytes, at most {} are allowed", reading.record_bytes_max))
        } else if reading.is_json && value.iter().any(|b| matches!(b, b'\n' | b'\r')) {
            // Within texts a line feed would be wrong, between the parts of a value it is made a space below.
            let checked = serde_json::from_slice::<&RawValue>(value);
            checked.err().map(|error| format!("not JSON: line {}, column {}", error.line(), error.column()))
        } else {
            None
        };
        if let Some(reason) = reason {
            let kept = value.get(..KEPT_OF_TOO_LONG).unwrap_or(value).to_vec();
            self.frame.rejected.push(Rejected { bytes: kept, offset, reason });
            return;
        }
        let text = &mut self.frame.records.text;
        let from = text.len() as u32;
        if reading.is_json {
            text.extend(value.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }));
        } else {
            text.extend_from_slice(value);
        }
        self.frame.records.rows.push((from, text.len() as u32));
        text.push(b'\n');
        self.frame.offsets.get_or_insert_default().push(offset);
        if reading.metadata.is_some() {
            let metadata = metadata().to_string().into_bytes();
            self.metadata_bytes += metadata.len();
            self.metadata.insert(offset, metadata);
        }
    }

    /// Whether there is anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.frame.count() == 0
    }

    /// Whether it is as much as a frame takes.
    pub(crate) fn is_full(&self, reading: &Reading) -> bool {
        self.frame.count() >= reading.records_max || self.frame.records.text.len() + self.metadata_bytes >= reading.frame_bytes
    }

    /// The frame.
    pub(crate) fn finish(self, reading: &Reading, decoder: &mut Decoder) -> Frame {
        let mut frame = decoder.decode(self.frame);
        if let Some(field) = &reading.metadata {
            insert(&mut frame, field, &self.metadata);
        }
        frame
    }
}

/// Gives each record that is an object what the broker said of its message, as its last member: of two members of a name the last counts.
fn insert(frame: &mut Frame, field: &str, metadata: &HashMap<u64, Vec<u8>>) {
    let name = serde_json::Value::from(field).to_string();
    let mut text = Vec::with_capacity(frame.records.text.len() * 2);
    let mut rows = Vec::with_capacity(frame.records.rows.len());
    for row in 0..frame.records.rows.len() {
        let record = frame.records.get(row);
        let from = text.len() as u32;
        let trimmed = record.trim_ascii();
        let inner = trimmed.strip_prefix(b"{").and_then(|inner| inner.strip_suffix(b"}"));
        match (inner, metadata.get(&frame.offset(row))) {
            (Some(inner), Some(metadata)) if text.len() + record.len() + metadata.len() + name.len() < BATCH_BYTES_MAX => {
                text.push(b'{');
                text.extend_from_slice(inner);
                if !inner.trim_ascii().is_empty() {
                    text.push(b',');
                }
                text.extend_from_slice(name.as_bytes());
                text.push(b':');
                text.extend_from_slice(metadata);
                text.push(b'}');
            }
            _ => text.extend_from_slice(record),
        }
        rows.push((from, text.len() as u32));
        text.push(b'\n');
    }
    frame.records.text = text;
    frame.records.rows = rows;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(codec: &Codec, metadata: Option<&str>, values: &[&str]) -> Vec<String> {
        let reading = Reading {
            metadata: metadata.map(str::to_owned),
            record_bytes_max: 60,
            is_json: *codec == Codec::Json,
            records_max: 100,
            frame_bytes: 10_000,
        };
        let mut gathered = Gathered::default();
        for (at, value) in values.iter().enumerate() {
            gathered.add(&reading, 100 + at as u64, value.as_bytes(), || json!({ "offset": 100 + at }));
        }
        let frame = gathered.finish(&reading, &mut Decoder::new(codec));
        let text = |row| String::from_utf8(frame.records.get(row).to_vec()).unwrap();
        let records = (0..frame.records.rows.len()).map(|row| format!("{} {}", frame.offset(row), text(row)));
        records.chain(frame.rejected.iter().map(|r| format!("{} rejected: {}", r.offset, r.reason))).collect()
    }

    #[test]
    fn a_message_is_a_record() {
        let long = format!("\"{}\"", "x".repeat(70));
        assert_eq!(
            read(&Codec::Json, None, &["{\"a\":1}\r\n", "{\n\"a\": 2\n}", "{\"a\":\"x\ny\"}", &long]),
            [
                "100 {\"a\":1}",
                "101 { \"a\": 2 }",
                "102 rejected: not JSON: line 1, column 7",
                "103 rejected: the message has 72 bytes, at most 60 are allowed"
            ]
        );
        assert_eq!(read(&Codec::Text, None, &["one\ntwo"]), ["100 {\"message\":\"one\\ntwo\"}"]);
    }

    #[test]
    fn metadata_stands_last() {
        assert_eq!(
            read(&Codec::Json, Some("k"), &["{\"k\":1}", " {} ", "no object", "[1]"]),
            ["100 {\"k\":1,\"k\":{\"offset\":100}}", "101 {\"k\":{\"offset\":101}}", "102 no object", "103 [1]"]
        );
        assert_eq!(read(&Codec::Text, Some("k"), &["a"]), ["100 {\"message\":\"a\",\"k\":{\"offset\":100}}"]);
    }
}
