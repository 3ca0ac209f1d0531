//! Where records come from. A new source is a variant of [`Source`] and nothing else.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::network::*;
use super::{Bytes, Codec};
use crate::reader::parts;
use crate::{Located, Text};

/// A source of records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
#[allow(clippy::large_enum_variant, reason = "a host has a handful of them")]
pub enum Source {
    /// Reads files.
    File(FileSource),
    /// Reads standard input.
    Stdin(StdinSource),
    /// Makes gateway records, to try things out.
    Demo(DemoSource),
    /// Takes records from HTTP requests.
    Http(HttpSource),
    /// Takes records from clients of Elasticsearch and OpenSearch.
    Elasticsearch(ElasticsearchSource),
    /// Takes log records of OpenTelemetry's protocol.
    Otlp(OtlpSource),
    /// Takes syslog messages.
    Syslog(SyslogSource),
    /// Takes events of Fluentd's forward protocol.
    Fluent(FluentSource),
    /// Takes events of the Lumberjack protocol.
    Beats(BeatsSource),
    /// Takes records from Kafka's topics.
    Kafka(KafkaSource),
    /// Takes records from a JetStream of NATS.
    Nats(NatsSource),
}

impl Source {
    /// How long its clients wait for records to be delivered or spooled, where they are told.
    pub fn ack_timeout(&self) -> Option<Duration> {
        match self {
            Source::Http(source) => Some(source.limits.ack_timeout),
            Source::Elasticsearch(source) => Some(source.limits.ack_timeout),
            Source::Otlp(source) => Some(source.limits.ack_timeout),
            Source::Fluent(source) => Some(source.limits.ack_timeout),
            Source::Beats(source) => Some(source.limits.ack_timeout),
            Source::File(_) | Source::Stdin(_) | Source::Demo(_) | Source::Syslog(_) | Source::Kafka(_) | Source::Nats(_) => None,
        }
    }

    /// The source's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Source::File(_) => "file",
            Source::Stdin(_) => "stdin",
            Source::Demo(_) => "demo",
            Source::Http(_) => "http",
            Source::Elasticsearch(_) => "elasticsearch",
            Source::Otlp(_) => "otlp",
            Source::Syslog(_) => "syslog",
            Source::Fluent(_) => "fluent",
            Source::Beats(_) => "beats",
            Source::Kafka(_) => "kafka",
            Source::Nats(_) => "nats",
        }
    }

    /// What the source's records hold, where its configuration says so.
    pub fn fields(&self) -> Option<&[Located<Path>]> {
        match self {
            Source::File(source) => source.fields.as_deref(),
            Source::Stdin(source) => source.fields.as_deref(),
            Source::Demo(_) => None,
            Source::Http(source) => source.fields.as_deref(),
            Source::Elasticsearch(source) => source.fields.as_deref(),
            Source::Otlp(source) => source.fields.as_deref(),
            Source::Syslog(source) => source.fields.as_deref(),
            Source::Fluent(source) => source.fields.as_deref(),
            Source::Beats(source) => source.fields.as_deref(),
            Source::Kafka(source) => source.fields.as_deref(),
            Source::Nats(source) => source.fields.as_deref(),
        }
    }

    /// The codec of its lines, where it has one.
    pub fn codec(&self) -> Option<&Codec> {
        match self {
            Source::File(source) => Some(&source.codec),
            Source::Stdin(source) => Some(&source.codec),
            Source::Http(source) => Some(&source.codec),
            Source::Elasticsearch(_) => None,
            Source::Otlp(_) => None,
            Source::Syslog(source) => Some(&source.codec),
            Source::Fluent(_) | Source::Beats(_) => None,
            Source::Kafka(source) => Some(&source.codec),
            Source::Nats(source) => Some(&source.codec),
            Source::Demo(_) => None,
        }
    }

    /// The longest record, where it says so.
    pub fn max_record(&self) -> Option<Bytes> {
        match self {
            Source::File(source) => Some(source.max_record),
            Source::Stdin(source) => Some(source.max_record),
            Source::Http(source) => Some(source.max_record),
            Source::Elasticsearch(source) => Some(source.max_record),
            Source::Otlp(source) => Some(source.max_record),
            Source::Syslog(source) => Some(source.max_record),
            Source::Fluent(source) => Some(source.max_record),
            Source::Beats(source) => Some(source.max_record),
            Source::Kafka(source) => Some(source.max_record),
            Source::Nats(source) => Some(source.max_record),
            Source::Demo(_) => None,
        }
    }

    /// All addresses where it listens.
    pub fn addresses(&self) -> Vec<Located<Text>> {
        match self {
            Source::Otlp(source) => <[Option<Located<Text>>; 2]>::from(source.addresses()).into_iter().flatten().collect(),
            _ => self.listen().cloned().into_iter().collect(),
        }
    }

    /// Where it listens, if at one address; see [`Source::addresses`].
    pub fn listen(&self) -> Option<&Located<Text>> {
        match self {
            Source::Http(source) => Some(&source.listen),
            Source::Elasticsearch(source) => Some(&source.listen),
            Source::Otlp(_) => None,
            Source::Syslog(source) => Some(&source.listen),
            Source::Fluent(source) => Some(&source.listen),
            Source::Beats(source) => Some(&source.listen),
            Source::File(_) | Source::Stdin(_) | Source::Demo(_) => None,
            Source::Kafka(_) | Source::Nats(_) => None,
        }
    }

    /// Whether it comes to an end by itself: with `--once`, the host waits for that.
    pub fn ends(&self) -> bool {
        matches!(self, Source::File(_) | Source::Demo(_))
    }
}

/// Reads files.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FileSource {
    /// The files to read: paths or glob patterns (`*`, `?`, `[…]`, `**`), at least one, relative to the working directory.
    #[serde(deserialize_with = "parts::globs_required")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub paths: Vec<Text>,
    /// Paths or patterns of files that are left out, such as `/var/log/app/*.gz`. Default: none.
    #[serde(default, deserialize_with = "parts::globs")]
    #[schemars(with = "Vec<String>")]
    pub exclude: Vec<Text>,
    /// How bytes become records. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest record; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
    /// Where to begin with files that are there when the source runs for the first time. Default: `beginning`.
    #[serde(default)]
    pub start: Start,
    /// Joins lines into records. Default: a line is a record.
    #[serde(default, deserialize_with = "parts::multiline")]
    pub multiline: Option<Multiline>,
    /// How long a file that was renamed or deleted must be quiet before it is left. Default: 5 s; 0 s to 1 h.
    #[serde(default = "rotate_wait", deserialize_with = "parts::duration_between::<_, 0, 3_600_000>")]
    #[schemars(with = "String")]
    pub rotate_wait: Duration,
    /// How often to look for new files and more data. Default: 250 ms; 10 ms to 1 m.
    #[serde(default = "poll", deserialize_with = "parts::duration_between::<_, 10, 60_000>")]
    #[schemars(with = "String")]
    pub poll: Duration,
    /// Files held open at a time, at most. Default: 256; 1 to 65,536.
    #[serde(default = "open_files", deserialize_with = "parts::whole_between::<_, 1, 65_536>")]
    #[schemars(range(min = 1, max = 65_536))]
    pub open_files: u32,
    /// What to do when the file with the positions is damaged. Default: `beginning`.
    #[serde(default)]
    pub on_damaged_checkpoint: OnDamagedCheckpoint,
}

/// Where to begin with files that are there when the source runs for the first time. Files that appear later are read from
/// their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the beginning of each.
    #[default]
    Beginning,
    /// At the end of each, so that only what is written from then on is read.
    End,
}

/// What to do when the file with the positions is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDamagedCheckpoint {
    /// Read every file from its beginning: repeats records, loses none.
    #[default]
    Beginning,
    /// Go to the end of every file: repeats none, loses what was not read.
    End,
    /// Do not start.
    Stop,
}

/// Joins lines into records. Either `start` or `continues` says where a record begins.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Multiline {
    /// A regular expression: a line that it matches begins a record.
    #[serde(default, deserialize_with = "parts::pattern_option")]
    #[schemars(with = "Option<String>")]
    pub start: Option<Text>,
    /// A regular expression: a line that it matches goes on with the record before it; any other begins one.
    #[serde(default, deserialize_with = "parts::pattern_option")]
    #[schemars(with = "Option<String>")]
    pub continues: Option<Text>,
    /// How long to wait for more lines of a record. Default: 1 s; 10 ms to 1 h.
    #[serde(default = "wait", deserialize_with = "parts::duration_between::<_, 10, 3_600_000>")]
    #[schemars(with = "String")]
    pub wait: Duration,
    /// Most lines of a record; what follows them begins another. Default: 1,000; 1 to 100,000.
    #[serde(default = "max_lines", deserialize_with = "parts::whole_between::<_, 1, 100_000>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_lines: u32,
}

/// Reads standard input.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct StdinSource {
    /// How bytes become records. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest record; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Makes gateway records, to try things out.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct DemoSource {
    /// Records a second, or `unlimited`. Default: 10.
    #[serde(default)]
    pub rate: Rate,
    /// How many records to make before the source ends. Default: it does not end.
    #[serde(default)]
    pub count: Option<u64>,
    /// Seed of the random numbers: the same seed makes the same records. Default: 1.
    #[serde(default = "seed")]
    pub seed: u64,
}

/// Records a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As many as can be taken.
    Unlimited,
    /// So many records a second, at least 1.
    PerSecond(u64),
}

impl Default for Rate {
    fn default() -> Self {
        Rate::PerSecond(10)
    }
}

fn max_record() -> Bytes {
    Bytes::mebi(1)
}

fn rotate_wait() -> Duration {
    Duration::from_secs(5)
}

fn poll() -> Duration {
    Duration::from_millis(250)
}

fn open_files() -> u32 {
    256
}

fn wait() -> Duration {
    Duration::from_secs(1)
}

fn max_lines() -> u32 {
    1_000
}

fn seed() -> u64 {
    1
}
