//! A sink that takes bytes one after the other: one thread writes, another makes durable what was written. Writing goes on
//! meanwhile, so what one sync makes safe grows with what it takes: commits come in groups by themselves.

use super::{Intake, LOOK, Letters, Popped, SinkCounts};
use crate::parcel::Parcel;
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_delivery::{Backoff, Ticket};
use tamis_nodes::sinks::{Commit, Refused, Sink};

/// How long what was written waits for company before it is made durable.
const LINGER: Duration = Duration::from_millis(20);
/// Bytes that are made durable without waiting for company.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that may be written and not yet durable; more has to wait.
const UNCOMMITTED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How often it is looked whether the group before was made durable.
const LOOK_COMMIT: Duration = Duration::from_millis(2);
/// How often a sink is told that time passes.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct StreamSink {
    pub(crate) name: String,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) counts: Arc<SinkCounts>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) backoff: Backoff,
    pub(crate) letters: Letters,
    /// Whether pipelines lead to no other sink.
    pub(crate) only: bool,
}

/// What was written and is not yet durable.
#[derive(Default)]
struct Written {
    tickets: Vec<Arc<Ticket>>,
    records: u64,
    bytes: usize,
    since: Option<Instant>,
}

/// A group on its way to be durable.
struct Group {
    commit: Commit,
    written: Written,
}

struct Writer {
    parts: StreamSink,
    written: Written,
    committer: Sender<Group>,
    /// Bytes that the committer was given and has not done.
    committing: Arc<std::sync::atomic::AtomicUsize>,
    /// Whether its reader has gone.
    gone: bool,
    ticked: Instant,
}

impl StreamSink {
    /// Starts its two threads, which end when the queue is closed and empty.
    pub(crate) fn spawn(self, parcels: Intake) -> io::Result<[JoinHandle<()>; 2]> {
        // One group is made durable while the next one waits.
        let (committer, groups) = crossbeam_channel::bounded(1);
        let committing = Arc::default();
        let commits = Commits {
            name: self.name.clone(),
            counts: Arc::clone(&self.counts),
            stop: self.stop.clone(),
            committing: Arc::clone(&committing),
        };
        let name = self.name.clone();
        let commits = std::thread::Builder::new().name(format!("sync {name}")).spawn(move || commits.run(&groups))?;
        let mut writer = Writer { parts: self, written: Written::default(), committer, committing, gone: false, ticked: Instant::now() };
        let writer = std::thread::Builder::new().name(format!("sink {name}")).spawn(move || {
            let _guard = HaltOnPanic(writer.parts.stop.clone());
            writer.run(&parcels);
        })?;
        Ok([writer, commits])
    }
}

impl Writer {
    fn run(&mut self, parcels: &Intake) {
        loop {
            let wait = self.written.since.map_or(TICK, |since| (since + LINGER).saturating_duration_since(Instant::now()).max(LOOK_COMMIT));
            let popped = parcels.pop(wait);
            if let Popped::Parcel(parcel) = popped {
                self.deliver(parcel, parcels);
                self.commit_if_due();
                continue;
            }
            if matches!(popped, Popped::Closed | Popped::Retired) {
                self.commit_all();
                return;
            }
            self.commit_if_due();
            self.tick();
        }
    }

    fn tick(&mut self) {
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            if let Err(error) = self.parts.sink.tick() {
                tracing::warn!(sink = self.parts.name, "{error}");
            }
        }
    }

    fn deliver(&mut self, parcel: Parcel, parcels: &Intake) {
        self.tick();
        let records = parcel.data.records;
        let left = self.write(&parcel, parcels);
        self.parts.counts.taken(records);
        self.written.since.get_or_insert_with(Instant::now);
        self.written.bytes += parcel.data.bytes.len();
        self.written.records += records - left;
        let Parcel { data, ticket, seat, waiting } = parcel;
        self.written.tickets.push(ticket);
        drop((seat, waiting));
        if let Some(encoded) = Arc::into_inner(data) {
            self.parts.pool.give(encoded.bytes);
        }
        while self.committing.load(std::sync::atomic::Ordering::Relaxed) + self.written.bytes > UNCOMMITTED_BYTES_MAX {
            self.commit_if_due();
            if self.parts.stop.is_now() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Writes a parcel. Gives how many of its records were not written. What cannot be written by a sink that is replaced goes back
    /// into the queue.
    fn write(&mut self, parcel: &Parcel, parcels: &Intake) -> u64 {
        let bytes = parcel.data.bytes.as_slice();
        let mut rest = bytes;
        // Lines that the sink can never store; and how many lines there are up to a place.
        let (mut unstored, mut counted) = (0, (0, 0));
        while !rest.is_empty() && !self.gone {
            let parts = &mut self.parts;
            match parts.sink.write(rest) {
                Ok(written) => {
                    parts.counts.bytes.inc_by(written as u64);
                    let begin = bytes.len() - rest.len();
                    for Refused { lines, reason } in parts.sink.refused() {
                        let from = begin + lines.start;
                        counted = (from, counted.1 + line_count(bytes, counted.0..from));
                        let refused = bytes.get(from..begin + lines.end).unwrap_or_default();
                        let count = line_count(refused, 0..refused.len()) as u64;
                        if !parts.letters.post(parcel, refused, counted.1, &parts.name, reason, &parts.stop) {
                            parcel.ticket.give_up();
                        }
                        parts.counts.rejected.inc_by(count);
                        unstored += count;
                    }
                    rest = rest.get(written..).unwrap_or_default();
                    parts.backoff.succeeded();
                    parts.counts.succeeded();
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    // Whoever read has gone, as `head` does, and does not come back. Without other sinks there is nothing left to do.
                    self.gone = true;
                    parts.counts.failed();
                    match parts.only {
                        true => parts.stop.reader_gone(),
                        false => tracing::error!(sink = parts.name, "the reader has gone: what is meant for it is not delivered"),
                    }
                }
                Err(error) => {
                    if parts.stop.is_now() || parts.stop.is_retired() {
                        break;
                    }
                    parts.counts.retries.inc();
                    parts.counts.failed();
                    let done = bytes.len() - rest.len();
                    let at_line = done == 0 || bytes.get(done - 1) == Some(&b'\n');
                    match parts.backoff.failed(Instant::now(), None, fastrand::f64()) {
                        Some(pause) => {
                            tracing::warn!(sink = parts.name, "cannot write, trying again in {} ms: {error}", pause.as_millis());
                            parts.stop.pause(pause);
                        }
                        // A record of which a part is written has to be ended.
                        None if !at_line => parts.stop.pause(LOOK),
                        None => {
                            let first = bytes.get(..done).map_or(0, |written| memchr::memchr_iter(b'\n', written).count());
                            let refused = parcel.data.records.saturating_sub(first as u64);
                            tracing::error!(sink = parts.name, "cannot write for too long, {refused} records become dead letters: {error}");
                            if !parts.letters.post(parcel, rest, first, &parts.name, &error.to_string(), &parts.stop) {
                                parcel.ticket.give_up();
                            }
                            parts.counts.rejected.inc_by(refused);
                            return unstored + refused;
                        }
                    }
                }
            }
        }
        if rest.is_empty() {
            return unstored;
        }
        if self.parts.stop.is_retired() && !self.parts.stop.is_now() && !self.gone {
            // A record of which a part is written is written again: whole, by the next one.
            let done = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
            let begin = memchr::memrchr(b'\n', done).map_or(0, |at| at + 1);
            let left = parcel.from(begin, line_count(bytes, 0..begin));
            let records = left.data.records;
            self.parts.counts.queued(records);
            parcels.put_back(left);
            return unstored + records;
        }
        self.parts.counts.give_up(parcel, parcel.data.records.saturating_sub(unstored));
        if self.gone && !self.parts.only && parcel.ticket.holds_position() {
            // Its source would read on and never get further: all would come again after the next start, however late that is.
            self.parts.stop.halt(format!(
                "sink `{}`: whoever read its output has gone, and source `{}` cannot go on without it; start again with a reader, or \
                 without this sink: what is not delivered comes again",
                self.parts.name, parcel.data.trace.source
            ));
        }
        parcel.data.records
    }

    fn commit_if_due(&mut self) {
        let due = self.written.since.is_some_and(|since| since.elapsed() >= LINGER) || self.written.bytes >= COMMIT_BYTES;
        if due && self.committer.is_empty() && self.committing.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            self.commit();
        }
    }

    /// Hands what was written to the committer.
    fn commit(&mut self) {
        if self.written.tickets.is_empty() {
            return;
        }
        match self.parts.sink.commit() {
            Ok(None) => settle(&self.parts.counts, std::mem::take(&mut self.written)),
            Ok(Some(commit)) => {
                let written = std::mem::take(&mut self.written);
                self.committing.fetch_add(written.bytes, std::sync::atomic::Ordering::Relaxed);
                let group = Group { commit, written };
                if let Err(TrySendError::Full(group) | TrySendError::Disconnected(group)) = self.committer.try_send(group) {
                    // Only when everything ends does a group find another one waiting.
                    let _ = self.committer.send(group);
                }
            }
            Err(error) => {
                tracing::warn!(sink = self.parts.name, "cannot write out, trying again: {error}");
                self.parts.counts.retries.inc();
                self.parts.stop.pause(LINGER);
            }
        }
    }

    fn commit_all(&mut self) {
        while !self.written.tickets.is_empty() {
            self.commit();
            if !self.written.tickets.is_empty() && self.parts.stop.is_now() {
                self.written.tickets.iter().for_each(|ticket| ticket.give_up());
                self.parts.counts.undelivered.inc_by(self.written.records);
                return;
            }
        }
    }
}

/// How many lines end within a range.
fn line_count(bytes: &[u8], range: std::ops::Range<usize>) -> usize {
    bytes.get(range).map_or(0, |lines| memchr::memchr_iter(b'\n', lines).count())
}

fn settle(counts: &SinkCounts, written: Written) {
    counts.delivered.inc_by(written.records);
    drop(written.tickets);
}

/// Makes groups durable, one after the other.
struct Commits {
    name: String,
    counts: Arc<SinkCounts>,
    stop: Stop,
    committing: Arc<std::sync::atomic::AtomicUsize>,
}

impl Commits {
    fn run(&self, groups: &Receiver<Group>) {
        let _guard = HaltOnPanic(self.stop.clone());
        let mut failed = false;
        for Group { commit, written } in groups {
            let result = if failed { Err(io::Error::other("an earlier sync failed")) } else { commit() };
            self.committing.fetch_sub(written.bytes, std::sync::atomic::Ordering::Relaxed);
            match result {
                Ok(()) => settle(&self.counts, written),
                Err(error) => {
                    // The system may have thrown away what it could not write, and a second sync would not tell. Nothing of
                    // it is acknowledged: after a restart it comes again from the source.
                    failed = true;
                    written.tickets.iter().for_each(|ticket| ticket.give_up());
                    self.counts.undelivered.inc_by(written.records);
                    self.stop.halt(format!("sink `{}`: what was written cannot be made durable: {error}", self.name));
                }
            }
        }
    }
}
