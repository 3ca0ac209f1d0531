//! Trials: records through pipelines as a running host takes them, with everything that happens to them written down.
//!
//! A trial is a lane of its own, with new instances of all plugins, and nothing around it: no thread, no source, no sink, no
//! file. What it does is done by the lane itself.

mod condition;
mod recorder;

pub use crate::passage::{Fate, Passage};
pub use condition::{Condition, Verdict};
pub use recorder::{Departed, Letter, Trace};

use crate::engine::StartError;
use crate::generation::{Generation, Whence};
use crate::graph::{Graph, is_private};
use crate::lane::{Boarded, Lane, Recipient};
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::sample::Samples;
use crate::stop::Stop;
use crate::tools::Tools;
use recorder::Recorder;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_delivery::Flight;
use tamis_plan::Plan;

/// A name for records of which no source is known.
const NO_SOURCE: &str = "test";

/// One trial; records that are tried one after the other meet the same instances of the plugins.
pub struct Trial {
    generation: Arc<Generation>,
    lane: Lane,
    stop: Stop,
    trace: Arc<Mutex<Trace>>,
    at: u64,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Why a trial cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The pipelines cannot be built, or a plugin's instance cannot be made.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The plan has no such pipeline.
    #[error("there is no pipeline `{0}`")]
    NoPipeline(String),
}

impl Trial {
    /// Builds the plan's pipelines with instances of their own.
    ///
    /// # Errors
    /// [`TrialError::Start`].
    pub fn new(config: &Config, plan: &Plan, tools: &Tools) -> Result<Self, TrialError> {
        // Which sinks refuse records does not matter where none is opened.
        let graph = Graph::build(plan, tools, &Metrics::new(), &|_| false, None).map_err(|error| StartError::Build(error.to_string()))?;
        let graph = Arc::new(graph);
        let stop = Stop::default();
        let samples = Arc::new(Samples::new(0));
        let mut lane =
            Lane::new(Arc::clone(&graph), stop.clone(), samples, Arc::default(), config.settings.json_depth).map_err(StartError::Plugin)?;
        let trace = Arc::default();
        lane.watch(Box::new(Recorder::new(Arc::clone(&trace))));
        let (outlets, sources, ready) = (Vec::new(), BTreeMap::new(), Mutex::default());
        let generation = Arc::new(Generation { number: 1, graph, outlets, sources, ready });
        Ok(Self { generation, lane, stop, trace, at: 0 })
    }

    /// Takes frames, as the named source would hand them on, through one pipeline and all that it feeds. After a step halted
    /// the host nothing more is taken.
    ///
    /// # Errors
    /// [`TrialError::NoPipeline`].
    pub fn run(&mut self, pipeline: &str, source: Option<&str>, frames: Vec<Frame>) -> Result<(), TrialError> {
        if self.generation.graph.pipeline(pipeline).is_none() {
            return Err(TrialError::NoPipeline(pipeline.into()));
        }
        let whence = Whence::new(NO_SOURCE.into());
        let recipient = Recipient { pipeline: pipeline.into(), source: source.unwrap_or(NO_SOURCE).into() };
        let (pool, flight) = (Pool::new(1), Flight::new(1));
        for frame in frames {
            if self.stop.is_now() {
                break;
            }
            self.at += frame.bytes;
            let Some(boarding) = flight.board(frame.count() as u64, 0, self.at, Duration::ZERO) else { break };
            let (whence, generation) = (Arc::clone(&whence), Arc::clone(&self.generation));
            let boarded = Boarded { whence, generation, recipient: Some(recipient.clone()), stream: NO_SOURCE.into(), frame, boarding };
            let (parcels, _) = self.lane.run(boarded, &pool);
            let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
            for (sink, parcel) in parcels {
                // Files for dead letters are no sinks of the configuration; the trace holds the letters anyway.
                let Some(name) = self.generation.graph.sinks.get(sink).filter(|name| !is_private(name)) else { continue };
                let records = trace.sinks.entry(name.clone()).or_default();
                records.extend(parcel.data.bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
            }
        }
        Ok(())
    }

    /// Ends it and gives what was written down.
    pub fn finish(self) -> Trace {
        let mut trace = std::mem::take(&mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner));
        trace.halted = self.stop.reason();
        trace
    }
}
