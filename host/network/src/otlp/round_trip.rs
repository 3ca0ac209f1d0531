//! What the source makes of log records, the sink turns back into the same log records.
#![allow(clippy::unwrap_used)]

use super::draft::Draft;
use super::mapping::Mapping;
use super::{json, record};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use std::path::Path;
use tamis_config::{Config, OtlpSink, ProcessEnvironment, Sink};

pub(super) fn sink(options: &str) -> OtlpSink {
    let yaml = format!("version: 1\nsinks: {{ out: {{ type: otlp, endpoint: 'http://localhost:4318'{options} }} }}\n");
    let (config, faults) = Config::parse("a.yaml", &yaml, Path::new(""), &ProcessEnvironment);
    let config = config.unwrap_or_else(|| panic!("{faults:?}"));
    match &config.sinks["out"].value {
        Sink::Otlp(sink) => sink.clone(),
        other => panic!("{other:?}"),
    }
}

/// A log record and what it belongs to.
#[derive(Debug, Default)]
struct Mapped {
    record: LogRecord,
    resource: Resource,
    resource_schema: String,
    scope: InstrumentationScope,
    scope_schema: String,
}

/// What the sink makes of a line, which it writes as the message is written.
fn map(options: &str, line: &str) -> Mapped {
    let mapping = Mapping::new(&sink(options));
    let mapped = || mapping.map(line.as_bytes(), 77, |_| false).1;
    let mut written = Vec::new();
    Draft::write(&mapped().record, &mut written);
    let of = mapped();
    let record = of.record.record();
    assert!(written == record.encode_to_vec(), "{line}");
    let (resource, resource_schema, scope, scope_schema) = (of.resource, of.resource_schema, of.scope, of.scope_schema);
    Mapped { record, resource, resource_schema, scope, scope_schema }
}

fn of_kind(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// Values that JSON has too.
fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue { value: None }),
        any::<bool>().prop_map(|is| of_kind(Value::BoolValue(is))),
        any::<i64>().prop_map(|number| of_kind(Value::IntValue(number))),
        any::<f64>().prop_filter("a number of JSON", |double| double.is_finite()).prop_map(|double| of_kind(Value::DoubleValue(double))),
        ".{0,12}".prop_map(|text| of_kind(Value::StringValue(text))),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| of_kind(Value::ArrayValue(ArrayValue { values }))),
            pairs_of(inner).prop_map(|values| of_kind(Value::KvlistValue(KeyValueList { values }))),
        ]
    })
}

fn pairs_of(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = Vec<KeyValue>> {
    btree_map(".{0,8}", value, 0..4)
        .prop_map(|map| map.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), key_strindex: 0 }).collect())
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), vec(1..=255u8, length)]
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let body = prop_oneof![Just(None), value().prop_filter("some", |value| value.value.is_some()).prop_map(Some)];
    let times = (any::<u64>(), any::<u64>());
    (times, 0..=24i32, ".{0,8}", body, pairs_of(value()), any::<u32>(), any::<u32>(), id(16), id(8), "[a-z.]{0,6}").prop_map(
        |((time, observed), severity, severity_text, body, attributes, dropped, flags, trace_id, span_id, event_name)| LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: observed,
            severity_number: severity,
            severity_text,
            body,
            attributes,
            dropped_attributes_count: dropped,
            flags,
            trace_id,
            span_id,
            event_name,
        },
    )
}

fn whole() -> impl Strategy<Value = Mapped> {
    let resource = (pairs_of(value()), any::<u32>(), ".{0,6}");
    let scope = (".{0,6}", ".{0,6}", pairs_of(value()), any::<u32>(), ".{0,6}");
    (log_record(), resource, scope).prop_map(|(record, resource, scope)| Mapped {
        record,
        resource: Resource { attributes: resource.0, dropped_attributes_count: resource.1, entity_refs: Vec::new() },
        resource_schema: resource.2,
        scope: InstrumentationScope { name: scope.0, version: scope.1, attributes: scope.2, dropped_attributes_count: scope.3 },
        scope_schema: scope.4,
    })
}

fn line(of: &Mapped) -> String {
    let mut out = Vec::new();
    let scope = record::scope(&of.scope, &of.scope_schema);
    record::write(&mut out, &of.record, &record::resource(&of.resource, &of.resource_schema), &scope, false);
    String::from_utf8(out).unwrap()
}

fn parts(of: Mapped) -> (LogRecord, Resource, String, InstrumentationScope, String) {
    (of.record, of.resource, of.resource_schema, of.scope, of.scope_schema)
}

proptest! {
    #[test]
    fn log_records_come_back(of in whole()) {
        let text = line(&of);
        let back = map("", &text);
        prop_assert_eq!(&line(&back), &text);
        prop_assert_eq!(parts(back), parts(of));
    }

    #[test]
    fn json_and_protobuf_say_the_same(record in log_record()) {
        let text = serde_json::to_string(&record).unwrap();
        let parsed: json::JsonRecord = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(parsed.into_record().unwrap(), record);
    }

    #[test]
    fn any_json_becomes_a_log_record(text in "[\\[\\]{}\",:a0-9. \\\\u-]{0,40}", layout in prop_oneof![Just("otlp"), Just("data_model"), Just("whole")]) {
        let mapped = map(&format!(", layout: {layout}"), &text);
        prop_assert!(LogRecord::decode(mapped.record.encode_to_vec().as_slice()).is_ok());
    }
}

#[test]
fn what_json_does_not_have() {
    let list = vec![
        of_kind(Value::BytesValue(vec![0, 255, 7])),
        of_kind(Value::DoubleValue(f64::NAN)),
        of_kind(Value::DoubleValue(f64::NEG_INFINITY)),
        of_kind(Value::IntValue(i64::MIN)),
        of_kind(Value::DoubleValue(1.0)),
    ];
    let record = LogRecord { body: Some(of_kind(Value::ArrayValue(ArrayValue { values: list }))), ..LogRecord::default() };
    let text = line(&Mapped { record, ..Mapped::default() });
    assert_eq!(text, r#"{"body":["AP8H","NaN","-Infinity",-9223372036854775808,1.0]}"#);
    assert_eq!(line(&map("", &text)), text);
    assert_eq!(line(&Mapped::default()), "{}");
}

#[test]
fn a_body_that_is_json() {
    let write = |body: &str, json_body| {
        let record = LogRecord { body: Some(of_kind(Value::StringValue(body.to_owned()))), ..LogRecord::default() };
        let mut out = Vec::new();
        record::write(&mut out, &record, b"", b"", json_body);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(write(" {\"a\":\n[1]} ", true), "{\"body\":{\"a\": [1]}}");
    for text in ["{\"a\":1", "[1]", "12", "{} x"] {
        assert_eq!(write(text, true), format!("{{\"body\":{}}}", serde_json::to_string(text).unwrap()));
    }
    assert_eq!(write("{}", false), "{\"body\":\"{}\"}");
}

#[test]
fn depth_stays_within_what_receivers_read() {
    for (open, close) in [("{\"a\":", "}"), ("[", "]"), ("[{\"a\":", "}]")] {
        for depth in [1, 20, 30, 50, 90, 1_000] {
            let text = format!("{{\"body\":{}1{}}}", open.repeat(depth), close.repeat(depth));
            let mapped = map("", &text);
            // In a request, a log record stands at 3.
            let inner = |record: LogRecord| of_kind(Value::ArrayValue(ArrayValue { values: vec![record.body.unwrap()] }));
            let nested = LogRecord { body: Some(inner(mapped.record)), ..LogRecord::default() };
            assert!(LogRecord::decode(nested.encode_to_vec().as_slice()).is_ok(), "{open} {depth}");
        }
    }
}

#[test]
fn a_name_twice_counts_once() {
    let pair = |key: &str, number| KeyValue { key: key.into(), value: Some(of_kind(Value::IntValue(number))), key_strindex: 0 };
    for more in [0, 40] {
        let mut attributes = vec![pair("a", 1), pair("a", 2), pair("b", 3), pair("a", 4)];
        attributes.extend((0..more).map(|n| pair(&format!("k{n}"), n)));
        let text = line(&Mapped { record: LogRecord { attributes, ..LogRecord::default() }, ..Mapped::default() });
        assert!(text.starts_with(r#"{"attributes":{"a":1,"b":3"#), "{text}");
        assert_eq!(text.matches("\"a\":").count(), 1);
    }
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_ref())
}

fn text(value: &str) -> AnyValue {
    super::value::text(value)
}

#[test]
fn members_that_do_not_fit_their_place_are_attributes() {
    let mapped = map(
        "",
        r#"{"time":"yesterday","severity_number":"x","trace_id":"00","resource":5,"scope":{"name":"s","n":1},"attributes":[],"more":{"a":1}}"#,
    );
    for name in ["time", "severity_number", "trace_id", "resource", "attributes", "more"] {
        assert!(attribute(&mapped.record.attributes, name).is_some(), "{name}");
    }
    assert_eq!((mapped.scope.name.as_str(), mapped.scope.attributes.len()), ("s", 1));
}

#[test]
fn records_of_the_plugin_otel() {
    let line = r#"{"Timestamp":"2026-01-02T03:04:05.678Z","Body":"said","SeverityText":"WARN","TraceId":"0af7651916cd43dd8448eb211c80319c","service":{"name":"pets","version":"1"},"http.route":"/a","http":{"response":{"status_code":200}},"InstrumentationScope":{"name":"log"}}"#;
    let mapped = map(", layout: data_model, resource: { service.name: gateway, team: api }", line);
    let record = &mapped.record;
    assert_eq!((record.severity_number, record.severity_text.as_str(), record.time_unix_nano), (13, "WARN", 1_767_323_045_678_000_000));
    assert_eq!((record.trace_id.len(), record.observed_time_unix_nano, &record.body), (16, 77, &Some(text("said"))));
    assert_eq!(attribute(&record.attributes, "http.response.status_code"), Some(&of_kind(Value::IntValue(200))));
    assert_eq!(attribute(&record.attributes, "http.route"), Some(&text("/a")));
    assert_eq!(attribute(&mapped.resource.attributes, "service.name"), Some(&text("pets")));
    assert_eq!(attribute(&mapped.resource.attributes, "team"), Some(&text("api")));
    assert_eq!((mapped.scope.name.as_str(), record.attributes.len(), mapped.resource.attributes.len()), ("log", 2, 3));
}

#[test]
fn any_record() {
    let line = r#"{"at":1767323045678,"level":"error","msg":"m","ids":{"trace":"0AF7651916CD43DD8448EB211C80319C"},"user":{"id":7}}"#;
    let whole = map(", layout: whole, fields: { time: at, severity: level, trace_id: ids.trace }", line);
    assert_eq!(
        (whole.record.time_unix_nano, whole.record.severity_number, whole.record.trace_id.len()),
        (1_767_323_045_678_000_000, 17, 16)
    );
    assert!(whole.record.attributes.is_empty());
    let Some(AnyValue { value: Some(Value::KvlistValue(list)) }) = whole.record.body else { panic!() };
    assert_eq!(list.values.len(), 5, "the whole record");
    let parted = map(", layout: whole, fields: { body: msg, time: at }, resource_attributes: [user.id]", line);
    assert_eq!(parted.record.body, Some(text("m")));
    let names: Vec<&str> = parted.record.attributes.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!((names, parted.resource.attributes.len()), (vec!["level", "ids.trace"], 1));
    assert_eq!(
        map(", layout: whole", "[1]").record.body,
        Some(of_kind(Value::ArrayValue(ArrayValue { values: vec![of_kind(Value::IntValue(1))] })))
    );
}
