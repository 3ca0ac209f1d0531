//! Both ends in threads of their own, on the real disk.

use crate::support::payload;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_delivery::disk::RealDisk;
use tamis_delivery::spool::{Spool, SpoolOptions};

#[test]
fn two_threads_on_a_real_disk() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("spool/sink");
    let options = SpoolOptions { bytes_max: 512 << 10, segment_bytes: 64 << 10, frame_bytes_max: 4 << 10 };
    let (mut writer, mut reader, _) = Spool::open(Arc::new(RealDisk), &folder, options).unwrap();
    let total = 5_000;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..total {
                let content = payload(number, number as usize % 1000);
                while let Err(error) = writer.append(&[&content]) {
                    assert!(error.is_full(), "{error}");
                    writer.wait_for_room(content.len() as u64, Duration::from_secs(10));
                }
                if number % 500 == 499 {
                    writer.sync().unwrap();
                }
            }
        });
        for number in 0..total {
            let entry = reader.next(Duration::from_secs(10)).unwrap().unwrap();
            assert_eq!((entry.sequence, entry.payload), (number + 1, payload(number, number as usize % 1000)));
            reader.acknowledge(entry.sequence).unwrap();
        }
        assert_eq!(reader.next(Duration::from_secs(10)).unwrap(), None, "the writer is gone");
    });
    reader.persist().unwrap();
    assert_eq!((reader.level().pending(), reader.level().bytes()), (0, 0));
    let (_, _, recovery) = Spool::open(Arc::new(RealDisk), &folder, options).unwrap();
    assert!(recovery.is_clean());
    assert_eq!((recovery.acknowledged, recovery.pending), (total, 0));
}

/// `cargo test --release -p tamis-delivery --test spool -- --ignored --nocapture measure`
#[test]
#[ignore = "a measurement"]
fn measure() {
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = temporary.path().join("sink");
    let (mut writer, reader, _) = Spool::open(Arc::new(RealDisk), &folder, SpoolOptions::new(1 << 30)).unwrap();
    let content = payload(1, 64 << 10);
    let begin = Instant::now();
    let mut entries = 0;
    while writer.append(&[&content]).is_ok() {
        entries += 1;
    }
    let appended = begin.elapsed();
    writer.sync().unwrap();
    println!("{entries} entries of 64 KiB appended in {appended:?}, synced after {:?}", begin.elapsed());
    drop((writer, reader));
    let begin = Instant::now();
    let (mut writer, mut reader, recovery) = Spool::open(Arc::new(RealDisk), &folder, SpoolOptions::new(1 << 30)).unwrap();
    println!("{} entries checked in {:?}", recovery.pending, begin.elapsed());
    let begin = Instant::now();
    let mut buffer = Vec::new();
    while let Some(sequence) = reader.next_into(Duration::ZERO, &mut buffer).unwrap() {
        reader.acknowledge(sequence).unwrap();
    }
    println!("read and acknowledged in {:?}", begin.elapsed());
    let begin = Instant::now();
    for _ in 0..1_000_000 {
        writer.append(&[&content[..160]]).unwrap();
    }
    println!("1,000,000 entries of 160 bytes appended in {:?}", begin.elapsed());
}
