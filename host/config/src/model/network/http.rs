//! `http`: records from requests.

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{ServerAuth, ServerLimits, ServerTls};
use crate::model::{Bytes, Codec};
use crate::reader::parts;
use crate::{Located, Text};

/// Takes records from requests: JSON, lines of JSON, or lines of any codec. A request is answered with 200 when all its records are
/// delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct HttpSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Text,
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

fn max_record() -> Bytes {
    Bytes::mebi(1)
}
