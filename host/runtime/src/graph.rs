//! The plan, built: everything lanes share, inert until they run it.

use crate::metrics::{DeadLabels, Metrics, StepLabels, TrapLabels};
use crate::tools::{Loaded, Tools};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tamis_config::{OnFailure, Undecodable};
use tamis_delivery::Ledger;
use tamis_nodes::steps::Program;
use tamis_plan::{Mode, Origin, PipelinePlan, Plan, StepPlan, Target, Way};
use tamis_record::{Column, ColumnId, FieldId, Fields, Kind, Relation};
use tamis_sandbox::{Cause, Failure};

/// A plan that cannot be built; each would be a fault of the planner.
#[derive(Debug, thiserror::Error)]
#[error("the plan does not fit together: {0}")]
pub(crate) struct BuildError(pub(crate) String);

/// What the names of files for a pipeline's dead letters begin with; a sink of the configuration has no `/` in its name.
const PRIVATE: &str = "dead_letters/";

/// Whether this is a pipeline's file for dead letters, not a sink of the configuration.
pub(crate) fn is_private(sink: &str) -> bool {
    sink.starts_with(PRIVATE)
}

#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) pipelines: Vec<PipelineGraph>,
    pub(crate) sources: Vec<Arc<str>>,
    /// For each source, the pipelines that read it.
    pub(crate) readers: BTreeMap<Arc<str>, Vec<usize>>,
    /// Sinks of the configuration, then one for each pipeline that keeps its dead letters in the data directory.
    pub(crate) sinks: Vec<String>,
}

pub(crate) struct PipelineGraph {
    pub(crate) name: Arc<str>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) fields: Arc<Fields>,
    pub(crate) steps: Vec<StepGraph>,
    pub(crate) outputs: Vec<OutputGraph>,
    pub(crate) streams: Vec<StreamGraph>,
    pub(crate) dead_letters: Vec<usize>,
    pub(crate) undecodable: Undecodable,
    /// Where records go that a sink refuses: a sink that refuses none.
    pub(crate) refused: Vec<usize>,
    pub(crate) counts: PipelineCounts,
}

/// What became of a pipeline's records, and the time outside its steps.
pub(crate) struct PipelineCounts {
    pub(crate) dead: Vec<(&'static str, Counter)>,
    pub(crate) scan_ns: Arc<AtomicU64>,
    pub(crate) encode_ns: Arc<AtomicU64>,
}

/// Causes of dead letters, as the dead letter words them.
pub(crate) const CAUSES: [&str; 7] = ["reject", "trap", "deadline", "memory", "decode", "contract", "sink"];

pub(crate) struct OutputGraph {
    pub(crate) name: String,
    pub(crate) lead: Lead,
    pub(crate) records: Arc<AtomicU64>,
}

pub(crate) enum Lead {
    /// Into these streams.
    To(Vec<usize>),
    Dropped,
    Default,
}

/// What several sinks and pipelines are given alike: the records of one set of outputs, in their order.
pub(crate) struct StreamGraph {
    outputs: Vec<usize>,
    pub(crate) sinks: Vec<usize>,
    pub(crate) pipelines: Vec<usize>,
}

pub(crate) struct StepGraph {
    pub(crate) name: String,
    pub(crate) plugin: Option<String>,
    pub(crate) digest: Option<String>,
    /// Which setup the plugin has.
    pub(crate) setup: Option<Arc<str>>,
    pub(crate) columns: Vec<ColumnId>,
    /// What a dead letter tells of the columns.
    pub(crate) shown: Vec<ShownField>,
    pub(crate) writes: Vec<FieldId>,
    pub(crate) write_kinds: Vec<Kind>,
    pub(crate) ways: Vec<u8>,
    /// The outputs of its signature, by name.
    outputs: Vec<String>,
    pub(crate) on_failure: OnFailure,
    pub(crate) work: Work,
    pub(crate) counts: StepCounts,
}

pub(crate) enum Work {
    Plugin(Loaded),
    Program(Program),
}

pub(crate) struct StepCounts {
    pub(crate) taken: Counter,
    pub(crate) out: Counter,
    pub(crate) dropped: Counter,
    pub(crate) rejected: Counter,
    pub(crate) traps: [Counter; Cause::ALL.len()],
    pub(crate) seconds: Histogram,
    pub(crate) busy: Counter<f64, AtomicU64>,
    pub(crate) memory: Gauge,
    pub(crate) breaker: Gauge,
}

impl Graph {
    pub(crate) fn build(
        plan: &Plan,
        tools: &Tools,
        metrics: &Metrics,
        refuses: &dyn Fn(&str) -> bool,
        before: Option<&Self>,
    ) -> Result<Self, BuildError> {
        let sources: Vec<Arc<str>> = plan
            .sources
            .keys()
            .filter(|s| plan.pipelines.iter().any(|p| p.from.contains(&Origin::Source((*s).clone()))))
            .map(|name| name.as_str().into())
            .collect();
        let mut sinks: Vec<String> = plan.sinks.keys().cloned().collect();
        let mut pipelines = Vec::new();
        for pipeline in &plan.pipelines {
            let mut built = PipelineGraph::build(
                plan,
                pipeline,
                tools,
                metrics,
                &sinks,
                before.and_then(|graph| graph.pipeline_named(&pipeline.name)),
            )?;
            let takes_all = |sink: &usize| sinks.get(*sink).is_some_and(|name| !refuses(name));
            built.refused = built.dead_letters.iter().copied().filter(takes_all).collect();
            let may_refuse = built.streams.iter().flat_map(|s| &s.sinks).chain(&built.dead_letters).any(|sink| !takes_all(sink));
            if built.dead_letters.is_empty() || (built.refused.is_empty() && may_refuse) {
                let own = sinks.len();
                if built.dead_letters.is_empty() {
                    built.dead_letters.push(own);
                }
                built.refused = vec![own];
                sinks.push(format!("{PRIVATE}{}", pipeline.name));
            }
            pipelines.push(built);
        }
        let readers = sources
            .iter()
            .map(|s| {
                let origin = Origin::Source(s.to_string());
                let readers = plan.pipelines.iter().enumerate().filter(|(_, p)| p.from.contains(&origin)).map(|(i, _)| i);
                (Arc::clone(s), readers.collect())
            })
            .collect();
        Ok(Self { pipelines, sources, readers, sinks })
    }

    fn pipeline_named(&self, name: &str) -> Option<&PipelineGraph> {
        self.pipelines.iter().find(|pipeline| *pipeline.name == *name)
    }

    /// The number of a pipeline.
    pub(crate) fn pipeline(&self, name: &str) -> Option<usize> {
        self.pipelines.iter().position(|pipeline| *pipeline.name == *name)
    }
}

impl PipelineGraph {
    fn build(
        plan: &Plan,
        pipeline: &PipelinePlan,
        tools: &Tools,
        metrics: &Metrics,
        sinks: &[String],
        before: Option<&Self>,
    ) -> Result<Self, BuildError> {
        let mut fields = Fields::new();
        let mut steps = Vec::new();
        for (number, step) in pipeline.steps.iter().enumerate() {
            steps.push(StepGraph::build(
                plan,
                &pipeline.name,
                number,
                step,
                pipeline.steps.get(..number).unwrap_or_default(),
                tools,
                metrics,
                &mut fields,
            )?);
        }
        let sink = |name: &String| sinks.iter().position(|s| s == name).ok_or_else(|| BuildError(format!("no sink `{name}`")));
        let streams = streams(plan, pipeline, sink)?;
        let mut outputs = Vec::new();
        for (number, output) in pipeline.outputs.iter().enumerate() {
            let lead = match &output.way {
                Way::Dropped => Lead::Dropped,
                Way::Default => Lead::Default,
                Way::To(_) => Lead::To(streams.iter().enumerate().filter(|(_, s)| s.outputs.contains(&number)).map(|(i, _)| i).collect()),
            };
            let counted = before.and_then(|b| b.outputs.iter().find(|o| o.name == output.name)).map(|o| Arc::clone(&o.records));
            outputs.push(OutputGraph { name: output.name.clone(), lead, records: counted.unwrap_or_default() });
        }
        let dead_letters = pipeline.dead_letters.iter().map(sink).collect::<Result<_, _>>()?;
        let dead = |cause: &&'static str| {
            (*cause, metrics.dead_letters.get_or_create(&DeadLabels { pipeline: pipeline.name.clone(), reason: (*cause).into() }).clone())
        };
        let counts = PipelineCounts {
            dead: CAUSES.iter().map(dead).collect(),
            scan_ns: before.map(|b| Arc::clone(&b.counts.scan_ns)).unwrap_or_default(),
            encode_ns: before.map(|b| Arc::clone(&b.counts.encode_ns)).unwrap_or_default(),
        };
        let ledger = metrics.ledger(&pipeline.name);
        Ok(Self {
            name: pipeline.name.as_str().into(),
            ledger,
            fields: Arc::new(fields),
            steps,
            outputs,
            streams,
            dead_letters,
            undecodable: pipeline.undecodable,
            refused: Vec::new(),
            counts,
        })
    }

    /// Where the records of an output go: its own lead, or the default output's.
    pub(crate) fn lead(&self, way: u8) -> usize {
        match self.outputs.get(usize::from(way)).map(|o| &o.lead) {
            Some(Lead::Default) | None => 0,
            Some(_) => usize::from(way),
        }
    }

    pub(crate) fn count_dead(&self, cause: &str, records: u64) {
        if let Some((_, counter)) = self.counts.dead.iter().find(|(c, _)| *c == cause) {
            counter.inc_by(records);
        }
    }

    /// The counter of a cause.
    pub(crate) fn dead(&self, cause: &str) -> Counter {
        self.counts.dead.iter().find(|(c, _)| *c == cause).map(|(_, counter)| counter.clone()).unwrap_or_default()
    }

    pub(crate) fn time(&self, which: &AtomicU64, since: std::time::Instant) {
        which.fetch_add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Groups what the outputs lead to by the set of outputs that lead there: a sink of two outputs gets their records in the
/// order in which they came, and each record is encoded once for all who get the same.
fn streams(
    plan: &Plan,
    pipeline: &PipelinePlan,
    sink: impl Fn(&String) -> Result<usize, BuildError>,
) -> Result<Vec<StreamGraph>, BuildError> {
    let mut targets: Vec<(&Target, Vec<usize>)> = Vec::new();
    for (number, output) in pipeline.outputs.iter().enumerate() {
        let Way::To(all) = &output.way else { continue };
        for target in all {
            match targets.iter_mut().find(|(t, _)| *t == target) {
                Some((_, outputs)) => outputs.push(number),
                None => targets.push((target, vec![number])),
            }
        }
    }
    let mut streams: Vec<StreamGraph> = Vec::new();
    for (target, outputs) in targets {
        let at = streams.iter().position(|s| s.outputs == outputs).unwrap_or_else(|| {
            streams.push(StreamGraph { outputs, sinks: Vec::new(), pipelines: Vec::new() });
            streams.len() - 1
        });
        let Some(stream) = streams.get_mut(at) else { continue };
        match target {
            Target::Sink(name) => stream.sinks.push(sink(name)?),
            Target::Pipeline(name) => {
                let reader = plan.pipelines.iter().position(|p| p.name == *name);
                stream.pipelines.push(reader.ok_or_else(|| BuildError(format!("no pipeline `{name}`")))?);
            }
        }
    }
    Ok(streams)
}

/// A column of a step.
pub(crate) struct ShownField {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// Whether an earlier step may have changed what the record says there.
    pub(crate) may_differ: bool,
}

impl StepGraph {
    #[allow(clippy::too_many_arguments)]
    fn build(
        plan: &Plan,
        pipeline: &str,
        number: usize,
        step: &StepPlan,
        earlier: &[StepPlan],
        tools: &Tools,
        metrics: &Metrics,
        fields: &mut Fields,
    ) -> Result<Self, BuildError> {
        let too_many = |e: tamis_record::TooManyFields| BuildError(e.to_string());
        let columns = step.signature.reads.iter().map(|f| fields.read(&f.path, f.kind)).collect::<Result<_, _>>().map_err(too_many)?;
        let writes = step.signature.writes.iter().map(|f| fields.write(&f.path)).collect::<Result<_, _>>().map_err(too_many)?;
        let written = || earlier.iter().flat_map(|step| &step.signature.writes);
        let shown = step.signature.reads.iter().map(|read| ShownField {
            path: read.path.to_string(),
            kind: read.kind,
            may_differ: written().any(|write| write.path.relation(&read.path) != Relation::Apart),
        });
        let shown = shown.collect();
        let (work, plugin, digest) = match &step.mode {
            Mode::Plugin(name) => {
                let loaded = tools.plugins.get(name).ok_or_else(|| BuildError(format!("plugin `{name}` is not loaded")))?;
                (Work::Plugin(loaded.clone()), Some(name.clone()), plan.plugins.get(name).map(|p| p.digest.clone()))
            }
            _ => {
                let program = tools
                    .programs
                    .get(&(pipeline.to_string(), number))
                    .ok_or_else(|| BuildError(format!("step {number} of `{pipeline}` is not compiled")))?;
                (Work::Program(program.clone()), None, None)
            }
        };
        let labels = StepLabels {
            pipeline: pipeline.into(),
            step: step.name.clone(),
            plugin: plugin.clone().unwrap_or_default(),
            digest: digest.clone().unwrap_or_default(),
        };
        let trap = |cause: Cause| {
            let labels = labels.clone();
            let labels = TrapLabels {
                pipeline: labels.pipeline,
                step: labels.step,
                plugin: labels.plugin,
                digest: labels.digest,
                cause: cause.name().into(),
            };
            metrics.step_traps.get_or_create(&labels).clone()
        };
        let counts = StepCounts {
            taken: metrics.step_in.get_or_create(&labels).clone(),
            out: metrics.step_out.get_or_create(&labels).clone(),
            dropped: metrics.step_dropped.get_or_create(&labels).clone(),
            rejected: metrics.step_rejected.get_or_create(&labels).clone(),
            traps: Cause::ALL.map(trap),
            seconds: metrics.step_seconds.get_or_create(&labels).clone(),
            busy: metrics.step_busy.get_or_create(&labels).clone(),
            memory: metrics.step_memory.get_or_create(&labels).clone(),
            breaker: metrics.step_breaker.get_or_create(&labels).clone(),
        };
        if let Work::Plugin(loaded) = &work {
            metrics.step_deadline.get_or_create(&labels).set(loaded.deadline.as_secs_f64());
        }
        Ok(Self {
            name: step.name.clone(),
            plugin,
            digest,
            setup: if let Work::Plugin(loaded) = &work { Some(Arc::clone(&loaded.setup)) } else { None },
            columns,
            shown,
            writes,
            write_kinds: step.signature.writes.iter().map(|f| f.kind).collect(),
            ways: step.ways.clone(),
            outputs: step.signature.outputs.clone(),
            on_failure: step.on_failure,
            work,
            counts,
        })
    }

    /// The reason of a failure, without what was filled into the plugin's configuration.
    pub(crate) fn told<'a>(&self, failure: &'a Failure) -> Cow<'a, str> {
        match &self.work {
            Work::Plugin(loaded) if !loaded.filled.is_empty() => {
                let told = tamis_config::without_filled(&failure.reason, &loaded.filled);
                // What stands instead may be longer: it is clipped again.
                Cow::Owned(Failure::new(failure.cause, told).reason.to_string())
            }
            _ => Cow::Borrowed(&failure.reason),
        }
    }

    /// The name of one of its own outputs, from 0.
    pub(crate) fn output(&self, number: u8) -> Option<String> {
        self.outputs.get(usize::from(number)).cloned()
    }

    /// Columns of nothing, one for each written field: the patch that removes it from so many rows.
    pub(crate) fn blanks(&self, rows: usize) -> impl Iterator<Item = Column> + '_ {
        self.write_kinds.iter().map(move |kind| {
            let mut column = Column::new(*kind);
            (0..rows).for_each(|_| column.values.push_absent());
            column.present = Some(vec![0; rows.div_ceil(8)]);
            column
        })
    }
}
