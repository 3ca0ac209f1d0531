//! What a disk may hold after the power went.
//!
//! The model, made after what journalling file systems such as ext4 promise, and harsher in places:
//! - Of each folder's unsynced changes a beginning is kept, in their order. A rename within a folder is one change. One
//!   between two folders is two changes, so the file may be left with both names or with none (ext4 is kinder).
//! - A file's length is the one after some beginning of its unsynced changes.
//! - Each sector of 512 bytes holds what it held after some beginning of the changes that touch it, independent of the
//!   other sectors and of the length: later bytes may be there without earlier ones, and zeros where nothing arrived.
//! - A sector is written wholly or not at all.
//! - Writes over which a sync failed are never there, as if the system had given up on them at once.

use super::random::Random;
use super::state::{FileNode, FileWrite, FolderNode, Node, State};

/// Bytes that reach the disk together or not at all.
const SECTOR_BYTES: usize = 512;

/// One state that the disk may be in after a power loss now. Seed 0 keeps nothing that was not synced, seed 1 everything.
pub(super) fn crash(state: &State, seed: u64) -> State {
    let mut random = Random::new(seed);
    let mut after = state.clone();
    for node in after.nodes.values_mut() {
        match node {
            Node::File(file) => crash_file(file, seed, &mut random),
            Node::Folder(folder) => crash_folder(folder, seed, &mut random),
        }
    }
    after
}

/// How many of `total` changes reached the disk: none and all are as likely as something between.
fn kept(total: usize, seed: u64, random: &mut Random) -> usize {
    match (seed, random.below(3)) {
        (0, _) | (2.., 0) => 0,
        (1, _) | (2.., 1) => total,
        _ => random.below(total + 1),
    }
}

fn crash_folder(folder: &mut FolderNode, seed: u64, random: &mut Random) {
    let kept = kept(folder.unsynced.len(), seed, random);
    for change in folder.unsynced.drain(..).take(kept) {
        change.apply(&mut folder.durable);
    }
    folder.seen.clone_from(&folder.durable);
}

fn crash_file(file: &mut FileNode, seed: u64, random: &mut Random) {
    let changes = std::mem::take(&mut file.unsynced);
    let mut length = file.durable.len();
    for change in changes.iter().take(kept(changes.len(), seed, random)) {
        length = match &change.what {
            FileWrite::Write { offset, bytes } => length.max(offset + bytes.len()),
            FileWrite::SetLen(bytes) => *bytes,
        };
    }
    let longest = changes.iter().fold(file.durable.len(), |longest, change| match &change.what {
        FileWrite::Write { offset, bytes } => longest.max(offset + bytes.len()),
        FileWrite::SetLen(bytes) => longest.max(*bytes),
    });
    let versions: Vec<usize> = (0..longest.div_ceil(SECTOR_BYTES)).map(|_| kept(changes.len(), seed, random)).collect();
    let content = &mut file.durable;
    content.resize(longest, 0);
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| !change.lost) {
        let (from, to, bytes) = match &change.what {
            FileWrite::Write { offset, bytes } => (*offset, offset + bytes.len(), Some(bytes)),
            FileWrite::SetLen(bytes) => (*bytes, longest, None),
        };
        for (sector, version) in versions.iter().enumerate() {
            let (start, end) = (from.max(sector * SECTOR_BYTES), to.min((sector + 1) * SECTOR_BYTES));
            if start < end && index < *version {
                match bytes {
                    Some(bytes) => content[start..end].copy_from_slice(&bytes[start - from..end - from]),
                    None => content[start..end].fill(0),
                }
            }
        }
    }
    content.resize(length, 0);
    file.seen.clone_from(content);
}
