//! A log record whose values are still texts of JSON, and how it is sent.

use super::value::{pair, text};
use super::{from_json, wire};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use std::borrow::Cow;

/// A value that the record brings.
#[derive(Debug, Clone)]
pub(super) enum Given<'a> {
    /// JSON, and how deep what lies in it may lie.
    Json(&'a str, u32),
    /// A text.
    Text(String),
}

/// A name with a value.
#[derive(Debug, Clone)]
pub(super) struct Attribute<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Given<'a>,
}

/// A log record; the members are those of [`LogRecord`].
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) time_unix_nano: u64,
    pub(super) observed_time_unix_nano: u64,
    pub(super) severity_number: i32,
    pub(super) severity_text: String,
    pub(super) body: Option<Given<'a>>,
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) dropped_attributes_count: u32,
    pub(super) flags: u32,
    pub(super) trace_id: Vec<u8>,
    pub(super) span_id: Vec<u8>,
    pub(super) event_name: String,
}

impl Given<'_> {
    fn value(&self) -> AnyValue {
        match self {
            Self::Json(json, depth) => from_json::value_at(json, *depth),
            Self::Text(said) => text(said.as_str()),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Json(json, depth) => from_json::write(json, *depth, out),
            Self::Text(said) => from_json::write_text(said, out),
        }
    }
}

impl Attribute<'_> {
    pub(super) fn pair(&self) -> KeyValue {
        pair(&*self.name, self.value.value())
    }
}

impl Draft<'_> {
    /// As a message.
    pub(super) fn record(self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time_unix_nano,
            observed_time_unix_nano: self.observed_time_unix_nano,
            severity_number: self.severity_number,
            severity_text: self.severity_text,
            body: self.body.as_ref().map(Given::value),
            attributes: self.attributes.iter().map(Attribute::pair).collect(),
            dropped_attributes_count: self.dropped_attributes_count,
            flags: self.flags,
            trace_id: self.trace_id,
            span_id: self.span_id,
            event_name: self.event_name,
        }
    }

    /// As the bytes of that message, without making it: a batch in memory is little more than what is sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.time_unix_nano != 0 {
            wire::fixed64(out, 1, self.time_unix_nano);
        }
        if self.severity_number != 0 {
            wire::number(out, 2, i64::from(self.severity_number).cast_unsigned());
        }
        if !self.severity_text.is_empty() {
            wire::bytes(out, 3, self.severity_text.as_bytes());
        }
        if let Some(body) = &self.body {
            wire::message(out, 5, |out| body.write(out));
        }
        for Attribute { name, value } in &self.attributes {
            wire::message(out, 6, |out| from_json::write_pair(name, out, |out| value.write(out)));
        }
        if self.dropped_attributes_count != 0 {
            wire::number(out, 7, u64::from(self.dropped_attributes_count));
        }
        if self.flags != 0 {
            wire::fixed32(out, 8, self.flags);
        }
        for (tag, id) in [(9, &self.trace_id), (10, &self.span_id)] {
            if !id.is_empty() {
                wire::bytes(out, tag, id);
            }
        }
        if self.observed_time_unix_nano != 0 {
            wire::fixed64(out, 11, self.observed_time_unix_nano);
        }
        if !self.event_name.is_empty() {
            wire::bytes(out, 12, self.event_name.as_bytes());
        }
    }
}
