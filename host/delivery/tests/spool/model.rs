//! Random runs against a model: an ordered map of what was appended.

use crate::support::{Entries, FOLDER, OPTIONS, drain, files, open, payload};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tamis_delivery::simulation::{Operation, SimDisk};
use tamis_delivery::spool::{SpoolError, SpoolReader, SpoolWriter};

#[derive(Debug, Clone)]
enum Act {
    Append(usize),
    Sync,
    Read,
    /// Acknowledges so much of what was read: 0 nothing, 255 everything.
    Acknowledge(u8),
    Persist,
    Kill,
    PowerLoss(u64),
    /// A sync that fails, and starting over.
    FailedSync,
    /// An entry that meets a full disk after so many of its bytes; whether the torn frame can be cut off.
    FullDisk(usize, bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0usize..900).prop_map(Act::Append),
        5 => Just(Act::Sync),
        8 => Just(Act::Read),
        4 => any::<u8>().prop_map(Act::Acknowledge),
        2 => Just(Act::Persist),
        1 => Just(Act::Kill),
        2 => any::<u64>().prop_map(Act::PowerLoss),
        1 => Just(Act::FailedSync),
        1 => (0usize..300, any::<bool>()).prop_map(|(bytes, cut)| Act::FullDisk(bytes, cut)),
    ]
}

struct Run {
    disk: SimDisk,
    writer: SpoolWriter,
    reader: SpoolReader,
    /// What is in the spool, acknowledged or not.
    entries: Entries,
    /// Numbers of entries that must survive a power loss.
    promised: BTreeSet<u64>,
    /// Entries whose sync failed.
    given_up: BTreeSet<u64>,
    read: u64,
    acknowledged: u64,
    persisted: u64,
    appended: u64,
}

impl Run {
    fn new() -> Self {
        let disk = SimDisk::new();
        let (writer, reader, recovery) = open(&disk);
        assert!(recovery.is_clean() && recovery.pending == 0);
        let (entries, promised, given_up) = (Entries::new(), BTreeSet::new(), BTreeSet::new());
        Self { disk, writer, reader, entries, promised, given_up, read: 0, acknowledged: 0, persisted: 0, appended: 0 }
    }

    fn waiting(&self) -> u64 {
        self.entries.range(self.acknowledged + 1..).count() as u64
    }

    fn append(&mut self, bytes: usize) -> Option<u64> {
        let content = payload(self.appended, bytes);
        let (left, right) = content.split_at(bytes / 3);
        match self.writer.append(&[left, right]) {
            Ok(sequence) => {
                assert!(self.entries.last_key_value().is_none_or(|(last, _)| *last < sequence) && sequence > self.read);
                self.entries.insert(sequence, content);
                self.appended += 1;
                Some(sequence)
            }
            Err(SpoolError::Full { bytes: taken, .. }) => {
                assert!(taken + bytes as u64 + 24 > OPTIONS.bytes_max);
                assert!(self.waiting() > 0, "full of nothing");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn sync(&mut self) {
        self.writer.sync().unwrap();
        self.promised.extend(self.entries.keys().filter(|sequence| !self.given_up.contains(sequence)));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Append(bytes) => drop(self.append(*bytes)),
            Act::Sync => self.sync(),
            Act::Read => {
                let entry = self.reader.next(Duration::ZERO).unwrap().map(|entry| (entry.sequence, entry.payload));
                let expected = self.entries.range(self.read + 1..).next().map(|(sequence, content)| (*sequence, content.clone()));
                assert_eq!(entry, expected);
                self.read = entry.map_or(self.read, |(sequence, _)| sequence);
            }
            Act::Acknowledge(part) => {
                let sequence = self.acknowledged + (self.read - self.acknowledged) * u64::from(*part) / 255;
                self.reader.acknowledge(sequence).unwrap();
                self.acknowledged = sequence;
                assert!(matches!(self.reader.acknowledge(self.read + 1), Err(SpoolError::NotRead { .. })));
            }
            Act::Persist => {
                self.reader.persist().unwrap();
                // A number that opening inferred from the names is not written down until another follows.
                self.persisted =
                    if files(&self.disk, Path::new(FOLDER)).iter().any(|n| n == "acknowledged") { self.acknowledged } else { 0 };
            }
            Act::Kill => {
                let survives: BTreeSet<u64> = self.entries.keys().copied().collect();
                self.reopen(self.disk.kill(), &survives);
            }
            Act::PowerLoss(seed) => {
                let promised = std::mem::take(&mut self.promised);
                // What is there after a power loss is on the disk, whatever a sync said.
                self.given_up.clear();
                self.reopen(self.disk.crash(*seed), &promised);
            }
            Act::FailedSync => self.failed_sync(),
            Act::FullDisk(bytes, cut) => self.full_disk(*bytes, *cut),
        }
        assert_eq!(self.writer.level().pending(), self.waiting());
        let bytes: usize = self.entries.range(self.acknowledged + 1..).map(|(_, content)| 24 + content.len()).sum();
        assert_eq!(self.writer.level().pending_bytes(), bytes as u64, "with the header of each");
        assert!(self.writer.level().bytes() <= OPTIONS.bytes_max && self.writer.level().bytes_max() == OPTIONS.bytes_max);
    }

    fn failed_sync(&mut self) {
        self.disk.fail_every(Operation::Sync, ErrorKind::Other);
        let synced = self.writer.sync();
        self.disk.repair();
        if synced.is_ok() {
            assert!(!self.writer.is_poisoned(), "there was nothing to sync");
            return;
        }
        assert!(matches!(self.writer.append(&[b"x"]), Err(SpoolError::Poisoned { .. })));
        assert!(matches!(self.writer.sync(), Err(SpoolError::Poisoned { .. })));
        let again: Vec<u64> = self.writer.start_over().unwrap().collect();
        let fresh: Vec<u64> = again.iter().filter_map(|sequence| self.append(self.entries[sequence].len())).collect();
        self.given_up.extend(again);
        // What is appended again is promised; the poisoned ones may be there or not.
        self.writer.sync().unwrap();
        self.promised.extend(fresh);
    }

    fn full_disk(&mut self, bytes: usize, cut: bool) {
        let held = self.disk.bytes();
        self.disk.fail_every(Operation::Open, ErrorKind::StorageFull);
        if !cut {
            self.disk.fail_every(Operation::SetLen, ErrorKind::Other);
        }
        self.disk.set_capacity(Some(held + bytes));
        let content = payload(self.appended, 900);
        let result = self.writer.append(&[&content]);
        self.disk.repair();
        match result {
            Ok(sequence) => {
                self.entries.insert(sequence, content);
                self.appended += 1;
            }
            Err(error) => assert!(error.is_full(), "{error}"),
        }
    }

    /// Opens the disk after a crash. `survives`: what must be there, unless it was acknowledged.
    fn reopen(&mut self, disk: SimDisk, survives: &BTreeSet<u64>) {
        // A look at a copy first: opening makes durable what it reports, so this is what is promised from now on.
        let (_, mut reader, _) = open(&disk.kill());
        let found = drain(&mut reader);
        let (writer, reader, recovery) = open(&disk);
        let acknowledged = recovery.acknowledged;
        assert!(acknowledged >= self.persisted, "what was persisted as acknowledged comes again");
        // Without a file of acknowledgements it begins before the first segment, and the first ones may have been lost unsynced.
        assert!(acknowledged <= self.acknowledged || self.persisted == 0);
        assert!(recovery.acknowledged_damaged.is_none() && recovery.strangers.is_empty());
        assert_eq!(recovery.pending, found.len() as u64);
        for (sequence, content) in &found {
            assert!(*sequence > acknowledged);
            assert_eq!(self.entries.get(sequence), Some(content), "invented or corrupt");
        }
        for sequence in survives.range(self.acknowledged + 1..) {
            assert!(found.contains_key(sequence), "entry {sequence} was promised and is lost");
        }
        self.promised = found.keys().copied().filter(|sequence| !self.given_up.contains(sequence)).collect();
        let written = files(&disk, Path::new(FOLDER)).iter().any(|name| name == "acknowledged");
        (self.read, self.acknowledged, self.persisted) = (acknowledged, acknowledged, if written { acknowledged } else { 0 });
        (self.disk, self.writer, self.reader, self.entries) = (disk, writer, reader, found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spool_is_a_queue_that_survives(acts in prop::collection::vec(act(), 1..120)) {
        let mut run = Run::new();
        acts.iter().for_each(|act| run.act(act));
        run.reopen(run.disk.kill(), &run.entries.keys().copied().collect());
        let found = drain(&mut run.reader);
        prop_assert_eq!(&found, &run.entries);
    }
}
