//! Where records go. A new sink is a variant of [`Sink`] and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Buffer, Retry};
use crate::Text;
use crate::reader::parts;

/// A sink for records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
pub enum Sink {
    /// Appends to a file, one record a line.
    File(FileSink),
    /// Writes to standard output, one record a line.
    Stdout(StdoutSink),
    /// Sends records to a web server.
    Http(HttpSink),
    /// Takes records and forgets them.
    Null(NullSink),
}

impl Sink {
    /// The sink's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Sink::File(_) => "file",
            Sink::Stdout(_) => "stdout",
            Sink::Http(_) => "http",
            Sink::Null(_) => "null",
        }
    }

    /// What waits in front of it.
    pub fn buffer(&self) -> Buffer {
        match self {
            Sink::File(sink) => sink.buffer.clone(),
            Sink::Stdout(sink) => sink.buffer.clone(),
            Sink::Http(sink) => sink.buffer.clone(),
            Sink::Null(_) => Buffer::default(),
        }
    }

    /// How often a failed delivery is tried again.
    pub fn retry(&self) -> Retry {
        match self {
            Sink::File(sink) => sink.retry.clone(),
            Sink::Http(sink) => sink.retry.clone(),
            Sink::Stdout(_) | Sink::Null(_) => Retry::default(),
        }
    }
}

/// Appends to a file, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FileSink {
    /// The file, relative to the working directory. It and its folders are made when they are missing.
    #[serde(deserialize_with = "parts::file_path")]
    #[schemars(with = "String")]
    pub path: Text,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a failed write is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// Writes to standard output, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct StdoutSink {
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
}

/// Sends records to a web server, a batch a request. A batch is delivered when the answer is 2xx and complete.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct HttpSink {
    /// Where to, such as `http://host:8080/path`.
    #[serde(deserialize_with = "parts::url")]
    #[schemars(with = "String")]
    pub url: Text,
    /// Default: `POST`.
    #[serde(default)]
    pub method: HttpMethod,
    /// Header names and values, such as `{ Authorization: \"${file:/run/secrets/token}\" }`.
    #[serde(default, deserialize_with = "parts::headers")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Text>,
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
    /// Requests at the same time. With more than one, batches may arrive out of their order. Default: 4; 1 to 64.
    #[serde(default = "concurrency", deserialize_with = "parts::whole_between::<_, 1, 64>")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a request that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
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
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}

fn concurrency() -> u32 {
    4
}

/// Takes records and forgets them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct NullSink {}
