//! The call again.

use std::path::PathBuf;

use serde_json::value::RawValue;
use tamis_record::{Column, DROP, KEEP, Signature};
use tamis_sandbox::{Cause, Failure, Plugin, Sandbox, SandboxError, SandboxOptions};

use super::column::json_of;
use super::{Capsule, Verdict};
use crate::desk::Line;
use crate::desk::listener::Listener;

/// Slots of the sandbox: components of some languages consist of many instances.
const SLOTS: u32 = 8;

/// A plugin that the records of a capsule can be given to.
#[derive(Debug)]
pub struct Bench<'a> {
    capsule: &'a Capsule,
    plugin: Plugin,
}

/// Why a replay cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The sandbox or the component.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The plugin asks for a field that the capsule does not have.
    #[error(
        "the plugin asks for the field `{field}` ({kind}), and the capsule holds only what the plugin was shown then: {held}; write a case with the whole record instead"
    )]
    NoColumn {
        /// The field.
        field: String,
        /// Its kind.
        kind: &'static str,
        /// What there is.
        held: String,
    },
    /// A column of the capsule.
    #[error("{0}")]
    Column(String),
}

/// What the plugin answers for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it drops the record.
    pub dropped: bool,
    /// The output that it sends the record to; `None`: no change of way.
    pub output: Option<String>,
    /// Fields and their new values, as JSON; `None`: the field is removed.
    pub sets: Vec<(String, Option<String>)>,
}

/// How the call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin failed on the whole batch, or refused one of its records.
    Failed(Failure),
    /// It answered, for each record.
    Passed(Vec<Answer>),
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether that is what was recorded.
    pub verdict: Verdict,
    /// Fuel that `init` used; none when it failed.
    pub init_fuel: Option<u64>,
    /// Fuel that the call used; none when there was no call.
    pub fuel: Option<u64>,
    /// Linear memory after the call, in bytes.
    pub memory_bytes: u64,
    /// What the plugin logged.
    pub log: Vec<Line>,
    /// Lines that were not kept.
    pub log_left_out: u64,
    /// The functions in which it stopped, innermost first.
    pub backtrace: Vec<String>,
}

impl<'a> Bench<'a> {
    /// Loads a component with the limits of the capsule. Compiled code is kept in `cache`.
    ///
    /// # Errors
    /// When the sandbox cannot start or refuses the component.
    pub fn new(capsule: &'a Capsule, component: &[u8], cache: Option<PathBuf>) -> Result<Self, BenchError> {
        let limits = capsule.limits();
        let sandbox = Sandbox::new(SandboxOptions {
            cache_dir: cache,
            pool_slots: SLOTS,
            memory_bytes_max: limits.memory_bytes,
            table_elements_max: limits.table_elements,
            fuel: Some(capsule.fuel()),
            ..SandboxOptions::default()
        })?;
        Ok(Self { capsule, plugin: sandbox.load(&capsule.plugin.name, component, &limits)? })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Starts an instance with this configuration (JSON text) and gives it the records.
    ///
    /// # Errors
    /// When the plugin cannot be given what it asks for.
    pub fn replay(&self, config: &str) -> Result<Replay, BenchError> {
        let listener = Listener::new();
        let mut replay = Replay {
            outcome: Outcome::Passed(Vec::new()),
            verdict: Verdict::Passes,
            init_fuel: None,
            fuel: None,
            memory_bytes: 0,
            log: Vec::new(),
            log_left_out: 0,
            backtrace: Vec::new(),
        };
        match listener.during(|| self.plugin.start(config)) {
            Err(failure) => replay.outcome = Outcome::Failed(failure),
            Ok((mut instance, signature)) => {
                replay.init_fuel = instance.fuel_used();
                let columns = self.columns(&signature)?;
                let columns: Vec<&Column> = columns.iter().collect();
                let answer = listener.during(|| instance.process(self.capsule.rows, &columns));
                replay.fuel = instance.fuel_used();
                replay.memory_bytes = instance.memory_bytes();
                replay.backtrace = instance.backtrace().to_vec();
                replay.outcome = match answer {
                    Err(failure) => Outcome::Failed(failure),
                    Ok(outcome) => match outcome.rejects.first() {
                        Some(reject) => Outcome::Failed(Failure::new(Cause::Reject, &reject.reason)),
                        None => Outcome::Passed((0..self.capsule.rows).map(|row| answer_of(&outcome, &signature, row)).collect()),
                    },
                };
            }
        }
        let found = if let Outcome::Failed(failure) = &replay.outcome { Some(failure) } else { None };
        replay.verdict = Verdict::of(&self.capsule.failure, found);
        let heard = listener.take();
        replay.log = heard.lines;
        replay.log_left_out = heard.left_out.saturating_add(self.plugin.log_lines_dropped());
        Ok(replay)
    }

    /// What the signature asks for, of what the capsule holds.
    fn columns(&self, signature: &Signature) -> Result<Vec<Column>, BenchError> {
        let held: Vec<_> = self
            .capsule
            .columns
            .iter()
            .map(|column| Ok((column.path()?, column)))
            .collect::<Result<_, String>>()
            .map_err(BenchError::Column)?;
        signature
            .reads
            .iter()
            .map(|read| {
                let column = held.iter().find(|(path, column)| *path == read.path && column.kind == read.kind).ok_or_else(|| {
                    let held: Vec<String> = held.iter().map(|(path, column)| format!("`{path}` ({})", column.kind)).collect();
                    let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
                    BenchError::NoColumn { field: read.path.to_string(), kind: read.kind.name(), held }
                })?;
                column.1.column(self.capsule.rows).map_err(BenchError::Column)
            })
            .collect()
    }
}

fn answer_of(outcome: &tamis_record::Outcome, signature: &Signature, row: u32) -> Answer {
    let verdict = outcome.verdicts.as_ref().and_then(|verdicts| verdicts.get(row as usize)).copied().unwrap_or(KEEP);
    let output = usize::from(verdict).checked_sub(1).filter(|_| verdict != DROP).and_then(|place| signature.outputs.get(place));
    let mut sets = Vec::new();
    for patch in &outcome.patches {
        let place = match &patch.rows {
            None => Some(row as usize),
            Some(rows) => rows.binary_search(&row).ok(),
        };
        let (Some(place), Some(field)) = (place, signature.writes.get(patch.field as usize)) else { continue };
        // The sandbox has checked that it is what it says.
        let value = patch.column.is_present(place).then(|| json_of(&patch.column, place, false).unwrap_or_default());
        let value = value.filter(|value| serde_json::from_str::<&RawValue>(value).is_ok());
        sets.push((field.path.to_string(), value));
    }
    Answer { dropped: verdict == DROP, output: output.cloned(), sets }
}
