//! One host for each data folder: two would spoil each other's spools, checkpoints and dead letters.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file that is locked, in the folder.
const NAME: &str = "lock";
/// How often a taken lock is tried again.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of the lock file that are looked at for the holder's name.
const HOLDER_BYTES_MAX: u64 = 100;

/// Holds a folder. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("the data folder `{}` is in use by another process{}: stop that one, or give each host a `settings.data_dir` of its own", folder.display(), holder.as_ref().map_or_else(String::new, |h| format!(" ({h})")))]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// What the holder wrote about itself: its process id and what it is.
        holder: Option<String>,
    },
    /// The lock's file cannot be made, or its file system has no locks.
    #[error("the data folder `{}` cannot be locked: {error}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl FolderLock {
    /// Takes the folder, which is made when it is missing, for the one who is named; tries for so long.
    pub fn take(folder: &Path, who: &str, patience: Duration) -> Result<Self, LockError> {
        let failed = |error| LockError::Io { folder: folder.into(), error };
        let mut file = open(folder).map_err(failed)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if since.elapsed() < patience => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
                    let holder = read.is_ok().then(|| holder.trim().escape_debug().to_string()).filter(|h| !h.is_empty());
                    return Err(LockError::Taken { folder: folder.into(), holder });
                }
            }
        }
        // For people; the lock is what counts, so a full disk is no reason not to start.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "process {}, {who}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join(NAME))?;
    own_like(&file, folder);
    Ok(file)
}

/// Gives a file to the owner of what lies at `model`: an operator who is root leaves nothing behind that the host may not open.
pub(crate) fn own_like(file: &File, model: &Path) {
    if let (Ok(model), Ok(own)) = (model.metadata(), file.metadata())
        && (model.uid(), model.gid()) != (own.uid(), own.gid())
    {
        // Only root may; for anybody else the file stays theirs.
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let first = FolderLock::take(&data, "a test", Duration::ZERO).unwrap();
        let error = FolderLock::take(&data, "another", Duration::from_millis(60)).unwrap_err().to_string();
        assert!(error.contains("deep/data") && error.contains(&format!("process {}, a test", std::process::id())), "{error}");
        assert!(error.contains("settings.data_dir"), "{error}");
        assert_eq!(data.join(NAME).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(first);
        FolderLock::take(&data, "another", Duration::ZERO).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(FolderLock::take(&file, "x", Duration::ZERO), Err(LockError::Io { .. })));
    }
}
