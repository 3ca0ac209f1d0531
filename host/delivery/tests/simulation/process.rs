//! The process under test: everything in it is gone with a crash.

use crate::Mutation;
use crate::file::{FileSink, Piece};
use crate::queue::Queue;
use crate::record::{Fate, Record};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tamis_delivery::simulation::SimDisk;
use tamis_delivery::{CheckpointFile, Flight, Ledger, Loaded, Portion};

/// Frames that may be in memory.
pub(crate) const SEATS: usize = 4;
pub(crate) const STREAMS: usize = 2;

pub(crate) struct Process {
    mutation: Mutation,
    flight: Arc<Flight>,
    pub(crate) ledger: Arc<Ledger>,
    checkpoint: CheckpointFile,
    /// How far each stream was read.
    pub(crate) read: [u64; STREAMS],
    /// What the source was told is safe.
    pub(crate) safe: [u64; STREAMS],
    pub(crate) queue: Queue,
    pub(crate) file: FileSink,
    pub(crate) letters: FileSink,
}

impl Process {
    /// Starts on a disk.
    pub(crate) fn start(disk: &SimDisk, mutation: Mutation) -> Result<Self, Box<dyn Error>> {
        let checkpoint = CheckpointFile::on(Arc::new(disk.clone()), Path::new("/data"), "source");
        let read = match checkpoint.load()? {
            Loaded::Missing => [0; STREAMS],
            Loaded::Sound(positions) => positions,
            Loaded::Damaged { why } => panic!("a checkpoint was damaged by a crash: {why}"),
        };
        Ok(Self {
            mutation,
            flight: Flight::new(SEATS),
            ledger: Arc::default(),
            checkpoint,
            read,
            safe: read,
            queue: Queue::new(disk, mutation)?,
            file: FileSink::new(disk, "/out", mutation)?,
            letters: FileSink::new(disk, "/letters", mutation)?,
        })
    }

    /// Reads a frame and takes it through the pipeline, when there is a seat.
    pub(crate) fn read(&mut self, stream: usize, count: u64) {
        let (from, to) = (self.read[stream], self.read[stream] + count);
        let Some(boarding) = self.flight.board(count, stream as u64, to, Duration::ZERO) else { return };
        self.read[stream] = to;
        self.ledger.enter(count);
        let records: Vec<Record> = (from..to).map(|index| Record { stream: stream as u64, index }).collect();
        let of = |fate| records.iter().copied().filter(|record| record.fate() == fate).collect::<Vec<_>>();
        let (out, letters) = (of(Fate::Out), of(Fate::Letter));
        let (out_count, rejected) = (out.len() as u64, letters.len() as u64);
        let dropped = count - out_count - rejected - u64::from(self.mutation == Mutation::Unaccounted && out_count + rejected < count);
        boarding.ticket.account(&self.ledger, Portion { taken: count, out: out_count, dropped, rejected });
        let seat = (self.mutation != Mutation::SeatDropped).then_some(boarding.seat);
        let piece = |records: Vec<Record>| Piece { records, ticket: Some(Arc::clone(&boarding.ticket)), seat: seat.clone(), again: false };
        if !out.is_empty() {
            self.queue.queue.push_back(piece(out.clone()));
            let mut to_file = piece(out);
            if self.mutation == Mutation::TicketDropped {
                to_file.ticket = None;
            }
            self.file.queue.push_back(to_file);
        }
        if !letters.is_empty() {
            self.letters.queue.push_back(piece(letters));
        }
    }

    /// Takes in what is safe.
    pub(crate) fn take_safe(&mut self) {
        for (stream, end) in self.flight.safe() {
            self.safe[stream as usize] = end;
        }
    }

    /// Writes the checkpoint and gives what it says, if it could be written.
    pub(crate) fn save(&mut self) -> Option<[u64; STREAMS]> {
        self.take_safe();
        let positions = if self.mutation == Mutation::CheckpointAhead { self.read } else { self.safe };
        self.checkpoint.save(&positions).ok().map(|()| positions)
    }

    /// Whether the bounds and the books are kept.
    pub(crate) fn violation(&self) -> Option<String> {
        let balance = self.ledger.balance();
        if !balance.is_even() || balance.held != self.flight.under_way() {
            return Some(format!("the ledger does not balance: {balance:?} with {} records under way", self.flight.under_way()));
        }
        // What was written once gave its seat back, and must be written again after a failed sync all the same.
        let pieces = self.queue.queue.iter().chain(&self.file.queue).chain(&self.letters.queue).filter(|piece| !piece.again);
        let frames: BTreeSet<u64> = pieces.filter_map(|piece| Some(piece.ticket.as_ref()?.number())).collect();
        (frames.len() > SEATS).then(|| format!("{} frames are in memory, {SEATS} may be", frames.len()))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_idle() && self.file.is_idle() && self.letters.is_idle() && self.flight.landed(Duration::ZERO)
    }
}
