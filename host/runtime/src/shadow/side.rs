//! One of the two that are compared: pipelines with instances of their own, and what became of each record in them.

use super::compare::Fate;
use super::trail::Trail;
use super::{Sample, locked};
use crate::engine::StartError;
use crate::graph::StepGraph;
use crate::lane::Failing;
use crate::observer::{Departure, Observer};
use crate::offline::Offline;
use crate::tools::Tools;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_delivery::DeadLetter;
use tamis_plan::Plan;
use tamis_record::{Batch, Records};

/// What was made of a frame by one pipeline.
#[derive(Default)]
pub(super) struct Took {
    /// What became of its rows; nothing of those that a pipeline dropped.
    pub(super) fates: HashMap<u32, Fate>,
    /// Dead letters, those of pipelines that it feeds included.
    pub(super) errors: u64,
    /// What the rows were after each step.
    pub(super) trail: Trail,
    /// How long it took, without looking at it.
    pub(super) spent: Duration,
}

/// Notes what becomes of each row of one pipeline.
struct Noting {
    took: Arc<Mutex<Took>>,
    pipeline: Arc<Mutex<Arc<str>>>,
    /// Whether the step in hand is one of that pipeline.
    here: bool,
    /// Time spent looking.
    looking: Arc<Mutex<Duration>>,
}

impl Observer for Noting {
    fn decided(&mut self, pipeline: &str, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>, _: &[Failing]) {
        self.here = *pipeline == **locked(&self.pipeline);
        if self.here {
            let began = Instant::now();
            locked(&self.took).trail.decided(step, batch, verdicts);
            *locked(&self.looking) += began.elapsed();
        }
    }

    fn applied(&mut self, batch: &mut Batch) {
        if std::mem::take(&mut self.here) {
            let began = Instant::now();
            locked(&self.took).trail.applied(batch);
            *locked(&self.looking) += began.elapsed();
        }
    }

    fn letter(&mut self, letter: &DeadLetter<'_>, row: Option<u32>, _record: &[u8]) {
        let mut took = locked(&self.took);
        took.errors += 1;
        // Rows of the pipelines that this one feeds are others.
        if let Some(row) = row.filter(|_| *letter.pipeline == **locked(&self.pipeline)) {
            took.fates.insert(row, Fate::Dead);
        }
    }

    fn left(&mut self, departure: &Departure<'_>) {
        if *departure.pipeline == **locked(&self.pipeline) {
            let fate = if departure.delivered {
                Fate::Left { output: departure.output.into(), record: departure.record.to_vec() }
            } else {
                Fate::Dropped
            };
            locked(&self.took).fates.insert(departure.row, fate);
        }
    }
}

/// See the module.
pub(super) struct Side {
    pub(super) lane: Offline,
    took: Arc<Mutex<Took>>,
    pipeline: Arc<Mutex<Arc<str>>>,
    looking: Arc<Mutex<Duration>>,
}

impl Side {
    pub(super) fn new(config: &Config, plan: &Plan, tools: &Tools) -> Result<Self, StartError> {
        let (took, pipeline, looking) = (Arc::<Mutex<Took>>::default(), Arc::new(Mutex::new(Arc::from(""))), Arc::default());
        let noting = Noting { took: Arc::clone(&took), pipeline: Arc::clone(&pipeline), here: false, looking: Arc::clone(&looking) };
        Ok(Self { lane: Offline::new(config, plan, tools, Box::new(noting))?, took, pipeline, looking })
    }

    /// Takes a frame through a pipeline.
    pub(super) fn run(&mut self, pipeline: &Arc<str>, sample: &Sample) -> Took {
        *locked(&self.pipeline) = Arc::clone(pipeline);
        *locked(&self.looking) = Duration::ZERO;
        let records = Records { text: sample.records.text.clone(), rows: sample.records.rows.clone() };
        let started = Instant::now();
        drop(self.lane.run(pipeline, &sample.source, Frame { records, ..Frame::default() }));
        let spent = started.elapsed().saturating_sub(*locked(&self.looking));
        Took { spent, ..std::mem::take(&mut *locked(&self.took)) }
    }

    /// Bytes of the memory of a pipeline's plugins.
    pub(super) fn memory(&self, pipeline: &str) -> u64 {
        let steps = self.lane.pipeline(pipeline).map(|pipeline| pipeline.steps.as_slice()).unwrap_or_default();
        steps.iter().map(|step| u64::try_from(step.counts.memory.get()).unwrap_or(0)).sum()
    }
}
