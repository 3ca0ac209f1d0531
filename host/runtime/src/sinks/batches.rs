//! A sink that takes whole batches: several threads deliver at the same time.

use super::{Intake, Letters, Popped, SinkCounts};
use crate::parcel::Parcel;
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_delivery::Backoff;
use tamis_nodes::sinks::{Delivery, DeliveryError};

/// How long a thread waits for a parcel at a time.
const WAIT: Duration = Duration::from_secs(1);
/// Stack of a thread: requests need little, and there may be 64.
const STACK_BYTES: usize = 512 * 1024;

#[derive(Clone)]
pub(crate) struct BatchSink {
    pub(crate) name: String,
    pub(crate) sink: Arc<dyn Delivery>,
    pub(crate) counts: Arc<SinkCounts>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) backoff: Backoff,
    pub(crate) letters: Letters,
    /// What it is given lies in a spool as well, and comes again after the next start.
    pub(crate) spooled: bool,
}

/// Some lines of a parcel.
#[derive(Clone, Copy)]
struct Part<'a> {
    lines: &'a [u8],
    /// The number of its first record in the parcel.
    first: usize,
    records: usize,
}

impl BatchSink {
    /// Starts so many threads, which end when the queue is closed and empty.
    pub(crate) fn spawn(self, parcels: &Intake, concurrency: usize) -> io::Result<Vec<JoinHandle<()>>> {
        (0..concurrency)
            .map(|number| {
                let (mut sink, parcels) = (self.clone(), parcels.clone());
                std::thread::Builder::new().name(format!("sink {} {number}", self.name)).stack_size(STACK_BYTES).spawn(move || {
                    let _guard = HaltOnPanic(sink.stop.clone());
                    loop {
                        match parcels.pop(WAIT) {
                            Popped::Parcel(parcel) => sink.deliver(parcel, &parcels),
                            Popped::Nothing => {}
                            Popped::Closed | Popped::Retired => return,
                        }
                    }
                })
            })
            .collect()
    }

    fn deliver(&mut self, parcel: Parcel, parcels: &Intake) {
        let records = parcel.data.records;
        // Parts still to be delivered, the first on top.
        let mut parts = vec![Part { lines: &parcel.data.bytes, first: 0, records: usize::try_from(records).unwrap_or(usize::MAX) }];
        while let Some(part) = parts.pop() {
            let count = part.records as u64;
            match self.try_until_told(part.lines) {
                Ok(()) => {
                    self.counts.delivered.inc_by(count);
                    self.counts.bytes.inc_by(part.lines.len() as u64);
                }
                // It comes again from the spool.
                Err(None) if self.spooled => parcel.ticket.give_up(),
                Err(None) if self.stop.is_retired() && !self.stop.is_now() => {
                    let left = parcel.from(parcel.data.bytes.len() - after(&parts) - part.lines.len(), part.first);
                    self.counts.queued(left.data.records);
                    parcels.put_back(left);
                    break;
                }
                Err(None) => self.counts.give_up(&parcel, count),
                Err(Some((_, true))) if part.records > 1 => {
                    let (head, tail) = part.halves();
                    parts.extend([tail, head]);
                }
                Err(Some((reason, _))) => {
                    self.counts.rejected.inc_by(count);
                    if !self.letters.post(&parcel, part.lines, part.first, &self.name, &reason, &self.stop) {
                        parcel.ticket.give_up();
                    }
                }
            }
        }
        self.counts.taken(records);
        if let Some(encoded) = Arc::into_inner(parcel.data) {
            self.pool.give(encoded.bytes);
        }
    }

    /// Delivers, trying again while that may help. `Err(None)`: the host ends; `Err(Some)`: why not, and whether a part of
    /// it may still be taken.
    fn try_until_told(&mut self, lines: &[u8]) -> Result<(), Option<(String, bool)>> {
        loop {
            let (reason, after) = match self.sink.deliver(lines) {
                Ok(()) => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Ok(());
                }
                Err(DeliveryError::Permanent { reason, divisible }) => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Err(Some((reason, divisible)));
                }
                Err(DeliveryError::Transient { reason, after }) => (reason, after),
            };
            if self.stop.is_now() || self.stop.is_retired() || (self.spooled && self.stop.is_draining()) {
                return Err(None);
            }
            self.counts.retries.inc();
            self.counts.failed();
            let Some(pause) = self.backoff.failed(Instant::now(), after, fastrand::f64()) else {
                self.backoff.succeeded();
                return Err(Some((format!("given up: {reason}"), false)));
            };
            tracing::warn!(sink = self.name, "cannot deliver, trying again in {} ms: {reason}", pause.as_millis());
            self.stop.pause(pause);
        }
    }
}

/// Bytes of the parts still to be delivered.
fn after(parts: &[Part<'_>]) -> usize {
    parts.iter().map(|part| part.lines.len()).sum()
}

impl<'a> Part<'a> {
    fn halves(self) -> (Part<'a>, Part<'a>) {
        let head = self.records / 2;
        let cut = memchr::memchr_iter(b'\n', self.lines).nth(head.saturating_sub(1)).map_or(self.lines.len(), |at| at + 1);
        let (lines, rest) = self.lines.split_at(cut);
        (Part { lines, first: self.first, records: head }, Part { lines: rest, first: self.first + head, records: self.records - head })
    }
}
