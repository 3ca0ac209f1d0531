//! Folders that outlive a power loss.

use super::{Disk, EntryKind};
use std::io;
use std::path::Path;

/// Creates a folder and those above it where they are missing, and makes their names durable. `site` names the syncs.
///
/// The folder that was there already, the deepest of them, may come from a process that died before its sync: its name
/// is made durable too. Those above it are, as each folder is synced into the one above before the next is created.
///
/// # Errors
/// What the system says; `NotADirectory` when something else has the name. A folder above that may not be opened is no
/// error if nothing was created in it: only who could create there can owe it a sync.
pub fn create_folder_durably(disk: &dyn Disk, path: &Path, site: &'static str) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    // A relative path of one name is in the working folder.
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match disk.metadata(path) {
        Ok(found) if found.kind == EntryKind::File => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => match disk.sync_folder(parent, site) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            other => other,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folder_durably(disk, parent, site)?;
            match disk.create_folder(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            disk.sync_folder(parent, site)
        }
        Err(error) => Err(error),
    }
}
