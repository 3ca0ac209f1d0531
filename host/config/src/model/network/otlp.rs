//! `otlp`: log records of OpenTelemetry's protocol, both ways.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{
    ClientAuth, ClientTls, Concurrency, HttpCompression, ServerAuth, ServerLimits, ServerTls, SinkBatch, client_auth, client_tls,
    concurrency, max_record, one_authorization, timeout,
};
use crate::model::{Buffer, Bytes, Retry};
use crate::reader::parts;
use crate::{Located, Text};

/// The ports that the protocol has by default.
const GRPC: &str = "127.0.0.1:4317";
const HTTP: &str = "127.0.0.1:4318";

/// Takes log records of OpenTelemetry's protocol (OTLP 1.x), by gRPC and by HTTP. A request is answered with success when all its
/// records are delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct OtlpSource {
    /// Where to listen for gRPC, `host:port`. Default: not at all, or `127.0.0.1:4317` where `http` is not given either.
    #[serde(default, deserialize_with = "listen_option")]
    #[schemars(with = "Option<String>")]
    pub grpc: Option<Located<Text>>,
    /// Where to listen for HTTP, `host:port`; records are taken at `/v1/logs`. Default: not at all, or `127.0.0.1:4318` where `grpc` is
    /// not given either.
    #[serde(default, deserialize_with = "listen_option")]
    #[schemars(with = "Option<String>")]
    pub http: Option<Located<Text>>,
    /// Whether a body that is the text of a JSON object becomes that object. Default: false.
    #[serde(default)]
    pub json_body: bool,
    /// The longest record, as it comes and as JSON with its resource; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// TLS, at both addresses. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Who may send. Default: whoever reaches it.
    #[serde(default)]
    pub auth: ServerAuth,
    /// Limits, of both addresses together.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

impl OtlpSource {
    /// Where it listens for gRPC and for HTTP.
    pub fn addresses(&self) -> (Option<Located<Text>>, Option<Located<Text>>) {
        match (&self.grpc, &self.http) {
            (None, None) => (Some(Located::nowhere(Text::from(GRPC))), Some(Located::nowhere(Text::from(HTTP)))),
            (grpc, http) => (grpc.clone(), http.clone()),
        }
    }
}

/// Sends log records by OpenTelemetry's protocol (OTLP 1.x), a batch a request.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct OtlpSink {
    /// Where to, such as `http://collector:4318` or, with gRPC, `https://collector:4317`. For HTTP, `/v1/logs` is added where the
    /// address has no path.
    #[serde(deserialize_with = "parts::url")]
    #[schemars(with = "String")]
    pub endpoint: Text,
    /// How. Default: `http/protobuf`.
    #[serde(default)]
    pub protocol: OtlpProtocol,
    /// How a record becomes a log record. Default: `otlp`.
    #[serde(default)]
    pub layout: OtlpLayout,
    /// Fields that hold what a log record has a place for; they count before those of the layout.
    #[serde(default)]
    pub fields: OtlpFields,
    /// Attributes that the resource of every record has, unless the record brings its own, such as `{ service.name: gateway }`.
    /// Default: none.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub resource: BTreeMap<String, Text>,
    /// Attributes of a record that belong to its resource. Default: with the layout `data_model` those of services, deployments, hosts
    /// and regions, with the others none.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub resource_attributes: Option<Vec<Text>>,
    /// Names and values of headers, or of gRPC's metadata. Default: none.
    #[serde(default, deserialize_with = "parts::headers")]
    #[schemars(with = "BTreeMap<String, String>")]
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
    /// Whether the host starts, and a reload takes over, only when it takes an export without records within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a request that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// An `otlp` sink whose options go together.
pub(crate) fn otlp_sink<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OtlpSink, D::Error> {
    let sink = OtlpSink::deserialize(deserializer)?;
    one_authorization(&sink.headers, &sink.auth).map(|()| sink)
}

/// How requests travel; the names are those of `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum OtlpProtocol {
    /// gRPC.
    #[serde(rename = "grpc")]
    Grpc,
    /// Protobuf in HTTP requests.
    #[default]
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    /// JSON in HTTP requests.
    #[serde(rename = "http/json")]
    HttpJson,
}

/// How a record becomes a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtlpLayout {
    /// As the source `otlp` makes records; whatever else a record holds becomes attributes.
    #[default]
    Otlp,
    /// By the names of OpenTelemetry's log data model (`Timestamp`, `Body`, `SeverityText` …), as the plugin `otel` writes them;
    /// whatever else a record holds becomes attributes, objects by names with dots.
    DataModel,
    /// The whole record is the body. With `fields.body`, that field is, and whatever else the record holds becomes attributes, objects by
    /// names with dots.
    Whole,
}

/// Fields that hold what a log record has a place for.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OtlpFields {
    /// When it happened: a time as RFC 3339 writes it, or seconds, milliseconds, microseconds or nanoseconds since 1970. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Path>,
    /// The severity: a text such as `WARN`, or a number from 1 to 24. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub severity: Option<Path>,
    /// The body. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub body: Option<Path>,
    /// The trace, 32 hexadecimal digits. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub trace_id: Option<Path>,
    /// The span, 16 hexadecimal digits. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub span_id: Option<Path>,
    /// The name of the event. Default: none.
    #[serde(deserialize_with = "parts::path_option")]
    #[schemars(with = "Option<String>")]
    pub event_name: Option<Path>,
}

fn listen_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Located<Text>>, D::Error> {
    parts::optional::<D, Address>(deserializer)
}

parts::reads!(Address(Located<Text>), super::listen);
