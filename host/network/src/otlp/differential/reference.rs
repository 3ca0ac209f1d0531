//! What the sink's page says a record becomes, step by step and without a thought of speed.

use super::generated::{Json, Quoted};
use chrono::DateTime;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tamis_config::{OtlpLayout, OtlpProtocol, OtlpSink};
use tamis_record::{Path, Segment};

/// A log record, and what it is a record of.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Expected {
    pub(super) resource: Vec<KeyValue>,
    pub(super) resource_dropped: u32,
    pub(super) resource_schema: String,
    pub(super) scope: InstrumentationScope,
    pub(super) scope_schema: String,
    pub(super) record: LogRecord,
}

pub(super) struct Reference<'a> {
    pub(super) config: &'a OtlpSink,
}

fn text(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

fn pair(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), key_strindex: 0 }
}

fn number(digits: &str) -> AnyValue {
    let value = if digits.contains(['.', 'e', 'E']) || digits == "-0" {
        let double: f64 = digits.parse().unwrap();
        let mantissa = digits.split(['e', 'E']).next().unwrap();
        let is_zero = mantissa.chars().all(|c| matches!(c, '0' | '.' | '-'));
        (double.is_finite() && (double != 0.0 || is_zero)).then_some(Value::DoubleValue(double))
    } else {
        digits.parse().ok().map(Value::IntValue)
    };
    value.map_or_else(|| text(digits), |value| AnyValue { value: Some(value) })
}

/// An object costs three messages, a list two.
fn value(json: &Json, depth: u32) -> AnyValue {
    AnyValue {
        value: Some(match json {
            Json::Text(quoted) => return text(quoted.text()),
            Json::List(..) | Json::Object(..) if depth <= 3 => return text(json.raw()),
            Json::List(items, _) => Value::ArrayValue(ArrayValue { values: items.iter().map(|item| value(item, depth - 2)).collect() }),
            Json::Object(members, _) => Value::KvlistValue(KeyValueList { values: pairs(members, depth) }),
            Json::Bare(bare) => match bare.as_str() {
                "null" => return AnyValue { value: None },
                "true" => Value::BoolValue(true),
                "false" => Value::BoolValue(false),
                digits => return number(digits),
            },
        }),
    }
}

fn pairs(members: &[(Quoted, Json)], depth: u32) -> Vec<KeyValue> {
    members.iter().map(|(name, inner)| pair(name.text(), value(inner, depth - 3))).collect()
}

fn string(json: &Json) -> Option<String> {
    match json {
        Json::Text(quoted) if quoted.is_unicode() => Some(quoted.text()),
        _ => None,
    }
}

fn whole<T: std::str::FromStr>(json: &Json) -> Option<T> {
    match json {
        Json::Bare(digits) if digits != "-0" => digits.parse().ok(),
        _ => None,
    }
}

fn time(json: &Json) -> Option<u64> {
    let nanos: i128 = match whole::<u64>(json).map(i128::from) {
        Some(seconds @ ..100_000_000_000) => seconds * 1_000_000_000,
        Some(millis @ ..100_000_000_000_000) => millis * 1_000_000,
        Some(micros @ ..100_000_000_000_000_000) => micros * 1_000,
        Some(nanos) => nanos,
        None => {
            let time = DateTime::parse_from_rfc3339(string(json)?.trim()).ok()?;
            i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos())
        }
    };
    u64::try_from(nanos).ok().filter(|nanos| *nanos > 0)
}

fn set<T>(place: &mut T, found: Option<T>) -> bool {
    match found {
        Some(found) => *place = found,
        None => return false,
    }
    true
}

fn id(json: &Json, length: usize) -> Option<Vec<u8>> {
    let digits = string(json)?;
    let byte = |n: usize| digits.get(2 * n..2 * n + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let id: Vec<u8> = (0..length).map_while(byte).collect();
    (digits.len() == 2 * length && id.len() == length && id.iter().any(|b| *b > 0)).then_some(id)
}

fn severity(name: &str) -> i32 {
    match name.trim().to_lowercase().as_str() {
        "warn" => 13,
        "error" => 17,
        _ => 0,
    }
}

fn find<'a>(json: &'a Json, segments: &[Segment]) -> Option<&'a Json> {
    match (segments.split_first(), json) {
        (None, _) => Some(json),
        (Some((Segment::Key(key), rest)), Json::Object(members, _)) if members.iter().all(|(name, _)| name.is_unicode()) => {
            find(&members.iter().rev().find(|(name, _)| name.text() == **key)?.1, rest)
        }
        (Some((Segment::Index(n), rest)), Json::List(items, _)) => find(items.get(*n as usize)?, rest),
        _ => None,
    }
}

/// The name of a place, of those of `otlp`.
fn place(layout: OtlpLayout, name: &str) -> Option<&str> {
    const DATA_MODEL: [(&str, &str); 12] = [
        ("Timestamp", "time"),
        ("ObservedTimestamp", "observed_time"),
        ("SeverityNumber", "severity_number"),
        ("SeverityText", "severity_text"),
        ("EventName", "event_name"),
        ("Body", "body"),
        ("Attributes", "attributes"),
        ("TraceId", "trace_id"),
        ("SpanId", "span_id"),
        ("TraceFlags", "flags"),
        ("Resource", "resource"),
        ("InstrumentationScope", "scope"),
    ];
    match layout {
        OtlpLayout::Otlp => Some(name),
        OtlpLayout::DataModel => DATA_MODEL.iter().find(|(theirs, _)| *theirs == name).map(|(_, place)| *place),
        OtlpLayout::Whole => None,
    }
}

impl Reference<'_> {
    fn depth(&self) -> u32 {
        if self.config.protocol == OtlpProtocol::HttpJson { 76 } else { 92 }
    }

    /// What becomes of a record; the time of observation is 0 where it is that of sending.
    pub(super) fn expected(&self, line: &Json) -> Expected {
        let mut of = Expected::default();
        match line {
            Json::Object(members, _) if members.iter().all(|(name, _)| name.is_unicode()) => self.object(&mut of, line, members),
            _ => of.record.body = Some(value(line, self.depth())),
        }
        let config = self.config;
        let conventional =
            "service.name service.namespace service.version service.instance.id deployment.environment.name host.name cloud.region";
        let moved: Vec<&str> = match (&config.resource_attributes, config.layout) {
            (Some(names), _) => names.iter().map(|name| name.as_str()).collect(),
            (None, OtlpLayout::DataModel) => conventional.split(' ').collect(),
            (None, _) => Vec::new(),
        };
        let (theirs, own) = of.record.attributes.drain(..).partition(|pair| moved.contains(&pair.key.as_str()));
        of.record.attributes = own;
        of.resource.extend::<Vec<_>>(theirs);
        for (name, constant) in &config.resource {
            if of.resource.iter().all(|pair| pair.key != *name) {
                of.resource.push(pair(name, text(constant.as_str())));
            }
        }
        of
    }

    fn object(&self, of: &mut Expected, line: &Json, members: &[(Quoted, Json)]) {
        let (config, fields) = (self.config, &self.config.fields);
        let (mut taken, mut used) = (Vec::new(), Vec::new());
        let named: [(&Option<Path>, &str); 6] = [
            (&fields.time, "time"),
            (&fields.severity, "severity"),
            (&fields.body, "body"),
            (&fields.trace_id, "trace_id"),
            (&fields.span_id, "span_id"),
            (&fields.event_name, "event_name"),
        ];
        for (path, place) in named {
            let Some(path) = path else { continue };
            let Some(found) = find(line, path.segments()) else { continue };
            if self.put(of, place, found) {
                taken.push(place);
                if let [Segment::Key(name)] = path.segments() {
                    used.push(name.to_string());
                }
            }
        }
        if taken.contains(&"severity") {
            taken.extend((of.record.severity_number != 0).then_some("severity_number"));
            taken.extend((!of.record.severity_text.is_empty()).then_some("severity_text"));
        }
        if config.layout == OtlpLayout::Whole && fields.body.is_none() {
            of.record.body = Some(value(line, self.depth()));
            return;
        }
        let mut room = 8 * line.raw().len();
        for (name, inner) in members {
            let name = name.text();
            if used.contains(&name) {
                continue;
            }
            if place(config.layout, &name).is_some_and(|place| !taken.contains(&place) && self.put(of, place, inner)) {
                continue;
            }
            match config.layout {
                OtlpLayout::Otlp => of.record.attributes.push(pair(name, value(inner, self.depth()))),
                _ => self.dotted(name, inner, 16, &mut room, &mut of.record.attributes),
            }
        }
        if config.layout == OtlpLayout::DataModel && of.record.severity_number == 0 {
            of.record.severity_number = severity(&of.record.severity_text);
        }
    }

    fn dotted(&self, name: String, json: &Json, dots: u32, room: &mut usize, out: &mut Vec<KeyValue>) {
        match json {
            Json::Object(members, _)
                if dots > 0
                    && !members.is_empty()
                    && members.iter().all(|(name, _)| name.is_unicode())
                    && members.len() * (name.len() + 1) <= *room =>
            {
                *room -= members.len() * (name.len() + 1);
                for (inner, json) in members {
                    self.dotted(format!("{name}.{}", inner.text()), json, dots - 1, room, out);
                }
            }
            _ => out.push(pair(name, value(json, self.depth()))),
        }
    }

    /// Whether a value fits its place, where it is then.
    fn put(&self, of: &mut Expected, place: &str, json: &Json) -> bool {
        let record = &mut of.record;
        match (place, json) {
            ("time", _) => set(&mut record.time_unix_nano, time(json)),
            ("observed_time", _) => set(&mut record.observed_time_unix_nano, time(json)),
            ("severity", _) => match whole(json).filter(|number| (1..=24).contains(number)) {
                Some(number) => set(&mut record.severity_number, Some(number)),
                None => {
                    let fits = set(&mut record.severity_text, string(json));
                    record.severity_number = severity(&record.severity_text);
                    fits
                }
            },
            ("severity_number", _) => set(&mut record.severity_number, whole(json)),
            ("severity_text", _) => set(&mut record.severity_text, string(json)),
            ("event_name", _) => set(&mut record.event_name, string(json)),
            ("body", _) => set(&mut record.body, Some(Some(value(json, self.depth())))),
            ("dropped_attributes_count", _) => set(&mut record.dropped_attributes_count, whole(json)),
            ("trace_id", _) => set(&mut record.trace_id, id(json, 16)),
            ("span_id", _) => set(&mut record.span_id, id(json, 8)),
            ("flags", _) => set(&mut record.flags, whole(json)),
            ("resource_dropped_attributes_count", _) => set(&mut of.resource_dropped, whole(json)),
            ("resource_schema_url", _) => set(&mut of.resource_schema, string(json)),
            ("attributes", Json::Object(members, _)) => {
                record.attributes.extend(pairs(members, self.depth()));
                true
            }
            ("resource", Json::Object(members, _)) => set(&mut of.resource, Some(pairs(members, self.depth()))),
            ("scope", Json::Object(members, _)) => {
                members.iter().for_each(|(name, json)| self.scope(of, &name.text(), json));
                true
            }
            _ => false,
        }
    }

    fn scope(&self, of: &mut Expected, name: &str, json: &Json) {
        let scope = &mut of.scope;
        let put = match (name, json, string(json)) {
            ("name", _, Some(text)) => set(&mut scope.name, Some(text)),
            ("version", _, Some(text)) => set(&mut scope.version, Some(text)),
            ("schema_url", _, Some(text)) => set(&mut of.scope_schema, Some(text)),
            ("dropped_attributes_count", ..) => set(&mut scope.dropped_attributes_count, whole(json)),
            ("attributes", Json::Object(members, _), _) => {
                scope.attributes.extend(pairs(members, self.depth()));
                true
            }
            _ => false,
        };
        if !put {
            scope.attributes.push(pair(name, value(json, self.depth())));
        }
    }
}
