//! `nats`: records from a JetStream, and to one.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{
    ClientTls, SinkBatch, client_tls_option, field_name_option, field_template, file_path_option, in_flight, max_record, names,
    names_required,
};
use crate::model::{Buffer, Bytes, Codec, Retry};
use crate::reader::parts;
use crate::{Located, Text};

/// Takes records from a JetStream through a durable pull consumer. A message is acknowledged when its record is delivered or spooled.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct NatsSource {
    /// Servers, `nats://host:port`, at least one.
    #[serde(deserialize_with = "names_required")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 64))]
    pub servers: Vec<Text>,
    /// The stream. It must be there.
    #[schemars(with = "String")]
    pub stream: Text,
    /// The durable consumer; it is made when it is missing, and used as it is when it is there. Hosts that name the same one share the
    /// messages.
    #[schemars(with = "String")]
    pub durable: Text,
    /// Subjects of the stream, with `*` and `>`, for a consumer that is made. Default: all.
    #[serde(default, deserialize_with = "names")]
    #[schemars(with = "Vec<String>", length(max = 64))]
    pub subjects: Vec<Text>,
    /// Where a consumer that is made begins. Default: `all`.
    #[serde(default)]
    pub start: NatsStart,
    /// How a message's payload becomes a record. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest payload; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// A field that gets the message's subject, stream, sequence, time, deliveries and headers as an object. Default: none.
    #[serde(default, deserialize_with = "field_name_option")]
    #[schemars(with = "Option<String>")]
    pub metadata: Option<Text>,
    /// Bytes of payloads that may wait to be delivered or spooled; beyond it no more are asked for. Default: 32 MiB; 64 KiB to 4 GiB.
    #[serde(default = "in_flight", deserialize_with = "parts::bytes_between::<_, 65_536, 4_294_967_296>")]
    pub in_flight: Bytes,
    /// Messages that a consumer that is made lets be under way, on all hosts together. Default: 20,000; 1 to 1,000,000.
    #[serde(default = "max_ack_pending", deserialize_with = "parts::whole_between::<_, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_ack_pending: u32,
    /// How long a consumer that is made waits for a sign of life before a message goes to another host. While records wait to be
    /// delivered, the signs are given. Default: 30 s; 1 s to 1 h.
    #[serde(default = "ack_wait", deserialize_with = "parts::duration_between::<_, 1_000, 3_600_000>")]
    #[schemars(with = "String")]
    pub ack_wait: Duration,
    /// Whether the server confirms each acknowledgement: slower, and fewer repeats after a fault. Default: false.
    #[serde(default)]
    pub double_ack: bool,
    /// TLS; `{}` for TLS that trusts the system's authorities. Default: as the servers ask for it.
    #[serde(default, deserialize_with = "client_tls_option")]
    pub tls: Option<ClientTls>,
    /// What it is let in with. Default: nothing.
    #[serde(default, deserialize_with = "nats_auth")]
    pub auth: NatsAuth,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Where a consumer that is made begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatsStart {
    /// At the stream's first message.
    #[default]
    All,
    /// Behind its last: only what comes from then on.
    New,
}

/// What NATS lets somebody in with; at most one of a token, a user with a password, an nkey and a file of credentials.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NatsAuth {
    /// A token. Default: none.
    #[schemars(with = "Option<String>")]
    pub token: Option<Text>,
    /// A user. Needs `password`. Default: none.
    #[schemars(with = "Option<String>")]
    pub user: Option<Text>,
    /// The password of `user`. Default: none.
    #[schemars(with = "Option<String>")]
    pub password: Option<Text>,
    /// An nkey's seed, `SU…`. Default: none.
    #[schemars(with = "Option<String>")]
    pub nkey: Option<Text>,
    /// A file with a JWT and a seed, as `nsc` writes it. Default: none.
    #[serde(deserialize_with = "file_path_option")]
    #[schemars(with = "Option<String>")]
    pub credentials: Option<Text>,
}

/// Sends records to a JetStream. A record is delivered when the stream has confirmed it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct NatsSink {
    /// Servers, `nats://host:port`, at least one.
    #[serde(deserialize_with = "names_required")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 64))]
    pub servers: Vec<Text>,
    /// The subject; `%{field}` stands for a field's value, a percent sign is written `%%`. A stream must take it.
    #[serde(deserialize_with = "field_template")]
    #[schemars(with = "String")]
    pub subject: Text,
    /// Whether messages get a `Nats-Msg-Id` of the record's origin and text, by which the stream drops repeats within its
    /// `duplicate_window`. Default: true.
    #[serde(default = "yes")]
    pub deduplicate: bool,
    /// Header names and values that each message gets. Default: none.
    #[serde(default, deserialize_with = "parts::headers")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Text>,
    /// How long the stream may take to confirm a record; then it is tried again. Default: 10 s; 100 ms to 10 m.
    #[serde(default = "timeout", deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// TLS; `{}` for TLS that trusts the system's authorities. Default: as the servers ask for it.
    #[serde(default, deserialize_with = "client_tls_option")]
    pub tls: Option<ClientTls>,
    /// What it is let in with. Default: nothing.
    #[serde(default, deserialize_with = "nats_auth")]
    pub auth: NatsAuth,
    /// How many records are handed over together.
    #[serde(default)]
    pub batch: SinkBatch,
    /// Batches at the same time. With more than one, batches may arrive out of their order. Default: 1; 1 to 64.
    #[serde(default = "one", deserialize_with = "parts::whole_between::<_, 1, 64>")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// Whether the host starts, and a reload takes over, only when a server takes the connection within `timeout`. Default: false.
    #[serde(default)]
    pub healthcheck: bool,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
    /// How often a delivery that failed for a while is tried again.
    #[serde(default)]
    pub retry: Retry,
}

fn nats_auth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NatsAuth, D::Error> {
    let auth = NatsAuth::deserialize(deserializer)?;
    const HELP: &str = "give one of `token`, `user` with `password`, `nkey` and `credentials`";
    match (&auth.user, &auth.password) {
        (Some(_), None) => return Err(parts::bad_option(&["user"], &[], "there is no `password` with it", HELP)),
        (None, Some(_)) => return Err(parts::bad_option(&["password"], &[], "there is no `user` with it", HELP)),
        _ => {}
    }
    let ways = [
        ("token", auth.token.is_some()),
        ("user", auth.user.is_some()),
        ("nkey", auth.nkey.is_some()),
        ("credentials", auth.credentials.is_some()),
    ];
    let mut given = ways.iter().filter(|(_, given)| *given).map(|(way, _)| *way);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            let what = format!("another way to be let in than `{first}`, which is given, too");
            Err(parts::bad_option(&[second], &[first], &what, HELP))
        }
        _ => Ok(auth),
    }
}

fn max_ack_pending() -> u32 {
    20_000
}

fn ack_wait() -> Duration {
    Duration::from_secs(30)
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
