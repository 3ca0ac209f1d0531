//! What runs in the sandbox, what it may see and what it may use.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{Bytes, Reference};
use crate::reader::parts;
use crate::{Located, Text};

/// A plugin: a WebAssembly component, what it may see and what it may use.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Plugin {
    /// The component: a path relative to the folder of this file, or `oci://registry/team/name:tag@sha256:…` in a registry.
    #[serde(deserialize_with = "parts::component")]
    #[schemars(with = "String")]
    pub component: Located<Text>,
    /// `component`, resolved against the folder of the file that names it.
    #[serde(skip)]
    pub component_path: PathBuf,
    /// `component`, where it lies in a registry; `component_path` is then of no use.
    #[serde(skip)]
    pub reference: Option<Reference>,
    /// What `${…}` filled into `config`: it is never shown, whoever says it.
    #[serde(skip)]
    pub filled: Vec<std::sync::Arc<str>>,
    /// Which setup this is: see [`crate::Setup::fingerprint`].
    #[serde(skip)]
    pub setup: std::sync::Arc<str>,
    /// A copy of the component that an earlier generation ran, which is then read in its place; its signature lies beside it.
    #[serde(skip)]
    pub kept: Option<PathBuf>,
    /// What the plugin may read and write. Default: nothing.
    #[serde(default)]
    pub grant: Grant,
    /// What the plugin may use.
    #[serde(default)]
    pub limits: PluginLimits,
    /// What becomes of a record that the plugin fails on. Default: `dead_letter`.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The plugin's own configuration, handed to it as JSON. Default: `{}`.
    #[serde(default = "parts::empty_object", deserialize_with = "parts::json")]
    pub config: serde_json::Value,
}

impl fmt::Debug for Plugin {
    // The configuration may hold keys of redactors: it is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("component", &self.component)
            .field("grant", &self.grant)
            .field("limits", &self.limits)
            .field("on_failure", &self.on_failure)
            .field("config", &format_args!("(not shown)"))
            .finish_non_exhaustive()
    }
}

/// What a plugin may do. Nothing is granted that is not written here.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Grant {
    /// Fields that the plugin sees. Default: none.
    #[serde(deserialize_with = "parts::paths")]
    #[schemars(with = "Vec<String>")]
    pub read: Vec<Located<Path>>,
    /// Fields that the plugin may set, change or remove. Default: none.
    #[serde(deserialize_with = "parts::paths")]
    #[schemars(with = "Vec<String>")]
    pub write: Vec<Located<Path>>,
    /// Whether the plugin may drop records. Default: true.
    pub drop: bool,
    /// The outputs that the plugin may send records to. Default: any.
    #[serde(deserialize_with = "parts::names_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub outputs: Option<Vec<Located<String>>>,
}

impl Default for Grant {
    fn default() -> Self {
        Self { read: Vec::new(), write: Vec::new(), drop: true, outputs: None }
    }
}

/// What an instance of a plugin may use. There is one instance a lane and step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PluginLimits {
    /// Memory of an instance. Default: 64 MiB; 64 KiB to 4 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 4_294_967_296>")]
    pub memory: Bytes,
    /// Time for a batch. Default: 100 ms; 1 ms to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 1, 3_600_000>")]
    #[schemars(with = "String")]
    pub deadline: Duration,
    /// Time for starting: reading the configuration and declaring fields. Default: 5 s; 1 ms to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 1, 3_600_000>")]
    #[schemars(with = "String")]
    pub init_deadline: Duration,
    /// Elements of the instance's tables (indirect functions). Default: 10,000; 1 to 1,000,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub table_elements: u32,
    /// What the host allocates for values that a call hands over. Default: 8 MiB; 64 KiB to 1 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 1_073_741_824>")]
    pub host_call_bytes: Bytes,
    /// Log lines a second; more are counted and left out. Default: 100; 0 to 100,000.
    #[serde(deserialize_with = "parts::whole_between::<_, 0, 100_000>")]
    #[schemars(range(min = 0, max = 100_000))]
    pub log_lines: u32,
    /// Size of the component's file. Default: 64 MiB; 1 KiB to 1 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 1_024, 1_073_741_824>")]
    pub component: Bytes,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: Bytes::mebi(64),
            deadline: Duration::from_millis(100),
            init_deadline: Duration::from_secs(5),
            table_elements: 10_000,
            host_call_bytes: Bytes::mebi(8),
            log_lines: 100,
            component: Bytes::mebi(64),
        }
    }
}

/// What becomes of a record that a step fails on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Kept among the dead letters, with the reason.
    #[default]
    DeadLetter,
    /// Dropped and counted.
    Drop,
    /// Passed on as it was before the step.
    Pass,
    /// Passed on without the fields that the step may write: for redactors.
    Blank,
    /// The host stops.
    Halt,
}
