//! The sink's requests against a reference that was written from its page: records of all kinds, with all its options.
#![allow(clippy::unwrap_used)]

mod generated;
mod reference;

use super::mapping::Mapping;
use super::round_trip::sink;
use super::{batch, json};
use fastrand::Rng;
use generated::{Json, Quoted};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use reference::{Expected, Reference};
use std::collections::HashMap;
use tamis_nodes::sinks::{Batch, Part};

const OTLP: [&str; 20] = [
    "time",
    "observed_time",
    "severity_number",
    "severity_text",
    "event_name",
    "body",
    "attributes",
    "dropped_attributes_count",
    "trace_id",
    "span_id",
    "flags",
    "resource",
    "resource",
    "resource_dropped_attributes_count",
    "resource_schema_url",
    "scope",
    "scope",
    "level",
    "at",
    "msg",
];
const DATA_MODEL: [&str; 20] = [
    "Timestamp",
    "ObservedTimestamp",
    "SeverityNumber",
    "SeverityText",
    "EventName",
    "Body",
    "Attributes",
    "TraceId",
    "SpanId",
    "TraceFlags",
    "Resource",
    "InstrumentationScope",
    "InstrumentationScope",
    "service.name",
    "host",
    "name",
    "ids",
    "level",
    "at",
    "msg",
];
const FIELDS: &str = "fields: { time: at, severity: level, trace_id: ids.trace, span_id: span, event_name: 'ids[0]'";

/// All ways to make log records of records, each with the names that mean something there.
fn options() -> Vec<(String, &'static [&'static str])> {
    let with = |options: &str, names| (options.to_owned(), names);
    vec![
        with("", &OTLP[..]),
        with(", resource: { team: api, a: x }", &OTLP),
        with(", resource_attributes: [body, a, level], resource: { a: x }", &OTLP),
        with(&format!(", {FIELDS}, body: msg }}"), &OTLP),
        with(", layout: data_model", &DATA_MODEL),
        with(&format!(", layout: data_model, {FIELDS} }}, resource: {{ service.name: s }}"), &DATA_MODEL),
        with(", layout: data_model, resource_attributes: [host.name, name, a.b], resource: { team: api }", &DATA_MODEL),
        with(", layout: whole", &OTLP),
        with(&format!(", layout: whole, {FIELDS} }}, resource: {{ team: api }}"), &DATA_MODEL),
        with(&format!(", layout: whole, {FIELDS}, body: msg }}, resource_attributes: [host, a]"), &DATA_MODEL),
    ]
}

/// The log records of a request, by what they are records of.
fn taken_apart(request: ExportLogsServiceRequest) -> Vec<Expected> {
    let mut all = Vec::new();
    for of_resource in request.resource_logs {
        let resource = of_resource.resource.unwrap();
        for of_scope in of_resource.scope_logs {
            let scope = of_scope.scope.unwrap();
            all.extend(of_scope.log_records.into_iter().map(|record| Expected {
                resource: resource.attributes.clone(),
                resource_dropped: resource.dropped_attributes_count,
                resource_schema: of_resource.schema_url.clone(),
                scope: scope.clone(),
                scope_schema: of_scope.schema_url.clone(),
                record,
            }));
        }
    }
    all
}

/// The same as texts, which tell NaN and -0 apart; those of one text are counted.
fn counted(all: Vec<Expected>, expected: &[Expected]) -> HashMap<String, usize> {
    // When it was sent, which is no time of these records.
    let told: std::collections::HashSet<u64> = expected.iter().map(|of| of.record.observed_time_unix_nano).collect();
    let mut counted = HashMap::new();
    for mut of in all {
        if !told.contains(&of.record.observed_time_unix_nano) {
            of.record.observed_time_unix_nano = 0;
        }
        *counted.entry(format!("{of:?}")).or_default() += 1;
    }
    counted
}

fn compare(options: &str, lines: &[Json], seed: u64) {
    let text: String = lines.iter().map(|line| line.raw() + "\n").collect();
    let part = Part { lines: text.as_bytes(), records: lines.len(), pipeline: "p", source: "s", stream: "f", offsets: &[] };
    for protocol in ["http/protobuf", "http/json"] {
        let config = sink(&format!("{options}, protocol: {protocol}"));
        let (mapping, batch) = (Mapping::new(&config), Batch::new(std::slice::from_ref(&part)));
        let bytes = match protocol {
            "http/json" => {
                let message = batch::message(&mapping, &batch);
                let text = serde_json::to_vec(&message).unwrap();
                if let Err(error) = serde_json::from_slice::<serde_json::Value>(&text) {
                    // serde_json's own limits of numbers do not matter here.
                    assert!(!error.to_string().contains("recursion"), "seed {seed}: {options}: {error}");
                }
                let records = message.resource_logs.iter().flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records);
                for record in records {
                    let text = serde_json::to_string(record).unwrap();
                    let read: json::JsonRecord = serde_json::from_str(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
                    assert_eq!(format!("{:?}", read.into_record().unwrap()), format!("{record:?}"), "seed {seed}: as JSON");
                }
                message.encode_to_vec()
            }
            _ => batch::protobuf(&mapping, &batch).into_bytes(),
        };
        let request = ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap_or_else(|error| panic!("seed {seed}: {options}: {error}"));
        let reference = Reference { config: &config };
        let expected: Vec<Expected> = lines.iter().map(|line| reference.expected(line)).collect();
        let (found, wanted) = (counted(taken_apart(request), &expected), counted(expected.clone(), &expected));
        for (of, count) in &wanted {
            assert_eq!(found.get(of).unwrap_or(&0), count, "seed {seed}: {options}, {protocol}\n{text}\nexpected {of}\nof {found:#?}");
        }
        assert_eq!(found.values().sum::<usize>(), lines.len(), "seed {seed}: {options}, {protocol}\n{text}");
    }
}

#[test]
fn requests_are_what_the_reference_says() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        for (options, names) in options() {
            let lines: Vec<Json> = (0..rng.usize(1..4)).map(|_| Json::record(&mut rng, names)).collect();
            compare(&options, &lines, seed);
        }
    }
}

#[test]
fn records_of_all_sizes() {
    let long = |length: usize| Json::Text(Quoted::plain(&"x".repeat(length)));
    let named = |name: &str, value| (Quoted::plain(name), value);
    for length in [127, 128, 16_383, 16_384, 65_536, 1 << 20, (1 << 21) - 1, 1 << 21] {
        // The length of the value, and of each message around it, at the boundary.
        for less in [0, 3, 5, 7, 9, 12, 16, 20] {
            let line = Json::Object(vec![named("body", long(length - less)), named("a", long(length - less))], "");
            compare("", &[line], length as u64);
        }
    }
    let key = "k".repeat(1 << 16);
    let inner = Json::Object((0..300).map(|n| named(&format!("{n}"), Json::Bare("1".to_owned()))).collect(), "");
    for options in ["", ", layout: data_model", ", layout: whole"] {
        compare(options, &[Json::Object(vec![named(&key, inner.clone()), named("b", long(1 << 20))], "")], 0);
    }
}

fn sent(options: &str, lines: &[&str]) -> Vec<Expected> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let part = Part { lines: text.as_bytes(), records: lines.len(), pipeline: "p", source: "s", stream: "f", offsets: &[] };
    let bytes = batch::protobuf(&Mapping::new(&sink(options)), &Batch::new(std::slice::from_ref(&part))).into_bytes();
    // Eight times its names, a few bytes of each message in it.
    assert!(bytes.len() < 16 * text.len() + 1_000, "{} bytes of {}", bytes.len(), text.len());
    taken_apart(ExportLogsServiceRequest::decode(bytes.as_slice()).unwrap())
}

/// Half of the record is a name, and each of many members would have it in front.
#[test]
fn names_with_dots_have_an_end() {
    let line = format!("{{\"{}\":{{{}\"z\":{{\"a\":1}}}}}}", "k".repeat(500_000), "\"a\":1,".repeat(80_000));
    for options in [", layout: data_model", ", layout: whole, fields: { body: b }"] {
        let all = sent(options, &[&line]);
        assert_eq!((all[0].record.attributes.len(), all[0].record.attributes[0].key.len()), (1, 500_000), "it stays an object");
        let all = sent(options, &[r#"{"http":{"request":{"header":{"a":1,"b":2,"c":{"d":3}}}}}"#]);
        let names: Vec<&str> = all[0].record.attributes.iter().map(|pair| pair.key.as_str()).collect();
        assert_eq!(names, ["http.request.header.a", "http.request.header.b", "http.request.header.c.d"]);
    }
}

#[test]
fn scopes_that_look_alike_stay_apart() {
    // The bytes of one scope are those of the other one and the beginning of its schema's address.
    let lines = [
        r#"{"InstrumentationScope":{"name":"N","schema_url":"S"},"n":1}"#,
        r#"{"InstrumentationScope":{"schema_url":"\u0001N\nS"},"n":2}"#,
        r#"{"InstrumentationScope":{"name":"N","schema_url":"S"},"n":3}"#,
    ];
    let all = sent(", layout: data_model", &lines);
    let schemas: Vec<(&str, &str)> = all.iter().map(|of| (of.scope.name.as_str(), of.scope_schema.as_str())).collect();
    assert_eq!(schemas, [("N", "S"), ("N", "S"), ("", "\u{1}N\nS")]);
    // A name that is no text is one as it is written, in the first record of a scope and in those behind it.
    let line = r#"{"scope":{"name":"s","\ud800":1}}"#;
    for of in sent("", &[line, line]) {
        assert_eq!((of.scope.attributes[0].key.as_str(), of.record.attributes.len()), (r#""\ud800""#, 0));
    }
}

#[test]
fn fields_count_before_the_layout() {
    let of = &sent(", fields: { severity: level }", &[r#"{"level":"error","severity_number":5,"severity_text":"TRACE"}"#])[0];
    assert_eq!((of.record.severity_number, of.record.severity_text.as_str(), of.record.attributes.len()), (17, "error", 2));
    let of = &sent(", fields: { severity: level }", &[r#"{"level":21,"severity_number":5,"severity_text":"TRACE"}"#])[0];
    assert_eq!((of.record.severity_number, of.record.severity_text.as_str(), of.record.attributes.len()), (21, "TRACE", 1));
    let of = &sent("", &[r#"{"time":"1970-01-01T00:00:00Z","observed_time":0}"#])[0];
    assert_eq!((of.record.time_unix_nano, of.record.attributes.len()), (0, 2), "the protocol's 0 is no time");
    let of = &sent(", fields: { time: a.at }", &[r#"{"a":{"at":1,"at":1763920000}}"#])[0];
    assert_eq!(of.record.time_unix_nano, 1_763_920_000_000_000_000, "the last one counts");
}
