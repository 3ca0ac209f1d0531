//! Taps: people look at live records, before and after a step or a whole pipeline.
//!
//! A lane that nobody taps pays for one atomic load a frame. Where somebody does, a lane shows a few records of a frame to the
//! tap's own thread through a bounded channel and never waits: what does not fit is counted and lost. Everything that takes time
//! (hiding, comparing, the condition) is done in that thread.

mod budget;
mod event;
mod view;
mod watch;
mod worker;

pub use event::{Lost, Sample, TapEvent, TapOutcome, Tapping, Waiting};

use crate::graph::Graph;
use crate::observer::Observer;
use crate::trial::Condition;
use budget::{Bucket, Total};
use crossbeam_channel::{Sender, TrySendError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};
use tamis_config::TapSettings;
use watch::Watch;
use worker::Worker;

/// Taps at a time.
pub const TAPS_MAX: usize = 16;
/// Bytes of a record that are shown; of a longer one, the first ones.
pub const TAP_RECORD_BYTES_MAX: usize = 32 * 1024;
/// Records a second that a tap shows when nothing else is asked for.
pub const TAP_RATE: u32 = 10;
/// How long a tap may last.
pub const TAP_TIME_MAX: Duration = Duration::from_secs(3_600);
/// Records a second of which a condition chooses; what it chooses is bounded by the tap's rate.
pub const TAP_FILTERED_RATE: u32 = 1_000;
/// Records that wait for a tap's thread.
const OFFERS_MAX: usize = 64;
/// Records of one frame that are shown to one tap.
const PICKS_MAX: u32 = 16;
/// Stack of a tap's thread: VRL's interpreter recurses.
const STACK_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of the host waits for taps to be told.
const FAREWELL: Duration = Duration::from_millis(300);

/// What somebody wants to look at.
#[derive(Debug, Clone, Default)]
pub struct TapRequest {
    /// The pipeline.
    pub pipeline: String,
    /// One of its steps; none for the records as they come to the pipeline and as they leave it.
    pub step: Option<String>,
    /// Records a second; none for [`TAP_RATE`], or less when the settings allow less.
    pub rate: Option<u32>,
    /// A VRL condition on the record before, as the viewer would see it: hidden fields are hidden from it too.
    pub filter: Option<String>,
}

/// Why there is no tap.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// There is no such pipeline.
    #[error("there is no pipeline `{name}`")]
    NoPipeline {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The pipeline has no such step.
    #[error("pipeline `{pipeline}` has no step `{name}`")]
    NoStep {
        /// The pipeline.
        pipeline: String,
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// More records a second than the settings allow.
    #[error("`rate` is {rate}: a whole number from 1 to {max} was expected (`settings.tap.rate_max`)")]
    Rate {
        /// What was asked for.
        rate: u32,
        /// The limit.
        max: u32,
    },
    /// The condition does not compile.
    #[error("the filter is no VRL condition: {0}")]
    Filter(String),
    /// There are as many as there may be.
    #[error("{TAPS_MAX} taps are open, which is the limit: close one")]
    TooMany,
    /// The host ends.
    #[error("the host is stopping")]
    Stopping,
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What became of an event that a viewer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is on its way.
    Taken,
    /// The viewer is behind: it is lost.
    Full,
    /// Nobody listens any more.
    Gone,
}

/// A tap that is open; it ends when this is dropped.
#[derive(Debug)]
pub struct TapHandle {
    taps: Arc<Taps>,
    tap: Arc<Tap>,
}

impl Drop for TapHandle {
    fn drop(&mut self) {
        self.tap.closed.store(true, Ordering::Relaxed);
        self.taps.remove(&self.tap);
    }
}

/// One tap, as the lanes see it.
#[derive(Debug)]
struct Tap {
    pipeline: Arc<str>,
    step: Option<Arc<str>>,
    budget: Mutex<Bucket>,
    total: Arc<Mutex<Total>>,
    offers: Sender<Offer>,
    /// Records that were lost since the thread was not ready for them.
    lost: AtomicU64,
    closed: AtomicBool,
}

impl Tap {
    fn is_ready(&self) -> bool {
        // Another lane that holds it takes what there is.
        self.budget.try_lock().is_ok_and(|mut budget| budget.has(Instant::now(), 1.0))
    }

    /// Some of so many rows, as many as the rate has left, ascending and spread over all.
    fn pick(&self, rows: u32, bytes: impl Fn(u32) -> usize) -> Vec<u32> {
        let (Ok(mut budget), Ok(mut total)) = (self.budget.try_lock(), self.total.try_lock()) else { return Vec::new() };
        let (now, wanted) = (Instant::now(), rows.min(PICKS_MAX));
        let Some(stride) = rows.checked_div(wanted) else { return Vec::new() };
        let begin = fastrand::u32(..stride);
        let taken = |row: &u32| {
            let taken = budget.has(now, 1.0) && total.take(now, bytes(*row));
            if taken {
                budget.take(1.0);
            }
            taken
        };
        (0..wanted).map(|n| begin + n * stride).take_while(taken).collect()
    }

    fn offer(&self, offer: Offer) {
        if let Err(TrySendError::Full(_)) = self.offers.try_send(offer) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A record on its way to a tap's thread.
#[derive(Debug)]
struct Offer {
    time: SystemTime,
    generation: u64,
    source: Arc<str>,
    before: Cut,
    after: Option<Cut>,
    outcome: TapOutcome,
    output: Option<String>,
    /// The step that dropped or rejected it.
    by: Option<String>,
    /// Cause and reason.
    failure: Option<(String, String)>,
}

/// The beginning of a record.
#[derive(Debug, Default)]
struct Cut {
    bytes: Vec<u8>,
    /// Bytes that it has as a whole.
    whole: usize,
}

impl Cut {
    fn of(record: &[u8]) -> Self {
        let bytes = record.get(..TAP_RECORD_BYTES_MAX).unwrap_or(record).to_vec();
        Self { bytes, whole: record.len() }
    }

    fn is_whole(&self) -> bool {
        self.bytes.len() == self.whole
    }
}

/// The running generation, as far as taps need to know it.
#[derive(Debug, Default)]
struct Running {
    generation: u64,
    /// The steps of each pipeline.
    steps: BTreeMap<String, Vec<String>>,
    settings: TapSettings,
}

/// All taps of a host, over all its lanes and generations.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    count: AtomicUsize,
    all: RwLock<Vec<Arc<Tap>>>,
    running: RwLock<Arc<Running>>,
    total: Arc<Mutex<Total>>,
    ending: AtomicBool,
}

impl Taps {
    /// Who watches a frame for the taps, when there are any that have room.
    #[inline]
    pub(crate) fn observer(&self, generation: u64, source: &Arc<str>) -> Option<Box<dyn Observer>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        if !self.total.try_lock().is_ok_and(|mut total| total.is_left(Instant::now())) {
            return None;
        }
        let mut ready: Vec<Arc<Tap>> = self.all.try_read().ok()?.iter().filter(|tap| tap.is_ready()).cloned().collect();
        // Whoever comes first takes of what is left for all.
        fastrand::shuffle(&mut ready);
        (!ready.is_empty()).then(|| Box::new(Watch::new(ready, generation, Arc::clone(source))) as Box<dyn Observer>)
    }

    /// A generation takes over.
    pub(crate) fn take_over(&self, generation: u64, graph: &Graph, settings: &TapSettings) {
        let steps = graph.pipelines.iter().map(|p| (p.name.to_string(), p.steps.iter().map(|s| s.name.clone()).collect())).collect();
        let running = Arc::new(Running { generation, steps, settings: settings.clone() });
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// What the running generation lets taps do.
    pub(crate) fn settings(&self) -> TapSettings {
        self.running().settings.clone()
    }

    fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to tell somebody. The filter is compiled here, which takes some milliseconds.
    pub(crate) fn open(
        self: &Arc<Self>,
        request: &TapRequest,
        tell: impl FnMut(&TapEvent) -> Told + Send + 'static,
    ) -> Result<TapHandle, TapError> {
        let running = self.running();
        let Some(steps) = running.steps.get(&request.pipeline) else {
            return Err(TapError::NoPipeline { name: request.pipeline.clone(), known: running.steps.keys().cloned().collect() });
        };
        if let Some(step) = &request.step
            && !steps.contains(step)
        {
            return Err(TapError::NoStep { pipeline: request.pipeline.clone(), name: step.clone(), known: steps.clone() });
        }
        let max = running.settings.rate_max;
        let rate = request.rate.unwrap_or(TAP_RATE.min(max));
        if rate == 0 || rate > max {
            return Err(TapError::Rate { rate, max });
        }
        let condition = request
            .filter
            .as_deref()
            .map(Condition::new)
            .transpose()
            .map_err(|errors| TapError::Filter(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        let (offers, offered) = crossbeam_channel::bounded(OFFERS_MAX);
        let tap = Arc::new(Tap {
            pipeline: request.pipeline.as_str().into(),
            step: request.step.as_deref().map(Into::into),
            budget: Mutex::new(Bucket::new(if condition.is_some() { TAP_FILTERED_RATE } else { rate })),
            total: Arc::clone(&self.total),
            offers,
            lost: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        });
        self.add(&tap)?;
        // From here on it goes when the handle does.
        let handle = TapHandle { taps: Arc::clone(self), tap: Arc::clone(&tap) };
        let worker = Worker::new(Arc::clone(self), tap, condition, rate, Box::new(tell));
        std::thread::Builder::new().name("tap".into()).stack_size(STACK_BYTES).spawn(move || worker.run(&offered))?;
        Ok(handle)
    }

    fn add(&self, tap: &Arc<Tap>) -> Result<(), TapError> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if self.ending.load(Ordering::SeqCst) {
            return Err(TapError::Stopping);
        }
        if all.len() >= TAPS_MAX {
            return Err(TapError::TooMany);
        }
        all.push(Arc::clone(tap));
        self.count.store(all.len(), Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, tap: &Arc<Tap>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| !Arc::ptr_eq(other, tap));
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// The host has ended: tells all viewers and gives them a moment to hear it.
    pub(crate) fn close(&self) {
        let all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        self.ending.store(true, Ordering::SeqCst);
        drop(all);
        let began = Instant::now();
        while self.count.load(Ordering::Relaxed) > 0 && began.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests;
