//! OTLP in JSON: Protobuf's mapping with hexadecimal ids and numbers for enumerations. Members that are not known are passed over,
//! integers may be numbers or texts.

use super::value;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A request. Its parts are parsed one by one, and none before its length was looked at: they take far more memory than their text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) resource_logs: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResourceLogs<'a> {
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) scope_logs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) schema_url: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ScopeLogs<'a> {
    #[serde(borrow)]
    pub(super) scope: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) log_records: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) schema_url: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JsonResource {
    attributes: Option<Vec<Pair>>,
    dropped_attributes_count: Option<Number>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JsonScope {
    name: Option<String>,
    version: Option<String>,
    attributes: Option<Vec<Pair>>,
    dropped_attributes_count: Option<Number>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JsonRecord {
    time_unix_nano: Option<Number>,
    observed_time_unix_nano: Option<Number>,
    severity_number: Option<Number>,
    severity_text: Option<String>,
    body: Option<Any>,
    attributes: Option<Vec<Pair>>,
    dropped_attributes_count: Option<Number>,
    flags: Option<Number>,
    trace_id: Option<String>,
    span_id: Option<String>,
    event_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Pair {
    key: String,
    value: Option<Any>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Any {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
    array_value: Option<Values<Any>>,
    kvlist_value: Option<Values<Pair>>,
    bytes_value: Option<String>,
}

#[derive(Deserialize)]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

/// A number as it is written, or as a text holds it: serde_json's own reading of doubles is not exact to the last place.
struct Number(String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = <&RawValue>::deserialize(deserializer)?.get();
        match written.as_bytes().first() {
            Some(b'"') => serde_json::from_str(written).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(written.to_owned())),
            _ => Err(D::Error::custom("neither a number nor a text")),
        }
    }
}

impl Number {
    fn whole<T: TryFrom<i128>>(&self) -> Option<T> {
        let whole = self.0.trim().parse().ok().or_else(|| {
            // Protobuf's mapping allows 1.0 for 1.
            self.double().filter(|double| double.fract() == 0.0 && double.abs() < 1e15).map(|double| double as i128)
        });
        T::try_from(whole?).ok()
    }

    fn double(&self) -> Option<f64> {
        self.0.trim().parse().ok()
    }
}

/// A number that is there must fit.
fn whole<T: TryFrom<i128> + Default>(number: Option<Number>, what: &'static str) -> Result<T, &'static str> {
    number.map_or(Ok(T::default()), |number| number.whole().ok_or(what))
}

impl JsonResource {
    pub(super) fn into_resource(self) -> Result<Resource, &'static str> {
        let dropped_attributes_count = whole(self.dropped_attributes_count, COUNT)?;
        Ok(Resource { attributes: pairs(self.attributes)?, dropped_attributes_count, entity_refs: Vec::new() })
    }
}

impl JsonScope {
    pub(super) fn into_scope(self) -> Result<InstrumentationScope, &'static str> {
        Ok(InstrumentationScope {
            name: self.name.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
            attributes: pairs(self.attributes)?,
            dropped_attributes_count: whole(self.dropped_attributes_count, COUNT)?,
        })
    }
}

const COUNT: &str = "a count is no whole number from 0 to 4294967295";
const TIME: &str = "a time is no number of nanoseconds since 1970";

impl JsonRecord {
    pub(super) fn into_record(self) -> Result<LogRecord, &'static str> {
        Ok(LogRecord {
            time_unix_nano: whole(self.time_unix_nano, TIME)?,
            observed_time_unix_nano: whole(self.observed_time_unix_nano, TIME)?,
            severity_number: whole(self.severity_number, "`severityNumber` is no number of a severity")?,
            severity_text: self.severity_text.unwrap_or_default(),
            body: self.body.map(Any::into_value).transpose()?,
            attributes: pairs(self.attributes)?,
            dropped_attributes_count: whole(self.dropped_attributes_count, COUNT)?,
            flags: whole(self.flags, "`flags` is no whole number from 0 to 4294967295")?,
            trace_id: self
                .trace_id
                .map_or(Ok(Vec::new()), |id| from_hex(&id).ok_or("`traceId` has something else than hexadecimal digits"))?,
            span_id: self
                .span_id
                .map_or(Ok(Vec::new()), |id| from_hex(&id).ok_or("`spanId` has something else than hexadecimal digits"))?,
            event_name: self.event_name.unwrap_or_default(),
        })
    }
}

fn pairs(pairs: Option<Vec<Pair>>) -> Result<Vec<KeyValue>, &'static str> {
    let pair = |pair: Pair| Ok(KeyValue { key: pair.key, value: pair.value.map(Any::into_value).transpose()?, key_strindex: 0 });
    pairs.unwrap_or_default().into_iter().map(pair).collect()
}

impl Any {
    fn into_value(self) -> Result<AnyValue, &'static str> {
        let value = match self {
            Any { string_value: Some(text), .. } => return Ok(value::text(text)),
            Any { bool_value: Some(is), .. } => Value::BoolValue(is),
            Any { int_value: Some(number), .. } => Value::IntValue(number.whole().ok_or("`intValue` is no whole number of 64 bits")?),
            Any { double_value: Some(number), .. } => Value::DoubleValue(number.double().ok_or("`doubleValue` is no number")?),
            Any { bytes_value: Some(text), .. } => {
                let bytes = BASE64_STANDARD.decode(&text).or_else(|_| BASE64_URL_SAFE.decode(&text));
                Value::BytesValue(bytes.map_err(|_| "`bytesValue` is not Base64")?)
            }
            Any { array_value: Some(list), .. } => {
                Value::ArrayValue(ArrayValue { values: list.values.into_iter().map(Any::into_value).collect::<Result<_, _>>()? })
            }
            Any { kvlist_value: Some(list), .. } => Value::KvlistValue(KeyValueList { values: pairs(Some(list.values))? }),
            _ => return Ok(AnyValue { value: None }),
        };
        Ok(AnyValue { value: Some(value) })
    }
}

/// Bytes from hexadecimal digits of either case.
pub(super) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(value(pair.first()?)? << 4 | value(pair.get(1)?)?)).collect()
}
