//! A lane with nothing around it: no thread, no source, no sink, no file. Its plugins' instances and counters are its own.

use crate::engine::StartError;
use crate::generation::{Generation, Tally, Whence};
use crate::graph::{Graph, PipelineGraph};
use crate::lane::{Addressed, Boarded, Lane, Recipient};
use crate::metrics::Metrics;
use crate::observer::Observer;
use crate::pool::Pool;
use crate::sample::Samples;
use crate::stop::Stop;
use crate::tools::Tools;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_delivery::Flight;
use tamis_plan::Plan;

/// See the module.
pub(crate) struct Offline {
    generation: Arc<Generation>,
    lane: Lane,
    stop: Stop,
    pool: Pool,
    flight: Arc<Flight>,
    at: u64,
}

impl Offline {
    /// Builds the plan's pipelines with instances of their own, shown to `observer`.
    pub(crate) fn new(config: &Config, plan: &Plan, tools: &Tools, observer: Box<dyn Observer>) -> Result<Self, StartError> {
        // Which sinks refuse records does not matter where none is opened.
        let graph = Graph::build(plan, tools, &Metrics::new(), &|_| false, None).map_err(|error| StartError::Build(error.to_string()))?;
        let graph = Arc::new(graph);
        let stop = Stop::default();
        let samples = Arc::new(Samples::new(0));
        let mut lane =
            Lane::new(Arc::clone(&graph), stop.clone(), samples, Arc::default(), config.settings.json_depth).map_err(StartError::Plugin)?;
        lane.watch(observer);
        let (outlets, sources, ready) = (Vec::new(), BTreeMap::new(), Mutex::default());
        let generation = Arc::new(Generation { number: 1, graph, outlets, sources, ready, tally: Tally::default() });
        Ok(Self { generation, lane, stop, pool: Pool::new(1), flight: Flight::new(1), at: 0 })
    }

    /// Its pipelines.
    pub(crate) fn graph(&self) -> &Graph {
        &self.generation.graph
    }

    /// The pipeline of this name.
    pub(crate) fn pipeline(&self, name: &str) -> Option<&PipelineGraph> {
        self.graph().pipelines.iter().find(|pipeline| *pipeline.name == *name)
    }

    /// Why a step halted the host that it would be in.
    pub(crate) fn halted(&self) -> Option<String> {
        self.stop.reason()
    }

    /// Takes a frame of a source through one pipeline and all that it feeds. Gives what would be delivered; nothing after a halt.
    pub(crate) fn run(&mut self, pipeline: &str, source: &Arc<str>, frame: Frame) -> Vec<Addressed> {
        if self.stop.is_now() {
            return Vec::new();
        }
        self.at += frame.bytes;
        let Some(boarding) = self.flight.board(frame.count() as u64, 0, self.at, Duration::ZERO) else { return Vec::new() };
        let boarded = Boarded {
            whence: Whence::new(Arc::clone(source)),
            generation: Arc::clone(&self.generation),
            recipient: Some(Recipient { pipeline: pipeline.into(), source: Arc::clone(source) }),
            stream: Arc::clone(source),
            frame,
            boarding,
        };
        self.lane.run(boarded, &self.pool).0
    }
}
