//! What lanes hand to sinks.

use crate::sinks::Waiting;
use std::ops::Range;
use std::sync::Arc;
use tamis_delivery::{Seat, Ticket};

/// Encoded records of one frame, one a line.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: u64,
    pub(crate) trace: Trace,
}

/// Where encoded records come from, for those that a sink refuses.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) pipeline: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) stream: Arc<str>,
    /// The place of each record in the stream, in bytes; empty for dead letters.
    pub(crate) offsets: Vec<u64>,
}

/// Encoded records on their way to one sink.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) data: Arc<Encoded>,
    pub(crate) ticket: Arc<Ticket>,
    /// Held while the records are in memory that the source's bound counts.
    pub(crate) seat: Option<Arc<Seat>>,
    /// Held while it waits for its sink.
    pub(crate) waiting: Option<Waiting>,
}

impl Parcel {
    /// What is left of it from byte `begin` on, where record number `first` begins.
    pub(crate) fn from(&self, begin: usize, first: usize) -> Self {
        let Encoded { bytes, records, .. } = &*self.data;
        self.part(begin..bytes.len(), first, usize::try_from(*records).unwrap_or(usize::MAX).saturating_sub(first))
    }

    /// So many of its records: those of these bytes, the first of which is number `first`.
    pub(crate) fn part(&self, range: Range<usize>, first: usize, records: usize) -> Self {
        let Encoded { bytes, trace, .. } = &*self.data;
        let end = first.saturating_add(records).min(trace.offsets.len());
        let trace = Trace { offsets: trace.offsets.get(first..end).unwrap_or_default().to_vec(), ..trace.clone() };
        let bytes = bytes.get(range).unwrap_or_default().to_vec();
        let waiting = self.waiting.as_ref().map(|waiting| waiting.part(bytes.len()));
        let data = Arc::new(Encoded { bytes, records: records as u64, trace });
        Self { data, ticket: Arc::clone(&self.ticket), seat: self.seat.clone(), waiting }
    }
}
