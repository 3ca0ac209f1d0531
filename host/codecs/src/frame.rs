//! What a source hands to a lane.

use tamis_record::Records;

/// Records of one stream, in order, and where each began.
#[derive(Debug, Default)]
pub struct Frame {
    /// The records; each is meant to be JSON, which the batch checks.
    pub records: Records,
    /// Where the frame's first byte stands in the stream.
    pub base: u64,
    /// Where each record began in the stream, when that is not `base` plus its place in the text (the codec rewrote it).
    pub offsets: Option<Vec<u64>>,
    /// What could not become a record.
    pub rejected: Vec<Rejected>,
    /// Bytes of the stream that the frame stands for.
    pub bytes: u64,
}

impl Frame {
    /// Where record `row` began in the stream, in bytes.
    pub fn offset(&self, row: usize) -> u64 {
        match &self.offsets {
            Some(offsets) => offsets.get(row).copied().unwrap_or(self.base),
            None => self.base + self.records.rows.get(row).map_or(0, |(from, _)| u64::from(*from)),
        }
    }

    /// Records in the frame, those that could not become one included.
    pub fn count(&self) -> usize {
        self.records.rows.len() + self.rejected.len()
    }
}

/// Bytes that could not become a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The bytes, or their beginning when there were too many.
    pub bytes: Vec<u8>,
    /// Where they began in the stream.
    pub offset: u64,
    /// Why.
    pub reason: String,
}
