//! Shadowing: copies of live frames go through the pipelines of the running generation and through those of a candidate, side by
//! side and without effect, and what differs is counted.
//!
//! Both are taken through anew, in a thread of their own and with instances of their own, so that neither the lanes nor the state of
//! the running plugins are touched. Frames that come faster than they can be compared are passed over and counted.

mod compare;
mod side;
mod trail;

use crate::engine::StartError;
use crate::tools::Tools;
use compare::{Fate, Fields};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use serde::Serialize;
use side::{Side, Took};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::Config;
use tamis_plan::{Origin, Plan};
use tamis_record::Records;

/// Frames that may wait to be compared.
const FRAMES_MAX: usize = 4;
/// How often it is looked whether the shadow is to end.
const LOOK: Duration = Duration::from_millis(50);
/// What parts two records that all steps left alike.
const OUTPUT: &str = "output";
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

    /// The step, as `pipeline/step`, after which most of those that differ first do.
    pub fn first_step(&self) -> Option<String> {
        let steps =
            self.pipelines.iter().flat_map(|(pipeline, entry)| entry.steps.iter().map(move |(step, count)| (count, pipeline, step)));
        steps.max_by_key(|(count, ..)| **count).map(|(_, pipeline, step)| format!("{pipeline}/{step}"))
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
    /// Records by the step after which they first differ; `output` where all steps leave the same and the pipeline sends or delivers
    /// it otherwise.
    pub steps: BTreeMap<String, u64>,
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut found: [Option<Took>; 2] = [None, None];
            for side in [first, 1 - first] {
                found[side] = Some(self.sides[side].run(pipeline, sample));
            }
            let [Some(active), Some(candidate)] = found else { continue };
            let memory = [self.sides[0].memory(pipeline), self.sides[1].memory(pipeline)];
            let mut report = locked(&self.report);
            let entry = report.pipelines.entry(pipeline.to_string()).or_default();
            let before = entry.records_differ;
            let rows = sample.records.rows.len();
            entry.records += rows as u64;
            for row in 0..u32::try_from(rows).unwrap_or(u32::MAX) {
                let (was, is) = (active.fates.get(&row).unwrap_or(&Fate::Dropped), candidate.fates.get(&row).unwrap_or(&Fate::Dropped));
                if was != is {
                    self.names.note(entry, was, is);
                    let step = candidate.trail.parts_from(&active.trail, row).unwrap_or(OUTPUT);
                    *entry.steps.entry(step.to_owned()).or_default() += 1;
                }
            }
            entry.errors_active += active.errors;
            entry.errors_candidate += candidate.errors;
            entry.spent = [entry.spent[0] + active.spent, entry.spent[1] + candidate.spent];
            let a_record = |spent: Duration| u64::try_from(spent.as_nanos() / u128::from(entry.records.max(1))).unwrap_or(u64::MAX);
            (entry.ns_active, entry.ns_candidate) = (a_record(entry.spent[0]), a_record(entry.spent[1]));
            [entry.memory_bytes_active, entry.memory_bytes_candidate] = memory;
            let differ = entry.records_differ - before;
            report.records += rows as u64;
            report.records_differ += differ;
            report.errors_active += active.errors;
            report.errors_candidate += candidate.errors;
        }
        let mut report = locked(&self.report);
        report.frames += 1;
        report.halted = self.sides[1].lane.halted();
    }
}
