//! `loki`: records into Grafana Loki.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{ClientAuth, ClientTls, Concurrency, SinkBatch, client_auth, client_tls, timeout};
use crate::Text;
use crate::model::template::Template;
use crate::model::{Buffer, Retry};
use crate::reader::parts;

/// Labels that a sink may give; Loki's own limit is 15 by default.
const LABELS_MAX: usize = 30;

/// Sends records to Loki's push API, as lines of streams that their labels name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct LokiSink {
    /// Where to, such as `http://loki:3100`; without a path, `/loki/api/v1/push` is added.
    #[serde(deserialize_with = "parts::url")]
    #[schemars(with = "String")]
    pub url: Text,
    /// The labels, such as `{ service: gateway, team: '%{team}' }`; 1 to 30. A label whose field is missing or empty is left out.
    #[serde(deserialize_with = "labels_required")]
    pub labels: BTreeMap<String, Template>,
    /// Structured metadata of each line, such as `{ trace_id: '%{trace_id}' }`; 30 at most. Default: none.
    #[serde(default, deserialize_with = "labels")]
    pub metadata: BTreeMap<String, Template>,
    /// The field whose text is the line. Default: `.`, the whole record as JSON.
    #[serde(default, deserialize_with = "super::field_path")]
    #[schemars(with = "String")]
    pub line: Path,
    /// The field with the record's time (RFC 3339, or a number of seconds, milli-, micro- or nanoseconds). Without it, the time of sending. Default: `@timestamp`.
    #[serde(default = "time_field", deserialize_with = "super::field_path")]
    #[schemars(with = "String")]
    pub time_field: Path,
    /// The tenant, sent as `X-Scope-OrgID`. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub tenant: Option<Text>,
    /// Different sets of labels within an hour; beyond it, labels made from fields become `overflow`, so that a field with many values
    /// cannot hurt the store. Default: 1,000; 1 to 100,000.
    #[serde(default = "streams", deserialize_with = "parts::whole_between::<_, 1, 100_000>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub streams: u32,
    /// How requests are written. Default: `protobuf`, packed with snappy.
    #[serde(default)]
    pub format: LokiFormat,
    /// What it is let in with. Default: nothing.
    #[serde(default, deserialize_with = "client_auth")]
    pub auth: ClientAuth,
    /// Whom it trusts with `https`, and what it shows.
    #[serde(default, deserialize_with = "client_tls")]
    pub tls: ClientTls,
    /// How many records go in a request.
    #[serde(default)]
    pub batch: SinkBatch,
    /// How long a request may take, from the connection to the end of the answer. Default: 30 s; 100 ms to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Requests at the same time. With more than one, lines of a stream may arrive out of their order. `adaptive`: as many as the
    /// server takes, 32 at most. Default: 1; 1 to 64.
    #[serde(default = "concurrency")]
    pub concurrency: Concurrency,
    /// Whether the host starts, and a reload takes over, only when it answers `GET /ready` within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a request that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// How requests to Loki are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LokiFormat {
    /// Protobuf, packed with snappy.
    #[default]
    Protobuf,
    /// JSON, packed with gzip.
    Json,
}

fn labels_required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Template>, D::Error> {
    let labels = labels(deserializer)?;
    match labels.is_empty() {
        false => Ok(labels),
        true => Err(parts::bad_value("there is no label", "Loki needs one at least, such as `{ service: gateway }`")),
    }
}

fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Template>, D::Error> {
    let labels = Option::<BTreeMap<String, Template>>::deserialize(deserializer)?.unwrap_or_default();
    let is_name = |name: &String| {
        let mut bytes = name.bytes();
        name.len() <= 128
            && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match labels.len() {
        0..=LABELS_MAX if labels.keys().all(is_name) => Ok(labels),
        0..=LABELS_MAX => Err(parts::bad_value("not the name of a label", "letters, digits and `_`, 128 at most, no digit first")),
        _ => Err(parts::bad_value("there are more than 30 labels", "Loki takes 15 by default; put the others into `metadata`")),
    }
}

fn time_field() -> Path {
    Path::from_segments(vec![tamis_record::Segment::Key("@timestamp".into())])
}

fn streams() -> u32 {
    1_000
}

fn concurrency() -> Concurrency {
    Concurrency::Fixed(1)
}
