//! A sink that takes whole batches: several threads deliver at the same time, each what came, put together up to the size of a batch.

use super::limiter::Answer;
use super::{Intake, Letters, Popped, SinkCounts, Turn};
use crate::parcel::Parcel;
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_config::SinkBatch;
use tamis_delivery::Backoff;
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, Part};

/// How long a thread waits for a parcel at a time.
const WAIT: Duration = Duration::from_secs(1);
/// The same where threads take turns.
const WAIT_IN_TURN: Duration = Duration::from_millis(200);
/// How often a thread that waits for company looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);
/// Stack of a thread: requests need little, and there may be 64.
const STACK_BYTES: usize = 512 * 1024;

#[derive(Clone)]
pub(crate) struct BatchSink {
    pub(crate) name: String,
    pub(crate) sink: Arc<dyn Delivery>,
    pub(crate) batch: SinkBatch,
    pub(crate) counts: Arc<SinkCounts>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) backoff: Backoff,
    pub(crate) letters: Letters,
    /// What it is given lies in a spool as well, and comes again after the next start.
    pub(crate) spooled: bool,
    /// How many threads may be at work, where that follows what the receiver takes.
    pub(crate) turn: Option<Turn>,
}

/// Some lines of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lines {
    /// Which parcel.
    parcel: usize,
    bytes: Range<usize>,
    /// The number of the first record in the parcel.
    first: usize,
    records: usize,
}

/// Why records were not delivered.
enum Failed {
    /// The host ends, or another sink takes over.
    Ended,
    /// So many were rejected by a receiver that does not say which.
    Unnamed { count: u64 },
    /// They are not wanted; whether some of them may be.
    Refused { reason: String, divisible: bool },
    /// By their place among the records: those that will never be taken and why, and those to try again.
    Partly { refused: Vec<(usize, String)>, again: Vec<usize> },
}

impl BatchSink {
    /// Starts so many threads, which end when the queue is closed and empty.
    pub(crate) fn spawn(self, parcels: &Intake, concurrency: usize) -> io::Result<Vec<JoinHandle<()>>> {
        // Whose turn it is to put a batch together, where that takes long: several at a time would make small ones.
        let gathering = Arc::new(Mutex::new(()));
        (0..concurrency)
            .map(|number| {
                let (mut sink, parcels, gathering) = (self.clone(), parcels.clone(), Arc::clone(&gathering));
                std::thread::Builder::new().name(format!("sink {} {number}", self.name)).stack_size(STACK_BYTES).spawn(move || {
                    let _guard = HaltOnPanic(sink.stop.clone());
                    // Who has a turn must not keep it for long from those that try again.
                    let wait = if sink.turn.is_some() { WAIT_IN_TURN } else { WAIT };
                    loop {
                        let mine = sink.is_patient().then(|| gathering.lock().unwrap_or_else(PoisonError::into_inner));
                        if mine.is_none() {
                            sink.take_turn(false);
                        }
                        match parcels.pop(wait) {
                            Popped::Parcel(parcel) => {
                                let together = sink.gather(parcel, &parcels);
                                // What may take an hour to come together has no turn meanwhile.
                                if mine.is_some() {
                                    drop(mine);
                                    sink.take_turn(false);
                                }
                                sink.deliver(together, &parcels);
                            }
                            Popped::Nothing => {}
                            Popped::Closed | Popped::Retired => return,
                        }
                        sink.leave_turn();
                    }
                })
            })
            .collect()
    }

    /// Whether it waits for company longer than sources can go on without their seats.
    fn is_patient(&self) -> bool {
        self.batch.age > LOOK
    }

    /// What comes within the age of a batch, as far as it fits; once the host stops, what is there already.
    fn gather(&self, mut first: Parcel, parcels: &Intake) -> Vec<Parcel> {
        let (mut bytes, mut records) = (first.data.bytes.len(), first.data.records);
        let until = Instant::now() + self.batch.age;
        // The batch bounds this memory: a source whose seats were all taken could bring no company, and the batch would never be full.
        let aboard = |parcel: &mut Parcel| parcel.seat = parcel.seat.take().filter(|_| !self.is_patient());
        aboard(&mut first);
        let mut together = vec![first];
        while bytes < self.batch.bytes.to_usize() && records < u64::from(self.batch.records) {
            let left = if self.stop.is_draining() { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match parcels.pop(left.min(LOOK)) {
                Popped::Parcel(mut next) => {
                    let fits = bytes + next.data.bytes.len() <= self.batch.bytes.to_usize()
                        && records + next.data.records <= u64::from(self.batch.records);
                    if !fits {
                        parcels.put_back(next);
                        break;
                    }
                    (bytes, records) = (bytes + next.data.bytes.len(), records + next.data.records);
                    aboard(&mut next);
                    together.push(next);
                }
                Popped::Nothing if left.is_zero() => break,
                Popped::Nothing => {}
                Popped::Closed | Popped::Retired => break,
            }
        }
        together
    }

    fn deliver(&mut self, parcels: Vec<Parcel>, queue: &Intake) {
        let whole = parcels.iter().enumerate().map(|(number, parcel)| Lines {
            parcel: number,
            bytes: 0..parcel.data.bytes.len(),
            first: 0,
            records: usize::try_from(parcel.data.records).unwrap_or(usize::MAX),
        });
        // Batches still to be delivered, the first on top.
        let mut batches = Vec::new();
        for lines in self.cut(&parcels, whole.collect()).into_iter().rev() {
            batches.push(lines);
        }
        while let Some(batch) = batches.pop() {
            let (records, bytes) = count(&batch);
            match self.try_until_told(&parcels, &batch) {
                Ok(()) => self.delivered(records, bytes),
                // They come again from the spool.
                Err(Failed::Ended) if self.spooled => batch.iter().for_each(|lines| give_up(&parcels, lines)),
                Err(Failed::Ended) if self.stop.is_retired() && !self.stop.is_now() => {
                    batches.push(batch);
                    self.leave(&parcels, batches, queue);
                    break;
                }
                Err(Failed::Ended) => {
                    self.counts.undelivered.inc_by(records);
                    batch.iter().for_each(|lines| give_up(&parcels, lines));
                }
                Err(Failed::Unnamed { count }) => {
                    let count = count.min(records);
                    self.counts.unnamed.inc_by(count);
                    self.delivered(records - count, bytes);
                }
                Err(Failed::Refused { divisible: true, .. }) if records > 1 => {
                    let places: Vec<usize> = (0..batch.iter().map(|lines| lines.records).sum()).collect();
                    let (head, tail) = places.split_at(places.len() / 2);
                    batches.extend([pick(&parcels, &batch, tail), pick(&parcels, &batch, head)]);
                }
                Err(Failed::Refused { reason, .. }) => batch.iter().for_each(|lines| self.refuse(&parcels, lines, &reason)),
                Err(Failed::Partly { refused, again }) => {
                    let (left, reasons): (Vec<usize>, Vec<String>) = refused.into_iter().unzip();
                    let single = left.iter().map(|place| pick(&parcels, &batch, std::slice::from_ref(place)));
                    for (lines, reason) in single.collect::<Vec<_>>().iter().flatten().zip(&reasons) {
                        self.refuse(&parcels, lines, reason);
                    }
                    let rest = pick(&parcels, &batch, &again);
                    let (undone, undone_bytes) = count(&rest);
                    let done = records.saturating_sub(undone + left.len() as u64);
                    self.delivered(done, bytes.saturating_sub(undone_bytes));
                    if !rest.is_empty() {
                        batches.push(rest);
                    }
                }
            }
        }
        for parcel in parcels {
            self.counts.taken(parcel.data.records);
            if let Some(encoded) = Arc::into_inner(parcel.data) {
                self.pool.give(encoded.bytes);
            }
        }
    }

    /// Cuts what is larger than a batch may be.
    fn cut(&self, parcels: &[Parcel], lines: Vec<Lines>) -> Vec<Vec<Lines>> {
        let (records, bytes) = count(&lines);
        let (records_max, bytes_max) = (self.batch.records as usize, self.batch.bytes.0);
        if records as usize <= records_max && bytes <= bytes_max {
            return vec![lines];
        }
        // More than fits is one parcel alone, of records of one frame.
        let mut batches = Vec::new();
        for Lines { parcel, .. } in lines {
            let text = parcels.get(parcel).map_or(&[][..], |parcel| &parcel.data.bytes);
            let (mut from, mut first, mut at, mut records) = (0, 0, 0, 0);
            for line in text.split_inclusive(|b| *b == b'\n') {
                if records > 0 && (records == records_max || (at + line.len() - from) as u64 > bytes_max) {
                    batches.push(vec![Lines { parcel, bytes: from..at, first, records }]);
                    (from, first, records) = (at, first + records, 0);
                }
                at += line.len();
                records += 1;
            }
            batches.push(vec![Lines { parcel, bytes: from..at, first, records }]);
        }
        batches
    }

    fn delivered(&self, records: u64, bytes: u64) {
        self.counts.delivered.inc_by(records);
        self.counts.bytes.inc_by(bytes);
    }

    /// Records that will never be taken become dead letters.
    fn refuse(&self, parcels: &[Parcel], lines: &Lines, reason: &str) {
        let Some(parcel) = parcels.get(lines.parcel) else { return };
        self.counts.rejected.inc_by(lines.records as u64);
        let text = parcel.data.bytes.get(lines.bytes.clone()).unwrap_or_default();
        if !self.letters.post(parcel, text, lines.first, &self.name, reason, &self.stop) {
            parcel.ticket.give_up();
        }
    }

    /// Leaves what is not delivered to the sink that takes this one's place.
    fn leave(&self, parcels: &[Parcel], batches: Vec<Vec<Lines>>, queue: &Intake) {
        // The last on the stack came last.
        for lines in batches.iter().flat_map(|batch| batch.iter().rev()) {
            let Some(parcel) = parcels.get(lines.parcel) else { continue };
            let left = parcel.part(lines.bytes.clone(), lines.first, lines.records);
            self.counts.queued(left.data.records);
            queue.put_back(left);
        }
    }

    fn take_turn(&mut self, again: bool) {
        if let Some(turn) = &mut self.turn {
            turn.take(again, &self.stop);
        }
    }

    fn leave_turn(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.leave();
        }
    }

    /// Delivers once, and notes how that went.
    fn attempt(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let Some(turn) = &self.turn else { return self.sink.deliver(batch) };
        let sent = turn.begin();
        let outcome = self.sink.deliver(batch);
        let answer = match &outcome {
            Err(DeliveryError::Transient { .. }) => Answer::Failed,
            Err(DeliveryError::Partly { again, .. }) if !again.is_empty() => Answer::Failed,
            Ok(()) | Err(DeliveryError::Permanent { .. } | DeliveryError::Partly { .. } | DeliveryError::Unnamed { .. }) => Answer::Came,
        };
        turn.end(sent, answer);
        outcome
    }

    /// What happened, and where.
    fn at(&self, reason: &str) -> String {
        match self.sink.address() {
            address if address.is_empty() => reason.to_owned(),
            address => format!("`{address}`: {reason}"),
        }
    }

    fn given_up(&self, reason: &str) -> String {
        format!("given up after the time of `retry.give_up_after`: {}", self.at(reason))
    }

    /// Tells that nothing is taken, now and then: all threads of the sink together.
    fn complain(&self, pause: Duration, reason: &str) {
        let Some(held_back) = self.counts.complaints.is_time(Instant::now()) else { return };
        let others = if held_back == 0 { String::new() } else { format!(" ({held_back} more failures since the last such line)") };
        tracing::warn!(sink = self.name, "cannot deliver, trying again in {} ms: {}{others}", pause.as_millis(), self.at(reason));
    }

    /// Delivers, trying again while that may help.
    fn try_until_told(&mut self, parcels: &[Parcel], batch: &[Lines]) -> Result<(), Failed> {
        let parts: Vec<Part<'_>> = batch.iter().filter_map(|lines| part(parcels, lines)).collect();
        loop {
            let (reason, after, partly) = match self.attempt(&Batch::new(&parts)) {
                Ok(()) => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Ok(());
                }
                Err(DeliveryError::Permanent { reason, divisible }) => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Err(Failed::Refused { reason: self.at(&reason), divisible });
                }
                Err(DeliveryError::Partly { refused, again, .. }) if again.is_empty() => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Err(Failed::Partly { refused, again });
                }
                Err(DeliveryError::Unnamed { count }) => {
                    self.backoff.succeeded();
                    self.counts.succeeded();
                    return Err(Failed::Unnamed { count });
                }
                Err(DeliveryError::Transient { reason, after }) => (reason, after, None),
                Err(DeliveryError::Partly { refused, again, reason, after }) => (reason, after, Some((refused, again))),
            };
            let ends = self.stop.is_now() || self.stop.is_retired() || (self.spooled && self.stop.is_draining());
            if ends && partly.is_none() {
                return Err(Failed::Ended);
            }
            self.counts.retries.inc();
            self.counts.failed();
            let pause = self.backoff.failed(Instant::now(), after, fastrand::f64());
            match (pause, partly) {
                (Some(pause), partly) => {
                    if !ends {
                        self.complain(pause, &reason);
                        self.leave_turn();
                        self.stop.pause(pause);
                        self.take_turn(true);
                    }
                    if let Some((refused, again)) = partly {
                        return Err(Failed::Partly { refused, again });
                    }
                }
                (None, None) => {
                    self.backoff.succeeded();
                    return Err(Failed::Refused { reason: self.given_up(&reason), divisible: false });
                }
                (None, Some((mut refused, again))) => {
                    self.backoff.succeeded();
                    let reason = self.given_up(&reason);
                    refused.extend(again.into_iter().map(|place| (place, reason.clone())));
                    return Err(Failed::Partly { refused, again: Vec::new() });
                }
            }
        }
    }
}

fn part<'a>(parcels: &'a [Parcel], lines: &Lines) -> Option<Part<'a>> {
    let data = &parcels.get(lines.parcel)?.data;
    Some(Part {
        lines: data.bytes.get(lines.bytes.clone())?,
        records: lines.records,
        pipeline: &data.trace.pipeline,
        source: &data.trace.source,
        stream: &data.trace.stream,
        offsets: data.trace.offsets.get(lines.first..(lines.first + lines.records).min(data.trace.offsets.len())).unwrap_or_default(),
    })
}

fn give_up(parcels: &[Parcel], lines: &Lines) {
    if let Some(parcel) = parcels.get(lines.parcel) {
        parcel.ticket.give_up();
    }
}

/// Records and bytes.
fn count(batch: &[Lines]) -> (u64, u64) {
    batch.iter().fold((0, 0), |(records, bytes), lines| (records + lines.records as u64, bytes + lines.bytes.len() as u64))
}

/// The records at these places of a batch, in ascending order; neighbours stay together.
fn pick(parcels: &[Parcel], batch: &[Lines], places: &[usize]) -> Vec<Lines> {
    let (mut picked, mut places, mut place) = (Vec::<Lines>::new(), places.iter().peekable(), 0);
    for lines in batch {
        let text = parcels.get(lines.parcel).and_then(|parcel| parcel.data.bytes.get(lines.bytes.clone())).unwrap_or_default();
        let mut at = lines.bytes.start;
        for (row, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
            let bytes = at..at + line.len();
            at = bytes.end;
            if places.next_if(|wanted| **wanted == place).is_some() {
                match picked.last_mut().filter(|last| last.parcel == lines.parcel && last.bytes.end == bytes.start) {
                    Some(last) => {
                        last.bytes.end = bytes.end;
                        last.records += 1;
                    }
                    None => picked.push(Lines { parcel: lines.parcel, bytes, first: lines.first + row, records: 1 }),
                }
            }
            place += 1;
        }
    }
    picked
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
