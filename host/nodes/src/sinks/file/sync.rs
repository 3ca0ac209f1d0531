//! What has to reach the disk before records count as delivered. Every sync of the file sink is in this file.

use super::super::Commit;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An open file and its path as it was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// What was written, made, renamed and replaced since the last commit.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Vec<Arc<Opened>>,
    folders: BTreeSet<PathBuf>,
    /// Folders with names that a process may have left which was killed before it had synced them.
    inherited: BTreeSet<PathBuf>,
    /// Whether those from the folder of all files upwards were noted.
    knows_base: bool,
    /// Files that go once the rest is on the disk.
    surplus: Vec<PathBuf>,
    /// Whether a sync has failed. What the system could not write it forgets, and says of the next sync that all is well:
    /// so nothing is ever called durable again.
    failed: Arc<AtomicBool>,
}

impl Unsynced {
    /// Notes a file that was written.
    pub(super) fn file(&mut self, file: Arc<Opened>) {
        self.files.push(file);
    }

    /// Notes the folder in which `path` was made or renamed.
    pub(super) fn folder_of(&mut self, path: &Path) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !self.folders.contains(folder) {
            self.folders.insert(folder.into());
        }
    }

    /// Notes the folders that lead to `path`, which lies below `base`: their names may come from a process that was killed
    /// before it had synced them. Those above `base` are noted once, up to where another file system begins: the name of
    /// what is mounted there is not ours.
    pub(super) fn inherit(&mut self, base: &Path, path: &Path) {
        let mut device = None;
        for folder in path.ancestors().skip(1) {
            let above = !folder.starts_with(base) || folder == base && base.as_os_str().is_empty();
            if above && self.knows_base {
                break;
            }
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let Ok(found) = folder.metadata() else { break };
            if above && device.is_some_and(|device| device != found.dev()) {
                break;
            }
            device = Some(found.dev());
            self.inherited.insert(folder.into());
        }
        self.knows_base = true;
    }

    /// Notes a file that may be removed once the rest is on the disk.
    pub(super) fn surplus(&mut self, path: PathBuf) {
        self.surplus.push(path);
    }

    /// How many files wait for a sync.
    pub(super) fn file_count(&self) -> usize {
        self.files.len()
    }

    /// The job that makes everything noted durable and forgets it here. `None`: there is nothing to do.
    pub(super) fn commit(&mut self) -> Option<Commit> {
        let nothing = self.files.is_empty() && self.folders.is_empty() && self.inherited.is_empty() && self.surplus.is_empty();
        if nothing && !self.failed.load(Ordering::Acquire) {
            return None;
        }
        let job = Self {
            files: std::mem::take(&mut self.files),
            folders: std::mem::take(&mut self.folders),
            inherited: std::mem::take(&mut self.inherited),
            knows_base: self.knows_base,
            surplus: std::mem::take(&mut self.surplus),
            failed: Arc::clone(&self.failed),
        };
        Some(Box::new(move || job.run()))
    }

    /// Makes it durable now, on this thread: when more files wait than may be open.
    pub(super) fn sync_now(&mut self) -> io::Result<()> {
        self.commit().map_or(Ok(()), |job| job())
    }

    /// Removes surplus files and forgets the rest, for a sink that is not asked to sync.
    pub(super) fn forget(&mut self) {
        self.files.clear();
        self.folders.clear();
        self.inherited.clear();
        remove(std::mem::take(&mut self.surplus));
    }

    fn run(self) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other("an earlier sync failed, so what was written before it may be lost: restart to write it again"));
        }
        let synced = self.sync();
        if synced.is_err() {
            self.failed.store(true, Ordering::Release);
            return synced;
        }
        remove(self.surplus);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        for opened in &self.files {
            opened.file.sync_data().map_err(|error| named("sync", &opened.path, &error))?;
        }
        // After the files: a name must not come to last before what it names.
        for folder in self.inherited.difference(&self.folders) {
            match File::open(folder).and_then(|folder| folder.sync_all()) {
                // Who may not open it has made nothing in it.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
                other => other.map_err(|error| named("sync", folder, &error))?,
            }
        }
        for folder in &self.folders {
            match File::open(folder).and_then(|folder| folder.sync_all()) {
                // Whoever removed the folder removed the files as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(|error| named("sync", folder, &error))?,
            }
        }
        Ok(())
    }
}

/// Makes a repaired file durable before anything is appended to it.
pub(super) fn repaired(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all().map_err(|error| named("sync", path, &error))
}

/// An error that says which file it is about.
pub(super) fn named(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {verb} `{}`: {error}", path.display()))
}

fn remove(surplus: Vec<PathBuf>) {
    for path in surplus {
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the rotated file `{}`: {error}", path.display());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_inherited_up_to_the_file_system_and_those_above_the_base_once() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().join("out");
        std::fs::create_dir_all(base.join("a/b")).unwrap();
        let mut unsynced = Unsynced::default();
        unsynced.inherit(&base, &base.join("a/b/file"));
        for folder in [&base.join("a/b"), &base.join("a"), &base, temporary.path()] {
            assert!(unsynced.inherited.contains(folder), "{}", folder.display());
        }
        unsynced.sync_now().unwrap();
        unsynced.inherit(&base, &base.join("a/file"));
        assert_eq!(unsynced.inherited, BTreeSet::from([base.join("a"), base]));
        unsynced.sync_now().unwrap();
        assert!(unsynced.commit().is_none());
    }

    #[test]
    fn a_relative_path_ends_at_the_working_folder() {
        for base in ["", "."] {
            let mut unsynced = Unsynced::default();
            unsynced.inherit(Path::new(base), &Path::new(base).join("file"));
            assert_eq!(unsynced.inherited, BTreeSet::from([PathBuf::from(".")]), "{base:?}");
        }
    }
}
