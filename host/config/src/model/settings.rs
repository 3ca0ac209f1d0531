//! What holds for the host as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{AdminToken, Bytes};
use crate::reader::parts;
use crate::{Located, Text};

/// What holds for the host as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// Where the host keeps what must outlive it, relative to the working directory. Default: `./data`.
    #[serde(deserialize_with = "parts::file_path")]
    #[schemars(with = "String")]
    pub data_dir: Text,
    /// Threads that take records through the steps: `auto` (one a core) or 1 to 64. Default: `auto`.
    pub lanes: Lanes,
    /// Where the admin API listens: `host:port`, `unix:/path`, or `off`. Default: `127.0.0.1:9480`.
    #[schemars(with = "Admin")]
    pub admin: Located<Admin>,
    /// Who may use the admin API, by name. Without any, whoever reaches it may, and it listens on loopback addresses and sockets
    /// only. Default: none; 64 at most.
    #[serde(deserialize_with = "parts::admin_tokens")]
    #[schemars(extend("propertyNames" = { "pattern": crate::schema::NAME }, "maxProperties" = 64))]
    pub admin_tokens: BTreeMap<String, AdminToken>,
    /// How long a stop waits for records to be delivered. Default: 30 s; 0 s to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 0, 3_600_000>")]
    #[schemars(with = "String")]
    pub shutdown_timeout: Duration,
    /// How often sources write down how far they were read. After a crash, what was delivered since is read again. Default: 1 s;
    /// 10 ms to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 10, 3_600_000>")]
    #[schemars(with = "String")]
    pub checkpoint_interval: Duration,
    /// How many records travel together.
    pub batch: BatchSettings,
    /// Deepest nesting of a record; a deeper one is a dead letter. Default: 1,024; 1 to 100,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 100_000>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub json_depth: u32,
    /// What those may see who look at live records.
    pub tap: TapSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: Text::from("./data"),
            lanes: Lanes::Auto,
            admin: Located::nowhere(Admin::default()),
            admin_tokens: BTreeMap::new(),
            shutdown_timeout: Duration::from_secs(30),
            checkpoint_interval: Duration::from_secs(1),
            batch: BatchSettings::default(),
            json_depth: 1_024,
            tap: TapSettings::default(),
        }
    }
}

/// What those may see who look at live records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TapSettings {
    /// Fields that are shown as `[hidden]`. Default: none; 256 at most.
    #[serde(deserialize_with = "parts::hidden_paths")]
    #[schemars(with = "Vec<String>", length(max = 256))]
    pub hide: Vec<Path>,
    /// The most records a second that one viewer may ask for. Default: 100; 1 to 1,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 1_000>")]
    #[schemars(range(min = 1, max = 1_000))]
    pub rate_max: u32,
}

impl Default for TapSettings {
    fn default() -> Self {
        Self { hide: Vec::new(), rate_max: 100 }
    }
}

/// How many records travel together; whichever is reached first closes a batch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BatchSettings {
    /// Records of a batch. Default: 1,024; 1 to 65,536.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 65_536>")]
    #[schemars(range(min = 1, max = 65_536))]
    pub records: u32,
    /// Bytes of a batch. Default: 1 MiB; 64 KiB to 16 MiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 16_777_216>")]
    pub bytes: Bytes,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { records: 1_024, bytes: Bytes::mebi(1) }
    }
}

/// Threads that take records through the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lanes {
    /// One a core.
    #[default]
    Auto,
    /// So many, 1 to 64.
    Count(u32),
}

/// Where the admin API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// Nowhere.
    Off,
    /// On `host:port`.
    Address(Text),
    /// On the Unix socket of this path.
    Unix(Text),
}

impl Default for Admin {
    fn default() -> Self {
        Admin::Address(Text::from("127.0.0.1:9480"))
    }
}
