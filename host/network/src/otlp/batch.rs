//! A batch as a request: records of one resource and one scope together, in their order.

use super::draft::Draft;
use super::mapping::{Keys, Mapping};
use super::wire;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::cell::Cell;
use std::collections::HashMap;
use std::time::SystemTime;
use tamis_nodes::sinks::Batch;

/// A request as Protobuf, in pieces.
#[derive(Debug, Default)]
pub(super) struct Packed(Vec<Vec<u8>>);

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(super) fn into_parts(self) -> impl Iterator<Item = Vec<u8>> {
        self.0.into_iter()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        self.into_parts().for_each(|part| all.extend_from_slice(&part));
        all
    }
}

/// What belongs to a resource.
struct OfResource<R> {
    resource: Resource,
    schema: String,
    scopes: Vec<OfScope<R>>,
}

/// What belongs to a scope of it.
struct OfScope<R> {
    scope: InstrumentationScope,
    schema: String,
    records: R,
}

/// Brings the records of a batch together; `add` takes each.
fn group<'a, R: Default>(mapping: &Mapping, batch: &Batch<'a>, mut add: impl FnMut(&mut R, Draft<'a>)) -> Vec<OfResource<R>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let mut all: Vec<OfResource<R>> = Vec::new();
    let mut resources: HashMap<Option<Vec<u8>>, usize> = HashMap::new();
    let mut scopes: HashMap<Keys, (usize, usize)> = HashMap::new();
    for (line, _) in batch.iter() {
        let found = Cell::new(None);
        let (keys, mapped) = mapping.map(line, now, |keys| {
            found.set(scopes.get(keys).copied());
            found.get().is_some()
        });
        let (of_resource, of_scope) = match found.get().or_else(|| scopes.get(&keys).copied()) {
            Some(places) => places,
            None => {
                let of_resource = *resources.entry(keys.resource.clone()).or_insert_with(|| {
                    all.push(OfResource { resource: mapped.resource, schema: mapped.resource_schema, scopes: Vec::new() });
                    all.len() - 1
                });
                let theirs = all.get_mut(of_resource).map(|of_resource| {
                    of_resource.scopes.push(OfScope { scope: mapped.scope, schema: mapped.scope_schema, records: R::default() });
                    of_resource.scopes.len() - 1
                });
                let places = (of_resource, theirs.unwrap_or_default());
                scopes.insert(keys, places);
                places
            }
        };
        if let Some(of_scope) = all.get_mut(of_resource).and_then(|of_resource| of_resource.scopes.get_mut(of_scope)) {
            add(&mut of_scope.records, mapped.record);
        }
    }
    all
}

/// As a message.
pub(super) fn message(mapping: &Mapping, batch: &Batch<'_>) -> ExportLogsServiceRequest {
    let all = group(mapping, batch, |records: &mut Vec<LogRecord>, record| records.push(record.record()));
    let of_scope = |of: OfScope<Vec<LogRecord>>| ScopeLogs { scope: Some(of.scope), log_records: of.records, schema_url: of.schema };
    let of_resource = |of: OfResource<Vec<LogRecord>>| ResourceLogs {
        resource: Some(of.resource),
        scope_logs: of.scopes.into_iter().map(of_scope).collect(),
        schema_url: of.schema,
    };
    ExportLogsServiceRequest { resource_logs: all.into_iter().map(of_resource).collect() }
}

/// As the bytes of that message.
pub(super) fn protobuf(mapping: &Mapping, batch: &Batch<'_>) -> Packed {
    let mut room = batch.bytes() / 4 * 5;
    let all = group(mapping, batch, |records: &mut Vec<u8>, record| {
        // Most batches are of one scope, and take little more bytes than the records do.
        records.reserve(std::mem::take(&mut room));
        wire::message(records, 2, |out| record.write(out));
    });
    let mut parts = Vec::new();
    for OfResource { resource, schema, scopes } in all {
        let mut head = Vec::new();
        wire::bytes(&mut head, 1, &resource.encode_to_vec());
        let (mut behind, mut length) = (Vec::new(), head.len());
        for OfScope { scope, schema, records } in scopes {
            let (mut front, mut back) = (Vec::new(), Vec::new());
            wire::bytes(&mut front, 1, &scope.encode_to_vec());
            schema_url(&mut back, &schema);
            let mut begin = Vec::new();
            wire::begin(&mut begin, 2, front.len() + records.len() + back.len());
            begin.append(&mut front);
            length += begin.len() + records.len() + back.len();
            behind.extend([begin, records, back]);
        }
        let mut back = Vec::new();
        schema_url(&mut back, &schema);
        let mut begin = Vec::new();
        wire::begin(&mut begin, 1, length + back.len());
        begin.append(&mut head);
        parts.push(begin);
        parts.append(&mut behind);
        parts.push(back);
    }
    Packed(parts)
}

fn schema_url(out: &mut Vec<u8>, schema: &str) {
    if !schema.is_empty() {
        wire::bytes(out, 3, schema.as_bytes());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_nodes::sinks::Part;

    #[test]
    fn the_bytes_are_those_of_the_message() {
        let lines = [
            r#"{"body":1,"resource":{"service.name":"a"},"resource_schema_url":"r","scope":{"name":"s","schema_url":"x"}}"#,
            r#"{"body":{"a":[1,2.5,null,{"b":"c\n"}]},"attributes":{"x":{"y":false}},"resource":{"service.name":"b"}}"#,
            r#"{"time":"2026-01-02T03:04:05Z","severity_number":9,"severity_text":"INFO","flags":1,"dropped_attributes_count":2,"event_name":"e"}"#,
            r#"{"body":2,"resource":{"service.name":"a"},"resource_schema_url":"r","scope":{"name":"other"}}"#,
            r#"{"body":3,"resource":{"service.name":"a"},"resource_schema_url":"r","scope":{"name":"s","schema_url":"x"},"":""}"#,
            "[1]",
        ];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let part = Part { lines: text.as_bytes(), records: lines.len(), pipeline: "p", source: "s", stream: "f", offsets: &[] };
        for options in ["", ", layout: data_model, resource: { team: api }", ", layout: data_model, resource_attributes: [body]"] {
            let mapping = Mapping::new(&crate::otlp::round_trip::sink(options));
            let batch = Batch::new(std::slice::from_ref(&part));
            let mut written = ExportLogsServiceRequest::decode(protobuf(&mapping, &batch).into_bytes().as_slice()).unwrap();
            let mut made = message(&mapping, &batch);
            let bytes = protobuf(&mapping, &batch);
            assert_eq!(bytes.len(), made.encoded_len());
            // Each was observed when it was made.
            for request in [&mut written, &mut made] {
                let scopes = request.resource_logs.iter_mut().flat_map(|of_resource| &mut of_resource.scope_logs);
                scopes.flat_map(|of_scope| &mut of_scope.log_records).for_each(|record| record.observed_time_unix_nano = 1);
            }
            assert_eq!(written, made, "{options}");
            assert_eq!(written.encode_to_vec(), made.encode_to_vec());
        }
        let mapping = Mapping::new(&crate::otlp::round_trip::sink(""));
        let batch = Batch::new(std::slice::from_ref(&part));
        assert!(protobuf(&mapping, &batch).into_bytes() == message(&mapping, &batch).encode_to_vec(), "byte by byte");
        let empty = Batch::new(&[]);
        assert_eq!(protobuf(&mapping, &empty).len(), 0);
    }
}
