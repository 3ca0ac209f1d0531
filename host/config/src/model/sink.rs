//! Where records go. A new sink is a variant of [`Sink`] and nothing else.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::network::*;
use super::path_template::PathTemplate;
use super::{Buffer, Bytes, Retry};
use crate::Text;
use crate::reader::parts;

/// A sink for records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
#[allow(clippy::large_enum_variant, reason = "a host has a handful of them")]
pub enum Sink {
    /// Appends to files, one record a line.
    File(FileSink),
    /// Writes to standard output, one record a line.
    Stdout(StdoutSink),
    /// Sends records to a web server.
    #[serde(deserialize_with = "http_sink")]
    Http(HttpSink),
    /// Sends records to Elasticsearch or OpenSearch.
    #[serde(deserialize_with = "elasticsearch_sink")]
    Elasticsearch(ElasticsearchSink),
    /// Sends records to Loki.
    Loki(LokiSink),
    /// Sends log records by OpenTelemetry's protocol.
    #[serde(deserialize_with = "otlp_sink")]
    Otlp(OtlpSink),
    /// Sends records to Kafka's topics.
    Kafka(KafkaSink),
    /// Sends records to a JetStream of NATS.
    Nats(NatsSink),
    /// Puts records as objects into S3.
    #[serde(deserialize_with = "s3_sink")]
    S3(S3Sink),
    /// Writes records as Parquet files into local folders.
    #[serde(deserialize_with = "parquet_sink")]
    Parquet(ParquetSink),
    /// Counts records as metrics that Prometheus fetches.
    Prometheus(PrometheusSink),
    /// Takes records and forgets them.
    Null(NullSink),
}

impl Sink {
    /// What all types of sinks have, those that have it.
    fn shared(&self) -> Shared<'_> {
        let sends = |name, buffer, retry, batch: &SinkBatch, healthcheck| Shared {
            name,
            buffer: Some(buffer),
            retry: Some(retry),
            batch_age: Some(batch.age),
            healthcheck,
        };
        match self {
            Sink::Http(sink) => sends("http", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::Elasticsearch(sink) => sends("elasticsearch", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::Loki(sink) => sends("loki", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::Otlp(sink) => sends("otlp", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::Kafka(sink) => sends("kafka", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::Nats(sink) => sends("nats", &sink.buffer, &sink.retry, &sink.batch, sink.healthcheck),
            Sink::S3(sink) => {
                let (buffer, retry, batch_age) = (Some(&sink.buffer), Some(&sink.retry), Some(sink.batch.age));
                Shared { name: "s3", buffer, retry, batch_age, healthcheck: false }
            }
            Sink::Parquet(sink) => {
                let (buffer, retry, batch_age) = (Some(&sink.buffer), Some(&sink.retry), Some(sink.batch.age));
                Shared { name: "parquet", buffer, retry, batch_age, healthcheck: false }
            }
            Sink::File(sink) => Shared { name: "file", buffer: Some(&sink.buffer), retry: Some(&sink.retry), ..Shared::default() },
            Sink::Stdout(sink) => Shared { name: "stdout", buffer: Some(&sink.buffer), ..Shared::default() },
            Sink::Prometheus(sink) => Shared { name: "prometheus", buffer: Some(&sink.buffer), ..Shared::default() },
            Sink::Null(_) => Shared { name: "null", ..Shared::default() },
        }
    }

    /// The sink's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        self.shared().name
    }

    /// What waits in front of it.
    pub fn buffer(&self) -> Buffer {
        self.shared().buffer.cloned().unwrap_or_default()
    }

    /// How often a failed delivery is tried again.
    pub fn retry(&self) -> Retry {
        self.shared().retry.cloned().unwrap_or_default()
    }

    /// How long a record may wait for others that it travels with.
    pub fn batch_age(&self) -> Option<Duration> {
        self.shared().batch_age
    }

    /// Whether the host does not start, and no reload takes over, while it cannot be reached.
    pub fn healthcheck(&self) -> bool {
        self.shared().healthcheck
    }

    /// Whether it may refuse records.
    pub fn refuses(&self) -> bool {
        let by_kind = match self {
            Sink::Http(_) | Sink::Elasticsearch(_) | Sink::Loki(_) | Sink::Otlp(_) | Sink::Kafka(_) | Sink::Nats(_) => true,
            // What has no columns, or does not fit them.
            Sink::S3(_) | Sink::Parquet(_) => true,
            // What its records hold may lead to no file.
            Sink::File(file) => PathTemplate::parse(&file.path).is_ok_and(|path| path.fields().next().is_some()),
            Sink::Stdout(_) | Sink::Null(_) | Sink::Prometheus(_) => false,
        };
        by_kind || self.retry().give_up_after.is_some()
    }
}

/// What sinks of several types have.
#[derive(Default)]
struct Shared<'a> {
    name: &'static str,
    buffer: Option<&'a Buffer>,
    retry: Option<&'a Retry>,
    batch_age: Option<Duration>,
    healthcheck: bool,
}

/// Appends to files, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FileSink {
    /// The file, relative to the working directory. It and its folders are made when they are missing. `%{field}` stands
    /// for a field's value and `%Y %m %d %H %M %S` for the time of writing (UTC), so that each record finds its file;
    /// a percent sign is written `%%`.
    #[serde(deserialize_with = "sink_path")]
    #[schemars(with = "String")]
    pub path: Text,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a failed write is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// Whether records count as delivered only when they are on the disk. Default: true.
    #[serde(default = "yes")]
    pub fsync: bool,
    /// When a file is put aside and a new one is begun. Default: never.
    #[serde(default, deserialize_with = "rotation")]
    pub rotate: Rotation,
    /// How files are compressed. Default: `none`.
    #[serde(default)]
    pub compression: SinkCompression,
    /// Files of a path with places that are open at once. Default: 64; 1 to 1,024.
    #[serde(default = "open_files", deserialize_with = "parts::whole_between::<_, 1, 1_024>")]
    #[schemars(range(min = 1, max = 1_024))]
    pub open_files: u32,
    /// How long a file of a path with places stays open without a record. Default: 5 m; 1 s to 1 d.
    #[serde(default = "idle", deserialize_with = "parts::duration_between::<_, 1_000, 86_400_000>")]
    #[schemars(with = "String")]
    pub idle: Duration,
}

impl FileSink {
    /// A sink that appends to a file, with everything else as it is by default.
    pub fn new(path: impl Into<Text>) -> Self {
        Self {
            path: path.into(),
            fsync: true,
            rotate: Rotation::default(),
            compression: SinkCompression::None,
            open_files: open_files(),
            idle: idle(),
            buffer: Buffer::default(),
            retry: Retry::default(),
        }
    }
}

/// When a file is put aside and a new one is begun; whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rotation {
    /// Before a line would make the file larger than this. Default: any size; 4 KiB to 1 TiB.
    #[serde(deserialize_with = "size_option")]
    pub size: Option<Bytes>,
    /// At every multiple of this time, counted in UTC. Default: never; 1 s to 30 d.
    #[serde(deserialize_with = "time_option")]
    #[schemars(with = "Option<String>")]
    pub every: Option<Duration>,
    /// How many files that were put aside are kept for each path; the oldest go. Default: all; 1 to 10,000.
    #[serde(deserialize_with = "count_option")]
    #[schemars(range(min = 1, max = 10_000))]
    pub keep: Option<u32>,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkCompression {
    /// Not at all.
    #[default]
    None,
    /// A sequence of gzip members (RFC 1952).
    Gzip,
    /// A sequence of zstd frames with checksums (RFC 8878).
    Zstd,
}

/// Writes to standard output, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct StdoutSink {
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
}

/// Takes records and forgets them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct NullSink {}

fn yes() -> bool {
    true
}

fn open_files() -> u32 {
    64
}

fn idle() -> Duration {
    Duration::from_secs(300)
}

fn sink_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let path = parts::file_path(deserializer)?;
    match PathTemplate::parse(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(parts::bad_value(&error.what, error.help)),
    }
}

fn rotation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rotation, D::Error> {
    let rotation = Option::<Rotation>::deserialize(deserializer)?.unwrap_or_default();
    if rotation.keep.is_some() && rotation.size.is_none() && rotation.every.is_none() {
        let what = "without `size` or `every` nothing is ever put aside";
        return Err(parts::bad_option(&["keep"], &[], what, "add `size` or `every`"));
    }
    Ok(rotation)
}

fn size_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
    parts::bytes_between_option::<_, 4_096, 1_099_511_627_776>(deserializer)
}

fn time_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parts::duration_between_option::<_, 1_000, 2_592_000_000>(deserializer)
}

fn count_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    parts::optional::<D, Count>(deserializer)
}

parts::reads!(Count(u32), parts::whole_between::<_, 1, 10_000>);
