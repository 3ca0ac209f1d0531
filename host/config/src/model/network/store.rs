//! `s3` and `parquet`: records as objects of a store, and as files of a folder, each put in place whole.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{SinkBatch, file_path_option, timeout};
use crate::Text;
use crate::model::path_template::PathTemplate;
use crate::model::{Buffer, Bytes, Retry};
use crate::reader::parts;

/// Columns that a file may have.
pub const COLUMNS_MAX: usize = 1_000;
/// The column of what has none of its own.
const REST: &str = "_rest";
/// Records of a row group, unless a sink says fewer.
const ROW_GROUP: u32 = 100_000;

/// Puts records as objects into S3, or a store that speaks its protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct S3Sink {
    /// The bucket. It must be there.
    #[serde(deserialize_with = "bucket")]
    #[schemars(with = "String")]
    pub bucket: Text,
    /// The store, such as `https://minio:9000`. Default: that of AWS for `region`.
    #[serde(default, deserialize_with = "url_option")]
    #[schemars(with = "Option<String>")]
    pub endpoint: Option<Text>,
    /// The region that requests are signed for. Default: `us-east-1`.
    #[serde(default = "region")]
    #[schemars(with = "String")]
    pub region: Text,
    /// Whether the bucket stands in the path of an address instead of in front of its host. Default: true with an `endpoint`, else false.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// The identifier of the key that requests are signed with. Needs `secret_key`. Default: requests are not signed.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub access_key: Option<Text>,
    /// The secret of `access_key`. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub secret_key: Option<Text>,
    /// The session that `access_key` belongs to, where it is a temporary one. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub session_token: Option<Text>,
    /// Whom it trusts with `https`.
    #[serde(default)]
    pub tls: S3Tls,
    /// What keys begin with: a text with places for fields (`%{tenant}`) and for the time (`%Y %m %d %H %M %S`, UTC); `%%` is a percent
    /// sign. A slash and the object's own name follow. Default: `%Y/%m/%d`.
    #[serde(default = "key", deserialize_with = "template")]
    #[schemars(with = "String")]
    pub key: Text,
    /// The field with the time that fills `key`: RFC 3339, or a number of seconds, milli-, micro- or nanoseconds. Default: the time of writing.
    #[serde(default, deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub time_field: Option<Path>,
    /// What an object holds. Default: `ndjson`.
    #[serde(default)]
    pub format: ObjectFormat,
    /// How it is compressed; `gzip` with `ndjson` only, `snappy` with `parquet` only. Default: `zstd`.
    #[serde(default)]
    pub compression: ObjectCompression,
    /// With `parquet`, the columns and their types. Default: what steps write, and what the records of an object hold.
    #[serde(default, deserialize_with = "schema")]
    pub schema: BTreeMap<String, ColumnType>,
    /// With `schema`, the column of all other fields, as JSON; `off` leaves them out. Default: `_rest`.
    #[serde(default, deserialize_with = "rest_name_option")]
    #[schemars(with = "String")]
    pub rest: Option<Text>,
    /// With `parquet`, records of a row group. Default: 100,000; 100 to 100,000.
    #[serde(default, deserialize_with = "row_group_option")]
    #[schemars(with = "u32", range(min = 100, max = 100_000))]
    pub row_group: Option<u32>,
    /// How many records go in an object.
    #[serde(default)]
    pub batch: ObjectBatch,
    /// Batches that are stored at the same time. Default: 4; 1 to 64.
    #[serde(default = "uploads", deserialize_with = "parts::whole_between::<_, 1, 64>")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// How long storing an object may take. Default: 30 s; 100 ms to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often an object that could not be stored is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// Fields that the plan knows the types of; the host fills it in.
    #[serde(skip)]
    #[schemars(skip)]
    pub known: BTreeMap<String, ColumnType>,
}

/// Writes records as Parquet files into local folders.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct ParquetSink {
    /// The folder, relative to the working directory, made when it is missing: a text with places for fields (`%{tenant}`) and for the
    /// time (`%Y %m %d %H %M %S`, UTC); `%%` is a percent sign.
    #[serde(deserialize_with = "folder")]
    #[schemars(with = "String")]
    pub path: Text,
    /// The field with the time that fills `path`: RFC 3339, or a number of seconds, milli-, micro- or nanoseconds. Default: the time of writing.
    #[serde(default, deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub time_field: Option<Path>,
    /// The columns and their types. Default: what steps write, and what the records of a file hold.
    #[serde(default, deserialize_with = "schema")]
    pub schema: BTreeMap<String, ColumnType>,
    /// With `schema`, the column of all other fields, as JSON; `off` leaves them out. Default: `_rest`.
    #[serde(default, deserialize_with = "rest_name_option")]
    #[schemars(with = "String")]
    pub rest: Option<Text>,
    /// How columns are compressed: `none`, `snappy` or `zstd`. Default: `zstd`.
    #[serde(default)]
    pub compression: ObjectCompression,
    /// Records of a row group. Default: 100,000; 100 to 100,000.
    #[serde(default = "row_group", deserialize_with = "parts::whole_between::<_, 100, 100_000>")]
    #[schemars(range(min = 100, max = 100_000))]
    pub row_group: u32,
    /// How many records go in a file.
    #[serde(default)]
    pub batch: ObjectBatch,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a file that could not be written is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// Fields that the plan knows the types of; the host fills it in.
    #[serde(skip)]
    #[schemars(skip)]
    pub known: BTreeMap<String, ColumnType>,
}

/// Whom a client of a store trusts.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct S3Tls {
    /// A file with the certificates of authorities to trust, PEM, and no others. Default: those that the system trusts.
    #[serde(deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
}

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectFormat {
    /// Records as they are, one a line.
    #[default]
    Ndjson,
    /// Columns.
    Parquet,
}

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectCompression {
    /// Not at all.
    None,
    /// One gzip member (RFC 1952).
    Gzip,
    /// Snappy, column by column.
    Snappy,
    /// One zstd frame with a checksum (RFC 8878); with Parquet, column by column.
    #[default]
    Zstd,
}

/// The type of a column. A field that is missing or null is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// A text.
    String,
    /// A whole number of 64 bits.
    Int,
    /// A number of 64 bits with a fraction.
    Float,
    /// A truth value.
    Bool,
    /// A time in microseconds, UTC, from a text as RFC 3339 has it, or a number of seconds, milli-, micro- or nanoseconds.
    Timestamp,
    /// Any value, as JSON.
    Json,
}

/// How many records a sink stores together; whichever is reached first closes a batch. Each key of a batch makes an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ObjectBatch {
    /// Records of a batch. Default: 100,000; 1 to 100,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 100_000>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub records: u32,
    /// Bytes of a batch, before it is packed; a single larger record still travels, alone. Default: 16 MiB; 1 KiB to 64 MiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub bytes: Bytes,
    /// How long the first record of a batch waits for company. Default: 1 m; 0 s to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 0, 3_600_000>")]
    #[schemars(with = "String")]
    pub age: Duration,
}

impl Default for ObjectBatch {
    fn default() -> Self {
        Self { records: 100_000, bytes: Bytes::mebi(16), age: Duration::from_secs(60) }
    }
}

impl From<&ObjectBatch> for SinkBatch {
    fn from(batch: &ObjectBatch) -> Self {
        Self { records: batch.records, bytes: batch.bytes, age: batch.age }
    }
}

/// An `s3` sink whose options go together.
pub(crate) fn s3_sink<'de, D: Deserializer<'de>>(deserializer: D) -> Result<S3Sink, D::Error> {
    let mut sink = S3Sink::deserialize(deserializer)?;
    if sink.access_key.is_some() != sink.secret_key.is_some() {
        let (of, other) = if sink.access_key.is_some() { ("access_key", "secret_key") } else { ("secret_key", "access_key") };
        return Err(parts::bad_option(&[of], &[], &format!("there is no `{other}` with it"), "give both, or neither"));
    }
    if sink.session_token.is_some() && sink.access_key.is_none() {
        let what = "the key that it belongs to is missing";
        return Err(parts::bad_option(&["session_token"], &[], what, "give `access_key` and `secret_key`, too"));
    }
    let unfit = match (sink.format, sink.compression) {
        (ObjectFormat::Ndjson, ObjectCompression::Snappy) => Some("`snappy` fits `parquet`, not `ndjson`"),
        (ObjectFormat::Parquet, ObjectCompression::Gzip) => Some("`gzip` fits `ndjson`, not `parquet`"),
        _ => None,
    };
    if let Some(unfit) = unfit {
        return Err(parts::bad_option(&["compression"], &["format"], unfit, "take `zstd`, which fits both"));
    }
    if sink.format == ObjectFormat::Ndjson {
        let given = [("schema", !sink.schema.is_empty()), ("rest", sink.rest.is_some()), ("row_group", sink.row_group.is_some())];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            let help = format!("write `format: parquet`, or remove `{option}`");
            return Err(parts::bad_option(&[option], &["format"], "`ndjson` has no columns", &help));
        }
    }
    rest_of(&sink.schema, sink.rest.as_ref())?;
    sink.rest.get_or_insert_with(|| Text::from(REST));
    sink.row_group.get_or_insert(ROW_GROUP);
    Ok(sink)
}

/// A `parquet` sink whose options go together.
pub(crate) fn parquet_sink<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ParquetSink, D::Error> {
    let mut sink = ParquetSink::deserialize(deserializer)?;
    if sink.compression == ObjectCompression::Gzip {
        return Err(parts::bad_option(&["compression"], &[], "`gzip` is none of Parquet's here", "take `zstd`, `snappy` or `none`"));
    }
    rest_of(&sink.schema, sink.rest.as_ref())?;
    sink.rest.get_or_insert_with(|| Text::from(REST));
    Ok(sink)
}

/// Refuses a column of other fields where there is no `schema`, or where it has the name of another one.
fn rest_of<E: serde::de::Error>(schema: &BTreeMap<String, ColumnType>, rest: Option<&Text>) -> Result<(), E> {
    if let Some(rest) = rest.filter(|_| schema.is_empty()) {
        let what = if rest == "off" { "without `schema` no field is left out" } else { "without `schema` every field has its column" };
        return Err(parts::bad_option(&["rest"], &[], what, "add `schema`, or remove `rest`"));
    }
    let name = rest.map_or(REST, |rest| rest.as_str());
    if !schema.contains_key(name) {
        return Ok(());
    }
    match rest {
        Some(_) => {
            let help = "give the column of other fields another name";
            Err(parts::bad_option(&["rest"], &["schema", name], "it is the name of a column of `schema`", help))
        }
        None => {
            let what = "the column of other fields has this name";
            Err(parts::bad_option(&["schema", name], &[], what, "give that one another name with `rest`, or `off`"))
        }
    }
}

impl S3Sink {
    /// The column of fields without one of their own, or `off`.
    pub fn rest(&self) -> &str {
        self.rest.as_ref().map_or(REST, |rest| rest.as_str())
    }

    /// Records of a row group.
    pub fn row_group(&self) -> u32 {
        self.row_group.unwrap_or(ROW_GROUP)
    }
}

impl ParquetSink {
    /// The column of fields without one of their own, or `off`.
    pub fn rest(&self) -> &str {
        self.rest.as_ref().map_or(REST, |rest| rest.as_str())
    }
}

fn bucket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let name = Text::deserialize(deserializer)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    match (3..=63).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') && !name.contains("..") {
        true => Ok(name),
        false => Err(parts::bad_value("not the name of a bucket", "3 to 63 lower-case letters, digits, `-` and `.`")),
    }
}

fn url_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    parts::optional::<D, Url>(deserializer)
}

parts::reads!(Url(Text), parts::url);

fn template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    checked(&text)?;
    if text.contains("//") {
        return Err(parts::bad_value("the key holds two slashes in a row, and nothing between them", "write one of them"));
    }
    match text.split('/').any(|part| part == "." || part == "..") || text.chars().any(char::is_control) {
        false => Ok(text),
        true => Err(parts::bad_value("the key holds `.` or `..` between slashes, or a control character", "write the key out")),
    }
}

fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = parts::file_path(deserializer)?;
    checked(&text).map(|()| text)
}

fn checked<E: serde::de::Error>(text: &str) -> Result<(), E> {
    // A slash at the end says that a folder is meant, which it is.
    match PathTemplate::parse(text.trim_end_matches('/')) {
        Ok(_) => Ok(()),
        Err(error) => Err(parts::bad_value(&error.what, error.help)),
    }
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ColumnType>, D::Error> {
    let schema = Option::<BTreeMap<String, ColumnType>>::deserialize(deserializer)?.unwrap_or_default();
    if schema.len() > COLUMNS_MAX {
        return Err(parts::bad_value("there are more than 1,000 columns", "the others go into the column that `rest` names"));
    }
    match schema.keys().all(|name| name.parse::<Path>().is_ok_and(|path| !path.is_root())) {
        true => Ok(schema),
        false => Err(parts::bad_value("a column is no field path", "write the paths of fields: `status`, `http.request.method`")),
    }
}

fn rest_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let name = Text::deserialize(deserializer)?;
    match name.len() {
        1..=128 => Ok(name),
        _ => Err(parts::bad_value("not the name of a column", "give a name of 1 to 128 bytes, or `off`")),
    }
}

fn region() -> Text {
    Text::from("us-east-1")
}

fn key() -> Text {
    Text::from("%Y/%m/%d")
}

fn rest_name_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    parts::optional::<D, RestName>(deserializer)
}

parts::reads!(RestName(Text), rest_name);

fn row_group_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    parts::optional::<D, RowGroup>(deserializer)
}

parts::reads!(RowGroup(u32), parts::whole_between::<_, 100, ROW_GROUP>);

fn row_group() -> u32 {
    ROW_GROUP
}

fn uploads() -> u32 {
    4
}
