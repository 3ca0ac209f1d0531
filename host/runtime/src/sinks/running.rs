//! The sinks that run, each behind its queue. A queue outlives what takes from it: a sink that a reload changes is replaced behind
//! it, and what waits is delivered by the next one.

use super::{BatchSink, HealthCheck, Intake, Letters, Outlet, SinkCounts, SpooledSink, StreamSink, Turn, queue};
use crate::engine::StartError;
use crate::metrics::{Metrics, SinkLabels};
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tamis_config::{Buffer, ColumnType, Concurrency, Config, ObjectFormat, Retry, Sink, WhenFull};
use tamis_delivery::Backoff;
use tamis_delivery::disk::RealDisk;
use tamis_delivery::spool::{Spool, SpoolOptions, SpoolReader, SpoolWriter};
use tamis_nodes::sinks::{FileSink, OpenError, Opened, WrittenFiles};
use tamis_plan::Plan;
use tamis_record::Kind;

/// How often it is looked whether what a sink waits for has come.
const LOOK: Duration = Duration::from_millis(5);
/// Pause before a sink that takes another one's place is opened again.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// What a sink is: one of the configuration, or the file of a pipeline's dead letters.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a host has a handful of them")]
pub(crate) enum Spec {
    Configured(Sink),
    Private(PathBuf),
}

impl Spec {
    /// What the sink `name` of a graph is.
    pub(crate) fn of(config: &Config, name: &str) -> Self {
        match config.sinks.get(name) {
            Some(sink) => Self::Configured(sink.value.clone()),
            None => Self::Private(config.settings.data_dir.join(format!("{name}.ndjson"))),
        }
    }

    /// With what the plan says of the records that it gets, for one that wants to know.
    pub(crate) fn knowing(mut self, plan: &Plan, name: &str) -> Self {
        let known = match &mut self {
            Self::Configured(Sink::S3(sink)) if sink.format == ObjectFormat::Parquet => &mut sink.known,
            Self::Configured(Sink::Parquet(sink)) => &mut sink.known,
            Self::Configured(_) | Self::Private(_) => return self,
        };
        let column = |kind| match kind {
            Kind::Text => ColumnType::String,
            Kind::Integer => ColumnType::Int,
            Kind::Float => ColumnType::Float,
            Kind::Boolean => ColumnType::Bool,
            Kind::Json => ColumnType::Json,
        };
        *known = tamis_plan::written(plan, name).into_iter().map(|(name, kind)| (name, column(kind))).collect();
        self
    }

    /// Whether it may refuse records: then it is no place for those that another one refused.
    pub(crate) fn refuses(&self) -> bool {
        matches!(self, Self::Configured(sink) if sink.refuses())
    }

    fn buffer(&self) -> Buffer {
        match self {
            Self::Configured(sink) => sink.buffer(),
            Self::Private(_) => Buffer::default(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Configured(sink) => sink.retry(),
            Self::Private(_) => Retry::default(),
        }
    }

    /// The bounds of its queue.
    fn bounds(&self) -> (usize, WhenFull) {
        let buffer = self.buffer();
        // With a spool, it is the spool that is full.
        let when_full = if buffer.disk.is_some() { WhenFull::Block } else { buffer.when_full };
        (usize::try_from(buffer.memory.0).unwrap_or(usize::MAX), when_full)
    }

    /// What it alone may have: the files that it writes, or the address that it listens at.
    fn own(&self) -> Option<&str> {
        match self {
            Self::Configured(Sink::File(file)) => Some(file.path.as_str()),
            Self::Configured(Sink::Prometheus(prometheus)) => Some(prometheus.listen.as_str()),
            _ => None,
        }
    }

    fn healthcheck(&self) -> bool {
        matches!(self, Self::Configured(sink) if sink.healthcheck())
    }

    pub(super) fn open(&self, written: &WrittenFiles) -> Result<Opened, OpenError> {
        match self {
            Self::Configured(sink) => match tamis_nodes::sinks::open(sink, written)? {
                Some(opened) => Ok(opened),
                None => tamis_network::open(sink)
                    .unwrap_or_else(|| Err(OpenError::Network(format!("this build has no sink of type `{}`", sink.type_name())))),
            },
            Self::Private(path) => {
                let folder = path.parent().and_then(Path::parent).unwrap_or(Path::new("."));
                if let Err(error) = std::fs::create_dir_all(folder) {
                    tracing::warn!(
                        "dead letters cannot be kept in `{}` ({error}): name a sink under `dead_letters`, or a `settings.data_dir` that can be written; until then the first one holds its pipeline up",
                        folder.display()
                    );
                }
                Ok(Opened::Stream(Box::new(FileSink::private(path))))
            }
        }
    }
}

/// What sinks are opened with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) written: WrittenFiles,
    pub(crate) data_dir: PathBuf,
    /// Whether the host ends when all sources have.
    pub(crate) once: bool,
}

/// Everything that was opened for a sink.
struct Parts {
    opened: Opened,
    spool: Option<(SpoolWriter, SpoolReader)>,
}

impl Surroundings {
    fn open(&self, name: &str, spec: &Spec) -> Result<Parts, StartError> {
        let opened = spec.open(&self.written).map_err(|error| StartError::Sink { sink: name.into(), error })?;
        let spool = spec.buffer().disk.map(|bytes| self.open_spool(name, bytes.0)).transpose()?;
        Ok(Parts { opened, spool })
    }

    /// Opens the spool of a sink and tells what was found in it.
    fn open_spool(&self, sink: &str, bytes: u64) -> Result<(SpoolWriter, SpoolReader), StartError> {
        let folder = self.data_dir.join("spool").join(sink);
        let (writer, reader, found) = Spool::open(Arc::new(RealDisk), &folder, SpoolOptions::new(bytes))
            .map_err(|error| StartError::Spool { sink: sink.into(), error })?;
        self.metrics.watch_spool(sink, writer.level());
        if found.pending > 0 {
            tracing::info!(sink, "{} batches of an earlier run wait in the spool", found.pending);
        }
        if found.torn_bytes > 0 {
            tracing::info!(sink, "{} bytes that an earlier run had not finished are passed over", found.torn_bytes);
        }
        if let Some(kept) = &found.acknowledged_damaged {
            tracing::error!(sink, "how far the spool was delivered is damaged: all of it comes again (kept as `{}`)", kept.display());
        }
        for region in &found.damaged {
            let kept = region.kept.as_ref().map_or_else(String::new, |kept| format!(", kept as `{}`", kept.display()));
            tracing::error!(sink, "{} bytes at {} of `{}` are damaged{kept}", region.bytes, region.offset, region.segment.display());
        }
        if found.lost_entries > 0 {
            tracing::error!(sink, "{} batches of the spool are lost: {:?}", found.lost_entries, found.lost);
        }
        for stranger in &found.strangers {
            tracing::warn!(sink, "`{}` is none of the spool's files: it is left alone", stranger.display());
        }
        Ok((writer, reader))
    }
}

/// A sink's queue and whoever takes from it.
struct Slot {
    name: String,
    intake: Intake,
    counts: Arc<SinkCounts>,
    surroundings: Surroundings,
    state: Mutex<State>,
}

struct State {
    /// What is to take from the queue.
    wanted: Spec,
    /// What takes from it, and the threads it does so with.
    taking: Option<(Spec, Stop, Vec<JoinHandle<()>>)>,
    /// What a thread that makes the one the other works with, while there is one.
    change: Option<Change>,
}

/// What a change needs. It is kept no longer: [`Letters`] keep queues open.
#[derive(Clone)]
struct Change {
    spec: Spec,
    letters: Letters,
    /// Whether pipelines lead to no other sink.
    only: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_finished(&self) -> bool {
        let state = self.state();
        state.change.is_none() && state.taking.as_ref().is_none_or(|(_, _, threads)| threads.iter().all(JoinHandle::is_finished))
    }

    /// Starts what takes from the queue.
    fn start(&self, spec: &Spec, parts: Parts, letters: Letters, only: bool) -> io::Result<(Stop, Vec<JoinHandle<()>>)> {
        let Surroundings { stop, pool, once, .. } = &self.surroundings;
        let (stop, pool, once) = (stop.part(), Arc::clone(pool), *once);
        let (name, counts) = (self.name.clone(), Arc::clone(&self.counts));
        let (mut intake, mut threads) = (self.intake.clone(), Vec::new());
        let retry = spec.retry();
        let backoff = Backoff::new(retry.initial, retry.max, retry.give_up_after);
        let spooled = parts.spool.is_some();
        if let Some((writer, reader)) = parts.spool {
            let (inlet, behind) = queue(spec.bounds().0, WhenFull::Block);
            let sink = Outlet { inlet, counts: Arc::clone(&counts) };
            let (name, stop, letters, when_full) = (name.clone(), stop.clone(), letters.clone(), spec.buffer().when_full);
            let spooled = SpooledSink { name, writer, reader, when_full, sink, letters, stop, once };
            threads.extend(spooled.spawn(std::mem::replace(&mut intake, behind))?);
        }
        match parts.opened {
            Opened::Stream(sink) => {
                // One that takes all and never gives up needs no way for dead letters, and must hold none: others wait for its end.
                let letters = if spec.refuses() { letters } else { Letters::default() };
                let sink = StreamSink { name, sink, counts, stop: stop.clone(), pool, backoff, letters, only };
                threads.extend(sink.spawn(intake)?);
            }
            Opened::Batches { delivery, concurrency, batch } => {
                let most = concurrency.most() as usize;
                let shown = self.surroundings.metrics.sink_concurrency.get_or_create(&SinkLabels { sink: name.clone() }).clone();
                shown.set(i64::try_from(most).unwrap_or(i64::MAX));
                let turn = (concurrency == Concurrency::Adaptive).then(|| Turn::new(most, shown));
                let (sink, stop) = (delivery.into(), stop.clone());
                let sink = BatchSink { name, sink, batch, counts, stop, pool, backoff, letters, spooled, turn };
                threads.extend(sink.spawn(&intake, most)?);
            }
        }
        Ok((stop, threads))
    }

    /// Wants another sink behind the queue; a thread brings it about. `after`: whose files or address it takes over.
    fn change(self: &Arc<Self>, change: Change, after: Vec<Arc<Self>>) -> io::Result<()> {
        let mut state = self.state();
        state.wanted = change.spec.clone();
        if state.change.replace(change).is_some() {
            return Ok(());
        }
        drop(state);
        let slot = Arc::clone(self);
        std::thread::Builder::new().name(format!("change {}", self.name)).spawn(move || {
            let _guard = HaltOnPanic(slot.surroundings.stop.clone());
            while after.iter().any(|other| !other.is_finished()) && !slot.surroundings.stop.is_now() {
                std::thread::sleep(LOOK);
            }
            while slot.step() {}
        })?;
        Ok(())
    }

    /// Brings what takes closer to what is wanted. `false`: they are the same, or everything ends.
    fn step(&self) -> bool {
        let mut state = self.state();
        let there =
            state.taking.as_ref().is_some_and(|(spec, _, threads)| *spec == state.wanted && !threads.iter().any(JoinHandle::is_finished));
        if there || self.surroundings.stop.is_now() {
            state.change = None;
        }
        let (Some(change), taking) = (state.change.clone(), state.taking.take_if(|_| !there)) else { return false };
        drop(state);
        if let Some((_, stop, threads)) = taking {
            self.intake.retire();
            stop.drain();
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
        let parts = match self.surroundings.open(&self.name, &change.spec) {
            Ok(parts) => parts,
            Err(error) => {
                tracing::error!("{error}; trying again: what is meant for it waits");
                self.surroundings.stop.pause(OPEN_AGAIN);
                return true;
            }
        };
        let (bytes_max, when_full) = change.spec.bounds();
        self.intake.succeed(bytes_max, when_full);
        self.counts.queue_limit.set(i64::try_from(bytes_max).unwrap_or(i64::MAX));
        match self.start(&change.spec, parts, change.letters, change.only) {
            Ok((stop, threads)) => {
                tracing::info!(sink = self.name, "the changed sink is at work");
                self.state().taking = Some((change.spec, stop, threads));
            }
            Err(error) => self.surroundings.stop.halt(format!("sink `{}`: cannot start a thread: {error}", self.name)),
        }
        true
    }
}

/// All sinks that run.
pub(crate) struct Sinks {
    surroundings: Surroundings,
    slots: BTreeMap<String, Arc<Slot>>,
}

/// What a generation needs of sinks, opened but not running.
pub(crate) struct Prepared {
    /// The ways to the sinks, in the order asked for.
    pub(crate) outlets: Vec<Outlet>,
    fresh: Vec<(Arc<Slot>, Spec, Parts)>,
    changed: Vec<(Arc<Slot>, Spec, Vec<Arc<Slot>>)>,
}

impl Prepared {
    /// The sinks that begin or change, by name.
    pub(crate) fn touched(&self) -> impl Iterator<Item = &str> {
        self.fresh.iter().map(|(slot, ..)| slot.name.as_str()).chain(self.changed.iter().map(|(slot, ..)| slot.name.as_str()))
    }
}

impl Sinks {
    pub(crate) fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, slots: BTreeMap::new() }
    }

    /// Opens what is new among the sinks. `current` gives the ways to those of the running generation.
    pub(crate) fn prepare(&self, wanted: &[(String, Spec)], current: impl Fn(&str) -> Option<Outlet>) -> Result<Prepared, StartError> {
        let mut prepared = Prepared { outlets: Vec::new(), fresh: Vec::new(), changed: Vec::new() };
        for (name, spec) in wanted {
            // Two that write the same files would spoil them, and an address is one's alone: one ends before the other begins.
            let after = self.owners(spec, wanted, name);
            let old = self.slots.get(name);
            let (inlet, slot) = match (old, current(name)) {
                (Some(slot), Some(outlet)) => {
                    let wanted = slot.state().wanted.clone();
                    if wanted != *spec {
                        // It is opened for good when the one before has ended. Whether it can be shows now.
                        if after.is_empty() && spec.own().is_some() && spec.own() != wanted.own() {
                            spec.open(&self.surroundings.written).map_err(|error| StartError::Sink { sink: name.into(), error })?;
                        }
                        prepared.changed.push((Arc::clone(slot), spec.clone(), after));
                    }
                    prepared.outlets.push(outlet);
                    continue;
                }
                // It was taken away, and is back before it has ended. Its threads may just have found that nobody brings any more.
                (Some(slot), None) => {
                    if let Some((spec, ..)) = &mut slot.state().taking {
                        *spec = Spec::Private(PathBuf::new());
                    }
                    (slot.intake.reopen(), Arc::clone(slot))
                }
                (None, _) => {
                    let (bytes_max, when_full) = spec.bounds();
                    let (inlet, intake) = queue(bytes_max, when_full);
                    (inlet, self.slot(name, spec, intake))
                }
            };
            prepared.outlets.push(Outlet { inlet, counts: Arc::clone(&slot.counts) });
            if old.is_some() || !after.is_empty() {
                prepared.changed.push((slot, spec.clone(), after));
            } else {
                let parts = self.surroundings.open(name, spec)?;
                prepared.fresh.push((slot, spec.clone(), parts));
            }
        }
        Ok(prepared)
    }

    /// Those that are new or changed and want to know first whether their receivers are well.
    pub(crate) fn to_ask(&self, wanted: &[(String, Spec)]) -> HealthCheck {
        let changed = |name: &str, spec: &Spec| self.slots.get(name).is_none_or(|slot| slot.state().wanted != *spec);
        let asked = wanted.iter().filter(|(name, spec)| spec.healthcheck() && changed(name, spec)).cloned().collect();
        let Surroundings { written, stop, .. } = &self.surroundings;
        HealthCheck { asked, written: written.clone(), stop: stop.clone() }
    }

    fn slot(&self, name: &str, spec: &Spec, intake: Intake) -> Arc<Slot> {
        let state = State { wanted: spec.clone(), taking: None, change: None };
        let counts = SinkCounts::new(name, &self.surroundings.metrics);
        counts.queue_limit.set(i64::try_from(spec.bounds().0).unwrap_or(i64::MAX));
        Arc::new(Slot { name: name.into(), intake, counts, surroundings: self.surroundings.clone(), state: Mutex::new(state) })
    }

    /// Other sinks that have what it alone may have, and are taken away or changed.
    fn owners(&self, spec: &Spec, wanted: &[(String, Spec)], name: &str) -> Vec<Arc<Slot>> {
        let Some(own) = spec.own() else { return Vec::new() };
        let stays = |slot: &Slot| wanted.iter().any(|(name, spec)| *name == slot.name && spec.own() == Some(own));
        let others = self.slots.values().filter(|slot| slot.name != name && !slot.is_finished());
        others.filter(|slot| slot.state().wanted.own() == Some(own) && !stays(slot)).cloned().collect()
    }

    /// Starts what was prepared.
    pub(crate) fn commit(&mut self, prepared: Prepared, letters: &Letters, only: Option<&str>) -> io::Result<Vec<Outlet>> {
        self.slots.retain(|_, slot| !slot.is_finished());
        for (slot, spec, parts) in prepared.fresh {
            let only = only == Some(slot.name.as_str());
            let (stop, threads) = slot.start(&spec, parts, letters.clone(), only)?;
            slot.state().taking = Some((spec, stop, threads));
            self.slots.insert(slot.name.clone(), slot);
        }
        for (slot, spec, after) in prepared.changed {
            let only = only == Some(slot.name.as_str());
            slot.change(Change { spec, letters: letters.clone(), only }, after)?;
            self.slots.insert(slot.name.clone(), slot);
        }
        Ok(prepared.outlets)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.slots.values().all(|slot| slot.is_finished())
    }

    /// Their threads, to be waited for at the end.
    pub(crate) fn take_threads(&mut self) -> Vec<JoinHandle<()>> {
        self.slots.values().filter_map(|slot| slot.state().taking.take()).flat_map(|(_, _, threads)| threads).collect()
    }

    /// Their counts, by name.
    pub(crate) fn counts(&self, name: &str) -> Option<Arc<SinkCounts>> {
        self.slots.get(name).map(|slot| Arc::clone(&slot.counts))
    }
}
