//! What a lane encodes for one stream.

use super::From;
use crate::graph::StreamGraph;
use crate::pool::Pool;
use tamis_record::Records;

/// The records of one stream while they are encoded.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) data: Vec<u8>,
    /// Where each record stands in `data` and which row it was, when another pipeline reads the output.
    pub(super) rows: Vec<(u32, u32)>,
    pub(super) origins: Vec<u32>,
    /// The place of each record in the source's stream.
    pub(super) offsets: Vec<u64>,
    pub(super) count: u64,
}

impl Outgoing {
    /// Has memory to write to.
    pub(super) fn ready(&mut self, pool: &Pool, records: &Records) -> &mut Self {
        if self.data.capacity() == 0 {
            self.data = pool.take();
            self.data.reserve(records.text.len() / 4);
        }
        self
    }

    /// Ends the record that was written from `begin` on.
    pub(super) fn end(&mut self, begin: usize, row: u32, from: &From<'_>, stream: &StreamGraph) {
        self.offsets.push((from.offset)(row));
        if !stream.pipelines.is_empty() {
            self.rows.push((begin as u32, self.data.len() as u32));
            self.origins.push(row);
        }
        self.data.push(b'\n');
        self.count += 1;
    }
}
