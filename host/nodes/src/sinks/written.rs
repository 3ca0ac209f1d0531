//! Which files the host's sinks have written, for sources that must not read them again.

use std::collections::{HashSet, VecDeque};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are remembered; beyond it the ones noted first are forgotten.
pub const WRITTEN_FILES_MAX: usize = 65_536;

/// The files that sinks have opened since the host started, by device and inode, rotated ones too. Clones share one list:
/// give the same to the sinks and to the sources that read files.
///
/// A file that was removed and whose inode the system gave to another file still counts, until it is forgotten.
#[derive(Debug, Clone, Default)]
pub struct WrittenFiles(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    known: HashSet<(u64, u64)>,
    order: VecDeque<(u64, u64)>,
}

impl WrittenFiles {
    /// Whether a sink writes, or has written, the file.
    pub fn contains(&self, file: &Metadata) -> bool {
        self.list().known.contains(&(file.dev(), file.ino()))
    }

    /// Device and inode of every file, in the order in which they were noted.
    pub fn files(&self) -> Vec<(u64, u64)> {
        self.list().order.iter().copied().collect()
    }

    /// Notes a file.
    pub(super) fn note(&self, file: (u64, u64)) {
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
            written.note((1, inode));
            written.note((1, inode));
        }
        let files = written.files();
        assert_eq!((files.len(), files.first()), (WRITTEN_FILES_MAX, Some(&(1, 2))));
    }
}
