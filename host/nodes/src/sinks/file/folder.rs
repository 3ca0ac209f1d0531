//! The folders of files, and opening files in them.

use super::sync::Unsynced;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// `O_NONBLOCK` of Linux on x86-64 and ARM: opening a pipe without a reader is an error, a full one is tried again later.
const NONBLOCK: i32 = 0o4000;
/// `O_NOFOLLOW` of Linux: a last part that is a symbolic link is an error.
const NOFOLLOW: i32 = if cfg!(any(target_arch = "aarch64", target_arch = "arm")) { 0o100_000 } else { 0o400_000 };

/// Where a file of a sink lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The folder that the configuration names; empty for the working directory.
    pub(super) base: &'a Path,
    /// The path below it.
    pub(super) relative: &'a str,
    /// Whether records have a say in `relative`: then no part of it may be a symbolic link.
    pub(super) confined: bool,
    /// Permissions of a file that is made.
    pub(super) mode: u32,
}

impl Place<'_> {
    /// The whole path.
    pub(super) fn path(&self) -> PathBuf {
        self.base.join(self.relative)
    }

    fn folder_mode(&self) -> u32 {
        if self.mode == 0o600 { 0o700 } else { 0o755 }
    }

    /// Opens the file for appending; it and its folders are made when they are missing.
    pub(super) fn open(&self, unsynced: &mut Unsynced) -> io::Result<File> {
        make(self.base, self.folder_mode(), unsynced)?;
        if self.confined {
            self.make_confined(unsynced)?;
        }
        let path = self.path();
        let metadata = if self.confined { path.symlink_metadata() } else { path.metadata() };
        let mut options = OpenOptions::new();
        options.append(true).mode(self.mode);
        let nofollow = if self.confined { NOFOLLOW } else { 0 };
        match metadata {
            Ok(found) => {
                if found.is_symlink() {
                    return Err(link(&path));
                }
                // A pipe that nobody reads would hold the host up for ever, before it even looks at signals.
                let nonblock = if found.file_type().is_fifo() { NONBLOCK } else { 0 };
                options.custom_flags(nofollow | nonblock).open(&path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // `create` rather than `create_new`: a link may point to a file that is yet to be made.
                let file = options.create(true).custom_flags(nofollow).open(&path)?;
                unsynced.folder_of(&path);
                Ok(file)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the folders below the base, none of which may be a link.
    fn make_confined(&self, unsynced: &mut Unsynced) -> io::Result<()> {
        let mut folder = self.base.to_path_buf();
        let Some((folders, _)) = self.relative.rsplit_once('/') else { return Ok(()) };
        for part in folders.split('/') {
            folder.push(part);
            match folder.symlink_metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(found) if found.is_symlink() => return Err(link(&folder)),
                Ok(_) => return Err(not_a_folder(&folder)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => create(&folder, self.folder_mode(), unsynced)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes the base and sees that files can be made in it.
    pub(super) fn probe(&self, unsynced: &mut Unsynced) -> io::Result<()> {
        make(self.base, self.folder_mode(), unsynced)?;
        let probe = self.base.join(format!(".tamis-{}", std::process::id()));
        OpenOptions::new().write(true).create(true).truncate(true).custom_flags(NOFOLLOW).open(&probe)?;
        std::fs::remove_file(&probe)
    }
}

/// Makes a folder and those above it that are missing.
fn make(folder: &Path, mode: u32, unsynced: &mut Unsynced) -> io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    match folder.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(not_a_folder(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = folder.parent() {
                make(parent, mode, unsynced)?;
            }
            create(folder, mode, unsynced)
        }
        Err(error) => Err(error),
    }
}

fn create(folder: &Path, mode: u32, unsynced: &mut Unsynced) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => {
            unsynced.folder_of(folder);
            Ok(())
        }
        // Someone was faster; what stands there shows when it is used.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn link(path: &Path) -> io::Error {
    let text = format!("`{}` is a symbolic link, which a path made of records does not follow: remove it", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn not_a_folder(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotADirectory, format!("`{}` is not a folder", path.display()))
}
