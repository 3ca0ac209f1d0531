//! What makes a file the same file: its inode, when the inode was made, how it begins, and what stands where reading stopped.

use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::UNIX_EPOCH;

/// Bytes of a file's beginning that its fingerprint covers, at most.
pub(super) const FINGERPRINT_BYTES_MAX: usize = 1_024;

/// A fingerprint of fewer bytes does not tell a file in another place (a copy, a compressed one), where the inode says nothing.
pub(super) const TELLING_BYTES_MIN: u32 = 64;

/// Bytes before a position that a tail covers, at most.
pub(super) const TAIL_BYTES_MAX: usize = 64;

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileKey {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileKey {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// When the inode was made, in nanoseconds since 1970, where the file system tells: two files that use one inode number one
/// after the other differ in it.
pub(super) fn created_ns(metadata: &Metadata) -> Option<i64> {
    let since = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().filter(|ns| *ns > 0)
}

/// How a content begins: the CRC-32 of its first bytes, and how many they are. A young file's covers what there is, and grows
/// with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fingerprint {
    pub(super) bytes: u32,
    pub(super) crc32: u32,
}

impl Fingerprint {
    /// Of a content that begins so.
    pub(super) fn of(beginning: &[u8]) -> Self {
        let covered = beginning.get(..FINGERPRINT_BYTES_MAX).unwrap_or(beginning);
        Self { bytes: covered.len() as u32, crc32: crc32fast::hash(covered) }
    }

    /// Whether a content that begins so may be this one.
    pub(super) fn matches(&self, beginning: &[u8]) -> bool {
        beginning.get(..self.bytes as usize).is_some_and(|covered| crc32fast::hash(covered) == self.crc32)
    }

    /// Whether it covers all that it ever will.
    pub(super) fn is_full(&self) -> bool {
        self.bytes as usize >= FINGERPRINT_BYTES_MAX
    }
}

/// What stands right before a position that was read to: the CRC-32 of up to 64 bytes. It tells a file that was truncated and
/// has grown past the position again, even when it begins as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    /// The position, in bytes.
    pub(super) at: u64,
    /// How many bytes before it are covered.
    pub(super) bytes: u8,
    pub(super) crc32: u32,
}

impl Tail {
    /// Whether a plain file has it.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        let mut bytes = [0; TAIL_BYTES_MAX];
        let Some(covered) = bytes.get_mut(..usize::from(self.bytes)) else { return Ok(false) };
        match file.read_exact_at(covered, self.at.saturating_sub(u64::from(self.bytes))) {
            Ok(()) => Ok(crc32fast::hash(covered) == self.crc32),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The last bytes that were read, from which a tail is made.
#[derive(Debug, Clone)]
pub(super) struct Window {
    bytes: [u8; TAIL_BYTES_MAX],
    len: usize,
    at: u64,
}

impl Window {
    /// Nothing read yet; reading begins at `at`.
    pub(super) fn new(at: u64) -> Self {
        Self { bytes: [0; TAIL_BYTES_MAX], len: 0, at }
    }

    /// The position that was read to.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn push(&mut self, read: &[u8]) {
        self.at += read.len() as u64;
        let read = read.get(read.len().saturating_sub(TAIL_BYTES_MAX)..).unwrap_or_default();
        let kept = self.len.min(TAIL_BYTES_MAX - read.len());
        self.bytes.copy_within(self.len - kept..self.len, 0);
        self.len = kept + read.len();
        if let Some(space) = self.bytes.get_mut(kept..self.len) {
            space.copy_from_slice(read);
        }
    }

    /// What stands before the position; none before anything was read.
    pub(super) fn tail(&self) -> Option<Tail> {
        self.tail_of(self.len)
    }

    /// The same for that many bytes.
    pub(super) fn tail_of(&self, bytes: usize) -> Option<Tail> {
        let covered = self.bytes.get(self.len.checked_sub(bytes)?..self.len).filter(|bytes| !bytes.is_empty())?;
        Some(Tail { at: self.at, bytes: bytes as u8, crc32: crc32fast::hash(covered) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_young_file_keeps_its_identity_while_it_grows() {
        let young = Fingerprint::of(b"0123456789");
        assert!(young.matches(b"0123456789") && young.matches(b"0123456789 and more") && !young.is_full());
        assert!(!young.matches(b"012345678") && !young.matches(b"0123456788 and more"));
        let long = vec![b'x'; 5_000];
        assert!(Fingerprint::of(&long).is_full() && Fingerprint::of(&long).matches(&long[..1_024]));
        assert!(Fingerprint::of(b"").matches(b"anything"));
    }

    #[test]
    fn the_tail_is_of_the_last_bytes_however_they_were_read() {
        let text: Vec<u8> = (0..=255u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        for step in [1, 3, 50, 63, 64, 65, 200, 256] {
            let mut window = Window::new(0);
            assert!(window.tail().is_none());
            for piece in text.chunks(step) {
                window.push(piece);
                let tail = window.tail().unwrap();
                let at = tail.at as usize;
                assert_eq!(usize::from(tail.bytes), at.min(64));
                assert_eq!(tail.crc32, crc32fast::hash(&text[at - at.min(64)..at]));
                assert!(tail.is_in(&file).unwrap());
                assert!(!Tail { at: tail.at + 256, ..tail }.is_in(&file).unwrap());
            }
        }
    }
}
