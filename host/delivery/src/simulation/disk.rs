//! The simulated disk as a [`Disk`].

use super::fault::Operation;
use super::state::{Change, FileNode, Inode, Node, ROOT, State};
use super::{Inner, SimDisk};
use crate::disk::{DirectoryEntry, Disk, DiskFile, EntryKind, Metadata};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct SimFile {
    inner: Arc<Mutex<Inner>>,
    inode: Inode,
    writable: bool,
}

fn resolve(state: &State, path: &Path) -> io::Result<Inode> {
    path.components().try_fold(ROOT, |folder, part| match part {
        Component::RootDir | Component::CurDir => Ok(folder),
        Component::Normal(name) => state.lookup(folder, name).ok_or_else(|| ErrorKind::NotFound.into()),
        Component::ParentDir | Component::Prefix(_) => Err(ErrorKind::Unsupported.into()),
    })
}

fn split<'a>(state: &State, path: &'a Path) -> io::Result<(Inode, &'a OsStr)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let folder = resolve(state, path.parent().unwrap_or(Path::new("")))?;
    if state.folder(folder).is_none() { Err(ErrorKind::NotADirectory.into()) } else { Ok((folder, name)) }
}

/// A sync that was asked for and has not returned. What is done to the file or folder meanwhile is not covered by it.
#[derive(Debug)]
pub struct SyncUnderWay {
    inner: Arc<Mutex<Inner>>,
    change: Change,
}

impl SyncUnderWay {
    /// It returns, with success: what it covers is durable from now on.
    pub fn end(self, site: &'static str) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).sync(site, self.change);
    }
}

impl SimDisk {
    /// Begins a sync of what a path names: for replaying what threads did at the same time.
    ///
    /// # Errors
    /// `NotFound` where there is nothing.
    pub fn begin_sync(&self, path: &Path) -> io::Result<SyncUnderWay> {
        let inner = self.lock();
        let node = resolve(&inner.state, path)?;
        let change = match inner.state.folder(node) {
            Some(folder) => Change::SyncFolder { folder: node, through: folder.changes() },
            None => Change::SyncFile { file: node, through: inner.state.file(node).map_or(0, FileNode::changes) },
        };
        Ok(SyncUnderWay { inner: Arc::clone(&self.inner), change })
    }

    /// Writes in the middle of a file, for replaying programs that do more than append.
    ///
    /// # Errors
    /// `NotFound` where there is nothing, `IsADirectory` for a folder.
    pub fn write_at(&self, path: &Path, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let file = resolve(&inner.state, path)?;
        inner.state.file(file).ok_or(ErrorKind::IsADirectory)?;
        inner.change(Change::Write { file, offset, bytes: Arc::from(bytes) });
        Ok(())
    }

    fn handle(&self, inode: Inode, writable: bool) -> Box<dyn DiskFile> {
        Box::new(SimFile { inner: Arc::clone(&self.inner), inode, writable })
    }
}

impl Disk for SimDisk {
    fn open_append(&self, path: &Path, _: u32) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Open)?;
        let (folder, name) = split(&inner.state, path)?;
        let inode = match inner.state.lookup(folder, name) {
            Some(inode) => inode,
            None => {
                let inode = inner.state.next();
                inner.change(Change::CreateFile { folder, name: name.to_owned() });
                inode
            }
        };
        inner.state.file(inode).ok_or(ErrorKind::IsADirectory)?;
        Ok(self.handle(inode, true))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Open)?;
        let inode = resolve(&inner.state, path)?;
        inner.state.file(inode).ok_or(ErrorKind::IsADirectory)?;
        Ok(self.handle(inode, false))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Rename)?;
        let (from_folder, from) = split(&inner.state, from)?;
        let (to_folder, to) = split(&inner.state, to)?;
        let inode = inner.state.lookup(from_folder, from).ok_or(ErrorKind::NotFound)?;
        if inner.state.file(inode).is_none() {
            return Err(io::Error::new(ErrorKind::Unsupported, "the simulation renames files only"));
        }
        if inner.state.lookup(to_folder, to).is_some_and(|other| inner.state.file(other).is_none()) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let (from, to): (OsString, OsString) = (from.into(), to.into());
        inner.change(Change::Rename { from_folder, from, to_folder, to });
        Ok(())
    }

    fn link(&self, path: &Path, other: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Rename)?;
        let file = resolve(&inner.state, path)?;
        inner.state.file(file).ok_or(ErrorKind::PermissionDenied)?;
        let (folder, name) = split(&inner.state, other)?;
        if inner.state.lookup(folder, name).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        inner.change(Change::Link { file, folder, name: name.to_owned() });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Remove)?;
        let (folder, name) = split(&inner.state, path)?;
        let inode = inner.state.lookup(folder, name).ok_or(ErrorKind::NotFound)?;
        inner.state.file(inode).ok_or(ErrorKind::IsADirectory)?;
        inner.change(Change::Remove { folder, name: name.to_owned() });
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<DirectoryEntry>> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Look)?;
        let state = &inner.state;
        let found = state.folder(resolve(state, folder)?).ok_or(ErrorKind::NotADirectory)?;
        let kind = |inode| if state.file(inode).is_some() { EntryKind::File } else { EntryKind::Folder };
        Ok(found.seen.iter().map(|(name, inode)| DirectoryEntry { name: name.clone(), kind: kind(*inode) }).collect())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.faults.check(Operation::CreateFolder)?;
        let (folder, name) = split(&inner.state, path)?;
        if inner.state.lookup(folder, name).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        inner.change(Change::CreateFolder { folder, name: name.to_owned() });
        Ok(())
    }

    fn sync_folder(&self, path: &Path, site: &'static str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.faults.check(Operation::SyncFolder)?;
        let folder = resolve(&inner.state, path)?;
        let through = inner.state.folder(folder).ok_or(ErrorKind::NotADirectory)?.changes();
        inner.sync(site, Change::SyncFolder { folder, through });
        Ok(())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Look)?;
        let inode = resolve(&inner.state, path)?;
        Ok(match inner.state.nodes.get(&inode) {
            Some(Node::File(file)) => Metadata { kind: EntryKind::File, bytes: file.seen.len() as u64 },
            _ => Metadata { kind: EntryKind::Folder, bytes: 0 },
        })
    }
}

impl SimFile {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::Error::new(ErrorKind::PermissionDenied, "opened for reading only")) }
    }
}

impl DiskFile for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_writable()?;
        let mut inner = self.lock();
        inner.faults.check(Operation::Write)?;
        let room = inner.faults.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(inner.state.bytes()));
        if room == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(room);
        inner.change(Change::Append { file: self.inode, bytes: Arc::from(&bytes[..written]) });
        Ok(written)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Read)?;
        let content = &inner.state.file(self.inode).ok_or(ErrorKind::NotFound)?.seen;
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn sync(&self, site: &'static str) -> io::Result<()> {
        let mut inner = self.lock();
        if let Err(error) = inner.faults.check(Operation::Sync) {
            inner.change(Change::LoseFile { file: self.inode });
            return Err(error);
        }
        let through = inner.state.file(self.inode).map_or(0, FileNode::changes);
        inner.sync(site, Change::SyncFile { file: self.inode, through });
        Ok(())
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut inner = self.lock();
        inner.faults.check(Operation::SetLen)?;
        let bytes = usize::try_from(bytes).map_err(|_| ErrorKind::FileTooLarge)?;
        inner.change(Change::SetLen { file: self.inode, bytes });
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        let mut inner = self.lock();
        inner.faults.check(Operation::Look)?;
        Ok(inner.state.file(self.inode).map_or(0, |file| file.seen.len() as u64))
    }
}
