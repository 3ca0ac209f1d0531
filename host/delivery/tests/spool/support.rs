//! What the tests share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tamis_delivery::disk::{Disk, EntryKind, FILE_MODE};
use tamis_delivery::simulation::SimDisk;
use tamis_delivery::spool::{Recovery, Spool, SpoolOptions, SpoolReader, SpoolWriter};

pub(crate) const FOLDER: &str = "/data/spool/sink";

/// Small, so that a few entries fill a segment and a few segments the spool.
pub(crate) const OPTIONS: SpoolOptions = SpoolOptions { bytes_max: 16 << 10, segment_bytes: 2 << 10, frame_bytes_max: 1 << 10 };

pub(crate) type Entries = BTreeMap<u64, Vec<u8>>;

pub(crate) fn open(disk: &SimDisk) -> (SpoolWriter, SpoolReader, Recovery) {
    Spool::open(Arc::new(disk.clone()), Path::new(FOLDER), OPTIONS).expect("a spool opens whatever it holds")
}

/// Everything that can be read, in order.
pub(crate) fn drain(reader: &mut SpoolReader) -> Entries {
    let mut entries = Entries::new();
    while let Some(entry) = reader.next(Duration::ZERO).unwrap() {
        assert!(entries.last_key_value().is_none_or(|(last, _)| *last < entry.sequence), "out of order");
        entries.insert(entry.sequence, entry.payload);
    }
    entries
}

/// A payload of its own for every number.
pub(crate) fn payload(number: u64, bytes: usize) -> Vec<u8> {
    format!("entry {number} ").into_bytes().into_iter().cycle().take(bytes).collect()
}

pub(crate) fn read_file(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open_read(path).unwrap();
    let mut content = vec![0; file.bytes().unwrap() as usize];
    file.read_full_at(&mut content, 0).unwrap();
    content
}

/// Puts a file with this content in place of what there is.
pub(crate) fn replace_file(disk: &SimDisk, path: &Path, content: &[u8]) {
    let _ = disk.remove(path);
    disk.open_append(path, FILE_MODE).unwrap().write_all(content).unwrap();
}

/// Names of the files in a folder.
pub(crate) fn files(disk: &SimDisk, folder: &Path) -> Vec<String> {
    let entries = disk.list(folder).unwrap_or_default();
    entries.into_iter().filter(|e| e.kind == EntryKind::File).map(|e| e.name.into_string().unwrap()).collect()
}

/// Names of the segments, oldest first.
pub(crate) fn segments(disk: &SimDisk) -> Vec<String> {
    files(disk, Path::new(FOLDER)).into_iter().filter(|name| name.ends_with(".spool")).collect()
}
