//! What is on the simulated disk: what programs see, and what of it is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// The number of a file or folder. The root folder has 0.
pub(super) type Inode = u64;

pub(super) const ROOT: Inode = 0;

/// One thing that was done to the disk. Applying the same changes in the same order gives the same disk.
#[derive(Debug, Clone)]
pub(super) enum Change {
    CreateFile {
        folder: Inode,
        name: OsString,
    },
    CreateFolder {
        folder: Inode,
        name: OsString,
    },
    Rename {
        from_folder: Inode,
        from: OsString,
        to_folder: Inode,
        to: OsString,
    },
    Link {
        file: Inode,
        folder: Inode,
        name: OsString,
    },
    Remove {
        folder: Inode,
        name: OsString,
    },
    Append {
        file: Inode,
        bytes: Arc<[u8]>,
    },
    Write {
        file: Inode,
        offset: usize,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: Inode,
        bytes: usize,
    },
    /// Makes the first `through` of all changes to the file durable.
    SyncFile {
        file: Inode,
        through: u64,
    },
    SyncFolder {
        folder: Inode,
        through: u64,
    },
    /// A sync that failed: the file's bytes that were not durable are marked clean, and no later sync writes them.
    LoseFile {
        file: Inode,
    },
    /// A sync that was taken away: nothing happens.
    Nothing,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(FileNode),
    Folder(FolderNode),
}

#[derive(Debug, Clone, Default)]
pub(super) struct FileNode {
    /// What programs read.
    pub(super) seen: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: Vec<FileChange>,
    /// Changes that are durable.
    synced: u64,
}

#[derive(Debug, Clone)]
pub(super) struct FileChange {
    pub(super) what: FileWrite,
    /// A sync failed over it.
    pub(super) lost: bool,
}

#[derive(Debug, Clone)]
pub(super) enum FileWrite {
    Write { offset: usize, bytes: Arc<[u8]> },
    SetLen(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct FolderNode {
    pub(super) seen: BTreeMap<OsString, Inode>,
    pub(super) durable: BTreeMap<OsString, Inode>,
    pub(super) unsynced: Vec<FolderChange>,
    /// Changes that are durable.
    synced: u64,
}

#[derive(Debug, Clone)]
pub(super) enum FolderChange {
    Insert(OsString, Inode),
    Remove(OsString),
    Rename(OsString, OsString),
}

impl FolderChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<OsString, Inode>) {
        match self {
            Self::Insert(name, inode) => drop(names.insert(name.clone(), *inode)),
            Self::Remove(name) => drop(names.remove(name)),
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl FileWrite {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLen(bytes) => content.resize(*bytes, 0),
        }
    }
}

impl FileNode {
    fn change(&mut self, what: FileWrite) {
        what.apply(&mut self.seen);
        self.unsynced.push(FileChange { what, lost: false });
    }

    /// All changes to it so far, durable or not.
    pub(super) fn changes(&self) -> u64 {
        self.synced + self.unsynced.len() as u64
    }

    fn sync(&mut self, through: u64) {
        let count = (through.saturating_sub(self.synced) as usize).min(self.unsynced.len());
        self.synced += count as u64;
        for change in self.unsynced.drain(..count) {
            match change.what {
                // The pages are clean and never written; the length is metadata and goes its own way.
                FileWrite::Write { offset, bytes } if change.lost => {
                    let end = offset + bytes.len();
                    self.durable.resize(self.durable.len().max(end), 0);
                }
                what => what.apply(&mut self.durable),
            }
        }
    }
}

impl FolderNode {
    fn change(&mut self, change: FolderChange) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }

    /// All changes to it so far, durable or not.
    pub(super) fn changes(&self) -> u64 {
        self.synced + self.unsynced.len() as u64
    }

    fn sync(&mut self, through: u64) {
        let count = (through.saturating_sub(self.synced) as usize).min(self.unsynced.len());
        self.synced += count as u64;
        for change in self.unsynced.drain(..count) {
            change.apply(&mut self.durable);
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<Inode, Node>,
    next: Inode,
}

impl State {
    pub(super) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Folder(FolderNode::default()))]), next: ROOT + 1 }
    }

    pub(super) fn file(&self, inode: Inode) -> Option<&FileNode> {
        match self.nodes.get(&inode) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    fn file_mut(&mut self, inode: Inode) -> Option<&mut FileNode> {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn folder(&self, inode: Inode) -> Option<&FolderNode> {
        match self.nodes.get(&inode) {
            Some(Node::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    fn folder_mut(&mut self, inode: Inode) -> Option<&mut FolderNode> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    pub(super) fn lookup(&self, folder: Inode, name: &OsStr) -> Option<Inode> {
        self.folder(folder)?.seen.get(name).copied()
    }

    /// The number that the next file or folder gets.
    pub(super) fn next(&self) -> Inode {
        self.next
    }

    /// Bytes in the files that have a name.
    pub(super) fn bytes(&self) -> usize {
        let named: BTreeSet<Inode> = self.nodes.values().filter_map(as_folder).flat_map(|f| f.seen.values().copied()).collect();
        named.iter().filter_map(|inode| self.file(*inode)).map(|f| f.seen.len()).sum()
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateFile { folder, name } => self.create(*folder, name, Node::File(FileNode::default())),
            Change::CreateFolder { folder, name } => self.create(*folder, name, Node::Folder(FolderNode::default())),
            Change::Rename { from_folder, from, to_folder, to } => self.rename(*from_folder, from, *to_folder, to),
            Change::Link { file, folder, name } => {
                if let Some(folder) = self.folder_mut(*folder) {
                    folder.change(FolderChange::Insert(name.clone(), *file));
                }
            }
            Change::Remove { folder, name } => {
                if let Some(folder) = self.folder_mut(*folder) {
                    folder.change(FolderChange::Remove(name.clone()));
                }
            }
            Change::Append { file, bytes } => {
                if let Some(file) = self.file_mut(*file) {
                    file.change(FileWrite::Write { offset: file.seen.len(), bytes: Arc::clone(bytes) });
                }
            }
            Change::Write { file, offset, bytes } => {
                if let Some(file) = self.file_mut(*file) {
                    file.change(FileWrite::Write { offset: *offset, bytes: Arc::clone(bytes) });
                }
            }
            Change::SetLen { file, bytes } => {
                if let Some(file) = self.file_mut(*file) {
                    file.change(FileWrite::SetLen(*bytes));
                }
            }
            Change::SyncFile { file, through } => {
                if let Some(file) = self.file_mut(*file) {
                    file.sync(*through);
                }
            }
            Change::SyncFolder { folder, through } => {
                if let Some(folder) = self.folder_mut(*folder) {
                    folder.sync(*through);
                }
            }
            Change::LoseFile { file } => {
                if let Some(file) = self.file_mut(*file) {
                    file.unsynced.iter_mut().for_each(|change| change.lost = true);
                }
            }
            Change::Nothing => {}
        }
    }

    fn create(&mut self, folder: Inode, name: &OsStr, node: Node) {
        let inode = self.next;
        if let Some(folder) = self.folder_mut(folder) {
            folder.change(FolderChange::Insert(name.to_owned(), inode));
            self.nodes.insert(inode, node);
            self.next += 1;
        }
    }

    fn rename(&mut self, from_folder: Inode, from: &OsStr, to_folder: Inode, to: &OsStr) {
        if from_folder == to_folder {
            if let Some(folder) = self.folder_mut(from_folder) {
                folder.change(FolderChange::Rename(from.to_owned(), to.to_owned()));
            }
        } else if let Some(inode) = self.lookup(from_folder, from) {
            if let Some(folder) = self.folder_mut(from_folder) {
                folder.change(FolderChange::Remove(from.to_owned()));
            }
            if let Some(folder) = self.folder_mut(to_folder) {
                folder.change(FolderChange::Insert(to.to_owned(), inode));
            }
        }
    }
}

fn as_folder(node: &Node) -> Option<&FolderNode> {
    match node {
        Node::Folder(folder) => Some(folder),
        Node::File(_) => None,
    }
}
