//! A generation: a plan that was built, with its ways to the sinks. A frame belongs to the one that was current when it left its
//! source, and is taken through by it alone, whatever happens meanwhile.

use crate::graph::Graph;
use crate::lane::{Addressed, Lane};
use crate::sequence::Sequence;
use crate::sinks::Outlet;
use crate::stop::Stop;
use crate::suspects::Suspicion;
use std::collections::BTreeMap;
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

/// The generation that new frames belong to; none when no more frames come.
#[derive(Default)]
pub(crate) struct Current(RwLock<Option<Arc<Generation>>>);

impl Current {
    pub(crate) fn get(&self) -> Option<Arc<Generation>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, generation: Option<Arc<Generation>>) {
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), generation);
        // What it may take with it is dropped with nobody waiting for the lock.
        drop(before);
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
