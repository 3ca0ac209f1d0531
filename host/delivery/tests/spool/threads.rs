//! Both ends in threads of their own, on the real disk.

use crate::support::payload;
use std::sync::Arc;
use std::time::Duration;
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
