//! Checkpoints: how far a source was read, in a file that survives a crash at any moment.
//!
//! The file is one JSON object, `{"version":1,"crc32":"8 hex digits","content":…}`. The checksum (CRC-32, ISO-HDLC) is over
//! the content's bytes as they stand there. It is replaced as a whole: written beside, synced, renamed, and the folder synced,
//! so that a reader sees the old one or the new one. What touches the disk is in `store.rs`.

mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use crate::disk::{Disk, RealDisk};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of the format that is written, and the only one that is read.
pub const CHECKPOINT_VERSION: u32 = 1;

/// The largest checkpoint that is read, in bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 20;

/// Damaged checkpoints that are kept beside the sound one, at most.
const DAMAGED_KEPT_MAX: u32 = 1_000;

/// The checkpoint of one source.
#[derive(Debug)]
pub struct CheckpointFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Whether the folder is known to outlive a power loss.
    folder_durable: AtomicBool,
}

/// What a checkpoint file held.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// There is none: the source runs for the first time.
    Missing,
    /// The content.
    Sound(T),
    /// It cannot be trusted.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
}

/// A checkpoint that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the checkpoint `{path}`: {error}")]
pub struct CheckpointError {
    /// `read`, `write`, `keep a copy of`.
    pub doing: &'static str,
    /// The file.
    pub path: String,
    /// What the system said.
    pub error: io::Error,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    version: u32,
    crc32: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

impl CheckpointFile {
    /// The checkpoint of a source: `<data_dir>/checkpoints/<source>.json`. Nothing is touched yet.
    pub fn new(data_dir: &Path, source: &str) -> Self {
        Self::on(Arc::new(RealDisk), data_dir, source)
    }

    /// As [`CheckpointFile::new`], on another disk.
    pub fn on(disk: Arc<dyn Disk>, data_dir: &Path, source: &str) -> Self {
        let path = data_dir.join("checkpoints").join(format!("{source}.json"));
        Self { disk, path, folder_durable: AtomicBool::new(false) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the checkpoint. An error means that it is there and the system does not let it be read; damage is no error.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, CheckpointError> {
        let bytes = match store::read(&*self.disk, &self.path, CHECKPOINT_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Missing),
            Err(error) => return Err(self.error("read", error)),
        };
        Ok(match open(&bytes) {
            Ok(content) => Loaded::Sound(content),
            Err(why) => Loaded::Damaged { why },
        })
    }

    /// Replaces the checkpoint. When it fails, the one before it is still there.
    pub fn save<T: Serialize>(&self, content: &T) -> Result<(), CheckpointError> {
        let content = serde_json::value::to_raw_value(content).map_err(|error| self.error("write", error.into()))?;
        let content = content.get();
        let crc32 = crc32fast::hash(content.as_bytes());
        let text = format!("{{\"version\":{CHECKPOINT_VERSION},\"crc32\":\"{crc32:08x}\",\"content\":{content}}}");
        self.replace(text.as_bytes()).map_err(|error| self.error("write", error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        // Once for each process: one that was killed may have made the folder and not come as far as its sync.
        if !self.folder_durable.load(Ordering::Relaxed) {
            store::make_folder(&*self.disk, &self.path)?;
            self.folder_durable.store(true, Ordering::Relaxed);
        }
        store::replace(&*self.disk, &self.path, bytes)
    }

    /// Keeps a damaged checkpoint under another name, `<name>.damaged-<n>`, which it gives; no earlier one is overwritten.
    /// The damaged file stays where it is as well until the next [`CheckpointFile::save`] replaces it: a crash in between is
    /// not mistaken for a first start.
    pub fn keep_damaged(&self) -> Result<PathBuf, CheckpointError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 1..=DAMAGED_KEPT_MAX {
            let kept = self.path.with_file_name(format!("{name}.damaged-{number}"));
            match store::link(&*self.disk, &self.path, &kept) {
                Ok(()) => return Ok(kept),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Kept by the start before this one, which did not come as far as to replace it.
                    if store::is_same(&*self.disk, &self.path, &kept) {
                        return Ok(kept);
                    }
                }
                Err(error) => return Err(self.error("keep a copy of", error)),
            }
        }
        let error = io::Error::other(format!("{DAMAGED_KEPT_MAX} damaged ones are kept already; look at them and remove them"));
        Err(self.error("keep a copy of", error))
    }

    fn error(&self, doing: &'static str, error: io::Error) -> CheckpointError {
        CheckpointError { doing, path: self.path.display().to_string(), error }
    }
}

/// Takes the content out of a checkpoint's bytes, or says what is wrong with them.
fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    if bytes.iter().all(|b| *b == 0) {
        return Err(format!("it holds {} zero bytes", bytes.len()));
    }
    if bytes.len() as u64 > CHECKPOINT_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", CHECKPOINT_BYTES_MAX >> 20));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| format!("it is not a checkpoint: {error}"))?;
    if envelope.version != CHECKPOINT_VERSION {
        return Err(format!("expected version {CHECKPOINT_VERSION}, found {}", envelope.version));
    }
    let found = format!("{:08x}", crc32fast::hash(envelope.content.get().as_bytes()));
    if found != envelope.crc32 {
        return Err(format!("its checksum is {found} where {} is written", envelope.crc32.escape_debug()));
    }
    serde_json::from_str(envelope.content.get()).map_err(|error| format!("its content is not what this version writes: {error}"))
}
