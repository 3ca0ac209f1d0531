//! Full disks, failing disks.

use crate::support::{FOLDER, OPTIONS, drain, open, payload, segments};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tamis_delivery::simulation::{Operation, SimDisk};
use tamis_delivery::spool::{SEGMENTS_MAX, Spool, SpoolError, SpoolOptions};

#[test]
fn a_full_spool_says_so_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new();
    let (mut writer, mut reader, _) = open(&disk);
    let mut appended = 0;
    let error = loop {
        match writer.append(&[&payload(appended, 500)]) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_full() && matches!(error, SpoolError::Full { entry_bytes: 524, .. }), "{error}");
    assert_eq!(appended, OPTIONS.bytes_max / 524);
    assert!(!writer.wait_for_room(500, Duration::ZERO));
    assert_eq!(drain(&mut reader).len() as u64, appended, "nothing of the refused one");
    reader.acknowledge(3).unwrap();
    assert!(writer.wait_for_room(500, Duration::ZERO), "a segment of three is gone");
    writer.append(&[&payload(appended, 500)]).unwrap();
    reader.acknowledge(appended).unwrap();
    assert!(writer.level().bytes() <= 2 * 524);
    assert!(matches!(writer.append(&[&[0; 1025]]), Err(SpoolError::TooLarge { bytes: 1025, bytes_max: 1024 })));
}

#[test]
fn a_full_disk_tears_nothing() {
    let disk = SimDisk::new();
    let (mut writer, mut reader, _) = open(&disk);
    writer.append(&[b"before"]).unwrap();
    for room in 0..200 {
        disk.set_capacity(Some(disk.bytes() + room));
        let error = writer.append(&[&payload(1, 200)]).unwrap_err();
        assert!(error.is_full(), "{error}");
        disk.repair();
    }
    writer.append(&[b"after"]).unwrap();
    writer.sync().unwrap();
    let found: Vec<_> = drain(&mut reader).into_iter().collect();
    assert_eq!(found, [(1, b"before".to_vec()), (2, b"after".to_vec())]);
    let (_, mut reader, recovery) = open(&disk.crash(0));
    assert!(recovery.is_clean() && recovery.torn_bytes == 0);
    assert_eq!(drain(&mut reader).len(), 2);
}

#[test]
fn a_disk_that_the_spool_itself_filled_becomes_free_again() {
    let disk = SimDisk::new();
    let (mut writer, mut reader, _) = open(&disk);
    disk.set_capacity(Some(8000));
    let mut appended = 0;
    while writer.append(&[&payload(appended, 500)]).is_ok() {
        appended += 1;
    }
    // To the last byte.
    for bytes in (0..500).rev() {
        let _ = writer.append(&[&payload(0, bytes)]);
    }
    assert!(disk.bytes() > 7970, "{}", disk.bytes());
    drain(&mut reader);
    // There is no room for the file that says what is acknowledged.
    reader.acknowledge(1).unwrap();
    assert!(matches!(reader.persist(), Err(SpoolError::Io { .. })));
    reader.acknowledge(appended).unwrap();
    writer.append(&[&payload(0, 500)]).unwrap();
    assert_eq!(open(&disk.kill()).2.acknowledged, appended);
}

/// The disk is smaller than a segment, which would never be full and so never be removed.
#[test]
fn a_disk_smaller_than_a_segment_becomes_free_again() {
    let disk = SimDisk::new();
    let (mut writer, mut reader, _) = open(&disk);
    disk.set_capacity(Some(1_200));
    for round in 1..=3 {
        let mut appended = 0;
        while let Ok(sequence) = writer.append(&[&payload(round, 500)]) {
            appended = sequence;
        }
        assert!(appended > 0, "round {round}: there is room again");
        writer.sync().unwrap();
        drain(&mut reader);
        reader.acknowledge(appended).unwrap();
        reader.persist().unwrap();
    }
}

#[test]
fn a_failed_sync_is_never_made_good_by_another() {
    let disk = SimDisk::new();
    let (mut writer, _reader, _) = open(&disk);
    writer.append(&[b"one"]).unwrap();
    writer.sync().unwrap();
    for failing in [Operation::Sync, Operation::SyncFolder] {
        let two = writer.append(&[b"two"]).unwrap();
        let three = writer.append(&[b"three"]).unwrap();
        disk.fail_every(failing, ErrorKind::Other);
        let failed = writer.sync();
        disk.repair();
        if failing == Operation::SyncFolder && failed.is_ok() {
            panic!("a new segment needs its folder synced");
        }
        for _ in 0..2 {
            assert!(matches!(writer.sync(), Err(SpoolError::Poisoned { first, last, .. }) if (first, last) == (two, three)));
            assert!(matches!(writer.append(&[b"x"]), Err(SpoolError::Poisoned { .. })));
        }
        assert_eq!(writer.start_over(), Some(two..=three));
        assert_eq!(writer.start_over(), None);
        writer.append(&[b"two"]).unwrap();
        // The next round needs a segment whose name is not durable yet.
        if failing == Operation::Sync {
            let (mut fresh, ..) = open(&disk.crash(0));
            assert_eq!(fresh.append(&[b"x"]).unwrap(), 2, "nothing but the first entry was promised");
            disk.fail_every(Operation::Sync, ErrorKind::Other);
            assert!(writer.sync().is_err());
            disk.repair();
            writer.start_over();
        }
    }
    writer.append(&[b"three"]).unwrap();
    writer.sync().unwrap();
    let (_, mut reader, _) = open(&disk.crash(0));
    let found: Vec<Vec<u8>> = drain(&mut reader).into_values().collect();
    assert!(found.ends_with(&[b"two".to_vec(), b"three".to_vec()]), "{found:?}");
}

#[test]
fn a_reader_tries_again_after_an_error() {
    let disk = SimDisk::new();
    let (mut writer, mut reader, _) = open(&disk);
    for number in 0..5 {
        writer.append(&[&payload(number, 900)]).unwrap();
    }
    let mut found = 0;
    for fail in 0.. {
        disk.fail_after(fail % 3, ErrorKind::Other);
        match reader.next(Duration::ZERO) {
            Ok(Some(entry)) => {
                assert_eq!(entry.payload, payload(found, 900));
                found += 1;
            }
            Ok(None) => break,
            Err(error) => assert!(matches!(error, SpoolError::Io { .. })),
        }
    }
    disk.repair();
    assert_eq!((found, reader.level().damaged_frames()), (5, 0));
}

#[test]
fn any_single_failure_is_survived() {
    for fail in 0..60 {
        let disk = SimDisk::new();
        let (mut writer, mut reader, _) = open(&disk);
        disk.fail_after(fail, ErrorKind::Other);
        let mut promised = Vec::new();
        for number in 0..12 {
            let mut kept = writer.append(&[&payload(number, 400)]).is_ok();
            kept &= writer.sync().is_ok();
            if writer.start_over().is_some() || !kept {
                writer.append(&[&payload(number, 400)]).unwrap();
                writer.sync().unwrap();
            }
            promised.push(payload(number, 400));
            let _ = reader.next(Duration::ZERO).map(|entry| entry.map(|entry| reader.acknowledge(entry.sequence)));
            let _ = reader.persist();
        }
        disk.repair();
        let (_, mut fresh, recovery) = open(&disk.crash(0));
        let delivered = usize::try_from(recovery.acknowledged).unwrap();
        let left = drain(&mut fresh).into_values().collect::<Vec<_>>();
        assert!(left.len() + delivered >= promised.len(), "failure {fail}: {} and {delivered}", left.len());
        assert!(left.iter().all(|content| promised.contains(content)));
    }
}

#[test]
fn options_are_checked_and_segments_bounded() {
    for bytes_max in [1000, 1 << 20, 1 << 30, 1 << 50] {
        let options = SpoolOptions::new(bytes_max);
        assert!(Spool::open(Arc::new(SimDisk::new()), Path::new(FOLDER), options).is_ok(), "{options:?}");
    }
    for options in [
        SpoolOptions { segment_bytes: 9 << 10, ..OPTIONS },
        SpoolOptions { frame_bytes_max: 0, ..OPTIONS },
        SpoolOptions { frame_bytes_max: 2 << 10, ..OPTIONS },
    ] {
        let opened = Spool::open(Arc::new(SimDisk::new()), Path::new(FOLDER), options);
        assert!(matches!(opened, Err(SpoolError::Options(_))));
    }
    let disk = SimDisk::new();
    let options = SpoolOptions { bytes_max: 1 << 20, segment_bytes: 30, frame_bytes_max: 1 };
    let (mut writer, ..) = Spool::open(Arc::new(disk.clone()), Path::new(FOLDER), options).unwrap();
    let appended = (0..=SEGMENTS_MAX).take_while(|_| writer.append(&[b"x"]).is_ok()).count();
    assert_eq!((appended, segments(&disk).len()), (SEGMENTS_MAX, SEGMENTS_MAX));
    assert!(matches!(writer.append(&[b"x"]), Err(SpoolError::TooManySegments { segments: SEGMENTS_MAX })));
}
