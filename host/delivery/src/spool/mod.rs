//! The spool: a durable queue on disk in front of a sink.
//!
//! A folder holds *segments*, files of frames with one entry each, and the file `acknowledged`. One end appends and syncs,
//! the other reads and acknowledges; they can live in two threads. The format of frames is in `frame.rs`, of names in
//! `segment.rs`, and all of it, with the guarantees, in `docs/reference/spool.md`.
//!
//! - Once [`SpoolWriter::sync`] has returned, what was appended before survives a power loss.
//! - Entries come in order and as they were appended, or not at all: damage costs the damaged entries only, and is counted.
//! - After a crash entries come again from the last [`SpoolReader::persist`] on: at least once.
//! - A segment that was there when the spool was opened is never written to.
//!
//! Only one process may have a folder open: the owner of the data folder sees to that.
//!
//! ```
//! use std::{path::Path, sync::Arc, time::Duration};
//! use tamis_delivery::{disk::RealDisk, spool::{Spool, SpoolOptions}};
//! # let temporary = tempfile::tempdir().expect("a temporary folder");
//! # let data_dir = temporary.path();
//! let folder = data_dir.join("spool/archive");
//! let (mut writer, mut reader, recovery) = Spool::open(Arc::new(RealDisk), &folder, SpoolOptions::new(1 << 30))?;
//! assert_eq!(recovery.pending, 0);
//! writer.append(&[b"first ", b"entry"])?;
//! writer.sync()?;
//! let entry = reader.next(Duration::ZERO)?.expect("it was appended");
//! assert_eq!(entry.payload, b"first entry");
//! reader.acknowledge(entry.sequence)?;
//! reader.persist()?;
//! # Ok::<(), tamis_delivery::spool::SpoolError>(())
//! ```

mod acknowledged;
mod error;
mod frame;
mod reader;
mod recovery;
mod segment;
mod state;
mod window;
mod writer;

pub use error::SpoolError;
pub use reader::{Entry, SpoolReader};
pub use recovery::{RECOVERY_LIST_MAX, Recovery, Region};
pub use writer::SpoolWriter;

use crate::disk::Disk;
use frame::HEADER_BYTES;
use state::Shared;
use std::path::Path;
use std::sync::Arc;

/// Segments that a spool may have. Each start of the process that appends something begins one.
pub const SEGMENTS_MAX: usize = 4096;

/// Limits of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Bytes that all segments may take. Segments kept aside as damaged come on top: at most 8.
    pub bytes_max: u64,
    /// Bytes of one segment: when all its entries are delivered, it is removed. At most half of `bytes_max`.
    pub segment_bytes: u64,
    /// Bytes of an entry's payload; with the 24 bytes of its header it must fit into a segment.
    pub frame_bytes_max: usize,
}

impl SpoolOptions {
    /// Limits for a spool of so many bytes: segments of an eighth of it, 1 MiB to 128 MiB, at most half of it; entries of
    /// up to 64 MiB that fit into a segment.
    pub fn new(bytes_max: u64) -> Self {
        let segment_bytes = (bytes_max / 8).clamp(1 << 20, 128 << 20).min(bytes_max / 2);
        let room = usize::try_from(segment_bytes).unwrap_or(usize::MAX).saturating_sub(HEADER_BYTES);
        Self { bytes_max, segment_bytes, frame_bytes_max: room.min(64 << 20) }
    }

    fn check(&self) -> Result<(), SpoolError> {
        if self.segment_bytes > self.bytes_max / 2 {
            return Err(SpoolError::Options("segment_bytes must be at most half of bytes_max"));
        }
        if self.frame_bytes_max == 0 || u32::try_from(self.frame_bytes_max).is_err() {
            return Err(SpoolError::Options("frame_bytes_max must be 1 byte to 4 GiB - 1"));
        }
        if self.frame_bytes_max as u64 + HEADER_BYTES as u64 > self.segment_bytes {
            return Err(SpoolError::Options("frame_bytes_max and 24 bytes of header must fit into segment_bytes"));
        }
        Ok(())
    }
}

/// A durable queue in a folder.
#[derive(Debug)]
pub struct Spool;

impl Spool {
    /// Opens the spool in a folder, which is created if need be, and checks all that waits there. Opens whatever the files
    /// hold; what is damaged is in the [`Recovery`].
    ///
    /// # Errors
    /// [`SpoolError::Options`] for limits that contradict each other, and [`SpoolError::Io`] when the disk refuses.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, options: SpoolOptions) -> Result<(SpoolWriter, SpoolReader, Recovery), SpoolError> {
        options.check()?;
        let opened = recovery::open(&*disk, folder, options.frame_bytes_max)?;
        let shared = Arc::new(Shared::new(disk, folder, &options, opened.state));
        let reader = SpoolReader::new(Arc::clone(&shared), opened.recovery.acknowledged, opened.next, opened.passed_over);
        Ok((SpoolWriter::new(shared, options, opened.next), reader, opened.recovery))
    }
}

/// What a spool holds now, for metrics. Stays valid after both ends are gone.
#[derive(Debug, Clone)]
pub struct SpoolLevel {
    shared: Arc<Shared>,
}

impl SpoolWriter {
    /// What the spool holds.
    pub fn level(&self) -> SpoolLevel {
        SpoolLevel { shared: Arc::clone(&self.shared) }
    }
}

impl SpoolReader {
    /// What the spool holds.
    pub fn level(&self) -> SpoolLevel {
        SpoolLevel { shared: Arc::clone(&self.shared) }
    }
}

impl SpoolLevel {
    /// Entries that are neither acknowledged nor lost.
    pub fn pending(&self) -> u64 {
        self.shared.lock().pending
    }

    /// Bytes of these entries. Lost ones count until nothing is pending.
    pub fn pending_bytes(&self) -> u64 {
        let state = self.shared.lock();
        if state.pending == 0 { 0 } else { state.pending_bytes }
    }

    /// Bytes that the segments take: a segment stays until all its entries are acknowledged.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().bytes
    }

    /// Bytes that the segments may take.
    pub fn bytes_max(&self) -> u64 {
        self.shared.bytes_max
    }

    /// Entries lost to damage, found when the spool was opened or since.
    pub fn damaged_frames(&self) -> u64 {
        self.shared.lock().lost
    }
}
