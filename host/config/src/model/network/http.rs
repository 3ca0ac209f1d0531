//! `http`: records in requests, both ways.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{
    ClientAuth, ClientTls, Concurrency, ServerAuth, ServerLimits, ServerTls, SinkBatch, client_auth, client_tls, concurrency, max_record,
    one_authorization, timeout,
};
use crate::model::{Buffer, Bytes, Codec, Retry};
use crate::reader::parts;
use crate::{Located, Text};

/// Takes records from requests: JSON, lines of JSON, or lines of any codec. A request is answered with 200 when all its records are
/// delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct HttpSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// The path that requests must have. Default: any.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub path: Option<Text>,
    /// How lines become records; with `json`, a body of `application/json` is a record or an array of them. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest record; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// TLS. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Who may send. Default: whoever reaches it.
    #[serde(default)]
    pub auth: ServerAuth,
    /// Limits.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Sends records to a web server, a batch a request. A batch is delivered when the answer is 2xx and complete.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct HttpSink {
    /// Where to, such as `http://host:8080/path` or `https://host/path`.
    #[serde(deserialize_with = "parts::url")]
    #[schemars(with = "String")]
    pub url: Text,
    /// The method of a request. Default: `POST`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Header names and values, such as `{ Authorization: "${file:/run/secrets/token}" }`. Default: none.
    #[serde(default, deserialize_with = "parts::headers")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Text>,
    /// What it is let in with. Default: nothing.
    #[serde(default, deserialize_with = "client_auth")]
    pub auth: ClientAuth,
    /// Whom it trusts with `https`, and what it shows.
    #[serde(default, deserialize_with = "client_tls")]
    pub tls: ClientTls,
    /// How many records go in a request.
    #[serde(default)]
    pub batch: SinkBatch,
    /// How records stand in a request. Default: `ndjson`, one a line.
    #[serde(default)]
    pub format: HttpFormat,
    /// How a request is packed. Default: `none`.
    #[serde(default)]
    pub compression: HttpCompression,
    /// How long a request may take, from the connection to the end of the answer. Default: 30 s; 100 ms to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Requests at the same time. With more than one, batches may arrive out of their order. `adaptive`: as many as the
    /// server takes, 32 at most. Default: 4; 1 to 64.
    #[serde(default = "concurrency")]
    pub concurrency: Concurrency,
    /// Whether the host starts, and a reload takes over, only when it answers a `HEAD` request within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a request that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// An `http` sink whose options go together.
pub(crate) fn http_sink<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HttpSink, D::Error> {
    let sink = HttpSink::deserialize(deserializer)?;
    one_authorization(&sink.headers, &sink.auth).map(|()| sink)
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum HttpMethod {
    /// POST
    #[default]
    #[serde(rename = "POST")]
    Post,
    /// PUT
    #[serde(rename = "PUT")]
    Put,
}

/// How records stand in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpFormat {
    /// One record a line, `application/x-ndjson`.
    #[default]
    Ndjson,
    /// An array of records, `application/json`.
    Json,
}

/// How a request is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpCompression {
    /// Not at all.
    #[default]
    None,
    /// `Content-Encoding: gzip`.
    Gzip,
    /// `Content-Encoding: zstd`.
    Zstd,
}
