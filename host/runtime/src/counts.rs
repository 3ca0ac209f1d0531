//! What became of every record, in numbers.

use crate::graph::Graph;
use crate::sample::Sample;
use crate::sinks::SinkCounts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tamis_delivery::Flight;
use tamis_sandbox::Plugin;

/// A run in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Number of the running generation.
    pub generation: u64,
    /// Time since the start, in seconds.
    pub seconds: f64,
    /// Sources.
    pub sources: Vec<SourceSummary>,
    /// Pipelines.
    pub pipelines: Vec<PipelineSummary>,
    /// Sinks.
    pub sinks: Vec<SinkSummary>,
    /// Counters of plugins, by plugin and name.
    pub plugins: BTreeMap<String, BTreeMap<String, u64>>,
    /// A few records before and after.
    pub samples: Vec<Sample>,
}

/// A source in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct SourceSummary {
    /// Name.
    pub name: String,
    /// Records delivered, dropped on purpose or dead-lettered.
    pub settled: u64,
    /// Records under way or given up.
    pub held: u64,
}

/// A pipeline in numbers: `in = out + dropped + rejected + held`.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineSummary {
    /// Name.
    pub name: String,
    /// Records that came.
    #[serde(rename = "in")]
    pub taken: u64,
    /// Records that left by an output.
    pub out: u64,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records among the dead letters.
    pub rejected: u64,
    /// Records that came and are under way, or were given up.
    pub held: u64,
    /// Records of which the pipeline lost count; anything but 0 is a fault of the host.
    pub difference: u64,
    /// Dead letters by cause, those that occurred.
    pub dead_letters: BTreeMap<String, u64>,
    /// Records by output.
    pub outputs: BTreeMap<String, u64>,
    /// Steps in order.
    pub steps: Vec<StepSummary>,
    /// Time spent validating records and finding fields, over all lanes, in seconds.
    pub scan_seconds: f64,
    /// Time spent encoding, over all lanes, in seconds.
    pub encode_seconds: f64,
}

/// A step in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct StepSummary {
    /// Name.
    pub name: String,
    /// Records shown to it.
    #[serde(rename = "in")]
    pub taken: u64,
    /// Records it passed on.
    pub out: u64,
    /// Records it dropped.
    pub dropped: u64,
    /// Records it failed on.
    pub rejected: u64,
    /// Failed calls by cause, those that occurred.
    pub failed_calls: BTreeMap<String, u64>,
    /// Time spent in it, over all lanes, in seconds.
    pub seconds: f64,
}

/// A sink in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct SinkSummary {
    /// Name.
    pub name: String,
    /// Records written, and durable where the sink is.
    pub delivered: u64,
    /// Records it refused, which are among the dead letters.
    pub rejected: u64,
    /// Records dropped because its queue was full.
    pub dropped: u64,
}

impl Summary {
    pub(crate) fn collect(
        generation: u64,
        graph: &Graph,
        flights: &[(Arc<str>, Arc<Flight>)],
        sinks: &[Arc<SinkCounts>],
        plugins: &[(String, Plugin)],
        samples: Vec<Sample>,
        since: Duration,
    ) -> Self {
        let seconds = |ns: &std::sync::atomic::AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
        let pipelines = graph.pipelines.iter().map(|p| (p, p.ledger.balance())).map(|(p, balance)| PipelineSummary {
            name: p.name.to_string(),
            taken: balance.taken,
            out: balance.out,
            dropped: balance.dropped,
            rejected: balance.rejected,
            held: balance.held,
            difference: balance.difference,
            dead_letters: p.counts.dead.iter().map(|(cause, n)| (cause.to_string(), n.get())).filter(|(_, n)| *n > 0).collect(),
            outputs: p.outputs.iter().map(|o| (o.name.clone(), o.records.load(Ordering::Relaxed))).collect(),
            steps: p.steps.iter().map(StepSummary::collect).collect(),
            scan_seconds: seconds(&p.counts.scan_ns),
            encode_seconds: seconds(&p.counts.encode_ns),
        });
        Self {
            generation,
            seconds: since.as_secs_f64(),
            sources: graph
                .sources
                .iter()
                .map(|name| {
                    let mut source = SourceSummary { name: name.to_string(), settled: 0, held: 0 };
                    for (_, flight) in flights.iter().filter(|(of, _)| of == name) {
                        source.settled += flight.settled();
                        source.held += flight.under_way() + flight.undelivered();
                    }
                    source
                })
                .collect(),
            pipelines: pipelines.collect(),
            sinks: graph
                .sinks
                .iter()
                .zip(sinks)
                .map(|(name, s)| SinkSummary {
                    name: name.clone(),
                    delivered: s.delivered.get(),
                    rejected: s.rejected.get(),
                    dropped: s.dropped.get(),
                })
                .collect(),
            plugins: plugins.iter().map(|(name, p)| (name.clone(), p.counters().into_iter().collect())).collect(),
            samples,
        }
    }
}

impl StepSummary {
    fn collect(step: &crate::graph::StepGraph) -> Self {
        let causes = tamis_sandbox::Cause::ALL.iter().zip(&step.counts.traps);
        Self {
            name: step.name.clone(),
            taken: step.counts.taken.get(),
            out: step.counts.out.get(),
            dropped: step.counts.dropped.get(),
            rejected: step.counts.rejected.get(),
            failed_calls: causes.map(|(cause, n)| (cause.name().to_string(), n.get())).filter(|(_, n)| *n > 0).collect(),
            seconds: step.counts.busy.get(),
        }
    }
}
