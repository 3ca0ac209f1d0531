//! Which plugins the host may load.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::reader::parts;
use crate::{Located, Text};

/// Which plugins the host may load. What breaks it is refused before anything of the component is compiled.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PluginsPolicy {
    /// Public keys in minisign's format, as text (`RW…`) or as files relative to the folder of this file: every component must be
    /// signed with one of them. Default: no signature is asked for.
    #[serde(deserialize_with = "parts::located_list")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub require_signature: Vec<Located<Text>>,
    /// Patterns, one of which every `component` must match: `oci://registry/team/*`, or a path relative to the folder of this
    /// file, `plugins/*`. `*` ends at a `/`, `**` does not. Default: any.
    #[serde(deserialize_with = "parts::located_globs")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub allow: Vec<Located<Text>>,
    /// The folder of the file that holds the policy.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl PluginsPolicy {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.require_signature.is_empty() && self.allow.is_empty()
    }
}
