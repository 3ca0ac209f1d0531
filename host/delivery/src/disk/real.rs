//! The operating system's file system.

use super::{DirectoryEntry, Disk, DiskFile, EntryKind, FOLDER_MODE, Metadata};
use std::fs::{self, DirBuilder, File, FileType, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The operating system's file system, through `std::fs`. A sync of a file is `fdatasync`, one of a folder `fsync`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

impl Disk for RealDisk {
    fn open_append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        refuse_link(path)?;
        Ok(Box::new(RealFile(OpenOptions::new().read(true).append(true).create(true).mode(mode).open(path)?)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        refuse_link(path)?;
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, path: &Path, other: &Path) -> io::Result<()> {
        fs::hard_link(path, other)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<DirectoryEntry>> {
        fs::read_dir(folder)?
            .map(|entry| entry.and_then(|e| Ok(DirectoryEntry { name: e.file_name(), kind: kind(e.file_type()?) })))
            .collect()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(FOLDER_MODE).create(path)
    }

    fn sync_folder(&self, path: &Path, _: &'static str) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = kind(metadata.file_type());
        Ok(Metadata { kind, bytes: if kind == EntryKind::File { metadata.len() } else { 0 } })
    }
}

impl DiskFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn sync(&self, _: &'static str) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

fn kind(found: FileType) -> EntryKind {
    if found.is_file() {
        EntryKind::File
    } else if found.is_dir() {
        EntryKind::Folder
    } else {
        EntryKind::Other
    }
}

/// The folders are the host's own (mode 0700), so a link there is somebody's mistake, and a look before opening is enough.
fn refuse_link(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link where a file of the host's own was expected: remove it"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{FILE_MODE, create_folder_durably};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_and_folders() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("a/b");
        create_folder_durably(&RealDisk, &folder, "test.parent").unwrap();
        create_folder_durably(&RealDisk, &folder, "test.parent").unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, FOLDER_MODE);

        let path = folder.join("file");
        let mut file = RealDisk.open_append(&path, FILE_MODE).unwrap();
        file.write_all(b"hello world").unwrap();
        file.set_len(5).unwrap();
        file.write_all(b"!").unwrap();
        file.sync("test.file").unwrap();
        RealDisk.sync_folder(&folder, "test.folder").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        let mut buffer = [0; 16];
        assert_eq!(RealDisk.open_read(&path).unwrap().read_full_at(&mut buffer, 1).unwrap(), 5);
        assert_eq!(&buffer[..5], b"ello!");
        assert_eq!((file.bytes().unwrap(), RealDisk.metadata(&path).unwrap().bytes), (6, 6));

        RealDisk.rename(&path, &folder.join("other")).unwrap();
        let listed = RealDisk.list(&folder).unwrap();
        assert_eq!(listed, [DirectoryEntry { name: "other".into(), kind: EntryKind::File }]);
        RealDisk.remove(&folder.join("other")).unwrap();
        assert_eq!(RealDisk.metadata(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn links_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (target, link) = (temporary.path().join("target"), temporary.path().join("link"));
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(RealDisk.open_append(&link, FILE_MODE).is_err());
        assert!(RealDisk.open_read(&link).is_err());
        assert_eq!(RealDisk.metadata(&link).unwrap().kind, EntryKind::Other);
    }
}
