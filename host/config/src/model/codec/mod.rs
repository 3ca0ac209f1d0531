//! How bytes become records. A new codec is a variant of [`Codec`], its options here, and its reader in `tamis-codecs`.

mod log_format;
mod pattern;
mod zone;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::reader::codecs;

pub use log_format::{Form, LogFormat, Part};
pub use pattern::{GrokPattern, GrokType, Pattern};
pub use zone::{UnknownZone, Zone};

/// How bytes become records.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
pub enum Codec {
    /// One JSON object a line.
    #[default]
    Json,
    /// Any text; a line becomes `{"message": "…"}`.
    Text,
    /// WSO2 `apim_metrics.log`: the JSON of each event.
    Wso2Metrics(RawCodec),
    /// What WSO2's log mediator writes: `key = value` pairs.
    Wso2Mediator(MediatorCodec),
    /// WSO2 `wso2carbon.log`.
    Wso2Carbon(ZonedCodec),
    /// WSO2 `correlation.log`.
    Wso2Correlation(ZonedCodec),
    /// WSO2 `audit.log`.
    Wso2Audit(ZonedCodec),
    /// WSO2 `api.log`.
    Wso2Api(ZonedCodec),
    /// Access logs of web servers.
    Access(AccessCodec),
    /// Syslog, RFC 3164 and RFC 5424.
    Syslog(SyslogCodec),
    /// `key=value key="a value"`.
    Logfmt(LogfmtCodec),
    /// Values between commas.
    Csv(CsvCodec),
    /// A regular expression with named groups.
    Regex(RegexCodec),
    /// A grok pattern.
    Grok(#[schemars(with = "GrokKeys")] GrokCodec),
    /// The first of several that reads a line.
    Auto(AutoCodec),
}

impl Codec {
    /// The codec's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Codec::Json => "json",
            Codec::Text => "text",
            Codec::Wso2Metrics(_) => "wso2_metrics",
            Codec::Wso2Mediator(_) => "wso2_mediator",
            Codec::Wso2Carbon(_) => "wso2_carbon",
            Codec::Wso2Correlation(_) => "wso2_correlation",
            Codec::Wso2Audit(_) => "wso2_audit",
            Codec::Wso2Api(_) => "wso2_api",
            Codec::Access(_) => "access",
            Codec::Syslog(_) => "syslog",
            Codec::Logfmt(_) => "logfmt",
            Codec::Csv(_) => "csv",
            Codec::Regex(_) => "regex",
            Codec::Grok(_) => "grok",
            Codec::Auto(_) => "auto",
        }
    }

    /// The field that the line is kept in as it came, if any.
    pub fn keep_raw(&self) -> Option<&str> {
        match self {
            Codec::Json | Codec::Text | Codec::Auto(_) => None,
            Codec::Wso2Metrics(codec) => codec.keep_raw.as_deref(),
            Codec::Wso2Mediator(codec) => codec.keep_raw.as_deref(),
            Codec::Wso2Carbon(codec) | Codec::Wso2Correlation(codec) | Codec::Wso2Audit(codec) | Codec::Wso2Api(codec) => {
                codec.keep_raw.as_deref()
            }
            Codec::Access(codec) => codec.keep_raw.as_deref(),
            Codec::Syslog(codec) => codec.keep_raw.as_deref(),
            Codec::Logfmt(codec) => codec.keep_raw.as_deref(),
            Codec::Csv(codec) => codec.keep_raw.as_deref(),
            Codec::Regex(codec) => codec.keep_raw.as_deref(),
            Codec::Grok(codec) => codec.keep_raw.as_deref(),
        }
    }
}

/// Options of a codec whose times say their zone.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct RawCodec {
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of a codec whose times are local.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct ZonedCodec {
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `wso2_mediator`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct MediatorCodec {
    /// What stands between the pairs. Default: `, ` (comma and blank).
    #[serde(default = "separator", deserialize_with = "codecs::separator")]
    #[schemars(with = "String", length(min = 1, max = 16))]
    pub separator: String,
    /// The keys that there are: a line is cut at these alone. Default: at whatever looks like a key.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub keys: Vec<String>,
    /// Where a line is a JSON object: the member that holds the text. Default: `app_message`.
    #[serde(default = "app_message", deserialize_with = "codecs::field")]
    pub message: String,
    /// Whether `destination.url.path` is the path of a field within fields, rather than a name with dots. Default: true.
    #[serde(default = "yes")]
    pub nest: bool,
    /// Fields that stay text even where they look like a number. Default: those whose name ends with `version`.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub text: Vec<String>,
    /// Fields that hold a time, which is then written as RFC 3339. Default: none.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub times: Vec<String>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// What an access log looks like.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AccessFormat {
    /// Whichever of the named formats reads the line, in a fixed order; the field `format` says which.
    #[default]
    Detect,
    /// `remoteHost=… requestMethod=…`.
    KeyValue,
    /// A named format or a format string.
    Pattern(LogFormat),
}

impl AccessFormat {
    /// The named formats, in the order in which `detect` tries them: the one with most fields first.
    pub const NAMED: [(&'static str, &'static str); 4] = [
        ("wso2_passthrough", "%{X-Forwarded-For}i %h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\""),
        ("combined", "%h %l %u %t \"%r\" %s %b \"%{Referer}i\" \"%{User-Agent}i\""),
        ("common", "%h %l %u %t \"%r\" %s %b"),
        ("tomcat", "%{X-Forwarded-For}i %h %l %u %t %r %s %b %{Referer}i %{User-Agent}i %T"),
    ];

    /// The format of a name; `None` for a text that is none.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "detect" => Some(AccessFormat::Detect),
            "key_value" => Some(AccessFormat::KeyValue),
            _ => {
                let (_, text) = Self::NAMED.iter().find(|(known, _)| *known == name)?;
                LogFormat::new(text).ok().map(AccessFormat::Pattern)
            }
        }
    }
}

/// Options of `access`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct AccessCodec {
    /// `detect`, `combined`, `common`, `wso2_passthrough`, `tomcat`, `key_value`, or a format string such as
    /// `%h %l %u %t "%r" %s %b`. Default: `detect`.
    #[serde(default, deserialize_with = "codecs::access_format")]
    #[schemars(with = "String", default = "detect")]
    pub format: AccessFormat,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `syslog`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct SyslogCodec {
    /// The year of RFC 3164's times, which have none. Default: the year that brings the time nearest to now; 1970 to 9999.
    #[serde(default, deserialize_with = "codecs::year_option")]
    #[schemars(with = "Option<u16>", range(min = 1970, max = 9999))]
    pub year: Option<u16>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `logfmt`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct LogfmtCodec {
    /// Whether a key may stand without a value, which is then `true`. Default: false.
    #[serde(default)]
    pub bare_keys: bool,
    /// Fields that stay text even where they look like a number. Default: those whose name ends with `version`.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub text: Vec<String>,
    /// Fields that hold a time, which is then written as RFC 3339. Default: none.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub times: Vec<String>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `csv`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct CsvCodec {
    /// The fields, in the order of the columns, 1,000 at most.
    #[serde(deserialize_with = "codecs::fields_required")]
    #[schemars(length(min = 1, max = 1000))]
    pub columns: Vec<String>,
    /// What stands between the values: one ASCII character. Default: `,`.
    #[serde(default = "comma", deserialize_with = "codecs::delimiter")]
    #[schemars(with = "String", length(min = 1, max = 1), default = "comma_text")]
    pub delimiter: u8,
    /// Fields that stay text even where they look like a number. Default: those whose name ends with `version`.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub text: Vec<String>,
    /// Fields that hold a time, which is then written as RFC 3339. Default: none.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub times: Vec<String>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `regex`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct RegexCodec {
    /// The expression. Each named group, `(?<name>…)`, is a field.
    #[serde(deserialize_with = "codecs::pattern")]
    #[schemars(with = "String")]
    pub pattern: Pattern,
    /// Fields that stay text even where they look like a number. Default: those whose name ends with `version`.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub text: Vec<String>,
    /// Fields that hold a time, which is then written as RFC 3339. Default: none.
    #[serde(default, deserialize_with = "codecs::fields")]
    pub times: Vec<String>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    pub zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub keep_raw: Option<String>,
}

/// Options of `grok`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "GrokKeys")]
pub struct GrokCodec {
    /// The pattern, compiled with its definitions.
    pub pattern: GrokPattern,
    /// Fields that hold a time, which is then written as RFC 3339.
    pub times: Vec<String>,
    /// The zone of times that do not say theirs.
    pub zone: Zone,
    /// Keep the line as it came in this field.
    pub keep_raw: Option<String>,
}

/// Options of `grok` as they are written.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "GrokCodec")]
struct GrokKeys {
    /// The pattern: a regular expression with `%{NAME:field}` or `%{NAME:field:type}`; the types are int, long, float, double,
    /// bool, boolean and string.
    pattern: String,
    /// Definitions of one's own, by name, such as `{ CALL: "[A-F]{3}" }`. Default: `{}`.
    #[serde(default)]
    patterns: BTreeMap<String, String>,
    /// Fields that hold a time, which is then written as RFC 3339. Default: none.
    #[serde(default, deserialize_with = "codecs::fields")]
    times: Vec<String>,
    /// The zone of times that do not say theirs: `Europe/Paris`, `+01:00`. Default: `UTC`.
    #[serde(default, deserialize_with = "codecs::zone")]
    #[schemars(with = "String", default = "utc")]
    zone: Zone,
    /// Keep the line as it came in this field. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    keep_raw: Option<String>,
}

impl TryFrom<GrokKeys> for GrokCodec {
    type Error = codecs::BadPattern;

    fn try_from(keys: GrokKeys) -> Result<Self, codecs::BadPattern> {
        let pattern = GrokPattern::new(&keys.pattern, &keys.patterns).map_err(codecs::BadPattern)?;
        Ok(Self { pattern, times: keys.times, zone: keys.zone, keep_raw: keys.keep_raw })
    }
}

/// Options of `auto`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct AutoCodec {
    /// The codecs to try, in this order, 16 at most; the field `codec` says which one read the line. `text` reads everything and
    /// can only be the last.
    #[serde(deserialize_with = "codecs::several")]
    #[schemars(schema_with = "crate::schema::codec_list")]
    pub codecs: Vec<Codec>,
}

fn yes() -> bool {
    true
}

fn separator() -> String {
    ", ".to_owned()
}

fn app_message() -> String {
    "app_message".to_owned()
}

fn comma() -> u8 {
    b','
}

fn comma_text() -> String {
    ",".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

fn detect() -> String {
    "detect".to_owned()
}
