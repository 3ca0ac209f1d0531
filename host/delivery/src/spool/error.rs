//! What can go wrong with a spool.

use std::io;
use std::path::{Path, PathBuf};

/// Why an operation on a spool failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The entry does not fit into what is left. Nothing was written. There is room again when entries were acknowledged.
    #[error(
        "the spool is full: {bytes} of {bytes_max} bytes are taken and the entry needs {entry_bytes}; wait for the sink, or raise the limit"
    )]
    Full {
        /// Bytes taken.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
        /// Bytes that the entry needs, its header included.
        entry_bytes: u64,
    },
    /// There are too many segments. Nothing was written. There is room again when entries were acknowledged.
    #[error("the spool is full: it has {segments} segments, the most there may be; wait for the sink")]
    TooManySegments {
        /// Segments there are.
        segments: usize,
    },
    /// The entry can never fit.
    #[error("an entry of {bytes} bytes, but at most {bytes_max} are allowed; make batches smaller, or raise the limit")]
    TooLarge {
        /// Bytes of the entry.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A sync failed, now or before: these entries may be lost, and no later sync can tell. Call
    /// [`SpoolWriter::start_over`](super::SpoolWriter::start_over) and append them again.
    #[error("entries {first} to {last} of the spool could not be made durable and must be appended again: {reason}")]
    Poisoned {
        /// The first entry that is not known to be durable.
        first: u64,
        /// The last one.
        last: u64,
        /// What the system said.
        reason: String,
    },
    /// An entry was acknowledged that was not read.
    #[error("entry {sequence} was acknowledged, but the last one read is {read}")]
    NotRead {
        /// The entry.
        sequence: u64,
        /// The last one that was read.
        read: u64,
    },
    /// The options contradict each other.
    #[error("spool options: {0}")]
    Options(&'static str),
    /// The disk refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SpoolError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether there will be room when entries were acknowledged or the disk has space again: wait, or drop the entry.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } | Self::TooManySegments { .. } => true,
            Self::Io { source, .. } => matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded),
            _ => false,
        }
    }
}
