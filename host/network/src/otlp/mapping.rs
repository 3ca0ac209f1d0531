//! Records as log records: by the layout of the source, by the names of the log data model, or whole.

use super::draft::{Attribute, Draft, Given};
use super::json::from_hex;
use super::{from_json, time, value};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use tamis_config::{OtlpFields, OtlpLayout, OtlpProtocol, OtlpSink};
use tamis_record::{Path, Segment};

/// Objects within objects that get a name with dots; what lies deeper stays an object.
const DOTS: usize = 16;
/// What names with dots repeat of each other may have so many times the bytes of the record; what lies deeper stays an object. Otherwise one
/// long name with many members would take any memory.
const NAMES_MAX: usize = 8;
/// Attributes that belong to the resource where the names are those of the semantic conventions.
const OF_RESOURCES: [&str; 7] = [
    "service.name",
    "service.namespace",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "host.name",
    "cloud.region",
];

/// How records become log records.
#[derive(Debug)]
pub(super) struct Mapping {
    layout: OtlpLayout,
    fields: OtlpFields,
    constants: Vec<KeyValue>,
    of_resources: HashSet<String>,
    /// How deep values may lie.
    depth: u32,
}

/// A log record and what it belongs to.
#[derive(Debug, Default)]
pub(super) struct Mapped<'a> {
    pub(super) record: Draft<'a>,
    pub(super) resource: Resource,
    pub(super) resource_schema: String,
    pub(super) scope: InstrumentationScope,
    pub(super) scope_schema: String,
    depth: u32,
}

/// What tells records of one resource and one scope from others; none where there is none. Most records of a file have neither, and to
/// compare nothing with nothing costs more than one would think where it is done with vector instructions.
#[derive(Debug, Default, PartialEq, Eq, Hash, Clone)]
pub(super) struct Keys {
    pub(super) resource: Option<Vec<u8>>,
    pub(super) scope: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Time,
    Observed,
    SeverityNumber,
    SeverityText,
    Severity,
    EventName,
    Body,
    Attributes,
    Dropped,
    Trace,
    Span,
    Flags,
    Resource,
    ResourceDropped,
    ResourceSchema,
    Scope,
}

impl Mapping {
    pub(super) fn new(config: &OtlpSink) -> Self {
        let of_resources = match (&config.resource_attributes, config.layout) {
            (Some(names), _) => names.iter().map(|name| name.as_str().to_owned()).collect(),
            (None, OtlpLayout::DataModel) => OF_RESOURCES.iter().map(|name| (*name).to_owned()).collect(),
            (None, _) => HashSet::new(),
        };
        let constants = config.resource.iter().map(|(name, text)| value::pair(name.as_str(), value::text(text.as_str()))).collect();
        let depth = if config.protocol == OtlpProtocol::HttpJson { from_json::JSON_DEPTH } else { from_json::DEPTH };
        Self { layout: config.layout, fields: config.fields.clone(), constants, of_resources, depth }
    }

    /// A record as a log record. `now`: when it is observed, where the record does not say. `known` tells whether the resource and the
    /// scope of these keys are known: then they are left out.
    pub(super) fn map<'a>(&self, line: &'a [u8], now: u64, known: impl Fn(&Keys) -> bool) -> (Keys, Mapped<'a>) {
        let mut mapped = Mapped { depth: self.depth, ..Mapped::default() };
        let whole = serde_json::from_slice::<&RawValue>(line).map(RawValue::get);
        let members = whole.as_ref().ok().and_then(|whole| from_json::members(whole));
        let mut keys = members.as_ref().and_then(|members| self.keys(members));
        let heads = !keys.as_ref().is_some_and(known);
        match (members, whole) {
            (Some(members), Ok(whole)) => self.fill(&mut mapped, members, whole, heads),
            (_, Ok(whole)) => mapped.record.body = Some(Given::Json(whole, self.depth)),
            (_, Err(_)) => mapped.record.body = Some(Given::Text(String::from_utf8_lossy(line).into_owned())),
        }
        if self.layout != OtlpLayout::Otlp && mapped.record.observed_time_unix_nano == 0 {
            mapped.record.observed_time_unix_nano = now;
        }
        if heads {
            let has = |resource: &Resource, key: &str| resource.attributes.iter().any(|other| other.key == key);
            if !self.of_resources.is_empty() {
                let all = std::mem::take(&mut mapped.record.attributes);
                let (theirs, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|attribute| self.of_resources.contains(&*attribute.name));
                mapped.record.attributes = own;
                mapped.resource.attributes.extend(theirs.iter().map(Attribute::pair));
            }
            for constant in &self.constants {
                if !has(&mapped.resource, &constant.key) {
                    mapped.resource.attributes.push(constant.clone());
                }
            }
        }
        let keys = keys.take().unwrap_or_else(|| Keys {
            resource: Some(key(&mapped.resource, &mapped.resource_schema)),
            scope: Some(key(&mapped.scope, &mapped.scope_schema)),
        });
        (keys, mapped)
    }

    /// The keys by the text of the members alone, where nothing else matters for them.
    fn keys(&self, members: &Members<'_>) -> Option<Keys> {
        if self.layout != OtlpLayout::Otlp || !self.of_resources.is_empty() {
            return None;
        }
        let mut keys = Keys::default();
        for (name, raw) in members {
            let key = match place(self.layout, name) {
                Some(Place::Resource | Place::ResourceDropped | Place::ResourceSchema) => &mut keys.resource,
                Some(Place::Scope) => &mut keys.scope,
                _ => continue,
            };
            let key = key.get_or_insert_default();
            key.extend_from_slice(name.as_bytes());
            key.extend_from_slice(raw.as_bytes());
        }
        Some(keys)
    }

    fn fill<'a>(&self, mapped: &mut Mapped<'a>, members: Members<'a>, whole: &'a str, heads: bool) {
        let fields = &self.fields;
        let mut used = Vec::new();
        let mut taken = Vec::new();
        let named = [
            (&fields.time, Place::Time),
            (&fields.severity, Place::Severity),
            (&fields.body, Place::Body),
            (&fields.trace_id, Place::Trace),
            (&fields.span_id, Place::Span),
            (&fields.event_name, Place::EventName),
        ];
        for (path, place) in named {
            let Some(path) = path else { continue };
            let Some(raw) = find(whole, path) else { continue };
            if mapped.put(place, raw, heads) {
                taken.push(place);
                if place == Place::Severity {
                    // Which of them it was.
                    taken.extend((mapped.record.severity_number != 0).then_some(Place::SeverityNumber));
                    taken.extend((!mapped.record.severity_text.is_empty()).then_some(Place::SeverityText));
                }
                if let [Segment::Key(name)] = path.segments() {
                    used.push(&**name);
                }
            }
        }
        if self.layout == OtlpLayout::Whole && fields.body.is_none() {
            mapped.record.body = Some(Given::Json(whole, self.depth));
            return;
        }
        let mut dotted = Dotted { room: whole.len().saturating_mul(NAMES_MAX), depth: self.depth, out: Vec::new() };
        for (name, raw) in members {
            if used.contains(&&*name) {
                continue;
            }
            let put = place(self.layout, &name).is_some_and(|place| !taken.contains(&place) && mapped.put(place, raw, heads));
            match self.layout {
                _ if put => {}
                OtlpLayout::Otlp => mapped.record.attributes.push(Attribute { name, value: Given::Json(raw, self.depth) }),
                OtlpLayout::DataModel | OtlpLayout::Whole => {
                    dotted.out = std::mem::take(&mut mapped.record.attributes);
                    dotted.add(name, raw, DOTS);
                    mapped.record.attributes = std::mem::take(&mut dotted.out);
                }
            }
        }
        if self.layout == OtlpLayout::DataModel && mapped.record.severity_number == 0 {
            mapped.record.severity_number = severity(&mapped.record.severity_text);
        }
    }
}

/// The members of an object, in their order.
type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// What a member of the record stands for.
fn place(layout: OtlpLayout, name: &str) -> Option<Place> {
    Some(match layout {
        OtlpLayout::Otlp => match name {
            "time" => Place::Time,
            "observed_time" => Place::Observed,
            "severity_number" => Place::SeverityNumber,
            "severity_text" => Place::SeverityText,
            "event_name" => Place::EventName,
            "body" => Place::Body,
            "attributes" => Place::Attributes,
            "trace_id" => Place::Trace,
            "span_id" => Place::Span,
            "flags" => Place::Flags,
            "resource" => Place::Resource,
            "scope" => Place::Scope,
            "dropped_attributes_count" => Place::Dropped,
            "resource_dropped_attributes_count" => Place::ResourceDropped,
            "resource_schema_url" => Place::ResourceSchema,
            _ => return None,
        },
        OtlpLayout::DataModel => match name {
            "Timestamp" => Place::Time,
            "ObservedTimestamp" => Place::Observed,
            "SeverityNumber" => Place::SeverityNumber,
            "SeverityText" => Place::SeverityText,
            "EventName" => Place::EventName,
            "Body" => Place::Body,
            "Attributes" => Place::Attributes,
            "TraceId" => Place::Trace,
            "SpanId" => Place::Span,
            "TraceFlags" => Place::Flags,
            "Resource" => Place::Resource,
            "InstrumentationScope" => Place::Scope,
            _ => return None,
        },
        OtlpLayout::Whole => return None,
    })
}

impl<'a> Mapped<'a> {
    /// Puts a value into its place. `false`: it does not fit there, and is an attribute like any other. `heads`: also what belongs to the
    /// resource and the scope.
    fn put(&mut self, place: Place, raw: &'a str, heads: bool) -> bool {
        let record = &mut self.record;
        match place {
            Place::Time => set(&mut record.time_unix_nano, nanos(raw)),
            Place::Observed => set(&mut record.observed_time_unix_nano, nanos(raw)),
            Place::SeverityNumber => set(&mut record.severity_number, parse(raw)),
            Place::SeverityText => set(&mut record.severity_text, parse(raw)),
            Place::Severity => match parse::<i32>(raw).filter(|number| (1..=24).contains(number)) {
                Some(number) => set(&mut record.severity_number, Some(number)),
                None => {
                    let found = set(&mut record.severity_text, parse(raw));
                    record.severity_number = severity(&record.severity_text);
                    found
                }
            },
            Place::EventName => set(&mut record.event_name, parse(raw)),
            Place::Body => set(&mut record.body, Some(Some(Given::Json(raw, self.depth)))),
            Place::Attributes => from_json::each_member(raw, |name, raw| {
                record
                    .attributes
                    .push(Attribute { name: from_json::unquoted(name), value: Given::Json(raw, self.depth - from_json::OBJECT) });
            }),
            Place::Dropped => set(&mut record.dropped_attributes_count, parse(raw)),
            Place::Trace => set(&mut record.trace_id, identity(raw, 16)),
            Place::Span => set(&mut record.span_id, identity(raw, 8)),
            Place::Flags => set(&mut record.flags, parse(raw)),
            Place::Resource if !heads => raw.starts_with('{'),
            Place::Resource => set(&mut self.resource.attributes, object(raw, self.depth)),
            Place::ResourceDropped => set(&mut self.resource.dropped_attributes_count, parse(raw)),
            Place::ResourceSchema => set(&mut self.resource_schema, parse(raw)),
            Place::Scope if !heads => raw.starts_with('{'),
            Place::Scope => self.put_scope(raw),
        }
    }

    /// Members that a scope has no place for are attributes of it.
    fn put_scope(&mut self, raw: &str) -> bool {
        let (scope, depth) = (&mut self.scope, self.depth);
        from_json::each_member(raw, |name, raw| {
            let name = from_json::unquoted(name);
            let put = match &*name {
                "name" => set(&mut scope.name, parse(raw)),
                "version" => set(&mut scope.version, parse(raw)),
                "schema_url" => set(&mut self.scope_schema, parse(raw)),
                "dropped_attributes_count" => set(&mut scope.dropped_attributes_count, parse(raw)),
                "attributes" => object(raw, depth).map(|all| scope.attributes.extend(all)).is_some(),
                _ => false,
            };
            if !put {
                scope.attributes.push(value::pair(name, from_json::value_at(raw, depth)));
            }
        })
    }
}

/// What is equal where these are.
fn key(of: &impl Message, schema: &str) -> Vec<u8> {
    let mut key = (schema.len() as u64).to_le_bytes().to_vec();
    key.extend_from_slice(schema.as_bytes());
    key.extend_from_slice(&of.encode_to_vec());
    key
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a str) -> Option<T> {
    serde_json::from_str(raw).ok()
}

fn nanos(raw: &str) -> Option<u64> {
    match parse::<u64>(raw) {
        Some(number) => time::from_number(number),
        // The protocol's 0 is no time.
        None => time::parse(&parse::<String>(raw)?).filter(|nanos| *nanos != 0),
    }
}

fn identity(raw: &str, length: usize) -> Option<Vec<u8>> {
    from_hex(&parse::<String>(raw)?).filter(|id| id.len() == length && id.iter().any(|b| *b != 0))
}

fn object(raw: &str, depth: u32) -> Option<Vec<KeyValue>> {
    match from_json::value_at(raw, depth).value {
        Some(Value::KvlistValue(list)) => Some(list.values),
        _ => None,
    }
}

/// Attributes by names with dots.
struct Dotted<'a> {
    /// Bytes that names may still repeat of each other.
    room: usize,
    depth: u32,
    out: Vec<Attribute<'a>>,
}

impl<'a> Dotted<'a> {
    /// The attributes of a member: one, or those of an object.
    fn add(&mut self, name: Cow<'a, str>, raw: &'a str, dots: usize) {
        let inner = Some(raw).filter(|raw| dots > 0 && raw.starts_with('{')).and_then(from_json::members);
        let inner = inner.filter(|members| !members.is_empty());
        let room = inner.as_ref().and_then(|members| self.room.checked_sub(members.len().saturating_mul(name.len() + 1)));
        match (inner, room) {
            (Some(members), Some(room)) => {
                self.room = room;
                members.into_iter().for_each(|(inner, raw)| self.add(format!("{name}.{inner}").into(), raw, dots - 1));
            }
            _ => self.out.push(Attribute { name, value: Given::Json(raw, self.depth) }),
        }
    }
}

fn find<'a>(whole: &'a str, path: &Path) -> Option<&'a str> {
    path.segments().iter().try_fold(whole, |raw, segment| match segment {
        // The last one counts, as it does for all steps.
        Segment::Key(name) => from_json::members(raw)?.into_iter().rfind(|(member, _)| **member == **name).map(|(_, raw)| raw),
        Segment::Index(n) => parse::<Vec<&'a RawValue>>(raw)?.get(*n as usize).map(|item| item.get()),
    })
}

/// The number of a severity, by the names that are in use. 0: it is none of them.
fn severity(text: &str) -> i32 {
    match text.trim().to_ascii_lowercase().as_str() {
        "trace" | "finest" | "finer" | "all" => 1,
        "debug" | "fine" | "verbose" => 5,
        "info" | "information" | "informational" | "config" => 9,
        "notice" => 10,
        "warn" | "warning" => 13,
        "error" | "err" | "severe" => 17,
        "critical" | "crit" => 18,
        "alert" => 19,
        "fatal" | "emergency" | "emerg" | "panic" | "off" => 21,
        _ => 0,
    }
}
