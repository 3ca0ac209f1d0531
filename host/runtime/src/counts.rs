//! What became of every record, in numbers.

use crate::graph::Graph;
use crate::metrics::Metrics;
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
    /// Records read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Age of the oldest records that are not yet delivered, in seconds.
    pub lag_seconds: f64,
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
    /// Its plugin, if it is one's.
    pub plugin: Option<String>,
    /// Its plugin's digest.
    pub digest: Option<String>,
    /// Memory of its plugin's instance on the lane that ran last, in bytes.
    pub memory_bytes: u64,
    /// Whether its plugin is not called because it keeps failing.
    pub breaker_open: bool,
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
    /// Records that its receiver rejected without saying which; they are not among the dead letters.
    #[serde(skip_serializing_if = "is_none")]
    pub unnamed: u64,
    /// Records dropped because its queue was full.
    pub dropped: u64,
    /// Records given up.
    pub undelivered: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Writes tried again.
    pub retries: u64,
    /// Records waiting for it.
    pub queue_records: u64,
    /// `ok`, or `failing` while tries fail; the log says why.
    pub state: &'static str,
    /// Since when it fails, as RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// What waits on disk, where it has a spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolSummary>,
}

/// Most sinks learn of each record what became of it.
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What waits in a sink's spool.
#[derive(Debug, Clone, Serialize)]
pub struct SpoolSummary {
    /// Batches.
    pub batches: u64,
    /// Bytes of these batches.
    pub waiting_bytes: u64,
    /// Bytes on disk, of what is delivered among them until its file goes.
    pub bytes: u64,
}

impl Summary {
    pub(crate) fn collect(
        generation: u64,
        graph: &Graph,
        flights: &[(Arc<str>, Arc<Flight>)],
        sinks: &[Arc<SinkCounts>],
        metrics: &Metrics,
        plugins: &[(String, Plugin)],
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
                    let (records, bytes) = crate::sources::counters(name, metrics);
                    let (records, bytes) = (records.get(), bytes.get());
                    let mut source = SourceSummary { name: name.to_string(), settled: 0, held: 0, records, bytes, lag_seconds: 0.0 };
                    for (_, flight) in flights.iter().filter(|(of, _)| of == name) {
                        source.settled += flight.settled();
                        source.held += flight.under_way() + flight.undelivered();
                        source.lag_seconds = source.lag_seconds.max(flight.lag().as_secs_f64());
                    }
                    source
                })
                .collect(),
            pipelines: pipelines.collect(),
            sinks: graph.sinks.iter().zip(sinks).map(|(name, counts)| SinkSummary::collect(name, counts, metrics)).collect(),
            plugins: plugins.iter().map(|(name, p)| (name.clone(), p.counters().into_iter().collect())).collect(),
            samples: Vec::new(),
        }
    }
}

impl SinkSummary {
    fn collect(name: &str, counts: &SinkCounts, metrics: &Metrics) -> Self {
        let failing = counts.failing_since();
        Self {
            name: name.to_string(),
            delivered: counts.delivered.get(),
            rejected: counts.rejected.get(),
            unnamed: counts.unnamed.get(),
            dropped: counts.dropped.get(),
            undelivered: counts.undelivered.get(),
            bytes: counts.bytes.get(),
            retries: counts.retries.get(),
            queue_records: u64::try_from(counts.queue.get()).unwrap_or(0),
            state: if failing.is_some() { "failing" } else { "ok" },
            failing_since: failing.map(|since| humantime::format_rfc3339_seconds(since).to_string()),
            spool: metrics.spool(name).map(|level| SpoolSummary {
                batches: level.pending(),
                waiting_bytes: level.pending_bytes(),
                bytes: level.bytes(),
            }),
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
            plugin: step.plugin.clone(),
            digest: step.digest.clone(),
            memory_bytes: u64::try_from(step.counts.memory.get()).unwrap_or(0),
            breaker_open: step.counts.breaker.get() != 0,
        }
    }
}
