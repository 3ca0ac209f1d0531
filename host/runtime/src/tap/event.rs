//! What a viewer is told, as JSON.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An event.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TapEvent {
    /// The tap is open, or goes on with another generation.
    Tapping(Tapping),
    /// A record.
    Sample(Box<Sample>),
    /// Records that should have been shown were not.
    Dropped(Lost),
    /// The running generation has no such pipeline or step; the tap waits for one that has.
    Waiting(Waiting),
    /// Nothing more comes.
    End {
        /// Why.
        reason: String,
    },
}

impl TapEvent {
    /// The word of the event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tapping(_) => "tapping",
            Self::Sample(_) => "sample",
            Self::Dropped(_) => "dropped",
            Self::Waiting(_) => "waiting",
            Self::End { .. } => "end",
        }
    }
}

/// What is tapped.
#[derive(Debug, Clone, Serialize)]
pub struct Tapping {
    /// Pipeline.
    pub pipeline: String,
    /// Step; none for the whole pipeline.
    pub step: Option<String>,
    /// The generation that runs.
    pub generation: u64,
    /// Records a second, at most.
    pub rate: u32,
    /// Fields that are not shown.
    pub hidden: Vec<String>,
}

/// What is not there.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Pipeline.
    pub pipeline: String,
    /// Step.
    pub step: Option<String>,
    /// The generation that lacks it.
    pub generation: u64,
    /// In a sentence.
    pub reason: String,
}

/// Records that were not shown, since the last time this was told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lost {
    /// The host had no time for them.
    pub host: u64,
    /// The viewer was behind.
    pub viewer: u64,
    /// The filter failed on them.
    pub filter: u64,
    /// Why it failed on the last of those.
    pub filter_error: Option<String>,
}

/// A record before and after.
#[derive(Debug, Serialize)]
pub struct Sample {
    /// When it went through, UTC.
    pub time: String,
    /// Pipeline.
    pub pipeline: String,
    /// Step; none for the whole pipeline.
    pub step: Option<String>,
    /// The generation that took it through.
    pub generation: u64,
    /// Where it came from.
    pub source: String,
    /// What became of it.
    pub outcome: TapOutcome,
    /// The output that it was sent to; none where it simply goes on.
    pub output: Option<String>,
    /// The step that dropped or rejected it.
    pub by: Option<String>,
    /// Why a step failed on it: `reject`, `trap`, `deadline`, `memory`, `decode` or `contract`.
    pub cause: Option<String>,
    /// The same in a sentence.
    pub reason: Option<String>,
    /// The fields that differ, 64 at most.
    pub changed: Vec<String>,
    /// As it came.
    pub before: Shown,
    /// As it goes on; none when it does not.
    pub after: Option<Shown>,
    /// Bytes of the record as it came, when only its beginning is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_bytes: Option<usize>,
    /// Bytes of the record as it goes on, when only its beginning is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<usize>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TapOutcome {
    /// It went on.
    Passed,
    /// It was dropped on purpose.
    Dropped,
    /// It is a dead letter.
    Rejected,
    /// The host halted before anything became of it.
    Halted,
}

/// A record as a viewer sees it: JSON in its own spelling, or with hidden fields; what is no JSON, as text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// As it is.
    Raw(Box<RawValue>),
    /// With hidden fields, or text.
    Value(Value),
}
