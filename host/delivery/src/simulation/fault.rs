//! Faults on demand.

use std::io;

/// A kind of operation on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `open_append` and `open_read`.
    Open,
    /// `read_at`.
    Read,
    /// `write`.
    Write,
    /// `sync` of a file.
    Sync,
    /// `set_len`.
    SetLen,
    /// `rename` and `link`.
    Rename,
    /// `remove`.
    Remove,
    /// `list`, `metadata` and `bytes`.
    Look,
    /// `create_folder`.
    CreateFolder,
    /// `sync_folder`.
    SyncFolder,
}

/// Which operations fail, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// Operations to let pass, then one that fails.
    pub(super) countdown: Option<(u64, io::ErrorKind)>,
    pub(super) every: Vec<(Operation, io::ErrorKind)>,
    pub(super) capacity: Option<usize>,
}

impl Faults {
    pub(super) fn check(&mut self, operation: Operation) -> io::Result<()> {
        if let Some((left, kind)) = self.countdown {
            self.countdown = left.checked_sub(1).map(|left| (left, kind));
            if left == 0 {
                return Err(injected(kind));
            }
        }
        match self.every.iter().find(|(failing, _)| *failing == operation) {
            Some((_, kind)) => Err(injected(*kind)),
            None => Ok(()),
        }
    }
}

fn injected(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "injected by the simulation")
}
