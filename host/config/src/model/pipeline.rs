//! The way of records from sources through steps to sinks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OnFailure;
use crate::Located;
use crate::reader::parts;
use crate::reader::steps::StepKeys;

/// The way of records from sources through steps to sinks.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct Pipeline {
    /// Sources, or other pipelines (`pipeline` for its default output, `pipeline.output` for another one); at least one.
    #[serde(deserialize_with = "parts::references_required")]
    #[schemars(schema_with = "crate::schema::references")]
    pub from: Vec<Located<String>>,
    /// What happens to each record, in order. Default: nothing.
    #[serde(default)]
    #[schemars(with = "Vec<Step>")]
    pub steps: Vec<Located<Step>>,
    /// Sinks by output. One name or a list of names directly under `to` means the output `default`; an empty list drops the
    /// records of that output on purpose. Default: none.
    #[serde(default, deserialize_with = "parts::outputs")]
    #[schemars(schema_with = "crate::schema::outputs")]
    pub to: BTreeMap<String, Located<Vec<Located<String>>>>,
    /// Sinks for the records that a step fails on. Default: the folder `dead_letters` in the data directory.
    #[serde(default, deserialize_with = "parts::names_one_or_many")]
    #[schemars(schema_with = "crate::schema::one_or_many_names")]
    pub dead_letters: Vec<Located<String>>,
    /// What the dead letter of a record that cannot be decoded holds of it. Default: `keep`.
    #[serde(default)]
    pub undecodable: Undecodable,
}

/// What is kept of a record that cannot be decoded. No step has seen it, so it holds what a redactor would have removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undecodable {
    /// All of it, in base64: it can be run again.
    #[default]
    Keep,
    /// Its length and SHA-256.
    Digest,
    /// Nothing: no dead letter is made, and the record counts as dropped.
    Drop,
}

/// One step of a pipeline: exactly one of `plugin`, `vrl`, `filter` and `route`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "StepKeys")]
pub struct Step {
    /// A name of its own, for metrics and messages. Default: made of the plugin's name or the kind.
    pub name: Option<Located<String>>,
    /// What becomes of a record that the step fails on. Default: the plugin's own `on_failure`, else `dead_letter`.
    pub on_failure: Option<OnFailure>,
    /// What the step does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// Runs the plugin of this name.
    Plugin(Located<String>),
    /// Runs a VRL program on the record.
    Vrl(Located<String>),
    /// Drops the records for which this VRL condition is false.
    Filter(Located<String>),
    /// Sends a record to the first output whose VRL condition is true: (output, condition), in the order of the file.
    Route(Vec<(Located<String>, Located<String>)>),
}

impl StepKind {
    /// The key that introduces the step in the configuration.
    pub fn key(&self) -> &'static str {
        match self {
            StepKind::Plugin(_) => "plugin",
            StepKind::Vrl(_) => "vrl",
            StepKind::Filter(_) => "filter",
            StepKind::Route(_) => "route",
        }
    }
}
