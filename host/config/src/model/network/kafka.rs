//! `kafka`: records from topics, and to topics.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{
    ClientTls, SinkBatch, client_tls_option, field_name_option, field_template, field_template_option, in_flight, max_record,
    names_required, timeout,
};
use crate::model::{Buffer, Bytes, Codec, Retry};
use crate::reader::parts;
use crate::{Located, Text};

/// Takes records from Kafka's topics as a member of a consumer group. Offsets are committed up to what is delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct KafkaSource {
    /// Brokers to ask first, `host:port`, at least one.
    #[serde(deserialize_with = "names_required")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 64))]
    pub brokers: Vec<Text>,
    /// Topics, at least one; one that begins with `^` is a regular expression.
    #[serde(deserialize_with = "names_required")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 64))]
    pub topics: Vec<Text>,
    /// The consumer group. Hosts that name the same group share the partitions.
    #[schemars(with = "String")]
    pub group: Text,
    /// A name of this member that lasts: a restart within `session_timeout` keeps its partitions. Each host needs another. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub instance: Option<Text>,
    /// Where to begin with partitions for which the group has no offset. Default: `earliest`.
    #[serde(default)]
    pub start: KafkaStart,
    /// How partitions are shared out; all members of a group must agree. Default: `range`.
    #[serde(default)]
    pub assignment: KafkaAssignment,
    /// How a message's value becomes a record. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest value; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// A field that gets the message's topic, partition, offset, time, key and headers as an object. Default: none.
    #[serde(default, deserialize_with = "field_name_option")]
    #[schemars(with = "Option<String>")]
    pub metadata: Option<Text>,
    /// Bytes of values that may wait to be delivered or spooled; beyond it partitions are paused. Default: 32 MiB; 64 KiB to 4 GiB.
    #[serde(default = "in_flight", deserialize_with = "parts::bytes_between::<_, 65_536, 4_294_967_296>")]
    pub in_flight: Bytes,
    /// After how long without a sign of life the group gives this member's partitions to others. Default: 45 s; 1 s to 1 h.
    #[serde(default = "session_timeout", deserialize_with = "parts::duration_between::<_, 1_000, 3_600_000>")]
    #[schemars(with = "String")]
    pub session_timeout: Duration,
    /// How long a partition that goes to another member waits for what is under way, so that it is not delivered twice. Default: 10 s;
    /// 0 s to 5 m.
    #[serde(default = "revoke_timeout", deserialize_with = "parts::duration_between::<_, 0, 300_000>")]
    #[schemars(with = "String")]
    pub revoke_timeout: Duration,
    /// TLS; `{}` for TLS that trusts the system's authorities. Default: none.
    #[serde(default, deserialize_with = "client_tls_option")]
    pub tls: Option<ClientTls>,
    /// A user and a password. Default: none.
    #[serde(default)]
    pub sasl: Option<KafkaSasl>,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Where to begin with partitions for which the group has no offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaStart {
    /// At the first message that is kept.
    #[default]
    Earliest,
    /// Behind the last message: only what is written from then on.
    Latest,
}

/// How partitions are shared out among the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaAssignment {
    /// Neighbouring partitions of a topic to the same member.
    #[default]
    Range,
    /// One after the other.
    RoundRobin,
    /// A change moves as few partitions as possible, and the others go on meanwhile.
    CooperativeSticky,
}

/// A user and a password (SASL).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct KafkaSasl {
    /// How they are shown. Default: `scram_sha_512`.
    #[serde(default)]
    pub mechanism: KafkaMechanism,
    /// The user.
    #[schemars(with = "String")]
    pub user: Text,
    /// The password.
    #[schemars(with = "String")]
    pub password: Text,
}

/// How a user and a password are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaMechanism {
    /// As they are: with TLS only.
    Plain,
    /// SCRAM with SHA-256.
    #[serde(rename = "scram_sha_256", alias = "scram_sha256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[default]
    #[serde(rename = "scram_sha_512", alias = "scram_sha512")]
    ScramSha512,
}

/// Sends records to Kafka's topics. A record is delivered when all replicas in sync have it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct KafkaSink {
    /// Brokers to ask first, `host:port`, at least one.
    #[serde(deserialize_with = "names_required")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 64))]
    pub brokers: Vec<Text>,
    /// The topic; `%{field}` stands for a field's value, a percent sign is written `%%`.
    #[serde(deserialize_with = "field_template")]
    #[schemars(with = "String")]
    pub topic: Text,
    /// The key, such as `%{tenant}`: records of the same key go to the same partition. Default: none.
    #[serde(default, deserialize_with = "field_template_option")]
    #[schemars(with = "Option<String>")]
    pub key: Option<Text>,
    /// Header names and values that each message gets. Default: none.
    #[serde(default, deserialize_with = "parts::headers")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Text>,
    /// How messages are packed. Default: `none`.
    #[serde(default)]
    pub compression: KafkaCompression,
    /// Whether brokers drop what the producer repeats (`enable.idempotence`). Without it one request at a time is under way to a broker,
    /// so that the order stays, and what is tried again may come twice: for brokers that do not know it, or do not allow it. Default: true.
    #[serde(default = "yes")]
    pub idempotence: bool,
    /// The largest message; a larger one is a dead letter. Default: 1,000,000 bytes; 1 KiB to 64 MiB.
    #[serde(default = "max_message", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_message: Bytes,
    /// How long a record may take until brokers confirm it; then it is tried again. Default: 30 s; 1 s to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 1_000, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// TLS; `{}` for TLS that trusts the system's authorities. Default: none.
    #[serde(default, deserialize_with = "client_tls_option")]
    pub tls: Option<ClientTls>,
    /// A user and a password. Default: none.
    #[serde(default)]
    pub sasl: Option<KafkaSasl>,
    /// How many records are handed over together.
    #[serde(default)]
    pub batch: SinkBatch,
    /// Batches at the same time. With more than one, records of a key may arrive out of their order. Default: 1; 1 to 64.
    #[serde(default = "one", deserialize_with = "parts::whole_between::<_, 1, 64>")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// Whether the host starts, and a reload takes over, only when a broker tells of its topics within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a delivery that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// How messages are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KafkaCompression {
    /// Not at all.
    #[default]
    None,
    /// gzip
    Gzip,
    /// Snappy
    Snappy,
    /// LZ4
    Lz4,
    /// zstd
    Zstd,
}

impl KafkaCompression {
    /// Its name in Kafka.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

fn max_message() -> Bytes {
    Bytes(1_000_000)
}

fn session_timeout() -> Duration {
    Duration::from_secs(45)
}

fn revoke_timeout() -> Duration {
    Duration::from_secs(10)
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}
