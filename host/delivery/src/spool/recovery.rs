//! Opening: what is found is checked, what is damaged is named, and everything else goes on.

use super::acknowledged::{self, Found};
use super::error::SpoolError;
use super::frame::{HEADER_BYTES, Step, Walk};
use super::segment::SegmentName;
use super::state::{DAMAGED_FOLDER, State, set_aside};
use super::window::Window;
use crate::disk::{Disk, EntryKind, create_folder_durably};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Items that each list of a [`Recovery`] holds at most. Counts go on beyond.
pub const RECOVERY_LIST_MAX: usize = 256;

/// What was found in a spool's folder when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Entries that wait. They are durable now, also those that a killed process had not synced.
    pub pending: u64,
    /// The last acknowledged entry, 0 for none; that before the first one found, if the file was absent or damaged.
    pub acknowledged: u64,
    /// Where the damaged file of acknowledgements was moved to. All entries found are delivered again then.
    pub acknowledged_damaged: Option<PathBuf>,
    /// Frames that a process did not finish, or that a power loss took: nothing that was synced. They are passed over.
    pub torn: Vec<Region>,
    /// Bytes in all torn regions.
    pub torn_bytes: u64,
    /// Damaged regions: passed over; the segment stays until the rest of it is delivered, and is then kept aside.
    pub damaged: Vec<Region>,
    /// Bytes in all damaged regions.
    pub damaged_bytes: u64,
    /// Sequence numbers of entries that are lost, in damaged regions or with segments that are gone.
    pub lost: Vec<RangeInclusive<u64>>,
    /// Number of lost entries. Damage after which no frame follows counts as one: how many there were is not known.
    pub lost_entries: u64,
    /// Files that are none of the spool's. They are left alone.
    pub strangers: Vec<PathBuf>,
}

/// A part of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The segment.
    pub segment: PathBuf,
    /// Bytes from its beginning.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Where the segment is kept when its sound entries are delivered, or is already if it has none. None for torn regions.
    pub kept: Option<PathBuf>,
}

impl Recovery {
    /// Whether anything was found that an operator should know of.
    pub fn is_clean(&self) -> bool {
        self.acknowledged_damaged.is_none() && self.damaged_bytes == 0 && self.lost_entries == 0 && self.strangers.is_empty()
    }

    fn lose(&mut self, entries: RangeInclusive<u64>) {
        if !entries.is_empty() {
            self.lost_entries = self.lost_entries.saturating_add(entries.end() - entries.start()).saturating_add(1);
            push(&mut self.lost, entries);
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < RECOVERY_LIST_MAX {
        list.push(item);
    }
}

/// What opening gives to the two ends.
pub(super) struct Opened {
    pub(super) state: State,
    pub(super) recovery: Recovery,
    /// Number of the next entry.
    pub(super) next: u64,
    /// How many numbers before it stood in no segment that is kept: they are counted as lost already.
    pub(super) passed_over: u64,
}

pub(super) fn open(disk: &dyn Disk, folder: &Path, frame_bytes_max: usize) -> Result<Opened, SpoolError> {
    create_folder_durably(disk, folder, "spool.parent").map_err(SpoolError::io("create", folder))?;
    let mut recovery = Recovery::default();
    let names = list(disk, folder, &mut recovery)?;
    let path = folder.join(acknowledged::FILE_NAME);
    let found = acknowledged::read(disk, folder).map_err(SpoolError::io("read", &path))?;
    if found == Found::Damaged {
        let kept = set_aside(disk, folder, acknowledged::FILE_NAME).map_err(SpoolError::io("set aside", &path))?;
        recovery.acknowledged_damaged = Some(kept);
    }
    // Without the file nobody can tell whether a segment before the first one is missing.
    recovery.acknowledged = match found {
        Found::Sequence(sequence) => sequence,
        Found::Absent | Found::Damaged => names.first().map_or(0, |name| name.first - 1),
    };
    let next = recovery.acknowledged + 1;
    let mut opening = Opening { disk, folder, frame_bytes_max, state: State::default(), recovery, next, read_next: next, unknown: false };
    for (index, name) in names.iter().enumerate() {
        let following = names.get(index + 1).map(|following| following.first);
        if following.is_some_and(|following| following > name.first && following - 1 <= opening.recovery.acknowledged) {
            // All of it is delivered. If it cannot be removed now, it will be found again.
            let _ = disk.remove(&folder.join(name.file_name()));
        } else {
            opening.segment(*name)?;
        }
    }
    let Opening { mut state, mut recovery, next, read_next, unknown, .. } = opening;
    recovery.lost_entries += u64::from(unknown);
    recovery.pending = state.pending;
    state.lost = recovery.lost_entries;
    disk.sync_folder(folder, "spool.open.folder").map_err(SpoolError::io("sync", folder))?;
    Ok(Opened { state, recovery, next, passed_over: next - read_next })
}

/// The segments in the folder, oldest first.
fn list(disk: &dyn Disk, folder: &Path, recovery: &mut Recovery) -> Result<Vec<SegmentName>, SpoolError> {
    let mut names = Vec::new();
    for entry in disk.list(folder).map_err(SpoolError::io("list", folder))? {
        match (entry.kind, entry.name.to_str()) {
            (EntryKind::File, Some(acknowledged::FILE_NAME | acknowledged::NEW_FILE_NAME)) => {}
            (EntryKind::Folder, Some(DAMAGED_FOLDER)) => {}
            (EntryKind::File, Some(name)) if SegmentName::parse(name).is_some() => names.extend(SegmentName::parse(name)),
            _ => push(&mut recovery.strangers, folder.join(entry.name)),
        }
    }
    names.sort_unstable_by_key(|name| (name.first, name.salt.0));
    Ok(names)
}

struct Opening<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    frame_bytes_max: usize,
    state: State,
    recovery: Recovery,
    /// The number after the highest one known of.
    next: u64,
    /// The number that a reader expects after the segments that are kept so far.
    read_next: u64,
    /// The latest bytes are damaged, and no frame after them tells how many entries they were.
    unknown: bool,
}

impl Opening<'_> {
    fn segment(&mut self, name: SegmentName) -> Result<(), SpoolError> {
        let path = self.folder.join(name.file_name());
        let file = self.disk.open_read(&path).map_err(SpoolError::io("open", &path))?;
        let bytes = file.bytes().map_err(SpoolError::io("measure", &path))?;
        let mut window = Window::new(file);
        let acknowledged = self.recovery.acknowledged;
        let checked = check(&mut window, name, bytes, self.frame_bytes_max, acknowledged).map_err(SpoolError::io("read", &path))?;

        if let Some(next) = checked.next {
            self.recovery.lose(self.next..=name.first - 1);
            self.recovery.lost_entries += checked.lost_entries;
            checked.lost.iter().for_each(|lost| push(&mut self.recovery.lost, lost.clone()));
            self.next = self.next.max(next);
            self.unknown = false;
        }
        self.unknown |= checked.unknown_after;
        let damaged = !checked.damaged.is_empty();
        let last = checked.last.filter(|last| *last > acknowledged);
        let mut kept = damaged.then(|| self.folder.join(DAMAGED_FOLDER).join(name.file_name()));
        if let Some(last) = last {
            // A process that was killed may have left it unsynced. What is reported as pending is durable.
            window.file().sync("spool.open.segment").map_err(SpoolError::io("sync", &path))?;
            let segment = self.state.push(name, false);
            (segment.bytes, segment.last, segment.damaged) = (bytes, last, damaged);
            segment.lost = checked.lost_entries + name.first.saturating_sub(self.read_next);
            self.state.bytes += bytes;
            self.state.pending += checked.pending;
            self.state.pending_bytes += checked.pending_bytes;
            self.read_next = checked.next.unwrap_or(self.read_next);
        } else if damaged {
            kept = set_aside(self.disk, self.folder, &name.file_name()).ok();
        } else {
            // Nothing in it is waiting. If it cannot be removed now, it will be found again.
            let _ = self.disk.remove(&path);
        }
        if let Some((offset, bytes)) = checked.torn {
            self.recovery.torn_bytes += bytes;
            push(&mut self.recovery.torn, Region { segment: path.clone(), offset, bytes, kept: None });
        }
        self.recovery.damaged_bytes += checked.damaged_bytes;
        for (offset, bytes) in checked.damaged {
            push(&mut self.recovery.damaged, Region { segment: path.clone(), offset, bytes, kept: kept.clone() });
        }
        Ok(())
    }
}

/// One segment, checked.
#[derive(Default)]
struct Checked {
    /// Sound entries that are not acknowledged.
    pending: u64,
    /// Their bytes, with headers.
    pending_bytes: u64,
    /// Number of the last sound entry.
    last: Option<u64>,
    /// The number after the last one known of; none if no header in the segment is sound.
    next: Option<u64>,
    /// Entries known to be lost in it: the first runs of them, and the number of all.
    lost: Vec<RangeInclusive<u64>>,
    lost_entries: u64,
    torn: Option<(u64, u64)>,
    damaged: Vec<(u64, u64)>,
    damaged_bytes: u64,
    unknown_after: bool,
}

fn check(window: &mut Window, name: SegmentName, bytes: u64, frame_bytes_max: usize, acknowledged: u64) -> std::io::Result<Checked> {
    let mut checked = Checked::default();
    let mut walk = Walk::new(name.salt, name.first, frame_bytes_max);
    loop {
        let step = walk.step(window, bytes)?;
        let lost = match step {
            Step::End => return Ok(checked),
            Step::Frame { sequence, lost, length, .. } => {
                if sequence > acknowledged {
                    checked.pending += 1;
                    checked.pending_bytes += (HEADER_BYTES + length) as u64;
                }
                checked.last = Some(sequence);
                sequence - lost..=sequence - 1
            }
            Step::Damaged { offset, bytes, lost } => {
                checked.damaged_bytes += bytes;
                push(&mut checked.damaged, (offset, bytes));
                checked.unknown_after = lost.is_none();
                let Some(lost) = lost else { continue };
                walk.expected() - lost..=walk.expected() - 1
            }
            Step::Torn { offset, bytes } => {
                checked.torn = Some((offset, bytes));
                continue;
            }
        };
        checked.next = Some(walk.expected());
        checked.unknown_after = false;
        let lost = *lost.start().max(&(acknowledged + 1))..=*lost.end();
        if !lost.is_empty() {
            checked.lost_entries += lost.end() - lost.start() + 1;
            push(&mut checked.lost, lost);
        }
    }
}
