//! `fluent`: the forward protocol of Fluentd and Fluent Bit.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{ServerLimits, ServerTls, max_record};
use crate::model::Bytes;
use crate::reader::{codecs, parts};
use crate::{Located, Text};

/// Takes events of the forward protocol, version 1. A message that asks for an acknowledgement gets it when all its events are delivered
/// or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FluentSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// The longest event, as it comes and as JSON; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The field for an event's tag; `null`: it is not kept. Default: `tag`.
    #[serde(default = "tag_field", deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub tag_field: Option<String>,
    /// The field for an event's time, RFC 3339; `null`: it is not kept. Default: `time`.
    #[serde(default = "time_field", deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub time_field: Option<String>,
    /// The field that the sender's address is kept in. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub peer_field: Option<String>,
    /// What clients must show in the handshake. Default: there is no handshake.
    #[serde(default)]
    pub security: Option<FluentSecurity>,
    /// TLS. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Limits.
    #[serde(default)]
    pub limits: ServerLimits,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// What clients of the forward protocol must show before they may send.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FluentSecurity {
    /// The key that both sides know; neither sends it. 8 characters at least.
    #[serde(deserialize_with = "super::secret")]
    #[schemars(with = "String")]
    pub shared_key: Text,
    /// Users and their passwords, one of which a client must know as well. Default: the key is enough; 64 at most.
    #[serde(default, deserialize_with = "super::users")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub users: BTreeMap<String, Text>,
    /// The name that this side gives itself; it must differ from the client's. Default: `tamis`.
    #[serde(default = "hostname", deserialize_with = "host_name")]
    #[schemars(with = "String")]
    pub hostname: Text,
}

fn host_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    match text.len() {
        1..=255 => Ok(text),
        _ => Err(parts::bad_value("a host's name has 1 to 255 characters", "write a name such as `logs.example`")),
    }
}

fn hostname() -> Text {
    Text::from("tamis")
}

fn tag_field() -> Option<String> {
    Some("tag".to_owned())
}

fn time_field() -> Option<String> {
    Some("time".to_owned())
}
