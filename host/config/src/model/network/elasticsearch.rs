//! `elasticsearch`: what clients of Elasticsearch and OpenSearch send, and records into these stores.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{
    ClientAuth, ClientTls, Concurrency, HttpCompression, ServerAuth, ServerLimits, ServerTls, SinkBatch, client_auth, client_tls,
    concurrency, max_record, timeout,
};
use crate::model::path_template::PathPiece;
use crate::model::template::Template;
use crate::model::{Buffer, Bytes, Retry};
use crate::reader::parts;
use crate::{Located, Text};

/// Bytes of an index's name, as these stores bound it.
const INDEX_BYTES_MAX: usize = 255;

/// Takes records from clients of Elasticsearch or OpenSearch: `_bulk`, `_doc` and `_create`. A request is answered when all its records
/// are delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct ElasticsearchSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// The version that clients are told. Default: `8.19.0`.
    #[serde(default = "version", deserialize_with = "version_number")]
    #[schemars(with = "String")]
    pub version: Text,
    /// The field that gets the name of the index, `off` for none. Default: `_index`.
    #[serde(default = "index_field", deserialize_with = "field_or_off")]
    #[schemars(with = "String")]
    pub index_field: Option<String>,
    /// The field that gets the document's identifier, the client's or a new one, `off` for none. Default: `_id`.
    #[serde(default = "id_field", deserialize_with = "field_or_off")]
    #[schemars(with = "String")]
    pub id_field: Option<String>,
    /// What clients that set up templates, policies and pipelines are told. Default: `accept`.
    #[serde(default)]
    pub setup: SetupRequests,
    /// The longest record; a longer one is refused. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// TLS. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Who may send. A token may be shown as `Bearer` or as `ApiKey`. Default: whoever reaches it.
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

/// What clients that set up templates, policies and pipelines are told. Nothing of it is kept or passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetupRequests {
    /// That it is done, so that they go on.
    #[default]
    Accept,
    /// That it is not allowed: 403.
    Refuse,
}

/// Sends records to Elasticsearch or OpenSearch with `_bulk`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct ElasticsearchSink {
    /// Addresses of nodes of one cluster, such as `https://es-1:9200`, taken in turn; 1 to 16.
    #[serde(deserialize_with = "urls")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 16))]
    pub urls: Vec<Text>,
    /// The index or data stream: `%{field}` stands for a field's value and `%Y %m %d %H %M %S` for the record's time (UTC). A record that
    /// makes no sound name is a dead letter.
    #[serde(deserialize_with = "index")]
    #[schemars(with = "Template")]
    pub index: Template,
    /// Whether documents are put at their identifier (`index`) or added (`create`); data streams take the latter alone.
    /// Default: `index`.
    #[serde(default)]
    pub action: ElasticsearchAction,
    /// The document's identifier: `auto` (made from where the record came from and what it holds, so that a repetition is the same
    /// document), `none` (the store makes one; repetitions come twice), or a text with places such as `%{_id}`; a record without these
    /// fields gets an automatic one. Default: `auto`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub id: ElasticsearchId,
    /// The field with the record's time (RFC 3339, or a number of seconds, milli-, micro- or nanoseconds), for `index`. Without it, the time of sending.
    /// Default: `@timestamp`.
    #[serde(default = "time_field", deserialize_with = "super::field_path")]
    #[schemars(with = "String")]
    pub time_field: Path,
    /// Fields of the record's top that are not sent. Default: `[_index, _id]`.
    #[serde(default = "omitted")]
    pub omit: Vec<String>,
    /// The ingest pipeline of the store. Default: the index's own.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub pipeline: Option<Text>,
    /// What places the document among shards, such as `%{tenant}`. A record without these fields has none. Default: none.
    #[serde(default)]
    pub routing: Option<Template>,
    /// What it is let in with. Default: nothing.
    #[serde(default, deserialize_with = "client_auth")]
    pub auth: ClientAuth,
    /// An API key as the store encodes it, sent as `Authorization: ApiKey …`, in place of `auth`. Default: none.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api_key: Option<Text>,
    /// Whom it trusts with `https`, and what it shows.
    #[serde(default, deserialize_with = "client_tls")]
    pub tls: ClientTls,
    /// How many records go in a request.
    #[serde(default)]
    pub batch: SinkBatch,
    /// How a request is packed; these stores know gzip. Default: `gzip`.
    #[serde(default = "gzip", deserialize_with = "none_or_gzip")]
    pub compression: HttpCompression,
    /// How long a request may take, from the connection to the end of the answer. Default: 30 s; 100 ms to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Requests at the same time. With more than one, batches may arrive out of their order. `adaptive`: as many as the
    /// server takes, 32 at most. Default: 4; 1 to 64.
    #[serde(default = "concurrency")]
    pub concurrency: Concurrency,
    /// Whether the host starts, and a reload takes over, only when one of the addresses answers `GET /` within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a request that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

/// An `elasticsearch` sink whose options go together.
pub(crate) fn elasticsearch_sink<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ElasticsearchSink, D::Error> {
    let sink = ElasticsearchSink::deserialize(deserializer)?;
    match sink.api_key.is_some() && (sink.auth.token.is_some() || sink.auth.user.is_some()) {
        false => Ok(sink),
        true => {
            let what = "an API key together with `auth`: a request shows one of them";
            Err(parts::bad_option(&["api_key"], &["auth"], what, "remove one of the two"))
        }
    }
}

/// What keeps these stores from taking a name for an index; `hidden`: whether it may begin with a dot.
pub fn bad_index(name: &str, hidden: bool) -> Option<&'static str> {
    if name.len() > INDEX_BYTES_MAX {
        Some("is longer than 255 bytes")
    } else if name.starts_with(['-', '_', '+']) {
        Some("begins with `-`, `_` or `+`")
    } else if name.starts_with('.') && !hidden {
        Some("begins with `.`, as the store's own do")
    } else if name == "." || name == ".." {
        Some("is `.` or `..`")
    } else if name.chars().any(|c| c.is_control() || " \"*\\<>|,/?#:".contains(c)) {
        Some("holds a character that no name may have")
    } else if name.chars().any(char::is_uppercase) {
        Some("holds capital letters")
    } else {
        None
    }
}

/// An index: what stands in it whatever the records hold must be what these stores take.
fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    let template = Template::deserialize(deserializer)?;
    let piece = |piece: &PathPiece| match piece {
        PathPiece::Text(text) => text.clone(),
        PathPiece::Time(_) => "00".to_owned(),
        PathPiece::Field(_) => "x".to_owned(),
    };
    let name: String = template.pieces.iter().map(piece).collect();
    match bad_index(&name, name.starts_with('.')) {
        None => Ok(template),
        Some(problem) => Err(parts::bad_value(
            &format!("the name of the index {problem}"),
            "lower-case letters, digits, `-`, `_` and `.`, a letter or digit first, 255 bytes at most",
        )),
    }
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElasticsearchAction {
    /// Put in place of what has its identifier.
    #[default]
    Index,
    /// Added; one with its identifier that is already there stays, and counts as delivered.
    Create,
}

impl ElasticsearchAction {
    /// As `_bulk` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
        }
    }
}

/// Where a document's identifier comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ElasticsearchId {
    /// Made from where the record came from and what it holds.
    #[default]
    Auto,
    /// The store makes it.
    None,
    /// A text that is filled in from the record.
    Template(Template),
}

impl<'de> Deserialize<'de> for ElasticsearchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            text => match Template::parse(text) {
                Ok(template) if template.fields().next().is_some() => Ok(Self::Template(template)),
                Ok(_) => {
                    Err(parts::bad_value("neither `auto`, `none` nor a text with a field", "write `auto`, `none` or such as `%{_id}`"))
                }
                Err(error) => Err(parts::bad_value(&error.what, error.help)),
            },
        }
    }
}

fn version() -> Text {
    Text::from("8.19.0")
}

fn version_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    let numbers =
        text.split('.').filter(|number| !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit())).count();
    match numbers == 3 && text.split('.').count() == 3 {
        true => Ok(text),
        false => Err(parts::bad_value("not a version", "write three numbers, such as `8.19.0`")),
    }
}

fn index_field() -> Option<String> {
    Some("_index".to_owned())
}

fn id_field() -> Option<String> {
    Some("_id".to_owned())
}

fn field_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Text::deserialize(deserializer)?;
    match text.as_str() {
        "off" => Ok(None),
        "" => Err(parts::bad_value("the name of the field is empty", "write a name, or `off`")),
        text if text.len() > 256 => Err(parts::bad_value("the name of the field is longer than 256 bytes", "write a shorter one")),
        text => Ok(Some(text.to_owned())),
    }
}

fn urls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    struct Url(Text);
    impl<'de> Deserialize<'de> for Url {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            parts::url(deserializer).map(Self)
        }
    }
    let all = Vec::<Url>::deserialize(deserializer)?;
    match all.len() {
        1..=16 => Ok(all.into_iter().map(|Url(url)| url).collect()),
        _ => Err(parts::bad_value("not 1 to 16 addresses", "name nodes of one cluster, such as `[http://es-1:9200]`")),
    }
}

fn time_field() -> Path {
    Path::from_segments(vec![tamis_record::Segment::Key("@timestamp".into())])
}

fn omitted() -> Vec<String> {
    vec!["_index".to_owned(), "_id".to_owned()]
}

fn gzip() -> HttpCompression {
    HttpCompression::Gzip
}

fn none_or_gzip<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HttpCompression, D::Error> {
    match HttpCompression::deserialize(deserializer)? {
        HttpCompression::Zstd => Err(parts::bad_value("these stores do not unpack zstd", "take `gzip` or `none`")),
        other => Ok(other),
    }
}
