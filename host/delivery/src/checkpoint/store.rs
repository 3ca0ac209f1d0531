//! The checkpoint's part of the disk: reading, replacing as a whole, keeping another name.

use crate::disk::{Disk, FILE_MODE, create_folder_durably};
use std::io;
use std::path::Path;

/// A file's bytes, one more than `bytes_max` at most.
pub(super) fn read(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let length = file.bytes()?.min(bytes_max + 1);
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?];
    let read = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Makes the folder of the file where it is missing; in any case its name is durable afterwards.
pub(super) fn make_folder(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    create_folder_durably(disk, folder_of(path), "checkpoint.parent")
}

/// Writes a file in an existing folder so that after a crash at any moment the old one or the new one is there, whole.
pub(super) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    // Left by a crash, or by an attempt whose sync failed: a new file has no such past.
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.open_append(&beside, FILE_MODE)?;
    file.write_all(bytes)?;
    file.sync("checkpoint.file")?;
    disk.rename(&beside, path)?;
    disk.sync_folder(folder_of(path), "checkpoint.folder")
}

/// A second name for a file, durable; an error when there is something of that name.
pub(super) fn link(disk: &dyn Disk, path: &Path, other: &Path) -> io::Result<()> {
    disk.link(path, other)?;
    disk.sync_folder(folder_of(path), "checkpoint.kept")
}

/// Whether both names lead to the same bytes.
pub(super) fn is_same(disk: &dyn Disk, path: &Path, other: &Path) -> bool {
    let bytes = |path: &Path| disk.metadata(path).map(|found| found.bytes);
    let content = |path: &Path| read(disk, path, super::CHECKPOINT_BYTES_MAX);
    let same_length = matches!((bytes(path), bytes(other)), (Ok(one), Ok(two)) if one == two);
    same_length && matches!((content(path), content(other)), (Ok(one), Ok(two)) if one == two)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
