//! A generation: a plan that was built, with its ways to the sinks. A frame belongs to the one that was current when it left its
//! source, and is taken through by it alone, whatever happens meanwhile.

use crate::graph::Graph;
use crate::lane::{Addressed, Lane};
use crate::sequence::Sequence;
use crate::sinks::Outlet;
use crate::stop::Stop;
use crate::suspects::Suspicion;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tamis_config::Source;

/// See the module. When the last frame that belongs to it has gone, what only it needed ends.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) graph: Arc<Graph>,
    /// In the order of the graph's sinks.
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) sources: BTreeMap<String, Source>,
    /// Lanes made beforehand, one for each thread.
    pub(crate) ready: Mutex<Vec<Lane>>,
    pub(crate) tally: Tally,
}

/// What a generation has taken through, records that several pipelines read once for each.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl Tally {
    pub(crate) fn add(&self, records: u64, errors: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.errors.fetch_add(errors, Ordering::Relaxed);
    }

    /// Records and dead letters.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }
}

impl Generation {
    /// The way to a sink.
    pub(crate) fn outlet(&self, sink: &str) -> Option<Outlet> {
        let at = self.graph.sinks.iter().position(|name| name == sink)?;
        self.outlets.get(at).cloned()
    }

    pub(crate) fn lane(&self) -> Option<Lane> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// The generation that new frames belong to; none when no more frames come. Beside it, one that gets a share of them.
#[derive(Default)]
pub(crate) struct Current {
    active: RwLock<Option<Arc<Generation>>>,
    has_canary: AtomicBool,
    canary: Mutex<Option<Canary>>,
}

struct Canary {
    generation: Arc<Generation>,
    /// The share of frames it gets, from 0 to 1.
    share: f64,
    owed: f64,
}

impl Current {
    /// The active one.
    pub(crate) fn get(&self) -> Option<Arc<Generation>> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one that the next frame belongs to.
    pub(crate) fn pick(&self) -> Option<Arc<Generation>> {
        if self.has_canary.load(Ordering::Relaxed)
            && let Some(canary) = &mut *self.canary.lock().unwrap_or_else(PoisonError::into_inner)
        {
            canary.owed += canary.share;
            if canary.owed >= 1.0 {
                canary.owed -= 1.0;
                return Some(Arc::clone(&canary.generation));
            }
        }
        self.get()
    }

    /// Makes another one the active one; a canary ends with that.
    pub(crate) fn set(&self, generation: Option<Arc<Generation>>) {
        let canary = self.set_canary(None);
        let before = std::mem::replace(&mut *self.active.write().unwrap_or_else(PoisonError::into_inner), generation);
        // What they may take with them is dropped with nobody waiting for the lock.
        drop((before, canary));
    }

    /// Gives a generation a share of the frames, or takes it away. Gives the one that had one.
    pub(crate) fn set_canary(&self, canary: Option<(Arc<Generation>, f64)>) -> Option<Arc<Generation>> {
        self.has_canary.store(canary.is_some(), Ordering::Relaxed);
        // The first frame shows whether it works at all.
        let canary = canary.map(|(generation, share)| Canary { generation, share, owed: 1.0 - share });
        std::mem::replace(&mut *self.canary.lock().unwrap_or_else(PoisonError::into_inner), canary).map(|canary| canary.generation)
    }
}

/// What frames of one source have in common, from its start to its end.
pub(crate) struct Whence {
    pub(crate) name: Arc<str>,
    pub(crate) suspicion: Suspicion,
    sequence: Sequence<(Arc<Generation>, Vec<Addressed>)>,
}

impl Whence {
    pub(crate) fn new(name: Arc<str>) -> Arc<Self> {
        Arc::new(Self { name, suspicion: Suspicion::default(), sequence: Sequence::default() })
    }

    /// Hands what was made of frame `number` to the sinks, in the order of the source.
    pub(crate) fn hand_over(&self, number: u64, generation: Arc<Generation>, parcels: Vec<Addressed>, stop: &Stop) {
        self.sequence.submit(number, (generation, parcels), |(generation, parcels)| {
            for (sink, parcel) in parcels {
                if let Some(outlet) = generation.outlets.get(sink) {
                    outlet.send(parcel, stop);
                }
            }
        });
    }
}
