//! Log records as the source makes records of them.

use super::{time, value};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::value::RawValue;

/// The members that a resource adds to each of its records: `,"resource":{…}` and what is rare.
pub(super) fn resource(resource: &Resource, schema_url: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if !resource.attributes.is_empty() {
        out.extend_from_slice(b",\"resource\":");
        value::write_object(&mut out, &resource.attributes);
    }
    number(&mut out, "resource_dropped_attributes_count", resource.dropped_attributes_count);
    text(&mut out, "resource_schema_url", schema_url);
    out
}

/// The member that a scope adds to each of its records.
pub(super) fn scope(scope: &InstrumentationScope, schema_url: &str) -> Vec<u8> {
    let mut inner = Vec::new();
    text(&mut inner, "name", &scope.name);
    text(&mut inner, "version", &scope.version);
    if !scope.attributes.is_empty() {
        inner.extend_from_slice(b",\"attributes\":");
        value::write_object(&mut inner, &scope.attributes);
    }
    number(&mut inner, "dropped_attributes_count", scope.dropped_attributes_count);
    text(&mut inner, "schema_url", schema_url);
    match inner.split_first() {
        None => Vec::new(),
        Some((_, members)) => [b",\"scope\":{", members, b"}"].concat(),
    }
}

/// Appends a record with what its resource and its scope add.
pub(super) fn write(out: &mut Vec<u8>, record: &LogRecord, resource: &[u8], scope: &[u8], json_body: bool) {
    let begin = out.len();
    for (name, nanos) in [("time", record.time_unix_nano), ("observed_time", record.observed_time_unix_nano)] {
        if nanos != 0 {
            member(out, name);
            out.push(b'"');
            time::write(out, nanos);
            out.push(b'"');
        }
    }
    if record.severity_number != 0 {
        member(out, "severity_number");
        out.extend_from_slice(record.severity_number.to_string().as_bytes());
    }
    text(out, "severity_text", &record.severity_text);
    text(out, "event_name", &record.event_name);
    if let Some(body @ AnyValue { value: Some(_) }) = &record.body {
        member(out, "body");
        match object_text(body).filter(|_| json_body) {
            Some(object) => out.extend(object.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b })),
            None => value::write(out, Some(body)),
        }
    }
    if !record.attributes.is_empty() {
        member(out, "attributes");
        value::write_object(out, &record.attributes);
    }
    number(out, "dropped_attributes_count", record.dropped_attributes_count);
    identity(out, "trace_id", &record.trace_id, 16);
    identity(out, "span_id", &record.span_id, 8);
    number(out, "flags", record.flags);
    out.extend_from_slice(resource);
    out.extend_from_slice(scope);
    // Each member began with a comma; the first one's opens the object.
    match out.get_mut(begin) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// The text of a JSON object.
fn object_text(body: &AnyValue) -> Option<&str> {
    let Some(Value::StringValue(text)) = &body.value else { return None };
    let text = text.trim();
    (text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()).then_some(text)
}

fn member(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, name: &str, text: &str) {
    if !text.is_empty() {
        member(out, name);
        value::write_text(out, text);
    }
}

fn number(out: &mut Vec<u8>, name: &str, number: u32) {
    if number != 0 {
        member(out, name);
        out.extend_from_slice(number.to_string().as_bytes());
    }
}

/// Ids of another length, and those of zeros alone, are none.
fn identity(out: &mut Vec<u8>, name: &str, id: &[u8], length: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if id.len() == length && id.iter().any(|b| *b != 0) {
        member(out, name);
        out.push(b'"');
        let digits = id.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|digit| DIGITS.get(usize::from(digit)));
        out.extend(digits);
        out.push(b'"');
    }
}
