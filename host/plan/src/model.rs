//! The plan as data: no handle to anything that runs, so that two plans can be compared and one can be shown.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tamis_config::{OnFailure, Place, Undecodable};
use tamis_record::Signature;

/// Steps a pipeline may have.
pub const STEPS_MAX: usize = 64;
/// Outputs a pipeline may have, the default one included.
pub const OUTPUTS_MAX: usize = 250;

/// A resolved configuration.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Sources by name.
    pub sources: BTreeMap<String, SourcePlan>,
    /// Plugins that are used, by name.
    pub plugins: BTreeMap<String, PluginPlan>,
    /// Pipelines; one comes after those that feed it.
    pub pipelines: Vec<PipelinePlan>,
    /// Sinks by name, each with its `type`.
    pub sinks: BTreeMap<String, String>,
    /// The fields that sinks look at, by the sink's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sink_uses: BTreeMap<String, Vec<SinkUse>>,
}

/// A field that a sink looks at, beside sending it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkUse {
    /// What for: the option that names it, such as `index` or `labels.team`.
    pub option: String,
    /// The field.
    pub path: String,
}

/// A source.
#[derive(Debug, Clone, Serialize)]
pub struct SourcePlan {
    /// The `type`.
    pub kind: String,
    /// Fields its records hold, where that is known.
    pub fields: Option<Vec<String>>,
}

/// A loaded and configured plugin.
#[derive(Debug, Clone, Serialize)]
pub struct PluginPlan {
    /// The component as the configuration names it.
    pub component: String,
    /// `sha256:…` of the component.
    pub digest: String,
    /// The version that the component says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it takes the place of other bytes under its name, which: `1.2.0 → 1.3.0`, see [`upgrade`].
    #[serde(skip)]
    pub upgrade: Option<String>,
    /// Id of the key that signed it, where the policy asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Size of the component, in bytes.
    pub bytes: u64,
    /// What it reads, writes and does.
    pub signature: Signature,
    /// Paths granted to read.
    pub granted_read: Vec<String>,
    /// Paths granted to write.
    pub granted_write: Vec<String>,
}

/// A digest as people compare it: its kind and its first 12 digits.
const DIGEST_CHARS: usize = 19;
/// Longest version that is told, in characters.
const VERSION_CHARS_MAX: usize = 40;

/// Two components, each its digest and the version that it says it is, in the words of people: `1.2.0 → 1.3.0` where the versions
/// tell them apart, else with short digests. `None`: they are the same bytes.
pub fn upgrade(old: (&str, Option<&str>), new: (&str, Option<&str>)) -> Option<String> {
    if old.0 == new.0 {
        return None;
    }
    let known = old.1.zip(new.1).is_some_and(|(old, new)| old != new);
    let word = |(digest, version): (&str, Option<&str>)| {
        let digest = digest.get(..DIGEST_CHARS).unwrap_or(digest);
        match version.map(|version| version.chars().take(VERSION_CHARS_MAX).collect::<String>()) {
            Some(version) if known => version,
            Some(version) => format!("{version} ({digest})"),
            None => digest.to_owned(),
        }
    };
    Some(format!("{} → {}", word(old), word(new)))
}

/// A pipeline.
#[derive(Debug, Clone, Serialize)]
pub struct PipelinePlan {
    /// Its name.
    pub name: String,
    /// Where its records come from.
    pub from: Vec<Origin>,
    /// Its steps, in order.
    pub steps: Vec<StepPlan>,
    /// Its outputs; the first is `default`. Verdict and way number `n` mean `outputs[n]`.
    pub outputs: Vec<OutputPlan>,
    /// Sinks of its dead letters; empty: the folder in the data directory.
    pub dead_letters: Vec<String>,
    /// What is kept of records that cannot be decoded.
    pub undecodable: Undecodable,
}

/// Where a pipeline's records come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A source.
    Source(String),
    /// An output of another pipeline.
    Pipeline {
        /// The pipeline.
        name: String,
        /// Its output.
        output: String,
    },
}

/// What a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A plugin, by name.
    Plugin(String),
    /// A VRL program.
    Vrl,
    /// A VRL condition that keeps a record.
    Filter,
    /// VRL conditions that choose an output.
    Route,
}

impl Mode {
    /// The word of the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Mode::Plugin(_) => "plugin",
            Mode::Vrl => "vrl",
            Mode::Filter => "filter",
            Mode::Route => "route",
        }
    }
}

/// A step.
#[derive(Debug, Clone, Serialize)]
pub struct StepPlan {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// What it runs.
    #[serde(flatten)]
    pub mode: Mode,
    /// What it reads, writes and does.
    pub signature: Signature,
    /// For each output of the signature, the number of the pipeline's output.
    pub ways: Vec<u8>,
    /// What becomes of a record it fails on.
    #[serde(serialize_with = "on_failure_word")]
    pub on_failure: OnFailure,
    /// Where it is written.
    #[serde(skip)]
    pub place: Place,
}

/// The word of the configuration for what becomes of a record that a step fails on.
pub fn word_of(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::DeadLetter => "dead_letter",
        OnFailure::Drop => "drop",
        OnFailure::Pass => "pass",
        OnFailure::Blank => "blank",
        OnFailure::Halt => "halt",
    }
}

fn on_failure_word<S: serde::Serializer>(value: &OnFailure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word_of(*value))
}

/// An output.
#[derive(Debug, Clone, Serialize)]
pub struct OutputPlan {
    /// Its name.
    pub name: String,
    /// What happens to the records on it.
    pub way: Way,
}

/// What happens to the records of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// They go to these, all of them.
    To(Vec<Target>),
    /// They are dropped on purpose: `to` says `[]`.
    Dropped,
    /// They go where the default output goes, because `to` does not name the output.
    Default,
}

/// Where an output leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A sink, by name.
    Sink(String),
    /// Another pipeline, by name.
    Pipeline(String),
}

impl Plan {
    /// The pipeline of a name.
    pub fn pipeline(&self, name: &str) -> Option<&PipelinePlan> {
        self.pipelines.iter().find(|p| p.name == name)
    }

    /// The pipelines whose records may come to a sink, those that feed others included.
    pub fn leading_to(&self, sink: &str) -> Vec<&PipelinePlan> {
        let leads =
            |way: &Way| matches!(way, Way::To(targets) if targets.iter().any(|to| matches!(to, Target::Sink(name) if name == sink)));
        let (mut found, mut passed) = (Vec::new(), BTreeSet::new());
        // Pipelines stand behind those that feed them.
        for pipeline in self.pipelines.iter().rev() {
            if !pipeline.outputs.iter().any(|output| leads(&output.way)) && !passed.contains(pipeline.name.as_str()) {
                continue;
            }
            passed.extend(pipeline.from.iter().filter_map(|origin| match origin {
                Origin::Pipeline { name, .. } => Some(name.as_str()),
                Origin::Source(_) => None,
            }));
            found.push(pipeline);
        }
        found
    }
}

impl PipelinePlan {
    /// The step of a name, or of a number from 1 as `tamis explain` shows it.
    pub fn step(&self, name: &str) -> Option<&StepPlan> {
        self.steps.iter().find(|step| step.name == name).or_else(|| self.steps.get(name.parse::<usize>().ok()?.checked_sub(1)?))
    }
}
