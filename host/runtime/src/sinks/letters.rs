//! Records that a sink refuses: dead letters with the cause `sink`.

use super::Outlet;
use crate::parcel::{Encoded, Parcel, Trace};
use crate::stop::Stop;
use prometheus_client::metrics::counter::Counter;
use std::collections::BTreeMap;
use std::sync::Arc;
use tamis_delivery::{DeadLetter, Origin, Position};

/// Where each pipeline's refused records go.
#[derive(Clone, Default)]
pub(crate) struct Letters {
    pub(crate) ways: BTreeMap<Arc<str>, (Vec<Outlet>, Counter)>,
}

impl Letters {
    /// Sends records `lines`, the first of which is number `first` of the parcel, to the dead letters. `false`: there is
    /// no way for them.
    pub(crate) fn post(&self, parcel: &Parcel, lines: &[u8], first: usize, sink: &str, reason: &str, stop: &Stop) -> bool {
        let trace = &parcel.data.trace;
        let Some((outlets, count)) = self.ways.get(&trace.pipeline).filter(|(outlets, _)| !outlets.is_empty()) else { return false };
        let reason = format!("sink `{sink}`: {reason}");
        let letter = DeadLetter { pipeline: &trace.pipeline, step: None, plugin: None, digest: None, reason: &reason, cause: "sink" };
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
        for outlet in outlets {
            outlet.send(Parcel { data: Arc::clone(&data), ticket: Arc::clone(&parcel.ticket), seat: parcel.seat.clone() }, stop);
        }
        true
    }
}
