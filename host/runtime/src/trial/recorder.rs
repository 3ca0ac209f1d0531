//! Writes down what a lane does with each record.

use crate::graph::StepGraph;
use crate::lane::Failing;
use crate::observer::{Departure, Observer};
use crate::passage::{Passage, Underway};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tamis_delivery::DeadLetter;
use tamis_record::Batch;

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

/// The step in hand, and where its passages are.
#[derive(Default)]
struct Now {
    key: (String, String),
    begin: usize,
    underway: Underway,
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

impl Observer for Recorder {
    fn decided(&mut self, pipeline: &str, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>, failing: &[Failing]) {
        let rows = 0..batch.live().len() as u32;
        let (underway, passages) = Underway::decided(step, batch, verdicts, failing, rows);
        let key = (pipeline.to_owned(), step.name.clone());
        let mut trace = self.trace();
        let all = trace.steps.entry(key.clone()).or_default();
        let begin = all.len();
        all.extend(passages);
        drop(trace);
        self.now = Now { key, begin, underway };
    }

    fn applied(&mut self, batch: &mut Batch) {
        let Now { key, begin, underway } = std::mem::take(&mut self.now);
        if let Some(passages) = self.trace().steps.get_mut(&key).and_then(|all| all.get_mut(begin..)) {
            underway.applied(batch, passages);
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
