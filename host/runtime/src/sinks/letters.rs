//! Records that a sink refuses: dead letters with the cause `sink`.

use super::Outlet;
use crate::parcel::{Encoded, Parcel, Trace};
use crate::stop::Stop;
use prometheus_client::metrics::counter::Counter;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tamis_delivery::{DeadLetter, Origin, Position};

/// Where each pipeline's refused records go, and how they are counted.
pub(crate) type Ways = BTreeMap<Arc<str>, (Vec<Outlet>, Counter)>;

/// The ways of all pipelines there are and were; shared by the sinks that refuse records.
#[derive(Clone, Default)]
pub(crate) struct Letters(Arc<RwLock<Ways>>);

/// The ways without keeping them open: queues are closed when no sink is left that could need them.
#[derive(Default)]
pub(crate) struct WeakLetters(Weak<RwLock<Ways>>);

impl WeakLetters {
    /// The ways, or new ones where no sink holds them.
    pub(crate) fn get(&mut self) -> Letters {
        let letters = Letters(self.0.upgrade().unwrap_or_default());
        self.0 = Arc::downgrade(&letters.0);
        letters
    }
}

impl Letters {
    /// Takes the ways of another generation; pipelines that it does not have keep theirs, for what is still under way.
    pub(crate) fn update(&self, ways: Ways) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(ways);
    }

    /// Sends records `lines`, the first of which is number `first` of the parcel, to the dead letters. `false`: there is
    /// no way for them.
    pub(crate) fn post(&self, parcel: &Parcel, lines: &[u8], first: usize, sink: &str, reason: &str, stop: &Stop) -> bool {
        let trace = &parcel.data.trace;
        let way = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&trace.pipeline).cloned();
        let Some((outlets, count)) = way.filter(|(outlets, _)| !outlets.is_empty()) else { return false };
        let reason = format!("sink `{sink}`: {reason}");
        let letter = DeadLetter::without_step(&trace.pipeline, &reason, "sink");
        let (mut bytes, mut records) = (Vec::with_capacity(lines.len() * 2), 0);
        for (number, line) in lines.split_inclusive(|b| *b == b'\n').enumerate() {
            let offset = trace.offsets.get(first + number).copied().unwrap_or_default();
            let origin = Origin { source: &trace.source, position: Position { stream: &trace.stream, offset } };
            letter.write(line.strip_suffix(b"\n").unwrap_or(line), true, &origin, &mut bytes);
            records += 1;
        }
        count.inc_by(records);
        let trace = Trace { offsets: Vec::new(), ..trace.clone() };
        let data = Arc::new(Encoded { bytes, records, trace });
        for outlet in &outlets {
            outlet.send(
                Parcel { data: Arc::clone(&data), ticket: Arc::clone(&parcel.ticket), seat: parcel.seat.clone(), waiting: None },
                stop,
            );
        }
        true
    }
}
