//! One open file.

use super::compression::Encoder;
use super::folder::Place;
use super::repair::{Repair, repair};
use super::sync::{Opened, Unsynced, named};
use super::{rotation, write_once};
use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tamis_config::SinkCompression;

/// Memory for lines and members that each open file keeps for the next ones.
const KEPT_BYTES: usize = 64 * 1024;

/// What a file is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// Device and inode.
    pub(super) file: (u64, u64),
    /// Its length when this sink last wrote to it.
    pub(super) length: u64,
}

/// A file that is written, and what is held back for it.
#[derive(Debug)]
pub(super) struct Output {
    opened: Arc<Opened>,
    file: (u64, u64),
    /// Whether it is a file that stays, and no pipe or terminal.
    pub(super) regular: bool,
    pub(super) length: u64,
    /// The [`rotation::period`] in which its records were written.
    pub(super) period: u128,
    /// Counts up with every use of any file.
    pub(super) used: u64,
    pub(super) last_write: SystemTime,
    /// Whether it was written since the last commit.
    dirty: bool,
    /// Lines of the member to come.
    held: Vec<u8>,
    /// A member that is on its way to the file, and how much of it is there.
    member: Vec<u8>,
    member_written: usize,
}

impl Output {
    /// Opens a file for appending and puts right what a crash left in it, unless it is as `known` (this sink closed it so).
    pub(super) fn open(
        place: Place<'_>,
        compression: SinkCompression,
        every: Option<Duration>,
        now: SystemTime,
        known: Option<Identity>,
        unsynced: &mut Unsynced,
    ) -> io::Result<Self> {
        let path = place.path();
        let mut file = place.open(unsynced)?;
        let mut metadata = file.metadata()?;
        let mut repaired = false;
        if metadata.is_file() && metadata.len() > 0 && known != Some(Identity { file: id(&metadata), length: metadata.len() }) {
            // Opened anew, since a file that is open for appending cannot be written in the middle.
            let tail = OpenOptions::new().read(true).write(true).open(&path)?;
            if id(&tail.metadata()?) != id(&metadata) {
                return Err(io::Error::other(format!("`{}` was replaced while it was opened", path.display())));
            }
            match repair(&tail, &path, compression)? {
                Repair::Length(length) => {
                    repaired = length != metadata.len();
                }
                Repair::Foreign => {
                    let aside = rotation::put_aside(&path, now).map_err(|error| named("put aside", &path, &error))?;
                    tracing::warn!("`{}` cannot be appended to, its end is damaged: it is now `{}`", path.display(), aside.display());
                    unsynced.folder_of(&path);
                    file = place.open(unsynced)?;
                    metadata = file.metadata()?;
                }
            }
        }
        if metadata.is_file() && known.is_none() {
            unsynced.inherit(place.base, &path);
        }
        let length = if repaired { file.metadata()?.len() } else { metadata.len() };
        // What an earlier run wrote belongs to the time in which it was last written.
        let written = if length == 0 { now } else { metadata.modified().unwrap_or(now) };
        Ok(Self {
            file: id(&metadata),
            regular: metadata.is_file(),
            opened: Arc::new(Opened { file, path }),
            length,
            period: rotation::period(written, every),
            used: 0,
            last_write: now,
            // What a process has left that was killed before its sync, nobody has synced since.
            dirty: repaired || (known.is_none() && length > 0),
            held: Vec::new(),
            member: Vec::new(),
            member_written: 0,
        })
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.opened.file.metadata()
    }

    pub(super) fn path(&self) -> &Path {
        &self.opened.path
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { file: self.file, length: self.length }
    }

    /// Whether something was written since the last commit, or is held back.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty || self.held_bytes() > 0 || self.is_in_member()
    }

    /// Whether nothing stands in the file.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0 && self.held.is_empty() && self.member.is_empty()
    }

    /// Bytes of lines that are held back.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    fn is_in_member(&self) -> bool {
        self.member_written < self.member.len()
    }

    /// Whether the path now leads to another file or to none. The length is taken from the file when it does not.
    pub(super) fn was_moved(&mut self) -> bool {
        if !self.regular {
            return false;
        }
        match self.opened.path.metadata() {
            Ok(metadata) if id(&metadata) == self.file => {
                self.length = metadata.len();
                false
            }
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Writes what it can and gives how much.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = write_once(&mut &self.opened.file, bytes)?;
        self.dirty = true;
        self.length += written as u64;
        Ok(written)
    }

    /// Takes lines for the member to come.
    pub(super) fn hold(&mut self, lines: &[u8]) {
        self.held.extend_from_slice(lines);
    }

    /// Ends the member and writes it. After an error it goes on where it was.
    pub(super) fn flush(&mut self, encoder: &mut Encoder) -> io::Result<()> {
        loop {
            while self.is_in_member() {
                let rest = self.member.get(self.member_written..).unwrap_or_default();
                let written = write_once(&mut &self.opened.file, rest)?;
                self.dirty = true;
                self.length += written as u64;
                self.member_written += written;
            }
            self.member.clear();
            self.member.shrink_to(KEPT_BYTES);
            self.member_written = 0;
            if self.held.is_empty() {
                return Ok(());
            }
            encoder.member(&self.held, &mut self.member)?;
            self.held.clear();
            self.held.shrink_to(KEPT_BYTES);
        }
    }

    /// Notes the file for the next commit, when it was written since the last.
    pub(super) fn note(&mut self, unsynced: &mut Unsynced) {
        if std::mem::take(&mut self.dirty) && self.regular {
            unsynced.file(Arc::clone(&self.opened));
        }
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
