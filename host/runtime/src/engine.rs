//! The engine: starts sources, lanes and sinks, and brings them to an end in that order.

use crate::counts::Summary;
use crate::graph::Graph;
use crate::lane::{Addressed, Boarded, Lane};
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::sample::Samples;
use crate::sequence::Sequence;
use crate::sinks::{BatchSink, Letters, Outlet, SinkCounts, SpooledSink, StreamSink, queue};
use crate::sources::{Gate, REPLAY, Replay, counters};
use crate::stop::{HaltOnPanic, Stop};
use crate::suspects::Suspects;
use crate::tools::Tools;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_config::{Buffer, Config, Lanes, PathTemplate, Retry, Sink, Source, WhenFull};
use tamis_delivery::disk::RealDisk;
use tamis_delivery::spool::{Spool, SpoolOptions, SpoolReader, SpoolWriter};
use tamis_delivery::{Backoff, Flight};
use tamis_nodes::sinks::{FileSink, Opened, WrittenFiles};
use tamis_nodes::sources::{RunOptions, SourceError};
use tamis_plan::Plan;

/// How often an idle lane looks whether the host stops.
const LOOK: Duration = Duration::from_millis(20);
/// Stack of a lane's thread: WebAssembly takes up to 512 KiB of it, VRL's interpreter recurses.
const LANE_STACK_BYTES: usize = 4 * 1024 * 1024;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// End when all sources are at their end.
    pub once: bool,
    /// Begin as if sources ran for the first time: positions of earlier runs do not count.
    pub again: bool,
    /// How many records before and after to keep for showing.
    pub samples: usize,
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A sink cannot be opened.
    #[error("sink `{sink}`: {error}")]
    Sink {
        /// The sink.
        sink: String,
        /// Why.
        error: tamis_nodes::sinks::OpenError,
    },
    /// A spool cannot be opened.
    #[error("the spool of sink `{sink}`: {error}")]
    Spool {
        /// The sink.
        sink: String,
        /// Why.
        error: tamis_delivery::spool::SpoolError,
    },
    /// A plugin's instance cannot be made.
    #[error("a plugin does not start: {0}")]
    Plugin(#[from] tamis_sandbox::Failure),
    /// The plan and what was loaded for it disagree.
    #[error("{0}")]
    Build(String),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// How far reading has got.
#[derive(Debug, Default)]
pub struct Progress {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_expected: AtomicU64,
}

impl Progress {
    /// Bytes read, and bytes there are to read as far as that is known.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_read.load(Ordering::Relaxed), self.bytes_expected.load(Ordering::Relaxed))
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// What became of every record.
    pub summary: Summary,
    /// Records that were read and neither delivered, dropped on purpose nor dead-lettered.
    pub undelivered: u64,
    /// Sources that could not go on.
    pub source_errors: Vec<String>,
    /// Why the host halted itself.
    pub halted: Option<String>,
}

/// A running host.
pub struct Engine {
    graph: Arc<Graph>,
    metrics: Arc<Metrics>,
    stop: Stop,
    progress: Arc<Progress>,
    samples: Arc<Samples>,
    flights: Vec<Arc<Flight>>,
    sink_counts: Vec<Arc<SinkCounts>>,
    plugins: Vec<(String, tamis_sandbox::Plugin)>,
    sources_left: Arc<AtomicUsize>,
    source_errors: Arc<Mutex<Vec<String>>>,
    lanes: Vec<JoinHandle<()>>,
    sinks: Vec<JoinHandle<()>>,
    written: WrittenFiles,
    /// Those that are waited for: they write their last positions when everything is delivered.
    sources: Vec<JoinHandle<()>>,
    started: Instant,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}

/// Lanes that a configuration asks for.
pub(crate) fn lanes(config: &Config) -> usize {
    match config.settings.lanes {
        Lanes::Auto => std::thread::available_parallelism().map_or(1, usize::from).min(64),
        Lanes::Count(count) => count as usize,
    }
}

/// Whether a sink may refuse records: then it is no place for those that another one refused.
fn refuses(config: &Config, sink: &str) -> bool {
    config.sinks.get(sink).is_some_and(|sink| {
        let by_kind = match &sink.value {
            Sink::Http(_) => true,
            // What its records hold may lead to no file.
            Sink::File(file) => PathTemplate::parse(&file.path).is_ok_and(|path| path.fields().next().is_some()),
            Sink::Stdout(_) | Sink::Null(_) => false,
        };
        by_kind || sink.value.retry().give_up_after.is_some()
    })
}

impl Engine {
    /// Starts everything: sinks first, then lanes, then sources.
    pub fn start(
        config: &Config,
        plan: &Plan,
        tools: &Tools,
        metrics: Arc<Metrics>,
        stop: Stop,
        options: &StartOptions,
    ) -> Result<Self, StartError> {
        let graph =
            Arc::new(Graph::build(plan, tools, &metrics, &|sink| refuses(config, sink)).map_err(|e| StartError::Build(e.to_string()))?);
        let lane_count = lanes(config);
        let samples = Arc::new(Samples::new(options.samples));
        let mut ready = Vec::new();
        for _ in 0..lane_count {
            ready.push(Lane::new(Arc::clone(&graph), stop.clone(), Arc::clone(&samples), config.settings.json_depth)?);
        }
        let mut engine = Self {
            metrics: Arc::clone(&metrics),
            stop: stop.clone(),
            progress: Arc::default(),
            samples,
            flights: Vec::new(),
            sink_counts: Vec::new(),
            plugins: tools.plugins.iter().map(|(name, loaded)| (name.clone(), loaded.plugin.clone())).collect(),
            sources_left: Arc::new(AtomicUsize::new(0)),
            source_errors: Arc::default(),
            lanes: Vec::new(),
            sinks: Vec::new(),
            written: WrittenFiles::default(),
            sources: Vec::new(),
            started: Instant::now(),
            graph,
        };
        metrics.watch_plugins(engine.plugins.iter().map(|(_, p)| p.clone()));
        let pool = Arc::new(Pool::new(4 * lane_count + 4));
        let outlets = engine.start_sinks(config, &pool, options.once)?;
        let frames = crossbeam_channel::bounded(lane_count);
        let aside = crossbeam_channel::bounded(1);
        let suspects = Arc::new(Suspects::new(engine.graph.sources.len() + 1));
        // One for each source, and one for dead letters that are run again.
        let sequences = (0..=engine.graph.sources.len()).map(|_| Sequence::default()).collect();
        let exit = Arc::new(Exit { sequences, outlets, stop: stop.clone() });
        for (number, lane) in ready.into_iter().enumerate() {
            engine.start_lane(format!("lane {number}"), Ready::Now(lane), &frames.1, &exit, &suspects, &pool)?;
        }
        // Its instances are made when they are needed, which they hardly ever are.
        engine.start_lane(
            "lane aside".into(),
            Ready::Aside { depth_max: config.settings.json_depth },
            &aside.1,
            &exit,
            &suspects,
            &pool,
        )?;
        drop(exit);
        engine.start_sources(config, lane_count, (&frames.0, &aside.0), &suspects, &pool, options)?;
        Ok(engine)
    }

    /// Starts the sinks and gives the ways to them, in the order of the graph's.
    fn start_sinks(&mut self, config: &Config, pool: &Arc<Pool>, once: bool) -> Result<Vec<Outlet>, StartError> {
        let (mut opened, mut outlets) = (Vec::new(), Vec::new());
        for (number, name) in self.graph.sinks.iter().enumerate() {
            let (sink, buffer, retry) = match config.sinks.get(name) {
                Some(sink) => {
                    let opened = tamis_nodes::sinks::open(&sink.value, &self.written)
                        .map_err(|error| StartError::Sink { sink: name.clone(), error })?;
                    (opened, sink.value.buffer(), sink.value.retry())
                }
                None => (self.private_sink(config, number), Buffer::default(), Retry::default()),
            };
            let bytes_max = usize::try_from(buffer.memory.0).unwrap_or(usize::MAX);
            // With a spool, it is the spool that is full.
            let when_full = if buffer.disk.is_some() { WhenFull::Block } else { buffer.when_full };
            let (inlet, intake) = queue(bytes_max, when_full);
            let outlet = Outlet { inlet, counts: SinkCounts::new(name, &self.metrics) };
            self.sink_counts.push(Arc::clone(&outlet.counts));
            outlets.push(outlet.clone());
            let spool = match buffer.disk {
                Some(bytes) => Some((self.open_spool(config, name, bytes.0)?, buffer.when_full, bytes_max)),
                None => None,
            };
            opened.push((name.clone(), sink, retry, spool, outlet.counts, intake));
        }
        let letters = self.letters(&outlets);
        let only = config.sinks.len() == 1;
        for (name, sink, retry, spool, counts, mut intake) in opened {
            let backoff = Backoff::new(retry.initial, retry.max, retry.give_up_after);
            let (stop, pool, spooled) = (self.stop.clone(), Arc::clone(pool), spool.is_some());
            if let Some(((writer, reader), when_full, bytes_max)) = spool {
                let (inlet, behind) = queue(bytes_max, WhenFull::Block);
                let sink = Outlet { inlet, counts: Arc::clone(&counts) };
                let (name, stop, letters) = (name.clone(), stop.clone(), letters.clone());
                let spooled = SpooledSink { name, writer, reader, when_full, sink, letters, stop, once };
                self.sinks.extend(spooled.spawn(std::mem::replace(&mut intake, behind))?);
            }
            match sink {
                Opened::Stream(sink) => {
                    // One that takes all and never gives up needs no way for dead letters, and must hold none: others wait for its end.
                    let letters = if refuses(config, &name) { letters.clone() } else { Letters::default() };
                    let sink = StreamSink { name, sink, counts, stop, pool, backoff, letters, only };
                    self.sinks.extend(sink.spawn(intake)?);
                }
                Opened::Batches(sink, concurrency) => {
                    let sink = BatchSink { name, sink: sink.into(), counts, stop, pool, backoff, letters: letters.clone(), spooled };
                    self.sinks.extend(sink.spawn(&intake, concurrency)?);
                }
            }
        }
        Ok(outlets)
    }

    /// Opens the spool of a sink and tells what was found in it.
    fn open_spool(&self, config: &Config, sink: &str, bytes: u64) -> Result<(SpoolWriter, SpoolReader), StartError> {
        let folder = config.settings.data_dir.join("spool").join(sink);
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

    /// Where a pipeline keeps its dead letters when no sink is named for them.
    fn private_sink(&self, config: &Config, number: usize) -> Opened {
        let folder = config.settings.data_dir.as_path();
        if let Err(error) = std::fs::create_dir_all(folder) {
            tracing::warn!(
                "dead letters cannot be kept in `{}` ({error}): name a sink under `dead_letters`, or a `settings.data_dir` that can be written; until then the first one holds its pipeline up",
                folder.display()
            );
        }
        let pipeline = self.graph.private.get(number.saturating_sub(config.sinks.len())).map_or("unknown", String::as_str);
        Opened::Stream(Box::new(FileSink::private(&config.settings.data_dir.join("dead_letters").join(format!("{pipeline}.ndjson")))))
    }

    /// Where the records go that sinks refuse.
    fn letters(&self, outlets: &[Outlet]) -> Letters {
        let ways = self.graph.pipelines.iter().map(|pipeline| {
            let outlets = pipeline.refused.iter().filter_map(|sink| outlets.get(*sink).cloned()).collect();
            (Arc::clone(&pipeline.name), (outlets, pipeline.dead("sink")))
        });
        Letters { ways: ways.collect() }
    }

    fn start_lane(
        &mut self,
        name: String,
        ready: Ready,
        frames: &Receiver<Boarded>,
        exit: &Arc<Exit>,
        suspects: &Arc<Suspects>,
        pool: &Arc<Pool>,
    ) -> Result<(), StartError> {
        let (frames, exit, pool, suspects) = (frames.clone(), Arc::clone(exit), Arc::clone(pool), Arc::clone(suspects));
        let (stop, left, graph, samples) =
            (self.stop.clone(), Arc::clone(&self.sources_left), Arc::clone(&self.graph), Arc::clone(&self.samples));
        let thread = std::thread::Builder::new().name(name).stack_size(LANE_STACK_BYTES).spawn(move || {
            let _guard = HaltOnPanic(stop.clone());
            let (mut lane, aside) = match ready {
                Ready::Now(lane) => (Some(lane), None),
                Ready::Aside { depth_max } => (None, Some(depth_max)),
            };
            loop {
                let boarded = match frames.recv_timeout(LOOK) {
                    Ok(boarded) => boarded,
                    Err(RecvTimeoutError::Disconnected) => break,
                    // A source may be stuck in a read that does not end, such as one of standard input.
                    Err(RecvTimeoutError::Timeout) if stop.is_now() || (stop.is_draining() && left.load(Ordering::SeqCst) == 0) => break,
                    Err(RecvTimeoutError::Timeout) => continue,
                };
                if stop.is_now() {
                    boarded.boarding.ticket.give_up();
                    continue;
                }
                if lane.is_none()
                    && let Some(depth_max) = aside
                {
                    match Lane::new(Arc::clone(&graph), stop.clone(), Arc::clone(&samples), depth_max) {
                        Ok(made) => lane = Some(made),
                        Err(failure) => stop.halt(format!("a plugin does not start: {failure}")),
                    }
                }
                let Some(lane) = &mut lane else {
                    boarded.boarding.ticket.give_up();
                    continue;
                };
                let (source, number) = (boarded.source, boarded.boarding.ticket.number());
                let (parcels, memory) = lane.run(boarded, &pool);
                if let Some(memory) = memory {
                    pool.give(memory);
                }
                exit.take(source, number, parcels);
                if suspects.note(source, lane.failing())
                    && let Some(source) = graph.sources.get(source)
                {
                    tracing::warn!(
                        source = &**source,
                        "its records make a plugin run into its limits: they are taken to a lane of their own"
                    );
                }
                if aside.is_some() {
                    stop.pause(Suspects::rest(lane.failing()));
                }
            }
        })?;
        self.lanes.push(thread);
        Ok(())
    }

    fn start_sources(
        &mut self,
        config: &Config,
        lane_count: usize,
        (frames, aside): (&Sender<Boarded>, &Sender<Boarded>),
        suspects: &Arc<Suspects>,
        pool: &Arc<Pool>,
        options: &StartOptions,
    ) -> Result<(), StartError> {
        let once = options.once;
        // Each source's thread holds it; the one for dead letters ends when all of them have.
        let alive = Arc::new(());
        for (number, name) in self.graph.sources.clone().into_iter().enumerate() {
            let Some(source) = config.sources.get(&*name).map(|s| s.value.clone()) else { continue };
            // Enough that no lane waits while another frame is written, and little enough for a sidecar's memory.
            let flight = Flight::new(2 * lane_count + 2);
            self.metrics.watch_flight(&name, &flight);
            self.flights.push(Arc::clone(&flight));
            let (records, bytes) = counters(&name, &self.metrics);
            let run = RunOptions { again: options.again, written: self.written.clone(), ..RunOptions::new(&name, once, &config.settings) };
            let mut gate = Gate {
                source: number,
                flight,
                lanes: Some((frames.clone(), aside.clone())),
                suspects: Arc::clone(suspects),
                stop: self.stop.clone(),
                pool: Arc::clone(pool),
                progress: Arc::clone(&self.progress),
                records,
                bytes,
                name: Arc::clone(&name),
                events: self.metrics.source_events.clone(),
            };
            // Nothing waits for standard input: a read of it cannot be interrupted.
            let waited_for = !matches!(source, Source::Stdin(_));
            let (left, errors, stop) = (Arc::clone(&self.sources_left), Arc::clone(&self.source_errors), self.stop.clone());
            left.fetch_add(usize::from(waited_for), Ordering::SeqCst);
            let alive = Arc::clone(&alive);
            let thread = std::thread::Builder::new().name(format!("source {name}")).spawn(move || {
                let _guard = HaltOnPanic(stop.clone());
                if let Err(error) = tamis_nodes::sources::run(&source, &run, &mut gate) {
                    if !matches!(error, SourceError::NoFile { .. }) || once {
                        tracing::error!(source = &*name, "{error}");
                    }
                    errors.lock().unwrap_or_else(PoisonError::into_inner).push(format!("source `{name}`: {error}"));
                    if once {
                        stop.drain();
                    }
                }
                left.fetch_sub(usize::from(waited_for), Ordering::SeqCst);
                drop(alive);
            })?;
            if waited_for {
                self.sources.push(thread);
            }
        }
        let flight = Flight::new(lane_count + 1);
        self.flights.push(Arc::clone(&flight));
        let (records, bytes) = counters(REPLAY, &self.metrics);
        let gate = Gate {
            source: self.graph.sources.len(),
            flight,
            lanes: Some((frames.clone(), aside.clone())),
            suspects: Arc::clone(suspects),
            stop: self.stop.clone(),
            pool: Arc::clone(pool),
            progress: Arc::clone(&self.progress),
            records,
            bytes,
            name: REPLAY.into(),
            events: self.metrics.source_events.clone(),
        };
        let replay = Replay::new(config, &self.graph, gate, Arc::downgrade(&alive), once);
        self.sources.push(replay.spawn(Arc::clone(&self.sources_left))?);
        Ok(())
    }

    /// Whether everything has ended: lanes do when all sources have, sinks when all lanes have.
    pub fn is_finished(&self) -> bool {
        self.lanes.iter().chain(&self.sinks).chain(&self.sources).all(JoinHandle::is_finished)
    }

    /// Waits for the end; or, with `abandon`, takes the counts as they are and leaves threads that do not end (a write into
    /// a pipe that nobody reads) to the end of the process.
    pub fn wait(self, abandon: bool) -> Ended {
        let Self { graph, stop, samples, flights, sink_counts, plugins, source_errors, lanes, sinks, sources, started, .. } = self;
        for thread in lanes.into_iter().chain(sinks).chain(sources).filter(|t| !abandon || t.is_finished()) {
            if thread.join().is_err() {
                stop.halt("a thread of the host panicked; this is a bug".into());
            }
        }
        let undelivered = flights.iter().map(|f| f.undelivered() + f.under_way()).sum();
        let summary = Summary::collect(&graph, &flights, &sink_counts, &plugins, samples.take(), started.elapsed());
        let source_errors = source_errors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ended { summary, undelivered, source_errors, halted: stop.reason() }
    }

    /// What has happened so far.
    pub fn summary(&self) -> Summary {
        Summary::collect(&self.graph, &self.flights, &self.sink_counts, &self.plugins, Vec::new(), self.started.elapsed())
    }

    /// How far reading has got.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

/// Which lane a thread runs.
enum Ready {
    /// One of all sources, with its instances made.
    Now(Lane),
    /// The one of suspects.
    Aside { depth_max: u32 },
}

/// The lanes' way to the sinks.
struct Exit {
    sequences: Vec<Sequence<Vec<Addressed>>>,
    outlets: Vec<Outlet>,
    stop: Stop,
}

impl Exit {
    fn take(&self, source: usize, number: u64, parcels: Vec<Addressed>) {
        let Some(sequence) = self.sequences.get(source) else { return };
        sequence.submit(number, parcels, |parcels| {
            for (sink, parcel) in parcels {
                if let Some(outlet) = self.outlets.get(sink) {
                    outlet.send(parcel, &self.stop);
                }
            }
        });
    }
}
