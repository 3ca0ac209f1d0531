//! The folder from which dead letters are run again: `<data_dir>/replay/<pipeline>/<name>.ndjson`. Whoever chooses letters
//! puts a file there, whole and durable; the host takes it and removes it when everything in it is safe.

use crate::lock::own_like;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How a file of letters ends.
const ENDING: &str = ".ndjson";
/// What is behind its name in that of the file that says how far it is safe.
const POSITION: &str = ".position";
/// Files that are looked at in one go.
const FILES_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct ReplayFolder {
    data: PathBuf,
    path: PathBuf,
}

/// A file of letters that wait to be run again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingFile {
    /// The pipeline they go through.
    pub pipeline: String,
    /// The file.
    pub path: PathBuf,
}

/// A file of letters that is being written; gone when it is dropped before [`Staged::commit`].
#[derive(Debug)]
pub struct Staged {
    out: Option<BufWriter<File>>,
    beside: PathBuf,
    path: PathBuf,
    folder: PathBuf,
}

impl ReplayFolder {
    /// The one in a data folder. Nothing is made yet.
    pub fn new(data_dir: &Path) -> Self {
        Self { data: data_dir.into(), path: data_dir.join("replay") }
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            own_like(&File::open(folder)?, &self.data);
            if let Some(parent) = folder.parent() {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Keeps everybody else from choosing letters, for two would choose the same ones. `None`: somebody is at it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        self.make(&self.path)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path.join(".lock"))?;
        own_like(&file, &self.data);
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Removes what those left that were killed before they had put a file there. Call it with the lock held.
    pub fn tidy(&self) -> io::Result<()> {
        for folder in std::fs::read_dir(&self.path)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let path = file?.path();
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                if name.starts_with('.') && name.ends_with(".ndjson.tmp") {
                    std::fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Begins a file for a pipeline; `number` tells those of one process apart.
    pub fn stage(&self, pipeline: &str, number: usize) -> io::Result<Staged> {
        self.make(&self.path)?;
        let folder = self.path.join(pipeline);
        self.make(&folder)?;
        let time: String = humantime::format_rfc3339_millis(SystemTime::now()).to_string().replace([':', '-'], "");
        let name = format!("{time}-{}-{number}{ENDING}", std::process::id());
        let beside = folder.join(format!(".{name}.tmp"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        own_like(&file, &self.data);
        Ok(Staged { out: Some(BufWriter::new(file)), beside, path: folder.join(name), folder })
    }

    /// The files there are, in the order of their names; those of one pipeline in the order in which they were put there.
    pub fn pending(&self) -> io::Result<Vec<PendingFile>> {
        let mut found = Vec::new();
        let folders = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            folders => folders?,
        };
        for folder in folders {
            let folder = folder?;
            let Ok(pipeline) = folder.file_name().into_string() else { continue };
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder.path())? {
                let path = file?.path();
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                if name.ends_with(ENDING) && !name.starts_with('.') && found.len() < FILES_MAX {
                    found.push(PendingFile { pipeline: pipeline.clone(), path });
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Staged {
    /// Adds a letter's line, without its line feed.
    pub fn push(&mut self, line: &[u8]) -> io::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        out.write_all(line)?;
        out.write_all(b"\n")
    }

    /// Makes the file durable and gives it the name under which it is taken.
    pub fn commit(mut self) -> io::Result<PathBuf> {
        if let Some(out) = self.out.take() {
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&self.beside, &self.path)?;
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(self.path.clone())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After `commit` it is not there any more.
        let _ = std::fs::remove_file(&self.beside);
    }
}

impl PendingFile {
    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    /// How far an earlier run got, in bytes; 0 when that is not known or makes no sense.
    pub fn position(&self, file: &File) -> u64 {
        let position = std::fs::read_to_string(self.beside(POSITION)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let mut before = [0];
        let at_line = position > 0 && file.read_exact_at(&mut before, position - 1).is_ok() && before == *b"\n";
        if at_line { position } else { 0 }
    }

    /// Writes down how far everything is safe. After a power loss it may be less than what was written here.
    pub fn set_position(&self, position: u64) -> io::Result<()> {
        let beside = self.beside(".position.tmp");
        std::fs::write(&beside, format!("{position}\n"))?;
        std::fs::rename(beside, self.beside(POSITION))
    }

    /// Everything in it is safe. `keep`: some lines were no letters, so it is put aside (`….damaged`) instead of removed.
    pub fn done(&self, keep: bool) -> io::Result<()> {
        if keep {
            std::fs::rename(&self.path, self.beside(".damaged"))?
        } else {
            std::fs::remove_file(&self.path)?
        }
        // It may never have been made; without its file it means nothing.
        let _ = std::fs::remove_file(self.beside(POSITION));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_as_a_whole_or_not_at_all() {
        let data = tempfile::tempdir().unwrap();
        let folder = ReplayFolder::new(data.path());
        assert_eq!(folder.pending().unwrap(), []);
        let lock = folder.lock().unwrap();
        assert!(lock.is_some() && folder.lock().unwrap().is_none());
        let mut staged = folder.stage("main", 0).unwrap();
        staged.push(b"{1}").unwrap();
        assert_eq!(folder.pending().unwrap(), []);
        std::mem::forget(staged);
        folder.tidy().unwrap();
        let staged = folder.stage("main", 0).unwrap();
        drop(staged);
        let mut staged = folder.stage("main", 1).unwrap();
        staged.push(b"{1}").unwrap();
        staged.push(b"{2}").unwrap();
        let path = staged.commit().unwrap();
        let pending = PendingFile { pipeline: "main".into(), path };
        assert_eq!(folder.pending().unwrap(), std::slice::from_ref(&pending));
        assert_eq!(std::fs::read(&pending.path).unwrap(), b"{1}\n{2}\n");
        assert_eq!(std::fs::read_dir(pending.path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        let file = File::open(&pending.path).unwrap();
        for (position, expected) in [(4, 4), (3, 0), (8, 8), (9, 0), (0, 0)] {
            pending.set_position(position).unwrap();
            assert_eq!(pending.position(&file), expected);
        }
        std::fs::write(pending.beside(POSITION), "torn?").unwrap();
        assert_eq!(pending.position(&file), 0);
        pending.done(true).unwrap();
        assert!(folder.pending().unwrap().is_empty() && pending.beside(".damaged").exists() && !pending.beside(POSITION).exists());
    }
}
