//! The host's metrics, by the names that the documentation promises.

mod process;
mod sinks;

use crate::sinks::SinkCounts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use tamis_delivery::spool::SpoolLevel;
use tamis_delivery::{Flight, Ledger};
use tamis_nodes::sources::Reading;
use tamis_sandbox::Plugin;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct SourceLabels {
    pub(crate) source: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct StepLabels {
    pub(crate) pipeline: String,
    pub(crate) step: String,
    pub(crate) plugin: String,
    pub(crate) digest: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct TrapLabels {
    pub(crate) pipeline: String,
    pub(crate) step: String,
    pub(crate) plugin: String,
    pub(crate) digest: String,
    pub(crate) cause: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct SinkLabels {
    pub(crate) sink: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct SinkResultLabels {
    pub(crate) sink: String,
    pub(crate) result: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct DeadLabels {
    pub(crate) pipeline: String,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct EventLabels {
    pub(crate) source: String,
    pub(crate) event: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ReloadLabels {
    pub(crate) result: String,
}

/// All metrics of a host.
pub struct Metrics {
    registry: Mutex<Registry>,
    pub(crate) source_records: Family<SourceLabels, Counter>,
    pub(crate) source_bytes: Family<SourceLabels, Counter>,
    pub(crate) source_events: Family<EventLabels, Counter>,
    pub(crate) source_failed: Family<SourceLabels, Gauge>,
    pub(crate) step_in: Family<StepLabels, Counter>,
    pub(crate) step_out: Family<StepLabels, Counter>,
    pub(crate) step_dropped: Family<StepLabels, Counter>,
    pub(crate) step_rejected: Family<StepLabels, Counter>,
    pub(crate) step_traps: Family<TrapLabels, Counter>,
    pub(crate) step_seconds: Family<StepLabels, Histogram>,
    pub(crate) step_busy: Family<StepLabels, Counter<f64, AtomicU64>>,
    pub(crate) step_memory: Family<StepLabels, Gauge>,
    pub(crate) step_breaker: Family<StepLabels, Gauge>,
    pub(crate) step_deadline: Family<StepLabels, Gauge<f64, AtomicU64>>,
    pub(crate) sink_records: Family<SinkResultLabels, Counter>,
    pub(crate) sink_bytes: Family<SinkLabels, Counter>,
    pub(crate) sink_retries: Family<SinkLabels, Counter>,
    pub(crate) sink_concurrency: Family<SinkLabels, Gauge>,
    pub(crate) sink_queue: Family<SinkLabels, Gauge>,
    pub(crate) sink_queue_limit: Family<SinkLabels, Gauge>,
    pub(crate) dead_letters: Family<DeadLabels, Counter>,
    generation: Gauge,
    pub(crate) reloads: Family<ReloadLabels, Counter>,
    live: Arc<Mutex<Live>>,
    degraded: Gauge,
    /// The folder on whose disk the host keeps what must survive.
    disk: Arc<process::Folder>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What is read when somebody asks, because it is counted elsewhere.
#[derive(Default)]
struct Live {
    plugins: Vec<Plugin>,
    /// What plugins of earlier generations counted, by name.
    before: BTreeMap<String, Before>,
    flights: Vec<(String, Arc<Flight>)>,
    ledgers: Vec<(String, Arc<Ledger>)>,
    spools: Vec<(String, SpoolLevel)>,
    sinks: Vec<(String, Arc<SinkCounts>)>,
    reading: Vec<(String, Vec<Reading>)>,
}

#[derive(Debug, Default)]
struct Before {
    counters: BTreeMap<String, u64>,
    log_lines_dropped: u64,
}

/// Puts a value in the place of the one of that name.
fn put<T>(list: &mut Vec<(String, T)>, name: &str, value: T) {
    match list.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => list.push((name.into(), value)),
    }
}

struct LiveCollector(Arc<Mutex<Live>>);

impl std::fmt::Debug for LiveCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCollector").finish_non_exhaustive()
    }
}

impl Collector for LiveCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counters = ConstCounter::new(0u64);
        let mut family = encoder.encode_descriptor("tamis_plugin_counter", "Counters of plugins", None, counters.metric_type())?;
        for (plugin, counted) in live.counted() {
            for (name, value) in counted.counters {
                counters = ConstCounter::new(value);
                counters.encode(family.encode_family(&[("plugin", plugin.as_str()), ("name", name.as_str())])?)?;
            }
        }
        let mut dropped = ConstCounter::new(0u64);
        let mut family = encoder.encode_descriptor(
            "tamis_plugin_log_lines_dropped",
            "Log lines of plugins beyond their rate",
            None,
            dropped.metric_type(),
        )?;
        for (plugin, counted) in live.counted() {
            dropped = ConstCounter::new(counted.log_lines_dropped);
            dropped.encode(family.encode_family(&[("plugin", plugin.as_str())])?)?;
        }
        let mut lag = ConstGauge::new(0.0f64);
        let mut family = encoder.encode_descriptor(
            "tamis_ack_lag",
            "Age of the oldest records that are not yet delivered",
            Some(&Unit::Seconds),
            lag.metric_type(),
        )?;
        for (source, flight) in &live.flights {
            lag = ConstGauge::new(flight.lag().as_secs_f64());
            lag.encode(family.encode_family(&[("source", source.as_str())])?)?;
        }
        let mut held = ConstGauge::new(0i64);
        let mut family = encoder.encode_descriptor(
            "tamis_source_held_records",
            "Records handed over and not yet delivered, dropped on purpose or dead-lettered",
            None,
            held.metric_type(),
        )?;
        for (source, flight) in &live.flights {
            held = ConstGauge::new(i64::try_from(flight.under_way()).unwrap_or(i64::MAX));
            held.encode(family.encode_family(&[("source", source.as_str())])?)?;
        }
        live.encode_sinks(&mut encoder)?;
        live.encode_ledgers(&mut encoder)?;
        live.encode_spools(&mut encoder)?;
        let reading = live.reading.clone();
        // Files are asked for their size: whoever is held up by one must not hold up the sources.
        drop(live);
        let mut unread = ConstGauge::new(0i64);
        let help = "Bytes of the source's files that it has not read yet";
        let mut family = encoder.encode_descriptor("tamis_source_unread_bytes", help, None, unread.metric_type())?;
        for (source, files) in &reading {
            unread = ConstGauge::new(i64::try_from(files.iter().map(Reading::unread).sum::<u64>()).unwrap_or(i64::MAX));
            unread.encode(family.encode_family(&[("source", source.as_str())])?)?;
        }
        Ok(())
    }
}

impl Live {
    /// What each plugin counted, in all generations together.
    fn counted(&self) -> BTreeMap<String, Before> {
        let mut all: BTreeMap<String, Before> =
            self.before.iter().map(|(name, b)| (name.clone(), Before { counters: b.counters.clone(), ..*b })).collect();
        for plugin in &self.plugins {
            let counted = all.entry(plugin.name().to_string()).or_default();
            for (name, value) in plugin.counters() {
                *counted.counters.entry(name).or_default() += value;
            }
            counted.log_lines_dropped += plugin.log_lines_dropped();
        }
        all
    }

    fn encode_ledgers(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let balances: Vec<_> = self.ledgers.iter().map(|(pipeline, ledger)| (pipeline.as_str(), ledger.balance())).collect();
        let mut records = ConstCounter::new(0u64);
        let help = "Records by what became of them: in = out + dropped + rejected + tamis_pipeline_held_records";
        let mut family = encoder.encode_descriptor("tamis_pipeline_records", help, None, records.metric_type())?;
        for (pipeline, balance) in &balances {
            for (result, value) in
                [("in", balance.taken), ("out", balance.out), ("dropped", balance.dropped), ("rejected", balance.rejected)]
            {
                records = ConstCounter::new(value);
                records.encode(family.encode_family(&[("pipeline", *pipeline), ("result", result)])?)?;
            }
        }
        let mut held = ConstGauge::new(0i64);
        let help = "Records that came in and are not yet delivered, dropped on purpose or dead-lettered";
        let mut family = encoder.encode_descriptor("tamis_pipeline_held_records", help, None, held.metric_type())?;
        for (pipeline, balance) in &balances {
            held = ConstGauge::new(i64::try_from(balance.held).unwrap_or(i64::MAX));
            held.encode(family.encode_family(&[("pipeline", *pipeline)])?)?;
        }
        let mut difference = ConstCounter::new(0u64);
        let help = "Records of which the pipeline lost count; anything but 0 is a fault of the host";
        let mut family = encoder.encode_descriptor("tamis_pipeline_difference_records", help, None, difference.metric_type())?;
        for (pipeline, balance) in &balances {
            difference = ConstCounter::new(balance.difference);
            difference.encode(family.encode_family(&[("pipeline", *pipeline)])?)?;
        }
        Ok(())
    }
}

/// How a reload may end. All are there from the start: what first appears with a 1 is no increase to whoever asks for the rate.
const RELOAD_RESULTS: [&str; 8] = ["applied", "unchanged", "sound", "trying", "gave_up", "refused", "failed", "superseded"];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let (degraded, disk) = (Gauge::default(), Arc::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::new(Arc::clone(&disk))));
        // Half the batches take under 2 ms; the deadline is 100 ms by default.
        let seconds = || Histogram::new([0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]);
        let metrics = Self {
            source_records: Family::default(),
            source_bytes: Family::default(),
            source_events: Family::default(),
            source_failed: Family::default(),
            step_in: Family::default(),
            step_out: Family::default(),
            step_dropped: Family::default(),
            step_rejected: Family::default(),
            step_traps: Family::default(),
            step_seconds: Family::new_with_constructor(seconds),
            step_busy: Family::default(),
            step_memory: Family::default(),
            step_breaker: Family::default(),
            step_deadline: Family::default(),
            sink_records: Family::default(),
            sink_bytes: Family::default(),
            sink_retries: Family::default(),
            sink_concurrency: Family::default(),
            sink_queue: Family::default(),
            sink_queue_limit: Family::default(),
            dead_letters: Family::default(),
            generation: Gauge::default(),
            reloads: Family::default(),
            live: Arc::default(),
            registry: Mutex::default(),
            degraded,
            disk,
        };
        for result in RELOAD_RESULTS {
            drop(metrics.reloads.get_or_create(&ReloadLabels { result: result.into() }));
        }
        registry.register("tamis_degraded", "1 while something else runs than the configuration asks for", metrics.degraded.clone());
        registry.register("tamis_source_records", "Records read", metrics.source_records.clone());
        registry.register("tamis_source_bytes", "Bytes read", metrics.source_bytes.clone());
        registry.register(
            "tamis_source_events",
            "What happened to a source beside records: rotations, truncations and the like",
            metrics.source_events.clone(),
        );
        registry.register("tamis_source_failed", "1 when the source ended with an error", metrics.source_failed.clone());
        registry.register("tamis_step_records_in", "Records shown to the step", metrics.step_in.clone());
        registry.register("tamis_step_records_out", "Records passed on by the step", metrics.step_out.clone());
        registry.register("tamis_step_records_dropped", "Records dropped by the step on purpose", metrics.step_dropped.clone());
        registry.register("tamis_step_records_rejected", "Records the step failed on", metrics.step_rejected.clone());
        registry.register("tamis_step_traps", "Failed calls of the step's plugin", metrics.step_traps.clone());
        registry.register("tamis_step_seconds", "Time of a batch in the step", metrics.step_seconds.clone());
        registry.register("tamis_step_busy_seconds", "Time spent in the step", metrics.step_busy.clone());
        registry.register(
            "tamis_step_memory_bytes",
            "Memory of the step's plugin instance on the lane that ran last",
            metrics.step_memory.clone(),
        );
        registry.register(
            "tamis_step_breaker_open",
            "1 while the step's plugin is not called because it keeps failing",
            metrics.step_breaker.clone(),
        );
        registry.register(
            "tamis_step_deadline_seconds",
            "Time that the step's plugin has for a batch: limits.deadline",
            metrics.step_deadline.clone(),
        );
        registry.register("tamis_sink_records", "Records that a sink was given", metrics.sink_records.clone());
        registry.register("tamis_sink_bytes", "Bytes written", metrics.sink_bytes.clone());
        registry.register("tamis_sink_retries", "Writes tried again", metrics.sink_retries.clone());
        let help = "Requests or batches that the sink may have under way at the same time";
        registry.register("tamis_sink_concurrency", help, metrics.sink_concurrency.clone());
        registry.register("tamis_sink_queue_records", "Records waiting for the sink", metrics.sink_queue.clone());
        registry.register("tamis_sink_queue_limit_bytes", "Bytes that may wait for the sink", metrics.sink_queue_limit.clone());
        registry.register("tamis_dead_letters", "Records among the dead letters", metrics.dead_letters.clone());
        metrics.generation.set(1);
        registry.register("tamis_generation", "Number of the running generation", metrics.generation.clone());
        registry.register("tamis_reload", "Reloads by how they ended", metrics.reloads.clone());
        registry.register_collector(Box::new(LiveCollector(Arc::clone(&metrics.live))));
        *metrics.registry.lock().unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }

    fn live(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The plugins of the generation that begins. What those of the same name counted before goes on.
    pub(crate) fn watch_plugins(&self, plugins: impl IntoIterator<Item = Plugin>) {
        let mut live = self.live();
        for old in std::mem::take(&mut live.plugins) {
            let before = live.before.entry(old.name().to_string()).or_default();
            for (name, value) in old.counters() {
                *before.counters.entry(name).or_default() += value;
            }
            before.log_lines_dropped += old.log_lines_dropped();
        }
        live.plugins.extend(plugins);
    }

    pub(crate) fn watch_flight(&self, source: &str, flight: &Arc<Flight>) {
        put(&mut self.live().flights, source, Arc::clone(flight));
    }

    /// The ledger of a pipeline: the same through all generations.
    pub(crate) fn ledger(&self, pipeline: &str) -> Arc<Ledger> {
        let mut live = self.live();
        if let Some((_, ledger)) = live.ledgers.iter().find(|(name, _)| name == pipeline) {
            return Arc::clone(ledger);
        }
        let ledger = Arc::default();
        live.ledgers.push((pipeline.into(), Arc::clone(&ledger)));
        ledger
    }

    /// How far a source's files are read.
    pub(crate) fn set_reading(&self, source: &str, files: Vec<Reading>) {
        put(&mut self.live().reading, source, files);
    }

    /// Bytes of all sources' files that are not read: as many as there are now, by how far they were read at the last look around.
    pub fn unread_bytes(&self) -> u64 {
        self.live().reading.iter().flat_map(|(_, files)| files).map(Reading::unread).fold(0, u64::saturating_add)
    }

    pub(crate) fn watch_sink(&self, sink: &str, counts: &Arc<SinkCounts>) {
        put(&mut self.live().sinks, sink, Arc::clone(counts));
    }

    pub(crate) fn watch_spool(&self, sink: &str, level: SpoolLevel) {
        put(&mut self.live().spools, sink, level);
    }

    /// How full a sink's spool is, where it has one.
    pub(crate) fn spool(&self, sink: &str) -> Option<SpoolLevel> {
        self.live().spools.iter().find(|(name, _)| name == sink).map(|(_, level)| level.clone())
    }

    pub(crate) fn generation(&self, number: u64) {
        self.generation.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Counts a reload that ended so: `applied`, `unchanged`, `refused`, `failed` and the like.
    pub fn reloaded(&self, result: &str) {
        self.reloads.get_or_create(&ReloadLabels { result: result.into() }).inc();
    }

    /// The folder whose disk is measured: `settings.data_dir`. The first one stays.
    pub fn watch_disk(&self, folder: &std::path::Path) {
        let _ = self.disk.set(folder.to_owned());
    }

    /// Says whether something else runs than the configuration asks for.
    pub fn set_degraded(&self, degraded: bool) {
        self.degraded.set(i64::from(degraded));
    }

    /// Everything in the text format of OpenMetrics 1.0, which Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_happened_yet_is_there_at_zero() {
        let metrics = Metrics::new();
        let text = metrics.encode();
        for result in RELOAD_RESULTS {
            assert!(text.contains(&format!("tamis_reload_total{{result=\"{result}\"}} 0\n")), "{text}");
        }
        assert!(text.contains("tamis_degraded 0\n") && !text.contains("tamis_data_dir"), "{text}");
        metrics.set_degraded(true);
        metrics.watch_disk(&std::env::temp_dir());
        metrics.watch_disk("another".as_ref());
        let text = metrics.encode();
        assert!(text.contains("tamis_degraded 1\n"), "{text}");
        assert!(text.contains("\ntamis_data_dir_size_bytes ") && text.contains("\ntamis_data_dir_available_bytes "), "{text}");
        metrics.set_degraded(false);
        assert!(metrics.encode().contains("tamis_degraded 0\n"));
    }
}
