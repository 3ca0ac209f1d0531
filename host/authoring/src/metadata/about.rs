//! The section `tamis:plugin`: what only we know of a plugin.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tamis_record::Signature;
use tamis_sandbox::Limits;

use crate::cases::{self, Trial};
use crate::desk::Desk;

/// The format of the section. A reader passes over keys that it does not know; the number changes when one changes its meaning.
pub(super) const FORMAT: u32 = 1;

/// What the build noted of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The format of this section: 1.
    pub format: u32,
    /// The version of the contract (package `tamis:plugin`) it was built for.
    pub contract: String,
    /// The version of the `tamis` that built it.
    pub tamis: String,
    /// What it is written in: `rust`, `js`, `python`.
    pub language: String,
    /// The SDK it is written with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Sdk>,
    /// The team that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it reads and does under one configuration.
    pub example: Example,
    /// Digest of the component as the language's tool left it: without metadata.
    pub code: String,
}

/// Name and version of an SDK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdk {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The signature that a plugin answered to one configuration. Another configuration may give another signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The configuration: that of the plugin's first case, else `{}`.
    pub config: Value,
    /// What it answered: `reads`, `writes` (each `path` and `kind`), `outputs`, `drops`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Value>,
    /// Or why it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The configuration that a plugin in `folder` is shown with: of its first case that has records.
pub(super) fn example_config(folder: &Path) -> Value {
    let (cases, _) = cases::load(folder);
    let config =
        cases.iter().find(|case| matches!(case.trial, Trial::Records { .. })).and_then(|case| serde_json::from_str(&case.config).ok());
    config.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

/// Asks a component for its signature. One that cannot be asked is no failed build: the check says what is wrong.
pub(super) fn example(plugin: &str, component: &[u8], config: Value, cache: Option<&Path>) -> Example {
    let answer = || -> Result<Value, String> {
        let desk = Desk::new(Limits::default(), cache.map(Path::to_path_buf)).map_err(|error| error.to_string())?;
        let candidate = desk.load(plugin, component).map_err(|error| error.to_string())?;
        let signature = candidate.plugin().signature(&config.to_string()).map_err(|failure| failure.to_string())?;
        Ok(schema(&signature))
    };
    let (signature, refused) = match answer() {
        Ok(signature) => (Some(signature), None),
        Err(reason) => (None, Some(reason)),
    };
    Example { config, signature, refused }
}

/// A signature as JSON.
pub fn schema(signature: &Signature) -> Value {
    serde_json::to_value(signature).unwrap_or_default()
}
