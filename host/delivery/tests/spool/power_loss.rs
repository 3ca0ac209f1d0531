//! A run is recorded, and the power goes after each of its changes to the disk. The same with each sync taken away in turn:
//! every one of them must be missed, or it would not be needed or this test would prove nothing.

use crate::support::{Entries, OPTIONS, drain, open, payload, segments};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tamis_delivery::simulation::{Operation, SimDisk};
use tamis_delivery::spool::{Spool, SpoolReader, SpoolWriter};

/// Power losses tried after each change.
const SEEDS: u64 = 24;

/// One process on the disk, and what it was told at which moment.
struct Process {
    disk: SimDisk,
    writer: SpoolWriter,
    reader: SpoolReader,
    appended: Entries,
    /// From a moment on all entries up to this one are durable.
    durable: Vec<(usize, u64)>,
    /// From a moment on entries up to this one may be missing, as the sink has them.
    acknowledged: Vec<(usize, u64)>,
    /// From a moment on entries up to this one do not come again.
    persisted: Vec<(usize, u64)>,
}

impl Process {
    fn start(disk: SimDisk, inherited: &Entries) -> Self {
        let (writer, reader, recovery) = open(&disk);
        let moment = disk.moment();
        let mut appended = inherited.clone();
        let mut process = Self {
            writer,
            reader,
            durable: Vec::new(),
            acknowledged: vec![(0, recovery.acknowledged)],
            persisted: vec![(moment, recovery.acknowledged)],
            appended: Entries::new(),
            disk,
        };
        process.durable.extend(appended.last_key_value().map(|(last, _)| (moment, *last)));
        process.appended.append(&mut appended);
        process
    }

    fn append(&mut self, bytes: usize) {
        let content = payload(self.appended.len() as u64, bytes);
        let sequence = self.writer.append(&[&content]).unwrap();
        self.appended.insert(sequence, content);
    }

    fn sync(&mut self) {
        self.writer.sync().unwrap();
        self.durable.extend(self.appended.last_key_value().map(|(last, _)| (self.disk.moment(), *last)));
    }

    fn deliver(&mut self, entries: usize) {
        for _ in 0..entries {
            let entry = self.reader.next(Duration::ZERO).unwrap().unwrap();
            self.acknowledged.push((self.disk.moment(), entry.sequence));
            self.reader.acknowledge(entry.sequence).unwrap();
        }
    }

    fn persist(&mut self) {
        self.reader.persist().unwrap();
        let last = self.acknowledged.last().unwrap().1;
        self.persisted.push((self.disk.moment(), last));
    }

    /// The first violation over all moments and seeds.
    fn violation(&self) -> Option<String> {
        let at = |events: &[(usize, u64)], moment| events.iter().filter(|(when, _)| *when <= moment).map(|(_, s)| *s).max().unwrap_or(0);
        (0..=self.disk.moment()).flat_map(|moment| (0..SEEDS).map(move |seed| (moment, seed))).find_map(|(moment, seed)| {
            let (durable, acknowledged) = (at(&self.durable, moment), at(&self.acknowledged, moment));
            let after = self.disk.crash_at(moment, seed);
            let (mut writer, mut reader, _) = open(&after);
            let found = drain(&mut reader);
            let wrong = if let Some((s, _)) = found.iter().find(|(s, content)| self.appended.get(s) != Some(content)) {
                format!("entry {s} is invented or corrupt")
            } else if let Some((s, _)) =
                self.appended.range(acknowledged + 1..).take_while(|(s, _)| **s <= durable).find(|(s, _)| !found.contains_key(s))
            {
                format!("entry {s} was promised and is lost")
            } else if let Some(s) = found.keys().find(|s| **s <= at(&self.persisted, moment)) {
                format!("entry {s} was persisted as acknowledged and comes again")
            } else if writer.append(&[b"goes on"]).is_err() || reader.next(Duration::ZERO).unwrap().unwrap().payload != b"goes on" {
                "it does not go on".to_owned()
            } else {
                return None;
            };
            Some(format!("{wrong}, after change {moment} with seed {seed}"))
        })
    }
}

/// Two processes, the first of which is killed. Syncs of `ignored` do nothing. Gives the violation, if any, and the sites.
fn run(ignored: Option<&'static str>) -> (Option<String>, Vec<&'static str>) {
    let disk = SimDisk::new();
    ignored.into_iter().for_each(|site| disk.ignore_sync(site));

    let mut first = Process::start(disk.clone(), &Entries::new());
    for round in 0..6 {
        first.append(300);
        first.append(700);
        first.sync();
        first.append(round * 100);
        first.deliver(2);
        if round % 2 == 1 {
            first.persist();
        }
    }
    // A frame that the disk has no room for, and that cannot be cut off.
    first.append(20);
    disk.set_capacity(Some(disk.bytes() + 50));
    disk.fail_every(Operation::SetLen, ErrorKind::Other);
    assert!(first.writer.append(&[&payload(0, 200)]).unwrap_err().is_full());
    disk.repair();
    first.append(500);
    first.sync();
    // Left unsynced by a process that is killed: one in a segment that is known, and a segment that is not.
    first.append(100);
    first.append(1000);
    first.append(1000);
    first.append(10);

    let mut second = Process::start(disk.kill(), &first.appended);
    second.deliver(3);
    second.append(600);
    second.sync();
    second.persist();
    second.append(900);
    let mut sites = disk.sync_sites();
    sites.extend(second.disk.sync_sites());
    sites.sort_unstable();
    sites.dedup();
    (first.violation().or_else(|| second.violation()), sites)
}

#[test]
fn power_may_go_after_any_change() {
    assert_eq!(run(None).0, None);
}

#[test]
fn every_sync_is_missed_when_it_is_taken_away() {
    let (_, sites) = run(None);
    let expected = [
        "spool.acknowledged",
        "spool.acknowledged.folder",
        "spool.folder",
        "spool.open.folder",
        "spool.open.segment",
        "spool.parent",
        "spool.segment",
        "spool.segment.abandoned",
        "spool.segment.full",
    ];
    assert_eq!(sites, expected, "a new sync: see that this run reaches it");
    for site in sites {
        let (violation, _) = run(Some(site));
        println!("{site}: {violation:?}");
        assert!(violation.is_some(), "nobody misses the sync {site}");
    }
}

#[test]
fn a_missing_parent_folder_is_made_durable_from_the_root_on() {
    let disk = SimDisk::new();
    let (mut writer, _reader, _) = Spool::open(Arc::new(disk.clone()), Path::new("/a/b/c/d"), OPTIONS).unwrap();
    writer.append(&[b"kept"]).unwrap();
    writer.sync().unwrap();
    let (_, mut reader, _) = Spool::open(Arc::new(disk.crash(0)), Path::new("/a/b/c/d"), OPTIONS).unwrap();
    assert_eq!(reader.next(Duration::ZERO).unwrap().unwrap().payload, b"kept");
    assert!(segments(&disk).is_empty());
}
