//! What sources and sinks that speak a network protocol have in common: addresses, TLS, who may send, limits, batches.

mod beats;
mod elasticsearch;
mod fluent;
mod http;
mod kafka;
mod loki;
mod nats;
mod otlp;
mod prometheus;
mod store;
mod syslog;
mod template;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

pub use beats::BeatsSource;
pub(crate) use elasticsearch::elasticsearch_sink;
pub use elasticsearch::{ElasticsearchAction, ElasticsearchId, ElasticsearchSink, ElasticsearchSource, SetupRequests, bad_index};
pub use fluent::{FluentSecurity, FluentSource};
pub(crate) use http::http_sink;
pub use http::{HttpCompression, HttpFormat, HttpMethod, HttpSink, HttpSource};
pub use kafka::{KafkaAssignment, KafkaCompression, KafkaMechanism, KafkaSasl, KafkaSink, KafkaSource, KafkaStart};
pub use loki::{LokiFormat, LokiSink};
pub use nats::{NatsAuth, NatsSink, NatsSource, NatsStart};
pub(crate) use otlp::otlp_sink;
pub use otlp::{OtlpFields, OtlpLayout, OtlpProtocol, OtlpSink, OtlpSource};
pub use prometheus::{PrometheusKind, PrometheusMetric, PrometheusSink};
pub use store::{COLUMNS_MAX, ColumnType, ObjectBatch, ObjectCompression, ObjectFormat, ParquetSink, S3Sink, S3Tls};
pub(crate) use store::{parquet_sink, s3_sink};
pub use syslog::{SyslogLimits, SyslogSource, SyslogTransport};
pub use template::{FieldPiece, FieldTemplate, TEMPLATE_FIELDS_MAX};
pub(crate) use template::{field_template, field_template_option};

use super::Bytes;
use crate::reader::parts;
use crate::{Located, Text};

/// The certificate that a source shows, and whose it wants to see.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct ServerTls {
    /// A file with the certificate chain, PEM.
    #[serde(deserialize_with = "parts::file_path")]
    #[schemars(with = "String")]
    pub certificate: Text,
    /// A file with the private key, PEM.
    #[serde(deserialize_with = "parts::file_path")]
    #[schemars(with = "String")]
    pub key: Text,
    /// A file with the certificates of authorities, PEM: a client must show a certificate that one of them signed. Default: any client.
    #[serde(default, deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub client_ca: Option<Text>,
}

/// Whom a client trusts, and the certificate that it shows.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClientTls {
    /// A file with the certificates of authorities to trust, PEM. Default: those of Mozilla's list, with
    /// `kafka` and `nats` those of the system.
    #[serde(deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub ca: Option<Text>,
    /// A file with the certificate chain to show, PEM. Needs `key`. Default: none.
    #[serde(deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub certificate: Option<Text>,
    /// A file with the private key of `certificate`, PEM. Default: none.
    #[serde(deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub key: Option<Text>,
}

/// What a sink shows to be let in; at most one of the two.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClientAuth {
    /// A token, sent as `Authorization: Bearer …`. Default: none.
    #[schemars(with = "Option<String>")]
    pub token: Option<Text>,
    /// A user, sent as `Authorization: Basic …`. Needs `password`. Default: none.
    #[schemars(with = "Option<String>")]
    pub user: Option<Text>,
    /// The password of `user`. Default: none.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
}

/// Who may send to a source. Without any of them, whoever reaches it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServerAuth {
    /// Tokens of which a request must show one, as `Authorization: Bearer …`. Default: none; 64 at most.
    #[serde(deserialize_with = "secrets")]
    #[schemars(with = "Vec<String>", length(max = 64))]
    pub tokens: Vec<Text>,
    /// Users and their passwords, of which a request must show one pair, as `Authorization: Basic …`. Default: none; 64 at most.
    #[serde(deserialize_with = "users")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub basic: BTreeMap<String, Text>,
    /// A signature over the body that a request must show. Default: none.
    pub hmac: Option<HmacAuth>,
}

impl ServerAuth {
    /// Whether anybody may send.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty() && self.basic.is_empty() && self.hmac.is_none()
    }
}

/// An HMAC (RFC 2104) with SHA-256 over a request's body as it came, in hexadecimal digits, as webhooks send it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct HmacAuth {
    /// The key.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    pub secret: Text,
    /// The header that holds it, with or without `sha256=` in front. Default: `X-Hub-Signature-256`.
    #[serde(default = "signature_header")]
    #[schemars(with = "String")]
    pub header: Text,
}

/// The limits of a source that others connect to.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServerLimits {
    /// Bytes of a request or message as it comes. Default: 10 MiB; 1 KiB to 1 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 1_024, 1_073_741_824>")]
    pub body: Bytes,
    /// Bytes of a request or message once it is unpacked. Default: 32 MiB; 1 KiB to 1 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 1_024, 1_073_741_824>")]
    pub unpacked: Bytes,
    /// Connections at once; further ones are closed. Default: 1,024; 1 to 65,536.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 65_536>")]
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// How long a client may take to send headers, or to shake hands. Default: 5 s; 100 ms to 10 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body. Default: 30 s; 100 ms to 10 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// How long a connection may be idle. Default: 2 m; 1 s to 1 d.
    #[serde(deserialize_with = "parts::duration_between::<_, 1_000, 86_400_000>")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
    /// How long a request waits for its records to be delivered or spooled before it is told to come again. Default: 30 s; 100 ms to 10 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub ack_timeout: Duration,
    /// Bytes of records that may wait to be delivered or spooled, of all clients together; beyond it they are told to come again.
    /// Default: 32 MiB; 64 KiB to 4 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 4_294_967_296>")]
    pub in_flight: Bytes,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            body: Bytes::mebi(10),
            unpacked: Bytes::mebi(32),
            connections: 1_024,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            ack_timeout: Duration::from_secs(30),
            in_flight: Bytes::mebi(32),
        }
    }
}

/// How many records a sink sends together; whichever is reached first closes a batch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SinkBatch {
    /// Records of a batch. Default: 4,096; 1 to 100,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 100_000>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub records: u32,
    /// Bytes of a batch, before it is packed; a single larger record still travels, alone. Default: 4 MiB; 1 KiB to 64 MiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub bytes: Bytes,
    /// How long the first record of a batch waits for company. Default: 50 ms; 0 s to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 0, 3_600_000>")]
    #[schemars(with = "String")]
    pub age: Duration,
}

impl Default for SinkBatch {
    fn default() -> Self {
        Self { records: 4_096, bytes: Bytes::mebi(4), age: Duration::from_millis(50) }
    }
}

/// The longest record of a source, unless it says another.
fn max_record() -> Bytes {
    Bytes::mebi(1)
}

/// What waits behind a source that asks for more, unless it says otherwise.
fn in_flight() -> Bytes {
    Bytes::mebi(32)
}

/// How long a sink's request may take, unless it says otherwise.
fn timeout() -> Duration {
    Duration::from_secs(30)
}

/// A sink's requests at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// So many, 1 to 64.
    Fixed(u32),
    /// As many as the server takes without errors and without answering later, [`ADAPTIVE_MAX`] at most.
    Adaptive,
}

/// The most requests at the same time with `concurrency: adaptive`.
pub const ADAPTIVE_MAX: u32 = 32;

impl Concurrency {
    /// The most requests at the same time.
    pub fn most(self) -> u32 {
        match self {
            Self::Fixed(count) => count,
            Self::Adaptive => ADAPTIVE_MAX,
        }
    }
}

/// A sink's requests at the same time, unless it says otherwise.
fn concurrency() -> Concurrency {
    Concurrency::Fixed(4)
}

/// An address to listen at.
pub(crate) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Located<Text>, D::Error> {
    let text = Located::<Text>::deserialize(deserializer)?;
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        !host.is_empty() && port.parse::<u16>().is_ok()
    });
    match is_address {
        true => Ok(text),
        false => Err(parts::bad_value("not an address to listen at", "write `host:port`, such as `127.0.0.1:8080` or `[::]:8080`")),
    }
}

/// The path of a field.
pub(crate) fn field_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<tamis_record::Path, D::Error> {
    parts::field_path(deserializer)
}

pub(crate) fn file_path_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    parts::optional::<D, FilePath>(deserializer)
}

parts::reads!(FilePath(Text), parts::file_path);
parts::reads!(FieldName(Text), field_name);
parts::reads!(Tls(ClientTls), client_tls);

/// What a client is let in with.
pub(crate) fn client_auth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientAuth, D::Error> {
    let auth = ClientAuth::deserialize(deserializer)?;
    let half = |of, other: &str| {
        let what = format!("there is no `{other}` with it");
        Err(parts::bad_option(&[of], &[], &what, "give `user` and `password`, or `token` alone"))
    };
    match (&auth.token, &auth.user, &auth.password) {
        (None, None, None) | (Some(_), None, None) | (None, Some(_), Some(_)) => Ok(auth),
        (None, Some(_), None) => half("user", "password"),
        (None, None, Some(_)) => half("password", "user"),
        (Some(_), user, _) => {
            let beside = if user.is_some() { "user" } else { "password" };
            let what = format!("a token together with `{beside}`: a request shows one of them");
            Err(parts::bad_option(&["token"], &[beside], &what, "give `token`, or `user` and `password`"))
        }
    }
}

/// Refuses a header that says who one is beside `auth`, which says it too: one of them would not be sent.
pub(crate) fn one_authorization<E: serde::de::Error>(headers: &BTreeMap<String, Text>, auth: &ClientAuth) -> Result<(), E> {
    let Some(name) = headers.keys().find(|name| name.eq_ignore_ascii_case("authorization")) else { return Ok(()) };
    match auth.token.is_some() || auth.user.is_some() {
        false => Ok(()),
        true => Err(parts::bad_option(
            &["headers", name],
            &["auth"],
            "this header is what `auth` sends, and a request has it once",
            "remove one of the two",
        )),
    }
}

/// Whom a client trusts, and what it shows.
pub(crate) fn client_tls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientTls, D::Error> {
    let tls = ClientTls::deserialize(deserializer)?;
    let lonely = |of, other: &str| Err(parts::bad_option(&[of], &[], &format!("there is no `{other}` with it"), "give both, or neither"));
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => lonely("certificate", "key"),
        (None, Some(_)) => lonely("key", "certificate"),
        _ => Ok(tls),
    }
}

/// TLS where it is asked for.
pub(crate) fn client_tls_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ClientTls>, D::Error> {
    parts::optional::<D, Tls>(deserializer)
}

/// Names, 64 at most.
pub(crate) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let all = Vec::<Text>::deserialize(deserializer)?;
    match all.len() <= 64 && all.iter().all(|name| !name.is_empty()) {
        true => Ok(all),
        false => Err(parts::bad_value("more than 64 entries, or an empty one", "give 64 at most, none of them empty")),
    }
}

/// Names, at least one.
pub(crate) fn names_required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    match names(deserializer)? {
        all if all.is_empty() => Err(parts::bad_value("the list is empty", "give at least one")),
        all => Ok(all),
    }
}

/// The name of a field at the top of a record.
pub(crate) fn field_name_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    parts::optional::<D, FieldName>(deserializer)
}

fn field_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    match text.len() {
        1..=128 => Ok(text),
        _ => Err(parts::bad_value("not a field's name", "give a name of 1 to 128 bytes, such as `kafka`")),
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    match text.len() {
        8.. => Ok(text),
        _ => {
            Err(parts::bad_value("the secret has fewer than 8 characters", "take a long random one, such as `openssl rand -hex 32` prints"))
        }
    }
}

struct Secret(Text);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        secret(deserializer).map(Self)
    }
}

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let all = Option::<Vec<Secret>>::deserialize(deserializer)?.unwrap_or_default();
    match all.len() {
        0..=64 => Ok(all.into_iter().map(|Secret(text)| text).collect()),
        _ => Err(parts::bad_value("there are more than 64 tokens", "remove those that nobody uses")),
    }
}

fn users<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Text>, D::Error> {
    let all = Option::<BTreeMap<String, Secret>>::deserialize(deserializer)?.unwrap_or_default();
    match all.len() {
        0..=64 if all.keys().all(|name| !name.is_empty() && !name.contains(':')) => {
            Ok(all.into_iter().map(|(name, Secret(text))| (name, text)).collect())
        }
        0..=64 => Err(parts::bad_value("a user's name is empty or holds a colon", "HTTP's Basic scheme has no way to write it")),
        _ => Err(parts::bad_value("there are more than 64 users", "remove those that nobody uses")),
    }
}

fn signature_header() -> Text {
    Text::from("X-Hub-Signature-256")
}
