//! Checkpoints: how far a source was read, in a file that survives a crash at any moment.
//!
//! The file is one JSON object, `{"version":1,"crc32":"8 hex digits","content":…}`. The checksum (CRC-32, ISO-HDLC) is over
//! the content's bytes as they stand there. It is replaced as a whole: written beside, synced, renamed, and the folder synced,
//! so that a reader sees the old one or the new one. All that touches the file system is in the last part of this file.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the format that is written, and the only one that is read.
pub const CHECKPOINT_VERSION: u32 = 1;

/// The largest checkpoint that is read, in bytes.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 20;

/// Damaged checkpoints that are kept beside the sound one, at most.
const DAMAGED_KEPT_MAX: u32 = 1_000;

/// The checkpoint of one source.
#[derive(Debug)]
pub struct CheckpointFile {
    path: PathBuf,
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
        Self { path: data_dir.join("checkpoints").join(format!("{source}.json")) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the checkpoint. An error means that it is there and the system does not let it be read; damage is no error.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, CheckpointError> {
        let bytes = match read(&self.path, CHECKPOINT_BYTES_MAX) {
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
        replace(&self.path, text.as_bytes()).map_err(|error| self.error("write", error))
    }

    /// Keeps a damaged checkpoint under another name, `<name>.damaged-<n>`, which it gives; no earlier one is overwritten.
    /// The damaged file stays where it is as well until the next [`CheckpointFile::save`] replaces it: a crash in between is
    /// not mistaken for a first start.
    pub fn keep_damaged(&self) -> Result<PathBuf, CheckpointError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 1..=DAMAGED_KEPT_MAX {
            let kept = self.path.with_file_name(format!("{name}.damaged-{number}"));
            match link(&self.path, &kept) {
                Ok(()) => return Ok(kept),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Kept by the start before this one, which did not come as far as to replace it.
                    if is_same(&self.path, &kept) {
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

// What follows is all that touches the file system.

fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file so that after a crash at any moment the old one or the new one is there, whole.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let beside = path.with_extension("json.new");
    // Left by a crash.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_folder(folder)
}

/// Makes a folder that only its owner enters, so that it is still there after a crash.
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => sync_folder(above),
        _ => sync_folder(Path::new(".")),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// A second name for a file; an error when there is something of that name.
fn link(path: &Path, other: &Path) -> io::Result<()> {
    std::fs::hard_link(path, other)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

fn is_same(path: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let key = |path: &Path| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
    key(path).is_some_and(|found| Some(found) == key(other))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Content {
        name: String,
        position: u64,
    }

    fn content() -> Content {
        Content { name: "a \"b\" é".into(), position: 12_345 }
    }

    fn saved() -> (tempfile::TempDir, CheckpointFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = CheckpointFile::new(&folder.path().join("data"), "gateway");
        assert_eq!(file.load::<Content>().unwrap(), Loaded::Missing);
        file.save(&content()).unwrap();
        (folder, file)
    }

    fn damage(file: &CheckpointFile) -> Option<String> {
        match file.load::<Content>().unwrap() {
            Loaded::Damaged { why } => Some(why),
            Loaded::Sound(found) => {
                assert_eq!(found, content(), "what is taken for sound is what was saved");
                None
            }
            Loaded::Missing => Some("missing".into()),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_folder, file) = saved();
        assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
        file.save(&Content { name: "c".into(), position: u64::MAX }).unwrap();
        assert_eq!(file.load().unwrap(), Loaded::Sound(Content { name: "c".into(), position: u64::MAX }));
        assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let folder = file.path().parent().unwrap();
        assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let (_folder, file) = saved();
        let sound = std::fs::read(file.path()).unwrap();
        for at in 0..sound.len() {
            for change in [1u8, 2, 4, 8, 16, 32, 64, 128] {
                let mut bytes = sound.clone();
                bytes[at] ^= change;
                std::fs::write(file.path(), &bytes).unwrap();
                assert!(damage(&file).is_some(), "bit {change} of byte {at}: {}", String::from_utf8_lossy(&bytes));
            }
            let mut zeroed = sound.clone();
            zeroed[at..].fill(0);
            for bytes in [&sound[..at], &zeroed] {
                std::fs::write(file.path(), bytes).unwrap();
                assert!(damage(&file).is_some(), "cut at {at}");
            }
        }
        for (bytes, why) in [("", "empty"), ("\0\0\0", "3 zero bytes"), ("{}", "not a checkpoint"), ("[1]", "not a checkpoint")] {
            std::fs::write(file.path(), bytes).unwrap();
            assert!(damage(&file).unwrap().contains(why));
        }
        let other = String::from_utf8(sound).unwrap().replace("\"version\":1", "\"version\":2");
        std::fs::write(file.path(), other).unwrap();
        assert_eq!(damage(&file).unwrap(), "expected version 1, found 2");
    }

    #[test]
    fn damaged_ones_are_kept_and_never_overwritten() {
        let (_folder, file) = saved();
        for (number, text) in ["first", "second", "third"].into_iter().enumerate() {
            std::fs::write(file.path(), text).unwrap();
            let kept = file.keep_damaged().unwrap();
            assert!(kept.to_string_lossy().ends_with(&format!("gateway.json.damaged-{}", number + 1)), "{kept:?}");
            assert_eq!(file.keep_damaged().unwrap(), kept, "one that was not replaced yet is kept once");
            assert!(file.path().exists(), "until it is replaced, it is no first start");
            file.save(&content()).unwrap();
            assert_eq!(std::fs::read_to_string(kept).unwrap(), text);
        }
        assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_one() {
        let (_folder, file) = saved();
        // Where the new one would be written stands a folder: fails for any user.
        std::fs::create_dir(file.path().with_extension("json.new")).unwrap();
        let error = file.save(&Content { name: "new".into(), position: 1 }).unwrap_err();
        assert!(error.to_string().starts_with("cannot write the checkpoint `"), "{error}");
        assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
    }

    #[test]
    fn one_that_cannot_be_read_is_no_first_start() {
        let (_folder, file) = saved();
        std::fs::remove_file(file.path()).unwrap();
        std::fs::create_dir(file.path()).unwrap();
        assert_eq!(file.load::<Content>().unwrap_err().doing, "read");
    }
}
