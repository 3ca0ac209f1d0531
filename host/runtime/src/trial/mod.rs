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
use crate::graph::is_private;
use crate::offline::Offline;
use crate::tools::Tools;
use recorder::Recorder;
use std::sync::{Arc, Mutex, PoisonError};
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_plan::Plan;

/// A name for records of which no source is known.
const NO_SOURCE: &str = "test";

/// One trial; records that are tried one after the other meet the same instances of the plugins.
pub struct Trial {
    lane: Offline,
    trace: Arc<Mutex<Trace>>,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial").finish_non_exhaustive()
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
        let trace = Arc::default();
        let lane = Offline::new(config, plan, tools, Box::new(Recorder::new(Arc::clone(&trace))))?;
        Ok(Self { lane, trace })
    }

    /// Takes frames, as the named source would hand them on, through one pipeline and all that it feeds. After a step halted
    /// the host nothing more is taken.
    ///
    /// # Errors
    /// [`TrialError::NoPipeline`].
    pub fn run(&mut self, pipeline: &str, source: Option<&str>, frames: Vec<Frame>) -> Result<(), TrialError> {
        if self.lane.pipeline(pipeline).is_none() {
            return Err(TrialError::NoPipeline(pipeline.into()));
        }
        let source = source.unwrap_or(NO_SOURCE).into();
        for frame in frames {
            let parcels = self.lane.run(pipeline, &source, frame);
            let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
            for (sink, parcel) in parcels {
                // Files for dead letters are no sinks of the configuration; the trace holds the letters anyway.
                let Some(name) = self.lane.graph().sinks.get(sink).filter(|name| !is_private(name)) else { continue };
                let records = trace.sinks.entry(name.clone()).or_default();
                records.extend(parcel.data.bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
            }
        }
        Ok(())
    }

    /// Ends it and gives what was written down.
    pub fn finish(self) -> Trace {
        let mut trace = std::mem::take(&mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner));
        trace.halted = self.lane.halted();
        trace
    }
}
