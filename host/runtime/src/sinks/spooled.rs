//! A spool in front of a sink: one thread writes what comes to disk, which makes it safe, another one reads it back and
//! hands it to the sink.

use super::{Intake, LOOK, Letters, Outlet, Popped, SinkCounts};
use crate::parcel::{Encoded, Parcel, Trace};
use crate::stop::{HaltOnPanic, Stop};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_config::WhenFull;
use tamis_delivery::spool::{SpoolError, SpoolReader, SpoolWriter};
use tamis_delivery::{Backoff, Flight};

/// How long an entry waits for company before it is made durable.
const LINGER: Duration = Duration::from_millis(5);
/// Bytes that are made durable without waiting for company, and held in memory until they are.
const COMMIT_BYTES: usize = 4 * 1024 * 1024;
/// Entries that may be in memory between spool and sink.
const SEATS: usize = 8;
/// How often it is written down how far the sink has got; after a crash, what it took since is delivered again.
const PERSIST: Duration = Duration::from_secs(1);
/// Pauses when the disk refuses.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What stands before the records of an entry.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    pipeline: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    records: u64,
    offsets: Cow<'a, [u64]>,
}

/// The spool of a sink, and what its two threads need.
pub(crate) struct SpooledSink {
    pub(crate) name: String,
    pub(crate) writer: SpoolWriter,
    pub(crate) reader: SpoolReader,
    pub(crate) when_full: WhenFull,
    /// The sink behind the spool.
    pub(crate) sink: Outlet,
    pub(crate) letters: Letters,
    pub(crate) stop: Stop,
    /// Whether the end waits until the spool is empty.
    pub(crate) once: bool,
}

struct Front {
    name: String,
    writer: SpoolWriter,
    when_full: WhenFull,
    counts: Arc<SinkCounts>,
    letters: Letters,
    stop: Stop,
    backoff: Backoff,
    /// Appended and not yet durable, with their bytes.
    waiting: Vec<Parcel>,
    bytes: usize,
    /// What did not go in before this sink was replaced.
    left: Vec<Parcel>,
}

struct Back {
    name: String,
    reader: SpoolReader,
    /// `None` once nothing more is brought to it: it need not wait for company.
    sink: Option<Outlet>,
    stop: Stop,
    once: bool,
    /// Whether nothing is appended any more.
    ended: Arc<AtomicBool>,
    flight: Arc<Flight>,
    persisted: Instant,
}

impl SpooledSink {
    /// Starts its two threads: the first ends when the queue in front is closed and empty, the second then, or with `once`
    /// when the spool is empty.
    pub(crate) fn spawn(self, parcels: Intake) -> io::Result<[JoinHandle<()>; 2]> {
        let Self { name, writer, reader, when_full, sink, letters, stop, once } = self;
        let ended = Arc::new(AtomicBool::new(false));
        let mut front = Front {
            name: name.clone(),
            writer,
            when_full,
            counts: Arc::clone(&sink.counts),
            letters,
            stop: stop.clone(),
            backoff: Backoff::new(PAUSE.0, PAUSE.1, None),
            waiting: Vec::new(),
            bytes: 0,
            left: Vec::new(),
        };
        let done = Arc::clone(&ended);
        let front = std::thread::Builder::new().name(format!("spool {name}")).spawn(move || {
            let _guard = HaltOnPanic(front.stop.clone());
            front.run(&parcels);
            done.store(true, Ordering::SeqCst);
        })?;
        let flight = Flight::new(SEATS);
        let mut back = Back { name: name.clone(), reader, sink: Some(sink), stop, once, ended, flight, persisted: Instant::now() };
        let back = std::thread::Builder::new().name(format!("unspool {name}")).spawn(move || {
            let _guard = HaltOnPanic(back.stop.clone());
            back.run();
        })?;
        Ok([front, back])
    }
}

impl Front {
    fn run(&mut self, parcels: &Intake) {
        let mut since = Instant::now();
        loop {
            let wait = if self.waiting.is_empty() { Duration::from_secs(1) } else { LINGER.saturating_sub(since.elapsed()) };
            match parcels.pop(wait) {
                Popped::Parcel(parcel) => {
                    if self.waiting.is_empty() {
                        since = Instant::now();
                    }
                    self.counts.taken(parcel.data.records);
                    self.take(parcel);
                    if self.bytes >= COMMIT_BYTES || since.elapsed() >= LINGER {
                        self.sync();
                    }
                }
                Popped::Nothing => self.sync(),
                Popped::Closed => return self.sync(),
                Popped::Retired => {
                    self.sync();
                    for parcel in std::mem::take(&mut self.left).into_iter().rev() {
                        self.counts.queued(parcel.data.records);
                        parcels.put_back(parcel);
                    }
                    return;
                }
            }
        }
    }

    fn take(&mut self, parcel: Parcel) {
        loop {
            let result = self.append(&parcel);
            let error = match result {
                Ok(()) => {
                    self.bytes += parcel.data.bytes.len();
                    self.waiting.push(parcel);
                    return;
                }
                Err(error) => error,
            };
            match error {
                SpoolError::TooLarge { .. } => return self.take_parts(&parcel, &error),
                _ if error.is_full() && self.when_full == WhenFull::DropNewest => {
                    self.counts.dropped.inc_by(parcel.data.records);
                    return;
                }
                _ if self.stop.is_now() => return self.counts.give_up(&parcel, parcel.data.records),
                // For the sink that takes this one's place.
                _ if self.stop.is_retired() => return self.left.push(parcel),
                SpoolError::Poisoned { .. } => self.start_over(&error),
                SpoolError::Full { .. } | SpoolError::TooManySegments { .. } => {
                    // What was appended is worth more durable than waiting, and the sink needs it to make room.
                    self.sync();
                    self.writer.wait_for_room(parcel.data.bytes.len() as u64, LOOK);
                }
                _ => self.pause(&error),
            }
        }
    }

    /// A parcel that is larger than an entry may be goes in by halves; a record that is, to the dead letters.
    fn take_parts(&mut self, parcel: &Parcel, error: &SpoolError) {
        let Encoded { bytes, records, trace } = &*parcel.data;
        if *records < 2 {
            self.counts.rejected.inc_by(*records);
            if !self.letters.post(parcel, bytes, 0, &self.name, &error.to_string(), &self.stop) {
                parcel.ticket.give_up();
            }
            return;
        }
        let head = usize::try_from(records / 2).unwrap_or(1);
        let cut = memchr::memchr_iter(b'\n', bytes).nth(head - 1).map_or(bytes.len(), |at| at + 1);
        let (first, rest) = bytes.split_at(cut);
        let offsets = trace.offsets.split_at(head.min(trace.offsets.len()));
        for (bytes, records, offsets) in [(first, records / 2, offsets.0), (rest, records - records / 2, offsets.1)] {
            let trace = Trace { offsets: offsets.to_vec(), ..trace.clone() };
            let waiting = parcel.waiting.as_ref().map(|waiting| waiting.part(bytes.len()));
            let data = Arc::new(Encoded { bytes: bytes.to_vec(), records, trace });
            self.take(Parcel { data, ticket: Arc::clone(&parcel.ticket), seat: parcel.seat.clone(), waiting });
        }
    }

    fn append(&mut self, parcel: &Parcel) -> Result<(), SpoolError> {
        let Encoded { bytes, records, trace } = &*parcel.data;
        let head = Head {
            pipeline: Cow::Borrowed(&trace.pipeline),
            source: Cow::Borrowed(&trace.source),
            stream: Cow::Borrowed(&trace.stream),
            records: *records,
            offsets: Cow::Borrowed(&trace.offsets),
        };
        // Writing plain structures into memory cannot fail.
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.writer.append(&[&length, &head, bytes]).map(drop)
    }

    /// Makes everything appended durable: then it is safe, and the source's position may move on.
    fn sync(&mut self) {
        while !self.waiting.is_empty() {
            match self.writer.sync() {
                Ok(()) => {
                    self.backoff.succeeded();
                    self.waiting.clear();
                    self.bytes = 0;
                }
                Err(_) if self.stop.is_now() => {
                    for parcel in self.waiting.drain(..) {
                        self.counts.give_up(&parcel, parcel.data.records);
                    }
                }
                Err(error) => self.start_over(&error),
            }
        }
    }

    /// What is not known to be durable is written again, elsewhere; it was not acknowledged.
    fn start_over(&mut self, error: &SpoolError) {
        self.pause(error);
        self.writer.start_over();
        self.bytes = 0;
        for parcel in std::mem::take(&mut self.waiting) {
            self.take(parcel);
        }
    }

    fn pause(&mut self, error: &SpoolError) {
        self.counts.retries.inc();
        let pause = self.backoff.failed(Instant::now(), None, fastrand::f64()).unwrap_or(PAUSE.1);
        tracing::warn!(sink = self.name, "spool: trying again in {} ms: {error}", pause.as_millis());
        self.stop.pause(pause);
    }
}

impl Back {
    fn run(&mut self) {
        let mut backoff = Backoff::new(PAUSE.0, PAUSE.1, None);
        while !self.stop.is_now() {
            self.acknowledge(false);
            let ended = self.ended.load(Ordering::SeqCst);
            if ended && (!self.once || self.stop.is_draining()) {
                break;
            }
            let mut payload = Vec::new();
            match self.reader.next_into(LOOK, &mut payload) {
                Ok(Some(sequence)) => self.hand_on(sequence, payload),
                Ok(None) if ended => break,
                Ok(None) => {}
                Err(error) => {
                    let pause = backoff.failed(Instant::now(), None, fastrand::f64()).unwrap_or(PAUSE.1);
                    tracing::error!(sink = self.name, "spool: {error}; trying again in {} ms", pause.as_millis());
                    self.stop.pause(pause);
                    continue;
                }
            }
            backoff.succeeded();
        }
        self.sink = None;
        while !self.flight.landed(LOOK) && !self.stop.is_now() {
            self.acknowledge(false);
        }
        self.acknowledge(true);
        let left = self.reader.level().pending();
        if left > 0 {
            tracing::info!(sink = self.name, "{left} batches wait in the spool; they are delivered after the next start");
        }
    }

    fn hand_on(&mut self, sequence: u64, payload: Vec<u8>) {
        let Some(sink) = self.sink.clone() else { return };
        let Some(encoded) = decode(payload) else {
            // Its checksum was right: somebody else's entry, or that of a later version.
            tracing::error!(sink = self.name, "entry {sequence} of the spool cannot be read: it is passed over");
            sink.counts.undelivered.inc();
            return;
        };
        let boarding = loop {
            match self.flight.board(encoded.records, 0, sequence, LOOK) {
                Some(boarding) => break boarding,
                None if self.stop.is_now() => return,
                None => self.acknowledge(false),
            }
        };
        sink.send(Parcel { data: Arc::new(encoded), ticket: boarding.ticket, seat: Some(boarding.seat), waiting: None }, &self.stop);
    }

    fn acknowledge(&mut self, last: bool) {
        let failed = |name: &str, error: &SpoolError| tracing::warn!(sink = name, "spool: {error}");
        if let Some((_, sequence)) = self.flight.safe().pop()
            && let Err(error) = self.reader.acknowledge(sequence)
        {
            failed(&self.name, &error);
        }
        if last || self.persisted.elapsed() >= PERSIST {
            self.persisted = Instant::now();
            if let Err(error) = self.reader.persist() {
                failed(&self.name, &error);
            }
        }
    }
}

fn decode(mut payload: Vec<u8>) -> Option<Encoded> {
    let (length, rest) = payload.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let head: Head<'_> = serde_json::from_slice(rest.get(..length)?).ok()?;
    let trace = Trace {
        pipeline: head.pipeline.as_ref().into(),
        source: head.source.as_ref().into(),
        stream: head.stream.as_ref().into(),
        offsets: head.offsets.into_owned(),
    };
    let records = head.records;
    payload.drain(..4 + length);
    Some(Encoded { bytes: payload, records, trace })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_none_is_passed_over() {
        for payload in [&b""[..], b"\x01", b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}\n", b"\x05\0\0\0[1,2]"] {
            assert!(decode(payload.to_vec()).is_none(), "{payload:?}");
        }
    }
}
