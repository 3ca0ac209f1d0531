//! Writes down what a lane does with each record.

use crate::graph::StepGraph;
use crate::lane::Failing;
use crate::observer::{Departure, Observer};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tamis_config::OnFailure;
use tamis_delivery::DeadLetter;
use tamis_record::{Batch, DROP, KEEP};

/// Everything that happened in a trial.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// What came to each step, by pipeline and step, in order.
    pub steps: BTreeMap<(String, String), Vec<Passage>>,
    /// Records that left, in order.
    pub left: Vec<Departed>,
    /// What each sink was handed, a record each: records, and dead letters where the sink is a place for them.
    pub sinks: BTreeMap<String, Vec<Vec<u8>>>,
    /// Dead letters, in order.
    pub letters: Vec<Letter>,
    /// Why a step halted the host.
    pub halted: Option<String>,
}

/// A record at one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// As it came to the step.
    pub before: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    /// The output that the step sends it to, as the step's signature calls it.
    pub to: Option<String>,
    /// Why the step failed on it: cause and reason.
    pub failure: Option<(String, String)>,
}

/// What a step makes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, like this.
    On(Vec<u8>),
    /// It is dropped on purpose, the step's own or that of `on_failure: drop`.
    Dropped,
    /// It is a dead letter.
    Dead,
    /// The host halted before anything became of it.
    Halted,
}

/// A record that left its pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The pipeline.
    pub pipeline: String,
    /// Its output.
    pub output: String,
    /// The record as it left.
    pub record: Vec<u8>,
    /// Whether the output leads anywhere; else the record was dropped there on purpose.
    pub delivered: bool,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The pipeline.
    pub pipeline: String,
    /// The step; none when no step is to blame.
    pub step: Option<String>,
    /// The plugin; none for a native step.
    pub plugin: Option<String>,
    /// `reject`, `trap`, `deadline`, `memory`, `decode` or `contract`.
    pub cause: String,
    /// What happened.
    pub reason: String,
    /// The record as it came to the pipeline, or what could not be decoded.
    pub record: Vec<u8>,
}

/// The step in hand: where its passages are, and which row each is.
#[derive(Default)]
struct Now {
    key: (String, String),
    begin: usize,
    rows: Vec<u32>,
    drops_failing: bool,
}

/// See the module.
pub(super) struct Recorder {
    trace: Arc<Mutex<Trace>>,
    now: Now,
}

impl Recorder {
    pub(super) fn new(trace: Arc<Mutex<Trace>>) -> Self {
        Self { trace, now: Now::default() }
    }

    fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encoded(batch: &mut Batch, row: u32) -> Vec<u8> {
    let mut record = Vec::new();
    // Changes that do not fit are a dead letter, sooner or later; until then the record is shown as empty.
    let _ = batch.encode(row, &mut record);
    record
}

impl Observer for Recorder {
    fn decided(&mut self, pipeline: &str, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>, failing: &[Failing]) {
        let failing: HashMap<u32, &tamis_sandbox::Failure> = failing.iter().map(|(row, failure)| (*row, failure)).collect();
        let rows = batch.live().to_vec();
        let passages: Vec<Passage> = rows
            .iter()
            .zip(0u32..)
            .map(|(row, seen)| {
                let failure = failing.get(&seen);
                let verdict = match failure {
                    Some(_) => KEEP,
                    None => verdicts.and_then(|all| all.get(seen as usize)).copied().unwrap_or(KEEP),
                };
                Passage {
                    before: encoded(batch, *row),
                    fate: if verdict == DROP { Fate::Dropped } else { Fate::Halted },
                    to: if verdict == DROP { None } else { verdict.checked_sub(1).and_then(|output| step.output(output)) },
                    failure: failure.map(|failure| (failure.cause.name().into(), failure.reason.to_string())),
                }
            })
            .collect();
        let key = (pipeline.to_owned(), step.name.clone());
        let mut trace = self.trace();
        let all = trace.steps.entry(key.clone()).or_default();
        let begin = all.len();
        all.extend(passages);
        drop(trace);
        self.now = Now { key, begin, rows, drops_failing: step.on_failure == OnFailure::Drop };
    }

    fn applied(&mut self, batch: &mut Batch) {
        let Now { key, begin, rows, drops_failing } = std::mem::take(&mut self.now);
        let live = batch.live().to_vec();
        let mut trace = self.trace();
        let Some(passages) = trace.steps.get_mut(&key).and_then(|all| all.get_mut(begin..)) else { return };
        // Both ascend.
        let mut live = live.into_iter().peekable();
        for (passage, row) in passages.iter_mut().zip(rows) {
            if live.next_if_eq(&row).is_some() {
                passage.fate = Fate::On(encoded(batch, row));
            } else if passage.fate != Fate::Dropped {
                passage.fate = if drops_failing && passage.failure.is_some() { Fate::Dropped } else { Fate::Dead };
            }
        }
    }

    fn letter(&mut self, letter: &DeadLetter<'_>, _row: Option<u32>, record: &[u8]) {
        self.trace().letters.push(Letter {
            pipeline: letter.pipeline.into(),
            step: letter.step.map(str::to_owned),
            plugin: letter.plugin.map(str::to_owned),
            cause: letter.cause.into(),
            reason: letter.reason.into(),
            record: record.to_vec(),
        });
    }

    fn left(&mut self, departure: &Departure<'_>) {
        self.trace().left.push(Departed {
            pipeline: departure.pipeline.into(),
            output: departure.output.into(),
            record: departure.record.to_vec(),
            delivered: departure.delivered,
        });
    }
}
