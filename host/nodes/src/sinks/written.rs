//! Which files the host's sinks have written, for sources that must not read them again.

use std::collections::{HashSet, VecDeque};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Files that are remembered; beyond it the ones noted first are forgotten.
pub const WRITTEN_FILES_MAX: usize = 65_536;

/// The files that sinks have opened since the host started, rotated ones too. Clones share one list: give the same to the
/// sinks and to the sources that read files.
///
/// A file is known by device, inode and time of creation: where the file system keeps none, another file that was given
/// the inode of a removed one counts too, until it is forgotten.
#[derive(Debug, Clone, Default)]
pub struct WrittenFiles(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    known: HashSet<Key>,
    order: VecDeque<Key>,
}

/// Device, inode, time of creation.
type Key = (u64, u64, Option<SystemTime>);

fn key(file: &Metadata) -> Key {
    (file.dev(), file.ino(), file.created().ok())
}

impl WrittenFiles {
    /// Whether a sink writes, or has written, the file.
    pub fn contains(&self, file: &Metadata) -> bool {
        self.list().known.contains(&key(file))
    }

    /// Device and inode of every file, in the order in which they were noted.
    #[cfg(test)]
    pub(super) fn files(&self) -> Vec<(u64, u64)> {
        self.list().order.iter().map(|(device, inode, _)| (*device, *inode)).collect()
    }

    /// Notes a file.
    pub(super) fn note(&self, file: &Metadata) {
        self.note_key(key(file));
    }

    fn note_key(&self, file: Key) {
        let mut list = self.list();
        if list.known.insert(file) {
            list.order.push_back(file);
        }
        while list.order.len() > WRITTEN_FILES_MAX {
            if let Some(oldest) = list.order.pop_front() {
                list.known.remove(&oldest);
            }
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // Both halves are sound after every statement that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_at_the_limit() {
        let written = WrittenFiles::default();
        for inode in 0..WRITTEN_FILES_MAX as u64 + 2 {
            written.note_key((1, inode, None));
            written.note_key((1, inode, None));
        }
        let list = written.list();
        assert_eq!((list.order.len(), list.known.len(), list.order.front()), (WRITTEN_FILES_MAX, WRITTEN_FILES_MAX, Some(&(1, 2, None))));
    }
}
