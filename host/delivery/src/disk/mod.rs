//! The disk as the host sees it: few operations, each with one meaning for durability, so that a simulated disk can
//! stand in and lose power.
//!
//! Written is not durable. Bytes are durable once [`DiskFile::sync`] has returned; a name that was created, renamed or
//! removed is durable once [`Disk::sync_folder`] of its folder has returned. Every sync names its *site*, a word for the
//! place in the code, so that a test can take that one away and show that it is needed.

mod folder;
mod real;

pub use folder::create_folder_durably;
pub use real::RealDisk;

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::Path;

/// Mode of files that hold records: their owner only.
pub const FILE_MODE: u32 = 0o600;

/// Mode of folders that hold records: their owner only.
pub const FOLDER_MODE: u32 = 0o700;

/// A file system. Paths are taken as they are; symbolic links at their end are not followed when a file is opened.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file for appending and reading, and creates it, with `mode`, where there is none.
    ///
    /// # Errors
    /// What the system says; `NotFound` without its folder.
    fn open_append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading. Such a file can be synced, but not written.
    ///
    /// # Errors
    /// What the system says; `NotFound` where there is none.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of the file that may have it. Readers see either the old or the new one.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, which nothing may have yet.
    ///
    /// # Errors
    /// What the system says; `AlreadyExists` when something has the name.
    fn link(&self, path: &Path, other: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// What a folder holds, in no particular order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<DirectoryEntry>>;

    /// Creates a folder with [`FOLDER_MODE`] in an existing one. Its name is not yet durable: see [`create_folder_durably`].
    ///
    /// # Errors
    /// What the system says; `AlreadyExists` where there is one.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: what was created, renamed and removed there until now.
    ///
    /// # Errors
    /// What the system says. After an error nothing is known of the names that were not yet durable.
    fn sync_folder(&self, path: &Path, site: &'static str) -> io::Result<()>;

    /// Kind and size of what a path names.
    ///
    /// # Errors
    /// What the system says; `NotFound` where there is nothing.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Appends a beginning of `bytes` and says how many: at least one, unless `bytes` is empty.
    ///
    /// # Errors
    /// What the system says; `StorageFull` when nothing fits any more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads from a place counted from the file's beginning. Fewer bytes than asked for may come; none at its end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// What the system says. After an error the bytes that were not yet durable may be lost for good, and a second sync
    /// that succeeds does not change that (Linux marks the pages clean): write them again elsewhere.
    fn sync(&self, site: &'static str) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros, to so many bytes.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn bytes(&self) -> io::Result<u64>;

    /// Appends all of `bytes`, in as many writes as it takes.
    ///
    /// # Errors
    /// Those of [`DiskFile::write`]; a beginning may have been written then.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills `buffer` from `offset` on as far as the file goes, and says how many bytes that were.
    ///
    /// # Errors
    /// Those of [`DiskFile::read_at`].
    fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else: a symbolic link, a pipe, a device.
    Other,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name, without the folder.
    pub name: OsString,
    /// What it stands for.
    pub kind: EntryKind,
}

/// Kind and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes; 0 for what is no file.
    pub bytes: u64,
}
