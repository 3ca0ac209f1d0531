//! Requests to Loki's push API.
//!
//! Source of the formats: <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>; protobuf: `PushRequest` in
//! Loki's `pkg/push/push.proto`, packed with snappy's block format.

use crate::timestamp::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;

const SECOND: i64 = 1_000_000_000;

/// A line of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time: Timestamp,
    pub(crate) line: String,
    pub(crate) metadata: Labels,
}

/// Names and values, in order of the names.
pub(crate) type Labels = Vec<(String, String)>;

/// Labels, and lines in order of their times.
pub(crate) type Stream = (Labels, Vec<Entry>);

/// Labels as Loki's query language writes them: `{a="x", b="y"}`.
fn selector(labels: &[(String, String)]) -> String {
    let mut out = String::from("{");
    for (number, (name, value)) in labels.iter().enumerate() {
        let comma = if number > 0 { ", " } else { "" };
        let _ = write!(out, "{comma}{name}=\"");
        for c in value.chars() {
            let _ = match c {
                '"' => write!(out, "\\\""),
                '\\' => write!(out, "\\\\"),
                '\n' => write!(out, "\\n"),
                c if c.is_control() => write!(out, "\\u{:04x}", c as u32),
                c => write!(out, "{c}"),
            };
        }
        out.push('"');
    }
    out.push('}');
    out
}

/// A request as JSON.
pub(crate) fn json_body(streams: &[Stream]) -> Vec<u8> {
    let object =
        |pairs: &[(String, String)]| Value::Object(pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect());
    let entry = |entry: &Entry| match entry.metadata.is_empty() {
        true => json!([entry.time.0.to_string(), entry.line]),
        false => json!([entry.time.0.to_string(), entry.line, object(&entry.metadata)]),
    };
    let stream = |(labels, entries): &Stream| json!({ "stream": object(labels), "values": entries.iter().map(entry).collect::<Vec<_>>() });
    json!({ "streams": streams.iter().map(stream).collect::<Vec<_>>() }).to_string().into_bytes()
}

/// A request as protobuf, not yet packed.
pub(crate) fn protobuf_body(streams: &[Stream]) -> Vec<u8> {
    let mut body = Vec::new();
    for (labels, entries) in streams {
        let mut stream = Vec::new();
        bytes_field(1, selector(labels).as_bytes(), &mut stream);
        for Entry { time, line, metadata } in entries {
            let mut timestamp = Vec::new();
            number_field(1, time.0.div_euclid(SECOND) as u64, &mut timestamp);
            number_field(2, time.0.rem_euclid(SECOND) as u64, &mut timestamp);
            let mut entry = Vec::new();
            bytes_field(1, &timestamp, &mut entry);
            bytes_field(2, line.as_bytes(), &mut entry);
            for (name, value) in metadata {
                let mut pair = Vec::new();
                bytes_field(1, name.as_bytes(), &mut pair);
                bytes_field(2, value.as_bytes(), &mut pair);
                bytes_field(3, &pair, &mut entry);
            }
            bytes_field(2, &entry, &mut stream);
        }
        bytes_field(1, &stream, &mut body);
    }
    body
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number_field(number: u64, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        varint(number << 3, out);
        varint(value, out);
    }
}

fn bytes_field(number: u64, bytes: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn streams() -> Vec<Stream> {
        let labels = vec![("app".to_owned(), "a\"b\\c\nd".to_owned()), ("team".to_owned(), "é".to_owned())];
        let entry = |nanos, line: &str| Entry { time: Timestamp(nanos), line: line.to_owned(), metadata: Vec::new() };
        let with = Entry { metadata: vec![("trace_id".to_owned(), "7".to_owned())], ..entry(1_709_251_505_000_000_001, "two") };
        vec![(labels, vec![entry(0, ""), with])]
    }

    #[test]
    fn as_json() {
        let told: Value = serde_json::from_slice(&json_body(&streams())).unwrap();
        let expected = json!({ "streams": [{
            "stream": { "app": "a\"b\\c\nd", "team": "é" },
            "values": [["0", ""], ["1709251505000000001", "two", { "trace_id": "7" }]],
        }] });
        assert_eq!(told, expected);
    }

    /// Another library reads what is written here.
    #[cfg(feature = "otlp")]
    #[test]
    fn as_protobuf() {
        use prost::Message;

        #[derive(Clone, PartialEq, Message)]
        struct PushRequest {
            #[prost(message, repeated, tag = "1")]
            streams: Vec<StreamAdapter>,
        }
        #[derive(Clone, PartialEq, Message)]
        struct StreamAdapter {
            #[prost(string, tag = "1")]
            labels: String,
            #[prost(message, repeated, tag = "2")]
            entries: Vec<EntryAdapter>,
        }
        #[derive(Clone, PartialEq, Message)]
        struct EntryAdapter {
            #[prost(message, optional, tag = "1")]
            timestamp: Option<Time>,
            #[prost(string, tag = "2")]
            line: String,
            #[prost(message, repeated, tag = "3")]
            metadata: Vec<Pair>,
        }
        #[derive(Clone, PartialEq, Message)]
        struct Time {
            #[prost(int64, tag = "1")]
            seconds: i64,
            #[prost(int32, tag = "2")]
            nanos: i32,
        }
        #[derive(Clone, PartialEq, Message)]
        struct Pair {
            #[prost(string, tag = "1")]
            name: String,
            #[prost(string, tag = "2")]
            value: String,
        }
        let told = PushRequest::decode(protobuf_body(&streams()).as_slice()).unwrap();
        let entry = |seconds, nanos, line: &str, metadata| EntryAdapter {
            timestamp: Some(Time { seconds, nanos }),
            line: line.to_owned(),
            metadata,
        };
        let pair = Pair { name: "trace_id".to_owned(), value: "7".to_owned() };
        assert_eq!(told.streams.len(), 1);
        assert_eq!(told.streams[0].labels, r#"{app="a\"b\\c\nd", team="é"}"#);
        assert_eq!(told.streams[0].entries, [entry(0, 0, "", Vec::new()), entry(1_709_251_505, 1, "two", vec![pair])]);
    }
}
