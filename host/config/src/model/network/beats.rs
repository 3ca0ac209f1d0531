//! `beats`: the Lumberjack protocol of Filebeat and its kin.

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{ServerLimits, ServerTls, max_record};
use crate::model::Bytes;
use crate::reader::{codecs, parts};
use crate::{Located, Text};

/// Takes events of the Lumberjack protocol, versions 2 and 1. A window is acknowledged when all its events are delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct BeatsSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// The longest event; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The field that the sender's address is kept in. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub peer_field: Option<String>,
    /// TLS. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Limits; `ack_timeout` does not count, for clients are kept waiting with signs of life.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}
