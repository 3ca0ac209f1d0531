//! The end that appends.

use super::error::SpoolError;
use super::frame::{HEADER_BYTES, encode};
use super::segment::SegmentName;
use super::state::{Shared, State};
use super::{SEGMENTS_MAX, SpoolOptions};
use crate::disk::{DiskFile, FILE_MODE};
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The end of a spool that appends.
#[derive(Debug)]
pub struct SpoolWriter {
    pub(super) shared: Arc<Shared>,
    options: SpoolOptions,
    /// The segment that is appended to, and its bytes.
    open: Option<OpenSegment>,
    /// Number of the next entry.
    next: u64,
    /// Entries before this one are durable, or were given back by `start_over`.
    unsynced_from: u64,
    /// The folder has names that are not durable.
    folder_unsynced: bool,
    /// What the sync said that failed.
    poison: Option<String>,
    frame: Vec<u8>,
}

#[derive(Debug)]
struct OpenSegment {
    name: SegmentName,
    file: Box<dyn DiskFile>,
    bytes: u64,
}

/// Room of the frame's buffer that is kept between entries, in bytes.
const FRAME_KEPT_BYTES: usize = 1 << 20;

impl SpoolWriter {
    pub(super) fn new(shared: Arc<Shared>, options: SpoolOptions, next: u64) -> Self {
        Self { shared, options, open: None, next, unsynced_from: next, folder_unsynced: false, poison: None, frame: Vec::new() }
    }

    /// Appends an entry, whose payload is the parts one after the other, and gives its number. It can be read at once;
    /// durable it is when [`SpoolWriter::sync`] has returned. After an error nothing of it is in the spool.
    ///
    /// # Errors
    /// [`SpoolError::Full`] and [`SpoolError::TooManySegments`] when there is no room now (see [`SpoolError::is_full`]),
    /// [`SpoolError::TooLarge`] when there never will be, [`SpoolError::Poisoned`] after a failed sync,
    /// [`SpoolError::Io`] when the disk refuses.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<u64, SpoolError> {
        self.check_poison()?;
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let bytes_max = self.options.frame_bytes_max as u64;
        let Some(length) = u32::try_from(bytes).ok().filter(|_| bytes <= bytes_max) else {
            return Err(SpoolError::TooLarge { bytes, bytes_max });
        };
        let entry_bytes = HEADER_BYTES as u64 + bytes;
        let (taken, segments) = {
            let state = self.shared.lock();
            (state.bytes, state.segments.len())
        };
        if taken + entry_bytes > self.options.bytes_max {
            return Err(SpoolError::Full { bytes: taken, bytes_max: self.options.bytes_max, entry_bytes });
        }
        if self.open.as_ref().is_some_and(|open| open.bytes > 0 && open.bytes + entry_bytes > self.options.segment_bytes) {
            // Synced now, so that no more than one segment ever waits for a sync.
            self.sync_segment("spool.segment.full")?;
            self.close();
        }
        if self.open.is_none() && segments >= SEGMENTS_MAX {
            return Err(SpoolError::TooManySegments { segments });
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin_segment()?,
        };
        self.frame.clear();
        encode(open.name.salt, self.next, length, parts, &mut self.frame);
        let written = open.file.write_all(&self.frame);
        self.frame.shrink_to(FRAME_KEPT_BYTES);
        if let Err(source) = written {
            let path = self.shared.path(open.name);
            let cut = open.file.set_len(open.bytes);
            let torn_bytes = open.file.bytes().map_or(entry_bytes, |bytes| bytes.saturating_sub(open.bytes));
            let is_empty = open.bytes == 0;
            self.open = Some(open);
            if cut.is_err() {
                // The beginning of a frame stands there and cannot be cut off: nothing is appended behind it. If what stands
                // before it cannot be synced either, the next call says so.
                let _ = self.sync_segment("spool.segment.abandoned");
                let mut state = self.shared.lock();
                state.bytes += torn_bytes;
                if let Some(segment) = state.segments.back_mut() {
                    segment.torn_bytes = torn_bytes;
                }
                drop(state);
                self.close();
            } else if !is_empty && self.sync_segment("spool.segment.full").is_ok() {
                // An open segment is never removed. On a disk that is full, it may hold the very room that is missing, long
                // after all of it was delivered.
                self.close();
            }
            return Err(SpoolError::Io { action: "append to", path, source });
        }
        open.bytes += entry_bytes;
        let sequence = self.next;
        self.next += 1;
        let mut state = self.shared.lock();
        state.bytes += entry_bytes;
        state.pending += 1;
        state.pending_bytes += entry_bytes;
        if let Some(segment) = state.segments.back_mut() {
            segment.bytes = open.bytes;
            segment.last = sequence;
        }
        drop(state);
        self.open = Some(open);
        self.shared.appended.notify_one();
        Ok(sequence)
    }

    /// Makes everything appended so far durable, in the file and in the folder. Costs nothing if it is already.
    ///
    /// # Errors
    /// [`SpoolError::Poisoned`]: entries are not durable, and no later sync can make them so.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        self.check_poison()?;
        if self.unsynced_from == self.next {
            return Ok(());
        }
        self.sync_segment("spool.segment")?;
        if self.folder_unsynced {
            let synced = self.shared.disk.sync_folder(&self.shared.folder, "spool.folder");
            self.poison_on(synced)?;
            self.folder_unsynced = false;
        }
        self.unsynced_from = self.next;
        Ok(())
    }

    /// After [`SpoolError::Poisoned`]: goes on with a new segment. Gives the numbers of the entries that must be appended
    /// again, under new numbers; they may still be delivered under the old ones too. `None` when nothing had failed.
    pub fn start_over(&mut self) -> Option<RangeInclusive<u64>> {
        self.poison.take()?;
        self.close();
        let again = self.unsynced_from..=self.next - 1;
        self.unsynced_from = self.next;
        Some(again)
    }

    /// Whether a sync failed and [`SpoolWriter::start_over`] was not called since.
    pub fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// Waits until an entry of so many bytes fits, at most so long, and says whether it does.
    pub fn wait_for_room(&self, bytes: u64, wait: Duration) -> bool {
        let needed = HEADER_BYTES as u64 + bytes;
        let full = |state: &mut State| state.bytes + needed > self.options.bytes_max || state.segments.len() >= SEGMENTS_MAX;
        let guard = self.shared.lock();
        let (mut state, _) = self.shared.freed.wait_timeout_while(guard, wait, full).unwrap_or_else(std::sync::PoisonError::into_inner);
        !full(&mut state)
    }

    fn check_poison(&self) -> Result<(), SpoolError> {
        match &self.poison {
            Some(reason) => Err(SpoolError::Poisoned { first: self.unsynced_from, last: self.next - 1, reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn poison_on(&mut self, synced: io::Result<()>) -> Result<(), SpoolError> {
        self.poison = synced.err().map(|error| error.to_string());
        self.check_poison()
    }

    fn sync_segment(&mut self, site: &'static str) -> Result<(), SpoolError> {
        match &self.open {
            Some(open) if self.unsynced_from < self.next => {
                let synced = open.file.sync(site);
                self.poison_on(synced)
            }
            _ => Ok(()),
        }
    }

    /// Ends the open segment. It may be removed when it is delivered.
    fn close(&mut self) {
        if self.open.take().is_some()
            && let Some(segment) = self.shared.lock().segments.back_mut()
        {
            segment.open = false;
        }
    }

    fn begin_segment(&mut self) -> Result<OpenSegment, SpoolError> {
        let name = SegmentName::draw(self.next);
        let path = self.shared.path(name);
        let file = self.shared.disk.open_append(&path, FILE_MODE).map_err(SpoolError::io("create", &path))?;
        self.folder_unsynced = true;
        self.shared.lock().push(name, true);
        Ok(OpenSegment { name, file, bytes: 0 })
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.close();
        self.shared.lock().closed = true;
        self.shared.appended.notify_all();
    }
}
