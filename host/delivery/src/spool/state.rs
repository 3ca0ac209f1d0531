//! What both ends of a spool share.

use super::SpoolOptions;
use super::segment::{Segment, SegmentName};
use crate::disk::{Disk, EntryKind};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Damaged segments that are kept, the newest.
pub(super) const DAMAGED_KEPT_MAX: usize = 8;

/// The folder in the spool's folder where they are kept.
pub(super) const DAMAGED_FOLDER: &str = "damaged";

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) bytes_max: u64,
    pub(super) frame_bytes_max: usize,
    state: Mutex<State>,
    /// Something was appended.
    pub(super) appended: Condvar,
    /// A segment was removed.
    pub(super) freed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_ordinal: u64,
    /// Bytes of all segments.
    pub(super) bytes: u64,
    /// Entries appended and neither acknowledged nor lost.
    pub(super) pending: u64,
    /// Bytes of these, with their headers; those of lost ones among them until nothing is pending.
    pub(super) pending_bytes: u64,
    /// Entries lost to damage.
    pub(super) lost: u64,
    /// The writer is gone.
    pub(super) closed: bool,
}

impl State {
    /// Adds a segment as the newest.
    pub(super) fn push(&mut self, name: SegmentName, open: bool) -> &mut Segment {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        let segment = Segment { name, ordinal, bytes: 0, torn_bytes: 0, last: name.first - 1, open, damaged: false, lost: 0 };
        self.segments.push_back(segment);
        // Just pushed.
        let at = self.segments.len() - 1;
        &mut self.segments[at]
    }
}

impl Shared {
    pub(super) fn new(disk: Arc<dyn Disk>, folder: &Path, options: &SpoolOptions, state: State) -> Self {
        let (appended, freed) = (Condvar::new(), Condvar::new());
        let SpoolOptions { bytes_max, frame_bytes_max, segment_bytes: _ } = *options;
        Self { disk, folder: folder.to_owned(), bytes_max, frame_bytes_max, state: Mutex::new(state), appended, freed }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, name: SegmentName) -> PathBuf {
        self.folder.join(name.file_name())
    }

    /// The reader found so many entries lost for a segment, in all, or damage in it. What was known is not counted again.
    pub(super) fn account(&self, ordinal: u64, lost: u64, damaged: bool) {
        if lost == 0 && !damaged {
            return;
        }
        let mut state = self.lock();
        let Some(segment) = state.segments.iter_mut().find(|segment| segment.ordinal == ordinal) else { return };
        segment.damaged |= damaged;
        let new = lost.saturating_sub(segment.lost);
        segment.lost += new;
        state.lost += new;
        state.pending = state.pending.saturating_sub(new);
    }

    /// Removes the oldest segment if all of it is acknowledged, and says whether it did. A damaged one is set aside.
    pub(super) fn remove_oldest(&self, acknowledged: u64) -> io::Result<bool> {
        let (name, damaged, bytes) = match self.lock().segments.front() {
            Some(oldest) if !oldest.open && oldest.last <= acknowledged => (oldest.name, oldest.damaged, oldest.bytes + oldest.torn_bytes),
            _ => return Ok(false),
        };
        let path = self.path(name);
        // A disk without room for the damaged folder must not keep the spool from becoming smaller.
        if !damaged || set_aside(&*self.disk, &self.folder, &name.file_name()).is_err() {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let mut state = self.lock();
        state.segments.pop_front();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.freed.notify_all();
        Ok(true)
    }
}

/// Moves a file of the spool to the damaged ones, and removes the oldest segments there beyond [`DAMAGED_KEPT_MAX`].
pub(super) fn set_aside(disk: &dyn Disk, folder: &Path, file_name: &str) -> io::Result<PathBuf> {
    let damaged = folder.join(DAMAGED_FOLDER);
    match disk.create_folder(&damaged) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let kept = damaged.join(file_name);
    disk.rename(&folder.join(file_name), &kept)?;
    let mut names: Vec<_> = disk
        .list(&damaged)?
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File)
        .filter_map(|entry| entry.name.into_string().ok().filter(|name| SegmentName::parse(name).is_some()))
        .collect();
    names.sort_unstable();
    for name in names.iter().take(names.len().saturating_sub(DAMAGED_KEPT_MAX)) {
        disk.remove(&damaged.join(name))?;
    }
    Ok(kept)
}
