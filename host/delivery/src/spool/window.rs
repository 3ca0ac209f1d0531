//! Reading a segment by way of a buffer that moves along it.

use crate::disk::DiskFile;
use std::io;

/// Bytes that are read ahead.
const CHUNK_BYTES: usize = 256 << 10;

/// A segment opened for reading, and the part of it that is in memory: at most a frame or [`CHUNK_BYTES`].
#[derive(Debug)]
pub(super) struct Window {
    file: Box<dyn DiskFile>,
    offset: u64,
    buffer: Vec<u8>,
}

impl Window {
    pub(super) fn new(file: Box<dyn DiskFile>) -> Self {
        Self { file, offset: 0, buffer: Vec::new() }
    }

    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// The bytes from `offset` on that are in memory: at least `bytes`, unless `limit` or the file's end comes before.
    /// Nothing beyond `limit` is read, as it may still change.
    pub(super) fn get(&mut self, offset: u64, bytes: usize, limit: u64) -> io::Result<&[u8]> {
        let room = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = bytes.min(room);
        let begin = offset.checked_sub(self.offset).and_then(|begin| usize::try_from(begin).ok());
        let held = begin.and_then(|begin| self.buffer.get(begin..)).map_or(0, <[u8]>::len);
        if held < wanted {
            self.buffer.resize(wanted.max(CHUNK_BYTES).min(room), 0);
            let read = self.file.read_full_at(&mut self.buffer, offset);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            self.offset = offset;
            read?;
        }
        let begin = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        Ok(self.buffer.get(begin..).unwrap_or_default())
    }
}
