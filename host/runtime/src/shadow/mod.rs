//! Shadowing: copies of live frames go through the pipelines of the running generation and through those of a candidate, side by
//! side and without effect, and what differs is counted.
//!
//! Both are taken through anew, in a thread of their own and with instances of their own, so that neither the lanes nor the state of
//! the running plugins are touched. Frames that come faster than they can be compared are passed over and counted.

mod compare;

use crate::engine::StartError;
use crate::observer::{Departure, Observer};
use crate::offline::Offline;
use crate::tools::Tools;
use compare::{Fate, Fields};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_delivery::DeadLetter;
use tamis_plan::{Origin, Plan};
use tamis_record::Records;

/// Frames that may wait to be compared.
const FRAMES_MAX: usize = 4;
/// How often it is looked whether the shadow is to end.
const LOOK: Duration = Duration::from_millis(50);
/// Stack of the thread, as a lane's.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// What a shadow found so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShadowReport {
    /// The share of frames that is asked for, from 0 to 1.
    pub share: f64,
    /// How long it has run, in seconds.
    pub seconds: f64,
    /// Frames compared.
    pub frames: u64,
    /// Frames passed over because comparing was slower.
    pub frames_missed: u64,
    /// Records compared.
    pub records: u64,
    /// Records whose fate, output or value differs.
    pub records_differ: u64,
    /// Dead letters of the running pipelines.
    pub errors_active: u64,
    /// Dead letters of the candidate's.
    pub errors_candidate: u64,
    /// Why the candidate would have halted the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// By pipeline.
    pub pipelines: BTreeMap<String, PipelineDifference>,
}

impl ShadowReport {
    /// The share of records that differ, from 0 to 1.
    pub fn differing(&self) -> f64 {
        if self.records == 0 { 0.0 } else { self.records_differ as f64 / self.records as f64 }
    }
}

/// What differs in a pipeline.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PipelineDifference {
    /// Records compared.
    pub records: u64,
    /// Records whose fate, output or value differs.
    pub records_differ: u64,
    /// Records that one of the two drops and the other does not.
    pub drops_differ: u64,
    /// Records that leave by another output.
    pub outputs_differ: u64,
    /// Dead letters of the running pipeline.
    pub errors_active: u64,
    /// Dead letters of the candidate.
    pub errors_candidate: u64,
    /// Records in which a field differs, by the field's path; at most 64 paths.
    pub fields: BTreeMap<String, u64>,
    /// Nanoseconds a record, running.
    pub ns_active: u64,
    /// Nanoseconds a record, candidate.
    pub ns_candidate: u64,
    /// Bytes of the memory of the running plugins.
    pub memory_bytes_active: u64,
    /// Bytes of the memory of the candidate's plugins.
    pub memory_bytes_candidate: u64,
    #[serde(skip)]
    spent: [Duration; 2],
}

/// A copy of a frame.
struct Sample {
    source: Arc<str>,
    records: Records,
}

/// Where lanes leave copies. Nobody is waited for.
#[derive(Default)]
pub(crate) struct Feed {
    on: AtomicBool,
    to: Mutex<Option<Way>>,
}

struct Way {
    samples: Sender<Sample>,
    share: f64,
    owed: f64,
    missed: Arc<AtomicU64>,
}

impl Feed {
    /// A frame that a lane is about to take through: one load when nobody shadows.
    pub(crate) fn offer(&self, source: &Arc<str>, frame: &Frame) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        // Another lane is just leaving one.
        let Ok(mut to) = self.to.try_lock() else { return };
        let Some(way) = &mut *to else { return };
        way.owed += way.share;
        if way.owed < 1.0 {
            return;
        }
        way.owed -= 1.0;
        if way.samples.is_full() {
            way.missed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let records = Records { text: frame.records.text.clone(), rows: frame.records.rows.clone() };
        if let Err(TrySendError::Full(_)) = way.samples.try_send(Sample { source: Arc::clone(source), records }) {
            way.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn set(&self, way: Way) {
        self.on.store(true, Ordering::Relaxed);
        *locked(&self.to) = Some(way);
    }

    /// Ends the way of a shadow, known by its counter; another one may have taken the feed since.
    fn end(&self, missed: &Arc<AtomicU64>) {
        let mut to = locked(&self.to);
        if to.as_ref().is_some_and(|way| Arc::ptr_eq(&way.missed, missed)) {
            *to = None;
            self.on.store(false, Ordering::Relaxed);
        }
    }
}

/// What became of the rows of one pipeline, and how many dead letters there were, those of pipelines that it feeds included.
type Fates = (HashMap<u32, Fate>, u64);

/// Notes what becomes of each row of one pipeline.
struct Noting {
    fates: Arc<Mutex<Fates>>,
    pipeline: Arc<Mutex<Arc<str>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Noting {
    fn letter(&mut self, letter: &DeadLetter<'_>, row: Option<u32>, _record: &[u8]) {
        let mut fates = locked(&self.fates);
        fates.1 += 1;
        // Rows of the pipelines that this one feeds are others.
        if let Some(row) = row.filter(|_| *letter.pipeline == **locked(&self.pipeline)) {
            fates.0.insert(row, Fate::Dead);
        }
    }

    fn left(&mut self, departure: &Departure<'_>) {
        if *departure.pipeline == **locked(&self.pipeline) {
            let fate = if departure.delivered {
                Fate::Left { output: departure.output.into(), record: departure.record.to_vec() }
            } else {
                Fate::Dropped
            };
            locked(&self.fates).0.insert(departure.row, fate);
        }
    }
}

/// One of the two that are compared.
struct Side {
    lane: Offline,
    fates: Arc<Mutex<Fates>>,
    pipeline: Arc<Mutex<Arc<str>>>,
}

impl Side {
    fn new(config: &Config, plan: &Plan, tools: &Tools) -> Result<Self, StartError> {
        let (fates, pipeline) = (Arc::<Mutex<Fates>>::default(), Arc::new(Mutex::new(Arc::from(""))));
        let noting = Noting { fates: Arc::clone(&fates), pipeline: Arc::clone(&pipeline) };
        Ok(Self { lane: Offline::new(config, plan, tools, Box::new(noting))?, fates, pipeline })
    }

    /// Takes a frame through a pipeline. Gives what became of it, and how long it took.
    fn run(&mut self, pipeline: &Arc<str>, sample: &Sample) -> (Fates, Duration) {
        *locked(&self.pipeline) = Arc::clone(pipeline);
        let records = Records { text: sample.records.text.clone(), rows: sample.records.rows.clone() };
        let started = Instant::now();
        drop(self.lane.run(pipeline, &sample.source, Frame { records, ..Frame::default() }));
        let spent = started.elapsed();
        (std::mem::take(&mut *locked(&self.fates)), spent)
    }

    /// Bytes of the memory of a pipeline's plugins.
    fn memory(&self, pipeline: &str) -> u64 {
        let steps = self.lane.pipeline(pipeline).map(|pipeline| pipeline.steps.as_slice()).unwrap_or_default();
        steps.iter().map(|step| u64::try_from(step.counts.memory.get()).unwrap_or(0)).sum()
    }
}

/// A shadow that runs.
pub(crate) struct Shadow {
    feed: Arc<Feed>,
    report: Arc<Mutex<ShadowReport>>,
    missed: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    started: Instant,
}

impl Shadow {
    /// Begins to compare `candidate` with `active` on a share of the frames.
    pub(crate) fn start(
        feed: &Arc<Feed>,
        active: (&Config, &Plan, &Tools),
        candidate: (&Config, &Plan, &Tools),
        share: f64,
    ) -> Result<Self, StartError> {
        let sides = [Side::new(active.0, active.1, active.2)?, Side::new(candidate.0, candidate.1, candidate.2)?];
        let mut readers: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        for pipeline in &candidate.1.pipelines {
            for origin in &pipeline.from {
                let Origin::Source(source) = origin else { continue };
                let both = active.1.pipelines.iter().any(|old| old.name == pipeline.name && old.from.contains(origin));
                if both {
                    readers.entry(source.clone()).or_default().push(pipeline.name.as_str().into());
                }
            }
        }
        let (samples, taken) = crossbeam_channel::bounded(FRAMES_MAX);
        let (report, missed, ended) =
            (Arc::new(Mutex::new(ShadowReport { share, ..ShadowReport::default() })), Arc::default(), Arc::default());
        let work = Work { sides, readers, report: Arc::clone(&report), ended: Arc::clone(&ended), names: Fields::default() };
        std::thread::Builder::new()
            .name("shadow".into())
            .stack_size(STACK_BYTES)
            .spawn(move || work.run(&taken))
            .map_err(|error| StartError::Build(format!("cannot start the shadow's thread: {error}")))?;
        // The first frame is one of those that are looked at, so that something shows.
        feed.set(Way { samples, share, owed: 1.0 - share, missed: Arc::clone(&missed) });
        Ok(Self { feed: Arc::clone(feed), report, missed, ended, started: Instant::now() })
    }

    pub(crate) fn report(&self) -> ShadowReport {
        let mut report = locked(&self.report).clone();
        report.seconds = self.started.elapsed().as_secs_f64();
        report.frames_missed = self.missed.load(Ordering::Relaxed);
        report
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.feed.end(&self.missed);
        self.ended.store(true, Ordering::Relaxed);
    }
}

struct Work {
    sides: [Side; 2],
    /// The pipelines that read a source in both.
    readers: BTreeMap<String, Vec<Arc<str>>>,
    report: Arc<Mutex<ShadowReport>>,
    ended: Arc<AtomicBool>,
    names: Fields,
}

impl Work {
    fn run(mut self, samples: &Receiver<Sample>) {
        while !self.ended.load(Ordering::Relaxed) {
            match samples.recv_timeout(LOOK) {
                Ok(sample) => self.sample(&sample),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let Some(readers) = self.readers.get(&*sample.source).cloned() else { return };
        for pipeline in &readers {
            // In turn, so that neither always finds the caches warm.
            let first = usize::from(locked(&self.report).frames % 2 == 1);
            let mut found: [Option<(Fates, Duration)>; 2] = [None, None];
            for side in [first, 1 - first] {
                found[side] = Some(self.sides[side].run(pipeline, sample));
            }
            let [Some((active, spent_active)), Some((candidate, spent_candidate))] = found else { continue };
            let memory = [self.sides[0].memory(pipeline), self.sides[1].memory(pipeline)];
            let mut report = locked(&self.report);
            let entry = report.pipelines.entry(pipeline.to_string()).or_default();
            let before = entry.records_differ;
            let rows = sample.records.rows.len();
            entry.records += rows as u64;
            for row in 0..u32::try_from(rows).unwrap_or(u32::MAX) {
                let (was, is) = (active.0.get(&row).unwrap_or(&Fate::Dropped), candidate.0.get(&row).unwrap_or(&Fate::Dropped));
                self.names.note(entry, was, is);
            }
            entry.errors_active += active.1;
            entry.errors_candidate += candidate.1;
            entry.spent = [entry.spent[0] + spent_active, entry.spent[1] + spent_candidate];
            let a_record = |spent: Duration| u64::try_from(spent.as_nanos() / u128::from(entry.records.max(1))).unwrap_or(u64::MAX);
            (entry.ns_active, entry.ns_candidate) = (a_record(entry.spent[0]), a_record(entry.spent[1]));
            [entry.memory_bytes_active, entry.memory_bytes_candidate] = memory;
            let differ = entry.records_differ - before;
            report.records += rows as u64;
            report.records_differ += differ;
            report.errors_active += active.1;
            report.errors_candidate += candidate.1;
        }
        let mut report = locked(&self.report);
        report.frames += 1;
        report.halted = self.sides[1].lane.halted();
    }
}
