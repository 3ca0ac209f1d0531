//! The spool and the receiver behind it.

use crate::Mutation;
use crate::file::Piece;
use crate::record::{Record, Records, lines, parse};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_delivery::simulation::SimDisk;
use tamis_delivery::spool::{Spool, SpoolError, SpoolOptions, SpoolReader, SpoolWriter};
use tamis_delivery::{Backoff, Boarding, Flight};

const FOLDER: &str = "/data/spool";
/// Small, so that it is full at times.
const OPTIONS: SpoolOptions = SpoolOptions { bytes_max: 4 << 10, segment_bytes: 1 << 10, frame_bytes_max: 512 };
/// Entries between spool and receiver.
const SEATS: usize = 3;

/// What the receiver does with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Takes,
    /// It takes it, and nobody hears of it.
    TakesInSilence,
    Fails,
    /// It does not want it, ever.
    Refuses,
}

#[derive(Debug)]
pub(crate) struct Queue {
    mutation: Mutation,
    writer: SpoolWriter,
    reader: SpoolReader,
    pub(crate) queue: VecDeque<Piece>,
    /// Appended and not yet durable.
    appended: VecDeque<Piece>,
    flight: Arc<Flight>,
    /// Read, in order.
    inbox: VecDeque<(u64, Vec<Record>, Boarding)>,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// Entries from this one on were appended by this process, so their order is known.
    own_from: Option<u64>,
}

impl Queue {
    pub(crate) fn new(disk: &SimDisk, mutation: Mutation) -> Result<Self, SpoolError> {
        let (writer, reader, _) = Spool::open(Arc::new(disk.clone()), Path::new(FOLDER), OPTIONS)?;
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(80), None);
        let (queue, appended, inbox) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Ok(Self { mutation, writer, reader, queue, appended, flight: Flight::new(SEATS), inbox, backoff, not_before: None, own_from: None })
    }

    /// Appends one piece.
    pub(crate) fn append(&mut self) {
        let Some(mut piece) = self.queue.pop_front() else { return };
        match self.writer.append(&[&lines(&piece.records)]) {
            Ok(sequence) => {
                self.own_from.get_or_insert(sequence);
                piece.seat = None;
                piece.again = true;
                if self.mutation == Mutation::SpoolSafeBeforeSync {
                    piece.ticket = None;
                }
                self.appended.push_back(piece);
            }
            Err(error) => {
                self.queue.push_front(piece);
                self.start_over(&error);
            }
        }
    }

    /// Makes what was appended durable; then it is safe.
    pub(crate) fn sync(&mut self) {
        match self.writer.sync() {
            Ok(()) => self.appended.clear(),
            Err(error) => self.start_over(&error),
        }
    }

    fn start_over(&mut self, error: &SpoolError) {
        if matches!(error, SpoolError::Poisoned { .. }) {
            self.writer.start_over();
            self.appended.append(&mut self.queue);
            std::mem::swap(&mut self.appended, &mut self.queue);
        }
    }

    /// Reads an entry, when there is a seat for it.
    pub(crate) fn read(&mut self) {
        if self.inbox.len() >= SEATS {
            return;
        }
        if let Ok(Some(entry)) = self.reader.next(Duration::ZERO) {
            let records = parse(&entry.payload);
            let boarding = self.flight.board(records.len() as u64, 0, entry.sequence, Duration::ZERO).expect("seats are as many as places");
            if self.mutation == Mutation::AcknowledgedBeforeTaken {
                let _ = self.reader.acknowledge(entry.sequence);
            }
            self.inbox.push_back((entry.sequence, records, boarding));
        }
    }

    /// Hands the oldest entry to the receiver. Gives what the receiver took, with whether their order is known, and what it
    /// refused.
    pub(crate) fn deliver(&mut self, answer: Answer, now: Instant, jitter: f64) -> (Vec<Record>, bool, Option<Piece>) {
        if self.not_before.is_some_and(|until| now < until) {
            return (Vec::new(), false, None);
        }
        let Some((sequence, records, boarding)) = self.inbox.pop_front() else { return (Vec::new(), false, None) };
        let own = self.own_from.is_some_and(|from| sequence >= from);
        match answer {
            Answer::Takes => {
                self.backoff.succeeded();
                self.not_before = None;
                (records, own, None)
            }
            Answer::Refuses => {
                self.not_before = None;
                let piece = Piece { records, ticket: Some(boarding.ticket), seat: None, again: true };
                (Vec::new(), own, Some(piece))
            }
            Answer::Fails | Answer::TakesInSilence => {
                self.not_before = self.backoff.failed(now, None, jitter).map(|pause| now + pause);
                let taken = if answer == Answer::Fails { Vec::new() } else { records.clone() };
                if self.mutation == Mutation::Overtaking {
                    self.inbox.push_back((sequence, records, boarding));
                } else {
                    self.inbox.push_front((sequence, records, boarding));
                }
                (taken, own, None)
            }
        }
    }

    /// Tells the spool how far the receiver has come.
    pub(crate) fn acknowledge(&mut self, persist: bool) {
        if let Some((_, sequence)) = self.flight.safe().pop() {
            let _ = self.reader.acknowledge(sequence);
        }
        if persist {
            let _ = self.reader.persist();
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.appended.is_empty() && self.inbox.is_empty() && self.reader.level().pending() == 0
    }

    /// What waits in the spool of a disk.
    pub(crate) fn waiting(disk: &SimDisk) -> Result<Records, SpoolError> {
        let (_, mut reader, _) = Spool::open(Arc::new(disk.kill()), Path::new(FOLDER), OPTIONS)?;
        let mut records = Records::new();
        while let Some(entry) = reader.next(Duration::ZERO)? {
            records.extend(parse(&entry.payload));
        }
        Ok(records)
    }
}
