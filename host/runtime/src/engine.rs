//! The engine: starts sources, lanes and sinks, lets one generation take over from another, and brings everything to an end in
//! that order.

mod trial;

use crate::counts::Summary;
use crate::generation::{Current, Generation, Tally};
use crate::graph::Graph;
use crate::lane::Lane;
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::sample::Samples;
use crate::shadow::Shadow;
use crate::sinks::{Prepared, Sinks, Spec, Surroundings as SinkSurroundings, Ways, WeakLetters};
use crate::sources::{Flights, REPLAY, Replay, Roads, Sockets, Sources, Surroundings};
use crate::stop::Stop;
use crate::tap::{TapError, TapEvent, TapHandle, TapRequest, Taps, Told};
use crate::tools::Tools;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;
use tamis_config::{Config, Lanes as LaneCount, Settings, Source, TapSettings};
use tamis_nodes::sinks::WrittenFiles;
use tamis_plan::Plan;
use trial::Canary;
pub use trial::CanaryReport;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// End when all sources are at their end.
    pub once: bool,
    /// Begin as if sources ran for the first time: positions of earlier runs do not count.
    pub again: bool,
    /// How many records before and after to keep for showing.
    pub samples: usize,
    /// Number of the first generation, less one: that of the last one of earlier runs.
    pub generation: u64,
}

/// Why a host does not start, or a generation cannot take over.
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
    /// Whoever a sink sends to is not there, or not well.
    #[error("sink `{sink}` is not healthy: {reason}; see that it is reached, or remove `healthcheck` to start without it")]
    Unhealthy {
        /// The sink.
        sink: String,
        /// Who was asked, and what is wrong.
        reason: String,
    },
    /// A source cannot listen.
    #[error("source `{source_name}`: {error}")]
    Source {
        /// The source.
        source_name: String,
        /// Why.
        error: tamis_nodes::sources::SourceError,
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
    /// Something changed that cannot while the host runs.
    #[error("{what} cannot change while the host runs; restart it to take that up")]
    NeedsRestart {
        /// What changed.
        what: String,
    },
    /// The host ends.
    #[error("the host is stopping")]
    Stopping,
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

/// What a generation that took over brought with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// Its number.
    pub generation: u64,
    /// Sources that begin, change or end.
    pub sources: Vec<String>,
    /// Sinks that begin or change.
    pub sinks: Vec<String>,
}

/// A running host.
pub struct Engine {
    metrics: Arc<Metrics>,
    stop: Stop,
    lanes: Lanes,
    lane_count: usize,
    current: Arc<Current>,
    latest: Mutex<Latest>,
    letters: Mutex<WeakLetters>,
    sinks: Mutex<Sinks>,
    sources: Mutex<Sources>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// As long as there are sources.
    roads: Weak<Roads>,
    alive: Weak<()>,
    flights: Flights,
    progress: Arc<Progress>,
    source_errors: Arc<Mutex<Vec<String>>>,
    settings: Settings,
    once: bool,
    started: Instant,
    shadow: Mutex<Option<Shadow>>,
    canary: Mutex<Option<Canary>>,
}

/// A generation with its ways to the sinks, and what begins with it.
struct Built {
    generation: Arc<Generation>,
    ways: Ways,
    plugins: Vec<(String, tamis_sandbox::Plugin)>,
    taps: TapSettings,
}

/// The generation that began last.
struct Latest {
    number: u64,
    graph: Arc<Graph>,
    plugins: Vec<(String, tamis_sandbox::Plugin)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("lanes", &self.lane_count).finish_non_exhaustive()
    }
}

/// Lanes that a configuration asks for.
pub(crate) fn lanes(config: &Config) -> usize {
    match config.settings.lanes {
        LaneCount::Auto => std::thread::available_parallelism().map_or(1, usize::from).min(64),
        LaneCount::Count(count) => count as usize,
    }
}

/// A generation that could take over: everything that may fail has been done.
struct Candidate {
    graph: Arc<Graph>,
    ready: Vec<Lane>,
    sinks: Prepared,
    sources: BTreeMap<String, Source>,
    sockets: Sockets,
    plugins: Vec<(String, tamis_sandbox::Plugin)>,
    taps: TapSettings,
    /// The sink that all pipelines lead to, where it is one.
    only: Option<String>,
}

/// The sink that all outputs of all pipelines lead to. Those for dead letters alone do not count.
fn only_sink(config: &Config) -> Option<String> {
    let outputs = config.pipelines.values().flat_map(|pipeline| pipeline.value.to.values());
    let mut sinks = outputs.flat_map(|sinks| sinks.value.iter().map(|sink| &sink.value));
    let first = sinks.next()?;
    sinks.all(|other| other == first).then(|| first.clone())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let lane_count = lanes(config);
        let (pool, written, current) = (Arc::new(Pool::new(4 * lane_count + 4)), WrittenFiles::default(), Arc::<Current>::default());
        let (progress, flights, left) = (Arc::<Progress>::default(), Flights::default(), Arc::new(AtomicUsize::new(0)));
        let source_errors = Arc::<Mutex<Vec<String>>>::default();
        let lanes = Lanes {
            current: Arc::clone(&current),
            stop: stop.clone(),
            pool: Arc::clone(&pool),
            samples: Arc::new(Samples::new(options.samples)),
            taps: Arc::<Taps>::default(),
            depth_max: config.settings.json_depth,
            feed: Arc::default(),
            sources_left: Arc::clone(&left),
            left: Arc::default(),
        };
        let sinks = Sinks::new(SinkSurroundings {
            metrics: Arc::clone(&metrics),
            stop: stop.clone(),
            pool: Arc::clone(&pool),
            written: written.clone(),
            data_dir: config.settings.data_dir.as_path().to_path_buf(),
            once: options.once,
        });
        let surroundings = Surroundings {
            metrics: Arc::clone(&metrics),
            stop: stop.clone(),
            pool,
            progress: Arc::clone(&progress),
            current: Arc::clone(&current),
            written,
            settings: config.settings.clone(),
            options: options.clone(),
            lane_count,
            left: Arc::clone(&left),
            ending: Arc::default(),
            errors: Arc::clone(&source_errors),
            flights: Arc::clone(&flights),
        };
        let (frames, aside) = (crossbeam_channel::bounded(lane_count), crossbeam_channel::bounded(1));
        let (roads, alive) = (Arc::new(Roads { frames: frames.0, aside: aside.0 }), Arc::new(()));
        let mut engine = Self {
            metrics,
            stop: stop.clone(),
            lanes,
            lane_count,
            current,
            latest: Mutex::new(Latest { number: options.generation, graph: Arc::default(), plugins: Vec::new() }),
            letters: Mutex::default(),
            sinks: Mutex::new(sinks),
            sources: Mutex::new(Sources::new(surroundings.clone())),
            threads: Mutex::default(),
            roads: Arc::downgrade(&roads),
            alive: Arc::downgrade(&alive),
            flights,
            progress,
            source_errors,
            settings: config.settings.clone(),
            once: options.once,
            started: Instant::now(),
            shadow: Mutex::default(),
            canary: Mutex::default(),
        };
        let candidate = engine.prepare(config, plan, tools)?;
        let (sources, sockets) = engine.commit(candidate)?;
        for number in 0..lane_count {
            let thread = engine.lanes.start(format!("lane {number}"), false, frames.1.clone())?;
            locked(&engine.threads).push(thread);
        }
        let thread = engine.lanes.start("lane aside".into(), true, aside.1)?;
        locked(&engine.threads).push(thread);
        locked(&engine.sources).set(&sources, sockets, &roads, &alive)?;
        let gate = surroundings.gate(REPLAY.into(), lane_count + 1, stop, &roads);
        let replay = Replay::new(&config.settings, gate, engine.alive.clone(), options.once);
        engine.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(replay.spawn(left)?);
        Ok(engine)
    }

    /// Lets another plan take over: what did not change goes on, the rest is built beside it, and frames that leave their sources
    /// from now on belong to it. What the generation before still has under way, it delivers.
    ///
    /// One at a time. Nothing has changed when this fails.
    ///
    /// # Errors
    /// What cannot be built, or what cannot change while the host runs.
    pub fn reload(&self, config: &Config, plan: &Plan, tools: &Tools) -> Result<TakenOver, StartError> {
        let (Some(roads), Some(alive)) = (self.roads.upgrade(), self.alive.upgrade()) else { return Err(StartError::Stopping) };
        if self.stop.is_draining() || self.once {
            return Err(StartError::Stopping);
        }
        self.reloadable(config)?;
        let candidate = self.prepare(config, plan, tools)?;
        if let Some(source) = locked(&self.sources).stuck(&candidate.sources) {
            return Err(StartError::NeedsRestart { what: format!("source `{source}`, which reads standard input,") });
        }
        let sinks = candidate.sinks.touched().map(str::to_string).collect();
        let touched = locked(&self.sources).touched(&candidate.sources);
        let (sources, sockets) = self.commit(candidate)?;
        if let Err(error) = locked(&self.sources).set(&sources, sockets, &roads, &alive) {
            self.stop.halt(format!("cannot start a source's thread: {error}"));
        }
        Ok(TakenOver { generation: self.generation(), sources: touched, sinks })
    }

    /// Whether the settings are those that the host runs with.
    ///
    /// # Errors
    /// [`StartError::NeedsRestart`] names the first that is not.
    pub fn reloadable(&self, config: &Config) -> Result<(), StartError> {
        let (old, new) = (&self.settings, &config.settings);
        let changed = [
            ("data_dir", old.data_dir != new.data_dir),
            ("lanes", old.lanes != new.lanes),
            ("admin", old.admin != new.admin),
            ("shutdown_timeout", old.shutdown_timeout != new.shutdown_timeout),
            ("checkpoint_interval", old.checkpoint_interval != new.checkpoint_interval),
            ("batch", old.batch != new.batch),
            ("json_depth", old.json_depth != new.json_depth),
        ];
        match changed.iter().find(|(_, changed)| *changed) {
            Some((key, _)) => Err(StartError::NeedsRestart { what: format!("`settings.{key}`") }),
            None => Ok(()),
        }
    }

    /// Builds a generation beside the one that runs.
    fn prepare(&self, config: &Config, plan: &Plan, tools: &Tools) -> Result<Candidate, StartError> {
        let before = Arc::clone(&locked(&self.latest).graph);
        let refuses = |sink: &str| Spec::of(config, sink).refuses();
        let graph = Graph::build(plan, tools, &self.metrics, &refuses, Some(&before)).map_err(|e| StartError::Build(e.to_string()))?;
        let graph = Arc::new(graph);
        let mut ready = Vec::new();
        for _ in 0..self.lane_count {
            let Lanes { stop, samples, taps, depth_max, .. } = &self.lanes;
            ready.push(Lane::new(Arc::clone(&graph), stop.clone(), Arc::clone(samples), Arc::clone(taps), *depth_max)?);
        }
        let wanted: Vec<_> = graph.sinks.iter().map(|name| (name.clone(), Spec::of(config, name).knowing(plan, name))).collect();
        // Whoever asks for the state of things does not wait for the answers.
        let asked = locked(&self.sinks).to_ask(&wanted);
        asked.run()?;
        let current = self.current.get();
        let sinks = locked(&self.sinks).prepare(&wanted, |name| current.as_ref().and_then(|generation| generation.outlet(name)))?;
        let read = graph.sources.iter().filter_map(|name| Some((name.to_string(), config.sources.get(&**name)?.value.clone())));
        let sources: BTreeMap<String, Source> = read.collect();
        let sockets = locked(&self.sources).bind(&sources).map_err(|(source_name, error)| StartError::Source { source_name, error })?;
        let plugins = tools.plugins.iter().map(|(name, loaded)| (name.clone(), loaded.plugin.clone())).collect();
        Ok(Candidate { graph, ready, sinks, sources, sockets, plugins, taps: config.settings.tap.clone(), only: only_sink(config) })
    }

    /// Lets a candidate take over from the generation that runs. Gives the sources that it reads.
    fn commit(&self, mut candidate: Candidate) -> Result<(BTreeMap<String, Source>, Sockets), StartError> {
        let sockets = std::mem::take(&mut candidate.sockets);
        let built = self.build(candidate)?;
        let sources = built.generation.sources.clone();
        self.enter(built);
        Ok((sources, sockets))
    }

    /// Gives a candidate its sinks.
    fn build(&self, candidate: Candidate) -> Result<Built, StartError> {
        let Candidate { graph, ready, sinks, sources, plugins, taps, only, .. } = candidate;
        let outlets = locked(&self.sinks).commit(sinks, &locked(&self.letters).get(), only.as_deref())?;
        let refused =
            |pipeline: &crate::graph::PipelineGraph| pipeline.refused.iter().filter_map(|sink| outlets.get(*sink).cloned()).collect();
        let ways = graph.pipelines.iter().map(|p| (Arc::clone(&p.name), (refused(p), p.dead("sink")))).collect();
        let number = self.generation() + 1;
        let generation = Generation { number, graph, outlets, sources, ready: Mutex::new(ready), tally: Tally::default() };
        Ok(Built { generation: Arc::new(generation), ways, plugins, taps })
    }

    /// Lets a generation have the frames from now on.
    fn enter(&self, built: Built) {
        let Built { generation, ways, plugins, taps } = built;
        *locked(&self.canary) = None;
        locked(&self.letters).get().update(ways);
        let mut latest = locked(&self.latest);
        let number = latest.number + 1;
        self.metrics.watch_plugins(plugins.iter().map(|(_, plugin)| plugin.clone()));
        self.metrics.generation(number);
        // Before its first record: what it hides must be hidden by then.
        self.lanes.taps.take_over(number, &generation.graph, &taps);
        *latest = Latest { number, graph: Arc::clone(&generation.graph), plugins };
        drop(latest);
        self.current.set(Some(generation));
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Number of the generation that began last.
    pub fn generation(&self) -> u64 {
        locked(&self.latest).number
    }

    /// Whether everything has ended: lanes do when all sources have, sinks when all lanes have.
    pub fn is_finished(&self) -> bool {
        locked(&self.threads).iter().all(JoinHandle::is_finished)
            && locked(&self.sinks).is_finished()
            && locked(&self.sources).is_finished()
    }

    /// Waits for the end; or, with `abandon`, takes the counts as they are and leaves threads that do not end (a write into
    /// a pipe that nobody reads) to the end of the process.
    pub fn wait(&self, abandon: bool) -> Ended {
        self.lanes.taps.close();
        let lanes = std::mem::take(&mut *locked(&self.threads));
        let (sinks, sources) = (locked(&self.sinks).take_threads(), locked(&self.sources).take_threads());
        for thread in lanes.into_iter().chain(sinks).chain(sources).filter(|t| !abandon || t.is_finished()) {
            if thread.join().is_err() {
                self.stop.halt("a thread of the host panicked; this is a bug".into());
            }
        }
        let undelivered = locked(&self.flights).iter().map(|(_, f)| f.undelivered() + f.under_way()).sum();
        let summary = Summary { samples: self.lanes.samples.take(), ..self.summary() };
        Ended { summary, undelivered, source_errors: locked(&self.source_errors).clone(), halted: self.stop.reason() }
    }

    /// What has happened so far.
    pub fn summary(&self) -> Summary {
        let Latest { number, graph, plugins } = &*locked(&self.latest);
        let sinks = locked(&self.sinks);
        let counts: Vec<_> = graph.sinks.iter().filter_map(|name| sinks.counts(name)).collect();
        drop(sinks);
        Summary::collect(*number, graph, &locked(&self.flights), &counts, &self.metrics, plugins, self.started.elapsed())
    }

    /// Shows somebody live records, until the handle is dropped, the host ends or [`TAP_TIME_MAX`](crate::tap::TAP_TIME_MAX) is over.
    /// `tell` is called in the tap's own thread and must not wait.
    ///
    /// # Errors
    /// What is wrong with the request, or that there are too many.
    pub fn tap(&self, request: &TapRequest, tell: impl FnMut(&TapEvent) -> Told + Send + 'static) -> Result<TapHandle, TapError> {
        self.lanes.taps.open(request, tell)
    }

    /// How far reading has got.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}
